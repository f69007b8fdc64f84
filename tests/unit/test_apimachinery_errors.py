"""ApiError: an exception like any other, and a Status on the wire."""

import traceback

from apimachinery import errors


def test_errors_can_be_told_apart_and_printed():
    error = errors.not_found("apps", "deployments", "web")
    assert {error, error} == {error}
    assert error != errors.not_found("apps", "deployments", "web")
    group = ExceptionGroup("two", [error, errors.bad_request("x")])
    assert 'deployments.apps "web" not found' in "".join(traceback.format_exception(group))


def test_a_status_goes_there_and_back():
    error = errors.conflict("", "pods", "a")
    again = errors.from_status(error.status(), 409)
    assert (again.code, again.reason, str(again), again.details) == (409, "Conflict", error.message, error.details)

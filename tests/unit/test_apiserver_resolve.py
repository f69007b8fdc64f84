"""Paths and methods to RequestInfo."""

import pytest

from apimachinery.errors import ApiError
from apiserver.resolve import request_info


def info(method, path, **query):
    segments = [part for part in path.split("/") if part]
    return request_info(method, path, segments, {name: [value] for name, value in query.items()})


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", "/api/v1/pods", {}, ("list", "", "", "pods", "", "")),
        ("GET", "/api/v1/namespaces/a/pods", {}, ("list", "", "a", "pods", "", "")),
        ("GET", "/api/v1/namespaces/a/pods/p", {}, ("get", "", "a", "pods", "p", "")),
        ("HEAD", "/api/v1/namespaces/a/pods/p", {}, ("get", "", "a", "pods", "p", "")),
        ("GET", "/api/v1/pods", {"watch": "true"}, ("watch", "", "", "pods", "", "")),
        ("GET", "/api/v1/pods", {"watch": "0"}, ("list", "", "", "pods", "", "")),
        ("GET", "/api/v1/watch/namespaces/a/pods", {}, ("watch", "", "a", "pods", "", "")),
        ("DELETE", "/api/v1/namespaces/a/pods", {}, ("deletecollection", "", "a", "pods", "", "")),
        ("DELETE", "/api/v1/namespaces/a/pods/p", {}, ("delete", "", "a", "pods", "p", "")),
        ("POST", "/apis/apps/v1/namespaces/a/deployments", {}, ("create", "apps", "a", "deployments", "", "")),
        (
            "PUT",
            "/apis/apps/v1/namespaces/a/deployments/d/status",
            {},
            ("update", "apps", "a", "deployments", "d", "status"),
        ),
        ("GET", "/api/v1/namespaces", {}, ("list", "", "", "namespaces", "", "")),
        ("GET", "/api/v1/namespaces/a", {}, ("get", "", "a", "namespaces", "a", "")),
        ("PUT", "/api/v1/namespaces/a/finalize", {}, ("update", "", "a", "namespaces", "a", "finalize")),
        ("GET", "/api/v1/nodes", {"fieldSelector": "metadata.name=n1"}, ("list", "", "", "nodes", "n1", "")),
        ("GET", "/api/v1/nodes", {"fieldSelector": "metadata.name!=n1"}, ("list", "", "", "nodes", "", "")),
    ],
)
def test_resources(method, path, query, expected):
    found = info(method, path, **query)
    assert found.is_resource
    assert (found.verb, found.group, found.namespace, found.plural, found.name, found.subresource) == expected


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/openapi/v2"]
)
def test_other_paths(path):
    found = info("GET", path)
    assert (found.is_resource, found.verb, found.path) == (False, "get", path)


def test_the_path_behind_a_proxy():
    found = info("GET", "/api/v1/namespaces/a/services/web/proxy/x/y")
    assert (found.subresource, found.parts) == ("proxy", ("x", "y"))


@pytest.mark.parametrize(
    ("segments", "code"), [(["api", "v1", "nodes", ".."], 400), (["api", "v1", "nodes", "a/b"], 404)]
)
def test_names_that_would_leave_their_place(segments, code):
    with pytest.raises(ApiError) as refused:
        request_info("GET", "/", segments, {})
    assert refused.value.code == code

"""Continue tokens, the order of what is stored, options."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery.errors import ApiError
from apiserver.request import Request
from apiserver.resources import metadata, tokens
from apiserver.resources.options import delete_options, write_options


@given(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1), st.integers(1, 2**63))
def test_tokens_come_back_as_they_went(name, revision):
    text = tokens.encode(f"/registry/x/{name}", "/registry/x/", revision)
    if name == "..":
        return
    assert tokens.decode(text) == tokens.Token(name + "\0", revision)


@pytest.mark.parametrize(
    "text",
    ["", "x", "e30", "eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiIuLi94In0"],
)
def test_bad_tokens(text):
    with pytest.raises(ApiError, match="continue key is not valid"):
        tokens.decode(text)


def test_stored_order():
    tree = {"spec": 1, "metadata": {"resourceVersion": "5", "name": "a", "x": None}, "apiVersion": "v1", "kind": "K"}
    assert list(metadata.stored_order(tree).items()) == [
        ("kind", "K"),
        ("apiVersion", "v1"),
        ("metadata", {"name": "a"}),
        ("spec", 1),
    ]


def request(method="DELETE", **query):
    return Request(scope={}, method=method, path="/", query={k: [v] for k, v in query.items()}, headers={})


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        ({"propagationPolicy": "Nope"}, "Unsupported value"),
        ({"propagationPolicy": "Orphan", "orphanDependents": True}, "cannot be both set"),
        ({"dryRun": ["Some"]}, "Unsupported value"),
    ],
)
def test_bad_delete_options(tree, text):
    with pytest.raises(ApiError, match=text):
        delete_options(request(), tree)


def test_delete_options_from_the_query():
    found = delete_options(request(gracePeriodSeconds="5", propagationPolicy="Orphan", dryRun="All"), None)
    assert (found.grace, found.propagation, found.dry_run) == (5, "Orphan", True)


def test_delete_options_of_a_body_leave_the_query_unread():
    found = delete_options(request(gracePeriodSeconds="5", propagationPolicy="Orphan", dryRun="All"), {})
    assert (found.grace, found.propagation, found.dry_run) == (None, "", False)


def test_dry_run_must_be_all():
    with pytest.raises(ApiError, match="Unsupported value"):
        write_options(request("POST", dryRun="Some"))

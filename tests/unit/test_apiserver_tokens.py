"""Continue tokens, metadata checks, options."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery.errors import ApiError
from apimachinery.kinds import CONFIGMAPS, NODES
from apimachinery.names import subdomain_name
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


def problems(new, old=None, kind=CONFIGMAPS):
    trees = [{"metadata": {"name": "a", "namespace": "n", **m}} if m is not None else None for m in (new, old)]
    return [str(p) for p in metadata.problems(trees[0], trees[1], kind, subdomain_name)]


@pytest.mark.parametrize(
    ("new", "old", "text"),
    [
        ({"name": ""}, None, "metadata.name: Required value: name or generateName is required"),
        ({"name": "A"}, None, 'metadata.name: Invalid value: "A": a lowercase RFC 1123 subdomain'),
        ({"generateName": "AB-"}, None, 'metadata.generateName: Invalid value: "AB-"'),
        ({"namespace": "a.b"}, None, 'metadata.namespace: Invalid value: "a.b"'),
        ({"labels": {"a b": "c"}}, None, "metadata.labels: Invalid value"),
        ({"annotations": {"a": "x" * 300_000}}, None, "metadata.annotations: Too long"),
        ({"ownerReferences": [{"apiVersion": "v1", "kind": "X", "name": "y"}]}, None, "metadata.ownerReferences"),
        ({"finalizers": ["plain"]}, None, "name is neither a standard finalizer name nor is it fully qualified"),
        ({"uid": "b"}, {"uid": "a"}, 'metadata.uid: Invalid value: "b": field is immutable'),
        ({"finalizers": ["x/y"]}, {"deletionTimestamp": "t"}, "no new finalizers can be added"),
    ],
)
def test_metadata(new, old, text):
    assert any(text in found for found in problems(new, old))


def test_good_metadata_has_no_problems():
    assert problems({"labels": {"a/b": "c"}, "annotations": {"X": "y"}, "finalizers": ["orphan"]}) == []
    assert problems({"generateName": "x-"}) == []
    assert [str(p) for p in metadata.problems({"metadata": {"name": "n"}}, None, NODES, subdomain_name)] == []


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
        ({"gracePeriodSeconds": "5"}, "cannot be handled as a DeleteOptions"),
        ({"kind": "Pod"}, "cannot be converted to DeleteOptions"),
    ],
)
def test_bad_delete_options(tree, text):
    with pytest.raises(ApiError, match=text):
        delete_options(request(), tree)


def test_delete_options_from_the_query():
    found = delete_options(request(gracePeriodSeconds="5", propagationPolicy="Orphan", dryRun="All"), {})
    assert (found.grace, found.propagation, found.dry_run) == (5, "Orphan", True)


def test_dry_run_must_be_all():
    with pytest.raises(ApiError, match="Unsupported value"):
        write_options(request("POST", dryRun="Some"))

"""JSON Patch and merge patch: expected documents were printed by upstream's library (evanphx/json-patch v4)."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery import patch
from apimachinery.errors import ApiError

DOCUMENT = {"a": {"b": [1, 2, 3], "c": None}, "d": "x", "": {"~": 1}, "s/t": 0}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/new", "value": {"x": 1}}, {"new": {"x": 1}}),
        ({"op": "add", "path": "/a/b/-", "value": 4}, {"a": {"b": [1, 2, 3, 4], "c": None}}),
        ({"op": "add", "path": "/a/b/0", "value": 0}, {"a": {"b": [0, 1, 2, 3], "c": None}}),
        ({"op": "add", "path": "/a/b/-1", "value": 4}, {"a": {"b": [1, 2, 3, 4], "c": None}}),
        ({"op": "add", "path": "//~0", "value": 2}, {"": {"~": 2}}),
        ({"op": "add", "path": "/s~1t", "value": 1}, {"s/t": 1}),
        ({"op": "remove", "path": "/a/b/1"}, {"a": {"b": [1, 3], "c": None}}),
        ({"op": "replace", "path": "/a/b/-1", "value": 9}, {"a": {"b": [1, 2, 9], "c": None}}),
        ({"op": "replace", "path": "/absent", "value": 9}, {"absent": 9}),
        ({"op": "move", "from": "/d", "path": "/e"}, {"d": ..., "e": "x"}),
        ({"op": "copy", "from": "/a/b", "path": "/e"}, {"e": [1, 2, 3]}),
        ({"op": "test", "path": "/a/b", "value": [1, 2, 3]}, {}),
        ({"op": "test", "path": "/a/b/0", "value": 1}, {}),
        ({"op": "test", "path": "/absent"}, {}),
        ({"op": "copy", "from": "/absent", "path": "/a"}, {"a": None}),
    ],
)
def test_operations(operation, expected):
    wanted = {key: value for key, value in {**DOCUMENT, **expected}.items() if value is not ...}
    before = copy.deepcopy(DOCUMENT)
    assert patch.json_patch(DOCUMENT, [operation]) == wanted
    assert before == DOCUMENT


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "bad", "path": "/d"},
        {"op": "add", "value": 1},
        {"op": "add", "path": "d", "value": 1},
        {"op": "add", "path": "", "value": {}},
        {"op": "add", "path": "/d/x", "value": 1},
        {"op": "add", "path": "/a/b/4", "value": 1},
        {"op": "add", "path": "/a/b/x", "value": 1},
        {"op": "add", "path": "/absent/x", "value": 1},
        {"op": "remove", "path": "/absent"},
        {"op": "replace", "path": "/a/b/3", "value": 1},
        {"op": "move", "from": "/a", "path": "/a/b/0"},
        {"op": "copy", "from": "/a/b/7", "path": "/e"},
        {"op": "test", "path": "/d", "value": "y"},
        {"op": "test", "path": "/a/b/0", "value": True},
        {"op": "test", "path": "/a/b/7"},
        {"op": "remove", "path": ""},
    ],
)
def test_what_does_not_apply_is_invalid(operation):
    operations = [operation, {"op": "test", "path": "/d", "value": "x"}]
    with pytest.raises(ApiError) as caught:
        patch.json_patch(DOCUMENT, operations)
    assert (caught.value.code, caught.value.reason) == (422, "Invalid")
    assert caught.value.message == "the server rejected our request due to an error in our request"


@pytest.mark.parametrize("operations", [{}, "x", ["x"], [1]])
def test_malformed_patches_are_bad_requests(operations):
    with pytest.raises(
        ApiError, match=r"json: cannot unmarshal .* into Go value of type .*handlers.jsonPatchOp"
    ) as caught:
        patch.json_patch(DOCUMENT, operations)
    assert caught.value.code == 400


def test_operations_are_bounded():
    operations = [{"op": "test", "path": "/d", "value": "x"}] * 10_001
    with pytest.raises(ApiError) as caught:
        patch.json_patch(DOCUMENT, operations)
    assert caught.value.code == 413
    assert (
        caught.value.message
        == "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001"
    )
    assert patch.json_patch(DOCUMENT, operations[1:]) == DOCUMENT


def test_copies_are_bounded():
    doubling = [{"op": "copy", "from": "/a", "path": "/a/x"}, {"op": "copy", "from": "/a", "path": "/a/y"}] * 40
    with pytest.raises(ApiError, match="the server rejected our request"):
        patch.json_patch({"a": {"b": "x" * 100}}, doubling)


@pytest.mark.parametrize(
    ("document", "change", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": 1}, {"a": {"b": None}}, {"a": {}}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({"a": 1}, [1], [1]),
        ([1], {"a": 1}, {"a": 1}),
        ({}, {"a": [{"b": None}, None]}, {"a": [{}, None]}),
    ],
)
def test_merge_patch(document, change, expected):
    assert patch.merge_patch(document, change) == expected


LEAVES = st.integers(0, 2) | st.sampled_from("xy")
OBJECTS = st.recursive(
    st.dictionaries(st.sampled_from("abc"), LEAVES, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner | LEAVES | st.lists(LEAVES, max_size=2), max_size=3),
    max_leaves=8,
)


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_applied_twice_changes_nothing_more(document, change):
    once = patch.merge_patch(document, change)
    assert patch.merge_patch(once, change) == once


@given(OBJECTS, OBJECTS)
def test_the_diff_of_two_objects_leads_from_one_to_the_other(before, after):
    change = patch.merge_diff(before, after, before)
    assert patch.merge_patch(before, change) == after
    assert (change == {}) == (before == after)


@given(OBJECTS, OBJECTS, st.sampled_from("de"))
def test_a_three_way_diff_leaves_what_others_set(original, modified, theirs):
    current = {**original, theirs: "theirs"}
    assert patch.merge_patch(current, patch.merge_diff(original, modified, current)) == {**modified, theirs: "theirs"}


@given(st.lists(st.integers(), max_size=4), st.integers(0, 4), st.integers())
def test_remove_undoes_add(items, at, value):
    at = min(at, len(items))
    operations = [{"op": "add", "path": f"/a/{at}", "value": value}, {"op": "remove", "path": f"/a/{at}"}]
    assert patch.json_patch({"a": items}, operations) == {"a": items}


HELD = {"a": {"b": 1}, "c": [1, 2]}
_NO_NUMBER = 'strconv.Atoi: parsing "x": invalid syntax'
_NOWHERE = "operation does not apply: doc is missing"


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        ({"op": "add", "path": "/x/y", "value": 1}, f'add {_NOWHERE} path: "/x/y": missing value'),
        ({"op": "add", "value": 1}, "add operation failed to decode path: missing value"),
        (
            {"op": "add", "path": "/c/7", "value": 1},
            "error in add for path: '/c/7': Unable to access invalid index: 7: invalid index referenced",
        ),
        (
            {"op": "add", "path": "/c/x", "value": 1},
            f"error in add for path: '/c/x': value was not a proper array index: 'x': {_NO_NUMBER}",
        ),
        (
            {"op": "remove", "path": "/a/x"},
            "error in remove for path: '/a/x': Unable to remove nonexistent key: x: missing value",
        ),
        ({"op": "remove", "path": "/x/y"}, f'remove {_NOWHERE} path: "/x/y": missing value'),
        ({"op": "replace", "path": "/x/y", "value": 1}, f"replace {_NOWHERE} path: /x/y: missing value"),
        ({"op": "replace", "path": "/c/7", "value": 1}, f"replace {_NOWHERE} key: /c/7: missing value"),
        ({"op": "move", "from": "/x/y", "path": "/z"}, f"move {_NOWHERE} from path: /x/y: missing value"),
        ({"op": "move", "from": "/a/b", "path": "/x/y"}, f"move {_NOWHERE} destination path: /x/y: missing value"),
        ({"op": "copy", "from": "/x/y", "path": "/z"}, f"copy {_NOWHERE} from path: /x/y: missing value"),
        ({"op": "copy", "from": "/a/b", "path": "/x/y"}, f"copy {_NOWHERE} destination path: /x/y: missing value"),
        ({"op": "test", "path": "/x/y"}, "test operation does not apply: is missing path: /x/y: missing value"),
        ({"op": "test", "path": "/a/b", "value": 2}, "testing value /a/b failed: test failed"),
        ({"op": "jump"}, "Unexpected kind: jump"),
        ({}, "Unexpected kind: unknown"),
        ({"op": None}, "Unexpected kind: unknown"),
        ({"op": []}, "Unexpected kind: unknown"),
        ({"op": {"a": 1}}, "Unexpected kind: unknown"),
    ],
)
def test_a_patch_that_does_not_apply_says_why(operation, why):
    with pytest.raises(patch.NotApplied) as caught:
        patch.json_patch(HELD, [operation])
    assert (caught.value.why, caught.value.is_test) == (why, why.endswith("test failed"))

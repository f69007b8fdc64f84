"""Field sets, the typed merge and ownership, as laws and as examples."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apimachinery import kinds
from apimachinery.apply import blanks, elements, entries, fieldset, merging, scaling, typed, types
from apimachinery.apply.ownership import Ownership, without_entries
from apimachinery.apply.updates import NoVersion
from apimachinery.errors import ApiError

NOW, LATER = "2020-01-01T00:00:00Z", "2020-01-01T00:00:01Z"

# --- sets -------------------------------------------------------------------------------------------------------------

STEP = st.sampled_from(["f:a", "f:b", "f:c.d", 'k:{"name":"x"}', 'k:{"port":80}', 'k:{"port":443}', "v:1", "v:10"])
PATHS = st.frozensets(st.lists(STEP, min_size=1, max_size=4).map(tuple), max_size=8)


def as_set(paths):
    found = {}
    for path in paths:
        node = {}
        for step in reversed(path):
            node = {step: node}
        found = fieldset.union(found, node)
    return found


def as_paths(fields):
    return set(fieldset.paths(fields))


@given(PATHS)
def test_a_set_holds_its_paths(paths):
    fields = as_set(paths)
    assert as_paths(fields) == paths
    assert all(fieldset.has(fields, path) for path in paths)
    assert fieldset.decode(json.loads(json.dumps(fields))) == fields


@given(PATHS, PATHS)
def test_operations_are_those_of_sets(left, right):
    one, other = as_set(left), as_set(right)
    before = copy.deepcopy((one, other))
    assert as_paths(fieldset.union(one, other)) == left | right
    assert as_paths(fieldset.intersection(one, other)) == left & right
    assert as_paths(fieldset.difference(one, other)) == left - right
    below = {path for path in left if not any(path[:i] in right for i in range(1, len(path) + 1))}
    assert as_paths(fieldset.without(one, other)) == below
    assert (one, other) == before


@given(PATHS, PATHS)
def test_equal_sets_are_written_alike(left, right):
    one = fieldset.union(as_set(left), as_set(right))
    assert (
        json.dumps(one) == json.dumps(as_set(left | right)) == json.dumps(fieldset.union(as_set(right), as_set(left)))
    )
    less = fieldset.difference(one, as_set(right))
    assert json.dumps(less) == json.dumps(as_set(left - right))


def test_the_order_of_the_wire():
    steps = ["v:10", "v:9", 'v:"a"', 'k:{"port":443}', 'k:{"port":80}', "f:b", "f:a", "i:2", "i:10"]
    fields = fieldset.decode({key: {} for key in steps})
    assert list(fields) == ["f:a", "f:b", 'k:{"port":80}', 'k:{"port":443}', "v:9", "v:10", 'v:"a"', "i:2", "i:10"]


@pytest.mark.parametrize(
    ("tree", "fields"),
    [
        pytest.param({"f:a": {".": {}}}, {"f:a": {}}, id="a leaf said the long way"),
        pytest.param({"f:a": {"x:b": {}}}, {"f:a": {}}, id="steps of later versions"),
        pytest.param({"f:a": None}, {"f:a": {}}, id="null"),
        pytest.param({'k:{"b":1,"a":2}': {}}, {'k:{"a":2,"b":1}': {}}, id="keys in another order"),
        pytest.param({"v:1.0": {}}, {"v:1": {}}, id="a whole number"),
        pytest.param({'v:"<"': {}}, {'v:"\\u003c"': {}}, id="as Go escapes"),
        pytest.param({"v:1": {}, "v:1.0": {"f:a": {}}}, {"v:1": {".": {}, "f:a": {}}}, id="two spellings of one step"),
        pytest.param(None, {}, id="nothing"),
    ],
)
def test_other_spellings_are_understood(tree, fields):
    assert fieldset.decode(tree) == fields


@pytest.mark.parametrize(
    "tree", [5, {"f:a": 5}, {"f": {}}, {"fa": {}}, {"k:{": {}}, {"k:1": {}}, {"v:": {}}, {"i:x": {}}]
)
def test_what_is_no_set(tree):
    with pytest.raises(elements.Malformed):
        fieldset.decode(tree)


def test_a_deep_set_is_refused():
    tree = {}
    for _ in range(500):
        tree = {"f:a": tree}
    with pytest.raises(elements.Malformed):
        fieldset.decode(tree)


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ("f:spec", ".spec"),
        ('k:{"containerPort":80,"protocol":"TCP"}', '[containerPort=80,protocol="TCP"]'),
        ('v:"a"', '[="a"]'),
        ("v:true", "[=true]"),
        ("i:3", "[3]"),
    ],
)
def test_paths_for_people(step, text):
    assert elements.shown(step) == text


# --- trees under a schema ---------------------------------------------------------------------------------------------

NAMED = {"type": "object", "properties": {"name": {"type": "string"}, "n": {"type": "integer"}}}
SCHEMA = {
    "type": "object",
    "properties": {
        "number": {"type": "integer"},
        "text": {"type": "string"},
        "map": {"type": "object", "additionalProperties": {"type": "string"}},
        "atomic": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"a": {"type": "integer"}}},
        "struct": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}},
        "list": {"type": "array", "items": {"type": "string"}},
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "named": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": NAMED,
        },
    },
}
KIND = types.custom(SCHEMA)
LETTERS = st.sampled_from(["a", "b", "c", "d"])
NUMBERS = st.integers(0, 3)
TREES = st.fixed_dictionaries(
    {},
    optional={
        "number": NUMBERS,
        "text": LETTERS,
        "map": st.dictionaries(LETTERS, LETTERS, min_size=1, max_size=3),
        "atomic": st.fixed_dictionaries({"a": NUMBERS}),
        "struct": st.dictionaries(st.sampled_from(["a", "b"]), NUMBERS, min_size=1),
        "list": st.lists(LETTERS, min_size=1, max_size=3),
        "set": st.lists(LETTERS, min_size=1, max_size=4, unique=True),
        "named": st.lists(
            st.fixed_dictionaries({"name": LETTERS}, optional={"n": NUMBERS}),
            min_size=1,
            max_size=4,
            unique_by=lambda item: item["name"],
        ),
    },
)


@given(TREES, TREES)
def test_a_merge_has_everything(live, applied):
    before = copy.deepcopy((live, applied))
    made = merging.merged(KIND, live, applied)
    assert (live, applied) == before
    typed.check(KIND, made)
    for tree in (live, applied):
        assert as_paths(typed.fields_of(KIND, tree)) <= as_paths(typed.fields_of(KIND, made))
    gone = typed.compare(KIND, applied, made)
    assert not gone.modified
    assert not gone.removed  # what is applied is there as applied


@given(TREES, TREES)
def test_merging_again_changes_nothing(live, applied):
    made = merging.merged(KIND, live, applied)
    assert merging.merged(KIND, made, applied) == made
    assert merging.merged(KIND, applied, applied) == applied
    assert merging.merged(KIND, live, {}) == live


@given(TREES, TREES)
def test_a_comparison_read_backwards(left, right):
    there, back = typed.compare(KIND, left, right), typed.compare(KIND, right, left)
    assert (there.added, there.removed) == (back.removed, back.added)
    assert there.modified == back.modified
    parts = [as_paths(part) for part in (there.added, there.modified, there.removed)]
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    if sorted(map(json.dumps, left.get("named", ()))) == sorted(map(json.dumps, right.get("named", ()))):
        unordered = [{**t, "named": None, "set": sorted(t.get("set", ()))} for t in (left, right)]
        assert (unordered[0] == unordered[1]) is (there == typed.NO_CHANGE)


@given(TREES)
def test_taking_out_all_fields_leaves_nothing(tree):
    assert not typed.removed(KIND, tree, typed.with_named(KIND, typed.fields_of(KIND, tree)))


@pytest.mark.parametrize(
    ("left", "right", "merged"),
    [
        pytest.param("abc", "c", "abc", id="what is not applied stays where it is"),
        pytest.param("abc", "ca", "bca", id="the order applied"),
        pytest.param("ab", "xb", "axb", id="new ones come before what follows them"),
        pytest.param("abcde", "dxb", "acdexb", id="all of it"),
    ],
)
def test_the_order_of_merged_lists(left, right, merged):
    found = merging.merged(KIND, {"set": list(left)}, {"set": list(right)})
    assert "".join(found["set"]) == merged


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        ({"nonsense": 1}, ".nonsense: field not declared in schema"),
        ({"number": "x"}, ".number: expected numeric (int or float), got string"),
        ({"text": True}, ".text: expected string, got &value.valueUnstructured{Value:true}"),
        ({"struct": [1]}, ".struct: expected map, got &{[1]}"),
        ({"set": ["a", "a"]}, '.set: duplicate entries for key [="a"]'),
        (
            {"named": [{"n": 1}]},
            '.named: element 0: associative list with keys has an element that omits all key fields ["name"] (and doesn\'t have default values for any key fields)',
        ),
        ({"named": [None]}, ".named: element 0: associative list with keys may not have a null element"),
        ({"set": [["a"]]}, ".set: element 0: not supported: associative list with lists as elements"),
        (
            {"number": "x", "text": 1},
            "errors:\n  .number: expected numeric (int or float), got string\n  .text: expected string, got &value.valueUnstructured{Value:1}",
        ),
    ],
)
def test_what_a_schema_does_not_allow(tree, text):
    with pytest.raises(typed.Invalid) as caught:
        typed.check(KIND, tree)
    assert str(caught.value) == text


def test_true_is_not_one_where_both_may_stand():
    assert typed.compare(types.DEDUCED, {"a": {"b": True}}, {"a": {"b": 1}}).modified == {"f:a": {"f:b": {}}}


def test_duplicates_that_are_there_already():
    twice, once = {"set": ["a", "a", "b"]}, {"set": ["a", "b"]}
    assert typed.compare(KIND, twice, twice) == typed.NO_CHANGE
    assert typed.compare(KIND, twice, once).added == {"f:set": {'v:"a"': {}}}
    assert merging.merged(KIND, twice, {"set": ["b"]})["set"] == ["a", "a", "b"]


def test_what_became_atomic_is_owned_whole():
    assert typed.reconciled(KIND, {"f:list": {'v:"a"': {}, 'v:"b"': {}}}) == {"f:list": {}}
    assert typed.reconciled(KIND, {"f:atomic": {".": {}, "f:a": {}}, "f:text": {}}) == {"f:atomic": {}, "f:text": {}}
    kept = {"f:map": {"f:a": {}}, "f:gone": {"f:a": {}}}
    assert typed.reconciled(KIND, kept) is kept


def test_built_in_kinds_have_their_list_keys():
    pod = types.built_in(kinds.PODS)
    container = pod.fields["spec"].fields["containers"].items
    assert pod.fields["spec"].fields["containers"].keys == ("name",)
    assert container.fields["ports"].keys == ("containerPort", "protocol")
    assert typed.step_to(container.fields["ports"], {"containerPort": 80}) == 'k:{"containerPort":80,"protocol":"TCP"}'
    assert container.fields["args"].list_atomic
    assert pod.fields["spec"].fields["nodeSelector"].map_atomic
    assert pod.fields["metadata"].fields["finalizers"].keys == ()


def test_embedded_resources_have_metadata():
    schema = {"type": "object", "properties": {"inner": {"type": "object", "x-kubernetes-embedded-resource": True}}}
    inner = types.custom(schema).fields["inner"]
    assert inner.fields["metadata"].fields["labels"].element.scalar == types.STRING


# --- ownership --------------------------------------------------------------------------------------------------------


class OneVersion:
    """A kind with one version."""

    def __init__(self, kind):
        self.kind = kind

    def type_of(self, version):
        if version != "v1":
            raise NoVersion
        return self.kind

    def convert(self, tree, version):
        self.type_of(version)
        return tree


RULES = Ownership(OneVersion(KIND), "Thing", "v1", {"apiVersion": "v1", "kind": "Thing"})
MANAGERS = st.sampled_from(["x", "y", "z"])


def thing(tree):
    return {"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "a"}, **tree}


def owned_by(tree):
    return {(e["manager"], e["operation"]): e["fieldsV1"] for e in tree["metadata"].get("managedFields", ())}


@given(st.lists(st.tuples(MANAGERS, TREES), min_size=1, max_size=5))
def test_applying_twice_is_applying_once(writes):
    live = None
    for manager, tree in writes:
        live = RULES.apply(live, thing(tree), manager, NOW, force=True)
    manager, tree = writes[-1]
    assert RULES.apply(live, thing(tree), manager, LATER, force=False) == live


def fresh_rules(blank):
    return Ownership(OneVersion(KIND), "Thing", "v1", {"apiVersion": "v1", "kind": "Thing", **blank})


TEXTS = st.dictionaries(st.sampled_from("ab"), st.sampled_from(("", "x", "y")), max_size=2)
OWNER_REFERENCES = st.lists(st.sampled_from("uv").map(lambda uid: {"uid": uid, "name": "n"}), max_size=2)
METADATA = st.fixed_dictionaries(
    {"name": st.sampled_from("mn")},
    optional={
        "labels": TEXTS,
        "annotations": TEXTS,
        "generateName": st.just("g-"),
        "uid": st.just("1"),
        "ownerReferences": OWNER_REFERENCES,
        "finalizers": st.lists(st.sampled_from("fg"), unique=True),
    },
)
BLANKS = ({}, {"number": 0, "struct": {"a": 1}, "map": {"x": "y"}, "list": ["a"]})
REMEMBERING = [fresh_rules(blank) for blank in BLANKS]


@settings(max_examples=300)
@given(METADATA, TREES, MANAGERS, st.sampled_from((0, 1)))
def test_the_fields_of_a_new_object_are_those_of_any_other_of_its_making(metadata, tree, manager, which):
    tree = {**thing(tree), "metadata": metadata}
    remembered = REMEMBERING[which].update(None, tree, manager, NOW)
    assert remembered == fresh_rules(BLANKS[which]).update(None, tree, manager, NOW)
    assert not remembered or (remembered[0]["manager"], remembered[0]["time"]) == (manager, NOW)


@given(st.lists(st.tuples(MANAGERS, TREES), min_size=1, max_size=5))
def test_what_nobody_applies_is_gone(writes):
    live = None
    for manager, tree in writes:
        live = RULES.apply(live, thing(tree), manager, NOW, force=True)
    for manager in ("x", "y", "z"):
        live = RULES.apply(live, thing({}), manager, LATER, force=False)
    assert without_entries(live) == thing({})
    assert not owned_by(live)


@given(TREES, TREES, TREES)
def test_an_apply_is_the_union_of_what_is_applied(first, second, third):
    """Whoever applied what before: in the end the object has what its appliers apply now, and nothing else."""
    live = RULES.apply(None, thing(first), "x", NOW, force=True)
    live = RULES.apply(live, thing(second), "y", NOW, force=True)
    live = RULES.apply(live, thing(third), "x", NOW, force=True)
    expected = as_paths(typed.fields_of(KIND, third))
    others = owned_by(live).get(("y", "Apply"), {})
    expected |= as_paths(others)
    made = {
        path
        for path in as_paths(typed.fields_of(KIND, without_entries(live)))
        if path[0] in {f"f:{n}" for n in SCHEMA["properties"]}
    }
    assert made == expected


@given(TREES, TREES)
def test_an_update_owns_what_it_changed(before, after):
    first, second = thing(before), thing(after)
    for tree in (first, second):
        tree["metadata"]["labels"] = {"l": "1"}  # so that there is an owner: what has none gets none by updates
    first["metadata"]["managedFields"] = RULES.update(None, first, "x", NOW)
    second["metadata"]["managedFields"] = RULES.update(first, second, "y", LATER)
    changes = typed.compare(KIND, thing(before), thing(after))
    changed = as_paths(fieldset.union(changes.added, changes.modified))
    assert as_paths(owned_by(second).get(("y", "Update"), {})) == changed
    assert not as_paths(owned_by(second).get(("x", "Update"), {})) & changed
    assert RULES.update(second, second, "z", LATER) == second["metadata"].get("managedFields", [])


@given(TREES, TREES, st.booleans())
def test_conflicts_are_changes_of_what_others_own(live, applied, as_update):
    first = thing(live)
    if as_update:
        first["metadata"]["managedFields"] = RULES.update(None, first, "x", NOW)
    else:
        first = RULES.apply(None, first, "x", NOW, force=False)
    changes = typed.compare(KIND, without_entries(first), merging.merged(KIND, without_entries(first), thing(applied)))
    changed = as_paths(fieldset.union(changes.modified, changes.added))
    expected = {
        "".join(map(elements.shown, p)) for fields in owned_by(first).values() for p in as_paths(fields) & changed
    }
    try:
        RULES.apply(first, thing(applied), "y", LATER, force=False)
        found = set()
    except ApiError as error:
        found = {cause["field"] for cause in error.details["causes"]}
    assert found == expected


def test_a_managers_time_is_that_of_its_last_change():
    tree = thing({"number": 1})
    tree["metadata"]["managedFields"] = RULES.update(None, tree, "x", NOW)
    same = {**tree, "metadata": {**tree["metadata"], "labels": None}}
    del same["metadata"]["labels"]
    assert [e["time"] for e in RULES.update(tree, same, "x", LATER)] == [NOW]
    assert [e["time"] for e in RULES.update(tree, {**tree, "number": 2}, "x", LATER)] == [LATER]


def test_owners_of_versions_that_are_gone_are_forgotten():
    tree = thing({"number": 1})
    gone = {
        "manager": "x",
        "operation": "Update",
        "apiVersion": "v0",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:a": {}},
    }
    tree["metadata"]["managedFields"] = [gone, *RULES.update(None, tree, "y", NOW)]
    found = RULES.update(tree, {**tree, "number": 2}, "z", LATER)
    assert [e["manager"] for e in found] == ["z"]


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"operation": "X"}, "operation must be `Apply` or `Update`"),
        ({"operation": "Apply"}, "apiVersion must not be empty"),
        ({"operation": "Apply", "apiVersion": "v1"}, "missing fieldsType in managed fields entry 0"),
        (
            {"operation": "Apply", "apiVersion": "v1", "fieldsType": "X"},
            'invalid fieldsType "X" in managed fields entry 0',
        ),
    ],
)
def test_entries_that_cannot_be_read(entry, text):
    with pytest.raises(elements.Malformed) as caught:
        entries.decode([entry])
    assert str(caught.value) == text


def test_a_scale_sees_who_owns_the_replicas():
    stored = [
        {"manager": "a", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
         "fieldsV1": {"f:spec": {"f:replicas": {}, "f:selector": {}}}},
        {"manager": "b", "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
         "fieldsV1": {"f:spec": {"f:selector": {}}}},
    ]  # fmt: skip
    places = {"apps/v1": ("spec", "replicas")}
    (entry,) = scaling.to_scale(stored, places)
    assert (entry["manager"], entry["apiVersion"]) == ("a", "autoscaling/v1")
    taken = {**entry, "manager": "c", "operation": "Update", "subresource": "scale"}
    after = scaling.to_parent(stored, [taken], places, "apps/v1")
    assert {e["manager"]: e["fieldsV1"] for e in after} == {
        "a": {"f:spec": {"f:selector": {}}},
        "b": {"f:spec": {"f:selector": {}}},
        "c": {"f:spec": {"f:replicas": {}}},
    }


def test_every_stored_kind_has_a_blank():
    for kind in kinds.KINDS:
        blank = blanks.blank(kind)
        assert (blank["apiVersion"], blank["kind"]) == (kind.api_version, kind.kind)
        assert Ownership(OneVersion(types.built_in(kind)), kind.kind, "v1", blank).update(None, blank, "x", NOW) == []

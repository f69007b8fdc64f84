"""Metadata: validation in upstream's wording, readers, and conditions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery import conditions, meta, names
from apimachinery.kinds import NODES, PODS, REPLICASETS

GOOD = {"name": "web-1", "namespace": "default"}
OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u", "controller": True}


def problems(metadata, old=None, kind=PODS):
    stored = None if old is None else {"metadata": old}
    return [str(e) for e in meta.check_metadata(kind, {"metadata": metadata}, stored, names.subdomain_name, again=())]


@pytest.mark.parametrize(
    "metadata",
    [
        GOOD,
        GOOD | {"generateName": "web-", "labels": {"a": "b"}, "annotations": {"A": "anything"}},
        GOOD | {"ownerReferences": [OWNER, OWNER | {"controller": False}]},
        GOOD | {"finalizers": ["orphan", "example.com/x"]},
    ],
)
def test_good_metadata(metadata):
    assert problems(metadata) == problems(metadata, metadata) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ""}, "metadata.name: Required value: name or generateName is required"),
        ({"namespace": None}, "metadata.namespace: Required value"),
        ({"namespace": "a.b"}, 'metadata.namespace: Invalid value: "a.b": must not contain dots'),
        ({"generation": -1}, "metadata.generation: Invalid value: -1: must be greater than or equal to 0"),
        (
            {"finalizers": ["orphan", "foregroundDeletion"]},
            (
                'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: '
                "finalizer orphan and foregroundDeletion cannot be both set"
            ),
        ),
        (
            {"finalizers": ["mine"]},
            (
                'metadata.finalizers[0]: Invalid value: "mine": '
                "name is neither a standard finalizer name nor is it fully qualified"
            ),
        ),
        (
            {"ownerReferences": [{k: v for k, v in OWNER.items() if k != "apiVersion"}]},
            'metadata.ownerReferences.apiVersion: Invalid value: "": version must not be empty',
        ),
        (
            {"ownerReferences": [OWNER | {"uid": ""}]},
            'metadata.ownerReferences.uid: Invalid value: "": must not be empty',
        ),
    ],
)
def test_bad_metadata(change, message):
    assert problems(GOOD | change) == [message]


@pytest.mark.parametrize(
    ("change", "start"),
    [
        ({"name": "A"}, 'metadata.name: Invalid value: "A": a lowercase RFC 1123 subdomain'),
        ({"generateName": "AB-"}, 'metadata.generateName: Invalid value: "AB-": a lowercase RFC 1123 subdomain'),
        ({"labels": {"a": "-"}}, 'metadata.labels: Invalid value: "-": a valid label'),
        ({"annotations": {"-": ""}}, 'metadata.annotations: Invalid value: "-": name part'),
        ({"finalizers": ["a b/c"]}, 'metadata.finalizers: Invalid value: "a b/c": prefix part'),
    ],
)
def test_bad_names_explain_the_rule(change, start):
    (message,) = problems(GOOD | change)
    assert message.startswith(start)


def test_two_controllers():
    (message,) = problems(GOOD | {"ownerReferences": [OWNER, OWNER | {"name": "api", "uid": "v"}]})
    assert message.endswith(
        'Only one reference can have Controller set to true. Found "true" in references for '
        "ReplicaSet/web and ReplicaSet/api"
    )


def test_events_own_nothing():
    (message,) = problems(GOOD | {"ownerReferences": [OWNER | {"apiVersion": "v1", "kind": "Event"}]})
    assert message.endswith("/v1, Kind=Event is disallowed from being an owner")


def test_cluster_objects_have_no_namespace():
    assert problems({"name": "n1"}, kind=NODES) == []
    assert problems(GOOD, kind=NODES) == ["metadata.namespace: Forbidden: not allowed on this type"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (GOOD, GOOD | {"name": "web-2"}, 'metadata.name: Invalid value: "web-2": field is immutable'),
        (GOOD | {"uid": "a"}, GOOD, "metadata.uid: Invalid value: null: field is immutable"),
        (GOOD | {"generation": 2}, GOOD, "metadata.generation: Invalid value: 0: must not be decremented"),
        (
            GOOD | {"deletionTimestamp": "x", "finalizers": ["a/b"]},
            GOOD | {"deletionTimestamp": "x", "finalizers": ["a/c", "a/b"]},
            (
                "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, "
                'found new finalizers []string{"a/c"}'
            ),
        ),
    ],
)
def test_what_an_update_may_not_change(old, new, message):
    assert problems(new, old) == [message]


@pytest.mark.parametrize(
    ("again", "uids", "labels", "domains"),
    [((), 1, 2, 0), ((meta.CHANGES,), 2, 3, 1), ((meta.WHOLE,), 1, 3, 1), ((meta.WHOLE, meta.CHANGES), 2, 4, 2)],
)
def test_what_is_looked_at_again_is_found_again(again, uids, labels, domains):
    new = GOOD | {"uid": "b", "labels": {"a": "-"}, "finalizers": ["mine"]}
    old = {"metadata": GOOD | {"uid": "a"}}
    found = meta.check_metadata(PODS, {"metadata": new}, old, names.subdomain_name, again=again)
    counts = [
        sum(problem.path == f"metadata.{path}" for problem in found) for path in ("uid", "labels", "finalizers[0]")
    ]
    assert counts == [uids, labels, domains]


def test_finalizers_may_go_while_deleting():
    old = GOOD | {"deletionTimestamp": "x", "finalizers": ["a/b", "a/c"]}
    assert problems(old | {"finalizers": ["a/c"]}, old) == []


def test_readers():
    tree = {"metadata": GOOD | {"uid": "p", "ownerReferences": [OWNER | {"uid": "x", "controller": False}, OWNER]}}
    assert (meta.name_of(tree), meta.namespace_of(tree), meta.uid_of(tree)) == ("web-1", "default", "p")
    assert meta.key_of(tree) == "default/web-1"
    assert meta.key_of({"metadata": {"name": "n1"}}) == "n1"
    assert meta.controller_of(tree) == OWNER
    assert meta.controller_of({"metadata": {}}) is None
    assert meta.is_owned_by(tree, "x")
    assert not meta.is_owned_by(tree, "y")
    assert meta.is_deleting({"metadata": {"deletionTimestamp": "x"}})
    assert not meta.is_deleting(tree)


def test_controller_reference():
    owner = {"metadata": {"name": "web", "uid": "u"}}
    assert meta.controller_reference(REPLICASETS, owner) == OWNER | {"blockOwnerDeletion": True}


def test_conditions_keep_the_moment_of_their_last_transition():
    ready = conditions.with_condition([], {"type": "Ready", "status": "True"}, "t1")
    assert ready == [{"lastTransitionTime": "t1", "type": "Ready", "status": "True"}]
    same = conditions.with_condition(ready, {"type": "Ready", "status": "True", "reason": "Fine"}, "t2")
    assert same == [{"lastTransitionTime": "t1", "type": "Ready", "status": "True", "reason": "Fine"}]
    changed = conditions.with_condition(same, {"type": "Ready", "status": "False"}, "t3")
    assert changed[0]["lastTransitionTime"] == "t3"
    assert conditions.without_condition(changed, "Ready") == []


def test_reading_conditions():
    tree = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert conditions.is_true(tree, "Ready")
    assert not conditions.is_true({}, "Ready")
    assert conditions.status_of([], "Ready") == "Unknown"


CONDITIONS = st.lists(
    st.builds(lambda t, s: {"type": t, "status": s}, st.sampled_from("ABC"), st.sampled_from(["True", "False"])),
    unique_by=lambda c: c["type"],
)


@given(CONDITIONS, st.sampled_from("ABC"), st.sampled_from(["True", "False"]))
def test_setting_a_condition_touches_no_other(before, type, status):
    after = conditions.with_condition(before, {"type": type, "status": status}, "now")
    assert conditions.status_of(after, type) == status
    assert conditions.without_condition(after, type) == conditions.without_condition(before, type)
    assert len({c["type"] for c in after}) == len(after)

"""The garbage collector's graph and decisions, namespaces, and the small controllers."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery.kinds import CLUSTERROLES, CONFIGMAPS, NAMESPACES, PODS, SERVICEACCOUNTS
from client.plan import Create, DeleteAll, Key, Patch, Replace
from controllers.catalog import NAMES, select
from controllers.clusterrole_aggregation import ClusterRoleAggregation
from controllers.gc_graph import (
    FOREGROUND,
    ORPHAN,
    DeleteItem,
    DropFinalizer,
    Fate,
    Graph,
    Item,
    KeepOwners,
    LookAt,
    decide,
)
from controllers.namespace import Contents, NamespaceController
from controllers.root_ca import RootCAPublisher
from controllers.serviceaccount import ServiceAccountController
from controllers.views import (
    Meta,
    Owner,
)
from tests.unit.controllers_view import NOW, FakeView, meta

NS = Key("", "team")
SOLID, WAITING, ABSENT = Fate.SOLID, Fate.WAITING, Fate.ABSENT


def item(name, *owners, deleting=False, finalizers=(), block=True):
    references = tuple(Owner("v1", "ConfigMap", owner, owner, block_owner_deletion=block) for owner in owners)
    moment = msgspec.convert("2023-11-14T00:00:00Z", Meta.__annotations__["deletion_timestamp"]) if deleting else None
    made = Meta(
        name, "d", name, "1", deletion_timestamp=moment, finalizers=tuple(finalizers), owner_references=references
    )
    return Item(CONFIGMAPS, made)


def graph_of(*items):
    graph = Graph()
    for each in items:
        list(graph.observe(each.kind, None, each.meta))
    return graph


@pytest.mark.parametrize(
    ("subject", "others", "fates", "expected"),
    [
        pytest.param(item("a"), [], {}, None, id="unowned"),
        pytest.param(item("a", "o"), [], {"o": SOLID}, None, id="owned"),
        pytest.param(item("a", "o"), [], {"o": ABSENT}, DeleteItem("Background"), id="owner gone"),
        pytest.param(item("a", "o", "p"), [], {"o": SOLID, "p": ABSENT}, "keep o", id="one of two gone"),
        pytest.param(item("a", "o", "p"), [], {"o": SOLID, "p": WAITING}, "keep o", id="one of two waits"),
        pytest.param(item("a", "o"), [], {"o": WAITING}, DeleteItem("Background"), id="owner waits, no dependents"),
        pytest.param(
            item("a", "o"), [item("b", "a")], {"o": WAITING}, DeleteItem("Foreground"), id="owner waits, dependents"
        ),
        pytest.param(
            item("a", "o"),
            [item("b", "a", deleting=True, finalizers=[FOREGROUND])],
            {"o": WAITING},
            DeleteItem("Foreground", ("o",)),
            id="a circle is broken",
        ),
        pytest.param(item("a", "o", finalizers=[ORPHAN]), [], {"o": ABSENT}, DeleteItem("Orphan"), id="keeps its wish"),
        pytest.param(item("a", "o", deleting=True), [], {"o": ABSENT}, None, id="being deleted already"),
        pytest.param(
            item("a", deleting=True, finalizers=[FOREGROUND]), [], {}, DropFinalizer(FOREGROUND), id="nobody left"
        ),
        pytest.param(
            item("a", deleting=True, finalizers=[FOREGROUND]),
            [item("b", "a")],
            {},
            LookAt(("b",)),
            id="dependents first",
        ),
        pytest.param(
            item("a", deleting=True, finalizers=[FOREGROUND]),
            [item("b", "a", block=False)],
            {},
            DropFinalizer(FOREGROUND),
            id="only those that block count",
        ),
        pytest.param(item("a", deleting=True, finalizers=[ORPHAN]), [item("b", "a")], {}, "release b", id="orphaning"),
    ],
)
def test_what_becomes_of_an_object(subject, others, fates, expected):
    graph = graph_of(subject, *others)
    if expected == "keep o":
        expected = KeepOwners(subject.meta.owner_references[:1])
    if expected == "release b":
        expected = DropFinalizer(ORPHAN, tuple(graph.of("a")))
    assert decide(graph, subject, fates) == expected


def test_an_owner_is_believed_only_where_the_reference_fits():
    graph = graph_of(item("o"))
    assert graph.fate(item("a", "o"), Owner("v1", "ConfigMap", "o", "o")) is SOLID
    assert graph.fate(item("a", "o"), Owner("v1", "Secret", "o", "o")) is Fate.UNKNOWN
    assert graph.fate(item("a", "x"), Owner("v1", "ConfigMap", "x", "x")) is Fate.UNKNOWN


def test_when_an_owner_goes_its_dependents_are_looked_at_and_the_last_dependent_frees_its_owner():
    owner, dependent = item("o"), item("a", "o")
    graph = graph_of(owner, dependent)
    assert list(graph.observe(CONFIGMAPS, owner.meta, None)) == ["a"]
    waiting = item("o", deleting=True, finalizers=[FOREGROUND])
    graph = graph_of(waiting, dependent)
    assert list(graph.observe(CONFIGMAPS, dependent.meta, None)) == ["o"]


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.lists(st.sampled_from("abcx"), max_size=2, unique=True), st.booleans())
    )
)
def test_both_directions_of_the_graph_agree_whatever_happens(changes):
    graph, held = Graph(), {}
    for name, owners, gone in changes:
        new = None if gone else item(name, *owners).meta
        if new is not None or name in held:
            list(graph.observe(CONFIGMAPS, held.get(name), new))
            held.pop(name, None) if new is None else held.update({name: new})
        graph.validate()
        assert set(graph.items) == set(held)


# ------------------------------------------------------------------------------------------------ namespaces


def namespace(*, deleting=True, conditions=(), finalizers=("kubernetes",)):
    tree = {
        "metadata": meta("team", ""),
        "spec": {"finalizers": list(finalizers)},
        "status": {"conditions": list(conditions)},
    }
    if deleting:
        tree["metadata"]["deletionTimestamp"] = "2023-11-14T00:00:00Z"
    return tree


def emptied(**seen):
    tree = namespace()
    return NamespaceController().plan(NS, FakeView({NAMESPACES: [tree]}), NOW, Contents(tree, **seen))


def test_pods_are_deleted_before_anything_else():
    objects = ((CONFIGMAPS, (item("a").meta,)), (PODS, (item("p").meta,)))
    assert [w.kind for w in emptied(objects=objects).writes if isinstance(w, DeleteAll)] == [PODS]
    assert [w.kind for w in emptied(objects=objects[:1]).writes if isinstance(w, DeleteAll)] == [CONFIGMAPS]


def test_what_is_being_deleted_already_is_waited_for():
    found = emptied(objects=((PODS, (item("p", deleting=True).meta,)),))
    assert not [w for w in found.writes if isinstance(w, DeleteAll)]
    assert found.again_in


def test_an_empty_namespace_is_let_go():
    (write,) = emptied().writes
    assert isinstance(write, Replace)
    assert (write.subresource, write.body["spec"]["finalizers"]) == ("finalize", [])


def test_what_could_not_be_discovered_holds_the_namespace():
    (write,) = emptied(undiscovered=("metrics.k8s.io/v1",)).writes
    assert isinstance(write, Patch)
    assert write.body["status"]["conditions"][0]["reason"] == "DiscoveryFailed"


def test_a_living_namespace_is_left_alone():
    tree = namespace(deleting=False)
    assert not NamespaceController().plan(NS, FakeView({NAMESPACES: [tree]}), NOW, None).writes


@pytest.mark.parametrize("controller", [ServiceAccountController(), RootCAPublisher("PEM")], ids=lambda each: each.name)
def test_only_living_namespaces_are_furnished(controller):
    for deleting in (False, True):
        known = FakeView({NAMESPACES: [namespace(deleting=deleting)]})
        plan = controller.plan(NS, known, NOW)
        assert [type(write) for write in plan.writes] == ([] if deleting else [Create])
        known.apply(plan)
        assert not controller.plan(NS, known, NOW).writes


def test_a_forged_ca_is_mended():
    forged = {"metadata": meta("kube-root-ca.crt", "team"), "data": {"ca.crt": "forged", "more": "x"}}
    known = FakeView({NAMESPACES: [namespace(deleting=False)], CONFIGMAPS: [forged], SERVICEACCOUNTS: []})
    known.apply(RootCAPublisher("PEM").plan(NS, known, NOW))
    assert forged["data"] == {"ca.crt": "PEM"}


def test_aggregated_roles_hold_the_rules_of_all_they_select():
    def role(name, rules, labels=None, aggregates=None):
        tree = {"metadata": meta(name, "", labels=labels or {}), "rules": rules}
        return tree | (
            {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": aggregates}]}} if aggregates else {}
        )

    one, two = {"verbs": ["get"], "resources": ["pods"]}, {"verbs": ["list"], "resources": ["pods"]}
    roles = [role("b", [two, one], {"to": "view"}), role("a", [one], {"to": "view"}), role("c", [{"verbs": ["*"]}])]
    known = FakeView({CLUSTERROLES: [*roles, role("view", [], aggregates={"to": "view"})]})
    controller = ClusterRoleAggregation()
    known.apply(controller.plan(Key("", "view"), known, NOW))
    assert known.trees[CLUSTERROLES]["", "view"]["rules"] == [one, two]
    assert not controller.plan(Key("", "view"), known, NOW).writes


@pytest.mark.parametrize(
    ("wanted", "count"),
    [(["*"], len(NAMES)), (["*", "-ttl-controller"], len(NAMES) - 1), (["ttl-controller"], 1), ([], 0)],
)
def test_controllers_are_selected_as_upstream_does(wanted, count):
    assert len(select(wanted)) == count


def test_an_unknown_controller_is_refused():
    with pytest.raises(ValueError, match='"foo" is not in the list of known controllers'):
        select(["-foo"])

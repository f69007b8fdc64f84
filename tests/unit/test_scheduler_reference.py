"""The arrays against the loops of scheduler_reference.py, on clusters that chance makes."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.affinity import InterPodAffinity, PreferredNeighbours
from scheduler.arrays import PodRow
from scheduler.filters import NodePorts, NodeResourcesFit
from scheduler.placed import placed as placing
from scheduler.scores import Allocated, BalancedAllocation
from scheduler.spreading import PodTopologySpread, SpreadEvenly
from tests.unit import scheduler_reference as reference
from tests.unit.scheduler_builders import cluster, node, pod

ZONES, APPS, NAMESPACES = ("a", "b", "c"), ("x", "y"), ("d", "e")
KEYS = ("zone", "kubernetes.io/hostname", "rack")
NAMESPACE_LABELS = {"d": {"team": "one"}, "e": {"team": "two"}}
COUNTING = (NodePorts(), NodeResourcesFit(), PodTopologySpread(), InterPodAffinity())
TAINT = {"key": "t", "effect": "NoSchedule"}


@st.composite
def nodes(draw):
    found = []
    for number in range(draw(st.integers(1, 6))):
        labels = {"kubernetes.io/hostname": f"n{number}"}
        for key in ("zone", "rack"):
            if (value := draw(st.sampled_from((None, *ZONES)))) is not None:
                labels[key] = value
        taints = [TAINT] if draw(st.booleans()) else []
        found.append(node(f"n{number}", labels=labels, taints=taints, cpu=draw(st.sampled_from("0248"))))
    return found


selectors = st.sampled_from(
    (
        None,
        {},
        *({"matchLabels": {"app": app}} for app in APPS),
        {"matchExpressions": [{"key": "app", "operator": "Exists"}]},
    )
)
terms = st.fixed_dictionaries(
    {"topologyKey": st.sampled_from(KEYS), "labelSelector": selectors},
    optional={
        "namespaces": st.lists(st.sampled_from(NAMESPACES), max_size=2),
        "namespaceSelector": st.sampled_from(({}, {"matchLabels": {"team": "two"}})),
    },
)
weighted = st.fixed_dictionaries({"weight": st.integers(1, 100), "podAffinityTerm": terms})
affinities = st.fixed_dictionaries(
    {},
    optional={
        kind: st.fixed_dictionaries(
            {
                "requiredDuringSchedulingIgnoredDuringExecution": st.lists(terms, max_size=2),
                "preferredDuringSchedulingIgnoredDuringExecution": st.lists(weighted, max_size=2),
            }
        )
        for kind in ("podAffinity", "podAntiAffinity")
    },
)
constraints = st.fixed_dictionaries(
    {
        "topologyKey": st.sampled_from(KEYS),
        "labelSelector": selectors,
        "maxSkew": st.integers(1, 3),
        "whenUnsatisfiable": st.sampled_from(("DoNotSchedule", "ScheduleAnyway")),
    },
    optional={
        "minDomains": st.integers(1, 4),
        "nodeAffinityPolicy": st.sampled_from(("Honor", "Ignore")),
        "nodeTaintsPolicy": st.sampled_from(("Honor", "Ignore")),
        "matchLabelKeys": st.just(["hash"]),
    },
)


@st.composite
def pods(draw, number, spec):
    labels = {"app": draw(st.sampled_from(APPS))} if draw(st.booleans()) else {}
    if draw(st.booleans()):
        labels["hash"] = draw(st.sampled_from("12"))
    deleted = "2024-01-01T00:00:00Z" if draw(st.integers(0, 4)) == 0 else None
    where = draw(st.sampled_from(NAMESPACES))
    asked = {"cpu": draw(st.sampled_from((None, "1", "500m"))), "memory": draw(st.sampled_from((None, "1Gi")))}
    return pod(f"p{number}", labels=labels, deleted=deleted, namespace=where, **asked, **draw(spec))


with_affinity = st.fixed_dictionaries({"affinity": affinities})
with_spread = st.fixed_dictionaries(
    {"topologySpreadConstraints": st.lists(constraints, max_size=3)},
    optional={"nodeSelector": st.just({"zone": "a"}), "tolerations": st.just([{"key": "t", "operator": "Exists"}])},
)


@st.composite
def worlds(draw, spec):
    """A pod to place, the nodes, the pods on them; some have come and gone before."""
    there = {one.metadata.name: one for one in draw(nodes())}
    state = cluster(*there.values())
    state.namespaces = NAMESPACE_LABELS
    wanted = draw(pods("new", spec))
    state.snapshot()
    state.row(wanted)
    placed = {name: [] for name in there}
    for number in range(draw(st.integers(0, 8))):
        one, name = draw(pods(number, spec)), draw(st.sampled_from(sorted(there)))
        state.assume(one, name)
        ask(state, wanted)
        if draw(st.integers(0, 3)) == 0:
            state.forget(one.metadata.uid)
        else:
            placed[name].append(one)
    return state, wanted, there, placed


def ask(state, wanted) -> PodRow:
    """The row; every question about it has been asked, so that later answers come from kept counts."""
    row, snapshot = state.row(wanted), state.snapshot()
    for plugin in (InterPodAffinity(), PodTopologySpread()):
        plugin.fits(row, snapshot)
    return row


def points(score, state, wanted):
    snapshot = state.snapshot()
    possible = np.ones(len(snapshot), np.bool_)
    return dict(zip(snapshot.names, score.score(state.row(wanted), snapshot, possible).tolist(), strict=True))


def refusals(plugin, state, wanted):
    """{node: None, or why it is refused}, told by the arrays."""
    row, snapshot = ask(state, wanted), state.snapshot()
    passed, answer = plugin.fits(row, snapshot), {}
    for number, name in enumerate(snapshot.names):
        alone = np.zeros(len(snapshot), np.bool_)
        alone[number] = True
        answer[name] = None if passed[number] else next(iter(plugin.reasons(row, snapshot, alone)))
    return answer


@settings(max_examples=40)
@given(worlds(with_affinity))
def test_affinity_equals_the_loop(world):
    state, wanted, there, placed = world
    assert refusals(InterPodAffinity(), state, wanted) == reference.affinity(wanted, there, placed, NAMESPACE_LABELS)


@settings(max_examples=40)
@given(worlds(with_affinity))
def test_attraction_equals_the_loop(world):
    state, wanted, there, placed = world
    expected = reference.attraction(wanted, there, placed, NAMESPACE_LABELS, list(there))
    assert points(PreferredNeighbours(), state, wanted) == expected


@settings(max_examples=40)
@given(worlds(with_spread))
def test_spreading_equals_the_loop(world):
    state, wanted, there, placed = world
    assert refusals(PodTopologySpread(), state, wanted) == reference.spread(wanted, there, placed)


@settings(max_examples=40)
@given(worlds(with_spread))
def test_evenness_equals_the_loop(world):
    state, wanted, there, placed = world
    if not wanted.spec.topology_spread_constraints:
        return
    assert points(SpreadEvenly(), state, wanted) == reference.evenness(wanted, there, placed, list(there))


@settings(max_examples=40)
@given(worlds(st.one_of(with_affinity, with_spread)), st.data())
def test_supposing_is_as_doing(world, data):
    """Filters say of supposed changes what they say when the changes have happened."""
    state, wanted, _, _ = world
    names = state.snapshot().names
    there = [(row, one) for row, name in enumerate(names) for one in state.on(name)]
    changes = [(row, one, -1) for row, one in there if data.draw(st.booleans())]
    more = data.draw(pods("more", with_affinity))
    changes.append((0, placing(more, names[0]), 1))
    supposed = state.snapshot().supposing(changes)
    before = [plugin.fits(state.row(wanted), supposed).tolist() for plugin in COUNTING]
    for _, one, sign in changes:
        if sign < 0:
            state.forget(one.pod.metadata.uid)
    state.assume(more, names[0])
    assert before == [plugin.fits(state.row(wanted), state.snapshot()).tolist() for plugin in COUNTING]


@settings(max_examples=40)
@given(worlds(with_affinity))
def test_resources_score_as_the_loop(world):
    state, wanted, there, placed = world
    assert points(Allocated(), state, wanted) == reference.least_allocated(wanted, there, placed, list(there))
    assert points(BalancedAllocation(), state, wanted) == reference.balanced(wanted, there, placed, list(there))

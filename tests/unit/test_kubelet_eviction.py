"""Node-pressure eviction: when, whom, and in which words."""

import dataclasses

import pytest

from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import Pod
from kubelet.eviction import ranking
from kubelet.eviction.ranking import PodUse
from kubelet.eviction.thresholds import Observation, State, binary, parse_signals, reserved, step, thresholds
from kubelet.eviction.watch import Pressure

MIB = 1 << 20
SOFT = thresholds({}, {"memory.available": "200Mi"}, {"memory.available": 30}, {})
HARD = thresholds({"memory.available": "100Mi", "nodefs.available": "10%"}, {}, {}, {"nodefs.available": "5%"})


def pod(name, *, priority=0, requests=None, limits=None, **more):
    resources = {"requests": requests or {}, "limits": limits or {}}
    spec = {"containers": [{"name": "main", "resources": resources}], "priority": priority, **more}
    return view({"metadata": {"name": name, "uid": name, "namespace": "default"}, "spec": spec}, Pod)


def memory(mib):
    return {"memory.available": Observation(mib * MIB, 1024 * MIB)}


def disk(percent):
    return {"nodefs.available": Observation(percent * MIB, 100 * MIB)}


def test_a_hard_threshold_acts_at_once():
    state, conditions = step(State(), HARD, memory(99), now=0, transition=300)
    assert (conditions, [t.signal for t in state.due]) == ({"MemoryPressure"}, ["memory.available"])
    assert step(State(), HARD, memory(100), now=0, transition=300) == (State(), frozenset())


def test_a_soft_one_acts_after_its_grace_and_tells_at_once():
    state, conditions = step(State(), SOFT, memory(150), now=0, transition=300)
    assert (conditions, state.due) == ({"MemoryPressure"}, ())
    state, _ = step(state, SOFT, memory(150), now=29, transition=300)
    assert state.due == ()
    state, _ = step(state, SOFT, memory(150), now=30, transition=300)
    assert len(state.due) == 1
    state, _ = step(State(), SOFT, memory(250), now=31, transition=300)
    assert state.first == {}


def test_the_condition_stays_for_the_transition_period():
    state, _ = step(State(), HARD, memory(50), now=0, transition=300)
    state, conditions = step(state, HARD, memory(500), now=299, transition=300)
    assert (conditions, state.due) == ({"MemoryPressure"}, ())
    assert step(state, HARD, memory(500), now=300, transition=300)[1] == frozenset()


def test_pressure_lasts_until_the_minimum_reclaim_is_there():
    state, _ = step(State(), HARD, disk(9), now=0, transition=0)
    state, _ = step(state, HARD, disk(14), now=1, transition=0)
    assert [t.signal for t in state.due] == ["nodefs.available"]
    state, _ = step(state, HARD, disk(15), now=2, transition=0)
    assert state.due == ()


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"memory.left": "1Mi"}, "unsupported eviction signal memory.left"),
        ({"memory.available": "-1"}, "must be positive"),
        ({"memory.available": "120%"}, "must be <= 100%"),
    ],
)
def test_bad_thresholds(given, problem):
    with pytest.raises(ValueError, match=problem):
        parse_signals(given)


def test_zero_percent_is_off_and_what_is_kept_out_of_allocatable():
    assert parse_signals({"nodefs.available": "0%"}) == {}
    kept = reserved({"memory.available": "100Mi", "nodefs.available": "10%"}, {"ephemeral-storage": 1000})
    assert kept == {"memory": 100 * MIB, "ephemeral-storage": 100}


def names(resource, pods, use):
    return [p.metadata.name for p in ranking.rank(resource, pods, use)]


def test_who_goes_first_for_memory():
    greedy, modest = pod("greedy", requests={"memory": "10Mi"}), pod("modest", requests={"memory": "100Mi"})
    dear, unknown = pod("dear", priority=5), pod("unknown")
    use = {"greedy": PodUse(memory=60 * MIB), "modest": PodUse(memory=90 * MIB), "dear": PodUse(memory=99 * MIB)}
    assert names("memory", [modest, dear, greedy, unknown], use) == ["unknown", "greedy", "dear", "modest"]


def test_who_goes_first_for_processes():
    use = {"a": PodUse(processes=3), "b": PodUse(processes=9), "c": PodUse(processes=99)}
    assert names("pids", [pod("a"), pod("c", priority=1), pod("b")], use) == ["b", "a", "c"]


def test_what_is_said():
    said = ranking.message(
        "memory", pod("web", requests={"memory": "10Mi"}), PodUse(container_memory={"main": 20 * MIB}), HARD, memory(50)
    )
    assert said == (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi."
        " Container main was using 20Mi, request is 10Mi, has larger consumption of memory. "
    )


@pytest.mark.parametrize(
    ("one", "use", "why"),
    [
        (
            pod("a", volumes=[{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}]),
            PodUse(empty_dirs={"v": 2 * MIB}),
            'Usage of EmptyDir volume "v" exceeds the limit "1Mi". ',
        ),
        (pod("a", volumes=[{"name": "v", "emptyDir": {"sizeLimit": "2Mi"}}]), PodUse(empty_dirs={"v": 2 * MIB}), ""),
        (
            pod("a", limits={"ephemeral-storage": "1Mi"}),
            PodUse(disk=2 * MIB),
            "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ",
        ),
        (
            pod("a", limits={"ephemeral-storage": "3Mi"}),
            PodUse(disk=MIB, container_disk={"main": 4 * MIB}),
            'Container main exceeded its local ephemeral storage limit "3Mi". ',
        ),
    ],
)
def test_who_exceeds_limits_of_its_own(one, use, why):
    assert ranking.overrun(one, use) == why


@pytest.mark.parametrize(
    ("one", "conditions", "taken"),
    [
        (pod("a"), [], True),
        (pod("a"), ["MemoryPressure"], False),
        (pod("a", requests={"cpu": "1"}), ["MemoryPressure"], True),
        (
            pod("a", tolerations=[{"key": "node.kubernetes.io/memory-pressure", "operator": "Exists"}]),
            ["MemoryPressure"],
            True,
        ),
        (pod("a", requests={"cpu": "1"}), ["DiskPressure"], False),
        (pod("a", priority=2_000_000_000), ["DiskPressure"], True),
    ],
)
def test_who_is_taken_under_pressure(one, conditions, taken):
    assert (ranking.refusal(one, frozenset(conditions)) == "") is taken


def test_how_bytes_are_written():
    assert [binary(n) for n in (0, 123, 100 * MIB, 5 * MIB + 1024)] == ["0", "123", "100Mi", "5121Ki"]


class Node:
    """A node on whose memory and disk the test decides."""

    def __init__(self, *pods, thresholds=HARD):
        self.seen, self.events, self.evicted, self.reclaimed, self.told = memory(500), [], [], 0, 0
        self.pods_, self.use = {p.metadata.uid: (p, []) for p in pods}, {}
        self.pressure = Pressure(
            terms=_Terms(thresholds), pods=lambda: self.pods_, evict=self._evict, tell=lambda *event: self.events.append(event),
            changed=self._changed, reclaim=self._reclaim, clock=lambda: 0.0, observe=lambda _terms: self.seen,
            use=lambda one, *_: self.use.get(one.metadata.uid, PodUse()),
        )  # fmt: skip

    def _evict(self, uid, verdict):
        self.evicted.append((uid, verdict))

    def _changed(self):
        self.told += 1

    async def _reclaim(self):
        self.reclaimed += 1


@dataclasses.dataclass
class _Terms:
    thresholds: list
    transition: float = 300
    longest_grace: float = 7


async def test_one_pod_a_look_and_never_a_critical_one():
    node = Node(pod("vital", priority=2_000_000_000), pod("a"), pod("b", priority=1))
    node.use = {"a": PodUse(memory=1), "b": PodUse(memory=1), "vital": PodUse(memory=9)}
    node.seen = memory(50)
    await node.pressure.look()
    ((uid, verdict),) = node.evicted
    assert (uid, verdict.reason, verdict.grace, node.told) == ("a", "Evicted", 1.0, 1)
    assert verdict.message == verdict.disruption
    assert node.events == [("Warning", "EvictionThresholdMet", "Attempting to reclaim memory")]


async def test_disk_is_cleared_before_a_pod_goes():
    node = Node(pod("a"))
    node.seen = disk(5)

    async def reclaim():
        node.seen = disk(50)

    node.pressure.reclaim = reclaim
    await node.pressure.look()
    assert (node.evicted, node.pressure.conditions) == ([], {"DiskPressure"})


async def test_who_fills_its_volume_goes_without_pressure():
    node = Node(pod("a", volumes=[{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}]), pod("b"))
    node.use = {"a": PodUse(empty_dirs={"v": 2 * MIB})}
    await node.pressure.look()
    assert [(uid, v.disruption) for uid, v in node.evicted] == [("a", "")]

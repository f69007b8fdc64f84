"""Who goes for a critical pod. Expectations of upstream's own cases: pkg/kubelet/preemption/preemption_test.go."""

import pytest

from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import Pod
from kubelet.pods.admit import Terms
from kubelet.pods.preemption import NoVictims, judge, victims
from kubelet.pods.world import Preemption

CRITICAL = 2_000_000_000


def pod(name, requests=None, limits=None, *, priority=0, **spec):
    resources = {"requests": requests or {}, "limits": limits or {}}
    main = {"name": "c", "image": "i", "resources": resources}
    return view(
        {"metadata": {"name": name, "uid": name}, "spec": {"containers": [main], "priority": priority} | spec}, Pod
    )


def sure(name, cpu, memory):
    return pod(name, {"cpu": cpu, "memory": memory}, {"cpu": cpu, "memory": memory})


BEST = pod("best")
TINY, BURST = pod("tiny", {"cpu": "1m", "memory": "1Mi"}), pod("burst", {"cpu": "100m", "memory": "100Mi"})
LARGE = pod("large", {"cpu": "300m", "memory": "300Mi"})
SMALL_SURE, SURE = sure("small-sure", "100m", "100Mi"), sure("sure", "200m", "200Mi")
EVERY = [BEST, TINY, BURST, LARGE, SMALL_SURE, SURE]
MI = 1 << 20


@pytest.mark.parametrize(
    ("missing", "others", "expected"),
    [
        pytest.param({"pods": 1}, EVERY, ["best"], id="one pod fewer: the least"),
        pytest.param({"pods": 2}, EVERY, ["best", "tiny"], id="two: the smallest of the next class"),
        pytest.param({"memory": 50 * MI}, EVERY, ["burst"], id="what comes closest, the smaller of two that suffice"),
        pytest.param({"memory": 250 * MI}, EVERY, ["large"], id="one that is enough rather than two"),
        pytest.param({"memory": 350 * MI}, EVERY, ["burst", "large"], id="several of one class"),
        pytest.param({"cpu": 450}, EVERY, ["burst", "large", "small-sure"], id="a guaranteed one when burstable ones do not do"),
        pytest.param({"memory": 50 * MI, "cpu": 200, "pods": 1}, EVERY, ["large"], id="one for everything"),
        pytest.param({"memory": 100 * MI, "pods": 2}, EVERY, ["best", "burst"], id="pods and memory"),
    ],
)  # fmt: skip
def test_who_goes(missing, others, expected):
    found = victims(pod("vital", priority=CRITICAL), others, missing)
    assert sorted(p.metadata.name for p in found) == expected


def test_nobody_holds_enough():
    with pytest.raises(NoVictims) as refused:
        victims(pod("vital", priority=CRITICAL), EVERY, {"memory": 1 << 40})
    assert str(refused.value).startswith("no set of running pods found to reclaim resources: [(res: memory, q: ")


def test_critical_pods_go_for_more_important_ones_alone():
    other = pod("other", {"cpu": "1"}, priority=CRITICAL)
    with pytest.raises(NoVictims):
        victims(pod("vital", priority=CRITICAL), [other], {"cpu": 100})
    assert victims(pod("vital", priority=CRITICAL + 1), [other], {"cpu": 100}) == [other]


TERMS = Terms(name="n", labels={}, allocatable={"cpu": "1", "memory": "1Gi", "pods": "10"})
FULL = [pod("a", {"cpu": "600m"}), pod("b", {"cpu": "400m"})]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (pod("usual", {"cpu": "100m"}), "OutOfcpu"),
        (pod("vital", {"cpu": "100m"}, priority=CRITICAL), ["b"]),
        (pod("vital", {"cpu": "500m"}, priority=CRITICAL), ["a"]),
        (pod("vital", {"cpu": "2"}, priority=CRITICAL), "UnexpectedAdmissionError"),
        (pod("vital", {"cpu": "100m"}, priority=CRITICAL, nodeSelector={"a": "b"}), "NodeAffinity"),
    ],
)
def test_what_becomes_of_a_pod_on_a_full_node(one, expected):
    found = judge(one, FULL, TERMS)
    if isinstance(found, Preemption):
        assert ([p.metadata.name for p in found.victims], found.resource) == (expected, "cpu")
    else:
        assert found.reason == expected
    assert judge(one, [], TERMS) is None or expected in ("NodeAffinity", "UnexpectedAdmissionError")

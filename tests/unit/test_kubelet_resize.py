"""Resizing pods as they run: what is promised, what is refused, what has to start anew."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import Pod, ResourceFieldSelector
from kubelet.agent import Agent
from kubelet.pods import cgroups, qos, resize
from kubelet.pods.admit import Terms
from kubelet.pods.container_config import Machine
from kubelet.pods.decide import Resize, Stop, decide
from kubelet.pods.fields import resource_field
from kubelet.pods.security import Powers
from kubelet.worker import Worker
from tests.unit.kubelet_builders import box, life, world

MACHINE = Machine(powers=Powers(), memory=1 << 30, cgroup_parent="", systemd_cgroups=False, log_root=Path())
NODE = Terms(name="n1", allocatable={"cpu": "2", "memory": "1Gi", "pods": "10"})


def pod(name="web", *, policy=(), restart="Always", notes=None, **resources):
    main = {"name": "main", "image": "i", "resources": resources, "resizePolicy": list(policy)}
    meta = {"name": name, "namespace": "default", "uid": f"uid-{name}", "annotations": notes or {}}
    return view({"metadata": meta, "spec": {"containers": [main], "restartPolicy": restart}, "status": {}}, Pod)


def test_a_pod_is_run_by_what_it_was_promised():
    asked = pod(requests={"cpu": "500m"})
    run = resize.allocated(asked, {"main": {"requests": {"cpu": "100m"}}})
    assert run.spec.containers[0].resources.requests == {"cpu": "100m"}
    assert resize.allocated(asked, resize.allocation(asked)) is asked


def test_in_which_order_those_that_wait_are_looked_at():
    more, less, small = ({"limits": {"cpu": cpu, "memory": "1Mi"}} for cpu in ("2", "500m", "1"))
    told = {"type": "PodResizePending", "status": "True", "lastTransitionTime": "2026-11-25T10:00:00Z"}
    burstable = {"requests": {"cpu": "2"}}

    def place(resources, priority=0, conditions=()):
        tree = {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "main", "resources": resources}]}}
        tree["spec"]["priority"] = priority
        asked = view(tree | {"status": {"conditions": list(conditions)}}, Pod)
        return resize.rank(asked, resize.allocated(asked, {"main": small}))

    later = told | {"lastTransitionTime": "2026-11-25T10:00:01Z"}
    ordered = [
        place(less),
        place(burstable, priority=5),
        place(more, conditions=[told]),
        place(more, conditions=[later]),
        place(more),
        place(burstable, conditions=[told]),
    ]
    assert ordered == sorted(ordered)
    assert len(set(ordered)) == len(ordered)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"requests": {"cpu": "0.1"}}, {"requests": {"cpu": "100m"}}, set()),
        ({"limits": {"cpu": "1"}}, {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}, set()),
        ({"requests": {"cpu": "1"}}, {}, {"cpu"}),
        ({"limits": {"memory": "1Mi"}}, {"limits": {"memory": "2Mi"}}, {"memory"}),
        ({"requests": {"example.com/gpu": "1"}}, {}, set()),
    ],
)
def test_how_two_sizes_differ(one, other, expected):
    assert resize.differs(one, other) == expected


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (pod(requests={"cpu": "1"}), None),
        (
            pod(requests={"cpu": "3"}),
            ("Infeasible", "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000"),
        ),
        (
            pod(requests={"cpu": "1500m"}),
            ("Deferred", "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000"),
        ),
        (
            pod(requests={"memory": "2Gi"}),
            ("Infeasible", "Node didn't have enough capacity: memory, requested: 2147483648, capacity: 1073741824"),
        ),
        (
            pod(notes={"kubernetes.io/config.source": "file"}),
            ("Infeasible", "In-place resize of static-pods is not supported"),
        ),
    ],
)
def test_who_may_grow(one, expected):
    assert resize.refusal(one, [pod("other", requests={"cpu": "1"})], NODE) == expected


def plan(one, had, **more):
    return decide(world(one, box(), life(), actuated={"main-0": had}, **more)).actions


def test_a_running_container_is_resized_in_place_or_by_a_restart():
    wanted = pod(
        requests={"cpu": "2", "memory": "2Mi"}, policy=[{"resourceName": "memory", "restartPolicy": "RestartContainer"}]
    )
    (inplace,) = plan(wanted, {"requests": {"cpu": "1", "memory": "2Mi"}})
    (restart,) = plan(wanted, {"requests": {"cpu": "2", "memory": "1Mi"}})
    assert isinstance(inplace, Resize)
    assert isinstance(restart, Stop)
    assert (restart.message, restart.forced) == ("Container main resize requires restart", True)
    assert plan(wanted, {"requests": {"cpu": "2", "memory": "2Mi"}}) == []
    assert plan(wanted, {"requests": {"cpu": "1", "memory": "2Mi"}}, resize_at=2e9) == []


def test_what_was_forced_to_stop_comes_back_whatever_the_policy():
    over = world(pod(restart="Never"), box(), life(state="exited"), forced=frozenset(["main"]))
    assert [type(a).__name__ for a in decide(over).actions] == ["Start"]


def test_memory_in_use_is_not_taken_away():
    more, less = {"limits": {"memory": "200"}}, {"limits": {"memory": "100"}}
    assert resize.shrunk_below("c", more, less, 500) == ""
    assert resize.shrunk_below("c", less, more, 99) == ""
    assert resize.shrunk_below("c", less, more, 100) == (
        'cannot decrease memory limits: attempting to set container "c" memory limit (100) below current usage (100)'
    )


def test_the_last_word():
    assert resize.completed(pod(limits={"cpu": "1"})) == (
        'Pod resize completed: {"containers":[{"name":"main","resources":{"limits":{"cpu":"1"}}}]}'
    )


def sized(*containers, inits=(), **spec):
    def one(index, resources):
        return {"name": f"c{index}", "resources": resources}

    tree = {"containers": [one(i, r) for i, r in enumerate(containers)], **spec}
    tree["initContainers"] = [{"name": f"i{i}", "resources": r} for i, r in enumerate(inits)]
    return view({"metadata": {"name": "p", "uid": "u"}, "spec": tree}, Pod)


HALF = {"limits": {"cpu": "500m", "memory": "1Mi"}}


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (sized(HALF, HALF), cgroups.Limits(1000, 1000, 2 << 20)),
        (sized(HALF, {"requests": {"cpu": "1"}}), cgroups.Limits(1500)),
        (sized(HALF, inits=[{"limits": {"cpu": "2", "memory": "3Mi"}}]), cgroups.Limits(2000, 2000, 3 << 20)),
        (sized(HALF, overhead={"cpu": "100m"}), cgroups.Limits(600, 600, 1 << 20)),
        (
            sized({}, resources={"requests": {"cpu": "100m"}, "limits": {"memory": "5Mi"}}),
            cgroups.Limits(100, 0, 5 << 20),
        ),
        (sized({}), cgroups.Limits()),
    ],
)
def test_what_a_pod_as_a_whole_may_use(one, expected):
    assert cgroups.limits(one, MACHINE) == expected


def test_between_two_sizes_all_that_either_allows():
    one, two = cgroups.Limits(1, 10, 0), cgroups.Limits(2, 5, 7)
    assert one.wider(two) == cgroups.Limits(2, 10, 0)


def test_the_files_of_both_cgroup_versions():
    wanted = cgroups.Limits(1000, 500, 4096, 64, swap=10)
    assert dict(cgroups.settings(wanted, unified=False)) == {
        "cpu.shares": "1024",
        "cpu.cfs_quota_us": "50000",
        "memory.limit_in_bytes": "4096",
        "pids.max": "64",
    }
    assert dict(cgroups.settings(wanted, unified=True)) == {
        "cpu.weight": "39",
        "cpu.max": "50000 100000",
        "memory.max": "4096",
        "memory.swap.max": "10",
        "memory.min": "0",
        "pids.max": "64",
    }
    assert dict(cgroups.settings(cgroups.Limits(), unified=True)) == {
        "cpu.weight": "1",
        "cpu.max": "max 100000",
        "memory.max": "max",
        "memory.swap.max": "0",
        "memory.min": "0",
        "pids.max": "max",
    }


def test_the_pods_own_resources_decide_its_quality_and_bound_its_containers():
    both = {"cpu": "1", "memory": "100Mi"}
    one = sized({}, {"limits": {"memory": "10Mi"}}, resources={"requests": both, "limits": both})
    assert qos.qos_class(one) == "Guaranteed"
    first, second = (qos.container_resources(one, c, capacity=1 << 30) for c in one.spec.containers)
    assert (first.memory, second.memory, first.cpu_quota) == (100 << 20, 10 << 20, 100_000)


def test_a_sidecar_is_as_safe_as_the_container_that_needs_it():
    sidecar = {"name": "s", "restartPolicy": "Always", "resources": {"requests": {"memory": "1Mi"}}}
    main = {"name": "m", "resources": {"requests": {"memory": "512Mi"}}}
    one = view({"metadata": {"name": "p"}, "spec": {"initContainers": [sidecar], "containers": [main]}}, Pod)
    assert qos.oom_score(one, one.spec.init_containers[0], 1 << 30) == 500


def test_those_that_wait_are_asked_again_in_their_order_and_woken_by_a_change_alone(tmp_path):
    nothing = dict.fromkeys(("objects", "images", "events", "handlers", "spawn", "probes", "api"))
    node, doors = SimpleNamespace(root=tmp_path), SimpleNamespace(**nothing, clock=lambda: 0.0)
    answers, asked, agent = {}, [], Agent(None, node, doors)

    def judge(one):
        asked.append(one.metadata.name)
        return answers.get(one.metadata.name, ("Deferred", "no room"))

    def of(name, cpu):
        one = pod(name, requests={"cpu": cpu})
        return msgspec.structs.replace(one, spec=msgspec.structs.replace(one.spec, priority=priorities[name]))

    priorities = {"late": 0, "vital": 7, "content": 9, "firm": 3}
    for name in priorities:
        worker = agent._workers[name] = Worker(of(name, "1"), node, doors, judge=judge)
        worker.resizing.learn(())
        worker.update(of(name, "1" if name == "content" else "2"))
        worker._woken.clear()
    for answer, woken in ((None, []), (("Deferred", "another why"), ["firm"]), (None, ["firm"])):
        asked.clear()
        if woken:
            answers["firm"] = answer
        agent._retry_resizes()
        assert asked == ["vital", "firm", "late"]
        assert [name for name, worker in agent.workers.items() if worker._woken.is_set()] == woken
        for worker in agent.workers.values():
            worker._woken.clear()
    asked.clear()
    agent._retry_resizes()
    assert asked == ["vital", "late"]  # the other has what it asked for


def test_who_has_no_limit_sees_the_pods():
    one = sized({}, {"limits": {"memory": "10Mi"}}, resources={"limits": {"memory": "64Mi"}})
    ref = view({"resource": "limits.memory"}, ResourceFieldSelector)
    node = {"memory": "1Gi"}
    assert [resource_field(one, name, ref, node) for name in ("c0", "c1")] == [str(64 << 20), str(10 << 20)]
    assert resource_field(sized({}), "c0", ref, node) == str(1 << 30)


GI = 1 << 30


@pytest.mark.parametrize(
    ("resources", "spec", "share"),
    [
        ({"requests": {"memory": "256Mi"}}, {}, GI // 2),  # a quarter of the memory, a quarter of the swap
        ({"requests": {"memory": "256Mi"}, "limits": {"memory": "512Mi"}}, {}, GI // 2),
        ({"requests": {"memory": "256Mi"}, "limits": {"memory": "256Mi"}}, {}, 0),  # it wants neither more nor less
        ({"requests": {"cpu": "1"}}, {}, 0),
        ({}, {}, 0),
        ({"requests": {"memory": "256Mi"}}, {"priority": 2_000_000_000}, 0),
        ({"requests": {"memory": "2Gi"}}, {}, 0),
    ],
)
def test_whose_part_of_the_swap_is_how_large(resources, spec, share):
    one = sized(resources, **spec)
    (container,) = one.spec.containers
    assert qos.container_resources(one, container, capacity=GI, swap=2 * GI).swap == share
    assert qos.container_resources(one, container, capacity=GI).swap == 0
    assert cgroups.limits(one, replace(MACHINE, swap=2 * GI)).swap == share


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({"requests": {"memory": "100Mi"}, "limits": {"memory": "200Mi"}}, (100 << 20, 190 << 20)),
        ({"requests": {"memory": "100Mi"}}, (100 << 20, ((100 << 20) + (924 << 20) * 9 // 10) // 4096 * 4096)),
        ({"requests": {"memory": "100Mi"}, "limits": {"memory": "100Mi"}}, (100 << 20, 0)),
        ({}, (0, 0)),
    ],
)
def test_how_memory_is_protected(resources, expected):
    """Expectations by upstream's formula (KEP-2570)."""
    one = sized(resources)
    found = qos.protection(one.spec.containers[0], allocatable=GI, factor=0.9)
    assert (int(found.get("memory.min", 0)), int(found.get("memory.high", 0))) == expected
    assert cgroups.limits(one, replace(MACHINE, throttling=0.9)).memory_kept == expected[0]
    assert cgroups.limits(one, MACHINE).memory_kept == 0

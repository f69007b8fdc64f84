"""What a pod needs next: tables of worlds and plans, and the property that every pod comes to rest."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import Pod
from kubelet.pods.backoff import Backoff
from kubelet.pods.decide import (
    Clean,
    Forget,
    MakeSandbox,
    Remove,
    Start,
    Stop,
    StopSandbox,
    Wire,
    decide,
    is_ending,
    spec_hash,
)
from kubelet.pods.world import HASH_LABEL, Failure, Probed, Verdict
from tests.unit.kubelet_builders import NOW, box, life, pod, world


def told(plan):
    """A plan in short."""
    names = []
    for action in plan.actions:
        match action:
            case Start():
                names.append(f"start {action.name} {action.attempt}")
            case Stop(container=container, after=after) if after:
                names.append(f"stop {container.id} after {' '.join(sorted(after))}")
            case Stop() | StopSandbox() | Remove() | Wire():
                names.append(f"{type(action).__name__.lower()} {action.container.id}")
            case _:
                names.append(type(action).__name__.lower())
    return names


def test_hash_label_changes_with_the_image_alone():
    first, second = pod().spec.containers[0], pod("main", spec={}).spec.containers[0]
    assert spec_hash(first) == spec_hash(second)


@pytest.mark.parametrize(
    ("given_world", "expected"),
    [
        pytest.param(world(pod()), ["makesandbox"], id="from nothing a sandbox"),
        pytest.param(world(pod(), box(), address=""), ["wire box"], id="a sandbox without an address is wired"),
        pytest.param(world(pod(hostNetwork=True), box(), address=""), ["start main 0"], id="host network needs none"),
        pytest.param(world(pod("a", "b"), box()), ["start a 0", "start b 0"], id="containers side by side"),
        pytest.param(world(pod(), box(), life()), [], id="at rest"),
        pytest.param(world(pod(inits=["i"]), box()), ["start i 0"], id="init first"),
        pytest.param(world(pod(inits=["i"]), box(), life("i")), [], id="init runs, the rest waits"),
        pytest.param(world(pod(inits=["i"]), box(), life("i", "exited")), ["start main 0"], id="init done"),
        pytest.param(world(pod(inits=["i", "j"]), box(), life("i", "exited")), ["start j 0"], id="inits in order"),
        pytest.param(world(pod(sidecars=["s"]), box(), life("s")), ["start main 0"], id="a started sidecar lets go on"),
        pytest.param(
            world(
                pod(initContainers=[{"name": "s", "restartPolicy": "Always", "startupProbe": {"exec": {}}}]),
                box(),
                life("s"),
            ),
            [],
            id="a sidecar whose probe has not been asked yet holds back",
        ),
        pytest.param(
            world(pod(sidecars=["s"]), box(), life("s"), probes={"s-0": Probed(started=False, ready=False)}),
            [],
            id="a sidecar that is not started holds back",
        ),
        pytest.param(
            world(pod(sidecars=["s"]), box(), life("s", "exited"), life()), ["start s 1"], id="a sidecar comes back"
        ),
        pytest.param(
            world(pod(inits=["i"]), box(), life("i", "exited"), life()), [], id="inits are not run again beside mains"
        ),
        pytest.param(world(pod(), box(), life(state="exited", code=1)), ["start main 1"], id="first restart at once"),
        pytest.param(world(pod(), box("exited"), life()), ["stop main-0"], id="no container outlives its sandbox"),
        pytest.param(
            world(pod(), box("exited"), life(state="exited", code=1)), ["remove box", "makesandbox"], id="new sandbox"
        ),
        pytest.param(
            world(pod(), box(id="new", attempt=1), life(state="exited", sandbox="box")),
            ["start main 1"],
            id="lives of an older sandbox do not count",
        ),
        pytest.param(
            world(pod(), box(), life(state="created")), ["remove main-0", "start main 0"], id="made and never started"
        ),
        pytest.param(
            world(pod(), box(), life(), probes={"main-0": Probed(failed="liveness")}), ["stop main-0"], id="condemned"
        ),
        pytest.param(
            world(pod(), box(), life(), probes={"main-0": Probed(failed="liveness")}, stopping={"main-0": NOW + 30}),
            [],
            id="condemned and being stopped",
        ),
        pytest.param(world(pod(), box(), life(**{HASH_LABEL: "other"})), ["stop main-0"], id="its image has changed"),
        pytest.param(
            world(pod(), box(), life(attempt=3), *(life(state="exited", attempt=a) for a in (2, 1, 0))),
            ["remove main-1", "remove main-0"],
            id="two lives are kept",
        ),
        pytest.param(world(pod(), failures={"": Failure("x", "", NOW + 5)}), [], id="a failed sandbox waits"),
        pytest.param(world(pod(), failures={"": Failure("x", "", NOW - 5)}), ["makesandbox"], id="and is tried again"),
    ],
)
def test_a_pod_that_lives(given_world, expected):
    assert told(decide(given_world)) == expected


@pytest.mark.parametrize(
    ("policy", "code", "restarted"),
    [("Always", 0, True), ("Always", 1, True), ("OnFailure", 0, False), ("OnFailure", 1, True), ("Never", 1, False)],
)
def test_restart_policies(policy, code, restarted):
    made = world(pod(policy=policy), box(), life(state="exited", code=code))
    assert is_ending(made) != restarted
    assert ("start main 1" in told(decide(made))) == restarted


def test_the_second_restart_waits_and_says_so():
    memory = {"main": Backoff(20.0, NOW - 30)}
    plan = decide(world(pod(), box(), life(state="exited", code=1), backoff=memory))
    assert plan.waiting["main"].reason == "CrashLoopBackOff"
    expected = "back-off 20s restarting failed container=main pod=web_default(uid-1)"
    assert plan.waiting["main"].message == expected
    assert (told(plan), plan.again_at) == ([], NOW - 1 + 20)


def test_a_container_that_could_not_start_waits_with_its_reason():
    failure = Failure("ErrImagePull", "no such host", NOW + 3)
    plan = decide(world(pod(), box(), failures={"main": failure}))
    assert (plan.waiting, plan.again_at) == ({"main": failure}, NOW + 3)


def test_a_life_that_only_the_api_remembers_counts():
    tree = {"containerStatuses": [{"name": "main", "restartCount": 4, "containerID": "docker://x", "image": "i"}]}
    known = view({"metadata": {}, "spec": {"containers": [{"name": "main"}]}, "status": tree}, Pod)
    assert told(decide(world(known, box()))) == ["start main 5"]


def lost(*names, running=(), inits=(), **more):
    """A pod whose containers ended (or ran) as far as the API knows; Docker has none of them any more."""
    ended = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    statuses = [
        {"name": n, "containerID": "docker://x", "restartCount": 2, "state": {"running": {}} if n in running else ended}
        for n in names
    ]
    return pod(*names, status={"phase": "Running", "containerStatuses": statuses}, inits=inits, **more)


@pytest.mark.parametrize(
    ("given_world", "expected"),
    [
        pytest.param(
            world(lost("a", "b", policy="OnFailure", running=["b"]), box()),
            ["start b 3"],
            id="a success is not repeated",
        ),
        pytest.param(world(lost("a", policy="Always"), box()), ["start a 3"], id="it always comes back"),
        pytest.param(world(lost("a", policy="Never"), box()), ["stopsandbox box"], id="it is over"),
        pytest.param(
            world(lost("a", policy="Never", running=["a"]), box()), ["stopsandbox box"], id="it ended in some way"
        ),
        pytest.param(
            world(pod(inits=["i", "j"]), box(), life("j", "exited")), ["start main 0"], id="the first was removed"
        ),
        pytest.param(
            world(pod(inits=["i", "j"]), box(), life("j", "exited", 1)), ["start j 1"], id="the second comes back"
        ),
    ],
)
def test_containers_removed_behind_our_back(given_world, expected):
    assert told(decide(given_world)) == expected


@pytest.mark.parametrize(
    ("given_world", "message"),
    [
        (
            world(pod(), box(), life(), probes={"main-0": Probed(failed="liveness")}),
            "Container main failed liveness probe, will be restarted",
        ),
        (
            world(pod(policy="Never"), box(), life(), probes={"main-0": Probed(failed="startup")}),
            "Container main failed startup probe",
        ),
        (
            world(pod(sidecars=["s"]), box(), life("s"), probes={"s-0": Probed(failed="startup")}),
            "Init container s failed startup probe",
        ),
        (
            world(pod(policy="Never"), box(), life(**{HASH_LABEL: "other"})),
            "Container main definition changed, will be restarted",
        ),
    ],
)
def test_why_a_container_is_killed(given_world, message):
    assert [action.message for action in decide(given_world).actions] == [message]


@pytest.mark.parametrize(
    ("given_world", "expected"),
    [
        pytest.param(world(pod(deleting=5), box(), life()), ["stop main-0"], id="containers first"),
        pytest.param(
            world(pod("a", sidecars=["s", "t"], deleting=5), box(), life("a"), life("s"), life("t")),
            ["stop a-0", "stop s-0 after a-0 t-0", "stop t-0 after a-0"],
            id="sidecars wait for the containers",
        ),
        pytest.param(
            world(pod("a", sidecars=["s", "t"], deleting=5), box(), life("s"), life("t")),
            ["stop s-0 after t-0", "stop t-0"],
            id="sidecars in reverse",
        ),
        pytest.param(world(pod(deleting=5), box(), life(state="exited")), ["stopsandbox box"], id="then the sandbox"),
        pytest.param(
            world(pod(deleting=5), box("exited"), life(state="exited")), ["clean", "remove box"], id="then what it held"
        ),
        pytest.param(world(pod(deleting=5), life(state="exited"), cleaned=True), ["forget"], id="then the object"),
        pytest.param(
            world(pod(), life(state="exited"), cleaned=True, gone=True), ["remove main-0"], id="then the rest"
        ),
        pytest.param(world(pod(policy="Never"), box(), life(state="exited")), ["stopsandbox box"], id="finished"),
        pytest.param(world(pod(phase="Succeeded"), cleaned=True), [], id="finished long ago"),
        pytest.param(world(pod(), box(), life(), verdict=Verdict("Evicted", "")), ["stop main-0"], id="evicted"),
        pytest.param(
            world(pod(activeDeadlineSeconds=10), box(), life(), started_at=NOW - 11), ["stop main-0"], id="out of time"
        ),
        pytest.param(
            world(pod(policy="Never", inits=["i"]), box(), life("i", "exited", 1)),
            ["stopsandbox box"],
            id="init failed",
        ),
    ],
)
def test_a_pod_that_ends(given_world, expected):
    plan = decide(given_world)
    assert (told(plan), plan.ending) == (expected, True)


def test_a_pod_that_is_gone_is_over_when_nothing_is_left():
    assert decide(world(pod(), cleaned=True, gone=True)).over


@pytest.mark.parametrize(
    ("deleting", "began", "deadline", "grace"),
    [
        pytest.param(30, 0, None, 30, id="the whole grace at first"),
        pytest.param(0, 0, None, 1, id="never less than a second"),
        pytest.param(30, 20, None, 10, id="what others have left of it"),
        pytest.param(30, 40, None, 2, id="but two seconds"),
        pytest.param(5, 10, NOW + 20, 2, id="a shorter order comes through"),
    ],
)
def test_grace(deleting, began, deadline, grace):
    stopping = {} if deadline is None else {"main-0": deadline}
    since = NOW - began if began else 0.0
    made = world(pod(deleting=deleting), box(), life(), stopping=stopping, ending_since=since)
    (stop,) = decide(made).actions
    assert stop.grace == grace


def test_the_same_order_is_not_given_twice():
    assert decide(world(pod(deleting=30), box(), life(), stopping={"main-0": NOW + 30}, ending_since=NOW)).actions == []


def carried_out(before, plan):
    """The world after a plan, as a runtime without faults makes it."""
    containers = {c.id: c for c in before.containers}
    address, cleaned, gone = before.address, before.cleaned, before.gone
    for action in plan.actions:
        match action:
            case MakeSandbox():
                made = box(id=f"box-{action.attempt}", attempt=action.attempt)
                containers[made.id], address = made, "10.0.0.2"
            case Wire():
                address = "10.0.0.2"
            case Start():
                sandbox = next(c.id for c in containers.values() if c.is_sandbox and c.running)
                made = life(action.name, attempt=action.attempt, sandbox=sandbox)
                containers[made.id] = made
            case Stop() | StopSandbox():
                old = action.container
                containers[old.id] = dataclasses.replace(old, state="exited", exit_code=143, finished_at=before.now)
            case Remove():
                containers.pop(action.container.id, None)
            case Clean():
                cleaned = True
            case Forget():
                gone = True
    order = sorted(containers.values(), key=lambda c: (c.name, -c.attempt))
    return dataclasses.replace(
        before,
        containers=order,
        address=address,
        cleaned=cleaned,
        gone=gone,
        now=before.now + 400,
        ending_since=before.ending_since or (before.now if plan.ending else 0.0),
        started_at=before.now + 400,
    )


LIVES = st.builds(
    life, st.sampled_from(["main", "i", "s"]), st.sampled_from(["created", "running", "exited"]), st.integers(0, 2)
)
PODS = st.builds(
    pod,
    inits=st.sampled_from([(), ("i",)]),
    sidecars=st.sampled_from([(), ("s",)]),
    policy=st.sampled_from(["Always", "OnFailure", "Never"]),
    deleting=st.sampled_from([None, 0, 30]),
)


@given(
    PODS,
    st.lists(st.sampled_from(["running", "exited"]), max_size=1),
    st.lists(LIVES, max_size=3, unique_by=lambda c: c.id),
)
def test_any_world_comes_to_rest(one, sandboxes, lives):
    now = world(one, *(box(state) for state in sandboxes), *lives)
    for _ in range(14):
        plan = decide(now)
        now = carried_out(now, plan)
        for container in [c for c in now.containers if c.running and c.name == "i"]:  # init containers do end
            rest = [c for c in now.containers if c.id != container.id]
            ended = dataclasses.replace(container, state="exited", finished_at=now.now)
            now = dataclasses.replace(now, containers=[*rest, ended])
    final = decide(now)
    assert final.over or not final.actions
    if one.metadata.deletion_timestamp:
        assert not now.containers

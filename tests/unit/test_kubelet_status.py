"""What the kubelet says of a pod: phases, states, conditions, and the patch that says it."""

import pytest

from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import Pod
from apimachinery.patch import strategic_merge
from apiserver.strategies.pod import status as rules
from kubelet.pods.phase import phase
from kubelet.pods.status import Host, patch, status
from kubelet.pods.world import Failure, Probed, Verdict
from kubelet.runtime.protocol import Container
from tests.unit.kubelet_builders import NOW, REF, box, life, pod, world

HOST = Host(["192.0.2.2"])
POD = "io.k8s.api.core.v1.Pod"


def said(given, *, ending=False, waiting=None):
    return status(given, HOST, ending=ending, waiting=waiting or {})


def conditions(told):
    return {c["type"]: (c["status"], c.get("reason", "")) for c in told["conditions"]}


@pytest.mark.parametrize(
    ("given", "ending", "expected"),
    [
        pytest.param(world(pod()), False, "Pending", id="nothing yet"),
        pytest.param(world(pod("a", "b"), box(), life("a")), False, "Pending", id="one of two has started"),
        pytest.param(world(pod(), box(), life()), False, "Running", id="runs"),
        pytest.param(world(pod(), box(), life(state="exited", code=1)), False, "Running", id="restarts"),
        pytest.param(world(pod(policy="OnFailure"), life(state="exited", code=1)), False, "Running", id="will restart"),
        pytest.param(
            world(pod(), box(), life(state="created", attempt=1), life(state="exited")), False, "Running", id="is made"
        ),
        pytest.param(world(pod(policy="OnFailure"), life(state="exited")), False, "Succeeded", id="done"),
        pytest.param(world(pod(policy="Never"), life(state="exited", code=1)), False, "Failed", id="failed"),
        pytest.param(world(pod(inits=["i"]), box(), life("i")), False, "Pending", id="initializing"),
        pytest.param(world(pod(inits=["i"]), box(), life("i", "exited", 1)), False, "Pending", id="init comes back"),
        pytest.param(
            world(pod(inits=["i"], policy="Never"), box(), life("i", "exited", 1)), False, "Failed", id="init failed"
        ),
        pytest.param(world(pod(), life(state="exited")), True, "Succeeded", id="stopped well"),
        pytest.param(world(pod(), life(state="exited", code=143)), True, "Failed", id="stopped otherwise"),
        pytest.param(world(pod()), True, "Failed", id="deleted before it began"),
        pytest.param(world(pod(), verdict=Verdict("Evicted", "")), True, "Failed", id="evicted"),
        pytest.param(
            world(pod(phase="Running"), box(), life(), verdict=Verdict("Evicted", "")), True, "Running", id="not before"
        ),
        pytest.param(world(pod(phase="Succeeded")), False, "Succeeded", id="an end is for good"),
        pytest.param(
            world(pod(sidecars=["s"], policy="Never", phase="Running"), box(), life("s"), life("main", "exited")),
            True,
            "Running",
            id="sidecars still run",
        ),
    ],
)
def test_phase(given, ending, expected):
    assert phase(given, ending=ending) == expected


@pytest.mark.parametrize(
    ("given", "waiting", "state"),
    [
        pytest.param(world(pod()), {}, {"waiting": {"reason": "ContainerCreating"}}, id="creating"),
        pytest.param(world(pod(inits=["i"])), {}, {"waiting": {"reason": "PodInitializing"}}, id="initializing"),
        pytest.param(
            world(pod()),
            {"main": Failure("ErrImagePull", "why", NOW)},
            {"waiting": {"reason": "ErrImagePull", "message": "why"}},
            id="no image",
        ),
        pytest.param(world(pod(), box(), life()), {}, {"running": {"startedAt": "1970-01-12T13:46:30Z"}}, id="running"),
    ],
)
def test_states(given, waiting, state):
    assert said(given, waiting=waiting)["containerStatuses"][0]["state"] == state


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (life(state="exited"), "Completed"),
        (life(state="exited", code=3), "Error"),
        (
            Container(
                id="x", pod=REF, name="main", attempt=0, state="exited", exit_code=137, oom_killed=True, started_at=1
            ),
            "OOMKilled",
        ),
        (
            Container(id="x", pod=REF, name="main", attempt=0, state="exited", exit_code=127, error="no such file"),
            "StartError",
        ),
    ],
)
def test_ends(ended, reason):
    found = said(world(pod(policy="Never"), ended))["containerStatuses"][0]["state"]["terminated"]
    assert (found["reason"], found["exitCode"], found["containerID"]) == (
        reason,
        ended.exit_code if ended.started_at else 128,
        f"docker://{ended.id}",
    )


def test_a_container_that_waits_for_its_restart_shows_its_last_end():
    ended = life(state="exited", code=2, attempt=4)
    why = {"main": Failure("CrashLoopBackOff", "back-off", NOW + 5)}
    found = said(world(pod(), box(), ended, messages={ended.id: "I fell"}), waiting=why)["containerStatuses"][0]
    assert found["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert found["lastState"]["terminated"]["message"] == "I fell"
    assert (found["restartCount"], found["ready"]) == (4, False)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(
            world(pod(), box(), life()),
            {"PodReadyToStartContainers": ("True", ""), "Ready": ("True", ""), "Initialized": ("True", "")},
            id="ready",
        ),
        pytest.param(
            world(pod(), box(), life(), probes={"main-0": Probed(ready=False)}),
            {"Ready": ("False", "ContainersNotReady"), "ContainersReady": ("False", "ContainersNotReady")},
            id="its probe says no",
        ),
        pytest.param(
            world(pod(inits=["i"]), box(), life("i")), {"Initialized": ("False", "ContainersNotInitialized")}, id="init"
        ),
        pytest.param(
            world(pod(policy="Never"), life(state="exited")),
            {"Ready": ("False", "PodCompleted"), "Initialized": ("True", "PodCompleted")},
            id="completed",
        ),
        pytest.param(
            world(pod(policy="Never"), life(state="exited", code=1)), {"Ready": ("False", "PodFailed")}, id="failed"
        ),
        pytest.param(
            world(pod(readinessGates=[{"conditionType": "x/y"}]), box(), life()),
            {"Ready": ("False", "ReadinessGatesNotReady"), "ContainersReady": ("True", "")},
            id="a closed gate",
        ),
        pytest.param(
            world(pod()), {"PodReadyToStartContainers": ("False", ""), "PodScheduled": ("True", "")}, id="new"
        ),
    ],
)
def test_conditions(given, expected):
    assert expected.items() <= conditions(said(given)).items()


def test_host_network_pods_have_the_nodes_address():
    told = said(world(pod(hostNetwork=True), box(), life(), address=""))
    assert (told["podIP"], told["hostIP"]) == ("192.0.2.2", "192.0.2.2")


def stored(told, **more):
    """The pod as the API has it after a write."""
    base = {"metadata": {"uid": "uid-1"}, "spec": {"containers": [{"name": "main"}]}}
    return view({**base, "status": {**told, **more}}, Pod)


def test_what_is_known_is_not_told_again():
    told = said(world(pod(), box(), life()))
    assert patch(pod(), told) is not None
    assert patch(stored(told), told) is None


def test_conditions_of_others_are_no_difference():
    told = said(world(pod(), box(), life()))
    foreign = {"type": "example.com/gate", "status": "True"}
    assert patch(stored(told, conditions=[*told["conditions"], foreign]), told) is None


def test_a_change_keeps_the_time_of_what_did_not_change():
    first = said(world(pod(), box(), life()))
    later = said(world(stored(first), box(), now=NOW + 60))
    times = {c["type"]: c["lastTransitionTime"] for c in later["conditions"]}
    before = {c["type"]: c["lastTransitionTime"] for c in first["conditions"]}
    assert times["PodScheduled"] == before["PodScheduled"]
    assert times["Ready"] != before["Ready"]


def test_an_old_reason_and_an_old_address_are_taken_away():
    told = said(world(pod(), box(), life()))
    old = [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}]
    body = patch(stored(told, conditions=old, podIPs=[{"ip": "10.0.0.9"}]), told)["status"]
    assert body["podIPs"] == [{"$patch": "delete", "ip": "10.0.0.9"}, {"ip": "10.0.0.2"}]
    assert next(c for c in body["conditions"] if c["type"] == "Ready")["reason"] is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(["192.0.2.2", "fd00::2"], ["fd00::2", "192.0.2.2"], id="only the order"),
        pytest.param(["192.0.2.2", "fd00::2"], ["fd00::2", "192.0.2.9"], id="the first is new in its place"),
        pytest.param(["192.0.2.2", "fd00::2"], ["fd00::2"], id="the first has gone"),
        pytest.param(["192.0.2.2"], ["fd00::2", "192.0.2.2"], id="a new first"),
        pytest.param(["192.0.2.2"], ["192.0.2.2", "fd00::2"], id="a new second"),
        pytest.param(["192.0.2.2"], ["192.0.2.9"], id="another"),
        pytest.param([], ["192.0.2.2", "fd00::2"], id="the first words"),
    ],
)
def test_a_nodes_addresses_come_in_their_order(before, after):
    given = world(pod(), box(), life())
    old = {"hostIP": before[0], "hostIPs": [{"ip": ip} for ip in before]} if before else {}
    told = status(given, Host(after), ending=False, waiting={})
    one = pod(status=old)
    now, problems = written(one, {"qosClass": "BestEffort", **old}, told)
    assert (now["hostIP"], now["hostIPs"]) == (after[0], [{"ip": ip} for ip in after])
    assert problems == []
    assert patch(stored(now), told) is None


UNKNOWN = "ContainerStatusUnknown"


@pytest.mark.parametrize(
    ("given", "inits", "mains"),
    [
        pytest.param(
            world(pod("a", "b", phase="Failed"), life("a", "exited")), [], ["Completed", UNKNOWN], id="never ran"
        ),
        pytest.param(world(pod(inits=["i", "j"], phase="Failed")), [UNKNOWN, None], [None], id="before the first"),
        pytest.param(
            world(pod(inits=["i", "j"], phase="Failed"), life("i", "exited", 1)),
            ["Error", None],
            [None],
            id="init failed",
        ),
        pytest.param(
            world(pod(inits=["i"], phase="Failed"), life("i", "exited")), ["Completed"], [UNKNOWN], id="after the inits"
        ),
    ],
)
def test_nothing_waits_in_a_pod_that_is_over(given, inits, mains):
    told = said(given, ending=True)

    def reasons(statuses):
        return [s["state"].get("terminated", {}).get("reason") for s in statuses]

    assert reasons(told.get("initContainerStatuses", ())) == inits
    assert reasons(told["containerStatuses"]) == mains


def test_containers_are_told_by_name_with_what_they_have():
    sized = [{"name": "b", "image": "i", "resources": {"requests": {"cpu": "0.1"}}}, {"name": "a", "image": "i"}]
    told = said(world(pod(containers=sized), box(), life("a"), life("b", "exited")))
    assert [s["name"] for s in told["containerStatuses"]] == ["a", "b"]
    assert [s["resources"] for s in told["containerStatuses"]] == [{}, {"requests": {"cpu": "100m"}}]
    assert told["containerStatuses"][1]["allocatedResources"] == {"cpu": "100m"}


def test_a_container_that_was_removed_keeps_its_end():
    ended = {"terminated": {"exitCode": 3, "reason": "Error", "containerID": "docker://x"}}
    before = {"name": "main", "containerID": "docker://x", "restartCount": 2, "ready": False, "state": ended}
    found = said(world(pod(status={"phase": "Running", "containerStatuses": [before]}), box()))["containerStatuses"][0]
    assert (found["state"], found["restartCount"]) == (ended, 2)


def written(pod, was, told):
    """The pod's status after the patch, and what the API has against it."""
    spec = {
        "restartPolicy": pod.spec.restart_policy,
        "initContainers": [{"name": c.name} for c in pod.spec.init_containers],
    }
    now = {"metadata": {"uid": "uid-1"}, "spec": spec, "status": was}
    after = strategic_merge(now, patch(pod, told), POD)
    return after["status"], list(rules.check(after, now))


@pytest.mark.parametrize("policy", ["Never", "OnFailure", "Always"])
@pytest.mark.parametrize(
    ("lives", "why", "states"),
    [
        pytest.param([], None, ("terminated", "terminated"), id="removed, about to run again"),
        pytest.param([], Failure("ErrImagePull", "no", NOW), ("terminated", "waiting"), id="its image is gone"),
        pytest.param([life("i", "created", 0, 1)], None, ("terminated", "waiting"), id="made again"),
        pytest.param([life("i", "running", 0, 1)], None, ("terminated", "running"), id="runs again"),
        pytest.param(
            [life("i", "exited", 1, 1)],
            Failure("CrashLoopBackOff", "", NOW),
            ("terminated", "waiting"),
            id="now it failed",
        ),
        pytest.param([life("i", "exited", 0, 1)], None, ("terminated", "terminated"), id="has done it again"),
    ],
)
def test_an_init_container_that_runs_again_in_a_new_sandbox_is_told_as_the_api_takes_it(policy, lives, why, states):
    ended = {"terminated": {"exitCode": 0, "reason": "Completed", "containerID": "docker://i-0"}}
    before = {"name": "i", "image": "i", "imageID": "", "restartCount": 0, "ready": True, "state": ended}
    old = {"phase": "Pending", "qosClass": "BestEffort", "initContainerStatuses": [before]}
    one = pod(inits=["i"], policy=policy, status=old)
    told = said(world(one, box(), *lives), waiting={"i": why} if why else {})
    after, problems = written(one, old, told)
    (status,) = after["initContainerStatuses"]
    assert problems == []
    assert next(name for name, state in status["state"].items() if state) == states[policy == "Always"]
    assert status["ready"] == (bool(lives) and lives[0].exited and lives[0].exit_code == 0)


def test_an_init_container_that_failed_when_it_ran_again_waits_once_its_new_end_is_told():
    ended = {"terminated": {"exitCode": 1, "reason": "Error", "containerID": "docker://i-1"}}
    before = {"name": "i", "image": "i", "imageID": "", "restartCount": 1, "ready": False, "state": ended}
    old = {"phase": "Pending", "qosClass": "BestEffort", "initContainerStatuses": [before]}
    one, why = pod(inits=["i"], policy="OnFailure", status=old), {"i": Failure("CrashLoopBackOff", "", NOW)}
    after, problems = written(one, old, said(world(one, box(), life("i", "exited", 1, 1)), waiting=why))
    assert problems == []
    assert after["initContainerStatuses"][0]["state"]["waiting"] == {"reason": "CrashLoopBackOff"}


def test_a_container_that_was_running_and_is_gone_was_lost():
    before = {"name": "main", "containerID": "docker://x", "restartCount": 2, "state": {"running": {}}}
    found = said(world(pod(status={"phase": "Running", "containerStatuses": [before]}), box()))
    status = found["containerStatuses"][0]
    assert (status["state"], status["restartCount"]) == ({"waiting": {"reason": "ContainerCreating"}}, 3)
    assert status["lastState"]["terminated"]["exitCode"] == 137
    assert found["phase"] == "Running"


def test_the_word_of_others_stays_as_long_as_the_phase():
    now = {"phase": "Running", "reason": "E2E", "message": "Patched"}
    same, over = said(world(pod(status=now), box(), life())), said(world(pod(status=now), life("main", "exited")))
    assert (same["reason"], same["message"]) == ("E2E", "Patched")
    assert "reason" in over  # it restarts: still running


def test_an_eviction_is_a_disruption_once_it_is_over():
    verdict = Verdict("Evicted", "low on memory", disruption="low on memory")
    running = world(pod(phase="Running"), box(), life(), verdict=verdict)
    assert "DisruptionTarget" not in conditions(said(running, ending=True))
    told = said(world(pod(phase="Running"), life(state="exited", code=137), verdict=verdict), ending=True)
    assert conditions(told)["DisruptionTarget"] == ("True", "TerminationByKubelet")
    assert (told["phase"], told["reason"]) == ("Failed", "Evicted")


def test_a_debugger_is_neither_ready_nor_started():
    debugger = {"name": "eye", "image": "i"}
    told = said(world(pod(ephemeralContainers=[debugger]), box(), life(), life("eye")))
    (status,) = told["ephemeralContainerStatuses"]
    assert (status["ready"], "started" in status) == (False, False)


def test_a_long_message_is_cut():
    ended = life(state="exited", code=1)
    told = said(world(pod("a", "main", policy="Never"), ended, messages={ended.id: "x" * 20000}))
    assert len(told["containerStatuses"][1]["state"]["terminated"]["message"]) == 6144


def test_what_a_container_has_is_not_what_it_has_been_promised_while_a_resize_is_under_way():
    sized = [{"name": "main", "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}}]
    had = {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}
    progress = [("PodResizeInProgress", "Error", "no", 3)]
    told = said(world(pod(containers=sized), box(), life(), actuated={"main-0": had}, resizing=progress))
    (status,) = told["containerStatuses"]
    assert (status["resources"], status["allocatedResources"]) == (had, {"cpu": "2"})
    (condition,) = [c for c in told["conditions"] if c["type"] == "PodResizeInProgress"]
    assert (condition["reason"], condition["message"], condition["observedGeneration"]) == ("Error", "no", 3)


def test_before_its_probes_have_spoken_a_container_is_neither_started_nor_ready():
    probed = [{"name": "main", "startupProbe": {"exec": {}}, "readinessProbe": {"exec": {}}}]
    (status,) = said(world(pod(containers=probed), box(), life()))["containerStatuses"]
    assert (status["started"], status["ready"]) == (False, False)

"""A pod's worker on fakes and virtual time: from nothing to running, through faults, to nothing."""

import asyncio
from dataclasses import replace

import pytest

from kubelet.pods.admit import Terms
from kubelet.pods.preemption import judge
from kubelet.pods.resize import refusal
from kubelet.pods.world import Verdict
from kubelet.volumes.fake import FakeVolumes
from tests.cluster.node_on_fakes import Site, eventually, is_ready
from tests.cluster.virtual_time import advance


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


async def test_a_pod_comes_and_goes_without_a_trace(site):
    async with site.kubelet() as agent:
        site.api.put("web")
        await eventually(lambda: is_ready(site, "web"))
        assert site.api.status("web")["podIP"] == "10.1.0.2"
        assert [reason for reason, _ in site.events] == ["Pulled", "Created", "Started"]
        site.api.delete("web")
        await eventually(lambda: not agent.workers)
    assert (site.runtime._lives, site.network.addresses, site.volumes.mounted, site.api.pods) == ({}, {}, {}, {})


async def test_a_container_that_ends_is_started_again_once_then_waits(site):
    async with site.kubelet():
        site.api.put("web")
        await eventually(lambda: is_ready(site, "web"))
        site.runtime.end(site.container().id, 1)
        await eventually(site.container)
        assert all(reason != "BackOff" for reason, _ in site.events)  # the first restart waits for nothing
        site.runtime.end(site.container().id, 1)
        await eventually(lambda: "waiting" in site.api.status("web")["containerStatuses"][0]["state"])
        told = site.api.status("web")["containerStatuses"][0]
        assert (told["state"]["waiting"]["reason"], told["restartCount"]) == ("CrashLoopBackOff", 1)
        await eventually(lambda: any(reason == "BackOff" for reason, _ in site.events))


async def test_a_new_kubelet_restarts_nothing(site):
    async with site.kubelet():
        site.api.put("web")
        await eventually(lambda: is_ready(site, "web"))
    before = dict(site.runtime._lives)
    revision = site.api.revision
    async with site.kubelet():
        await advance(1000)
    assert (site.runtime._lives, site.api.revision) == (before, revision)


async def test_a_new_kubelet_goes_on_to_keep_the_files_of_pods_that_run(site):
    async with site.kubelet():
        site.api.put("web", volumes=[{"name": "v", "emptyDir": {}}])
        await eventually(lambda: is_ready(site, "web"))
    before, site.volumes = dict(site.runtime._lives), FakeVolumes()
    site.volumes.failing = "v"
    async with site.kubelet():
        await eventually(lambda: any(reason == "FailedMount" for reason, _ in site.events))
        site.volumes.failing = ""
        await eventually(lambda: site.volumes.mounted)
    assert site.runtime._lives == before


async def test_containers_whose_pod_is_gone_are_ended(site):
    async with site.kubelet():
        site.api.put("web")
        await eventually(lambda: is_ready(site, "web"))
    site.api.pods.clear()
    async with site.kubelet():
        await eventually(lambda: not site.runtime._lives)
    assert site.network.addresses == {}


async def test_a_container_removed_by_hand_is_made_again(site):
    async with site.kubelet():
        site.api.put("web")
        await eventually(lambda: is_ready(site, "web"))
        old = site.container().id
        await site.runtime.remove(old)
        await eventually(lambda: site.container() and site.container().id != old and is_ready(site, "web"))
        assert site.api.status("web")["containerStatuses"][0]["restartCount"] == 1


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        ({"image": "absent", "imagePullPolicy": "Never"}, "ErrImageNeverPull"),
        ({"image": "absent"}, "ErrImagePull"),
        ({"image": "Bad Name"}, "InvalidImageName"),
        ({"command": ["/missing"]}, "RunContainerError"),
        ({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "no.such"}}}]}, "CreateContainerConfigError"),
    ],
)
async def test_why_a_container_does_not_start(site, container, reason):
    async with site.kubelet():
        site.api.put("web", container=container)

        def waits():
            statuses = site.api.status("web").get("containerStatuses", [{}])
            return statuses[0].get("state", {}).get("waiting", {}).get("reason") == reason

        await eventually(waits)
    assert any((event == "Failed" and reason in message) or event == "Failed" for event, message in site.events)


async def test_a_pod_that_finishes_is_not_restarted_and_gives_back_what_it_held(site):
    async with site.kubelet():
        site.api.put("job", restartPolicy="Never", container={"command": ["true"]})
        await eventually(lambda: site.api.status("job")["phase"] == "Succeeded")
        await eventually(lambda: not site.network.addresses and not site.volumes.mounted)
        await eventually(lambda: [c.name for c in site.runtime._all()] == ["main"])
        assert site.api.status("job")["podIP"] == "10.1.0.2"


async def test_init_containers_go_first(site):
    inits = [{"name": "init", "image": "here", "imagePullPolicy": "IfNotPresent", "command": ["true"]}]
    async with site.kubelet():
        site.api.put("web", initContainers=inits)
        await eventually(lambda: is_ready(site, "web"))
        assert site.api.status("web")["initContainerStatuses"][0]["state"]["terminated"]["reason"] == "Completed"


async def test_a_volume_that_is_not_there_holds_the_pod_back(site):
    site.volumes.failing = "v"
    async with site.kubelet() as agent:
        site.api.put("web", volumes=[{"name": "v", "emptyDir": {}}])
        await eventually(lambda: any(reason == "FailedMount" for reason, _ in site.events))
        assert site.api.status("web")["phase"] == "Pending"
        site.volumes.failing = ""
        agent.refresh("uid-web")
        await eventually(lambda: is_ready(site, "web"))


async def test_a_failed_liveness_probe_restarts_the_container(site):
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
    async with site.kubelet():
        site.api.put("web", container={"livenessProbe": probe})
        await eventually(lambda: site.api.status("web").get("containerStatuses", [{}])[0].get("restartCount") == 1)
    assert ("Killing", "Container main failed liveness probe, will be restarted") in site.events
    assert ("Unhealthy", "Liveness probe failed: ") in site.events


async def test_a_hook_runs_before_the_stop(site):
    async with site.kubelet() as agent:
        site.api.put("web", container={"lifecycle": {"preStop": {"exec": {"command": ["echo", "bye"]}}}})
        await eventually(lambda: is_ready(site, "web"))
        site.api.delete("web")
        await eventually(lambda: not agent.workers)
    assert [command for _, command in site.runtime.execs] == [("echo", "bye")]


async def test_a_pod_that_the_node_refuses_fails_and_leaves_nothing(site):
    async with site.kubelet() as agent:
        refusal = Verdict("OutOfcpu", "too much", rejected=True)
        agent._node = replace(agent._node, admit=lambda pod, _others: refusal if pod.metadata.name == "web" else None)
        site.api.put("web")
        site.api.put("other")
        await eventually(lambda: is_ready(site, "other"))
        await eventually(lambda: site.api.status("web")["phase"] == "Failed")
        told = site.api.status("web")
    assert (told["reason"], told["message"]) == ("OutOfcpu", "Pod was rejected: too much")
    assert ("OutOfcpu", "too much") in site.events
    assert {life.pod.name for life in site.runtime._all()} == {"other"}


async def test_a_critical_pod_is_started_when_those_that_go_for_it_have_ended(site):
    started = []
    run_sandbox = site.runtime.run_sandbox

    async def noted(config):
        started.append((config.pod.name, {c.pod.name for c in site.runtime._all() if c.running}))
        return await run_sandbox(config)

    site.runtime.run_sandbox = noted
    async with site.kubelet() as agent:
        agent._node = replace(agent._node, admit=only_one)
        site.api.put("usual", container={"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}})
        await eventually(lambda: is_ready(site, "usual"))
        site.api.put("vital", priority=2_000_000_000)
        site.api.put("later")
        await eventually(lambda: is_ready(site, "vital"))
        await eventually(lambda: site.api.status("later")["phase"] == "Failed")
        told = site.api.status("usual")
    assert started == [("usual", set()), ("vital", set())]
    assert (told["phase"], told["reason"], told["message"]) == (
        "Failed",
        "Preempting",
        "Preempted in order to admit critical pod",
    )
    assert [(c["reason"], c["message"]) for c in told["conditions"] if c["type"] == "DisruptionTarget"] == [
        ("TerminationByKubelet", "Pod was preempted by Kubelet to accommodate a critical pod.")
    ]
    assert ("Preempting", "Preempted in order to admit critical pod") in site.events


def only_one(pod, others):
    """A node that has room for one pod."""
    return judge(pod, others, Terms(name="n1", labels={}, allocatable={"pods": "1"}))


async def test_room_goes_to_the_first_among_those_that_wait_for_it(site):
    terms = Terms(name="n1", allocatable={"cpu": "4", "pods": "9"})
    priorities = {"leaves": 0, "early": 0, "vital": 7, "late": 0}

    def put(name, cpu, status=None):
        site.api.put(
            name, status=status, priority=priorities[name], container={"resources": {"requests": {"cpu": cpu}}}
        )

    def waits(name):
        told = site.api.status(name).get("conditions", [])
        return any((c["type"], c.get("reason")) == ("PodResizePending", "Deferred") for c in told)

    async with site.kubelet() as agent:
        agent._node = replace(agent._node, resize=lambda pod, others: refusal(pod, others, terms))
        for name in priorities:
            put(name, "1")
            await eventually(lambda name=name: is_ready(site, name))
        for name in ("early", "vital", "late"):
            put(name, "2", site.api.status(name))
            await eventually(lambda name=name: waits(name))
        site.api.delete("leaves")
        await eventually(lambda: not waits("vital"))
        await advance(100)
        assert (waits("early"), waits("late")) == (True, True)
        put("vital", "1", site.api.status("vital"))
        await eventually(lambda: not waits("early"))
        await advance(100)
        assert waits("late")


async def test_a_hook_that_fails_says_so_without_its_words(site):
    hook = {"postStart": {"exec": {"command": ["false"]}}}
    async with site.kubelet():
        site.api.put("web", container={"lifecycle": hook})
        await eventually(lambda: ("Killing", "FailedPostStartHook") in site.events)
    assert ("FailedPostStartHook", "PostStartHook failed") in site.events
    assert not [message for _, message in site.events if "false" in message]


async def test_the_address_of_a_sandbox_that_somebody_else_removed_comes_back(site):
    async with site.kubelet():
        site.api.put("web")
        await eventually(lambda: is_ready(site, "web"))
        (first,) = site.network.addresses
        for life in list(site.runtime._lives.values()):
            del site.runtime._lives[life.container.id]
            site.runtime._tell(life.container, "destroy")
        await eventually(lambda: site.network.addresses and first not in site.network.addresses)
        await eventually(lambda: is_ready(site, "web") and site.api.status("web")["podIP"] != "10.1.0.2")
        assert (list(site.network.addresses.values()), site.api.status("web")["podIP"]) == (["10.1.0.3"], "10.1.0.3")


@pytest.mark.parametrize("slow", [0, 0.2])
async def test_a_new_image_is_a_restart_that_nobody_sees(site, slow):
    """Nor where Docker says that the first container runs before it answers to its start: a busy machine's."""
    start, stop = site.runtime.start, site.runtime.stop

    async def starting(id):
        await start(id)
        await advance(slow)

    async def stopping(id, grace):
        await stop(id, grace)
        await advance(slow * 2)

    site.runtime.start, site.runtime.stop = starting, stopping
    site.runtime.pullable.add("other")
    seen = []
    async with site.kubelet():
        site.api.put("web")
        await eventually(lambda: is_ready(site, "web"))
        site.api.watchers.append(lambda _old, new: seen.append(new.status))
        tree = site.api.pods["uid-web"]
        (container,) = tree["spec"]["containers"]
        site.api._set({**tree, "spec": {**tree["spec"], "containers": [{**container, "image": "other"}]}})
        await eventually(lambda: site.api.status("web")["containerStatuses"][0]["image"] == "other")
    assert [c.status for status in seen for c in status.conditions if c.type == "Ready"] == ["True"] * len(seen)
    assert {status.phase for status in seen} == {"Running"}
    assert ("Killing", "Container main definition changed, will be restarted") in site.events


async def test_a_container_that_ends_at_once_was_started_all_the_same(site):
    start = site.runtime.start

    async def slow(id):
        await start(id)  # it has ended, and Docker has said so
        await advance(0.1)

    site.runtime.start = slow
    async with site.kubelet():
        site.api.put("job", restartPolicy="Never", container={"command": ["true"]})
        await eventually(lambda: site.api.status("job")["phase"] == "Succeeded")
        await eventually(lambda: not site.network.addresses)
    assert ("Started", "Started container main") in site.events


async def test_a_sandbox_is_not_taken_from_under_a_container_that_is_just_being_started(site):
    start, order = site.runtime.start, []

    async def slow(id):
        order.append("starting")
        await asyncio.shield(advance(0.2))
        await start(id)
        order.append("started")

    stop = site.runtime.stop_sandbox

    async def stopped(id):
        order.append("sandbox stopped")
        await stop(id)

    site.runtime.start, site.runtime.stop_sandbox = uncancelled(slow), stopped
    async with site.kubelet() as agent:
        site.api.put("web")
        await eventually(lambda: order)
        site.api.delete("web")
        await eventually(lambda: not agent.workers)
    assert order == ["starting", "started", "sandbox stopped"]


def uncancelled(work):
    """As the Docker runtime does it: what was begun is awaited even when the caller is cancelled."""

    async def call(*arguments):
        task = asyncio.ensure_future(work(*arguments))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise

    return call

"""What every container runtime promises, on the fake and on a Docker Engine where one answers."""

import asyncio
import contextlib
import dataclasses
import io
import itertools
import os
import tarfile
import time
from pathlib import Path

import docker
import pytest

from kubelet.runtime import pause
from kubelet.runtime.docker import DockerRuntime
from kubelet.runtime.docker_json import CLUSTER, Owner
from kubelet.runtime.fake import FakeRuntime
from kubelet.runtime.protocol import (
    ContainerConfig,
    NoSuchContainer,
    NoSuchImage,
    PodRef,
    Resources,
    RuntimeError_,
    SandboxConfig,
)

BUSYBOX = Path("/bin/busybox")
IMAGE = "pykube-test/busybox:contract"
POD = PodRef("default", "web", "11111111-2222-3333-4444-555555555555")
OTHER = PodRef("default", "other", "99999999-2222-3333-4444-555555555555")
LOWEST = int(Path("/proc/self/oom_score_adj").read_text())


def busybox_image():
    """A root file system with busybox alone."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(BUSYBOX, "bin/busybox")
        for name in ("sh", "sleep", "true", "false", "echo", "cat", "kill", "ps"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return buffer.getvalue()


@contextlib.contextmanager
def on_docker():
    owner = Owner(f"contract-{os.getpid()}", "node")
    runtime = DockerRuntime(owner)
    client = docker.APIClient(version="auto")
    client.import_image_from_data(busybox_image(), repository="pykube-test/busybox", tag="contract")
    try:
        yield runtime
    finally:
        for row in client.containers(all=True, filters={"label": f"{CLUSTER}={owner.cluster}"}):
            client.remove_container(row["Id"], force=True)
        client.remove_image(IMAGE, force=True)
        client.close()
        runtime.close()


@pytest.fixture(params=["fake", pytest.param("docker", marks=pytest.mark.slow)])
async def runtime(request):
    if request.param == "fake":
        yield FakeRuntime([IMAGE])
        return
    request.getfixturevalue("docker_socket")
    with on_docker() as real:
        await real.prepare()
        yield real


def sandbox(pod=POD, attempt=0):
    return SandboxConfig(pod=pod, attempt=attempt, hostname=pod.name, oom_score_adj=LOWEST)


def container(*command, name="main", attempt=0, labels=None):
    return ContainerConfig(pod=POD, name=name, image=IMAGE, attempt=attempt, command=command, labels=labels or {})


async def one(runtime, name):
    return next(c for c in await runtime.list(POD.uid) if c.name == name)


async def ended(runtime, name):
    async with asyncio.timeout(60):
        while not (found := await one(runtime, name)).exited:
            await asyncio.sleep(0.02)
    return found


async def test_a_sandbox_runs_until_it_is_stopped(runtime):
    made = await runtime.run_sandbox(sandbox())
    assert (made.running, made.is_sandbox, made.pod) == (True, True, POD)
    assert made.pid > 0
    await runtime.stop_sandbox(made.id)
    assert (await one(runtime, "")).exited
    await runtime.remove(made.id)
    assert await runtime.list(POD.uid) == []


async def test_a_container_runs_in_the_sandbox_and_is_stopped_by_the_signal(runtime):
    box = await runtime.run_sandbox(sandbox())
    script = "trap 'exit 143' TERM; >/ready; while :; do sleep 0.05; done"
    id = await runtime.create(container("sh", "-c", script), box.id)
    assert (await one(runtime, "main")).state == "created"
    await runtime.start(id)
    await runtime.exec_sync(id, ["sh", "-c", "until [ -e /ready ]; do sleep 0.05; done"], 60)  # else it is deaf to TERM
    running = await one(runtime, "main")
    assert (running.running, running.exit_code, running.started_at > 0) == (True, 0, True)
    await runtime.stop(id, 60)
    assert (await one(runtime, "main")).exit_code == 143


async def test_what_does_not_obey_is_killed(runtime):
    box = await runtime.run_sandbox(sandbox())
    id = await runtime.create(container("sleep", "1000"), box.id)
    await runtime.start(id)
    await runtime.stop(id, 0)
    assert (await one(runtime, "main")).exit_code == 137


@pytest.mark.parametrize("code", [0, 3])
async def test_an_end_has_its_code_and_time(runtime, code):
    box = await runtime.run_sandbox(sandbox())
    id = await runtime.create(container("sh", "-c", f"exit {code}"), box.id)
    await runtime.start(id)
    found = await ended(runtime, "main")
    assert (found.exit_code, found.oom_killed) == (code, False)
    assert time.time() - 3600 < found.started_at <= found.finished_at


async def test_labels_and_attempts_come_back_newest_first(runtime):
    box = await runtime.run_sandbox(sandbox())
    for attempt in range(3):
        await runtime.create(container("true", attempt=attempt, labels={"kept": str(attempt)}), box.id)
    found = [c for c in await runtime.list() if c.name == "main"]
    assert [(c.attempt, c.labels["kept"]) for c in found] == [(2, "2"), (1, "1"), (0, "0")]
    assert found[0].labels["io.kubernetes.sandbox.id"] == box.id


async def test_a_list_of_one_pod_leaves_others_out(runtime):
    await runtime.run_sandbox(sandbox())
    await runtime.run_sandbox(sandbox(OTHER))
    assert [c.pod for c in await runtime.list(OTHER.uid)] == [OTHER]
    assert len(await runtime.list()) == 2


async def test_a_missing_program_is_an_error_and_an_end(runtime):
    box = await runtime.run_sandbox(sandbox())
    id = await runtime.create(container("/missing"), box.id)
    with pytest.raises(RuntimeError_, match="no such file"):
        await runtime.start(id)
    found = await one(runtime, "main")
    assert (found.exited, found.started_at) == (True, 0)
    assert found.exit_code != 0


async def test_a_running_container_gets_more_of_the_machine_as_it_runs(runtime):
    box = await runtime.run_sandbox(sandbox())
    id = await runtime.create(container("sleep", "1000"), box.id)
    await runtime.start(id)
    before = await one(runtime, "main")
    await runtime.update(id, Resources(cpu_shares=512, cpu_quota=20_000, memory=64 << 20))
    await runtime.update(id, Resources(cpu_shares=256, memory=128 << 20))  # no quota any more, and more memory
    after = await one(runtime, "main")
    assert (after.id, after.started_at, after.running) == (before.id, before.started_at, True)
    with pytest.raises(NoSuchContainer):
        await runtime.update("absent", Resources(cpu_shares=2))


async def test_what_is_not_there_has_its_own_errors(runtime):
    box = await runtime.run_sandbox(sandbox())
    absent = ContainerConfig(pod=POD, name="main", image="pykube-test/absent:1")
    with pytest.raises(NoSuchImage):
        await runtime.create(absent, box.id)
    with pytest.raises(NoSuchContainer):
        await runtime.start("0" * 64)
    with pytest.raises(NoSuchContainer):
        await runtime.exec("0" * 64, ["true"])
    assert await runtime.image("pykube-test/absent:1") is None
    assert (await runtime.image(IMAGE)).size > 0


async def test_stop_and_remove_are_idempotent(runtime):
    box = await runtime.run_sandbox(sandbox())
    for _ in range(2):
        await runtime.stop_sandbox(box.id)
    for _ in range(2):
        await runtime.remove(box.id)
    await runtime.stop(box.id, 1)
    assert await runtime.list() == []


@pytest.mark.parametrize(("command", "result"), [(["echo", "hi"], (0, b"hi\n")), (["sh", "-c", "exit 7"], (7, b""))])
async def test_exec_gives_output_and_code(runtime, command, result):
    box = await runtime.run_sandbox(sandbox())
    id = await runtime.create(container("sleep", "1000"), box.id)
    await runtime.start(id)
    assert await runtime.exec_sync(id, command, 60) == result


async def test_exec_has_a_time_limit_and_needs_a_running_container(runtime):
    box = await runtime.run_sandbox(sandbox())
    id = await runtime.create(container("sleep", "1000"), box.id)
    await runtime.start(id)
    with pytest.raises(TimeoutError):
        await runtime.exec_sync(id, ["sleep", "100"], 0.3)
    await runtime.stop(id, 0)
    with pytest.raises(RuntimeError_):
        await runtime.exec_sync(id, ["true"], 1)


async def test_events_tell_whose_container_changed(runtime):
    heard = []

    async def listen():
        async for event in runtime.events():
            heard.append((event.uid, event.what))  # noqa: PERF401 - read while it grows

    async with asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(listen())
        async with asyncio.timeout(60):
            for attempt in itertools.count():  # nobody says when the ear is open: until the first word is heard
                box = await runtime.run_sandbox(sandbox(attempt=attempt))
                await runtime.stop_sandbox(box.id)
                if heard:
                    break
            box = await runtime.run_sandbox(sandbox(OTHER))
            await runtime.stop_sandbox(box.id)
            while (OTHER.uid, "die") not in heard:
                await asyncio.sleep(0.02)
        listening.cancel()
    assert (OTHER.uid, "start") in heard
    assert {uid for uid, _ in heard} == {POD.uid, OTHER.uid}


@pytest.mark.slow
@pytest.mark.usefixtures("docker_socket")
async def test_exec_streams_both_ways():
    with on_docker() as runtime:
        await runtime.prepare()
        box = await runtime.run_sandbox(sandbox())
        id = await runtime.create(container("sleep", "1000"), box.id)
        await runtime.start(id)
        process = await runtime.exec(id, ["sh", "-c", "cat; echo done >&2; exit 5"], stdin=True)
        await process.write(b"line\n")
        await process.close_stdin()
        pieces = []
        while piece := await process.read():
            pieces.append(piece)
        assert (sorted(pieces), await process.wait()) == ([(1, b"line\n"), (2, b"done\n")], 5)
        await process.close()


@pytest.mark.slow
@pytest.mark.usefixtures("docker_socket")
async def test_the_pause_process_reaps_orphans_and_obeys_sigterm():
    with on_docker() as runtime:
        await runtime.prepare()
        box = await runtime.run_sandbox(sandbox())
        shared = ContainerConfig(pod=POD, name="main", image=IMAGE, command=["sleep", "1000"], share_pid=True)
        id = await runtime.create(shared, box.id)
        await runtime.start(id)
        await runtime.exec_sync(id, ["sh", "-c", "(sleep 0.1 &) ; true"], 60)
        processes = b"sleep 0.1"
        async with asyncio.timeout(60):
            while b"sleep 0.1" in processes or b"[sleep]" in processes:  # a zombie is shown so
                _, processes = await runtime.exec_sync(id, ["ps"], 60)
        assert b"/pause" in processes
        await runtime.stop(box.id, 60)
        assert (await one(runtime, "")).exit_code == 0  # not killed after the 60 seconds


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_pause_program_is_a_small_elf_file(machine):
    data = pause.program(machine)
    assert data[:4] == b"\x7fELF"
    assert len(data) < 450


@pytest.mark.parametrize(
    ("more", "apart"),
    [
        ({}, True),
        ({"sysctls": {"net.ipv4.ip_unprivileged_port_start": "1"}}, True),
        ({"host_network": True}, False),
    ],
)
async def test_the_network_of_a_sandbox_is_its_own_and_its_containers(more, apart):
    with on_docker() as runtime:
        await runtime.prepare()
        box = await runtime.run_sandbox(dataclasses.replace(sandbox(), **more))
        id = await runtime.create(container("sleep", "1000"), box.id)
        await runtime.start(id)
        inside = await one(runtime, "main")
        links = [Path(f"/proc/{pid}/ns/net").readlink() for pid in (box.pid, inside.pid, "self")]
        assert (links[0] == links[1], links[0] != links[2]) == (True, apart)
        assert "CapEff:\t0000000000000000" in Path(f"/proc/{box.pid}/status").read_text()
        _, names = await runtime.exec_sync(id, ["sh", "-c", "cat /proc/net/dev; cat /proc/sys/kernel/hostname"], 60)
        assert (b"eth0" in names) is not apart
        assert apart is (names.split()[-1] == POD.name.encode())


async def test_an_attach_needs_a_running_container(runtime):
    """Docker would wait for the next start of one that has ended: kubectl would hang in place of showing its log."""
    box = await runtime.run_sandbox(sandbox())
    id = await runtime.create(container("sleep", "1000"), box.id)
    await runtime.start(id)
    await (await runtime.attach(id)).close()
    await runtime.stop(id, 0)
    async with asyncio.timeout(60):
        with pytest.raises(RuntimeError_):
            await runtime.attach(id)

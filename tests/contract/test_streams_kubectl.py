"""Unmodified kubectl against our server and kubelet: SPDY (1.27) and WebSocket (1.30, 1.33)."""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import pty
import struct
import termios

import pytest

from apimachinery.errors import bad_request
from serving.remotecommand import open_channels
from tests import needs
from tests.contract.streams_servers import docker_line, in_thread, running

BIG = os.urandom(1 << 20) * 24


@pytest.fixture(params=["1.27", "1.30", "1.33"])
def version(request):
    needs.program(f"/usr/lib/google-cloud-sdk/bin/kubectl.{request.param}")
    return request.param


@pytest.fixture
def servers(tmp_path):
    with in_thread(lambda: running(tmp_path)) as servers:
        yield servers


async def test_exec_output_and_exit_code(servers, version):
    code, out, err = await servers.kubectl(version, "exec", "web", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (code, out) == (3, b"out\n")
    assert err == "err\ncommand terminated with exit code 3\n"


async def test_the_protocol_is_the_one_this_kubectl_prefers(servers, version):
    _, _, log = await servers.kubectl(version, "exec", "-v=8", "web", "--", "true")
    assert ("v5.channel.k8s.io" in log) is (version != "1.27")
    assert ("Upgrade: SPDY/3.1" in log or "Upgrade: [SPDY/3.1]" in log) is (version == "1.27")


async def test_stdin_ends(servers, version):
    assert await servers.kubectl(version, "exec", "-i", "web", "--", "cat", stdin=b"hello") == (0, b"hello", "")


async def test_large_transfers_arrive_whole_both_ways_at_once(servers, version):
    code, out, err = await servers.kubectl(version, "exec", "-i", "web", "--", "cat", stdin=BIG)
    assert (code, err) == (0, "")
    assert hashlib.sha256(out).digest() == hashlib.sha256(BIG).digest()


async def test_a_process_that_ignores_a_large_stdin_ends_all_the_same(servers, version):
    code, out, _ = await servers.kubectl(version, "exec", "-i", "web", "--", "sh", "-c", "echo done", stdin=BIG)
    assert (code, out) == (0, b"done\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["web", "--", "no-such-command"], "Internal error occurred: error executing command in container"),
        (["-c", "nosuch", "web", "--", "ls"], "container nosuch is not valid for pod web"),
        (["none", "--", "ls"], 'pods "none" not found'),
    ],
)
async def test_refusals_are_told(servers, version, arguments, message):
    code, _, err = await servers.kubectl(version, "exec", *arguments)
    assert code == 1
    assert message in err


async def test_a_terminal_with_its_size(servers, version):
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 111, 0, 0))
    # The size comes as a message of its own, some time after the command has begun.
    script = 'until [ "$(stty size)" = "33 111" ]; do sleep 0.02; done; stty size; read word; echo got $word; exit 7'
    process = await asyncio.create_subprocess_exec(
        f"/usr/lib/google-cloud-sdk/bin/kubectl.{version}",
        *("--kubeconfig", servers.kubeconfig, "exec", "-it", "web", "--", "sh", "-c", script),
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        env=os.environ | {"HOME": str(servers.folder), "TERM": "xterm", "KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "true"},
    )  # fmt: skip
    os.close(slave)
    seen = await _until(master, b"33 111")
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 122, 0, 0))
    os.killpg(process.pid, 28)  # SIGWINCH
    async with asyncio.timeout(60):
        await asyncio.to_thread(os.write, master, b"word\n")
        seen += await _until(master, b"got word")
        assert await process.wait() == 7
    os.close(master)


async def _until(terminal, text):
    seen = b""
    async with asyncio.timeout(60):
        while text not in seen:
            seen += await asyncio.to_thread(os.read, terminal, 4096)
    return seen


async def test_attach(servers, version):
    code, out, _ = await servers.kubectl(version, "attach", "-i", "web", stdin=b"a\nb\n")
    assert (code, out) == (0, b"got a\ngot b\n")


async def test_copying_a_file_there_and_back(servers, version):
    there = servers.folder / "container"
    there.mkdir()
    (servers.folder / "file").write_bytes(BIG)
    assert await servers.kubectl(version, "cp", "file", "web:container/copy") == (0, b"", "")
    assert (there / "copy").read_bytes() == BIG
    assert await servers.kubectl(version, "cp", "web:container/copy", "back") == (0, b"", "")
    assert (servers.folder / "back").read_bytes() == BIG


@contextlib.asynccontextmanager
async def forwarded(servers, version, port):
    """(local port, process) of a running `kubectl port-forward`."""
    process = await servers.start(version, "port-forward", "web", f":{port}")
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        yield int(line.split("127.0.0.1:")[1].split()[0]), process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def exchange(port, data):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def send():
        with contextlib.suppress(OSError):  # kubectl may have closed already: what it answered counts
            writer.write(data)
            await writer.drain()
            writer.write_eof()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(send())
        received = b""
        with contextlib.suppress(ConnectionError):
            received = await reader.read(-1)
    writer.close()
    return received


async def test_port_forward_carries_many_connections_at_once(servers, version, echo):
    async with forwarded(servers, version, echo) as (port, _):
        payloads = [BIG, *(os.urandom(50_000) for _ in range(8))]
        assert await asyncio.gather(*(exchange(port, payload) for payload in payloads)) == payloads


async def test_port_forward_to_a_closed_port_says_so(servers, version):
    async with forwarded(servers, version, 1) as (port, process):
        assert await exchange(port, b"x") == b""
        _, err = await asyncio.wait_for(process.communicate(), 60)
    assert b"error forwarding port 1 to pod web" in err
    assert b"connection refused" in err


async def test_logs_with_options(servers, version):
    servers.pods.log.write_bytes(b"".join(docker_line(f"line {i}\n") for i in range(5)))
    assert await servers.kubectl(version, "logs", "web", "--tail=2") == (0, b"line 3\nline 4\n", "")
    code, out, _ = await servers.kubectl(version, "logs", "web", "--tail=1", "--timestamps")
    assert (code, out) == (0, b"2024-01-01T00:00:00.500000000Z line 4\n")
    code, _, err = await servers.kubectl(version, "logs", "web", "--previous")
    assert (code, err) == (
        1,
        'Error from server (BadRequest): previous terminated container "main" in pod "web" not found\n',
    )
    code, _, err = await servers.kubectl(version, "logs", "web", "-c", "nosuch")
    assert code == 1
    assert "container nosuch is not valid for pod web" in err


async def test_logs_follow_until_the_container_ends(servers, version):
    servers.pods.log.write_bytes(docker_line("first\n"))
    process = await servers.start(version, "logs", "-f", "web")
    assert await asyncio.wait_for(process.stdout.readline(), 60) == b"first\n"
    with servers.pods.log.open("ab") as file:
        file.write(docker_line("second\n"))
    assert await asyncio.wait_for(process.stdout.readline(), 60) == b"second\n"
    servers.pods.ended.set()
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, out, err) == (0, b"", b"")


async def test_a_kubelet_that_is_away(servers, version):
    node = servers.objects.objects["nodes", "", "node1"]
    node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"] = 1
    _, _, err = await servers.kubectl(version, "exec", "web", "--", "ls")
    assert "error dialing backend: dial tcp 127.0.0.1:1: connect: connection refused" in err
    _, _, err = await servers.kubectl(version, "logs", "web")
    assert err.endswith(
        'Get "https://127.0.0.1:1/containerLogs/default/web/main": dial tcp 127.0.0.1:1: connect: connection refused\n'
    )


async def test_a_kubelet_that_knows_spdy_alone_as_upstreams(servers, version, echo, monkeypatch):
    async def refuse(_upgrade, _protocols):
        raise bad_request("websocket: bad protocol")

    monkeypatch.setattr("serving.portforward.accept_websocket", refuse)
    monkeypatch.setattr("kubelet.server.streams.open_channels", spdy_alone)
    script = "cat; echo err >&2; exit 3"
    code, out, err = await servers.kubectl(version, "exec", "-i", "web", "--", "sh", "-c", script, stdin=BIG)
    assert (code, out == BIG, err) == (3, True, "err\ncommand terminated with exit code 3\n")
    async with forwarded(servers, version, echo) as (port, _):
        assert await exchange(port, BIG) == BIG


def spdy_alone(upgrade, wanted):
    if upgrade.protocol == "websocket":
        raise bad_request("websocket: bad protocol")
    return open_channels(upgrade, wanted)

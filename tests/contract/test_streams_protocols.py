"""Every protocol of exec and port-forward, spoken by our own client, directly to the kubelet and through the server."""

import asyncio
import base64
import ssl
import struct
from pathlib import Path

import httpx
import pytest

from apimachinery.errors import ApiError
from serving import remote
from serving.channels import STDERR, STDOUT, Wanted, exit_code
from serving.dialer import Target, ask, dial_websocket
from tests.contract.streams_servers import in_thread, running

EXEC = "/exec/default/web/main?command=sh&command=-c&command={}&input=1&output=1&error=1"
API_EXEC = (
    "/api/v1/namespaces/default/pods/web/exec?container=main&command=sh&command=-c&command={}&stdin=1&stdout=1&stderr=1"
)
ALL = Wanted(stdin=True, stdout=True, stderr=True)


@pytest.fixture
def servers(tmp_path):
    with in_thread(lambda: running(tmp_path)) as servers:
        yield servers


def kubelet(servers, *subject):
    context = ssl.create_default_context(cafile=servers.pki.ca)
    if subject:
        context.load_cert_chain(*servers.pki.issue(*subject))
    return Target(f"https://127.0.0.1:{servers.kubelet_port}", context)


def api(servers):
    context = ssl.create_default_context(cafile=servers.pki.ca)
    return Target(f"https://127.0.0.1:{servers.api_port}", context, [("Authorization", "Bearer good")])


@pytest.fixture(params=["kubelet", "api"])
def where(request, servers):
    """(target, exec path, port-forward path)."""
    if request.param == "kubelet":
        return kubelet(servers, "admin", "system:masters"), EXEC, "/portForward/default/web"
    return api(servers), API_EXEC, "/api/v1/namespaces/default/pods/web/portforward"


@pytest.mark.parametrize("spdy", [False, True])
async def test_our_client_runs_a_command(where, spdy):
    target, path, _ = where
    async with remote.remote_command(target, path.format("cat;echo+err>%262;exit+5"), ALL, spdy=spdy) as session:
        await session.write(b"x" * 200_000)
        await session.close_stdin()
        output = {STDOUT: b"", STDERR: b""}
        while (piece := await session.read()) is not None:
            output[piece[0]] += piece[1]
        assert output == {STDOUT: b"x" * 200_000, STDERR: b"err\n"}
        assert exit_code(await session.status()) == 5


@pytest.mark.parametrize("spdy", [False, True])
async def test_our_client_forwards_ports(where, echo, spdy):
    target, _, path = where
    async with remote.port_forward(target, path, spdy=spdy) as forward:
        for payload in (b"one", b"two" * 100_000):
            connection = await forward.connect(echo)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_say(connection, payload))
                received = b""
                while data := await connection.read():
                    received += data
            assert received == payload
            assert await connection.failure() == ""
        refused = await forward.connect(1)
        assert await refused.read() == b""
        assert "connection refused" in await refused.failure()


async def _say(connection, payload):
    await connection.write(payload)
    await connection.write_eof()


async def messages(socket):
    """Whole messages until the end."""
    whole = b""
    while (part := await socket.receive()) is not None:
        whole += part.data
        if part.last:
            yield whole
            whole = b""


@pytest.mark.parametrize(
    "protocol", ["v4.channel.k8s.io", "v4.base64.channel.k8s.io", "channel.k8s.io", "base64.channel.k8s.io", ""]
)
async def test_older_websocket_protocols(where, protocol):
    target, path, _ = where
    coded = "base64" in protocol
    socket = await dial_websocket(target, path.format("read+line;echo+$line;exit+2"), [protocol] if protocol else [])
    assert socket.subprotocol == protocol
    await socket.send(b"0" + base64.b64encode(b"hello\n") if coded else b"\0hello\n", text=coded)
    channels = {}
    async for message in messages(socket):
        channel = int(message[:1]) if coded else message[0]
        channels[channel] = channels.get(channel, b"") + (base64.b64decode(message[1:]) if coded else message[1:])
    assert channels[1] == b"hello\n"
    assert (b'"reason":"ExitCode","message":"2"' in channels[3]) is protocol.startswith("v4")
    await socket.close()


@pytest.mark.parametrize("protocol", ["v4.channel.k8s.io", "v4.base64.channel.k8s.io"])
async def test_port_forward_over_plain_websockets(where, echo, protocol):
    target, _, path = where
    coded = "base64" in protocol
    name = "port" if path.startswith("/portForward") else "ports"
    socket = await dial_websocket(target, f"{path}?{name}={echo}", [protocol])
    received = messages(socket)

    async def message():
        raw = await anext(received)
        return (int(raw[:1]), base64.b64decode(raw[1:])) if coded else (raw[0], raw[1:])

    assert [await message(), await message()] == [(0, struct.pack("<H", echo)), (1, struct.pack("<H", echo))]
    await socket.send(b"0" + base64.b64encode(b"ping") if coded else b"\0ping", text=coded)
    assert await message() == (0, b"ping")
    await received.aclose()
    await socket.close()


@pytest.mark.parametrize(
    ("path", "code", "text"),
    [
        ("/exec/default/none/main?command=ls&output=1", 404, "pod does not exist"),
        ("/exec/default/web/nosuch?command=ls&output=1", 404, 'container not found ("nosuch")'),
        ("/exec/default/web/main?command=ls", 400, "you must specify at least 1 of stdin, stdout, stderr"),
        ("/exec/default/web/main?output=1", 400, "you must specify a command to run"),
        ("/exec/default", 404, "404 page not found\n"),
    ],
)
async def test_the_kubelet_refuses_before_it_upgrades(servers, path, code, text):
    headers = [("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"), ("X-Stream-Protocol-Version", "v4.channel.k8s.io")]
    answer = await ask(kubelet(servers, "admin", "system:masters"), "POST", path, headers)
    assert (answer.code, (await answer.body()).decode()) == (code, text)


async def test_protocols_without_common_ground(where):
    target, path, _ = where
    with pytest.raises(ApiError, match="unable to negotiate protocol: client supports") as refusal:
        await dial_websocket(target, path.format("true"), ["v9.channel.k8s.io"])
    assert refusal.value.code == 403


async def test_exec_without_an_upgrade_is_a_bad_request(where):
    target, path, _ = where
    answer = await ask(target, "POST", path.format("true"), [("Content-Length", "0")])
    assert answer.code == 400
    assert b"Upgrade request required" in await answer.body()


@pytest.mark.parametrize(
    ("path", "subject", "headers", "code", "text"),
    [
        ("/pods", (), {}, 401, "Unauthorized"),
        ("/pods", (), {"Authorization": "Bearer bad"}, 401, "Unauthorized"),
        ("/healthz", (), {}, 401, "Unauthorized"),
        ("/pods", (), {"Authorization": "Bearer good"}, 200, '"kind":"PodList"'),
        ("/pods", ("admin", "system:masters"), {}, 200, '"kind":"PodList"'),
        ("/metrics", ("prometheus",), {}, 200, "# HELP"),
        ("/pods", ("prometheus",), {}, 403, "Forbidden (user=prometheus, verb=get, resource=nodes, subresource(s)=[pods proxy])"),
        ("/exec/default/web/main", ("prometheus",), {}, 403, "Forbidden (user=prometheus, verb=create, resource=nodes, subresource(s)=[proxy])"),
        ("/stats/summary", ("admin", "system:masters"), {}, 200, '"nodeName":"node1"'),
        ("/configz", ("admin", "system:masters"), {}, 200, '{"kubeletconfig":{"maxPods":110}}'),
        ("/healthz", ("admin", "system:masters"), {}, 200, "ok"),
        ("/healthz?verbose", ("admin", "system:masters"), {}, 200, "[+]ping ok\n[+]log ok\n[+]syncloop ok\nhealthz check passed"),
        ("/nosuch", ("admin", "system:masters"), {}, 404, "404 page not found"),
        ("/containerLogs/default/none/main?tailLines=x", ("admin", "system:masters"), {}, 400, "unable to decode query"),
    ],
)  # fmt: skip
async def test_the_kubelets_gate(servers, path, subject, headers, code, text):
    target = kubelet(servers, *subject)
    async with httpx.AsyncClient(verify=target.tls, timeout=60) as client:
        answer = await client.get(target.url + path, headers=headers)
    assert answer.status_code == code
    assert text in answer.text


async def test_run_gives_the_output(servers):
    target = kubelet(servers, "admin", "system:masters")
    async with httpx.AsyncClient(verify=target.tls, timeout=60) as client:
        answer = await client.post(f"{target.url}/run/default/web/main", params={"cmd": "echo hello"})
        assert (answer.status_code, answer.text) == (200, "hello\n")
        answer = await client.post(f"{target.url}/run/default/web/main", params={"cmd": "false"})
        assert (answer.status_code, answer.text) == (500, "command 'false' exited with 1: ")


async def test_a_client_that_leaves_ends_the_session(servers):
    target = kubelet(servers, "admin", "system:masters")
    async with remote.remote_command(target, EXEC.format("echo+$$;exec+sleep+1000"), ALL) as session:
        _, line = await session.read()
        pid = int(line)
        assert _alive(pid)
    async with asyncio.timeout(60):
        while _alive(pid):
            await asyncio.sleep(0.05)


def _alive(pid):
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False

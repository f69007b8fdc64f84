"""pods/proxy, services/proxy, nodes/proxy and pods/log through the server, against real backends."""

import asyncio
import base64
import gzip
import ssl
import subprocess

import httpx
import pytest

from apimachinery.errors import ApiError
from apiserver.connect.proxy import split_name
from serving.asgi import reply_json, start
from serving.dialer import Target, dial_websocket
from serving.https import serve
from serving.websocket_channels import accept_websocket
from tests.contract.streams_servers import POD, docker_line, in_thread, running


async def backend_app(scope, receive, send):
    match scope["path"]:
        case "/redirect":
            await start(send, 302, [("location", "/there?x=1"), ("content-length", "0")])
            await send({"type": "http.response.body"})
        case "/page" | "/page.gz":
            body, extra = b'<p>\xff</p><A HREF="/up?a=1&amp;b=2">x</A><img src=own.png/>', []
            if scope["path"].endswith("gz"):
                body, extra = gzip.compress(body), [("content-encoding", "gzip")]
            await start(send, 200, [("content-type", "text/html; x=y"), ("content-length", str(len(body))), *extra])
            await send({"type": "http.response.body", "body": body})
        case "/socket":
            socket = await accept_websocket(scope["extensions"]["upgrade"], ("chat",))
            part = await socket.receive()
            await socket.send(part.data.upper(), text=part.text)
            await socket.close()
        case "/echo":
            await start(send, 200, [("content-type", "application/octet-stream")])
            more = True
            while more:
                message = await receive()
                more = message.get("more_body", False)
                await send({"type": "http.response.body", "body": message["body"], "more_body": True})
            await send({"type": "http.response.body"})
        case "/break":
            await start(send, 200, [("content-length", "10")])
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
        case _:
            seen = {name.decode(): value.decode() for name, value in scope["headers"]}
            raw = scope["raw_path"].decode() + "?" + scope["query_string"].decode()
            await reply_json(send, {"target": raw, "method": scope["method"], "headers": seen})


@pytest.fixture
def address():
    """An address of this machine that is no loopback: the proxy refuses those."""
    words = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout.split()
    if not words:
        pytest.skip("this machine has no address but loopback")
    return words[0]


@pytest.fixture
async def backend(address):
    stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(backend_app, host=address, port=0, ready=port.set_result, stop=stop, grace=0.2))
        yield await port
        stop.set()


@pytest.fixture
def servers(tmp_path, address, backend):
    with in_thread(lambda: running(tmp_path)) as servers:
        objects = servers.objects.objects
        pod = POD | {"metadata": POD["metadata"] | {"name": "real"}, "status": {"podIP": address}}
        pod["spec"] = {"containers": [{"name": "c", "ports": [{"containerPort": backend}]}]}
        objects["pods", "default", "real"] = pod
        ports = [{"name": "http", "port": 80}, {"name": "other", "port": 81}]
        objects["services", "default", "svc"] = {"metadata": {"name": "svc"}, "spec": {"ports": ports}}
        objects["endpointslices", "default", "svc-1"] = {
            "metadata": {"name": "svc-1", "labels": {"kubernetes.io/service-name": "svc"}},
            "endpoints": [{"addresses": [address]}, {"addresses": ["203.0.113.1"], "conditions": {"ready": False}}],
            "ports": [{"name": "http", "port": backend}],
        }
        yield servers


@pytest.fixture
async def client(servers):
    context = ssl.create_default_context(cafile=servers.pki.ca)
    base = f"https://127.0.0.1:{servers.api_port}/api/v1/namespaces/default"
    headers = {"Authorization": "Bearer good"}
    async with httpx.AsyncClient(verify=context, base_url=base, headers=headers, timeout=60) as client:
        yield client


@pytest.mark.parametrize("name", ["pods/real", "services/svc:80", "services/svc:http", "services/http:svc:80"])
async def test_requests_are_passed_on(client, name):
    answer = await client.get(f"/{name}/proxy/a%2Fb/c?q=1&q=2", headers={"X-Own": "yes", "Connection": "x-own"})
    seen = answer.json()
    assert seen["target"] == "/a%2Fb/c?q=1&q=2"
    assert "authorization" not in seen["headers"]
    assert "x-own" not in seen["headers"]  # named in Connection: for this hop alone
    assert seen["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert seen["headers"]["x-forwarded-uri"].startswith("/api/v1/namespaces/default/")


async def test_a_path_without_its_slash_is_redirected(client):
    answer = await client.get("/pods/real/proxy?x=1")
    assert (answer.status_code, answer.headers["location"]) == (301, "/api/v1/namespaces/default/pods/real/proxy/?x=1")


async def test_redirects_stay_within_the_proxy(client):
    answer = await client.get("/pods/real/proxy/redirect")
    assert (answer.status_code, answer.headers["location"]) == (
        302,
        "/api/v1/namespaces/default/pods/real/proxy/there?x=1",
    )


@pytest.mark.parametrize("path", ["page", "page.gz"])
async def test_links_in_pages_stay_within_the_proxy(client, path):
    answer = await client.get(f"/services/svc:80/proxy/{path}")
    link = b'<a href="/api/v1/namespaces/default/services/svc:80/proxy/up?a=1&amp;b=2">'
    assert answer.content == b"<p>\xff</p>" + link + b"x</A><img src=own.png/>"


@pytest.mark.parametrize("method", ["DELETE", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"])
async def test_every_method_is_passed_on(client, method):
    answer = await client.request(method, "/pods/real/proxy/it")
    assert (answer.status_code, answer.json()["method"] if answer.content else "HEAD") == (200, method)


async def test_bodies_stream_both_ways(client):
    async def pieces():
        for index in range(64):
            yield bytes([index]) * 65536

    answer = await client.post("/pods/real/proxy/echo", content=pieces())
    assert answer.content == b"".join([piece async for piece in pieces()])


async def test_an_answer_that_breaks_off_is_not_taken_for_whole(client):
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get("/pods/real/proxy/break")


@pytest.mark.parametrize("protocol", ["", "binary.k8s.io", "base64.binary.k8s.io"])
async def test_a_log_comes_over_a_websocket(servers, protocol):
    servers.pods.log.write_bytes(docker_line("first\n") + docker_line("second\n"))
    context = ssl.create_default_context(cafile=servers.pki.ca)
    target = Target(f"https://127.0.0.1:{servers.api_port}", context, [("Authorization", "Bearer good")])
    path = "/api/v1/namespaces/default/pods/web/log?container=main"
    socket = await dial_websocket(target, path, [protocol] if protocol else [])
    parts = []
    while (part := await socket.receive()) is not None:
        parts.append(part)
    assert parts[0].data == b""
    texts = [base64.b64decode(part.data) if part.text else part.data for part in parts]
    assert (b"".join(texts), {part.text for part in parts}) == (b"first\nsecond\n", {protocol.startswith("base64")})
    await socket.close()


async def test_websockets_pass(servers):
    context = ssl.create_default_context(cafile=servers.pki.ca)
    target = Target(f"https://127.0.0.1:{servers.api_port}", context, [("Authorization", "Bearer good")])
    socket = await dial_websocket(target, "/api/v1/namespaces/default/pods/real/proxy/socket", ["chat"])
    await socket.send(b"hello", text=True)
    assert (await socket.receive()).data == b"HELLO"
    await socket.close()


@pytest.mark.parametrize(
    ("path", "code", "reason", "message"),
    [
        ("/services/svc:82/proxy/", 503, "ServiceUnavailable", 'no service port 82 found for service "svc"'),
        ("/services/svc:81/proxy/", 503, "ServiceUnavailable", 'no endpoints available for service "svc:81"'),
        ("/services/none/proxy/", 404, "NotFound", 'services "none" not found'),
        ("/pods/a:b:c:d/proxy/", 400, "BadRequest", 'invalid pod request "a:b:c:d"'),
        ("/pods/web/proxy/", 400, "BadRequest", "address not allowed"),
        ("/pods/none/log", 404, "NotFound", 'pods "none" not found'),
        ("/pods/web/log", 400, "BadRequest", "a container name must be specified for pod web, choose one of: [main side]"),
        ("/pods/web/log?container=x", 400, "BadRequest", "container x is not valid for pod web"),
        ("/pods/web/log?container=main&tailLines=-1", 422, "Invalid",
         'PodLogOptions "web" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0'),
        ("/pods/web/log?container=main&previous=true", 400, "BadRequest",
         'previous terminated container "main" in pod "web" not found'),
    ],
)  # fmt: skip
async def test_refusals(client, path, code, reason, message):
    status = (await client.get(path)).json()
    assert (status["code"], status["reason"], status["message"]) == (code, reason, message)


async def test_a_backend_that_is_away(client, servers, address):
    status = (await client.get("/pods/real:1/proxy/")).json()
    assert (status["code"], status["reason"]) == (503, "ServiceUnavailable")
    assert status["message"] == f"error trying to reach service: dial tcp {address}:1: connect: connection refused"


async def test_a_pod_without_a_node_has_no_log_yet(client, servers):
    answer = await client.get("/pods/real/log")
    assert (answer.status_code, answer.content) == (204, b"")


async def test_logs_come_as_text(client, servers):
    servers.pods.log.write_bytes(docker_line("one\n") + docker_line("two\n", "stderr"))
    answer = await client.get("/pods/web/log?container=main")
    assert (answer.headers["content-type"], answer.text) == ("text/plain", "one\ntwo\n")


async def test_streams_of_a_log_cannot_be_chosen(client, servers):
    status = (await client.get("/pods/web/log?container=main&stream=Stderr")).json()
    assert status["message"] == 'PodLogOptions "web" is invalid: stream: Forbidden: may not be specified'


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("web", ("", "web", "")),
        ("web:80", ("", "web", "80")),
        ("https:web:80", ("https", "web", "80")),
        (":web:", ("", "web", "")),
    ],
)
def test_names_are_taken_apart(text, parts):
    asked = split_name(text, "pod")
    assert (asked.scheme, asked.name, asked.port) == parts


@pytest.mark.parametrize("text", ["", ":80", "ftp:web:80", "a:b:c:d"])
def test_names_that_make_no_sense(text):
    with pytest.raises(ApiError, match="invalid pod request"):
        split_name(text, "pod")

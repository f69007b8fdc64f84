"""Requests that no client library would send, over a real connection: refused in words, never a 500, never a hang."""

import asyncio

import msgspec
import pytest

from serving.https import serve
from tests.contract.api_server import CORE, config_map, pod, running

MAPS = f"{CORE}/configmaps"


@pytest.fixture
async def port():
    async with running() as api, asyncio.TaskGroup() as tasks:
        await api.must("POST", MAPS, config_map("a"))
        await api.must("POST", f"{CORE}/pods", pod("a"))
        stop, found = asyncio.Event(), asyncio.get_running_loop().create_future()
        tasks.create_task(serve(api.app, host="127.0.0.1", port=0, ready=found.set_result, stop=stop, grace=0.2))
        yield await found
        stop.set()


async def ask(port, method, path, body=b"", type="application/json", **headers):
    """The code and the Status's text; "" where the body is no Status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = {"host": "x", "content-length": str(len(body)), "content-type": type, **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    writer.write(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body)
    async with asyncio.timeout(60):
        code = int((await reader.readline()).split()[1])
        answer = {}
        while (line := await reader.readline()).strip():
            name, _, value = line.decode("latin-1").partition(": ")
            answer[name] = value.strip()
        data = await reader.readexactly(int(answer.get("content-length", 0)))
    writer.close()
    is_status = code >= 400 and answer.get("content-type") == "application/json"
    return code, msgspec.json.decode(data)["message"] if is_status else ""


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "POST"])
@pytest.mark.parametrize(
    "path",
    [
        "/..",
        "/api/v1/../v1/pods",
        f"{MAPS}/..",
        f"{MAPS}/%2e%2e",
        f"{MAPS}/%2e%2e%2fsecrets%2fa",
        f"{MAPS}/a%00b",
        f"{MAPS}/%ff%fe",
        f"{MAPS}/{'a' * 5000}",
        f"{MAPS}/a/b/c/d",
        "/api/v1/namespaces/%2e%2e/configmaps/a",
        "/api/v1/namespaces/%00/configmaps/a",
        "/api/v1/namespaces//configmaps",
        "/apis//v1/pods",
        "/api/v1/watch/",
        "/api/v1/nodes/%00/proxy/",
        f"{CORE}/services/:::/proxy/",
        f"{CORE}/pods/a/exec",
        f"{CORE}/pods/a/portforward",
        "/openapi/v3/%ff",
        "/docs/%ff",
        "/healthz/%00",
    ],
)
async def test_paths(port, method, path):
    code, _ = await ask(port, method, path, b"{}" if method != "GET" else b"")
    assert code in (400, 404, 405, 415, 422, 200 if method == "GET" and "exec" not in path else 400), (method, path)
    assert (await ask(port, "GET", f"{MAPS}/a"))[0] == 200


@pytest.mark.parametrize("method", ["OPTIONS", "GET", "POST"])
async def test_the_path_of_all_paths(port, method):
    assert (await ask(port, method, "*"))[0] == 404
    assert (await ask(port, "GET", f"{MAPS}/a"))[0] == 200


@pytest.mark.parametrize(
    ("query", "code", "text"),
    [
        ("labelSelector=" + "a%3Db," * 20000 + "x", (400, 414, 431), ""),
        ("labelSelector=" + "a%3Db," * 5000 + "x", (200, 400, 414, 431), ""),
        ("labelSelector=%ff", (400,), "unable to parse requirement"),
        ("labelSelector=%00", (400,), "unable to parse requirement"),
        ("labelSelector=a+in+(", (400,), "unable to parse requirement"),
        ("fieldSelector=%ff%00", (400,), "invalid selector"),
        ("fieldSelector=metadata.name%3D..", (200,), ""),
        ("fieldSelector=metadata.name%3Da%2Fb", (200,), ""),
        ("limit=99999999999999999999", (400,), "value out of range"),
        ("limit=" + "9" * 5000, (400,), "value out of range"),
        ("limit=%D9%A1", (400,), "invalid syntax"),
        ("continue=%00", (400,), "continue key is not valid"),
        ("continue=" + "A" * 10000, (400,), "continue key is not valid"),
        ("resourceVersion=-1", (400,), "invalid syntax"),
        ("resourceVersion=%D9%A1", (400,), "invalid syntax"),
        ("resourceVersion=99999999999999999999", (400,), "value out of range"),
        ("resourceVersion=" + "9" * 5000, (400,), "value out of range"),
        ("watch=1&resourceVersion=" + "9" * 5000, (400,), "value out of range"),
        ("watch=1&resourceVersion=x", (400,), "invalid syntax"),
        ("watch=1&timeoutSeconds=x", (400,), "invalid syntax"),
        ("watch=1&timeoutSeconds=99999999999999999999", (400,), "value out of range"),
        ("watch=1&timeoutSeconds=9223372036854775807", (200,), ""),
        ("watch=1&timeoutSeconds=-3", (200, 400, 422), ""),
        ("watch=1&sendInitialEvents=banana", (200, 422), ""),
        ("%ff=%fe", (200,), ""),
        ("=&=&&;", (200,), ""),
    ],
)
async def test_queries(port, query, code, text):
    got, said = await ask(port, "GET", f"{MAPS}?{query}")
    assert got in code
    assert text in said


DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
YAML = "application/yaml"


@pytest.mark.parametrize(
    ("body", "type", "code", "text"),
    [
        (b'{"data":{"x":"' + b"y" * (3 << 20) + b'"}}', "application/json", 413, "Request entity too large: limit is 3145728"),
        (DEEP, "application/json", 400, "max depth"),
        (b"[" * 100_000, "application/json", 400, ""),
        (b'{"metadata":{"name":"a\\u0000b"}}', "application/json", 422, "a lowercase RFC 1123 subdomain"),
        (b'{"metadata":{"name":"x"},"data":{"k":"\xff\xfe"}}', "application/json", (201, 400), ""),
        (b'{"metadata":{"name":"x"},"data":{"k":"\\ud800"}}', "application/json", (201, 400), ""),
        (b'{"metadata":{"name":"x","generation":1e999}}', "application/json", 400, ""),
        (b'{"metadata":{"name":"x"}} trailing', "application/json", 400, ""),
        (b"\xff\xfe\x00", "application/json", 400, ""),
        (b"a: [1", YAML, 400, "did not find expected"),
        (b"a: &a [*a]", YAML, 400, ""),
        (b"a: " * 5000, YAML, 400, ""),
        (b"[" * 100_000, YAML, 400, ""),
        (b"a: !!int x", YAML, 400, "cannot decode !!str `x` as a !!int"),
        (b"a: !!python/object:os.system x", YAML, (201, 400, 422), ""),
        (b"\x00", YAML, 400, ""),
    ],
)  # fmt: skip
async def test_bodies(port, body, type, code, text):
    for path in (MAPS, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", f"{CORE}/pods/a/binding"):
        got, said = await ask(port, "POST", path, body, type)
        assert got < 500
        if path == MAPS:
            assert got in (code if isinstance(code, tuple) else (code,)), said
            assert text in said


@pytest.mark.parametrize(
    "headers",
    [
        {"accept": "\xff"},
        {"accept": ";;;,,,"},
        {"accept": "application/json;as=Foo"},
        {"accept": "application/json;q=x"},
        {"authorization": "Bearer \xff"},
        {"authorization": "Bearer a.b.c"},
        {"authorization": "Bearer eyJhbGciOiJub25lIn0.e30."},
        {"impersonate-user": "\xff"},
        {"impersonate-user": "x", "impersonate-extra-%zz": "y"},
        {"user-agent": "\xff"},
        {"if-none-match": "x"},
        {"upgrade": "websocket", "connection": "Upgrade"},
        {"upgrade": "SPDY/3.1", "connection": "Upgrade"},
        {"upgrade": "\xff", "connection": "Upgrade"},
    ],
)
async def test_headers(port, headers):
    for path in (MAPS, "/version", f"{CORE}/pods/a/exec?command=x"):
        assert (await ask(port, "GET", path, **headers))[0] < 500

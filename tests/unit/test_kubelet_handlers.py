"""HTTP probes: what counts as well, and where redirects lead."""

import asyncio

import pytest

from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import Container, HTTPGetAction
from kubelet.handlers import PROBE, Away, Handlers, _headers

ANSWERS = {
    "/ok": "200 OK",
    "/bad": "500 Bad",
    "/to-ok": "302 Found\r\nLocation: /ok",
    "/to-bad": "301 Moved\r\nLocation: /bad",
    "/away": "302 Found\r\nLocation: http://192.0.2.99:1/",
    "/round": "302 Found\r\nLocation: /round",
}


@pytest.fixture
async def port():
    async def answer(reader, writer):
        line = await reader.readline()
        answered = ANSWERS[line.split()[1].decode()] if line.startswith(b"GET") else "400 Bad Request"
        writer.write(f"HTTP/1.1 {answered}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/ok", ""),
        ("/bad", "HTTP probe failed with statuscode: 500"),
        ("/to-ok", ""),
        ("/to-bad", "HTTP probe failed with statuscode: 500"),
        ("/away", "Away: Probe terminated redirects, Response body: "),
        ("/round", "stopped after 10 redirects"),
    ],
)
async def test_get(port, path, message):
    handlers = Handlers(None)
    action = view({"port": port, "path": path}, HTTPGetAction)
    try:
        passed, said = await handlers.get(view({"name": "c"}, Container), action, address="127.0.0.1", patience=60)
    except Away as away:
        passed, said = False, f"Away: {away}"
    await handlers.close()
    assert passed is not bool(message)
    assert said.endswith(message) or passed


async def test_a_hook_takes_any_answer_and_plain_http_for_https(port):
    handlers = Handlers(None)
    found = {}
    for path, scheme in (("/bad", "HTTP"), ("/ok", "HTTPS")):
        action = view({"port": port, "path": path, "scheme": scheme}, HTTPGetAction)
        found[scheme] = await handlers.notify(view({"name": "c"}, Container), action, address="127.0.0.1", patience=60)
    await handlers.close()
    assert found == {"HTTP": (True, "", False), "HTTPS": (True, "", True)}


def test_headers_given_replace_ours_whatever_their_case():
    given = [{"name": "accept", "value": ""}, {"name": "X-A", "value": "1"}, {"name": "x-a", "value": "2"}]
    action = view({"port": 1, "httpHeaders": given}, HTTPGetAction)
    assert _headers(action, PROBE) == [("User-Agent", PROBE), ("X-A", "1"), ("x-a", "2")]

"""HTTP probes: what counts as well, and where redirects lead."""

import asyncio

import pytest

from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import Container, HTTPGetAction
from kubelet.handlers import Handlers

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
        path = (await reader.readline()).split()[1].decode()
        writer.write(f"HTTP/1.1 {ANSWERS[path]}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
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
        ("/away", ""),
        ("/round", "stopped after 10 redirects"),
    ],
)
async def test_get(port, path, message):
    handlers = Handlers(None)
    action = view({"port": port, "path": path}, HTTPGetAction)
    passed, said = await handlers.get(view({"name": "c"}, Container), action, address="127.0.0.1", patience=2)
    await handlers.close()
    assert passed is not bool(message)
    assert said.endswith(message)

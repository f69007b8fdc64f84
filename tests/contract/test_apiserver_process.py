"""`pykube-apiserver` as a process: it goes in order when it is asked to, and a killed one loses nothing."""

import asyncio
import signal
import ssl
import sys

import pytest

from serving.dialer import Exchange, Target, ask, connect
from tests import needs
from tests.contract.storage_servers import EtcdServer
from tests.contract.streams_servers import Pki
from tests.ports import free_port

MAPS = "/api/v1/namespaces/default/configmaps"


class Process:
    """One server on memory or etcd."""

    def __init__(self, folder, *flags):
        self.pki = Pki(folder)
        self.port = free_port()
        cert, key = self.pki.issue("apiserver")
        client_cert, client_key = self.pki.issue("admin", "system:masters")
        self.argv = [
            *needs.WITH_US, sys.executable, "-m", "apiserver.main", f"--secure-port={self.port}", "--bind-address=127.0.0.1",
            f"--tls-cert-file={cert}", f"--tls-private-key-file={key}", f"--client-ca-file={self.pki.ca}", *flags,
        ]  # fmt: skip
        context = ssl.create_default_context(cafile=self.pki.ca)
        context.load_cert_chain(client_cert, client_key)
        self.target = Target(f"https://127.0.0.1:{self.port}", context)

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(*self.argv, stderr=asyncio.subprocess.DEVNULL)
        async with asyncio.timeout(60):
            while await self.code("GET", "/readyz") != 200:
                await asyncio.sleep(0.05)
        return self

    async def code(self, method, path):
        try:
            answer = await ask(self.target, method, path, [])
        except OSError:
            return 0
        answer.raw.abort()
        return answer.code

    async def end(self):
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


@pytest.mark.slow
async def test_a_server_goes_in_order(tmp_path):
    server = await Process(tmp_path, "--storage=memory", "--shutdown-delay-duration=5s").start()
    try:
        watch = await ask(server.target, "GET", f"{MAPS}?watch=true", [])
        assert watch.code == 200
        server.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            while await server.code("GET", "/readyz") != 500:
                await asyncio.sleep(0.01)
        # It serves on for a while: long enough for a busy machine to see it.
        assert await server.code("GET", "/livez") == 200
        assert await server.code("GET", MAPS) == 200
        async with asyncio.timeout(60):
            assert [chunk async for chunk in watch.chunks()] == []  # an end, not a broken connection
            assert await server.process.wait() == 0
    finally:
        await server.end()


@pytest.mark.slow
async def test_a_killed_server_loses_nothing(tmp_path):
    etcd = EtcdServer(tmp_path / "etcd").start()
    server = Process(tmp_path, f"--etcd-servers={etcd.url}")
    try:
        await server.start()
        written = 0

        async def write():
            nonlocal written
            for i in range(1000):
                exchange = await ask_with_body(server.target, MAPS, b'{"metadata":{"name":"a%d"}}' % i)
                if exchange != 201:
                    return
                written += 1

        writing = asyncio.ensure_future(write())
        async with asyncio.timeout(60):
            while written < 5:
                await asyncio.sleep(0.01)
        server.process.kill()
        await server.process.wait()
        await writing
        await server.start()
        for i in range(written):
            assert await server.code("GET", f"{MAPS}/a{i}") == 200
    finally:
        await server.end()
        etcd.end()


async def ask_with_body(target, path, body):
    try:
        exchange = Exchange(await connect(target))
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        await exchange.begin(target, "POST", path, headers)
        await exchange.send(body)
        await exchange.end()
        answer = await exchange.answer()
    except OSError:
        return 0
    answer.raw.abort()
    return answer.code

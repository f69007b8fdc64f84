"""The whole API server over HTTPS with client certificates, in a thread of this process, on memory: for real clients."""

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from apiserver.app import Options, create_app
from apiserver.resources import foreign
from apiserver.storage.memory import MemoryStorage
from serving.https import ServerTLS, serve
from tests.contract.streams_servers import Pki, in_thread


@dataclass
class HttpsServer:
    """Where it is, and the files with which an administrator reaches it."""

    port: int
    pki: Pki
    kubeconfig: str


@contextlib.asynccontextmanager
async def _running(folder: Path, storage=None):
    pki, stop = Pki(folder), asyncio.Event()
    options = Options(client_ca=Path(pki.ca).read_bytes())
    app = create_app(
        storage or MemoryStorage(keep=5000), options, clock=time.time, random=random.Random(1), decode=foreign.decode
    )
    async with asyncio.TaskGroup() as tasks:
        upkeep = tasks.create_task(app.run())
        await app.wait_ready()
        port = asyncio.get_running_loop().create_future()
        tls = ServerTLS(*pki.issue("apiserver"), pki.ca)
        served = tasks.create_task(
            serve(app, host="127.0.0.1", port=0, tls=tls, ready=port.set_result, stop=stop, grace=0.5)
        )
        await asyncio.wait((served, port), return_when=asyncio.FIRST_COMPLETED)
        try:
            yield HttpsServer(port.result(), pki, _kubeconfig(folder, pki, port.result()))
        finally:
            stop.set()
            await served
            upkeep.cancel()


def https_server(folder: Path):
    """A context manager that gives an HttpsServer."""
    return in_thread(lambda: _running(folder))


def _kubeconfig(folder, pki, port):
    certificate, key = pki.issue("admin", "system:masters")
    tree = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [
            {"name": "test", "cluster": {"server": f"https://127.0.0.1:{port}", "certificate-authority": pki.ca}}
        ],
        "users": [{"name": "admin", "user": {"client-certificate": certificate, "client-key": key}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(tree))
    return str(path)

"""A whole API server over HTTPS in this process, for clients that are programs or block: with a kubeconfig for them.

with serving(folder) as kubeconfig: ...       # memory storage, the controllers that need no nodes, an admin's certificate
"""

import asyncio
import concurrent.futures
import contextlib
import random
import threading
import time
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from apiserver import protobuf
from apiserver.app import Options, create_app
from apiserver.storage.memory import MemoryStorage
from client.asgi import AsgiTransport
from client.client import Client
from client.config import ClientConfig
from controllers.catalog import Controllers, Settings
from serving.https import ServerTLS, serve
from tests.contract.streams_servers import Pki

CONTROLLERS = ("namespace-controller", "serviceaccount-controller", "deployment-controller", "replicaset-controller",
               "garbage-collector-controller")  # fmt: skip


@contextlib.contextmanager
def serving(folder: Path):
    """The kubeconfig file of a server that answers until the block ends."""
    pki = Pki(folder)
    ready, stop = concurrent.futures.Future(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_run(pki, ready, stop)))
    thread.start()
    try:
        yield _kubeconfig(folder, pki, ready.result(60))
    finally:
        stop.set()
        thread.join()


async def _run(pki, ready, stop):
    options = Options(client_ca=Path(pki.ca).read_bytes(), admission_disabled=("ServiceAccount",))
    app = create_app(MemoryStorage(), options, clock=time.time, random=random.Random(1), decode=protobuf.decode)
    config = ClientConfig(server="http://inside")
    certificate = Path(pki.issue("controllers", "system:masters")[0]).read_bytes()
    over = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(app.run())]
        await app.wait_ready()
        transport = AsgiTransport(app, client_cert=_der(certificate))
        async with Client(config, transport=transport, user_agent="controllers") as client:
            running.append(tasks.create_task(Controllers(client, Settings(), CONTROLLERS).run()))
            tls = ServerTLS(*pki.issue("apiserver"), pki.ca)
            running.append(
                tasks.create_task(serve(app, host="127.0.0.1", port=0, tls=tls, ready=ready.set_result, stop=over))
            )
            await asyncio.to_thread(stop.wait)
            over.set()
            await running.pop()
        for task in running:
            task.cancel()


def _der(pem):
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def _kubeconfig(folder, pki, port):
    certificate, key = pki.issue("admin", "system:masters")
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": pki.ca}
    user = {"client-certificate": certificate, "client-key": key}
    path = folder / "kubeconfig"
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": cluster}],
                "users": [{"name": "u", "user": user}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "x",
            }
        )
    )
    return path

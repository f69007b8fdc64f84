"""Unmodified kubectl's server-side apply against our server, over HTTPS."""

import asyncio
import json
import os
import random
import time
from contextlib import asynccontextmanager

import pytest

from apiserver.app import Administrators, Options, create_app
from apiserver.storage.memory import MemoryStorage
from serving.https import ServerTLS, serve
from tests import needs
from tests.contract.streams_servers import Pki, in_thread

KUBECTL = "/usr/lib/google-cloud-sdk/bin/kubectl.1.33"

MAP = """apiVersion: v1
kind: ConfigMap
metadata:
  name: web
  namespace: default
data:
"""


class Cluster:
    """A server, a kubeconfig for it, and a folder to work in."""

    def __init__(self, folder, port, pki):
        self.folder = folder
        self.kubeconfig = folder / "kubeconfig"
        client_cert, client_key = pki.issue("admin", "system:masters")
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(pki.ca)}
        user = {"client-certificate": str(client_cert), "client-key": str(client_key)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "it", "cluster": cluster}],
            "users": [{"name": "it", "user": user}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "current-context": "it",
        }
        self.kubeconfig.write_text(json.dumps(config))

    async def kubectl(self, *arguments, stdin="", code=0):
        """(stdout, stderr) of kubectl, which must end with this code."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            needs.program(KUBECTL), "--kubeconfig", str(self.kubeconfig), *arguments,
            stdin=pipe, stdout=pipe, stderr=pipe, cwd=self.folder, env=os.environ | {"HOME": str(self.folder)},
        )  # fmt: skip
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 60)
        assert process.returncode == code, err.decode()
        return out.decode(), err.decode()

    async def get(self, *what):
        return json.loads((await self.kubectl("get", *what, "-o", "json", "--show-managed-fields"))[0])


@asynccontextmanager
async def running(folder):
    pki, stop = Pki(folder), asyncio.Event()
    app = create_app(
        MemoryStorage(), Options(), clock=time.time, random=random.Random(1), authenticator=Administrators()
    )
    async with asyncio.TaskGroup() as tasks:
        server = tasks.create_task(app.run())
        await app.wait_ready()
        port = asyncio.get_running_loop().create_future()
        tls = ServerTLS(*pki.issue("apiserver"), pki.ca)
        task = tasks.create_task(
            serve(app, host="127.0.0.1", port=0, tls=tls, ready=port.set_result, stop=stop, grace=0.5)
        )
        await asyncio.wait((task, port), return_when=asyncio.FIRST_COMPLETED)
        yield Cluster(folder, port.result(), pki)
        stop.set()
        server.cancel()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with in_thread(lambda: running(tmp_path_factory.mktemp("kubectl"))) as found:
        yield found


def owners(tree):
    return {(e["manager"], e["operation"]): e["fieldsV1"] for e in tree["metadata"]["managedFields"]}


async def test_apply_conflict_and_force(cluster):
    text = MAP + "  x: '1'\n"
    out, _ = await cluster.kubectl("apply", "--server-side", "-f", "-", stdin=text)
    assert out == "configmap/web serverside-applied\n"
    assert owners(await cluster.get("cm", "web")) == {("kubectl", "Apply"): {"f:data": {"f:x": {}}}}
    other = ("apply", "--server-side", "--field-manager=other", "-f", "-")
    _, err = await cluster.kubectl(*other, stdin=MAP + "  x: '2'\n", code=1)
    assert err.startswith('error: Apply failed with 1 conflict: conflict with "kubectl": .data.x\n')
    await cluster.kubectl(*other, "--force-conflicts", stdin=MAP + "  x: '2'\n")
    tree = await cluster.get("cm", "web")
    assert (tree["data"], list(owners(tree))) == ({"x": "2"}, [("other", "Apply")])
    out, _ = await cluster.kubectl("get", "cm", "web", "-o", "yaml")
    assert "managedFields" not in out
    await cluster.kubectl("delete", "cm", "web")


async def test_diff(cluster):
    await cluster.kubectl("apply", "--server-side", "-f", "-", stdin=MAP + "  x: '1'\n")
    out, _ = await cluster.kubectl("diff", "--server-side", "-f", "-", stdin=MAP + "  x: '1'\n")
    assert out == ""
    out, _ = await cluster.kubectl("diff", "--server-side", "-f", "-", stdin=MAP + "  x: '3'\n", code=1)
    assert '-  x: "1"\n+  x: "3"\n' in out
    assert (await cluster.get("cm", "web"))["data"] == {"x": "1"}
    await cluster.kubectl("delete", "cm", "web")


async def test_from_client_side_to_server_side(cluster):
    await cluster.kubectl("apply", "-f", "-", stdin=MAP + "  x: '1'\n  y: '1'\n")
    assert list(owners(await cluster.get("cm", "web"))) == [("kubectl-client-side-apply", "Update")]
    await cluster.kubectl("apply", "--server-side", "-f", "-", stdin=MAP + "  x: '2'\n")
    tree = await cluster.get("cm", "web")
    # kubectl has moved its old entry into the new one, and applies its annotation under another name.
    assert set(owners(tree)) == {("kubectl", "Apply"), ("kubectl-last-applied", "Apply")}
    assert tree["data"] == {"x": "2"}
    await cluster.kubectl("delete", "cm", "web")


async def test_scale_and_label_belong_to_kubectl(cluster):
    await cluster.kubectl("create", "deployment", "web", "--image=nginx")
    await cluster.kubectl("scale", "deployment", "web", "--replicas=3")
    await cluster.kubectl("label", "deployment", "web", "tier=front")
    tree = await cluster.get("deployment", "web")
    managers = {(e["manager"], e.get("subresource", "")) for e in tree["metadata"]["managedFields"]}
    assert managers == {("kubectl-create", ""), ("kubectl.1.33", "scale"), ("kubectl-label", "")}
    await cluster.kubectl("delete", "deployment", "web")

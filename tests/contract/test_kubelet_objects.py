"""What pods refer to, read from a real API server: watched while needed, immutable ones no longer than needed."""

import asyncio
import random
from contextlib import asynccontextmanager

import pytest

from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import Pod
from client.asgi import AsgiTransport
from client.client import Client
from client.config import ClientConfig
from kubelet.objects import ApiObjects, Unbound
from tests.contract.api_server import CORE, running

POD = view({"metadata": {"name": "p", "namespace": "default", "uid": "u"}}, Pod)


@asynccontextmanager
async def objects():
    async with running() as api:
        config = ClientConfig(server="http://simulated")
        client = Client(config, transport=AsgiTransport(api.app), random=random.Random(1).random)
        async with client, asyncio.TaskGroup() as tasks:
            made = ApiObjects(client, spawn=tasks.create_task)
            try:
                yield api, made
            finally:
                made.release("u")
                made.release("v")


async def until(ask):
    async with asyncio.timeout(30):
        while not (found := await ask()):
            await asyncio.sleep(0.01)
        return found


async def test_a_config_map_is_watched_until_the_last_pod_lets_go():
    async with objects() as (api, made):
        told = []
        made.subscribe(told.append)
        assert await made.configmap("default", "cm", "u") is None
        assert await made.configmap("default", "cm", "v") is None
        await api.must("POST", f"{CORE}/configmaps", {"metadata": {"name": "cm"}, "data": {"a": "1"}})
        await until(lambda: made.configmap("default", "cm", "u"))
        assert set(told) == {"u", "v"}
        made.release("u")
        assert len(made._watched) == 1
        made.release("v")
        assert made._watched == {}


async def test_what_is_immutable_is_not_watched_but_kept():
    async with objects() as (api, made):
        body = {"metadata": {"name": "s"}, "data": {"a": "MQ=="}, "immutable": True}
        await api.must("POST", f"{CORE}/secrets", body)
        assert (await made.secret("default", "s", "u")).data == {"a": b"1"}
        (watched,) = made._watched.values()
        await asyncio.wait([watched.task])
        assert watched.task.cancelled()
        assert (await made.secret("default", "s", "v")).data == {"a": b"1"}


def claim(**status):
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": ""}
    return {"metadata": {"name": "c"}, "spec": spec} | status


async def test_where_a_claim_leads_and_why_it_leads_nowhere():
    async with objects() as (api, made):

        async def refused(owner=None):
            with pytest.raises(Unbound) as problem:
                await made.claimed("default", "c", owner)
            return str(problem.value)

        where = "error processing PVC default/c"
        missing = 'persistentvolumeclaims "c" not found'
        assert await refused() == f"{where}: failed to fetch PVC from API server: {missing}"
        uid = (await api.must("POST", f"{CORE}/persistentvolumeclaims", claim()))["metadata"]["uid"]
        assert await refused() == f"{where}: PVC is not bound"
        path, merge = f"{CORE}/persistentvolumeclaims/c", {"type": "application/merge-patch+json"}
        await api.must("PATCH", f"{path}/status", {"status": {"phase": "Bound"}}, **merge)
        await api.must("PATCH", path, {"spec": {"volumeName": "v"}}, **merge)
        assert await refused() == f'{where}: failed to fetch PV v from API server: persistentvolumes "v" not found'
        spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}
        await api.must("POST", "/api/v1/persistentvolumes", {"metadata": {"name": "v"}, "spec": spec})
        assert "nil pv.Spec.ClaimRef" in await refused()
        ref = {"namespace": "default", "name": "c", "uid": "other"}
        await api.must("PATCH", "/api/v1/persistentvolumes/v", {"spec": {"claimRef": ref}}, **merge)
        assert f"ClaimRef.UID other does not point to claim.UID {uid}" in await refused()
        await api.must("PATCH", "/api/v1/persistentvolumes/v", {"spec": {"claimRef": {"uid": uid}}}, **merge)
        assert (await made.claimed("default", "c")).spec.host_path.path == "/x"
        assert await refused(POD) == "PVC default/c was not created for pod default/p (pod is not owner)"

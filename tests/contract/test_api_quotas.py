"""Quotas with several API servers on one store: what is given, is given once."""

import asyncio

from apiserver.storage.memory import MemoryStorage
from tests.contract.api_server import CORE, config_map, running

QUOTA = f"{CORE}/resourcequotas/q"


async def with_quota(server, limit):
    await server.must(
        "POST", f"{CORE}/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"configmaps": limit}}}
    )
    account = {"status": {"hard": {"configmaps": limit}, "used": {"configmaps": "0"}}}
    await server.must("PATCH", f"{QUOTA}/status", account, type="application/merge-patch+json")


async def test_racing_creates_at_two_servers_never_pass_a_quota():
    storage = MemoryStorage()
    async with running(storage) as one, running(storage) as other:
        await with_quota(one, "7")
        await other.must("GET", QUOTA)
        servers = [one, other] * 15
        answers = await asyncio.gather(
            *(s.call("POST", f"{CORE}/configmaps", config_map(f"c{n}")) for n, s in enumerate(servers))
        )
        assert sorted(code for code, _ in answers) == [201] * 7 + [403] * 23
        refused = {tree["message"].partition("forbidden: ")[2] for code, tree in answers if code == 403}
        assert refused == {"exceeded quota: q, requested: configmaps=1, used: configmaps=7, limited: configmaps=7"}
        assert len((await one.must("GET", f"{CORE}/configmaps"))["items"]) == 7
        assert (await other.must("GET", QUOTA))["status"]["used"] == {"configmaps": "7"}


async def test_a_dry_run_is_checked_and_not_charged():
    async with running() as server:
        await with_quota(server, "1")
        path = f"{CORE}/configmaps?dryRun=All"
        assert (await server.call("POST", path, config_map("a")))[0] == 201
        assert (await server.must("GET", QUOTA))["status"]["used"] == {"configmaps": "0"}
        await server.must("POST", f"{CORE}/configmaps", config_map("a"))
        assert (await server.call("POST", path, config_map("b")))[0] == 403

"""An API server in this process, and a client on it: what the test_api_* files start from.

`Server.call` gives status and tree; `text` builders make small objects. Knows nothing about single kinds' rules.
A server writes 190 objects when it starts on an empty store. That takes longer than most tests: the first server of a
process does it, and what its store has then is copied for those that come after it with the same options.
"""

import asyncio
import random
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import msgspec

from apiserver.app import Administrators, Options, create_app
from apiserver.resources import foreign
from apiserver.storage.memory import MemoryStorage
from client.asgi import AsgiTransport

CORE = "/api/v1/namespaces/default"
APPS = "/apis/apps/v1/namespaces/default"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class Server:
    """One app and an administrator's client on it."""

    def __init__(self, app, http):
        self.app = app
        self.http = http

    async def send(self, method, path, body=None, *, type="application/json", headers=None, raw=None):
        content = raw if raw is not None else msgspec.json.encode(body) if body is not None else b""
        sent = {"content-type": type, **(headers or {})} if content else headers or {}
        return await self.http.request(method, path, content=content, headers=sent)

    async def call(self, method, path, body=None, **more):
        response = await self.send(method, path, body, **more)
        # The list of OpenAPI documents comes as plain text, as upstream sends it.
        is_text = response.headers.get("content-type", "").startswith("text/plain") and path != "/openapi/v3"
        return response.status_code, response.text if is_text else response.json()

    async def must(self, method, path, body=None, **more):
        code, tree = await self.call(method, path, body, **more)
        assert code < 400, tree
        return tree

    @asynccontextmanager
    async def watch(self, path, *, headers=None, **query):
        params = {"watch": "true", **query}
        async with self.http.stream("GET", path, params=params, headers=headers) as response:
            yield Events(response)


class Events:
    """The events of one watch, one at a time."""

    def __init__(self, response):
        self.response = response
        self._lines = response.aiter_lines()

    async def next(self):
        async with asyncio.timeout(30):
            event = msgspec.json.decode(await anext(self._lines))
        return event["type"], event["object"]

    async def rest(self):
        return [(e["type"], e["object"]) for e in [msgspec.json.decode(line) async for line in self._lines]]


@dataclass(frozen=True)
class Started:
    """A store as a server that had just started left it, and its random numbers (uids) at that point."""

    options: Options
    storage: MemoryStorage
    dice: tuple


STARTED = []


@asynccontextmanager
async def running(storage=None, options=Options(), *, authenticator=Administrators(), clock=time.time, client_cert=b""):
    """A server that has started."""
    dice = random.Random(1)
    begins = storage is None and clock is time.time
    started = next((it for it in STARTED if it.options == options), None) if begins else None
    if started is not None:
        storage = started.storage.copy()
        dice.setstate(started.dice)
    elif storage is None:
        storage = MemoryStorage()
    app = create_app(storage, options, clock=clock, random=dice, authenticator=authenticator, decode=foreign.decode)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(app.run())
        await app.wait_ready()
        if begins and started is None:
            STARTED.append(Started(options, storage.copy(), dice.getstate()))
        async with httpx.AsyncClient(
            transport=AsgiTransport(app, client_cert=client_cert), base_url="http://api", timeout=10
        ) as http:
            server = Server(app, http)
            if isinstance(authenticator, Administrators):
                await server.send("POST", f"{CORE}/serviceaccounts", {"metadata": {"name": "default"}})  # pods want it
            yield server
        task.cancel()


def config_map(name, data=None, **metadata):
    return {"metadata": {"name": name, **metadata}, "data": data or {"key": "value"}}


def pod(name, **more):
    spec = {"containers": [{"name": "main", "image": "busybox"}], **more.pop("spec", {})}
    return {"metadata": {"name": name, **more.pop("metadata", {})}, "spec": spec, **more}


def deployment(name, replicas=1):
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "busybox"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": name}, "spec": spec}


def names(tree):
    return [item["metadata"]["name"] for item in tree["items"]]

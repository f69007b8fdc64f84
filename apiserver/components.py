"""ComponentStatuses: how the scheduler, the controller manager and etcd are, asked when somebody wants to know.

`kubectl get componentstatuses`, deprecated since v1.19. As upstream, the two are looked for where kubeadm puts them: on
this machine, at their usual ports. Source: pkg/registry/core/componentstatus.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from apimachinery import errors
from apimachinery.types import Json
from apiserver.call import Call, Response
from apiserver.negotiation import PARTIAL_LIST, TABLE
from apiserver.registry import Handler, Resource
from apiserver.resources import presenting
from apiserver.resources.api import Api
from apiserver.resources.options import list_options
from apiserver.storage.entry import Entry
from apiserver.storage.protocol import StorageError

_SECONDS = 3.0
_PORTS = {"scheduler": 10259, "controller-manager": 10257}

#: Says "" for a component that is well, else why it is not.
Probe = Callable[[], Awaitable[str]]


def handlers(api: Api) -> Mapping[str, Handler]:
    """List and get."""

    async def etcd() -> str:
        try:
            await api.cache.wait_fresh(_SECONDS)
        except (TimeoutError, StorageError) as error:
            return str(error) or "no answer in time"
        return ""

    probes: dict[str, Probe] = {name: _over_https(port) for name, port in _PORTS.items()} | {"etcd-0": etcd}

    async def listed(call: Call, resource: Resource) -> Response:
        options = list_options(call)
        call.must_be_acceptable()
        trees = await asyncio.gather(*(_status(resource, name, probe) for name, probe in probes.items()))
        chosen = [
            tree
            for tree in trees
            if (options.fields is None or options.fields.matches({"metadata.name": tree["metadata"]["name"]}))
            and (options.labels is None or options.labels.matches({}))
        ]
        return _list(call, resource, chosen, api.clock())

    async def get(call: Call, resource: Resource) -> Response:
        name = call.target.name
        if name not in probes:
            raise errors.not_found("", "componentstatus", name)
        return presenting.present(call, resource, _entry(await _status(resource, name, probes[name])), api.clock())

    return {"list": listed, "get": get}


def _list(call: Call, resource: Resource, trees: list[Json], now: float) -> Response:
    accepted = call.accepted
    entries = [_entry(tree) for tree in trees]
    if accepted.transform == TABLE:
        answer = presenting.table(resource, accepted, entries, now, {}, presenting.included(call))
    elif accepted.transform == PARTIAL_LIST:
        items = [msgspec.Raw(presenting.partial(resource, each, accepted.version)) for each in entries]
        answer = {"kind": PARTIAL_LIST, "apiVersion": accepted.meta_version, "metadata": {}, "items": items}
    else:
        bare = [{name: value for name, value in tree.items() if name not in ("kind", "apiVersion")} for tree in trees]
        kind = resource.kind
        answer = {"kind": kind.list_name, "apiVersion": kind.api_version, "metadata": {}, "items": bare}
    return presenting.encoded(call, msgspec.json.encode(answer))


def _entry(tree: Json) -> Entry:
    value = msgspec.json.encode(tree)
    return Entry("", 0, value, len(value))


async def _status(resource: Resource, name: str, probe: Probe) -> Json:
    problem = await probe()
    condition = {"type": "Healthy", "status": "False" if problem else "True", "message": problem or "ok"}
    kind = resource.kind
    return {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": {"name": name}, "conditions": [condition]}


def _over_https(port: int) -> Probe:
    """Asks /healthz on this machine. Whose certificate it is does not matter: nothing is told."""
    url = f"https://127.0.0.1:{port}/healthz"

    async def ask() -> str:
        try:
            async with asyncio.timeout(_SECONDS):
                return await _healthz(port)
        except TimeoutError:
            return f'Get "{url}": context deadline exceeded'
        except ConnectionRefusedError:
            return f'Get "{url}": dial tcp 127.0.0.1:{port}: connect: connection refused'
        except OSError as error:
            return f'Get "{url}": {error}'

    return ask


async def _healthz(port: int) -> str:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        answer = (await reader.read(4096)).decode(errors="replace")
    finally:
        writer.close()
    code = answer.split(" ", 2)[1:2]
    return "" if code == ["200"] else answer.rpartition("\r\n\r\n")[2] or "no answer"

"""The loop behind aggregation, and the answers: which group versions others serve, if they are well, what they have.

One task follows APIServices, CustomResourceDefinitions and what lies behind the Services in use; it keeps the local
APIServices (registration) and a table of remote ones, which requests are matched against: an empty table costs a
request nothing. Each remote APIService has a task of its own, so that a server that hangs holds up nobody else: it
checks the Service, asks the server, writes the condition and learns what is served, at each change and every half
minute. Every API server does this by itself, as upstream's do; they write the same and seldom meet.
Sources: kube-aggregator/pkg/apiserver/{apiserver,handler_proxy}.go, pkg/controllers/status/remote.
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import structlog

from apimachinery import kinds as k
from apimachinery import times
from apimachinery.errors import ApiError
from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver.aggregation import availability, registration, resolving
from apiserver.aggregation.availability import Verdict
from apiserver.aggregation.counts import UNAVAILABLE
from apiserver.aggregation.learning import FAILURES, Lesson, learn, unknown
from apiserver.aggregation.remote import ProxyIdentity, Remote, identity_headers, remote_of
from apiserver.aggregation.resolving import Unresolved
from apiserver.call import Call, Message, Receive, Response, Send
from apiserver.connect.reverse import forward
from apiserver.discovery.state import Discovery
from apiserver.resources import internal
from apiserver.resources.api import Api
from apiserver.storage.entry import CacheEvent
from apiserver.storage.protocol import Compacted, StorageError
from apiserver.storage.ring import Predicate
from serving import asgi
from serving.https import raw_target

log = structlog.get_logger("apiserver")

GroupVersion = tuple[str, str]
#: Seconds between two looks at a server that is well, and between two questions for its documents.
RESYNC = 30.0
LEARN_AGAIN = 60.0
_FIRST_RETRY = 0.25
_UNAVAILABLE = "service unavailable"
_SLICE_LABEL = "kubernetes.io/service-name"
_FOLLOWED = (k.APISERVICES, k.CUSTOMRESOURCEDEFINITIONS)
_BEHIND = (k.SERVICES, k.ENDPOINTSLICES)


@dataclass(slots=True)
class _Attendant:
    """What the task of one remote APIService works with."""

    spec: Json
    task: asyncio.Task[None]
    poked: asyncio.Event


class Aggregator:
    """`answer` for requests, `run` for ever."""

    def __init__(self, api: Api, discovery: Discovery, identity: ProxyIdentity, *, by_endpoints: bool = False) -> None:
        self.remotes: dict[GroupVersion, Remote] = {}
        self.is_registered = False  # whether every APIService of ours is there
        self._api = api
        self.discovery = discovery
        self._identity = identity
        self._by_endpoints = by_endpoints
        self._lessons: dict[str, Lesson] = {}
        self._attendants: dict[str, _Attendant] = {}
        self._changed = asyncio.Event()

    # -- requests

    def answer(self, call: Call) -> Response | None:
        """The answer of the extension server that the request is for; None where it is for us."""
        if not self.remotes:
            return None
        remote = self.remotes.get(_group_version(call))
        return None if remote is None else self._answer(call, remote)

    def _answer(self, call: Call, remote: Remote) -> Response:
        if not remote.available:
            call.broken_off_by = "aggregator"
            return _plain(_UNAVAILABLE, 503)
        lesson = self._lessons.get(remote.name)
        if lesson is not None and lesson.made_v3 and call.path.startswith("/openapi/"):
            return Response(body=lesson.made_v3)
        return Response(stream=partial(self._pass_on, call, remote))

    async def _pass_on(self, call: Call, remote: Remote, receive: Receive, send: Send) -> None:
        send = partial(_marked, call, send)
        try:
            target = remote.target()
        except Unresolved as error:
            log.warning("an extension server's service leads nowhere", apiservice=remote.name, error=str(error))
            await _plain(_UNAVAILABLE, 503).send(call)
            return
        except (OSError, ValueError) as error:  # the CA bundle, or our own certificate
            await _plain(str(error), 500).send(call)
            return
        try:
            path = raw_target(call.scope)
            await forward(call, receive, send, target, path, failure=_unreachable, extra=_extra(call, path))
        except ApiError as error:
            await _plain(error.message, error.code).send(call)

    def availability(self) -> Mapping[str, bool]:
        """Whether each APIService is available, by its name."""
        return {
            tree["metadata"]["name"]: availability.is_available(tree) for tree in self._api.lookup.list(k.APISERVICES)
        }

    # -- upkeep

    async def run(self) -> None:
        """Keep everything up; for ever."""
        async with asyncio.TaskGroup() as tasks:
            for kind in _FOLLOWED:
                tasks.create_task(self._follow(kind, None, self._changed.set))
            for kind in _BEHIND:
                tasks.create_task(self._follow(kind, self._concerns, self._poke_all))
            while True:
                self._changed.clear()
                self._refresh(tasks)
                delay = await self._try_to_register()
                try:
                    await asyncio.wait_for(self._changed.wait(), delay)
                except TimeoutError:
                    continue

    async def _follow(self, kind: Kind, wanted: Predicate | None, notify: Callable[[], None]) -> None:
        while True:
            cursor = self._api.cache.watch(kind.storage_prefix(), self._api.cache.revision, wanted)
            notify()  # what came before the cursor was there
            try:
                async for _ in cursor:
                    notify()
            except Compacted:
                continue

    def _concerns(self, event: CacheEvent) -> bool:
        """Whether a Service or EndpointSlice lies behind a remote APIService."""
        entry = event.new or event.old
        if not self.remotes or entry is None:
            return False
        used = {remote.service[:2] for remote in self.remotes.values()}
        if not any(namespace == entry.namespace for namespace, _ in used):
            return False
        name = (entry.tree["metadata"].get("labels") or {}).get(_SLICE_LABEL)
        return (entry.namespace, entry.name) in used or (entry.namespace, name) in used

    def _poke_all(self) -> None:
        for attendant in self._attendants.values():
            attendant.poked.set()

    def _refresh(self, tasks: asyncio.TaskGroup) -> None:
        """The table of remotes as the cache has them, and a task for each."""
        trees = {
            tree["metadata"]["name"]: tree
            for tree in self._api.lookup.list(k.APISERVICES)
            if tree["spec"].get("service")
        }
        remotes = [self._remote(tree) for tree in trees.values()]
        self.remotes = {(remote.group, remote.version): remote for remote in remotes}
        self._lessons = {remote.name: self._lessons.get(remote.name) or unknown(remote) for remote in remotes}
        for name in [name for name in self._attendants if name not in trees]:
            self._attendants.pop(name).task.cancel()
        for name, tree in trees.items():
            attendant = self._attendants.get(name)
            if attendant is None:
                poked = asyncio.Event()
                task = tasks.create_task(self._attend(name, poked))
                self._attendants[name] = _Attendant(tree["spec"], task, poked)
            elif attendant.spec != tree["spec"]:
                attendant.spec = tree["spec"]
                attendant.poked.set()
        self._list()

    def _list(self) -> None:
        """Tell discovery what is there; the core group of another server has no place in it."""
        self.discovery.aggregate([lesson.listed for lesson in self._lessons.values() if lesson.listed.group])

    def _remote(self, tree: Json) -> Remote:
        address = partial(self._address, tree["spec"]["service"])
        return remote_of(tree, self._identity, available=availability.is_available(tree), address=address)

    def _address(self, reference: Json) -> str:
        namespace, name, port = reference["namespace"], reference["name"], reference.get("port", 443)
        service = self._api.lookup.get(k.SERVICES, namespace, name)
        if service is None:
            raise Unresolved(f'service "{name}" not found')
        if not self._by_endpoints:
            return resolving.cluster_address(service, port)
        return resolving.endpoint_address(service, self._slices(namespace, name), port, random.choice)

    def _slices(self, namespace: str, service: str) -> Sequence[Json]:
        found = self._api.lookup.list(k.ENDPOINTSLICES, namespace)
        return [piece for piece in found if (piece["metadata"].get("labels") or {}).get(_SLICE_LABEL) == service]

    async def _try_to_register(self) -> float | None:
        """Register; the seconds after which to try again, None for no need."""
        try:
            await self.register()
        except (StorageError, ApiError) as error:
            log.warning("the local APIServices are not all there, trying again", error=str(error))
            return _FIRST_RETRY
        return None

    async def register(self) -> None:
        """Make our own APIServices be there, as the cache has them. Raises StorageError, ApiError."""
        lookup = self._api.lookup
        wanted = registration.desired(self._discovery_kinds(), lookup.list(k.CUSTOMRESOURCEDEFINITIONS))
        existing = lookup.list(k.APISERVICES)
        writes = registration.plan(wanted, existing, starting=not self.is_registered)
        for tree in writes.creates:
            await internal.create(self._api, k.APISERVICES, tree)
        for tree in writes.updates:
            await internal.replace(self._api, k.APISERVICES, tree)
        for tree in writes.deletes:
            await internal.delete(self._api, k.APISERVICES, "", tree["metadata"]["name"], tree["metadata"]["uid"])
        for tree in existing:
            if not tree["spec"].get("service"):
                await self._record(tree, availability.LOCAL)
        self.is_registered = True

    def _discovery_kinds(self) -> Sequence[Kind]:
        return self._api.registry.kinds()

    async def _attend(self, name: str, poked: asyncio.Event) -> None:
        """Check one remote APIService and learn of it, for ever."""
        loop, retry, learnt = asyncio.get_running_loop(), _FIRST_RETRY, -LEARN_AGAIN
        spec: Json = {}
        while True:
            poked.clear()
            tree = self._api.lookup.get(k.APISERVICES, "", name)
            if tree is None or not tree["spec"].get("service"):
                return
            remote = self._remote(tree)
            verdict = await self._verdict(tree, remote)
            is_recorded = await self._recorded(tree, verdict)
            if not verdict.available:
                if remote.available:
                    UNAVAILABLE.of(name, verdict.reason).value += 1
                self._mark_stale(remote)
                learnt = -LEARN_AGAIN
            elif tree["spec"] != spec or loop.time() - learnt >= LEARN_AGAIN:
                await self._learn(remote)
                spec, learnt = tree["spec"], loop.time()
            is_well = verdict.available and is_recorded
            retry = _FIRST_RETRY if is_well else min(2 * retry, RESYNC)
            try:
                await asyncio.wait_for(poked.wait(), RESYNC if is_well else retry)
            except TimeoutError:
                continue

    async def _verdict(self, tree: Json, remote: Remote) -> Verdict:
        reference = tree["spec"]["service"]
        namespace, name, _ = remote.service
        service = self._api.lookup.get(k.SERVICES, namespace, name)
        found = availability.hindrance(reference, service, self._slices(namespace, name))
        if found is not None:
            return found
        path = f"/apis/{remote.group}/{remote.version}" if remote.group else f"/api/{remote.version}"
        try:
            shown = f"https://{remote.address()}{path}"
        except Unresolved as error:
            return availability.failed_discovery(str(error))
        try:
            answer, _ = await remote.get(path, "application/json", verified=False)
        except TimeoutError:
            message = f'Get "{shown}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        except FAILURES as error:
            message = f'Get "{shown}": {error}'
        else:
            if 200 <= answer.code < 300:
                return availability.PASSED
            message = f"bad status from {shown}: {answer.code}"
        return availability.failed_discovery(f"failing or missing response from {shown}: {message}")

    async def _recorded(self, tree: Json, verdict: Verdict) -> bool:
        try:
            await self._record(tree, verdict)
        except (StorageError, ApiError) as error:
            log.warning("an APIService's condition is not written", name=tree["metadata"]["name"], error=str(error))
            return False
        return True

    async def _record(self, tree: Json, verdict: Verdict) -> None:
        """Write the verdict into the status, where it is not there yet."""
        found = availability.conditions(tree, verdict, times.rfc3339(self._api.clock()))
        if found is not None:
            meta = tree["metadata"]
            patch = {"metadata": {"uid": meta["uid"]}, "status": {"conditions": found}}
            await internal.merge(self._api, k.APISERVICES, "", meta["name"], patch, subresource="status")

    async def _learn(self, remote: Remote) -> None:
        lesson = await learn(remote, self._lessons.get(remote.name) or unknown(remote))
        if remote.name in self._lessons:
            self._lessons[remote.name] = lesson
            self._list()

    def _mark_stale(self, remote: Remote) -> None:
        lesson = self._lessons.get(remote.name)
        if lesson is not None and not lesson.listed.is_stale:
            self._lessons[remote.name] = replace(lesson, listed=replace(lesson.listed, is_stale=True))
            self._list()


def _group_version(call: Call) -> GroupVersion:
    """The group version that a request is for: of a resource, of its list of resources, of its OpenAPI v3 document."""
    info = call.target
    if info.is_resource:
        return (info.group, info.version)
    match call.path.strip("/").split("/"):
        case ["apis", group, version] | ["openapi", "v3", "apis", group, version]:
            return (group, version)
    return ("", "")


async def _marked(call: Call, send: Send, message: Message) -> None:
    """Send on, with the headers that our own stages put on every answer."""
    if message["type"] == "http.response.start":
        message = {**message, "headers": [*message["headers"], *call.marks]}
    await send(message)


def _plain(text: str, code: int) -> Response:
    """An error as Go's http.Error writes it: clients read the code."""
    headers = [("x-content-type-options", "nosniff")]
    return Response(status=code, content_type=asgi.TEXT_TYPE, headers=headers, body=f"{text}\n".encode())


def _unreachable(error: OSError) -> ApiError:
    return ApiError(503, "ServiceUnavailable", f"error trying to reach service: {error}")


def _extra(call: Call, path: str) -> list[tuple[str, str]]:
    """What the server must know of the request besides what the client wrote."""
    found = [*identity_headers(call.asker), ("X-Forwarded-Uri", path.partition("?")[0]), ("X-Forwarded-Proto", "https")]
    if host := call.headers.get("host"):
        found.append(("X-Forwarded-Host", host))
    return found if "audit-id" in call.headers else [*found, ("Audit-Id", call.id)]

"""The API server as one ASGI app: everything is put together here, and nothing is decided.

    app = create_app(storage, options, clock=time.time, random=SystemRandom())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(app.run())        # the watch cache, the first objects, the upkeep
        await app.wait_ready()
        ...                                 # `app` answers requests (serving.https.serve, client.asgi.AsgiTransport)

Works without sockets, threads and files on any event loop: time and randomness are arguments. FastAPI is the shell for
what is no resource (shell.py); resources go straight to one dispatcher.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import Any

import structlog

from apimachinery import kinds as k
from apimachinery import times
from apimachinery.errors import ApiError
from apimachinery.types import Json
from apiserver import (
    admission,
    bootstrapping,
    catalog,
    dynamics,
    endpoints,
    identity,
    identity_lease,
    legacy_tokens,
    policy_status,
    upkeep,
)
from apiserver.admission.chain import Chain
from apiserver.admission.webhook_client import WebhookClient
from apiserver.aggregation import Aggregator
from apiserver.aggregation.remote import ProxyIdentity
from apiserver.allocation import ServiceAllocator
from apiserver.authorization import authorizer as authorization
from apiserver.authorization.node_graph_feed import PodFeed
from apiserver.call import Receive, Send
from apiserver.connect import KubeletClientConfig
from apiserver.customresources import conversion
from apiserver.customresources.loop import CustomResources
from apiserver.discovery.state import Discovery
from apiserver.dispatch import Dispatcher
from apiserver.fairness import Fairness, Keeper
from apiserver.health import HOOKS, Checks
from apiserver.identity import Administrators
from apiserver.metrics.server import Metrics, metrics_of
from apiserver.options import Options
from apiserver.pipeline import ASGI, Authenticates, Server, pipeline
from apiserver.registry import Registry
from apiserver.request import Attributes, Decision
from apiserver.resources import internal, managing, raw
from apiserver.resources.api import Api
from apiserver.resources.lookup import CacheLookup, ChangeCounter
from apiserver.shell import answering, shell
from apiserver.storage.entry import Decode, no_protobuf
from apiserver.storage.protocol import Storage, StorageError
from apiserver.storage.watchcache import WatchCache
from serving.health import health_app

__all__ = ["Administrators", "App", "Options", "create_app"]

_RBAC_KINDS = (k.CLUSTERROLES, k.CLUSTERROLEBINDINGS, k.ROLES, k.ROLEBINDINGS)
_NO_OPTIONS = Options()
_RETRY_SECONDS = 0.5

log = structlog.get_logger("apiserver")


class App:
    """An API server. `api` is what its handlers work with; calling it answers one HTTP request."""

    def __init__(
        self,
        api: Api,
        options: Options,
        services: ServiceAllocator,
        fairness: Fairness,
        custom_resources: CustomResources,
        aggregator: Aggregator,
        streams: set[asyncio.Task[Any]],
        metrics: Metrics,
    ) -> None:
        self.api = api
        self._custom_resources = custom_resources
        self.aggregator = aggregator
        self.fairness = fairness
        self.flow_control = Keeper(api, fairness)
        self._services = services
        self.options = options
        self.asgi: ASGI = _not_yet
        self.streams = streams
        self.metrics = metrics
        self._ready = asyncio.Event()
        self._done: set[str] = set()  # hooks that have ended
        self.checks = Checks(api, self._done, lambda: aggregator.is_registered)
        self._announcing: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """One ASGI exchange."""
        await self.asgi(scope, receive, send)

    async def run(self) -> None:
        """Keep the cache, make the first objects, keep up what needs it; for ever. Ends by being cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.api.cache.run())
            await self.api.cache.wait_until(1)
            await self._bootstrap()
            self.api.catch_up()
            tasks.create_task(self._custom_resources.run())
            self._done.update(HOOKS)
            self._ready.set()
            tasks.create_task(self.aggregator.run())
            tasks.create_task(self.flow_control.run())
            tasks.create_task(policy_status.keep(self.api))
            self._announcing = tasks.create_task(endpoints.keep(self.api, self.options))
            if self.options.features.is_on("APIServerIdentity"):
                tasks.create_task(identity_lease.keep(self.api, self.options.hostname))
            tasks.create_task(upkeep.repair_services(self.api, self._services, self.options.repair_seconds))

    async def _bootstrap(self) -> None:
        """Make the first objects; again from the start where the store, or another server, came in between."""
        while True:
            try:
                await bootstrapping.ensure(self.api, self.options)
                await self.aggregator.register()
                await self.flow_control.start()
                await self.api.fresh()
            except (StorageError, ApiError) as error:
                log.warning("the first objects could not be made, trying again", error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    async def wait_ready(self) -> None:
        """Until the cache is filled and the first objects are there."""
        await self._ready.wait()

    def is_ready(self) -> bool:
        """Whether requests find a complete server."""
        return self._ready.is_set()

    async def leave(self) -> None:
        """Tell clients and the other servers that this one goes: it is not ready any more, nor among the endpoints."""
        self.checks.is_leaving = True
        if self._announcing is not None:
            self._announcing.cancel()
        await endpoints.leave(self.api, self.options)

    def end_streams(self) -> None:
        """End every watch as if its time were up, and break off what else takes its time (exec, logs, proxies)."""
        for watching in list(self.api.watches):
            watching.end()
        for task in list(self.streams):
            task.cancel()


def _not_yet(_scope: Any, _receive: Receive, _send: Send) -> Awaitable[None]:
    raise AssertionError("the app is not put together yet")


async def _modify_quota(api: Api, namespace: str, name: str, change: Callable[[Json], Json]) -> None:
    resource = api.registry.of(k.RESOURCEQUOTAS)
    rules, now = managing.ownership(resource, "status"), times.rfc3339(api.clock())

    def managed(tree: Json) -> Json:
        new = change(tree)
        if new is tree:
            return tree
        found = rules.update(tree, new, internal.MANAGER, now)
        return managing.with_entries({**new, "metadata": {**new["metadata"]}}, found)

    await raw.modify(api, resource, resource.stored.storage_key(namespace, name), managed)


def create_app(
    storage: Storage,
    options: Options = _NO_OPTIONS,
    *,
    clock: Callable[[], float],
    random: Random,
    authenticator: Authenticates | None = None,
    decode: Decode = no_protobuf,
    work: Callable[[], float] | None = None,
) -> App:
    """An API server over a store. `authenticator` replaces the real one (`Administrators()` in a simulation).

    `work` counts the seconds in which the server had the processor; where it is not given, all that pass count.
    """
    cache = WatchCache(storage, decode=decode, work=work or clock)
    lookup = CacheLookup(cache)
    api = Api(
        storage=storage,
        cache=cache,
        registry=Registry(),
        lookup=lookup,
        clock=clock,
        random=random,
        decode=decode,
        begins_watches=options.features.is_on("WatchList"),
    )
    authorizer = authorization.create(
        lookup,
        modes=options.authorization_modes,
        rbac_version=ChangeCounter(cache, _RBAC_KINDS),
        pods=PodFeed(cache),
    )
    api.authorize = authorizer.authorize
    webhooks = dynamics.webhook_client(api)
    api.admission = _admission(api, options, authorizer.authorize, webhooks)
    real = identity.authenticator(options, lookup, clock, legacy_tokens.Uses(api).note)
    services = upkeep.service_allocator(api, options)
    parts = catalog.Parts(
        authenticator=real,
        authorizer=authorizer,
        issuer=identity.issuer(options),
        kubelet=KubeletClientConfig(options.kubelet_certificate, options.kubelet_key, options.kubelet_ca),
        services=services,
    )
    for resource in catalog.resources(api, parts, (*k.KINDS, *options.more_kinds)):
        api.registry.add(resource)
    discovery = _discovery(api, options)
    front_proxy = ProxyIdentity(options.proxy_client_certificate, options.proxy_client_key)
    aggregator = Aggregator(api, discovery, front_proxy, by_endpoints=options.aggregator_routing)
    fairness = Fairness(api, reads=options.max_reads, writes=options.max_writes)
    metrics = metrics_of(api, options, fairness, aggregator)
    server = Server(
        authenticator=authenticator or real,
        authorizer=authorizer,
        metrics=metrics,
        fairness=fairness,
        clock=clock,
        new_id=api.new_uid,
        fresh=api.fresh,
        audits=options.audit,
        aggregates=aggregator.answer,
    )
    custom_resources = CustomResources(api, discovery, conversion.converters(webhooks, api.new_uid))
    api.catch_up = custom_resources.catch_up
    app = App(api, options, services, fairness, custom_resources, aggregator, server.streams, metrics)
    discovery.others = app.checks.paths()
    health = health_app(app.checks.ready, live=app.checks.alive, healthy=app.checks.alive, families=metrics.families)
    app.asgi = pipeline(server, answering(Dispatcher(api), shell(discovery, health, fairness, clock)))
    return app


def _admission(
    api: Api,
    options: Options,
    authorize: Callable[[Attributes], Decision],
    webhooks: WebhookClient,
) -> Chain:
    return admission.chain(
        enable=options.admission_enabled,
        disable=options.admission_disabled,
        random=api.random,
        authorize=authorize,
        fresh=api.fresh,
        accounts=admission.Accounts(partial(_modify_quota, api), api.clock),
        dynamic=dynamics.dynamic(
            api,
            authorize,
            webhooks,
            mutating_policies=options.features.is_on("MutatingAdmissionPolicy"),
        ),
    )


def _discovery(api: Api, options: Options) -> Discovery:
    return Discovery(
        api.registry.kinds(),
        address=options.address,
        fixed=identity.documents(options),
        with_enums=options.features.is_on("OpenAPIEnums"),
        with_hashes=options.features.is_on("StorageVersionHash"),
    )

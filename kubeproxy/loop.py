"""The loop of kube-proxy: waits for a change, computes the rules, applies what differs.

Guarantees: the tables follow the caches within `MIN_INTERVAL` seconds plus the time of one restore; a refused restore
is tried again as a whole; a flush by somebody else is noticed within `CANARY_INTERVAL` seconds and mended by a full
restore. Nothing is programmed before both caches hold a first list, so that a restart never drops a service.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from apimachinery import times
from apimachinery.kinds import ENDPOINTSLICES, SERVICES
from apimachinery.objects.core_v1 import Service
from apimachinery.objects.discovery_v1 import EndpointSlice
from client.cache import Cache
from client.client import Client
from kubeproxy import conntrack, iptables, metrics, rules
from kubeproxy.model import ServicePort, service_ports
from kubeproxy.rules import Chains, Config

MIN_INTERVAL = 0.1
CANARY_INTERVAL = 10.0
RETRY = 1.0

_log = structlog.get_logger("kubeproxy")
#: When what an EndpointSlice says had begun to be true: set by the controller that writes it.
_TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"


@dataclass
class Applied:
    """What the kernel holds as far as we know; None where that is unknown and a full restore is due."""

    chains: Chains | None = None
    ports: Sequence[ServicePort] = ()


class Proxy:
    """kube-proxy on one node. `run` serves until it is cancelled."""

    def __init__(self, client: Client, *, node: str, config: Config, clock: Callable[[], float] = time.time) -> None:
        self.node = node
        self.config = config
        self.clock = clock
        self.last_sync = 0.0
        self.services = Cache(client, SERVICES, Service)
        self.slices = Cache(client, ENDPOINTSLICES, EndpointSlice)
        self._changed = asyncio.Event()
        self._applied = Applied()
        self._triggers: list[float] = []  # of the endpoints that changed since the rules were in place

    async def run(self) -> None:
        """Follows the caches for ever."""
        async with asyncio.TaskGroup() as tasks:
            self.services.subscribe(self._service_changed)
            self.slices.subscribe(self._slice_changed)
            for cache in (self.services, self.slices):
                tasks.create_task(cache.run())
            await self.services.wait_synced()
            await self.slices.wait_synced()
            tasks.create_task(self._watch_canaries())
            while True:
                self._changed.clear()
                await self._try_sync()
                await asyncio.sleep(MIN_INTERVAL)
                await self._changed.wait()

    def _service_changed(self, _old: Service | None, _new: Service | None) -> None:
        metrics.SERVICE_CHANGES.of().value += 1
        metrics.SERVICE_PENDING.of().value += 1
        self._outdated()

    def _slice_changed(self, _old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        metrics.ENDPOINT_CHANGES.of().value += 1
        metrics.ENDPOINT_PENDING.of().value += 1
        trigger = new.metadata.annotations.get(_TRIGGER, "") if new is not None else ""
        if trigger and self.last_sync:  # what there was when we began tells nothing of how quick we are
            with contextlib.suppress(ValueError):
                self._triggers.append(times.parse(trigger))
        self._outdated()

    def _outdated(self) -> None:
        metrics.QUEUED.of().value = self.clock()
        self._changed.set()

    async def is_healthy(self) -> None:
        """Raises unless the rules have been in place once."""
        if not self.last_sync:
            message = "the rules have not been programmed yet"
            raise RuntimeError(message)

    async def _try_sync(self) -> None:
        try:
            await self._sync()
        except (iptables.RulesRefused, OSError) as error:
            metrics.FAILURES.of().value += 1
            metrics.PARTIAL_FAILURES.of().value += self._applied.chains is not None
            _log.error("rules refused", error=str(error))
            self._applied = Applied(None, self._applied.ports)
            await asyncio.sleep(RETRY)
            self._changed.set()

    async def _sync(self) -> None:
        began, before, triggers = time.perf_counter(), self._applied.chains, self._triggers
        self._triggers = []
        metrics.SERVICE_PENDING.of().value = metrics.ENDPOINT_PENDING.of().value = 0
        ports = service_ports(self.services.list(), self.slices.list(), self.node)
        wanted = rules.chains(ports, self.config)
        if self._applied.chains is None:
            await iptables.restore(rules.full(wanted))
            iptables.ensure_jumps(self.config.prefix)
            iptables.ensure_canaries(self.config.prefix)
        elif text := rules.delta(self._applied.chains, wanted):
            await iptables.restore(text)
        await conntrack.forget(conntrack.stale(self._applied.ports, ports))
        self._applied = Applied(wanted, ports)
        self.last_sync = self.clock()
        self._count(before, wanted, time.perf_counter() - began, triggers)

    def _count(self, before: Chains | None, now: Chains, seconds: float, triggers: Sequence[float]) -> None:
        metrics.SYNC.of().add(seconds)
        (metrics.FULL if before is None else metrics.PARTIAL).of().add(seconds)
        metrics.LAST.of().value = self.last_sync
        for trigger in triggers:
            metrics.PROGRAMMED.of().add(max(0.0, self.last_sync - trigger))
        for table in ("filter", "nat"):
            rows = {key: rules for key, rules in now.items() if key[0] == table}
            metrics.RULES.of(table).value = sum(map(len, rows.values()))
            written = rows if before is None else {k: v for k, v in rows.items() if before.get(k) != v}
            metrics.WRITTEN.of(table).value = sum(map(len, written.values()))

    async def _watch_canaries(self) -> None:
        while True:
            await asyncio.sleep(CANARY_INTERVAL)
            if self._applied.chains is not None and not iptables.has_canaries(self.config.prefix):
                _log.warning("somebody flushed the tables; writing every rule anew")
                self._applied = Applied(None, self._applied.ports)
                self._changed.set()


async def run_until(stop: asyncio.Event, proxy: Proxy) -> None:
    """Runs the proxy until `stop` is set."""
    running = asyncio.ensure_future(proxy.run())
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait((running, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running

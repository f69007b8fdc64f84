"""Leader election by a Lease: of several candidates one works, and another takes over when it stops renewing.

Clocks of different machines are never compared: a candidate counts the lease's duration from when *it* saw the record
change last. A leader that cannot renew for `renew_deadline` stops before others may start (its work is cancelled), so
two never lead at once. Leaving in peace releases the lease, so that the next need not wait.
Source: client-go/tools/leaderelection/leaderelection.go.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import structlog

from apimachinery.errors import ApiError
from apimachinery.kinds import LEASES
from apimachinery.types import Json
from client.client import Client, Unreachable
from client.events import NORMAL, EventRecorder, reference
from client.metrics import IS_LEADER

#: Seconds between attempts while no server answers: asking costs it nothing, and whoever waits is idle.
UNREACHABLE_RETRY = 0.5

_log = structlog.get_logger("client.lease")


class LeadershipLost(Exception):
    """Somebody else leads now, or the server could not be reached in time: stop."""


class LeaderElection:
    """One candidate for one lease."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        name: str,
        identity: str,
        *,
        duration: float = 15.0,
        renew_deadline: float = 10.0,
        retry: float = 2.0,
        clock: Callable[[], float] = time.time,
        random: Callable[[], float] = random.random,
        recorder: EventRecorder | None = None,
    ) -> None:
        self._client, self._namespace, self._name, self._identity = client, namespace, name, identity
        self._duration, self._renew_deadline, self._retry = duration, renew_deadline, retry
        self._clock, self._random = clock, random
        self._recorder = recorder
        self._observed: Json = {}
        self._about: Json = {}  # the lease, as an event refers to it
        self._observed_at = 0.0
        self._unreachable = False
        self._leads = IS_LEADER.labels(name)

    @property
    def holder(self) -> str:
        """Who led when the lease was last read."""
        return str(self._observed.get("holderIdentity") or "")

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Wait to become the leader, then `lead` while renewing; raises LeadershipLost when that ends."""
        await self.acquire()
        lost = None
        try:
            async with asyncio.TaskGroup() as tasks:
                renewing = tasks.create_task(self._renew())
                await lead()
                renewing.cancel()
        except* LeadershipLost as group:
            lost = group  # raised below: Python 3.11.2 wraps in a group what is raised here (gh-103590)
        finally:
            self._leads.set(0)
            if self.holder == self._identity:
                await asyncio.shield(self.release())
        if lost is not None:
            raise LeadershipLost(str(lost.exceptions[0])) from lost

    async def acquire(self) -> None:
        """Return once we lead."""
        while not await self._attempt():
            pause = UNREACHABLE_RETRY if self._unreachable else self._retry
            await asyncio.sleep(pause * (1 + 1.2 * self._random()))
        self._leads.set(1)
        _log.info("became leader", lease=self._name, identity=self._identity)
        if self._recorder is not None:
            self._recorder.event(self._about, NORMAL, "LeaderElection", f"{self._identity} became leader")

    async def release(self) -> None:
        """Give the lease up, so that another candidate can take it at once."""
        try:
            lease = await self._client.get(LEASES, self._namespace, self._name)
            if lease["spec"].get("holderIdentity") == self._identity:
                now = _micro(self._clock())
                lease["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": now, "acquireTime": now}
                await self._client.replace(LEASES, lease)
        except ApiError as error:
            _log.warning("lease not released", lease=self._name, error=str(error))

    async def _renew(self) -> None:
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while True:
            await asyncio.sleep(self._retry)
            try:
                async with asyncio.timeout_at(renewed + self._renew_deadline):
                    while not await self._attempt():
                        if self.holder not in ("", self._identity):
                            raise LeadershipLost(f"{self.holder} leads now")
                        await asyncio.sleep(self._retry)
            except TimeoutError:
                raise LeadershipLost(f"lease {self._name} not renewed in {self._renew_deadline:g} s") from None
            renewed = loop.time()

    async def _attempt(self) -> bool:
        """Try once to take or renew the lease."""
        self._unreachable = False
        try:
            lease = await self._current()
            if lease is None:
                lease = await self._client.create(LEASES, self._made(), namespace=self._namespace)
            elif self._free():
                lease["spec"] = self._spec(lease.get("spec") or {})
                lease = await self._client.replace(LEASES, lease)
            else:
                return False
        except ApiError as error:
            self._unreachable = isinstance(error, Unreachable)
            if error.code != 409:  # somebody was faster
                _log.warning("lease not taken", lease=self._name, error=str(error))
            return False
        self._observe(lease)
        self._about = reference(lease, kind=LEASES.kind, api_version=LEASES.api_version)
        return True

    async def _current(self) -> Json | None:
        try:
            lease = await self._client.get(LEASES, self._namespace, self._name)
        except ApiError as error:
            if error.code == 404:
                return None
            raise
        self._observe(lease)
        return lease

    def _observe(self, lease: Json) -> None:
        if lease.get("spec") != self._observed:
            self._observed, self._observed_at = lease.get("spec") or {}, asyncio.get_running_loop().time()

    def _free(self) -> bool:
        if self.holder in ("", self._identity):
            return True
        duration = float(self._observed.get("leaseDurationSeconds") or self._duration)
        return asyncio.get_running_loop().time() > self._observed_at + duration

    def _made(self) -> Json:
        return {"metadata": {"name": self._name, "namespace": self._namespace}, "spec": self._spec({})}

    def _spec(self, old: Json) -> Json:
        now = _micro(self._clock())
        spec = {**old, "holderIdentity": self._identity, "leaseDurationSeconds": int(self._duration), "renewTime": now}
        if old.get("holderIdentity") != self._identity:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = (old.get("leaseTransitions") or 0) + bool(old)
        return spec


def _micro(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1e6):06d}Z"

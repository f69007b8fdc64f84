"""The word of systemd's logind that the machine goes down: it waits for the pods' end, and tells when to begin.

Nothing is asked for where no grace period is configured, or where systemd is not init: then a shutdown ends containers
as it ends all else. One that is called off makes the node take pods again.
Source: pkg/kubelet/nodeshutdown/nodeshutdown_manager_linux.go (start).
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from jeepney import DBusErrorResponse, MatchRule, Properties, message_bus
from jeepney.io.asyncio import DBusRouter, Proxy, open_dbus_router
from jeepney.io.common import RouterClosed

from kubelet import systemd
from kubelet.threads import in_thread

log = structlog.get_logger("kubelet.shutdown")

_AGAIN = 30.0  # seconds until it is tried anew where the bus ended
_ASK = 60.0  # seconds without a signal until the bus is asked whether it is there
_ANSWER = 10.0
_ENDS = (OSError, EOFError, KeyError, ValueError, RuntimeError, RouterClosed, DBusErrorResponse)
_RULE = MatchRule(
    type="signal",
    interface="org.freedesktop.login1.Manager",
    member="PrepareForShutdown",
    path="/org/freedesktop/login1",
)


@dataclass
class Logind:
    """Holds a delay of `seconds`; sets `begun`, and clears it when a shutdown is called off."""

    seconds: float
    begun: asyncio.Event
    tell: Callable[[str], None]
    ask: float = _ASK
    again: float = _AGAIN
    _delay: systemd.Delay | None = None

    async def run(self) -> None:
        if not self.seconds or not systemd.is_running():
            return
        while True:
            try:
                await self._watch()
            except _ENDS as error:
                log.warning("cannot hear of a shutdown from logind", error=str(error))
            if not self.begun.is_set():  # else the pods are about to end: who released now would not wait for them
                self.release()
            await asyncio.sleep(self.again)

    async def _watch(self) -> None:
        async with open_dbus_router("SYSTEM") as router:
            with router.filter(_RULE, bufsize=8) as signals:
                await Proxy(message_bus, router).AddMatch(_RULE)
                if self.begun.is_set() and not await _shuts_down(router):  # called off while nobody listened
                    await self._take(begins=False)
                elif self._delay is None:
                    self._delay = await in_thread(systemd.delay_shutdown, self.seconds)
                log.info("a shutdown waits for the pods", seconds=self.seconds)
                while True:
                    (begins,) = (await self._next(signals, router)).body
                    await self._take(begins=begins)

    async def _take(self, *, begins: bool) -> None:
        self.tell(f"Shutdown manager detected shutdown {'event' if begins else 'cancellation'}")
        if begins:
            self.begun.set()
            return
        self.begun.clear()
        self.release()
        self._delay = await in_thread(systemd.delay_shutdown, self.seconds)

    async def _next(self, signals: asyncio.Queue[Any], router: DBusRouter) -> Any:
        """The next signal. Who waits for one does not hear of the connection's end: the bus is asked now and then."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.ask):
                    return await signals.get()
            async with asyncio.timeout(_ANSWER):
                await Proxy(message_bus, router).GetId()

    def release(self) -> None:
        """The pods have ended: the machine may go down."""
        delay, self._delay = self._delay, None
        if delay is not None:
            delay.end()


async def _shuts_down(router: DBusRouter) -> bool:
    """What logind itself says of it."""
    ((_, preparing),) = await Proxy(Properties(systemd.LOGIND), router).get("PreparingForShutdown")
    return bool(preparing)

"""What the kubelet asks of systemd and logind over D-Bus: slices with limits, and time before the machine goes down.

Blocking, a few milliseconds a question: called from threads. Each question has a connection of its own, so that nothing
is held over a restart of the bus. Whatever goes wrong is an OSError, as with the cgroup files that this stands for.
Sources: org.freedesktop.systemd1(5), org.freedesktop.login1(5), pkg/kubelet/nodeshutdown/systemd/inhibit_linux.go.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jeepney import DBusAddress, HeaderFields, MessageType, Properties, new_method_call
from jeepney.io.blocking import DBusConnection, open_dbus_connection

from kubelet.pods.slices import Property

_SYSTEMD = DBusAddress("/org/freedesktop/systemd1", "org.freedesktop.systemd1", "org.freedesktop.systemd1.Manager")
LOGIND = DBusAddress("/org/freedesktop/login1", "org.freedesktop.login1", "org.freedesktop.login1.Manager")
_EXISTS = "org.freedesktop.systemd1.UnitExists"
_UNKNOWN = "org.freedesktop.systemd1.NoSuchUnit"
_PATIENCE = 10.0
_OVERRIDE = Path("/etc/systemd/logind.conf.d/99-kubelet.conf")
_SIGHUP = 1


class SystemdError(OSError):
    """Systemd or logind refused; `name` is the error's name on the bus."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{text} ({name})")
        self.name = name


def is_running() -> bool:
    """Whether systemd is this machine's init (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


def keep_slice(name: str, wanted: Iterable[Property]) -> None:
    """The slice with these limits: made where it is missing, changed where it is there."""
    limits = list(wanted)
    accounts: list[tuple[str, tuple[str, Any]]] = [
        (f"{kind}Accounting", ("b", True)) for kind in ("CPU", "Memory", "Tasks", "IO")
    ]
    transient = [("DefaultDependencies", ("b", False)), *accounts, *limits]
    try:
        _ask(_SYSTEMD, "StartTransientUnit", "ssa(sv)a(sa(sv))", (name, "replace", transient, []))
    except SystemdError as error:
        if error.name != _EXISTS:
            raise
        set_properties(name, limits)


def set_properties(unit: str, wanted: Iterable[Property]) -> None:
    """Until the unit ends, or the machine."""
    _ask(_SYSTEMD, "SetUnitProperties", "sba(sv)", (unit, True, list(wanted)))


def stop_slice(name: str) -> None:
    """The slice with all below it; whoever asks has seen that no process is in it."""
    try:
        _ask(_SYSTEMD, "StopUnit", "ss", (name, "replace"))
    except SystemdError as error:
        if error.name != _UNKNOWN:
            raise


def _ask(whom: DBusAddress, method: str, signature: str = "", body: tuple[Any, ...] = ()) -> tuple[Any, ...]:
    with _connection() as bus:
        return _answer(bus, new_method_call(whom, method, signature or None, body))


def _connection(*, with_files: bool = False) -> DBusConnection:
    try:
        return open_dbus_connection("SYSTEM", enable_fds=with_files)
    except (KeyError, ValueError, RuntimeError) as error:
        raise OSError(f"the system bus cannot be used: {error}") from error


def _answer(bus: DBusConnection, message: Any) -> tuple[Any, ...]:
    try:
        reply = bus.send_and_get_reply(message, timeout=_PATIENCE)
    except TimeoutError as error:
        raise OSError("systemd did not answer in time") from error
    if reply.header.message_type is MessageType.error:
        raise SystemdError(
            str(reply.header.fields.get(HeaderFields.error_name, "")), str(reply.body[0] if reply.body else "refused")
        )
    found: tuple[Any, ...] = reply.body
    return found


@dataclass(frozen=True)
class Delay:
    """logind waits with a shutdown while `descriptor` is open."""

    descriptor: int

    def end(self) -> None:
        os.close(self.descriptor)


def delay_shutdown(seconds: float) -> Delay:
    """Take logind's word that a shutdown waits for us, for so long; where it would wait less, tell it to wait longer.

    OSError where it does not agree.
    """
    if _longest_delay() < seconds:
        _OVERRIDE.parent.mkdir(parents=True, exist_ok=True)
        _OVERRIDE.write_text(f"# Kubelet logind override\n[Login]\nInhibitDelayMaxSec={seconds:.0f}\n")
        _ask(_SYSTEMD, "KillUnit", "ssi", ("systemd-logind.service", "all", _SIGHUP))
        if (now := _longest_delay()) < seconds:
            raise OSError(f"logind waits {now:.0f} s with a shutdown, and shutdownGracePeriod is {seconds:.0f} s")
    why = ("shutdown", "kubelet", "Kubelet needs time to handle node shutdown", "delay")
    with _connection(with_files=True) as bus:
        (held,) = _answer(bus, new_method_call(LOGIND, "Inhibit", "ssss", why))
        return Delay(held.to_raw_fd())


def _longest_delay() -> float:
    with _connection() as bus:
        ((_, microseconds),) = _answer(bus, Properties(LOGIND).get("InhibitDelayMaxUSec"))
    return float(microseconds) / 1_000_000

"""Which sandbox has which address: one small file per address, as CNI's host-local plugin keeps them.

The file system is the only memory: creating the file is the reservation (it fails when the file is there), so two
processes never give one address twice and nothing is forgotten by a crash. The next address is looked for after the
last one given, so that an address rests as long as it can before it comes back.
"""

import contextlib
import ipaddress
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from kubelet.network.protocol import HostPort, NetworkError


class _Record(msgspec.Struct, frozen=True):
    sandbox: str
    ports: tuple[HostPort, ...] = ()


@dataclass(frozen=True, slots=True)
class Reservation:
    address: str
    sandbox: str
    ports: Sequence[HostPort]


class Addresses:
    """The reservations of one node, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> Sequence[Reservation]:
        if not self._folder.is_dir():
            return []
        found = []
        for file in sorted(self._folder.iterdir()):
            if file.name.startswith((".", "last")):
                continue
            record = _read(file)
            if record is not None:
                found.append(Reservation(file.name, record.sandbox, record.ports))
        return found

    def of(self, sandbox: str) -> Reservation | None:
        return next((r for r in self.all() if r.sandbox == sandbox), None)

    def reserve(self, cidr: str, sandbox: str, ports: Sequence[HostPort] = ()) -> str:
        """A free address of the CIDR, now the sandbox's; the one it has already where it has one."""
        network = ipaddress.ip_network(cidr)
        held = self.of(sandbox)
        if held is not None and ipaddress.ip_address(held.address) in network:
            return held.address
        self._folder.mkdir(parents=True, exist_ok=True)
        data = msgspec.json.encode(_Record(sandbox, tuple(ports)))
        for address in _after(network, self._last()):
            if self._claim(address, data):
                with contextlib.suppress(OSError):  # only where to look first
                    (self._folder / "last").write_text(address)
                return address
        raise NetworkError(f"no IP addresses available in range set: {cidr}")

    def _claim(self, address: str, data: bytes) -> bool:
        """Whether the address was free. The file appears with its content, or not at all."""
        draft = self._folder / f".{address}.{os.getpid()}"
        try:
            draft.write_bytes(data)
            os.link(draft, self._folder / address)
        except FileExistsError:
            return False
        finally:
            draft.unlink(missing_ok=True)
        return True

    def _last(self) -> str:
        try:
            return (self._folder / "last").read_text()
        except FileNotFoundError:
            return ""

    def release(self, address: str) -> None:
        (self._folder / address).unlink(missing_ok=True)


def _read(file: Path) -> _Record | None:
    """A reservation; None where it was just released, or where a crash of the machine left rubbish."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Record)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def gateway(cidr: str) -> str:
    """The bridge's own address: the first of the CIDR."""
    return str(ipaddress.ip_network(cidr).network_address + 1)


def _after(network: ipaddress.IPv4Network | ipaddress.IPv6Network, last: str) -> Iterator[str]:
    """Every address for pods, once, beginning after `last`. Network, gateway and broadcast are left out."""
    first, size = int(network.network_address), network.num_addresses
    usable = size - 3
    try:
        start = int(ipaddress.ip_address(last)) - first - 1 if last else 0
    except ValueError:
        start = 0
    for step in range(usable):
        yield str(ipaddress.ip_address(first + 2 + (start + step) % usable))

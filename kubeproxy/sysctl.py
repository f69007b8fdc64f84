"""Kernel settings that services need, with the values they had before, so that they can be given back."""

from pathlib import Path

import msgspec

#: Node ports must answer on 127.0.0.1 too (upstream's --iptables-localhost-nodeports, on by default).
WANTED = {"net/ipv4/conf/all/route_localnet": "1"}


def apply(record: Path) -> None:
    """Sets what is wanted; the values found at the first time are kept in `record`."""
    before = _recorded(record)
    for name, value in WANTED.items():
        file = Path("/proc/sys") / name
        before.setdefault(name, file.read_text().strip())
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_bytes(msgspec.json.encode(before))
        if file.read_text().strip() != value:
            file.write_text(value)


def restore(record: Path) -> None:
    """Gives back what `apply` found."""
    for name, value in _recorded(record).items():
        (Path("/proc/sys") / name).write_text(value)
    record.unlink(missing_ok=True)


def _recorded(record: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode(record.read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}

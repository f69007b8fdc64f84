"""Kernel settings that pods' traffic needs, with what they were before written down so that `down` can restore them."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec

_PROC = Path("/proc/sys")

#: Forwarding between pods and the world; bridged packets through iptables (Services between pods of one node).
NEEDED: Mapping[str, str] = {
    "net/ipv4/ip_forward": "1",
    "net/bridge/bridge-nf-call-iptables": "1",
}


def require(wanted: Mapping[str, str], record: Path) -> list[str]:
    """Set what differs, after noting its old value; the names that this kernel does not have."""
    before: dict[str, str] = _recorded(record)
    missing = []
    for name, value in wanted.items():
        file = _PROC / name
        if not file.exists() and name.startswith("net/bridge/"):
            subprocess.run(["modprobe", "br_netfilter"], check=False, capture_output=True)
        if not file.exists():
            missing.append(name)
            continue
        current = file.read_text().strip()
        if current != value:
            before.setdefault(name, current)
            record.parent.mkdir(parents=True, exist_ok=True)
            record.write_bytes(msgspec.json.encode(before))  # first the note, then the deed
            file.write_text(value)
    return missing


def restore(record: Path) -> None:
    """Every setting as it was before the first `require`."""
    for name, value in _recorded(record).items():
        file = _PROC / name
        if file.exists():
            file.write_text(value)
    record.unlink(missing_ok=True)


def _recorded(record: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode(record.read_bytes(), type=dict[str, str])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}

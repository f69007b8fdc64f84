"""What a pod's author should hear about of its ports: those that are there twice, or nearly.

Source: pkg/api/pod/warnings.go.
"""

from collections.abc import Iterator, Sequence

from apimachinery.errors import go_quoted
from apimachinery.types import Json

_Found = tuple[str, Json]  # where a container is, or a port, and what is there


def of_ports(containers: Sequence[_Found]) -> Iterator[str]:
    """Of all ports of all containers."""
    seen: dict[tuple[int, str], list[_Found]] = {}
    for path, container in containers:
        for i, entry in enumerate(container.get("ports") or ()):
            here = f"{path}.ports[{i}]"
            if entry.get("hostIP") and not entry.get("hostPort"):
                yield f"{here}: hostIP set without hostPort: {_as_go_shows(entry)}"
            others = seen.setdefault((entry.get("containerPort", 0), entry.get("protocol", "")), [])
            for where, other in others:
                how = _clash(entry, other)
                if how:
                    yield f"{here}: {how} port definition with {where}"
            others.append((here, entry))
    yield from _names(containers)


def _clash(entry: Json, other: Json) -> str:
    """How far two ports of one number are the same."""
    (ip, port), (its_ip, its_port) = ((it.get("hostIP", ""), it.get("hostPort", 0)) for it in (entry, other))
    if (ip, port) == (its_ip, its_port):
        return "duplicate"
    if not port or not its_port:
        return "overlapping"
    return "dangerously ambiguous" if port == its_port and bool(ip) != bool(its_ip) else ""


def _names(containers: Sequence[_Found]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for path, container in containers:
        for i, entry in enumerate(container.get("ports") or ()):
            name, here = entry.get("name"), f"{path}.ports[{i}]"
            if not name:
                continue
            if name in seen:
                which = f"services and probes that select ports by name will use {seen[name]}"
                yield f"{here}: duplicate port name {go_quoted(name)} with {seen[name]}, {which}"
            else:
                seen[name] = here


def _as_go_shows(entry: Json) -> str:
    host, port = entry.get("hostPort", 0), entry.get("containerPort", 0)
    name, protocol, address = (entry.get(key, "") for key in ("name", "protocol", "hostIP"))
    return f"{{Name:{name} HostPort:{host} ContainerPort:{port} Protocol:{protocol} HostIP:{address}}}"

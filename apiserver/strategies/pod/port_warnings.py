"""What a pod's author should hear about of its ports: those that are there twice, or nearly.

Source: pkg/api/pod/warnings.go.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from heapq import merge
from operator import itemgetter

from apimachinery.errors import go_quoted
from apimachinery.types import Json

_Found = tuple[str, Json]  # where a container is, and the container
_Key = tuple[int | None, str | None]  # host port and host IP; None for any
_Numbered = tuple[int, str, Json]  # a port's place in the order, where it is, and the port


def of_ports(containers: Sequence[_Found]) -> Iterator[str]:
    """Of all ports of all containers."""
    seen: dict[tuple[int, str], _Seen] = {}
    for path, container in containers:
        for i, entry in enumerate(container.get("ports") or ()):
            here = f"{path}.ports[{i}]"
            if entry.get("hostIP") and not entry.get("hostPort"):
                yield f"{here}: hostIP set without hostPort: {_as_go_shows(entry)}"
            others = seen.setdefault((entry.get("containerPort", 0), entry.get("protocol", "")), _Seen())
            for _, where, other in others.clashing(entry):
                yield f"{here}: {_clash(entry, other)} port definition with {where}"
            others.add(here, entry)
    yield from _names(containers)


class _Seen:
    """The ports of one number, found by what clashes: to compare each with each would be quadratic."""

    def __init__(self) -> None:
        self._count = 0
        self._by: defaultdict[_Key, list[_Numbered]] = defaultdict(list)

    def add(self, path: str, entry: Json) -> None:
        self._count += 1
        ip, port = entry.get("hostIP", ""), entry.get("hostPort", 0)
        for key in ((None, None), (port, None), (port, ip)):
            self._by[key].append((self._count, path, entry))

    def clashing(self, entry: Json) -> Iterator[_Numbered]:
        """In the order in which they came."""
        ip, port = entry.get("hostIP", ""), entry.get("hostPort", 0)
        keys: tuple[_Key, ...] = ((None, None),)
        if port:
            keys = ((0, None), (port, ""), (port, ip)) if ip else ((0, None), (port, None))
        return merge(*(self._by[key] for key in keys if key in self._by), key=itemgetter(0))


def _clash(entry: Json, other: Json) -> str:
    """How far two ports of one number that clash are the same."""
    (ip, port), (its_ip, its_port) = ((it.get("hostIP", ""), it.get("hostPort", 0)) for it in (entry, other))
    if (ip, port) == (its_ip, its_port):
        return "duplicate"
    return "dangerously ambiguous" if port and its_port else "overlapping"


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

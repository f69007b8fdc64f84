"""Forgets UDP connections that the kernel would go on sending to where nobody listens any more.

TCP clients notice and connect anew; a UDP flow keeps its translation for as long as it talks. `stale` is pure and says
which entries to drop; `forget` runs conntrack. Source: pkg/proxy/conntrack/cleanup.go.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence

from kubeproxy.model import ServicePort


def stale(old: Iterable[ServicePort], new: Iterable[ServicePort]) -> list[tuple[str, ...]]:
    """The arguments of each `conntrack -D` that the change from `old` to `new` calls for."""
    now = {(port.key, port.protocol): port for port in new if port.protocol == "udp"}
    before = {(port.key, port.protocol): port for port in old if port.protocol == "udp"}
    commands: list[tuple[str, ...]] = []
    for key, was in before.items():
        is_now = now.get(key)
        remaining = {e.ip for e in is_now.cluster} if is_now and is_now.cluster_ip == was.cluster_ip else set()
        for endpoint in was.cluster:
            if endpoint.ip not in remaining:
                commands += [(*target, "--dst-nat", endpoint.ip) for target in _targets(was)]
    for key, port in now.items():
        if port.cluster and not (key in before and before[key].cluster):
            commands += list(_targets(port))  # flows that began before anybody answered
    return commands


def _targets(port: ServicePort) -> Iterator[tuple[str, ...]]:
    for address in (port.cluster_ip, *port.external_ips, *port.load_balancer_ips):
        yield ("--orig-dst", address)
    if port.node_port:
        yield ("--orig-port-dst", str(port.node_port))


async def forget(commands: Sequence[tuple[str, ...]]) -> None:
    """Drops the entries; that there were none is no error."""
    for command in commands:
        process = await asyncio.create_subprocess_exec(
            "conntrack",
            "-D",
            "-p",
            "udp",
            *command,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await process.wait()

"""The node's iptables rules for pods, as the text of an `iptables-restore --noflush`. Pure: same model, same bytes.

Three chains of our own, named by the cluster's prefix:

    P-POD-FORWARD    pods may send and receive (dockerd sets the FORWARD policy to DROP). Its jump stands at the END of
                     FORWARD, so that kube-proxy's rejects and other people's rules come first
    P-POD-MASQ       what leaves the pod network takes the node's address; pods see one another's own addresses
    P-POD-PORTS      hostPorts, as CNI's portmap does: DNAT, and masquerade where the answer would miss the way back
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kubelet.network.protocol import HostPort


@dataclass(frozen=True, slots=True)
class PortMapping:
    address: str
    port: HostPort


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """All the rules depend on."""

    prefix: str
    pod_cidr: str  # this node's
    other_cidrs: Sequence[str] = ()  # where pods of other nodes live
    ports: Sequence[PortMapping] = ()


@dataclass(frozen=True, slots=True)
class Jump:
    """A rule in a chain that is not ours, leading into one that is."""

    table: str
    chain: str
    rule: tuple[str, ...]


def _names(prefix: str) -> tuple[str, str, str]:
    return f"{prefix}-POD-FORWARD", f"{prefix}-POD-MASQ", f"{prefix}-POD-PORTS"


def jumps(prefix: str) -> Sequence[Jump]:
    forward, masq, ports = _names(prefix)
    local = ("-m", "addrtype", "--dst-type", "LOCAL", "-j", ports)
    return (
        Jump("filter", "FORWARD", ("-j", forward)),
        Jump("nat", "POSTROUTING", ("-j", masq)),
        Jump("nat", "PREROUTING", local),
        Jump("nat", "OUTPUT", local),
    )


def chains(prefix: str) -> Sequence[tuple[str, str]]:
    """(table, chain) of all that is ours."""
    forward, masq, ports = _names(prefix)
    return (("filter", forward), ("nat", masq), ("nat", ports))


def render(model: Model) -> str:
    """The whole text: each chain is emptied and filled in one step."""
    forward, masq, ports = _names(model.prefix)
    lines = ["*filter", f":{forward} - [0:0]"]
    lines += [f"-A {forward} -s {model.pod_cidr} -j ACCEPT", f"-A {forward} -d {model.pod_cidr} -j ACCEPT", "COMMIT"]
    lines += ["*nat", f":{masq} - [0:0]", f":{ports} - [0:0]"]
    mappings = sorted(model.ports, key=lambda m: (m.port.protocol, m.port.host_port, m.port.host_ip, m.address))
    for mapping in mappings:
        lines += _way_back(masq, mapping)
    lines.append(f"-A {masq} ! -s {model.pod_cidr} -j RETURN")
    for cidr in sorted({model.pod_cidr, *model.other_cidrs, "224.0.0.0/4"}):
        lines.append(f"-A {masq} -d {cidr} -j RETURN")
    lines.append(f"-A {masq} -j MASQUERADE")
    lines += [_dnat(ports, mapping) for mapping in mappings]
    return "\n".join([*lines, "COMMIT", ""])


def _way_back(chain: str, mapping: PortMapping) -> Iterator[str]:
    """From itself, and from the node's loopback: the answer would not come back the way the question went."""
    to = f"-d {mapping.address}/32 -p {mapping.port.protocol.lower()} --dport {mapping.port.container_port}"
    for source in (mapping.address, "127.0.0.1"):
        yield f"-A {chain} -s {source}/32 {to} -j MASQUERADE"


def _dnat(chain: str, mapping: PortMapping) -> str:
    port = mapping.port
    to = f" -d {port.host_ip}/32" if port.host_ip not in ("", "0.0.0.0") else ""  # noqa: S104 - a match, not a bind
    target = f"{mapping.address}:{port.container_port}"
    return f"-A {chain}{to} -p {port.protocol.lower()} --dport {port.host_port} -j DNAT --to-destination {target}"

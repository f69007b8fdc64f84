"""Service ports -> the chains of iptables, and two sets of chains -> the text of an iptables-restore.

Pure: the same service ports give the same bytes. Chains, marks and their order follow pkg/proxy/iptables/proxier.go,
with a prefix in front of every name, so that two clusters can share a machine's tables (upstream's KUBE for the main
one).

- `chains` is the model: every chain with its rules, in order.
- `full` renders a model from nothing; `delta` renders the difference of two: small chains are written anew, dispatch
  chains (one rule a service) get single -A and -D, so that a change among thousands of services stays cheap.
"""

import hashlib
from base64 import b32encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from kubeproxy.model import Endpoint, ServicePort

MASQUERADE_MARK = "0x4000"

#: (table, chain) -> its rules.
Chains: TypeAlias = Mapping[tuple[str, str], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Config:
    """What the rules depend on besides services: addresses of pods and services, and the prefix of our chains."""

    cluster_cidr: str
    prefix: str = "KUBE"
    service_cidr: str = ""  # "" where it is not known: then what no service takes goes where the machine's routes lead


#: Where the kernel enters our chains: table, built-in chain, our chain's suffix, conditions. Order matters.
JUMPS = (
    ("nat", "PREROUTING", "SERVICES", ""),
    ("nat", "OUTPUT", "SERVICES", ""),
    ("nat", "POSTROUTING", "POSTROUTING", ""),
    ("filter", "INPUT", "NODEPORTS", ""),
    ("filter", "INPUT", "EXTERNAL-SERVICES", "-m conntrack --ctstate NEW"),
    ("filter", "FORWARD", "FORWARD", ""),
    ("filter", "FORWARD", "SERVICES", "-m conntrack --ctstate NEW"),
    ("filter", "FORWARD", "EXTERNAL-SERVICES", "-m conntrack --ctstate NEW"),
    ("filter", "FORWARD", "CLUSTER-IPS", "-m conntrack --ctstate NEW"),
    ("filter", "OUTPUT", "SERVICES", "-m conntrack --ctstate NEW"),
    ("filter", "OUTPUT", "CLUSTER-IPS", "-m conntrack --ctstate NEW"),
)
#: Chains with a rule per service: changed rule by rule.
_DISPATCH = ("SERVICES", "NODEPORTS", "EXTERNAL-SERVICES")


def chain_name(prefix: str, kind: str, *parts: str) -> str:
    """`KUBE-SVC-` and sixteen characters of a hash of what it stands for, as upstream makes them."""
    digest = hashlib.sha256("".join(parts).encode()).digest()
    return f"{prefix}-{kind}-{b32encode(digest).decode()[:16]}"


def chains(ports: Iterable[ServicePort], config: Config) -> Chains:
    """Every chain of ours with its rules."""
    model: dict[tuple[str, str], list[str]] = {key: [] for key in _skeleton(config)}
    for key, rules in _skeleton(config).items():
        model[key] += rules
    for port in ports:
        for key, rule in _rules(port, config):
            model.setdefault(key, []).append(rule)
    return {key: tuple(rules) for key, rules in model.items()}


def _skeleton(config: Config) -> Mapping[tuple[str, str], list[str]]:
    """The chains that are there without any service."""
    prefix = config.prefix
    mark = f"{MASQUERADE_MARK}/{MASQUERADE_MARK}"
    return {
        ("nat", f"{prefix}-SERVICES"): [f"-m addrtype --dst-type LOCAL -j {prefix}-NODEPORTS"],
        ("nat", f"{prefix}-NODEPORTS"): [],
        ("nat", f"{prefix}-MARK-MASQ"): [f"-j MARK --or-mark {MASQUERADE_MARK}"],
        ("nat", f"{prefix}-POSTROUTING"): [
            f"-m mark ! --mark {mark} -j RETURN",
            f"-j MARK --xor-mark {MASQUERADE_MARK}",
            "-j MASQUERADE --random-fully",
        ],
        ("filter", f"{prefix}-NODEPORTS"): [],
        ("filter", f"{prefix}-SERVICES"): [],
        ("filter", f"{prefix}-EXTERNAL-SERVICES"): [],
        ("filter", f"{prefix}-CLUSTER-IPS"): _unclaimed(config),
        ("filter", f"{prefix}-FORWARD"): [
            "-m conntrack --ctstate INVALID -j DROP",
            f"-m mark --mark {mark} -j ACCEPT",
            "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        ],
    }


def _unclaimed(config: Config) -> list[str]:
    """What no service's rule has translated must not leave for the world beyond: the network there may well answer.

    Dropped, so that a client that is faster than our rules tries again. The cluster's DNS address lies on the loopback
    device. Source: pkg/proxy/nftables/proxier.go (cluster-ips-check); upstream's iptables mode lets it leave.
    """
    return [f"-d {config.service_cidr} ! -o lo -j DROP"] if config.service_cidr else []


def _rules(port: ServicePort, config: Config) -> Iterator[tuple[tuple[str, str], str]]:
    """The rules of one service port, each with the chain it belongs to."""
    prefix = config.prefix
    service, local, external = (chain_name(prefix, kind, port.key, port.protocol) for kind in ("SVC", "SVL", "EXT"))
    dispatch = ("nat", f"{prefix}-SERVICES")
    match = f"-d {port.cluster_ip}/32 {_port_match(port.protocol, port.port)}"
    internal = port.local if port.internal_local else port.cluster
    if internal:
        target = local if port.internal_local else service
        yield dispatch, f"{match} -j {target}"
        yield ("nat", target), f"! -s {config.cluster_cidr} {match} -j {prefix}-MARK-MASQ"
    else:
        verdict = "DROP" if port.internal_local and port.cluster else "REJECT"
        yield ("filter", f"{prefix}-SERVICES"), f"{match} -j {verdict}"
    yield from _external(port, config, service, local, external)
    if port.cluster and (not port.internal_local or _is_external(port)):
        yield from _balance(port, service, port.cluster, config)
    if port.local and (port.internal_local or (port.external_local and _is_external(port))):
        yield from _balance(port, local, port.local, config)
    yield from _endpoint_chains(port, config)
    if port.health_check_port:
        match = _port_match("tcp", port.health_check_port)
        yield ("filter", f"{prefix}-NODEPORTS"), f"{match} -j ACCEPT"


def _is_external(port: ServicePort) -> bool:
    return bool(port.node_port or port.external_ips or port.load_balancer_ips)


def _external(
    port: ServicePort, config: Config, service: str, local: str, external: str
) -> Iterator[tuple[tuple[str, str], str]]:
    """Traffic from outside: node ports, external addresses, load balancers' addresses."""
    if not _is_external(port):
        return
    prefix, wildcard = config.prefix, f"{config.prefix}-NODEPORTS"
    addresses = [f"-d {ip}/32 {_port_match(port.protocol, port.port)}" for ip in port.external_ips]
    balanced = [f"-d {ip}/32 {_port_match(port.protocol, port.port)}" for ip in port.load_balancer_ips]
    node = _port_match(port.protocol, port.node_port)
    if not port.cluster:
        outside = ("filter", f"{prefix}-EXTERNAL-SERVICES")
        for match in addresses + balanced:
            yield outside, f"{match} -j REJECT"
        if port.node_port:
            yield outside, f"-m addrtype --dst-type LOCAL {node} -j REJECT"
        return
    firewall = chain_name(prefix, "FW", port.key, port.protocol)
    for match in addresses:
        yield ("nat", f"{prefix}-SERVICES"), f"{match} -j {external}"
    for match in balanced:
        yield ("nat", f"{prefix}-SERVICES"), f"{match} -j {firewall if port.source_ranges else external}"
    if balanced and port.source_ranges:
        for source in port.source_ranges:
            yield ("nat", firewall), f"-s {source} -j {external}"
        for match in balanced:  # what no range let through was not translated: it dies here
            yield ("filter", f"{prefix}-EXTERNAL-SERVICES"), f"{match} -j DROP"
    if port.node_port:
        yield ("nat", wildcard), f"{node} -j {external}"
    yield from _external_chain(port, config, service, local, external)


def _external_chain(
    port: ServicePort, config: Config, service: str, local: str, external: str
) -> Iterator[tuple[tuple[str, str], str]]:
    chain, masquerade = ("nat", external), f"{config.prefix}-MARK-MASQ"
    if not port.external_local:
        yield chain, f"-j {masquerade}"
        yield chain, f"-j {service}"
        return
    # pods and the node itself may use every endpoint; others keep their address and reach local ones only
    yield chain, f"-s {config.cluster_cidr} -j {service}"
    yield chain, f"-m addrtype --src-type LOCAL -j {masquerade}"
    yield chain, f"-m addrtype --src-type LOCAL -j {service}"
    if port.local:
        yield chain, f"-j {local}"


def _balance(
    port: ServicePort, chain: str, endpoints: tuple[Endpoint, ...], config: Config
) -> Iterator[tuple[tuple[str, str], str]]:
    """An even choice among the endpoints; clients with affinity go where they went before."""
    names = [_endpoint_chain(port, endpoint, config) for endpoint in endpoints]
    if port.affinity_seconds:
        for name in names:
            seen = f"-m recent --name {name} --rcheck --seconds {port.affinity_seconds} --reap --rsource"
            yield ("nat", chain), f"{seen} -j {name}"
    for index, name in enumerate(names):
        left = len(names) - index
        chance = f"-m statistic --mode random --probability {1 / left:.10f} " if left > 1 else ""
        yield ("nat", chain), f"{chance}-j {name}"


def _endpoint_chain(port: ServicePort, endpoint: Endpoint, config: Config) -> str:
    return chain_name(config.prefix, "SEP", port.key, port.protocol, f"{endpoint.ip}:{endpoint.port}")


def _endpoint_chains(port: ServicePort, config: Config) -> Iterator[tuple[tuple[str, str], str]]:
    for endpoint in dict.fromkeys(port.cluster + port.local):
        name = _endpoint_chain(port, endpoint, config)
        # an endpoint that reaches itself through the service must see another address (hairpin)
        yield ("nat", name), f"-s {endpoint.ip}/32 -j {config.prefix}-MARK-MASQ"
        recent = f"-m recent --name {name} --set --rsource " if port.affinity_seconds else ""
        target = f"--to-destination {endpoint.ip}:{endpoint.port}"
        yield ("nat", name), f"-p {port.protocol} {recent}-m {port.protocol} -j DNAT {target}"


def _port_match(protocol: str, port: int) -> str:
    return f"-p {protocol} -m {protocol} --dport {port}"


def full(model: Chains) -> str:
    """The restore (with --noflush) that makes every chain of the model what it should be, whatever it was."""
    return _render(model, {}, {})


def delta(old: Chains, new: Chains) -> str:
    """The restore that turns `old` into `new`; empty when they are equal."""
    changed = {key: rules for key, rules in new.items() if old.get(key) != rules}
    gone = {key: rules for key, rules in old.items() if key not in new}
    return _render(changed, gone, old) if changed or gone else ""


def _render(changed: Chains, gone: Chains, old: Chains) -> str:
    lines: list[str] = []
    for table in ("filter", "nat"):
        here = {chain: rules for (name, chain), rules in changed.items() if name == table}
        dead = [chain for name, chain in gone if name == table]
        if not here and not dead:
            continue
        single = {c for c in here if c.split("-", 1)[1] in _DISPATCH and (table, c) in old}
        lines.append(f"*{table}")
        lines += [f":{chain} - [0:0]" for chain in (*(c for c in here if c not in single), *dead)]
        for chain in single:
            surplus = Counter(old[table, chain]) - Counter(here[chain])  # two services may have one rule alike
            lines += [f"-D {chain} {rule}" for rule in surplus.elements()]
        for chain, rules in here.items():
            missing = (Counter(rules) - Counter(old[table, chain])).elements() if chain in single else rules
            lines += [f"-A {chain} {rule}" for rule in missing]
        lines += [f"-X {chain}" for chain in dead]
        lines.append("COMMIT")
    return "".join(f"{line}\n" for line in lines)

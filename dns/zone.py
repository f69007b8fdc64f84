"""What the cluster's names mean: services and endpoint slices as one immutable snapshot of records.

Pure. Built anew when something changes; lookups are dictionary reads. The names are those of the Kubernetes DNS
specification 1.1.0: services, headless services, their endpoints, named ports (SRV), addresses (PTR), pods by address.
"""

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from apimachinery.objects.core_v1 import Service
from apimachinery.objects.discovery_v1 import EndpointSlice

SERVICE_NAME_LABEL = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True)
class Target:
    """What an SRV record points to."""

    port: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """Every name of the cluster. Names are lower case, fully qualified, without the last dot."""

    domain: str
    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    services: Mapping[str, tuple[Target, ...]] = field(default_factory=dict)
    #: An address -> the names it belongs to.
    pointers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: Names that exist only because longer ones do: they have no records, but they are no NXDOMAIN.
    empty: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()


def build(domain: str, services: Iterable[Service], slices: Iterable[EndpointSlice], namespaces: Iterable[str]) -> Zone:
    """The zone of a cluster as these objects make it."""
    builder = _Builder(domain)
    by_service = defaultdict(list)
    for endpoint_slice in slices:
        owner = endpoint_slice.metadata.labels.get(SERVICE_NAME_LABEL, "")
        by_service[endpoint_slice.metadata.namespace, owner].append(endpoint_slice)
    for service in services:
        builder.add(service, by_service[service.metadata.namespace, service.metadata.name])
    return builder.zone(namespaces)


class _Builder:
    def __init__(self, domain: str) -> None:
        self.domain = domain
        self.addresses: dict[str, list[str]] = defaultdict(list)
        self.services: dict[str, list[Target]] = defaultdict(list)
        self.pointers: dict[str, list[str]] = defaultdict(list)
        self.aliases: dict[str, str] = {}

    def add(self, service: Service, slices: Sequence[EndpointSlice]) -> None:
        name = f"{service.metadata.name}.{service.metadata.namespace}.svc.{self.domain}"
        spec = service.spec
        if spec.type == "ExternalName":
            self.aliases[name] = spec.external_name.rstrip(".").lower()
        elif spec.cluster_ip == "None":
            self._headless(name, slices)
        elif spec.cluster_ip:
            for address in spec.cluster_ips or (spec.cluster_ip,):
                self.addresses[name].append(address)
                self.pointers[address].append(name)
            for port in spec.ports:
                self._port(name, port.name, port.protocol, Target(port.port, name))

    def _headless(self, name: str, slices: Sequence[EndpointSlice]) -> None:
        for endpoint_slice in slices:
            for endpoint in endpoint_slice.endpoints:
                if endpoint.conditions and endpoint.conditions.ready is False:
                    continue
                for address in endpoint.addresses:
                    host = f"{endpoint.hostname or dashed(address)}.{name}"
                    self.addresses[name].append(address)
                    self.addresses[host].append(address)
                    self.pointers[address].append(host)
                    for port in endpoint_slice.ports:
                        self._port(name, port.name, port.protocol, Target(port.port or 0, host))

    def _port(self, name: str, port: str, protocol: str, target: Target) -> None:
        if port:
            self.services[f"_{port}._{(protocol or 'TCP').lower()}.{name}"].append(target)
        self.services[name].append(target)

    def zone(self, namespaces: Iterable[str]) -> Zone:
        known = frozenset(namespaces)
        names = {*self.addresses, *self.aliases, *self.services}
        parents = {self.domain, f"svc.{self.domain}", f"pod.{self.domain}"}
        for name in names:
            labels = name.removesuffix(f".{self.domain}").split(".")
            parents |= {f"{'.'.join(labels[i:])}.{self.domain}" for i in range(1, len(labels))}
        parents |= {f"{namespace}.{kind}.{self.domain}" for namespace in known for kind in ("svc", "pod")}
        return Zone(
            domain=self.domain,
            addresses=_frozen(self.addresses),
            aliases=self.aliases,
            services=_frozen(self.services),
            pointers=_frozen(self.pointers),
            empty=frozenset(parents - names),
            namespaces=known,
        )


def _frozen(lists: Mapping[str, list[str]] | Mapping[str, list[Target]]) -> Mapping[str, tuple]:  # type: ignore[type-arg]
    return {name: tuple(dict.fromkeys(values)) for name, values in lists.items()}


def dashed(address: str) -> str:
    """`10-244-0-7`: an address as a label."""
    return address.replace(".", "-").replace(":", "-")


def pod_address(zone: Zone, name: str) -> str | None:
    """The address that `10-244-0-7.NS.pod.DOMAIN` spells, None for every other name (CoreDNS' `pods insecure`)."""
    label, _, rest = name.partition(".")
    namespace = rest.removesuffix(f".pod.{zone.domain}")
    if namespace == rest or namespace not in zone.namespaces:
        return None
    try:
        return str(ipaddress.IPv4Address(label.replace("-", ".")))
    except ValueError:
        return None

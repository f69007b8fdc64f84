"""Which connections a node must translate: services and endpoint slices reduced to what the rules depend on.

Pure. One `ServicePort` for each port of each service that this proxy is responsible for, with the endpoints that may
take its traffic now. Headless and ExternalName services, and those another proxy answers for, have none.
Sources: pkg/proxy/serviceport.go, endpoints.go, topology.go (CategorizeEndpoints).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from apimachinery.objects.core_v1 import Service
from apimachinery.objects.core_v1 import ServicePort as ServicePortView
from apimachinery.objects.discovery_v1 import Endpoint as EndpointView
from apimachinery.objects.discovery_v1 import EndpointSlice

#: Services and endpoints that carry one of these are another proxy's, or nobody's.
ELSEWHERE_LABELS = frozenset({"service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"})
SERVICE_NAME_LABEL = "kubernetes.io/service-name"
LOCAL = "Local"


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """An address that takes traffic. `is_local`: its pod runs on this node."""

    ip: str
    port: int
    is_local: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePort:
    """One port of one service. `cluster` and `local` are the endpoints for the two traffic policies."""

    namespace: str
    name: str
    port_name: str
    protocol: str  # lower case, as iptables writes it
    port: int
    cluster_ip: str
    node_port: int = 0
    external_ips: tuple[str, ...] = ()
    load_balancer_ips: tuple[str, ...] = ()
    source_ranges: tuple[str, ...] = ()
    affinity_seconds: int = 0
    internal_local: bool = False
    external_local: bool = False
    health_check_port: int = 0
    cluster: tuple[Endpoint, ...] = ()
    local: tuple[Endpoint, ...] = ()

    @property
    def key(self) -> str:
        """`namespace/name:port`: how upstream calls it in comments and hashes."""
        suffix = f":{self.port_name}" if self.port_name else ""
        return f"{self.namespace}/{self.name}{suffix}"


def service_ports(services: Iterable[Service], slices: Iterable[EndpointSlice], node: str) -> tuple[ServicePort, ...]:
    """Every service port of the cluster as this node must serve it, sorted by key."""
    by_service = defaultdict(list)
    for endpoint_slice in slices:
        labels = endpoint_slice.metadata.labels
        service = None if ELSEWHERE_LABELS & labels.keys() else labels.get(SERVICE_NAME_LABEL)
        if service and endpoint_slice.address_type == "IPv4":
            by_service[endpoint_slice.metadata.namespace, service].append(endpoint_slice)
    ports = [
        _service_port(service, port, by_service[service.metadata.namespace, service.metadata.name], node)
        for service in services
        if is_ours(service)
        for port in service.spec.ports
    ]
    return tuple(sorted(ports, key=lambda p: (p.key, p.protocol)))


def is_ours(service: Service) -> bool:
    """Whether this proxy serves the service at all."""
    has_address = service.spec.cluster_ip not in ("", "None") and ":" not in service.spec.cluster_ip
    return has_address and service.spec.type != "ExternalName" and not ELSEWHERE_LABELS & service.metadata.labels.keys()


def _service_port(service: Service, port: ServicePortView, slices: Sequence[EndpointSlice], node: str) -> ServicePort:
    spec = service.spec
    ingress = service.status.load_balancer.ingress if service.status.load_balancer else ()
    cluster, local = _endpoints(port.name, port.protocol, slices, node)
    return ServicePort(
        namespace=service.metadata.namespace,
        name=service.metadata.name,
        port_name=port.name,
        protocol=(port.protocol or "TCP").lower(),
        port=port.port,
        cluster_ip=spec.cluster_ip,
        node_port=port.node_port or 0,
        external_ips=tuple(ip for ip in spec.external_ips if ":" not in ip),
        load_balancer_ips=tuple(i.ip for i in ingress if i.ip and ":" not in i.ip and i.ip_mode != "Proxy"),
        source_ranges=spec.load_balancer_source_ranges,
        affinity_seconds=_affinity(service),
        internal_local=spec.internal_traffic_policy == LOCAL,
        external_local=spec.external_traffic_policy == LOCAL,
        health_check_port=spec.health_check_node_port or 0,
        cluster=cluster,
        local=local,
    )


def _affinity(service: Service) -> int:
    if service.spec.session_affinity != "ClientIP":
        return 0
    config = service.spec.session_affinity_config
    seconds = config.client_ip.timeout_seconds if config and config.client_ip else None
    return seconds or 10800


def _endpoints(
    port_name: str, protocol: str, slices: Sequence[EndpointSlice], node: str
) -> tuple[tuple[Endpoint, ...], tuple[Endpoint, ...]]:
    """The endpoints for policy Cluster and for Local: the ready ones, else those still serving while they end."""
    found: dict[Endpoint, EndpointView] = {}
    for endpoint_slice in slices:
        for port in endpoint_slice.ports:
            if port.name == port_name and (port.protocol or "TCP") == (protocol or "TCP") and port.port:
                for endpoint in endpoint_slice.endpoints:
                    for address in endpoint.addresses[:1]:
                        found[Endpoint(address, port.port, endpoint.node_name == node)] = endpoint
    usable = {endpoint: _state(seen) for endpoint, seen in found.items()}
    return _pick(usable), _pick({e: s for e, s in usable.items() if e.is_local})


def _state(endpoint: EndpointView) -> str:
    conditions = endpoint.conditions
    if conditions is None or conditions.ready is None or conditions.ready:
        return "ready"
    return "serving" if conditions.serving and conditions.terminating else "away"


def _pick(states: dict[Endpoint, str]) -> tuple[Endpoint, ...]:
    ready = [endpoint for endpoint, state in states.items() if state == "ready"]
    return tuple(sorted(ready or [endpoint for endpoint, state in states.items() if state == "serving"]))

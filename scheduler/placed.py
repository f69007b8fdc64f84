"""A pod on a node, with all that placing others must know of it, computed once."""

from dataclasses import dataclass

from scheduler import requests
from scheduler.requests import Amounts
from scheduler.terms import Terms, terms
from scheduler.views import Pod

ANY_ADDRESS = "0.0.0.0"  # noqa: S104  (a value in the API, not a bind)

HostPort = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Placed:
    """What a pod holds on its node, and what it wants of pods near it."""

    node: str
    pod: Pod
    amounts: Amounts
    scored: tuple[int, int]
    ports: tuple[HostPort, ...]
    terms: Terms
    claims: tuple[str, ...]

    @property
    def counts(self) -> object:
        """What any count may depend on: where this is equal nothing needs to be counted anew."""
        meta = self.pod.metadata
        return self.node, self.amounts, self.scored, self.ports, self.claims, meta.labels, meta.deletion_timestamp


def placed(pod: Pod, node: str) -> Placed:
    """What `pod` holds on `node`."""
    claims = tuple(claim_key(pod, name) for name, _ in pod.claims)
    return Placed(node, pod, requests.requests(pod), requests.for_scores(pod), host_ports(pod), terms(pod), claims)


def claim_key(pod: Pod, claim: str) -> str:
    """How a pod's claim is known: by its namespace and name."""
    return f"{pod.metadata.namespace}/{claim}"


def host_ports(pod: Pod) -> tuple[HostPort, ...]:
    """(address, protocol, port) of every host port."""
    return tuple(
        (port.host_ip or ANY_ADDRESS, port.protocol or "TCP", port.host_port)
        for container in pod.spec.containers
        for port in container.ports
        if port.host_port
    )

"""How a server is to behave: what the flags of `pykube-apiserver` come to, as one value without files behind it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network

from apimachinery.kinds import Kind
from apiserver.audit import AuditLog
from apiserver.request import User
from apiserver.switches import DEFAULTS, Features

ISSUER = "https://kubernetes.default.svc.cluster.local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The defaults suit a server inside one process that nobody else can reach."""

    authorization_modes: tuple[str, ...] = ("Node", "RBAC")
    anonymous: bool = True
    service_cidr: str = "10.96.0.0/16"
    node_port_range: tuple[int, int] = (30000, 32767)
    #: Where others reach this server; "" keeps it out of the endpoints of the `kubernetes` service.
    advertise_address: str = ""
    secure_port: int = 6443
    #: This machine's name, for the server's identity Lease; "" for none.
    hostname: str = ""
    #: Certificates in PEM; empty where clients cannot show any.
    client_ca: bytes = b""
    requestheader_ca: bytes = b""
    requestheader_allowed_names: tuple[str, ...] = ()
    requestheader_username_headers: tuple[str, ...] = ("X-Remote-User",)
    requestheader_group_headers: tuple[str, ...] = ("X-Remote-Group",)
    requestheader_extra_prefixes: tuple[str, ...] = ("X-Remote-Extra-",)
    #: Users by their static tokens (--token-auth-file).
    static_tokens: Mapping[str, User] = field(default_factory=dict)
    #: Service-account tokens: the private key that signs (PEM) and those that verify; none, no tokens.
    issuer: str = ISSUER
    issuers: tuple[str, ...] = ()  # further ones that are accepted
    audiences: tuple[str, ...] = ()  # default: the issuer
    signing_key: bytes = b""
    verifying_keys: tuple[bytes, ...] = ()
    longest_token: int = 0
    #: Files that identify this server to kubelets, and the CA of theirs.
    kubelet_certificate: str = ""
    kubelet_key: str = ""
    kubelet_ca: str = ""
    kubelet_port: int = 10250
    #: Files that identify this server to extension servers, and whether those are reached at their endpoints.
    proxy_client_certificate: str = ""
    proxy_client_key: str = ""
    aggregator_routing: bool = False
    #: Seconds between two searches for addresses and ports that nobody has; 0 for never.
    repair_seconds: float = 0.0
    audit: AuditLog | None = None  # records requests; nothing is recorded without it
    max_reads: int = 400
    max_writes: int = 200
    admission_enabled: tuple[str, ...] = ()
    admission_disabled: tuple[str, ...] = ()
    #: Kinds served besides those that are always.
    more_kinds: tuple[Kind, ...] = ()
    features: Features = DEFAULTS

    @property
    def address(self) -> str:
        """Where others reach this server, with its port."""
        host = self.advertise_address
        return f"{f'[{host}]' if ':' in host else host}:{self.secure_port}" if host else ""

    @property
    def service_cidrs(self) -> list[str]:
        """The address ranges of services, one a family."""
        return [part.strip() for part in self.service_cidr.split(",")]

    @property
    def primary_family(self) -> str:
        """The IP family of services that do not say theirs."""
        return f"IPv{ip_network(self.service_cidrs[0]).version}"

    @property
    def kubernetes_ip(self) -> str:
        """The address of the `kubernetes` service: the first of the range."""
        return str(next(ip_network(self.service_cidrs[0]).hosts()))

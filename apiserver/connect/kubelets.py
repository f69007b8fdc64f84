"""Where a node's kubelet is and how it is reached: from the Node's status, with the API server's own certificate.

The address is the first of the preferred types that the node reports, the port the one its kubelet announced. Source:
pkg/kubelet/client/kubelet_client.go.
"""

import functools
import ssl
from dataclasses import dataclass

from apimachinery import errors
from apimachinery.kinds import NODES
from apimachinery.types import Json
from apiserver.request import Lookup
from serving.dialer import Target

KUBELET_PORT = 10250


@dataclass(frozen=True, slots=True)
class KubeletClientConfig:
    """The --kubelet-* flags. Without a CA the kubelet's certificate is not verified, as upstream has it."""

    cert_file: str = ""  # --kubelet-client-certificate
    key_file: str = ""  # --kubelet-client-key
    ca_file: str = ""  # --kubelet-certificate-authority
    address_types: tuple[str, ...] = ("InternalIP", "ExternalIP", "InternalDNS", "Hostname", "ExternalDNS")


def kubelet_target(
    node_name: str, lookup: Lookup, config: KubeletClientConfig, *, asked: str, insecure: bool = False
) -> Target:
    """The kubelet of a node. `insecure` skips the verification of its certificate (logs may ask for that).

    A node that is not there is told as one of the resource `asked` for, which is how upstream tells it.
    """
    node = lookup.get(NODES, "", node_name)
    if node is None:
        raise errors.not_found("", asked, node_name)
    host = shown_host(node_address(node, node_name, config))
    return Target(f"https://{host}:{kubelet_port(node)}", tls=_context(config, insecure=insecure))


def node_address(node: Json, name: str, config: KubeletClientConfig) -> str:
    """The preferred address; ApiError 500 when the node reports none."""
    addresses = (node.get("status") or {}).get("addresses") or ()
    for wanted in config.address_types:
        for address in addresses:
            if address.get("type") == wanted and address.get("address"):
                return str(address["address"])
    kinds = " ".join(config.address_types)
    raise errors.internal(f"no preferred addresses found; known addresses: {addresses}; node {name}, types [{kinds}]")


def kubelet_port(node: Json) -> int:
    """The port that the kubelet announced."""
    endpoints = (node.get("status") or {}).get("daemonEndpoints") or {}
    return int((endpoints.get("kubeletEndpoint") or {}).get("Port") or KUBELET_PORT)


def shown_host(address: str) -> str:
    """An IPv6 address in brackets, as URLs want it."""
    return f"[{address}]" if ":" in address else address


def unverified() -> ssl.SSLContext:
    """TLS without any verification: pods and services behind `https:NAME:PORT` have certificates of their own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@functools.lru_cache(maxsize=8)
def _context(config: KubeletClientConfig, *, insecure: bool) -> ssl.SSLContext:
    if insecure or not config.ca_file:
        context = unverified()
    else:
        context = ssl.create_default_context(cafile=config.ca_file)
    if config.cert_file:
        context.load_cert_chain(config.cert_file, config.key_file)
    return context

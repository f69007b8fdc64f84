"""pods/proxy, services/proxy, nodes/proxy: HTTP passed on to what the name means, `[SCHEME:]NAME[:PORT]`.

A pod's default port is its first container port, a service's endpoint is picked at random among the ready ones, a node
is its kubelet (with our certificate) unless another port is asked for. Redirects and links in HTML are rewritten to
stay within the proxy. Source: ResourceLocation of the registries, pkg/registry/core/*/rest/subresources.go.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from apimachinery import errors
from apimachinery.errors import ApiError
from apimachinery.kinds import ENDPOINTSLICES, NODES, PODS, SERVICES
from apimachinery.types import Json
from apiserver.connect.kubelets import (
    KubeletClientConfig,
    kubelet_port,
    kubelet_target,
    node_address,
    shown_host,
    unverified,
)
from apiserver.connect.links import link_rewriter
from apiserver.connect.reverse import forward
from apiserver.request import Lookup, Request
from serving import asgi
from serving.asgi import Receive, Send
from serving.dialer import Target

Pick = Callable[[Sequence[str]], str]


@dataclass(frozen=True, slots=True)
class _Name:
    """`https:web:8443` taken apart."""

    scheme: str
    name: str
    port: str


async def serve_proxy(
    request: Request, receive: Receive, send: Send, lookup: Lookup, kubelet: KubeletClientConfig
) -> None:
    """Pass the request on to the pod, service or node it names."""
    assert request.info is not None
    info = request.info
    target = _TARGETS[info.plural](info.namespace, info.name, lookup, kubelet)
    inside = inner_path(request)
    raw_query = request.scope.get("query_string", b"").decode("latin-1")
    query = f"?{raw_query}" if raw_query else ""
    outside = (request.scope.get("raw_path") or quote(request.path).encode()).decode("latin-1")
    if not inside and request.method in ("GET", "HEAD"):
        # Without the slash at the end a page's relative links would lead out of the proxy.
        await asgi.reply(send, 301, b"", "text/plain", [("location", f"{outside}/{query}")])
        return
    extra = [("X-Forwarded-Uri", outside), ("X-Forwarded-Host", request.headers.get("host", ""))]
    await forward(
        request,
        receive,
        send,
        target,
        (inside or "/") + query,
        failure=_failure,
        rewrite=link_rewriter(
            urlsplit(target.url).netloc, request.headers.get("host", ""), outside.removesuffix(inside).rstrip("/")
        ),
        extra=[(name, value) for name, value in extra if value],
    )


def inner_path(request: Request) -> str:
    """What stands behind `/proxy`, as the client wrote it; empty when nothing does, not even a slash."""
    raw = (request.scope.get("raw_path") or quote(request.path).encode()).decode("latin-1").split("?", 1)[0]
    assert request.info is not None
    # The name stands right before: a pod may well be called "proxy".
    parts = raw.split("/")
    at = next(i for i in range(len(parts)) if parts[i] == request.info.plural and parts[i + 2 : i + 3] == ["proxy"])
    return "".join(f"/{part}" for part in parts[at + 3 :])


def split_name(text: str, what: str) -> _Name:
    """`NAME`, `NAME:PORT` or `SCHEME:NAME:PORT`; ApiError 400 for anything else."""
    match text.split(":"):
        case [name] if name:
            return _Name("", name, "")
        case [name, port] if name:
            return _Name("", name, port)
        case [("http" | "https" | "") as scheme, name, port] if name:
            return _Name(scheme, name, port)
    raise errors.bad_request(f"invalid {what} request {_quoted(text)}")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _target(scheme: str, host: str, port: str) -> Target:
    tls = unverified() if scheme == "https" else None
    return Target(f"{scheme or 'http'}://{shown_host(host)}" + (f":{port}" if port else ""), tls=tls)


def _pod(namespace: str, text: str, lookup: Lookup, _kubelet: KubeletClientConfig) -> Target:
    asked = split_name(text, "pod")
    pod = lookup.get(PODS, namespace, asked.name)
    if pod is None:
        raise errors.not_found("", "pods", asked.name)
    containers = (pod.get("spec") or {}).get("containers") or ()
    ports = [str(port["containerPort"]) for container in containers for port in container.get("ports") or ()]
    address = str((pod.get("status") or {}).get("podIP") or "")
    _require_proxyable(address)
    return _target(asked.scheme, address, asked.port or (ports[0] if ports else ""))


def _require_proxyable(address: str) -> None:
    """Never to ourselves or to link-local metadata services: who may create pods could else reach them through us."""
    try:
        parsed = ip_address(address)
    except ValueError:
        raise errors.bad_request("address not allowed") from None
    if parsed.is_loopback or parsed.is_link_local or parsed.is_multicast or parsed.is_unspecified:
        raise errors.bad_request("address not allowed")


def _service(
    namespace: str, text: str, lookup: Lookup, _kubelet: KubeletClientConfig, pick: Pick = random.choice
) -> Target:
    asked = split_name(text, "service")
    service = lookup.get(SERVICES, namespace, asked.name)
    if service is None:
        raise errors.not_found("", "services", asked.name)
    port_name = _service_port(service, asked)
    backends = [backend for piece in _slices(namespace, asked.name, lookup) for backend in _backends(piece, port_name)]
    if not backends:
        raise errors.service_unavailable(f"no endpoints available for service {_quoted(text)}")
    address, _, port = pick(backends).rpartition(" ")
    _require_proxyable(address)
    return _target(asked.scheme, address, port)


def _service_port(service: Json, asked: _Name) -> str:
    """The name of the port meant: a number means the service port of that number."""
    if not asked.port.isdigit():
        return asked.port
    for port in (service.get("spec") or {}).get("ports") or ():
        if str(port.get("port")) == asked.port:
            return str(port.get("name") or "")
    raise errors.service_unavailable(f"no service port {asked.port} found for service {_quoted(asked.name)}")


def _slices(namespace: str, service: str, lookup: Lookup) -> list[Json]:
    def belongs(piece: Json) -> bool:
        return (piece["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == service

    return [piece for piece in lookup.list(ENDPOINTSLICES, namespace) if belongs(piece)]


def _backends(piece: Json, port_name: str) -> list[str]:
    """`ADDRESS PORT` of each ready endpoint."""
    ports = [port["port"] for port in piece.get("ports") or () if (port.get("name") or "") == port_name]
    endpoints = [
        endpoint for endpoint in piece.get("endpoints") or () if (endpoint.get("conditions") or {}).get("ready", True)
    ]
    return [f"{endpoint['addresses'][0]} {port}" for endpoint in endpoints for port in ports if endpoint["addresses"]]


def _node(_namespace: str, text: str, lookup: Lookup, kubelet: KubeletClientConfig) -> Target:
    asked = split_name(text, "node")
    node = lookup.get(NODES, "", asked.name)
    if node is None:
        raise errors.not_found("", "nodes", asked.name)
    if asked.port in ("", str(kubelet_port(node))):
        return kubelet_target(asked.name, lookup, kubelet, asked=NODES.plural)
    address = node_address(node, asked.name, kubelet)
    _require_proxyable(address)
    return _target(asked.scheme, address, asked.port)


_TARGETS: dict[str, Callable[[str, str, Lookup, KubeletClientConfig], Target]] = {
    PODS.plural: _pod,
    SERVICES.plural: _service,
    NODES.plural: _node,
}


def _failure(error: OSError) -> ApiError:
    return errors.service_unavailable(f"error trying to reach service: {error}")

"""Which handler answers which connect subresource."""

from collections.abc import Awaitable, Callable

from apimachinery.errors import path_not_found
from apimachinery.kinds import NODES, PODS, SERVICES, Kind
from apiserver.connect.kubelets import KubeletClientConfig
from apiserver.connect.logs import serve_log
from apiserver.connect.proxy import serve_proxy
from apiserver.connect.streams import serve_stream
from apiserver.request import Lookup, Request
from serving.asgi import Receive, Send

_Handler = Callable[[Request, Receive, Send, Lookup, KubeletClientConfig], Awaitable[None]]

_HANDLERS: dict[tuple[str, str], _Handler] = {
    (PODS.plural, "log"): serve_log,
    (PODS.plural, "exec"): serve_stream,
    (PODS.plural, "attach"): serve_stream,
    (PODS.plural, "portforward"): serve_stream,
    (PODS.plural, "proxy"): serve_proxy,
    (SERVICES.plural, "proxy"): serve_proxy,
    (NODES.plural, "proxy"): serve_proxy,
}


def handles(kind: Kind, subresource: str) -> bool:
    """Whether `connect` answers this subresource."""
    return not kind.group and (kind.plural, subresource) in _HANDLERS


async def connect(
    request: Request, receive: Receive, send: Send, *, lookup: Lookup, kubelet: KubeletClientConfig
) -> None:
    """Answer the request whole. ApiError only before anything was sent."""
    assert request.info is not None
    handler = _HANDLERS.get((request.info.plural, request.info.subresource))
    if handler is None or request.info.group:
        raise path_not_found()
    await handler(request, receive, send, lookup, kubelet)

"""pods/exec, attach and portforward: the upgrade passed on to the pod's kubelet and spliced.

The kubelet speaks to the client itself, in whatever protocol the client asked for. Upstream's kubelets know SPDY alone:
for them a WebSocket client's protocol is translated (`translate`). Source: the locations of
pkg/registry/core/pod/strategy.go (ExecLocation, AttachLocation, PortForwardLocation).
"""

from urllib.parse import urlencode

from apimachinery import errors
from apimachinery.errors import ApiError
from apiserver.connect.containers import container_of, pod_of, require_node
from apiserver.connect.kubelets import KubeletClientConfig, kubelet_target
from apiserver.connect.reverse import forward, upgrade_of
from apiserver.connect.translate import translate_command, translate_portforward
from apiserver.request import Lookup, Request
from serving.asgi import Receive, Send
from serving.channels import Wanted
from serving.https import Upgrade

#: The API's parameter -> the kubelet's.
_FLAGS = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}


async def serve_stream(
    request: Request, receive: Receive, send: Send, lookup: Lookup, kubelet: KubeletClientConfig
) -> None:
    """Pass the upgrade on; plain requests are refused."""
    assert request.info is not None
    info = request.info
    pod = pod_of(info.namespace, info.name, lookup)
    path, query = f"{info.namespace}/{info.name}", _query(request)
    if info.subresource == "portforward":
        path = f"/portForward/{path}"
    else:
        path = f"/{info.subresource}/{path}/{container_of(pod, request.first('container'))}"
    target = kubelet_target(require_node(pod), lookup, kubelet, asked=info.plural)
    if upgrade_of(request) is None:
        raise errors.bad_request("Upgrade request required")
    path = f"{path}?{query}" if query else path

    async def translated(upgrade: Upgrade) -> None:
        if info.subresource == "portforward":
            await translate_portforward(upgrade, target, path)
        else:
            await translate_command(upgrade, target, path, _wanted(request))

    await forward(request, receive, send, target, path, failure=_failure, fallback=translated)


def _wanted(request: Request) -> Wanted:
    return Wanted(*(_on(request, name) for name in ("stdin", "stdout", "stderr", "tty"))).checked()


def _query(request: Request) -> str:
    """The query for the kubelet."""
    assert request.info is not None
    if request.info.subresource == "portforward":
        return urlencode([("port", port) for port in request.query.get("ports", request.query.get("port", ()))])
    flags = [(theirs, "1") for ours, theirs in _FLAGS.items() if _on(request, ours)]
    commands = request.query.get("command", ()) if request.info.subresource == "exec" else ()
    return urlencode([*(("command", part) for part in commands), *flags])


def _on(request: Request, name: str) -> bool:
    return name in request.query and request.first(name).lower() not in ("", "0", "false")


def _failure(error: OSError) -> ApiError:
    return ApiError(500, "", f"error dialing backend: {error}")

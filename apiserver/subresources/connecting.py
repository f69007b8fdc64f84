"""log, exec, attach, portforward, proxy: the request is handed on to the kubelet, the pod or the service."""

from functools import partial

from apimachinery.kinds import Kind
from apiserver.call import Call, Receive, Response, Send
from apiserver.connect import KubeletClientConfig, connect
from apiserver.registry import Handler, Resource
from apiserver.resources import reviewing
from apiserver.resources.addressing import attributes_of
from apiserver.resources.api import Api

#: What admission sees of a connect: its options, as an object (upstream's NewConnectOptions). Logs are a plain get.
_OPTIONS: dict[tuple[str, str], Kind] = {
    ("pods", "attach"): Kind(kind="PodAttachOptions", plural="", verbs=()),
    ("pods", "exec"): Kind(kind="PodExecOptions", plural="", verbs=()),
    ("pods", "portforward"): Kind(kind="PodPortForwardOptions", plural="", verbs=()),
    ("pods", "proxy"): Kind(kind="PodProxyOptions", plural="", verbs=()),
    ("nodes", "proxy"): Kind(kind="NodeProxyOptions", plural="", verbs=()),
    ("services", "proxy"): Kind(kind="ServiceProxyOptions", plural="", verbs=()),
}
#: What each can be asked to do; a proxy passes on everything.
_VERBS = {"log": ("get",), **dict.fromkeys(("exec", "attach", "portforward"), ("create", "get"))}
_EVERY_VERB = ("create", "delete", "get", "options", "patch", "update")


def handlers(api: Api, kubelet: KubeletClientConfig, subresource: str) -> dict[str, Handler]:
    """The verbs of a connecting subresource: the other side decides what they mean.

    `connect` itself says what is not found: a proxy's name (`https:web:443`) is not the object's.
    """

    async def pass_on(call: Call, resource: Resource) -> Response:
        await api.fresh()  # the pod may have been created a moment ago
        if of := _OPTIONS.get((resource.kind.plural, call.target.subresource)):
            subject = partial(reviewing.connected, call, resource, attributes_of(call, verb="connect"), of)
            await api.admission.review(subject, reviewing.connect_options(call, of), call.warn)

        async def run(receive: Receive, send: Send) -> None:
            await connect(call, receive, send, lookup=api.lookup, kubelet=kubelet)

        return Response(stream=run)

    return dict.fromkeys(_VERBS.get(subresource, _EVERY_VERB), pass_on)

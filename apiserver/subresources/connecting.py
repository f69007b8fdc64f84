"""log, exec, attach, portforward, proxy: the request is handed on to the kubelet, the pod or the service."""

from apiserver.call import Call, Receive, Response, Send
from apiserver.connect import KubeletClientConfig, connect
from apiserver.registry import Handler, Resource
from apiserver.resources.api import Api

_VERBS = ("create", "delete", "get", "options", "patch", "update")


def handlers(api: Api, kubelet: KubeletClientConfig) -> dict[str, Handler]:
    """Every verb of a connecting subresource: the other side decides what it means.

    `connect` itself says what is not found: a proxy's name (`https:web:443`) is not the object's.
    """

    async def pass_on(call: Call, _resource: Resource) -> Response:
        await api.fresh()  # the pod may have been created a moment ago

        async def run(receive: Receive, send: Send) -> None:
            await connect(call, receive, send, lookup=api.lookup, kubelet=kubelet)

        return Response(stream=run)

    return dict.fromkeys(_VERBS, pass_on)

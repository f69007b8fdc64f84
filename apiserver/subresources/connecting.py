"""log, exec, attach, portforward, proxy: the request is handed on to the kubelet, the pod or the service."""

from apiserver.call import Call, Receive, Response, Send
from apiserver.connect import KubeletClientConfig, connect
from apiserver.registry import Handler, Resource
from apiserver.resources import reading
from apiserver.resources.api import Api

_VERBS = ("create", "delete", "get", "patch", "update")


def handlers(api: Api, kubelet: KubeletClientConfig) -> dict[str, Handler]:
    """Every verb of a connecting subresource: the other side decides what it means."""

    async def pass_on(call: Call, resource: Resource) -> Response:
        await reading.find(api, call, resource)  # 404 first; the lookup is fresh from here on

        async def run(receive: Receive, send: Send) -> None:
            await connect(call, receive, send, lookup=api.lookup, kubelet=kubelet)

        return Response(stream=run)

    return dict.fromkeys(_VERBS, pass_on)

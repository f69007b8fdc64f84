"""The API as the kubelet writes to it: pod statuses, deletions, events."""

from apimachinery.errors import ApiError
from apimachinery.kinds import PODS
from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import Pod
from apimachinery.types import Json
from client.client import Client
from client.events import EventRecorder, reference

_GONE = (404, 409)  # 409: a namesake with another uid


class ApiPods:
    """`PodApi` by the client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def patch_status(self, pod: Pod, body: Json) -> Pod | None:
        meta = pod.metadata
        try:
            answer = await self._client.patch(
                PODS, meta.namespace, meta.name, body, type="strategic", subresource="status"
            )
        except ApiError as error:
            if error.code in _GONE:
                return None
            raise
        return view(answer, Pod)

    async def forget(self, pod: Pod) -> None:
        meta = pod.metadata
        try:
            await self._client.delete(PODS, meta.namespace, meta.name, uid=meta.uid, grace_period=0)
        except ApiError as error:
            if error.code not in _GONE:
                raise


class ApiEvents:
    """`Events` by the recorder."""

    def __init__(self, recorder: EventRecorder) -> None:
        self._recorder = recorder

    def __call__(self, pod: Pod, field_path: str, type: str, reason: str, message: str) -> None:
        regarding = reference(pod, kind="Pod", api_version="v1", field_path=field_path)
        self._recorder.event(regarding, type, reason, message)

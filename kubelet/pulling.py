"""The images of a pod, fetched with the pull secrets that it names: for its containers, and for its image volumes."""

from apimachinery.objects import core_v1
from apimachinery.objects.core_v1 import Pod, Secret
from kubelet.doors import Events
from kubelet.objects import Objects
from kubelet.pods.container_config import AnyContainer
from kubelet.pods.images import Event, Images
from kubelet.runtime.protocol import Image


class Puller:
    """Raises ImageProblem where an image is not to be had."""

    def __init__(self, objects: Objects, images: Images, events: Events) -> None:
        self._objects, self._images, self._events = objects, images, events

    async def of_container(self, pod: Pod, container: AnyContainer, event: Event) -> Image:
        return await self._images.ensure(pod.metadata.uid, container, secrets=await self._secrets(pod), event=event)

    async def of_volume(self, pod: Pod, source: core_v1.ImageVolumeSource) -> Image:
        def event(type: str, reason: str, message: str) -> None:
            self._events(pod, "", type, reason, message)

        wanted = core_v1.Container(image=source.reference, image_pull_policy=source.pull_policy)
        return await self.of_container(pod, wanted, event)

    async def _secrets(self, pod: Pod) -> list[Secret]:
        namespace, uid = pod.metadata.namespace, pod.metadata.uid
        secrets, missing = list[Secret](), list[str]()
        for reference in pod.spec.image_pull_secrets:
            found = await self._objects.secret(namespace, reference.name, uid) if reference.name else None
            if found is not None:
                secrets.append(found)
            elif reference.name:
                missing.append(reference.name)
        if missing:
            what = f"Unable to retrieve some image pull secrets ({', '.join(missing)})"
            message = f"{what}; attempting to pull the image may not succeed."
            self._events(pod, "", "Warning", "FailedToRetrieveImagePullSecret", message)
        return secrets

"""How full the volumes of the node's pods are, looked at every minute: for /stats/summary and for /metrics.

A look may walk over many files, or ask a storage driver: so what was found is kept, and shown until the next look.
Source: pkg/kubelet/server/stats/volume_stat_calculator.go, fs_resource_analyzer.go.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from apimachinery.errors import ApiError
from apimachinery.objects.core_v1 import Pod
from kubelet.pods.world import ref
from kubelet.volumes.protocol import Volumes, VolumeUse

log = structlog.get_logger("kubelet.volumes")

PERIOD = 60.0


@dataclass(kw_only=True)
class VolumeStats:
    """What was found last. `pods` are those that run here."""

    volumes: Volumes
    pods: Callable[[], Sequence[Pod]]
    clock: Callable[[], float]
    _found: dict[str, tuple[float, Pod, Mapping[str, VolumeUse]]] = field(default_factory=dict)  # by uid
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """Forever."""
        while True:
            await self.look()
            await asyncio.sleep(PERIOD / 4)  # a new pod need not wait for long

    async def look(self) -> Mapping[str, Mapping[str, VolumeUse]]:
        """Everything by the pod's uid and the volume's name; what was looked at a minute ago is looked at again."""
        async with self._looking:
            pods = {pod.metadata.uid: pod for pod in self.pods()}
            self._found = {uid: found for uid, found in self._found.items() if uid in pods}
            for uid, pod in pods.items():
                kept = self._found.get(uid)
                if kept is None or self.clock() - kept[0] >= PERIOD:
                    self._found[uid] = (self.clock(), pod, await self._one(pod))
            return {uid: found for uid, (_, _, found) in self._found.items()}

    async def _one(self, pod: Pod) -> Mapping[str, VolumeUse]:
        try:
            return await self.volumes.usage(pod)
        except (ApiError, OSError) as error:
            log.warning("cannot measure a pod's volumes", pod=str(ref(pod)), error=str(error))
            return {}

    def claims(self) -> Iterator[tuple[str, str, VolumeUse]]:
        """Namespace, name and use of every claim, once each."""
        seen = set()
        for _, pod, found in list(self._found.values()):
            for use in found.values():
                key = (pod.metadata.namespace, use.claim)
                if use.claim and key not in seen:
                    seen.add(key)
                    yield *key, use

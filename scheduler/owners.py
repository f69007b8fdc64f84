"""What a pod's services and its controller select: the pods among which it is spread where it says nothing itself.

Source: plugins/helper/spread.go (DefaultSelector).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from apimachinery.kinds import REPLICASETS, REPLICATIONCONTROLLERS, SERVICES, STATEFULSETS
from apimachinery.objects.meta_v1 import LabelSelector as SelectorView
from apimachinery.selectors import LabelSelector, Requirement, from_labels
from client.cache import Cache
from client.client import Client
from scheduler.terms import selector
from scheduler.views import Pod


class Meta(Struct, frozen=True, gc=False, rename="camel"):
    """As much of an owner's metadata as is read."""

    name: str = ""
    namespace: str = ""
    resource_version: str = ""


class LabelsSpec(Struct, frozen=True):
    selector: Mapping[str, str] | None = None


class Labelled(Struct, frozen=True):
    """A Service or a ReplicationController: it selects by plain labels."""

    metadata: Meta = field(default_factory=Meta)
    spec: LabelsSpec = field(default_factory=LabelsSpec)


class SelectorSpec(Struct, frozen=True):
    selector: SelectorView | None = None


class Selecting(Struct, frozen=True):
    """A ReplicaSet or a StatefulSet."""

    metadata: Meta = field(default_factory=Meta)
    spec: SelectorSpec = field(default_factory=SelectorSpec)


def default_selector(pod: Pod, services: Iterable[Labelled], controller: Labelled | Selecting | None) -> LabelSelector:
    """All that these ask for at once; everything where nobody asks."""
    labels: dict[str, str] = {}
    more: Sequence[Requirement] = ()
    for service in services:
        wanted = service.spec.selector
        if wanted is not None and wanted.items() <= pod.metadata.labels.items():
            labels |= wanted
    if isinstance(controller, Labelled):
        labels |= controller.spec.selector or {}
    elif controller is not None:
        more = selector(controller.spec.selector).requirements
    return LabelSelector((*from_labels(labels).requirements, *more))


class Owners:
    """The caches of those that pods belong to."""

    def __init__(self, client: Client) -> None:
        self._services = Cache(client, SERVICES, Labelled)
        self._labelled = {("v1", "ReplicationController"): Cache(client, REPLICATIONCONTROLLERS, Labelled)}
        self._selecting = {
            ("apps/v1", "ReplicaSet"): Cache(client, REPLICASETS, Selecting),
            ("apps/v1", "StatefulSet"): Cache(client, STATEFULSETS, Selecting),
        }
        self.caches: tuple[Cache[Any], ...] = (self._services, *self._labelled.values(), *self._selecting.values())

    def selector(self, pod: Pod) -> LabelSelector:
        """The selector of a pod's owners."""
        return default_selector(pod, self._services.list(pod.metadata.namespace), self._controller(pod))

    def _controller(self, pod: Pod) -> Labelled | Selecting | None:
        owner = next((one for one in pod.metadata.owner_references if one.controller), None)
        if owner is None:
            return None
        kind = (owner.api_version, owner.kind)
        cache = self._labelled.get(kind) or self._selecting.get(kind)
        return cache.get(pod.metadata.namespace, owner.name) if cache is not None else None

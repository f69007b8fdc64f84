"""What can happen in a cluster that lets a pod fit that did not. Source: framework/events.go, framework/types.go."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from scheduler import requests
from scheduler.views import RESIZE, Node, Pod


class Change(Enum):
    """Kinds of events."""

    NODE_ADDED = auto()
    NODE_REMOVED = auto()
    NODE_LABELS = auto()
    NODE_TAINTS = auto()  # and being cordoned or not
    NODE_ALLOCATABLE = auto()
    POD_ADDED = auto()  # on a node
    POD_REMOVED = auto()  # from a node, or it gave up the node it was nominated for
    POD_LABELS = auto()
    POD_SHRUNK = auto()  # it asks for less than before
    VOLUMES = auto()  # a claim, a volume or a class
    ITSELF = auto()  # the pod that waits is another than it was


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to a pod that has a node, or to a node."""

    change: Change
    old: Pod | Node | None = None
    new: Pod | Node | None = None


def node_events(old: Node | None, new: Node | None) -> Iterator[Event]:
    """What a change of a node is to pods that wait; heartbeats are nothing."""
    if old is None or new is None:
        yield Event(Change.NODE_ADDED if old is None else Change.NODE_REMOVED, old, new)
        return
    if old.status.allocatable != new.status.allocatable:
        yield Event(Change.NODE_ALLOCATABLE, old, new)
    if old.metadata.labels != new.metadata.labels:
        yield Event(Change.NODE_LABELS, old, new)
    if (old.spec.taints, old.spec.unschedulable) != (new.spec.taints, new.spec.unschedulable):
        yield Event(Change.NODE_TAINTS, old, new)


def holds(pod: Pod | None) -> bool:
    """Whether the pod has a node and takes room there."""
    return pod is not None and pod.spec.node_name != "" and not pod.is_finished


def pod_events(old: Pod | None, new: Pod | None) -> Iterator[Event]:
    """What a change of a pod is to other pods that wait."""
    if not holds(old) and holds(new):
        yield Event(Change.POD_ADDED, None, new)  # what it was without a node does not count
    elif holds(old) and not holds(new):
        yield Event(Change.POD_REMOVED, old, None)
    elif holds(new) and old is not None and new is not None:
        if old.metadata.labels != new.metadata.labels:
            yield Event(Change.POD_LABELS, old, new)
        if _asks(old) != _asks(new) and _shrunk(old, new):
            yield Event(Change.POD_SHRUNK, old, new)


def _asks(pod: Pod) -> object:
    """All that requests are made of."""
    status = pod.status
    return pod.spec, status.container_statuses, status.init_container_statuses, pod.condition(RESIZE)


def _shrunk(old: Pod, new: Pod) -> bool:
    now = requests.requests(new)
    return any(value > now.get(resource, 0) for resource, value in requests.requests(old).items())

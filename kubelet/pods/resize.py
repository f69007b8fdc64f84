"""Resizing a pod as it runs: what it has been promised, what it has, and whether it can have what it asks for. Pure.

    asked      the spec, as the API has it
    allocated  what the node has promised: everything is decided and started by this
    actuated   what a running container was last given

Asked becomes allocated when the node has room; allocated becomes actuated container by container, in place or by a
restart as its resizePolicy says. Source: pkg/kubelet/allocation/allocation_manager.go, KEP-1287.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from apimachinery import quantity
from apimachinery.objects import core_v1
from apimachinery.objects.core_v1 import Pod
from apimachinery.types import Json
from kubelet.pods.admit import Terms, admit, requested
from kubelet.pods.qos import qos_class
from kubelet.pods.world import is_sidecar

#: limits.cpu and its like -> millicores or bytes.
Size = Mapping[str, int]
SIZE_LABEL = "io.pykube.resources"  # with which resources a container was made
PENDING = "PodResizePending"
_RESOURCES = ("cpu", "memory")


@dataclass(frozen=True, slots=True)
class Resizing:
    """How far a resize has come. Reasons are the conditions'; None: there is nothing to say."""

    pending: tuple[str, str] | None = None  # (Deferred | Infeasible, message)
    pending_generation: int = 0
    progress: tuple[str, str] | None = None  # ("" | Error, message)
    progress_generation: int = 0
    retry_at: float = 0.0
    actuated: Mapping[str, Json] = field(default_factory=dict)  # by container id: its resources


def resizable(pod: Pod) -> Iterator[core_v1.Container]:
    """The containers whose cpu and memory may change: those that stay."""
    yield from (c for c in pod.spec.init_containers if is_sidecar(c))
    yield from pod.spec.containers


def tree(container: core_v1.Container) -> Json:
    """A container's resources, as the API writes them."""
    resources = container.resources or core_v1.ResourceRequirements()
    pairs = (("limits", resources.limits), ("requests", resources.requests))
    return {which: dict(sorted(found.items())) for which, found in pairs if found}


def text(container: core_v1.Container) -> str:
    """For a label."""
    return json.dumps(tree(container), separators=(",", ":"), sort_keys=True)


def size(resources: Json) -> Size:
    """The numbers that a resize is about. Who names a limit alone asks for as much."""
    limits, asked = resources.get("limits") or {}, resources.get("requests") or {}
    found = {}
    for resource in _RESOURCES:
        for which, given in (("limits", limits), ("requests", {**limits, **asked})):
            if resource in given:
                amount = quantity.parse(given[resource])
                found[f"{which}.{resource}"] = amount.milli() if resource == "cpu" else amount.value()
    return found


def differs(one: Json, other: Json) -> frozenset[str]:
    """The resources (cpu, memory) in which two sizes differ."""
    first, second = size(one), size(other)
    names = {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)}
    return frozenset(name.partition(".")[2] for name in names)


def allocation(pod: Pod) -> dict[str, Json]:
    """What the pod asks for, by container."""
    return {c.name: tree(c) for c in resizable(pod)}


def allocated(pod: Pod, promised: Mapping[str, Json]) -> Pod:
    """The pod with what it has been promised in the place of what it asks for."""
    if all(not differs(tree(c), promised.get(c.name, tree(c))) for c in resizable(pod)):
        return pod

    def sized(container: core_v1.Container) -> core_v1.Container:
        if container.name not in promised:
            return container
        own = msgspec.convert(promised[container.name], core_v1.ResourceRequirements)
        return msgspec.structs.replace(container, resources=own)

    spec = msgspec.structs.replace(
        pod.spec,
        containers=tuple(sized(c) for c in pod.spec.containers),
        init_containers=tuple(sized(c) if is_sidecar(c) else c for c in pod.spec.init_containers),
    )
    return msgspec.structs.replace(pod, spec=spec)


def refusal(pod: Pod, others: Iterable[Pod], terms: Terms) -> tuple[str, str] | None:
    """Why the pod cannot have what it asks for: (Infeasible | Deferred, message). `others`: all but this one."""
    if "kubernetes.io/config.source" in pod.metadata.annotations:
        return "Infeasible", "In-place resize of static-pods is not supported"
    wanted = requested(pod)
    for name in ("memory", "cpu"):
        parsed = quantity.parse(terms.allocatable.get(name, "0"))
        there = parsed.milli() if name == "cpu" else parsed.value()
        if wanted.get(name, 0) > there:
            numbers = f"{name}, requested: {wanted[name]}, capacity: {there}"
            return "Infeasible", f"Node didn't have enough capacity: {numbers}"
    verdict = admit(pod, others, terms)
    return None if verdict is None else ("Deferred", verdict.message)


Rank = tuple[bool, int, bool, float]


def rank(asked: Pod, run: Pod) -> Rank:
    """The place of a resize among those that wait, the least first; `run` is the pod with what it was promised.

    First who asks for no more than it has, then by priority, then who is Guaranteed, then who was told first to wait.
    """
    wanted, had = requested(asked), requested(run)
    grows = any(wanted.get(resource, 0) > had.get(resource, 0) for resource in _RESOURCES)
    told = next((c.last_transition_time for c in asked.status.conditions if c.type == PENDING), None)
    since = told.timestamp() if told is not None else math.inf
    return grows, -(asked.spec.priority or 0), qos_class(asked) != "Guaranteed", since


def restarting(container: core_v1.Container, changed: frozenset[str]) -> bool:
    """Whether the container has to start anew to see the change."""
    policies = {policy.resource_name: policy.restart_policy for policy in container.resize_policy}
    return any(policies.get(resource) == "RestartContainer" for resource in changed)


def shrunk_below(name: str, wanted: Json, had: Json, used: int) -> str:
    """Why a container cannot be given less memory now: it uses more; "" where it can."""
    limit, before = size(wanted).get("limits.memory", 0), size(had).get("limits.memory", 0)
    if not limit or (before and limit >= before) or used < limit:
        return ""
    what = f'attempting to set container "{name}" memory limit ({limit}) below current usage ({used})'
    return f"cannot decrease memory limits: {what}"


def completed(pod: Pod) -> str:
    """The message of the event at the end."""

    def rows(containers: Sequence[core_v1.Container]) -> list[Json]:
        return [{"name": c.name, "resources": tree(c)} for c in containers]

    pairs = (("initContainers", pod.spec.init_containers), ("containers", pod.spec.containers))
    told = {name: rows(containers) for name, containers in pairs if containers}
    return f"Pod resize completed: {json.dumps(told, separators=(',', ':'))}"

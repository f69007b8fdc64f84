"""The whole status of a pod, from what is known of it. Pure.

`status` makes it; `patch` makes the strategic merge patch that brings the API's copy there, or None when it is there:
conditions of other writers stay, addresses that are no longer true go.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from apimachinery import times
from apimachinery.objects import core_v1
from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import Pod, PodStatus
from apimachinery.types import Json
from kubelet.pods import phase as phases
from kubelet.pods import qos
from kubelet.pods.conditions import OURS, conditions
from kubelet.pods.container_status import container_status, unaccounted
from kubelet.pods.world import TERMINAL, Failure, Verdict, World, is_sidecar, start_time

#: The fields of a status that the kubelet writes, but for the conditions.
_OWN = (
    "phase",
    "reason",
    "message",
    "pod_ip",
    "pod_ips",
    "host_ip",
    "start_time",
    "qos_class",
    "observed_generation",
    "init_container_statuses",
    "container_statuses",
    "ephemeral_container_statuses",
)


#: A merge keeps what it is not told: a condition's old reason has to be taken away by name.
_NOTHING: Json = {"reason": None, "message": None}


@dataclass(frozen=True, slots=True)
class Host:
    """The node, as its pods' statuses name it."""

    addresses: Sequence[str]


def status(world: World, host: Host, *, ending: bool, waiting: Mapping[str, Failure]) -> Json:
    """What the kubelet says of the pod."""
    if world.verdict is not None and world.verdict.rejected:
        return _rejected(world, world.verdict)
    spec = world.pod.spec
    waiting = {**_failed(world), **waiting}
    roles = ["sidecar" if is_sidecar(c) else "init" for c in spec.init_containers]
    inits = [container_status(world, c, r, waiting) for c, r in zip(spec.init_containers, roles, strict=True)]  # type: ignore[arg-type]
    mains = [container_status(world, c, "main", waiting) for c in sorted(spec.containers, key=_by_name)]
    debuggers = [
        container_status(world, c, "ephemeral", waiting) for c in sorted(spec.ephemeral_containers, key=_by_name)
    ]
    phase = phases.phase(world, ending=ending)
    if phase in TERMINAL:
        unaccounted(spec.init_containers, inits, mains)
    told: Json = {
        "phase": phase,
        "conditions": conditions(world, phase, inits, mains),
        "qosClass": world.pod.status.qos_class or qos.qos_class(world.pod),
        "startTime": times.rfc3339(int(start_time(world))),
        "containerStatuses": mains,
        **_addresses(world, host),
    }
    if world.pod.metadata.generation:
        told["observedGeneration"] = world.pod.metadata.generation
    if inits:
        told["initContainerStatuses"] = inits
    if debuggers:
        told["ephemeralContainerStatuses"] = debuggers
    return told | _reasons(world, phase)


def _reasons(world: World, phase: str) -> Json:
    """Why the phase is what it is; somebody else's word stays as long as the phase does."""
    if world.verdict is not None:
        return {"reason": world.verdict.reason, "message": world.verdict.message}
    now = world.pod.status
    kept = {"reason": now.reason, "message": now.message} if now.phase == phase else {}
    return {name: value for name, value in kept.items() if value}


def _by_name(container: core_v1.Container | core_v1.EphemeralContainer) -> str:
    return container.name


def _rejected(world: World, verdict: Verdict) -> Json:
    """A pod that the node did not take: it has failed, and that is all there is to say."""
    told = {
        "phase": "Failed",
        "reason": verdict.reason,
        "message": f"Pod was rejected: {verdict.message}",
        "conditions": [],
        "qosClass": world.pod.status.qos_class or qos.qos_class(world.pod),
        "startTime": times.rfc3339(int(start_time(world))),
    }
    generation = world.pod.metadata.generation
    return told | ({"observedGeneration": generation} if generation else {})


def _failed(world: World) -> dict[str, Failure]:
    return {name: failure for name, failure in world.failures.items() if name}


def _addresses(world: World, host: Host) -> Json:
    told: Json = {}
    if host.addresses:
        told |= {"hostIP": host.addresses[0], "hostIPs": [{"ip": ip} for ip in host.addresses]}
    address = world.address
    if world.pod.spec.host_network and host.addresses and world.sandbox is not None:
        address = host.addresses[0]
    address = address or world.pod.status.pod_ip  # an ended pod keeps the address it had
    if address:
        told |= {"podIP": address, "podIPs": [{"ip": address}]}
    return told


def patch(pod: Pod, told: Json) -> Json | None:
    """The strategic merge patch from the API's copy to what is told; None where nothing differs."""
    now = pod.status
    if not differing(pod, told):
        return None
    there = {condition["type"] for condition in told["conditions"]}
    over = [{"$patch": "delete", "type": c.type} for c in now.conditions if c.type in OURS and c.type not in there]
    body = dict(told) | {"conditions": [*over, *(_NOTHING | condition for condition in told["conditions"])]}
    for name, theirs in (("podIPs", now.pod_ips), ("hostIPs", now.host_ips)):
        kept = {entry["ip"] for entry in told.get(name, ())}
        gone = [{"$patch": "delete", "ip": entry.ip} for entry in theirs if entry.ip not in kept]
        if gone:
            body[name] = [*gone, *told.get(name, ())]
    for name in ("reason", "message"):
        if getattr(now, name) and name not in told:
            body[name] = None
    return {"metadata": {"uid": pod.metadata.uid}, "status": body}


def differing(pod: Pod, told: Json) -> list[str]:
    """The fields in which the API's copy is not what is told."""
    pairs = zip((*_OWN, "conditions"), _comparable(pod.status), _comparable(view(told, PodStatus)), strict=True)
    return [name for name, there, here in pairs if there != here]


def _comparable(status: PodStatus) -> Any:
    """What of a status is the kubelet's, without what says nothing: the API may leave an empty lastState out."""
    ours = sorted((c for c in status.conditions if c.type in OURS), key=lambda c: c.type)
    return [_plain(msgspec.to_builtins(value)) for value in (*(getattr(status, name) for name in _OWN), ours)]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: _plain(inner) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if inner not in ({}, [], "", None)}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value

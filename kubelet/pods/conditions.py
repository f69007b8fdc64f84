"""A pod's conditions. Pure. Sources: pkg/kubelet/status/generate.go, pkg/kubelet/kubelet_pods.go."""

from collections.abc import Iterator, Sequence

from apimachinery import times
from apimachinery.types import Json
from kubelet.pods.world import TERMINAL, World, is_sidecar

#: The conditions that are the kubelet's to set, in upstream's order. All others are left as they are.
OURS = (
    "PodResizePending",
    "PodResizeInProgress",
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
)


def conditions(world: World, phase: str, inits: Sequence[Json], mains: Sequence[Json]) -> list[Json]:
    """Ours, each with the time of its last change."""
    wired = world.sandbox is not None and bool(world.address or world.pod.spec.host_network)
    unready = _unready(world, inits, mains)
    containers = _containers_ready(phase, unready)
    found = {
        "PodReadyToStartContainers": ("True" if wired else "False", "", ""),
        "Initialized": _initialized(world, phase, inits),
        "Ready": _ready(world, containers),
        "ContainersReady": containers,
        "PodScheduled": ("True", "", ""),
    }
    told = [_condition(world, type, *found[type]) for type in OURS if type in found]
    resizing = [_resize_condition(world, *row) for row in world.resizing] if phase not in TERMINAL else []
    told = [*resizing, *told]
    disruption = world.verdict.disruption if world.verdict is not None else ""
    if disruption and phase in TERMINAL:  # not sooner: whoever replaces the pod acts on both at once
        told.insert(0, _condition(world, "DisruptionTarget", "True", "TerminationByKubelet", disruption))
    return told


def _resize_condition(world: World, type: str, reason: str, message: str, generation: int) -> Json:
    """These tell of the generation that they are about, and change when their reason does."""
    condition = _condition(world, type, "True", reason, message) | {"observedGeneration": generation}
    before = next((c for c in world.pod.status.conditions if c.type == type), None)
    if before is not None and before.reason != reason:
        condition["lastTransitionTime"] = times.rfc3339(int(world.now))
    return condition


def _condition(world: World, type: str, status: str, reason: str, message: str) -> Json:
    before = next((c for c in world.pod.status.conditions if c.type == type), None)
    kept = before is not None and before.status == status and before.last_transition_time is not None
    since = before.last_transition_time.timestamp() if before and kept and before.last_transition_time else world.now
    condition: Json = {
        "type": type,
        "status": status,
        "lastProbeTime": None,
        "lastTransitionTime": times.rfc3339(int(since)),
    }
    if reason:
        condition["reason"] = reason
    if message:
        condition["message"] = message
    if world.pod.metadata.generation:
        condition["observedGeneration"] = world.pod.metadata.generation
    return condition


def _initialized(world: World, phase: str, inits: Sequence[Json]) -> tuple[str, str, str]:
    if phase == "Succeeded":
        return "True", "PodCompleted", ""
    roles = {c.name: is_sidecar(c) for c in world.pod.spec.init_containers}
    begun = any(world.latest(c.name) for c in world.pod.spec.containers)
    todo = [s["name"] for s in inits if not (s["started"] if roles[s["name"]] else s["ready"])]
    if not todo or (begun and all(roles[name] for name in todo)):
        return "True", "", ""
    return "False", "ContainersNotInitialized", f"containers with incomplete status: [{' '.join(todo)}]"


def _unready(world: World, inits: Sequence[Json], mains: Sequence[Json]) -> list[str]:
    sidecars = {c.name for c in world.pod.spec.init_containers if is_sidecar(c)}
    return [s["name"] for s in (*inits, *mains) if not s["ready"] and (s["name"] in sidecars or s in mains)]


def _containers_ready(phase: str, unready: Sequence[str]) -> tuple[str, str, str]:
    if phase == "Succeeded":
        return "False", "PodCompleted", ""
    if phase == "Failed":
        return "False", "PodFailed", ""
    if unready:
        return "False", "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
    return "True", "", ""


def _ready(world: World, containers: tuple[str, str, str]) -> tuple[str, str, str]:
    if containers[0] != "True":
        return containers
    problems = list(_closed_gates(world))
    return ("False", "ReadinessGatesNotReady", ", ".join(problems)) if problems else containers


def _closed_gates(world: World) -> Iterator[str]:
    states = {c.type: c.status for c in world.pod.status.conditions}
    for gate in world.pod.spec.readiness_gates:
        if gate.condition_type not in states:
            yield f'corresponding condition of pod readiness gate "{gate.condition_type}" does not exist.'
        elif states[gate.condition_type] != "True":
            status = states[gate.condition_type]
            yield f'the status of pod readiness gate "{gate.condition_type}" is not "True", but {status}'

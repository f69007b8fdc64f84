"""A pod's phase, from its containers' states. Pure. Source: pkg/kubelet/kubelet_pods.go (getPhase)."""

from collections import Counter
from collections.abc import Sequence

from apimachinery.objects import core_v1
from kubelet.pods.world import TERMINAL, World, is_sidecar, restarts, role_of


def _ended(world: World, name: str) -> int | None:
    """The exit code of a container that has ended for good."""
    code = world.end(name)
    return None if code is None or name in world.forced or restarts(world.pod, role_of(world.pod, name), code) else code


def finished(world: World) -> bool:
    """Whether the pod's work is over: every container has ended for good, or an init container has failed for good."""
    if any(_ended(world, c.name) for c in _regular_inits(world)):
        return True
    return bool(world.pod.spec.containers) and all(_ended(world, c.name) is not None for c in world.pod.spec.containers)


def _regular_inits(world: World) -> Sequence[core_v1.Container]:
    return [c for c in world.pod.spec.init_containers if not is_sidecar(c)]


def phase(world: World, *, ending: bool) -> str:
    """The phase. `ending`: the pod is to run no longer. It is never terminal while something of it still runs."""
    before = world.pod.status.phase
    if before in TERMINAL:
        return before
    running = any(c.running and not c.is_sandbox for c in world.containers)
    found = _phase(world, ended=ending and not running)
    return (before or "Pending") if running and found in TERMINAL else found


def _phase(world: World, *, ended: bool) -> str:
    if ended and world.verdict is not None:
        return "Failed"
    policy = world.pod.spec.restart_policy or "Always"
    inits = Counter(_init_state(world, c.name) for c in _regular_inits(world))
    if inits["failed"] and policy == "Never":
        return "Failed"
    seen = Counter(_state(world, c.name) for c in world.pod.spec.containers)
    if ended:
        return "Succeeded" if seen["succeeded"] == sum(seen.values()) and seen else "Failed"
    initialized = any(world.latest(c.name) or world.end(c.name) is not None for c in world.pod.spec.containers)
    sidecars = Counter(_sidecar_state(world, c.name) for c in world.pod.spec.init_containers if is_sidecar(c))
    pending = inits["pending"] + inits["failed"] + (0 if initialized else sidecars["pending"])
    if pending or seen["waiting"]:
        return "Pending"
    if seen["running"]:
        return "Running"
    stopped = seen["succeeded"] + seen["failed"]
    if not stopped:
        return "Pending"
    if policy == "Always":
        return "Running"
    if seen["succeeded"] == stopped:
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


def _state(world: World, name: str) -> str:
    latest, code = world.latest(name), world.end(name)
    if latest is not None and latest.running:
        return "running"
    if code is None:
        return "waiting"
    return "failed" if code else "succeeded"


def _init_state(world: World, name: str) -> str:
    state = _state(world, name)
    return "pending" if state in ("waiting", "running") else state


def _sidecar_state(world: World, name: str) -> str:
    latest = world.latest(name)
    if latest is not None and latest.running:
        return "running" if world.probed(latest).started else "pending"
    return "pending" if world.end(name) is None else "stopped"

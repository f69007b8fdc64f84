"""What a pod needs next. Pure: one world in, a plan out; carried out by kubelet/worker.py, which then asks again.

    live     a sandbox; init containers one after the other, sidecars as soon as their turn comes, then the containers
             side by side; whoever ended and may come back waits for its back-off; whoever fails its probe is stopped
    ending   (deleted, finished, past its deadline, refused) every preStop hook at once; containers stop, sidecars
             last and in reverse; then the sandbox; then what the pod held is given back; then the API object goes
    gone     nothing is left: containers removed

Level-driven: nothing here remembers what was decided before. Sources: pkg/kubelet/kuberuntime/kuberuntime_manager.go
(computePodActions), kuberuntime_container.go (killContainer), kuberuntime_termination_order.go, pod_workers.go.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from apimachinery.objects import core_v1
from apimachinery.objects.core_v1 import Pod
from kubelet.pods import phase
from kubelet.pods.backoff import ready_at, spoken
from kubelet.pods.resize import differs, restarting, tree
from kubelet.pods.world import (
    HASH_LABEL,
    TERMINAL,
    Failure,
    Role,
    World,
    expired,
    is_sidecar,
    ref,
    restarts,
    start_time,
)
from kubelet.runtime.protocol import CREATED, Container

KEPT_LIVES = 2  # the present one and the one before, for lastState and `logs --previous`
LEAST_STOP = 2.0  # seconds between the stop signal and the kill, whatever was asked and however late it is
_LEAST_GRACE = 1.0


@dataclass(frozen=True, slots=True)
class MakeSandbox:
    attempt: int


@dataclass(frozen=True, slots=True)
class Wire:
    """Connect a sandbox that runs without an address (its wiring was cut short)."""

    container: Container


@dataclass(frozen=True, slots=True)
class Start:
    name: str
    role: Role
    attempt: int


@dataclass(frozen=True, slots=True)
class Stop:
    """End a running container: preStop, the stop signal, and after `grace` seconds in all, a kill.

    The signal waits for the end of the containers `after`, as long as the grace lasts.
    """

    container: Container
    grace: float
    message: str  # of the Killing event
    after: frozenset[str] = frozenset()  # ids
    forced: bool = False  # it comes back whatever the restart policy says


@dataclass(frozen=True, slots=True)
class Resize:
    """Give running containers what the pod has been promised."""

    containers: Sequence[Container]


@dataclass(frozen=True, slots=True)
class StopSandbox:
    container: Container


@dataclass(frozen=True, slots=True)
class Remove:
    container: Container


@dataclass(frozen=True, slots=True)
class Clean:
    """Give back what the pod held: address, volumes, cgroups."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Say the last word and remove the API object."""


Action = MakeSandbox | Wire | Start | Resize | Stop | StopSandbox | Remove | Clean | Forget


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now. `waiting` is why containers that should start do not, by name. `over`: the worker can go."""

    actions: Sequence[Action] = ()
    waiting: dict[str, Failure] = field(default_factory=dict)
    again_at: float | None = None
    ending: bool = False
    over: bool = False


def decide(world: World) -> Plan:
    """The next steps for one pod."""
    if is_ending(world):
        return _end(world)
    failure = world.failures.get("")
    if failure is not None and failure.retry_at > world.now:
        return Plan(list(_tidy(world)), again_at=_sooner(failure.retry_at, _deadline(world)))
    if world.sandbox is None:
        return _new_sandbox(world)
    if not world.address and not world.pod.spec.host_network:
        return Plan([Wire(world.sandbox)])
    plan = _containers(world)
    return replace(plan, actions=[*plan.actions, *_tidy(world)], again_at=_sooner(plan.again_at, _deadline(world)))


def is_ending(world: World) -> bool:
    """Whether the pod is to run no longer, whatever the reason."""
    pod = world.pod
    return (
        world.gone
        or world.verdict is not None
        or world.ending_since > 0
        or pod.metadata.deletion_timestamp is not None
        or pod.status.phase in TERMINAL
        or expired(pod, start_time(world), world.now)
        or phase.finished(world)
    )


def _deadline(world: World) -> float | None:
    seconds = world.pod.spec.active_deadline_seconds
    return None if seconds is None else start_time(world) + seconds


def _sooner(first: float | None, second: float | None) -> float | None:
    times = [time for time in (first, second) if time is not None]
    return min(times) if times else None


# The pod lives


def _new_sandbox(world: World) -> Plan:
    """What the old sandbox held ends first: its containers cannot live on in another network namespace."""
    orphans = [c for c in world.containers if c.running]
    if orphans:
        message = "Pod sandbox changed, it will be killed and re-created."
        return Plan([Stop(c, _grace(world.pod), message) for c in orphans if c.id not in world.stopping])
    old = [c for c in world.containers if c.is_sandbox]
    attempt = max((c.attempt for c in old), default=-1) + 1
    return Plan([*(Remove(c) for c in old), MakeSandbox(attempt)])


@dataclass(slots=True)
class _Steps:
    """Collects what the walk over a pod's containers finds."""

    actions: list[Action] = field(default_factory=list)
    waiting: dict[str, Failure] = field(default_factory=dict)
    sized: list[Container] = field(default_factory=list)  # to be resized as they run

    def plan(self, world: World) -> Plan:
        again = min((failure.retry_at for failure in self.waiting.values()), default=None)
        if self.sized and world.resize_at > world.now:
            return Plan(self.actions, self.waiting, _sooner(again, world.resize_at))
        resizes = [Resize(tuple(self.sized))] if self.sized else []
        return Plan([*self.actions, *resizes], self.waiting, again)


def _containers(world: World) -> Plan:
    steps, pod = _Steps(), world.pod
    begun = _furthest(world)
    for index, container in enumerate(pod.spec.init_containers):
        if is_sidecar(container):
            passed = _sidecar(world, container, steps)
        else:
            passed = index < begun or _init(world, container, steps)
        if not passed and index >= begun:
            break
    else:
        for container in pod.spec.containers:
            _main(world, container, steps)
    for debugger in pod.spec.ephemeral_containers:
        if world.latest(debugger.name) is None:
            _start(world, debugger.name, "ephemeral", steps)
    return steps.plan(world)


def _furthest(world: World) -> int:
    """How many init containers must have had their turn, since one after them has: whoever removed them."""
    inits = world.pod.spec.init_containers
    if any(world.here(c.name) for c in world.pod.spec.containers):
        return len(inits)
    return max((index for index, c in enumerate(inits) if world.here(c.name)), default=0)


def _init(world: World, container: core_v1.Container, steps: _Steps) -> bool:
    """Whether the next one may start."""
    here = world.here(container.name)
    if here is None or (here.exited and here.exit_code != 0):
        if here is None or restarts(world.pod, "init", here.exit_code):
            _start(world, container.name, "init", steps)
        return False
    return here.exited


def _sidecar(world: World, container: core_v1.Container, steps: _Steps) -> bool:
    here = world.here(container.name)
    if here is None or here.exited:
        _start(world, container.name, "sidecar", steps)
        return False
    if _unfit(world, container, here, steps, "sidecar"):
        return False
    return here.running and world.probed(here).started


def _main(world: World, container: core_v1.Container, steps: _Steps) -> None:
    here = world.here(container.name)
    forced = container.name in world.forced
    if here is None and world.pod.spec.restart_policy == "OnFailure" and world.end(container.name) == 0 and not forced:
        return  # in a sandbox that is no more: a success is not repeated
    if here is None or (here.exited and (forced or restarts(world.pod, "main", here.exit_code))):
        _start(world, container.name, "main", steps)
    elif here.running:
        _unfit(world, container, here, steps, "main")


def _unfit(world: World, container: core_v1.Container, here: Container, steps: _Steps, role: Role) -> bool:
    """Stop a running container that its probe has condemned or whose definition has changed."""
    failed = world.probed(here).failed
    changed = here.labels.get(HASH_LABEL, "") not in ("", spec_hash(container))
    if not failed and not changed:
        return _missized(world, container, here, steps)
    message = f"{container.name} definition changed" if changed else f"{container.name} failed {failed} probe"
    if role == "sidecar":
        message = f"Init container {message}"
    else:
        back = changed or world.pod.spec.restart_policy != "Never"
        message = f"Container {message}{', will be restarted' if back else ''}"
    if here.id not in world.stopping:
        steps.actions.append(Stop(here, _probe_grace(world.pod, container, failed), message, forced=changed))
    return True


def _missized(world: World, container: core_v1.Container, here: Container, steps: _Steps) -> bool:
    """Bring a running container to what the pod has been promised; whether it has to start anew for that."""
    changed = differs(tree(container), world.actuated.get(here.id, tree(container)))
    if not changed:
        return False
    if not restarting(container, changed):
        steps.sized.append(here)
        return False
    if here.id not in world.stopping:
        message = f"Container {container.name} resize requires restart"
        steps.actions.append(Stop(here, _grace(world.pod), message, forced=True))
    return True


def _start(world: World, name: str, role: Role, steps: _Steps) -> None:
    """Start it now, or wait: for its back-off, or after a failed try."""
    failure, latest = world.failures.get(name), world.latest(name)
    if latest is not None and not latest.exited:
        if latest.running:
            return  # of an earlier sandbox, and being stopped
        steps.actions.append(Remove(latest))  # made by an earlier life of ours and never started
        latest = next((c for c in world.history(name) if c.exited), None)
    if latest is not None:
        since = ready_at(world.backoff.get(name), latest.finished_at)
        if since > world.now:
            delay = spoken(since - latest.finished_at)
            message = f"back-off {delay} restarting failed container={name} pod={ref(world.pod)}"
            steps.waiting[name] = Failure("CrashLoopBackOff", message, since)
            return
    if failure is not None and failure.retry_at > world.now:
        steps.waiting[name] = failure
        return
    steps.actions.append(Start(name, role, next_attempt(world, name)))


def next_attempt(world: World, name: str) -> int:
    """One more than any life that Docker shows, or that the API was told of (the container may have been removed).

    What was made and never started is no life.
    """
    attempts = [c.attempt for c in world.history(name) if c.state != CREATED]
    told = world.told(name)
    if told is not None:  # without an id: lost, and counted already
        attempts.append((told.restart_count or 0) - (0 if told.container_id else 1))
    return max(attempts, default=-1) + 1


def spec_hash(container: core_v1.Container) -> str:
    """Changes when a running container has to be replaced: by its image alone, all else is immutable."""
    return hashlib.sha256(msgspec.json.encode([container.name, container.image])).hexdigest()[:16]


def _tidy(world: World) -> Iterator[Remove]:
    """Lives that nobody asks for any more."""
    names = {c.name for c in world.containers if c.name}
    for name in sorted(names):
        yield from (Remove(c) for c in world.history(name)[world.kept_lives :] if not c.running)
    sandboxes = [c for c in world.containers if c.is_sandbox]
    yield from (Remove(c) for c in sandboxes[1:] if not c.running)


# The pod ends


def _grace(pod: Pod) -> float:
    asked = pod.metadata.deletion_grace_period_seconds
    if asked is None:
        asked = pod.spec.termination_grace_period_seconds
    return max(float(30 if asked is None else asked), _LEAST_GRACE)


def _probe_grace(pod: Pod, container: core_v1.Container, failed: str) -> float:
    """A probe may bring a grace period of its own."""
    probe = {"liveness": container.liveness_probe, "startup": container.startup_probe}.get(failed)
    own = probe.termination_grace_period_seconds if probe is not None else None
    return max(float(own), _LEAST_GRACE) if own is not None else _grace(pod)


def _end(world: World) -> Plan:
    running = [c for c in world.containers if c.running and not c.is_sandbox]
    if running:
        return Plan(list(_stops(world, running)), ending=True)
    sandboxes = [c for c in world.containers if c.is_sandbox]
    alive = [c for c in sandboxes if c.running]
    if alive:
        return Plan([StopSandbox(c) for c in alive if c.id not in world.stopping], ending=True)
    if not world.cleaned:
        return Plan([Clean(), *(Remove(c) for c in sandboxes)], ending=True)
    if world.gone:
        left = [Remove(c) for c in world.containers]
        return Plan(left, ending=True, over=not left)
    if world.pod.metadata.deletion_timestamp is not None:
        return Plan([Forget()], ending=True)
    return Plan(ending=True)


def _stops(world: World, running: Sequence[Container]) -> Iterator[Stop]:
    """All at once; the signal of a sidecar waits until all who may need it have ended."""
    grace = _grace(world.pod)
    if world.verdict is not None and world.verdict.grace is not None:
        grace = max(min(grace, world.verdict.grace), _LEAST_GRACE)
    began = world.ending_since or world.now
    left = min(grace, max(grace - (world.now - began), LEAST_STOP))
    for container in running:
        deadline = world.stopping.get(container.id)
        if deadline is None or deadline > began + grace + 0.5:  # a later order may shorten the grace, never extend it
            after = _needing(world.pod, container, running)
            yield Stop(container, left, f"Stopping container {container.name}", after)


def _needing(pod: Pod, container: Container, running: Sequence[Container]) -> frozenset[str]:
    """Who has to end before it: for a sidecar the main containers and the sidecars that came later."""
    sidecars = [c.name for c in pod.spec.init_containers if is_sidecar(c)]
    if container.name not in sidecars:
        return frozenset()
    later = {*sidecars[sidecars.index(container.name) + 1 :], *(c.name for c in pod.spec.containers)}
    return frozenset(c.id for c in running if c.name in later)

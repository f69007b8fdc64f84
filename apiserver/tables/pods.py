"""The table of pods: what a pod is doing, in one word. Source: pkg/printers/internalversion/printers.go (printPod)."""

from collections.abc import Sequence

from apimachinery import times
from apimachinery.types import Json
from apiserver.tables.ages import human
from apiserver.tables.table import AGE, NONE, Cells, age, condition, is_true, spec_of, status_of, table, text, wide

_GATED = "SchedulingGated"


def _cells(pod: Json, now: float) -> Cells:
    spec, status = spec_of(pod), status_of(pod)
    found = _State(pod)
    restarts = str(found.restarts)
    if found.restarts and found.last_restart:
        restarts = f"{found.restarts} ({human(now - found.last_restart)} ago)"
    addresses = status.get("podIPs") or ()
    return [
        f"{found.ready}/{found.total}",
        found.reason,
        restarts,
        age(pod, now),
        (addresses[0].get("ip") if addresses else status.get("podIP")) or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _readiness_gates(pod),
    ]


class _State:
    """What the containers come to. Filled in order: init containers first, the others unless those still run."""

    def __init__(self, pod: Json) -> None:
        self.pod, self.status, self.spec = pod, status_of(pod), spec_of(pod)
        init = self.spec.get("initContainers") or ()
        self.sidecars = {c.get("name") for c in init if c.get("restartPolicy") == "Always"}
        self.total = len(self.spec.get("containers") or ()) + len(self.sidecars)
        self.ready = self.restarts = 0
        self.last_restart = 0.0
        self.reason = self._first_reason()
        initializing = self._init_containers(len(init))
        if not initializing or is_true(pod, "Initialized"):
            self._containers()
        self._deletion()

    def _first_reason(self) -> str:
        if condition(self.pod, "PodScheduled").get("reason") == _GATED:
            return _GATED
        return str(self.status.get("reason") or self.status.get("phase", ""))

    def _init_containers(self, count: int) -> bool:
        """Whether one of them still has to finish; the first such gives the reason."""
        for i, entry in enumerate(self.status.get("initContainerStatuses") or ()):
            self._count_restarts(entry)
            state = entry.get("state") or {}
            ended, waiting = state.get("terminated"), state.get("waiting") or {}
            if ended is not None and not ended.get("exitCode"):
                continue
            if entry.get("name") in self.sidecars and entry.get("started"):
                self.ready += bool(entry.get("ready"))
                continue
            if ended is not None:
                self.reason = f"Init:{_end(ended)}"
            elif waiting.get("reason") and waiting["reason"] != "PodInitializing":
                self.reason = f"Init:{waiting['reason']}"
            else:
                self.reason = f"Init:{i}/{count}"
            return True
        return False

    def _containers(self) -> None:
        """Restarts of init containers that have finished no longer count; sidecars' do."""
        self.restarts, self.last_restart = 0, 0.0
        for entry in self.status.get("initContainerStatuses") or ():
            if entry.get("name") in self.sidecars:
                self._count_restarts(entry)
        running = False
        for entry in reversed(self.status.get("containerStatuses") or ()):
            self._count_restarts(entry)
            state = entry.get("state") or {}
            waiting, ended = state.get("waiting") or {}, state.get("terminated")
            if waiting.get("reason"):
                self.reason = waiting["reason"]
            elif ended is not None:
                self.reason = _end(ended)
            elif entry.get("ready") and state.get("running") is not None:
                running = True
                self.ready += 1
        if self.reason == "Completed" and running:
            self.reason = "Running" if is_true(self.pod, "Ready") else "NotReady"

    def _count_restarts(self, entry: Json) -> None:
        self.restarts += entry.get("restartCount", 0)
        finished = ((entry.get("lastState") or {}).get("terminated") or {}).get("finishedAt")
        if finished:
            self.last_restart = max(self.last_restart, times.parse(finished))

    def _deletion(self) -> None:
        if not self.pod["metadata"].get("deletionTimestamp"):
            return
        if self.status.get("reason") == "NodeLost":
            self.reason = "Unknown"
        elif self.status.get("phase") not in ("Succeeded", "Failed"):
            self.reason = "Terminating"


def _end(ended: Json) -> str:
    """How a container ended, where it gives no reason of its own."""
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def _readiness_gates(pod: Json) -> str:
    gates = [gate.get("conditionType", "") for gate in spec_of(pod).get("readinessGates") or ()]
    return f"{sum(is_true(pod, gate) for gate in gates)}/{len(gates)}" if gates else NONE


def _conditions(pod: Json) -> Sequence[Json]:
    return _ENDS.get(status_of(pod).get("phase", ""), ())


def _end_of(phase: str, message: str) -> Sequence[Json]:
    return ({"type": "Completed", "status": "True", "reason": phase, "message": message},)


_ENDS = {
    "Succeeded": _end_of("Succeeded", "The pod has completed successfully."),
    "Failed": _end_of("Failed", "The pod failed."),
}
PODS = table(
    text("Ready"),
    text("Status"),
    text("Restarts"),
    AGE,
    wide("IP"),
    wide("Node"),
    wide("Nominated Node"),
    wide("Readiness Gates"),
    cells=_cells,
    conditions=_conditions,
)

"""The pods that wait to be placed: those to try now, those backing off, those that nothing would help yet.

As upstream's scheduling queue: higher priority first, then the one that waits longest. A pod that did not fit is
parked; when the cluster changes in a way that may help, parked pods become due again after their back-off (1 s
doubling to 10 s), and in any case after five minutes. `now` is an argument everywhere. Source:
pkg/scheduler/backend/queue/scheduling_queue.go.
"""

import heapq
import itertools
from dataclasses import dataclass, field

from scheduler.views import Pod

FIRST_BACKOFF, LONGEST_BACKOFF = 1.0, 10.0
PARKED_AT_MOST = 300.0


@dataclass(order=True)
class Waiting:
    """One pod in the backlog."""

    rank: tuple[int, int]  # priority (negated), order of coming
    pod: Pod = field(compare=False)
    attempts: int = field(compare=False, default=0)
    tried: float = field(compare=False, default=0.0)
    reported: str = field(compare=False, default="")  # the last reason told to the server

    def due(self) -> float:
        """When its back-off is over."""
        if self.attempts == 0:
            return 0.0
        return self.tried + min(FIRST_BACKOFF * 2.0 ** (self.attempts - 1), LONGEST_BACKOFF)


class Backlog:
    """Every pod that has no node, by uid; each in exactly one of active, backing off, parked."""

    def __init__(self) -> None:
        self._all: dict[str, Waiting] = {}
        self._active: list[Waiting] = []
        self._delayed: list[tuple[float, int, Waiting]] = []
        self._parked: dict[str, Waiting] = {}
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._all)

    def put(self, pod: Pod) -> None:
        """Takes in a pod, or its new state; a change of the pod itself makes it worth another try."""
        uid = pod.metadata.uid
        known = self._all.get(uid)
        if known is None:
            waiting = Waiting((-(pod.spec.priority or 0), next(self._order)), pod)
            self._all[uid] = waiting
            heapq.heappush(self._active, waiting)
            return
        changed = known.pod.spec != pod.spec or known.pod.metadata.labels != pod.metadata.labels
        known.pod = pod
        if changed and uid in self._parked:
            del self._parked[uid]
            self._delay(known)

    def drop(self, uid: str) -> None:
        """Forgets a pod that was placed or deleted."""
        self._all.pop(uid, None)
        self._parked.pop(uid, None)

    def take(self, now: float) -> Waiting | None:
        """The pod to try next, None when none is due. It must be given back with `park`, `retry` or `drop`."""
        while self._delayed and self._delayed[0][0] <= now:
            heapq.heappush(self._active, heapq.heappop(self._delayed)[2])
        while self._active:
            waiting = heapq.heappop(self._active)
            if self._all.get(waiting.pod.metadata.uid) is waiting:
                return waiting
        return None

    def park(self, waiting: Waiting, now: float) -> None:
        """The pod fits nowhere: it waits for the cluster to change."""
        waiting.attempts, waiting.tried = waiting.attempts + 1, now
        if self._all.get(waiting.pod.metadata.uid) is waiting:
            self._parked[waiting.pod.metadata.uid] = waiting

    def retry(self, waiting: Waiting, now: float) -> None:
        """The pod failed for a reason of the moment: again after its back-off."""
        waiting.attempts, waiting.tried = waiting.attempts + 1, now
        if self._all.get(waiting.pod.metadata.uid) is waiting:
            self._delay(waiting)

    def wake(self) -> None:
        """The cluster changed in a way that may help: what is parked becomes due after its back-off."""
        for waiting in self._parked.values():
            self._delay(waiting)
        self._parked.clear()

    def wake_stale(self, now: float) -> None:
        """What has been parked for too long is tried again, whatever was missed."""
        for uid in [u for u, w in self._parked.items() if w.tried + PARKED_AT_MOST <= now]:
            self._delay(self._parked.pop(uid))

    def next_due(self, now: float) -> float | None:
        """Seconds until something must be done; None while nothing waits."""
        if self._active:
            return 0.0
        times = [self._delayed[0][0]] if self._delayed else []
        times += [waiting.tried + PARKED_AT_MOST for waiting in self._parked.values()]
        return max(0.0, min(times) - now) if times else None

    def _delay(self, waiting: Waiting) -> None:
        heapq.heappush(self._delayed, (waiting.due(), next(self._order), waiting))

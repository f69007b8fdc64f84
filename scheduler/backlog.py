"""The pods that wait to be placed: those to try now, those backing off, those that nothing would help yet.

As upstream's scheduling queue: higher priority first, then the one that waits longest. A pod that did not fit is
parked; when something happens that may help it (what refused it says what does), it is tried again: as soon as no other
pod is to be tried, or in its turn after its back-off (1 s doubling to 10 s), and in any case after five minutes. A pod
that failed for an error waits for its back-off in full. What happens while a pod is tried counts when it is parked.
`now` is an argument everywhere. Source: pkg/scheduler/backend/queue.
"""

import heapq
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scheduler.events import Change, Event
from scheduler.filters import Filter
from scheduler.views import Pod

FIRST_BACKOFF, LONGEST_BACKOFF = 1.0, 10.0
PARKED_AT_MOST = 300.0


@dataclass(order=True)
class Waiting:
    """One pod in the backlog."""

    rank: tuple[int, int]  # priority (negated), order of coming, or of having been tried
    pod: Pod = field(compare=False)
    attempts: int = field(compare=False, default=0)  # that found no node
    errors: int = field(compare=False, default=0)  # in a row
    came: float = field(compare=False, default=0.0)
    taken: float = field(compare=False, default=0.0)  # to be tried
    tried: float = field(compare=False, default=0.0)  # and given back
    #: What the server was told last: reason, message, and of which generation of the pod.
    reported: tuple[str, str, int] = field(compare=False, default=("", "", 0))
    refused_by: Sequence[Filter] = field(compare=False, default=())

    def due(self) -> float:
        """When its back-off is over."""
        count = self.errors or self.attempts
        return self.tried + min(FIRST_BACKOFF * 2.0 ** (count - 1), LONGEST_BACKOFF) if count else 0.0

    def is_helped_by(self, event: Event) -> bool:
        """Whether it is worth another try; one that nothing in particular refused is helped by anything."""
        if event.change is Change.ITSELF or not self.refused_by:
            return True
        return any(each.may_help(self.pod, event) for each in self.refused_by)


class Backlog:
    """Every pod that has no node, by uid; each in one of active, backing off, failed, parked, being tried, placed."""

    def __init__(self) -> None:
        self._all: dict[str, Waiting] = {}
        self._active: list[Waiting] = []
        self._backing_off: list[tuple[int, Waiting]] = []  # by whole seconds, then rank
        self._failed: list[tuple[float, Waiting]] = []
        self._parked: dict[str, Waiting] = {}
        self._tried: dict[str, list[tuple[Event, int | None]]] = {}  # what happened meanwhile
        self._placed: set[str] = set()  # on their way to a node: what happens is nothing to them
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._all)

    def sizes(self) -> Mapping[str, int]:
        """How many pods wait where, by upstream's names."""
        parked, backing_off = len(self._parked), len(self._backing_off) + len(self._failed)
        active = max(len(self._all) - parked - backing_off - len(self._tried) - len(self._placed), 0)
        return {"active": active, "backoff": backing_off, "unschedulable": parked}

    def put(self, pod: Pod, now: float = 0.0) -> None:
        """Takes in a pod, or its new state; a change of the pod itself makes it worth another try."""
        uid = pod.metadata.uid
        known = self._all.get(uid)
        if known is None:
            waiting = Waiting((-pod.priority, next(self._order)), pod, came=now)
            self._all[uid] = waiting
            heapq.heappush(self._active, waiting)
            return
        changed = known.pod.spec != pod.spec or known.pod.metadata.labels != pod.metadata.labels
        known.pod = pod
        if changed and uid in self._tried:
            self._tried[uid].append((Event(Change.ITSELF), None))
        elif changed and self._parked.pop(uid, None) is not None:
            self._delay(known)

    def drop(self, uid: str) -> None:
        """Forgets a pod that was placed or deleted."""
        self._all.pop(uid, None)
        self._parked.pop(uid, None)
        self._tried.pop(uid, None)
        self._placed.discard(uid)

    def placed(self, uid: str) -> None:
        """A pod that is being tried has found its node: it will be dropped, or retried where its binding fails."""
        if self._tried.pop(uid, None) is not None:
            self._placed.add(uid)

    def take(self, now: float) -> Waiting | None:
        """The pod to try next, None when none is due. It must be given back with `park`, `retry` or `drop`."""
        while self._failed and self._failed[0][0] <= now:
            heapq.heappush(self._active, heapq.heappop(self._failed)[1])
        while self._backing_off and self._backing_off[0][0] <= now:
            heapq.heappush(self._active, heapq.heappop(self._backing_off)[1])
        while self._active or self._backing_off:
            waiting = heapq.heappop(self._active) if self._active else heapq.heappop(self._backing_off)[1]
            uid = waiting.pod.metadata.uid
            if self._all.get(uid) is waiting and uid not in self._tried and uid not in self._placed:
                self._tried[uid], waiting.taken = [], now
                return waiting
        return None

    def park(self, waiting: Waiting, now: float, refused_by: Sequence[Filter] = ()) -> None:
        """The pod fits nowhere: it waits for something to happen that helps against what refused it."""
        happened = self._given_back(waiting, now)
        if happened is None:
            return
        waiting.attempts, waiting.errors, waiting.refused_by = waiting.attempts + 1, 0, refused_by
        if any(_concerns(waiting, event, at_most) for event, at_most in happened):
            self._delay(waiting)
        else:
            self._parked[waiting.pod.metadata.uid] = waiting

    def retry(self, waiting: Waiting, now: float) -> None:
        """The pod failed for a reason of the moment: again after its back-off."""
        if self._given_back(waiting, now) is not None:
            waiting.errors += 1
            heapq.heappush(self._failed, (waiting.due(), waiting))

    def _given_back(self, waiting: Waiting, now: float) -> list[tuple[Event, int | None]] | None:
        """What happened while it was tried; None where it is no longer to be placed."""
        uid = waiting.pod.metadata.uid
        if self._all.get(uid) is not waiting:
            return None
        waiting.tried, waiting.rank = now, (-waiting.pod.priority, next(self._order))
        self._placed.discard(uid)
        return self._tried.pop(uid, [])

    def wake(self, event: Event, at_most: int | None = None) -> None:
        """Something happened: what is parked and may be helped is tried again (of a priority of `at_most`)."""
        for happened in self._tried.values():
            happened.append((event, at_most))
        for uid in [uid for uid, waiting in self._parked.items() if _concerns(waiting, event, at_most)]:
            self._delay(self._parked.pop(uid))

    def wake_stale(self, now: float) -> None:
        """What has been parked for too long is tried again, whatever was missed."""
        for uid in [u for u, w in self._parked.items() if w.tried + PARKED_AT_MOST <= now]:
            self._delay(self._parked.pop(uid))

    def next_due(self, now: float) -> float | None:
        """Seconds until something must be done; None while nothing waits."""
        if self._active or self._backing_off:
            return 0.0
        times = [self._failed[0][0]] if self._failed else []
        times += [waiting.tried + PARKED_AT_MOST for waiting in self._parked.values()]
        return max(0.0, min(times) - now) if times else None

    def _delay(self, waiting: Waiting) -> None:
        """To be tried again; what no filter refused (there was no node at all) waits as after an error."""
        if waiting.refused_by:
            heapq.heappush(self._backing_off, (int(waiting.due()), waiting))
        else:
            heapq.heappush(self._failed, (waiting.due(), waiting))


def _concerns(waiting: Waiting, event: Event, at_most: int | None) -> bool:
    return (at_most is None or waiting.pod.priority <= at_most) and waiting.is_helped_by(event)

"""One priority level's queues: shuffle sharding and fair queuing by virtual time. Pure: the time is an argument.

A flow is dealt a hand of queues by its hash and waits in the least loaded one, so that a flood fills its own hand and
few others'. Each queue has a virtual time R at which its next request is due; the queue whose head would be finished
first is served first. Virtual time advances by the seats in use over the number of active queues, as if all queues were
served at once, bit by bit. A request is charged an estimated duration when it starts and the rest when it ends.

While nobody waits and seats are free, nothing of this matters, and a request costs a comparison and two counters: it is
not charged to a queue, and the seats that it holds do not count for the speed of virtual time. That is the one knowing
difference from upstream, where an idle level keeps accounts, too.
Source: apiserver/pkg/util/flowcontrol/fairqueuing/queueset, util/shufflesharding.
"""

import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from apiserver.fairness.seats import ONE, Width

#: What a request is thought to take until it has ended, in seconds.
ESTIMATED = 0.003
RUN, WAIT = "run", "wait"
QUEUE_FULL, NO_SEATS = "queue-full", "concurrency-limit"


class Ticket:
    """One request at a level, from its arrival to its end. `note` is the caller's."""

    __slots__ = ("arrived", "due", "flow", "note", "queue", "schema", "seats", "started", "width")

    def __init__(self, schema: str, flow: str, width: Width = ONE, arrived: float = 0.0, note: object = None) -> None:
        self.schema = schema
        self.flow = flow
        self.width = width
        self.seats = max(width.seats, width.final)  # the most that it holds at a time
        self.arrived = arrived
        self.started = -1.0  # below 0 while it waits
        self.note = note
        self.queue: _Queue | None = None
        self.due = 0.0  # R at the arrival

    @property
    def work(self) -> float:
        """Seat-seconds, as estimated at first."""
        return self.width.seats * ESTIMATED + self.width.final * self.width.seconds


@dataclass(slots=True, eq=False)
class _Queue:
    index: int
    waiting: deque[Ticket] = field(default_factory=deque)
    executing: int = 0
    seats: int = 0  # in use
    seats_waiting: int = 0
    work: float = 0.0  # waiting
    next_r: float = 0.0

    @property
    def is_active(self) -> bool:
        return bool(self.waiting) or self.executing > 0


class Level:
    """The state of one priority level. `queues` 0: nobody waits. `limit` is in seats; None for an exempt level."""

    def __init__(self, *, limit: int | None, queues: int = 0, hand: int = 0, length: int = 0) -> None:
        self.limit = limit
        self.seats = 0  # in use
        self.executing = 0
        self.waiting = 0
        self.seats_waiting = 0
        self.dispatched = 0
        self.rejected = 0
        self.timed_out = 0
        self.dispatch_r = self.latest_s = -1.0  # when the last one left a queue: R, and when it was due; -1 before
        self._unqueued = 0  # seats in use by those who came when nobody waited
        self.r = 0.0
        self._last = 0.0  # the real time of r
        self._hand = hand
        self._length = length
        self._dealt = 0
        self._robin = 0
        self._wanted = queues
        self.queues = [_Queue(i) for i in range(queues)]
        self._active: dict[int, _Queue] = {}

    # -- the three moments of a request

    def arrive(self, ticket: Ticket, now: float) -> tuple[str, Sequence[Ticket]]:
        """RUN, WAIT, or why it is refused; and who else starts now."""
        limit = self.limit
        seats = ticket.seats
        if limit is None or (not self.waiting and self.seats + seats <= limit):
            return self._pass(ticket, now)
        if not self.queues:
            if self._fits(seats):  # wider than the level, which is empty
                return self._pass(ticket, now)
            self.rejected += 1
            return NO_SEATS, ()
        self._sync(now)
        queue = self._deal(ticket)
        if self.seats >= limit and len(queue.waiting) >= self._length:
            self.rejected += 1
            return QUEUE_FULL, ()
        self._enqueue(queue, ticket, now)
        started = self.dispatch(now)
        return (RUN if ticket in started else WAIT), [one for one in started if one is not ticket]

    def end(self, ticket: Ticket, now: float, served: float) -> Sequence[Ticket]:
        """The request was answered in `served` seconds and its last seats are free now. Gives those that start now."""
        queue = ticket.queue
        if self._active:
            self._sync(now)
        self.executing -= 1
        self.seats -= ticket.seats
        if queue is None:
            self._unqueued -= ticket.seats
        else:
            queue.executing -= 1
            queue.seats -= ticket.seats
            queue.next_r -= ticket.width.seats * (ESTIMATED - served)
            self._settle(queue)
        return self.dispatch(now) if self.waiting else ()

    def give_up(self, ticket: Ticket, now: float) -> Sequence[Ticket]:
        """A waiting request leaves its queue. Gives those that start now: it may have been the one in their way."""
        queue = ticket.queue
        assert queue is not None, ticket
        self._sync(now)
        queue.waiting.remove(ticket)
        self._left(queue, ticket)
        self.rejected += 1
        self.timed_out += 1
        self._settle(queue)
        return self.dispatch(now) if self.waiting else ()

    def dispatch(self, now: float) -> Sequence[Ticket]:
        """Start as many as there are seats for, in fair order. Gives them."""
        started: list[Ticket] = []
        while self.waiting and (queue := self._next()) is not None:
            ticket = queue.waiting.popleft()
            self._left(queue, ticket)
            self._seat(ticket.seats)
            queue.executing += 1
            queue.seats += ticket.seats
            self.dispatch_r, self.latest_s = self.r, queue.next_r
            queue.next_r += ticket.work
            ticket.started = now
            self._settle(queue)
            started.append(ticket)
        return started

    # -- configuration

    def resize(self, limit: int | None, now: float) -> Sequence[Ticket]:
        """Another number of seats. Gives those that start now."""
        if limit != self.limit:
            self._sync(now)
            self.limit = limit
        return self.dispatch(now) if self.waiting else ()

    def requeue(self, queues: int, hand: int, length: int) -> None:
        """Another shape. Queues that are too many stay until they are empty, but are dealt to nobody."""
        self._hand, self._length, self._wanted = hand, length, queues
        while len(self.queues) > queues and not self.queues[-1].is_active:
            self.queues.pop()
        self.queues += [_Queue(i) for i in range(len(self.queues), queues)]

    def next_due(self) -> Sequence[tuple[float, float]]:
        """Of each queue in which somebody waits: R at which its head is due, and the same less the work in progress."""
        waiting = [queue for queue in self._active.values() if queue.waiting]
        return [(queue.next_r, queue.next_r - queue.seats * ESTIMATED) for queue in waiting]

    @property
    def capacity(self) -> int:
        """How many may wait."""
        return len(self.queues) * self._length

    @property
    def is_idle(self) -> bool:
        """Whether nobody is here."""
        return not self.waiting and not self.executing

    # -- inside

    def _pass(self, ticket: Ticket, now: float) -> tuple[str, Sequence[Ticket]]:
        """Run without having waited."""
        if self._active:
            self._sync(now)
        ticket.started = now
        self._unqueued += ticket.seats
        self._seat(ticket.seats)
        return RUN, ()

    def _seat(self, seats: int) -> None:
        self.seats += seats
        self.executing += 1
        self.dispatched += 1

    def _fits(self, seats: int) -> bool:
        """Whether so many seats are free; one that is wider than the level runs alone."""
        if self.limit is None or self.seats + seats <= self.limit:
            return True
        return seats > self.limit and not self.executing

    def _deal(self, ticket: Ticket) -> _Queue:
        """The queue of the flow's hand with the least work waiting; equals in turn."""
        hand = dealt(ticket.schema, ticket.flow, self._wanted, self._hand)
        offset = self._dealt % len(hand)
        self._dealt += 1
        return min((self.queues[i] for i in (*hand[offset:], *hand[:offset])), key=lambda queue: queue.work)

    def _enqueue(self, queue: _Queue, ticket: Ticket, now: float) -> None:
        if not queue.is_active:
            queue.next_r = self.r
        ticket.queue, ticket.arrived, ticket.due = queue, now, self.r
        queue.waiting.append(ticket)
        queue.seats_waiting += ticket.seats
        queue.work += ticket.work
        self.waiting += 1
        self.seats_waiting += ticket.seats
        self._settle(queue)

    def _left(self, queue: _Queue, ticket: Ticket) -> None:
        self.waiting -= 1
        self.seats_waiting -= ticket.seats
        queue.seats_waiting -= ticket.seats
        queue.work = queue.work - ticket.work if queue.waiting else 0.0

    def _settle(self, queue: _Queue) -> None:
        """After every change: R is not behind the oldest waiter, and active queues are known."""
        if queue.waiting and queue.next_r < queue.waiting[0].due:
            queue.next_r = queue.waiting[0].due
        if queue.is_active:
            self._active[queue.index] = queue
        else:
            self._active.pop(queue.index, None)
            if queue.index >= self._wanted and self.queues and self.queues[-1] is queue:
                self.queues.pop()

    def _sync(self, now: float) -> None:
        """Bring virtual time up to the real one."""
        if self._active and self.limit is not None:
            asked = sum(queue.seats + queue.seats_waiting for queue in self._active.values())
            served = max(0, min(asked, self.limit - self._unqueued))
            self.r += served / len(self._active) * max(0.0, now - self._last)
        self._last = now

    def _next(self) -> _Queue | None:
        """The queue whose head would end first in virtual time; None where its head finds no seats."""
        count = len(self.queues)
        waiting = [queue for queue in self._active.values() if queue.waiting]
        best = min(
            waiting,
            key=lambda queue: (queue.next_r + queue.waiting[0].work, (queue.index - self._robin - 1) % count),
        )
        if not self._fits(best.waiting[0].seats):
            return None
        self._robin = best.index
        return best


@lru_cache(maxsize=4096)
def dealt(schema: str, flow: str, queues: int, hand: int) -> tuple[int, ...]:
    """The hand of a flow: distinct queues, by its hash."""
    digest = hashlib.sha256(f"{schema}\0{flow}".encode()).digest()
    value = int.from_bytes(digest[:8], "little")
    remainders, cards = [], []
    for i in range(min(hand, queues)):
        value, remainder = divmod(value, queues - i)
        remainders.append(remainder)
    for i, card in enumerate(remainders):
        for earlier in reversed(remainders[:i]):
            card += card >= earlier  # noqa: PLW2901 - a card moves up past those that lie before it
        cards.append(card)
    return tuple(cards)

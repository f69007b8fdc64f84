"""How long a container that keeps ending, or an image that cannot be pulled, has to wait. Pure.

10 s, doubling up to 5 minutes, forgotten after 10 quiet minutes. The first restart is at once.
Source: client-go/util/flowcontrol/backoff.go as the kubelet uses it.
"""

from dataclasses import dataclass

INITIAL = 10.0
MAXIMUM = 300.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """The delay after the next end, and when it was last raised."""

    delay: float
    updated: float

    def expired(self, ended: float) -> bool:
        return ended - self.updated > 2 * MAXIMUM


def ready_at(memory: Backoff | None, ended: float) -> float:
    """When what ended then may start again."""
    return ended if memory is None or memory.expired(ended) else ended + memory.delay


def advance(memory: Backoff | None, ended: float, now: float) -> Backoff:
    """The memory after another start."""
    if memory is None or memory.expired(ended):
        return Backoff(INITIAL, now)
    return Backoff(min(memory.delay * 2, MAXIMUM), now)


def spoken(delay: float) -> str:
    """As Go prints a duration: `10s`, `2m40s`, `5m0s`."""
    minutes, seconds = divmod(round(delay), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"

"""Containers that the kubelet stops to start others in their place: a new image, a failed probe, a resize by restart.

They come back whatever the restart policy says where that was asked for, and what lies between is not told: upstream
does both in one turn, so who changes an image, say, sees the pod ready before and after it. Each is known by the
container that was stopped, not by its name alone: a start that was under way before the stop is no answer to it. Pure.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from kubelet.pods.decide import Action, Start, Stop
from kubelet.runtime.protocol import Container


@dataclass(frozen=True, slots=True)
class Debt:
    """What a start that begins now is to make good: the containers whose places it takes."""

    untold: str
    forced: str


@dataclass
class Replacing:
    """By the names of containers, the ids of those that were stopped last."""

    _untold: dict[str, str] = field(default_factory=dict)
    _forced: dict[str, str] = field(default_factory=dict)

    @property
    def forced(self) -> frozenset[str]:
        """Who comes back whatever the restart policy says."""
        return frozenset(self._forced)

    def stopped(self, action: Stop, *, ending: bool) -> None:
        """A container is being stopped; the pod is `ending` where nothing takes its place."""
        if action.forced:
            self._forced[action.container.name] = action.container.id
        if not ending:
            self._untold[action.container.name] = action.container.id

    def is_untold(
        self, actions: Sequence[Action], containers: Sequence[Container], stopping: Collection[str], *, making: bool
    ) -> bool:
        """Whether one that we stopped is just being started again; what nobody goes on with is forgotten."""
        due = {action.name for action in actions if isinstance(action, Start)}
        due |= {container.name for container in containers if container.id in stopping}
        if not making:
            self._untold = {name: id for name, id in self._untold.items() if name in due}
        return bool(self._untold)

    def debt(self, name: str) -> Debt:
        return Debt(self._untold.get(name, ""), self._forced.get(name, ""))

    def tried(self, name: str, debt: Debt, *, started: bool) -> None:
        """A start has come to its end: what it owed is settled, what came to it since is not."""
        if self._untold.get(name) == debt.untold:
            self._untold.pop(name, None)
        if started and self._forced.get(name) == debt.forced:
            self._forced.pop(name, None)

"""Whether the kernel killed a container for its memory, where Docker does not know (cgroup v2).

Docker learns it from a file of the container's cgroup, which is gone with its last process: it often comes too late.
The count of the pod's cgroup stays, and has every kill below it. So a container that a SIGKILL ended while that count
grew was killed by the kernel.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from kubelet.runtime.protocol import EXITED, Container

_KILLED = 137


@dataclass
class OomKills:
    """The counts of pods' cgroups when they were last looked at. `count` reads one: None where there is none."""

    count: Callable[[str], int | None]
    _seen: dict[str, int] = field(default_factory=dict)

    def begin(self, parent: str) -> None:
        """A container is about to run below this cgroup."""
        if parent and parent not in self._seen and (now := self.count(parent)) is not None:
            self._seen[parent] = now

    def told(self, container: Container, parent: str) -> Container:
        """The container as it is, and why it ended."""
        if container.state != EXITED or container.exit_code != _KILLED or parent not in self._seen:
            return container
        before, now = self._seen[parent], self.count(parent)
        if now is None:
            return container
        self._seen[parent] = now
        return container if container.oom_killed or now <= before else replace(container, oom_killed=True)

    def forget(self) -> None:
        """The cgroups that are gone."""
        self._seen = {parent: seen for parent, seen in self._seen.items() if self.count(parent) is not None}

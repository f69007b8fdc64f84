"""What processes hold in memory, and how long they have been on a processor, as the kernel counts it."""

import os
from dataclasses import dataclass
from pathlib import Path

from bootstrap import supervisor

CONTROL_PLANE = ("apiserver", "scheduler", "controllers")


@dataclass(frozen=True, slots=True)
class Memory:
    """In MB. PSS shares out what several processes map, so that sums of it mean something; RSS counts it each time."""

    pss: float = 0.0
    rss: float = 0.0
    private: float = 0.0

    def __add__(self, other):
        return Memory(self.pss + other.pss, self.rss + other.rss, self.private + other.private)


def of(pid):
    """What one process holds."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    mb = {line.split(":")[0]: int(line.split()[1]) * 1024 / 1e6 for line in text.splitlines()[1:]}
    return Memory(mb["Pss"], mb["Rss"], mb["Private_Clean"] + mb["Private_Dirty"])


def processor_seconds(spec, name):
    """What a named process of a cluster has used since it began."""
    fields = Path(f"/proc/{supervisor.recorded(spec.run, name).pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def total(spec, names):
    """The sum over the named processes of a cluster."""
    return sum((of(supervisor.recorded(spec.run, name).pid) for name in names), Memory())


def forge(spec):
    """The process that the others were forked from, and share pages with: the supervisor's first child."""
    pid = supervisor.recorded(spec.run, "supervisor").pid
    return of(int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]))

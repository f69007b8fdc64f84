"""What processes hold in memory, as the kernel counts it."""

from pathlib import Path

from bootstrap import supervisor

CONTROL_PLANE = ("apiserver", "scheduler", "controllers")


def of(pid):
    """(PSS, RSS) in MB: PSS shares what several processes map among them, so that a sum of it means something."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    fields = {line.split(":")[0]: int(line.split()[1]) for line in text.splitlines()[1:]}
    return fields["Pss"] * 1024 / 1e6, fields["Rss"] * 1024 / 1e6


def sums(spec, names):
    """(PSS, RSS) in MB of the named processes of a cluster."""
    found = [of(supervisor.recorded(spec.run, name).pid) for name in names]
    return sum(pss for pss, _ in found), sum(rss for _, rss in found)

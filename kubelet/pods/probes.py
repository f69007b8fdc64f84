"""What a row of probe results means: thresholds. Pure. Source: pkg/kubelet/prober/worker.go."""

from dataclasses import dataclass

from apimachinery.objects import core_v1


@dataclass(frozen=True, slots=True)
class Tally:
    """The effective result so far, and how long the present run of equal results is."""

    settled: bool
    last: bool | None = None
    run: int = 0


def count(tally: Tally, probe: core_v1.Probe, *, passed: bool) -> Tally:
    """After one more result: the effective one changes when the run reaches its threshold."""
    run = tally.run + 1 if tally.last == passed else 1
    needed = (probe.success_threshold or 1) if passed else (probe.failure_threshold or 3)
    return Tally(passed if run >= needed else tally.settled, passed, run)


def initial_delay(probe: core_v1.Probe) -> float:
    """Seconds after the container's start until the first probe."""
    return float(probe.initial_delay_seconds or 0)


def period(probe: core_v1.Probe) -> float:
    """Seconds from one probe to the next."""
    return float(probe.period_seconds or 10)


def patience(probe: core_v1.Probe) -> float:
    """Seconds that a probe may take."""
    return float(probe.timeout_seconds or 1)

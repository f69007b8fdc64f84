"""Deletes Jobs with a TTL (`ttlSecondsAfterFinished`) so long after they finished, with everything that is theirs.

Source: pkg/controller/ttlafterfinished/ttlafterfinished_controller.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from apimachinery.kinds import JOBS
from client.plan import Delete, Key, Plan, View, Watch, itself
from controllers.job_state import finished
from controllers.views import (
    seconds,
)
from controllers.workload_views import (
    Job,
)


@dataclass(frozen=True)
class TTLAfterFinished:
    """The reaper of finished Jobs."""

    name: str = "ttl-after-finished-controller"
    watches: Sequence[Watch] = (Watch(JOBS, itself),)

    def plan(self, key: Key, view: View, now: float) -> Plan:
        job: Job | None = view.get(JOBS, key)
        if job is None or job.metadata.deletion_timestamp is not None or job.spec.ttl_seconds_after_finished is None:
            return Plan()
        end = finished(job)
        if end is None or end.last_transition_time is None:
            return Plan()
        remaining = seconds(end.last_transition_time) + job.spec.ttl_seconds_after_finished - now
        if remaining > 0:
            return Plan(again_in=remaining)
        return Plan([Delete(JOBS, key, job.metadata.uid, propagation="Foreground")])

"""Makes the Jobs of each CronJob at their times, notes which run, and clears away the oldest that are over.

A Job's name is made of the minute it was due, so no restart makes one twice; that it was made is noted in the status by
the next plan, which sees it. Of times that were missed only the latest is made up for.
Source: pkg/controller/cronjob/cronjob_controllerv2.go, utils.go.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apimachinery.cron import Every, Schedule, parse
from apimachinery.kinds import CRONJOBS, JOBS
from apimachinery.times import parse as parse_time
from apimachinery.times import rfc3339
from apimachinery.types import Json
from client.events import reference
from client.plan import Create, Delete, Event, Key, OwnerOf, Patch, Plan, View, Watch, Write, itself, key_of
from controllers.job_state import finished
from controllers.ownership import controller_of, owner_reference
from controllers.views import (
    CONTROLLER,
    seconds,
)
from controllers.workload_views import (
    CronJob,
    Job,
)

SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"
LATE = 0.1  # seconds after the time, since clocks differ
MANY = 100
_SEE = "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/"


@dataclass(frozen=True, slots=True)
class Noted:
    """The status as it should be, and what there is to tell and to delete on the way."""

    active: Sequence[Json]
    last_scheduled: float
    last_successful: float
    writes: Sequence[Write | Event]


class CronJobController:
    """The controller of CronJobs."""

    name = "cronjob-controller"
    watches: Sequence[Watch] = (Watch(CRONJOBS, itself), Watch(JOBS, OwnerOf(CRONJOBS)))

    def __init__(self) -> None:
        #: The schedule last seen: a changed one counts from its change on, and makes up for nothing before.
        self._seen: dict[Key, tuple[str, str, str | None]] = {}

    def plan(self, key: Key, view: View, now: float) -> Plan:
        cron: CronJob | None = view.get(CRONJOBS, key)
        if cron is None:
            self._seen.pop(key, None)
            return Plan()
        noted = _note(cron, view)
        started, again_in = self._start(cron, noted, view, now)
        return Plan([*noted.writes, *_status_patch(cron, noted), *started], again_in)

    def _start(
        self, cron: CronJob, noted: Noted, view: View, now: float
    ) -> tuple[Sequence[Write | Event], float | None]:
        if cron.metadata.deletion_timestamp is not None:
            return (), None
        if problem := _zone_problem(cron):
            return (problem,), None
        if cron.spec.suspend:
            return (), None
        told: list[Write | Event] = []
        zone = cron.spec.time_zone or ""
        if "TZ" in cron.spec.schedule:
            quoted, zone = json.dumps(cron.spec.schedule), ""
            told.append(
                _warning(
                    cron,
                    "UnsupportedSchedule",
                    f"CRON_TZ or TZ used in schedule {quoted} is not officially supported, see {_SEE} for more details",
                )
            )
        try:
            schedule = parse(cron.spec.schedule, zone)
        except (ValueError, ZoneInfoNotFoundError) as error:
            message = f"unparseable schedule: {json.dumps(cron.spec.schedule)} : {error}"
            return (*told, _warning(cron, "UnparseableSchedule", message)), None
        if self._has_changed(cron):
            return told, _next_in(cron, noted, schedule, now)
        writes, is_waiting = _due(cron, noted, schedule, view, now)
        return (*told, *writes), _next_in(cron, noted, schedule, now) if is_waiting else None

    def _has_changed(self, cron: CronJob) -> bool:
        key, new = key_of(cron), (cron.metadata.uid, cron.spec.schedule, cron.spec.time_zone)
        old = self._seen.get(key, new)
        self._seen[key] = new
        return old != new and old[0] == new[0]


def job_name(cron: CronJob, at: float) -> str:
    """The job of a scheduled minute has one name, so that it cannot be made twice."""
    return f"{cron.metadata.name}-{int(at) // 60}"


def _warning(cron: CronJob, reason: str, message: str) -> Event:
    return Event(_about(cron), "Warning", reason, message)


def _told(cron: CronJob, reason: str, message: str) -> Event:
    return Event(_about(cron), "Normal", reason, message)


def _about(cron: CronJob) -> Json:
    return reference(cron, kind=CRONJOBS.kind, api_version=CRONJOBS.api_version)


def _zone_problem(cron: CronJob) -> Event | None:
    name = cron.spec.time_zone
    try:
        if name:
            ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"invalid timeZone: {json.dumps(name)}: unknown time zone {name}"
        return _warning(cron, "UnknownTimeZone", message)
    return None


# ------------------------------------------------------------------------------------------------ what there is


def _note(cron: CronJob, view: View) -> Noted:
    """Clear away what is too old, then compare the list of active Jobs with those there are."""
    jobs: Sequence[Job] = sorted(view.by(JOBS, CONTROLLER, cron.metadata.uid), key=lambda job: job.metadata.name)
    deletes = _too_old(cron, jobs)
    going = {delete.uid for delete in deletes}
    active = {ref.uid: _reference_tree(ref) for ref in cron.status.active if ref.uid not in going}
    last, success = seconds(cron.status.last_schedule_time), seconds(cron.status.last_successful_time)
    events: list[Event] = []
    for job in jobs:
        uid, end, due = job.metadata.uid, finished(job), _made_for(cron, job)
        if due > last and uid not in going:  # made by the last plan
            active[uid], last = _reference(job), due
        elif end is None and uid not in active:
            message = f"Saw a job that the controller did not create or forgot: {job.metadata.name}"
            events.append(_warning(cron, "UnexpectedJob", message))
        elif end is not None and uid in active:
            del active[uid]
            message = f"Saw completed job: {job.metadata.name}, condition: {end.type}"
            events.append(_told(cron, "SawCompletedJob", message))
        if end is not None and end.type == "Complete":
            success = max(success, seconds(job.status.completion_time))
    known = {job.metadata.uid for job in jobs}
    lost = [active.pop(uid)["name"] for uid in [uid for uid in active if uid not in known]]
    events += [_told(cron, "MissingJob", f"Active job went missing: {name}") for name in lost]
    return Noted([*active.values()], last, success, [*deletes, *events])


def _made_for(cron: CronJob, job: Job) -> float:
    """The time for which we made a Job, 0 where it has another origin."""
    text = job.metadata.annotations.get(SCHEDULED_AT, "")
    try:
        at = parse_time(text) if text else 0.0
    except ValueError:
        return 0.0
    return at if job.metadata.name == job_name(cron, at) else 0.0


def _too_old(cron: CronJob, jobs: Sequence[Job]) -> Sequence[Delete]:
    """The oldest finished Jobs beyond the limits, failed ones by themselves."""
    limits = (("Complete", cron.spec.successful_jobs_history_limit), ("Failed", cron.spec.failed_jobs_history_limit))
    doomed: list[Delete] = []
    for type, limit in limits:
        over = [job for job in jobs if (end := finished(job)) is not None and end.type == type]
        over.sort(key=lambda job: (seconds(job.status.start_time) or math.inf, job.metadata.name))
        surplus = len(over) - limit if limit is not None else 0
        doomed += [_deletion(cron, job) for job in over[: max(0, surplus)]]
    return doomed


def _deletion(cron: CronJob, job: Job) -> Delete:
    return Delete(
        JOBS,
        key_of(job),
        job.metadata.uid,
        propagation="Background",
        done=_told(cron, "SuccessfulDelete", f"Deleted job {job.metadata.name}"),
        failed=_warning(cron, "FailedDelete", "Deleted job: {error}"),
    )


def _reference(job: Job) -> Json:
    return reference(job, kind=JOBS.kind, api_version=JOBS.api_version)


def _reference_tree(ref: Any) -> Json:
    found = {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name, "uid": ref.uid}
    found |= {"apiVersion": ref.api_version, "resourceVersion": ref.resource_version}
    return {name: value for name, value in found.items() if value}


def _status_patch(cron: CronJob, noted: Noted) -> Iterable[Patch]:
    before = [_reference_tree(ref) for ref in cron.status.active]
    status: Json = {} if noted.active == before else {"active": noted.active or None}
    if noted.last_scheduled != seconds(cron.status.last_schedule_time):
        status["lastScheduleTime"] = rfc3339(noted.last_scheduled)
    if noted.last_successful != seconds(cron.status.last_successful_time):
        status["lastSuccessfulTime"] = rfc3339(noted.last_successful)
    if status:
        yield Patch(CRONJOBS, key_of(cron), cron.metadata.uid, {"status": status}, subresource="status")


# ------------------------------------------------------------------------------------------------ what is due


@dataclass(frozen=True, slots=True)
class Missed:
    """The latest time that has come since `since` (None: none has), and roughly how many have."""

    since: float
    latest: float | None
    count: int


def missed(cron: CronJob, last: float, schedule: Schedule | Every, now: float, *, deadline: bool) -> Missed:
    """Times that have come since the last one that was used. Raises ValueError for a schedule with no two times."""
    since = last or seconds(cron.metadata.creation_timestamp)
    if deadline and cron.spec.starting_deadline_seconds is not None:
        since = max(since, now - cron.spec.starting_deadline_seconds)
    first = schedule.next(since)
    if first is not None and now < first:
        return Missed(since, None, 0)
    second = schedule.next(first) if first is not None else None
    if first is None or second is None or second - first < 1:
        raise ValueError("time difference between two schedules is less than 1 second")
    if now < second:
        return Missed(since, first, 0)
    interval = round(second - first)
    count = int(now - first) // interval + 1
    latest, at = None, schedule.next(first + (count - 2) * interval)
    while at is not None and at <= now:
        latest, at = at, schedule.next(at)
    return Missed(since, latest, count)


def _next_in(cron: CronJob, noted: Noted, schedule: Schedule | Every, now: float) -> float | None:
    try:
        found = missed(cron, noted.last_scheduled, schedule, now, deadline=False)
    except ValueError:
        found = Missed(now, now, 0)
    start = found.latest if found.latest is not None else now if found.count else found.since
    at = schedule.next(start)
    return None if at is None else max(0.0, at + LATE - now)


def _due(
    cron: CronJob, noted: Noted, schedule: Schedule | Every, view: View, now: float
) -> tuple[Sequence[Write | Event], bool]:
    """What to do about the latest time that has come, and whether to wait for the next."""
    try:
        found = missed(cron, noted.last_scheduled, schedule, now, deadline=True)
    except ValueError as error:
        return (_warning(cron, "InvalidSchedule", f"invalid schedule: {cron.spec.schedule} : {error}"),), False
    at = found.latest
    if at is None:
        return (), True
    told: list[Write | Event] = []
    if found.count > MANY:
        message = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
        told.append(_warning(cron, "TooManyMissedTimes", message))
    if cron.spec.starting_deadline_seconds is not None and at + cron.spec.starting_deadline_seconds < now:
        moment = format_datetime(datetime.fromtimestamp(at, UTC))
        return (*told, _warning(cron, "MissSchedule", f"Missed scheduled time to start a job: {moment}")), True
    name = job_name(cron, at)
    if at == noted.last_scheduled or any(each["name"] == name for each in noted.active):
        return told, True
    if cron.spec.concurrency_policy == "Forbid" and noted.active:
        message = "Not starting job because prior execution is running and concurrency policy is Forbid"
        return (*told, _told(cron, "JobAlreadyActive", message)), True
    there: Job | None = view.get(JOBS, Key(cron.metadata.namespace, name))
    if there is not None:  # another's of that name: its maker's business
        return told, (owner := controller_of(there)) is not None and owner.uid == cron.metadata.uid
    if cron.spec.concurrency_policy == "Replace":
        told += _replaced(cron, noted, view)
    return (*told, _creation(cron, at)), True


def _replaced(cron: CronJob, noted: Noted, view: View) -> Iterable[Delete]:
    for each in noted.active:
        job: Job | None = view.get(JOBS, Key(cron.metadata.namespace, each["name"]))
        if job is not None:
            yield _deletion(cron, job)


def _creation(cron: CronJob, at: float) -> Create:
    template = cron.spec.job_template
    wanted = template.get("metadata") or {}
    zone = ZoneInfo(cron.spec.time_zone) if cron.spec.time_zone else UTC
    moment = datetime.fromtimestamp(at, zone).isoformat(timespec="seconds").replace("+00:00", "Z")
    meta = {
        "name": job_name(cron, at),
        "namespace": cron.metadata.namespace,
        "annotations": {**(wanted.get("annotations") or {}), SCHEDULED_AT: moment},
        "ownerReferences": [owner_reference(CRONJOBS, cron.metadata)],
    } | ({"labels": wanted["labels"]} if wanted.get("labels") else {})
    return Create(
        JOBS,
        cron.metadata.namespace,
        {"metadata": meta, "spec": template.get("spec") or {}},
        done=_told(cron, "SuccessfulCreate", "Created job {name}"),
        failed=_warning(cron, "FailedCreate", "Error creating job: {error}"),
    )

"""A Job's status, as any controller may write it: what it says must fit together, and its verdict is final.

A rule holds only where something that it speaks of has changed, so that a status which is wrong already can be written
on. Source: pkg/registry/batch/job/strategy.go (getStatusValidationOptions), pkg/apis/batch/validation.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from apimachinery import times
from apimachinery.errors import NO_VALUE, FieldError
from apimachinery.types import Json
from apiserver.strategies import go_structs
from apiserver.strategies.problems import IMMUTABLE, Problems, duplicate, invalid, required
from apiserver.strategies.workloads import common

_COUNTS = ("active", "succeeded", "failed", "ready", "terminating")
_NUMBER = re.compile(r"[+-]?[0-9]+")
_INDEXED = "Indexed"


@dataclass(frozen=True)
class _Job:
    """What the rules ask of a Job."""

    spec: Json
    status: Json

    @cached_property
    def true(self) -> frozenset[str]:
        """The conditions that hold."""
        conditions = self.status.get("conditions") or ()
        return frozenset(c.get("type", "") for c in conditions if c.get("status") == "True")

    @property
    def is_complete(self) -> bool:
        return "Complete" in self.true

    @property
    def is_failed(self) -> bool:
        return "Failed" in self.true

    @property
    def is_finished(self) -> bool:
        return self.is_complete or self.is_failed

    def time(self, name: str) -> float | None:
        """A time of the status."""
        text = self.status.get(name)
        return None if text is None else times.parse(text)


def check(new: Json, old: Json | None) -> list[FieldError]:
    now, was = (_Job((tree or {}).get("spec") or {}, (tree or {}).get("status") or {}) for tree in (new, old))
    return [
        *common.status_counts(new, *_COUNTS),
        *_uncounted(now.status.get("uncountedTerminatedPods") or {}),
        *_verdict(now, was),
        *_finished(now, was),
        *_indexes(now, was),
        *_pods(now, was),
        *_criteria(now),
        *_changes(now, was),
    ]


def _uncounted(pods: Json) -> Problems:
    seen: set[str] = set()
    for name in ("succeeded", "failed"):
        for i, uid in enumerate(pods.get(name) or ()):
            here = f"status.uncountedTerminatedPods.{name}[{i}]"
            if not uid:
                yield invalid(here, uid, "must not be empty")
            elif uid in seen:
                yield duplicate(here, uid)
            seen.add(uid)


def _changed(now: _Job, was: _Job, *names: str) -> bool:
    """Whether one of these conditions, or fields of the status, is another than it was."""
    conditions = (name[:1].isupper() and (name in now.true) != (name in was.true) for name in names)
    return any(conditions) or any(now.status.get(name) != was.status.get(name) for name in names)


def _wrong(why: str) -> FieldError:
    return invalid("status.conditions", NO_VALUE, why)


def _verdict(now: _Job, was: _Job) -> Problems:
    """What holds beside what, and since when."""
    completed = now.status.get("completionTime")
    if _changed(now, was, "Complete", "Failed") and now.is_complete and now.is_failed:
        yield _wrong("cannot set Complete=True and Failed=true conditions")
    if _changed(now, was, "Complete", "FailureTarget") and now.is_complete and "FailureTarget" in now.true:
        yield _wrong("cannot set Complete=True and FailureTarget=true conditions")
    if _changed(now, was, "Complete", "completionTime"):
        if completed is not None and not now.is_complete:
            why = "cannot set completionTime when there is no Complete=True condition"
            yield invalid("status.completionTime", completed, why)
        if completed is None and now.is_complete:
            yield required("status.completionTime", "completionTime is required for Complete jobs")
    if _changed(now, was, "startTime", "completionTime"):
        began, ended = now.time("startTime"), now.time("completionTime")
        if began is not None and ended is not None and ended < began:
            yield invalid("status.completionTime", completed, "must be equal to or after `startTime`")
    if _changed(now, was, "Failed", "failedIndexes") and now.is_failed and "FailureTarget" not in now.true:
        yield _wrong("cannot set Failed=True condition without the FailureTarget=true condition")
    if (
        _changed(now, was, "Complete", "SuccessCriteriaMet")
        and now.is_complete
        and "SuccessCriteriaMet" not in now.true
    ):
        yield _wrong("cannot set Complete=True condition without the SuccessCriteriaMet=true condition")


def _finished(now: _Job, was: _Job) -> Problems:
    """A Job that is over has begun, and has nothing going on."""
    if not now.is_finished:
        return
    is_new = now.is_finished != was.is_finished
    active, pods = now.status.get("active") or 0, now.status.get("uncountedTerminatedPods")
    if (is_new or _changed(now, was, "active")) and active > 0:
        yield invalid("status.active", active, "active>0 is invalid for finished job")
    has_nothing_to_do = now.spec.get("suspend") is True and now.spec.get("completions") == 0
    if (is_new or _changed(now, was, "startTime")) and not has_nothing_to_do and now.status.get("startTime") is None:
        yield required("status.startTime", "startTime is required for finished job")
    if (is_new or _changed(now, was, "uncountedTerminatedPods")) and any((pods or {}).values()):
        shown = go_structs.shown("*batch.UncountedTerminatedPods", pods)
        yield invalid("status.uncountedTerminatedPods", shown, "must be empty for finished job")


class _BadIndexes(ValueError):
    """Indexes that are none; `str()` is upstream's text."""


def _interval(text: str, completions: int) -> range:
    """`3-5` or `7`. Raises _BadIndexes."""
    parts = text.split("-")
    if len(parts) > 2:
        why = "violates the requirement that an index interval can have at most two parts separated by '-'"
        raise _BadIndexes(f'the fragment "{text}" {why}')
    first, *rest = (_index(part, completions) for part in parts)
    if rest and first >= rest[0]:
        raise _BadIndexes(f"non-increasing order, previous: {first}, current: {rest[0]}")
    return range(first, (rest[0] if rest else first) + 1)


def _index(text: str, completions: int) -> int:
    if not _NUMBER.fullmatch(text) or len(text) > 18:
        raise _BadIndexes(f'cannot convert string to integer for index: "{text}"')
    if int(text) >= completions:
        raise _BadIndexes(f'too large index: "{text}"')
    return int(text)


def _indexes(now: _Job, was: _Job) -> Problems:
    """Which indexes are done and which have failed: written rightly, and none of them both."""
    completions, per_index = now.spec.get("completions"), now.spec.get("backoffLimitPerIndex")
    done, failed = now.status.get("completedIndexes") or "", now.status.get("failedIndexes")
    new_done, new_failed = _changed(now, was, "completedIndexes"), _changed(now, was, "failedIndexes")
    if new_done and completions is not None:
        yield from _malformed("completedIndexes", done, completions)
    if new_failed and completions is not None and per_index is not None and failed is not None:
        yield from _malformed("failedIndexes", failed, completions)
    if new_done and done and now.spec.get("completionMode") != _INDEXED:
        why = "cannot set non-empty completedIndexes when non-indexed completion mode"
        yield invalid("status.completedIndexes", done, why)
    if new_failed and per_index is None and failed is not None:
        yield invalid(
            "status.failedIndexes", failed, "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
        )
    if (new_done or new_failed) and completions is not None and (why := _overlap(done, failed or "", completions)):
        yield invalid("status.failedIndexes", failed, why)


def _malformed(name: str, text: str, completions: int) -> Problems:
    try:
        _check_rising([_interval(part, completions) for part in text.split(",") if text])
    except _BadIndexes as error:
        yield invalid(f"status.{name}", text, f"error parsing {name}: {error}")


def _check_rising(intervals: Sequence[range]) -> None:
    """Raise _BadIndexes unless each begins behind the one before."""
    for one, other in pairwise(intervals):
        if one.stop > other.start:
            raise _BadIndexes(f"non-increasing order, previous: {one.stop - 1}, current: {other.start}")


def _overlap(done: str, failed: str, completions: int) -> str:
    """Why indexes cannot both be done and have failed; "" when none is both."""
    pairs = ([*_readable(done, completions)], [*_readable(failed, completions)])
    i = j = 0
    while i < len(pairs[0]) and j < len(pairs[1]):
        one, other = pairs[0][i], pairs[1][j]
        if one.start < other.stop and other.start < one.stop:
            return f"failedIndexes and completedIndexes overlap at index: {max(one.start, other.start)}"
        if one.start <= other.start:
            i += 1
        else:
            j += 1
    return ""


def _readable(text: str, completions: int) -> Iterator[range]:
    for part in text.split(","):
        with suppress(_BadIndexes):  # told where the indexes are judged one by one
            yield _interval(part, completions)


def _pods(now: _Job, was: _Job) -> Problems:
    is_new = now.is_finished != was.is_finished
    ready, active = now.status.get("ready"), now.status.get("active") or 0
    terminating = now.status.get("terminating")
    if (is_new or _changed(now, was, "terminating")) and (terminating or 0) > 0 and now.is_finished:
        yield invalid("status.terminating", terminating, "terminating>0 is invalid for finished job")
    if _changed(now, was, "ready", "active") and ready is not None and ready > active:
        yield invalid("status.ready", ready, "cannot set more ready pods than active")


def _criteria(now: _Job) -> Problems:
    """A success that has been told is no failure."""
    if "SuccessCriteriaMet" in now.true:
        for name in ("Failed", "FailureTarget"):
            if name in now.true:
                yield _wrong(f"cannot set SuccessCriteriaMet=True and {name}=true conditions")
    elif now.spec.get("successPolicy") is not None and now.is_complete:
        yield _wrong("cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True")


def _changes(now: _Job, was: _Job) -> Problems:
    """What is told once stays told."""
    for name in ("Failed", "Complete", "FailureTarget"):
        if name in was.true and name not in now.true:
            yield _wrong(f"cannot disable the terminal {name}=True condition")
    is_elastic = now.spec.get("completionMode") == _INDEXED and now.spec.get("completions") == now.spec.get(
        "parallelism"
    )
    for name in ("failed",) if is_elastic else ("failed", "succeeded"):
        count = now.status.get(name) or 0
        if count < (was.status.get(name) or 0):
            yield invalid(f"status.{name}", count, f"cannot decrease the {name} counter")
    completed, before = now.status.get("completionTime"), was.status.get("completionTime")
    if None not in (completed, before) and completed != before:
        yield invalid("status.completionTime", completed, IMMUTABLE)
    started = was.status.get("startTime")
    # a resumed Job starts anew: 1.34.1 refuses what its own controller writes then, v1.34.2 does not
    is_resumed = "Suspended" in was.true and "Suspended" not in now.true
    if started is not None and _changed(now, was, "startTime") and not now.spec.get("suspend") and not is_resumed:
        yield required("status.startTime", "startTime cannot be removed for unsuspended job")
    if "SuccessCriteriaMet" in was.true and "SuccessCriteriaMet" not in now.true:
        yield _wrong("cannot disable the SuccessCriteriaMet=True condition")
    if was.is_complete and "SuccessCriteriaMet" not in was.true and "SuccessCriteriaMet" in now.true:
        yield _wrong("cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions")

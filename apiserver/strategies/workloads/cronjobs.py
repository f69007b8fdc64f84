"""CronJobs. Source: pkg/apis/batch/v1/defaults.go, pkg/apis/batch/validation ValidateCronJobSpec."""

import zoneinfo

from apimachinery.cron import schedule_problem
from apimachinery.errors import FieldError, not_supported
from apimachinery.types import Json
from apiserver.strategies.defaulting import fill, part
from apiserver.strategies.pod import warnings
from apiserver.strategies.pod.defaults import pod_template
from apiserver.strategies.problems import Problems, invalid, non_negative, one_of, required, shown_selector
from apiserver.strategies.strategy import Strategy
from apiserver.strategies.workloads import common
from apiserver.strategies.workloads.jobs import default_failure_policy, job_spec

_POLICIES = ("Allow", "Forbid", "Replace")
_HISTORY = ("successfulJobsHistoryLimit", "failedJobsHistoryLimit")
_MAX_NAME = 52  # a Job's name is the CronJob's and eleven characters of time; a pod's label takes 63


def default(tree: Json) -> Json:
    spec = part(tree, "spec")
    fill(spec, "concurrencyPolicy", "Allow")
    if spec.get("suspend") is None:
        spec["suspend"] = False
    fill(spec, "successfulJobsHistoryLimit", 3)
    fill(spec, "failedJobsHistoryLimit", 1)
    template = part(spec, "jobTemplate")
    template.setdefault("metadata", {})
    default_failure_policy(part(template, "spec"))
    pod_template(part(template["spec"], "template"))
    return tree


def check(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*_check(new)]
    name = new["metadata"].get("name", "")
    if old is None and len(name) > _MAX_NAME:
        problems.append(invalid("metadata.name", name, "must be no more than 52 characters"))
    return problems


def _check(new: Json) -> Problems:
    spec = new["spec"]
    yield from _schedule(spec)
    yield from non_negative("spec.startingDeadlineSeconds", spec.get("startingDeadlineSeconds"))
    yield from _time_zone(spec.get("timeZone"))
    yield from one_of("spec.concurrencyPolicy", spec.get("concurrencyPolicy", ""), _POLICIES)
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    yield from job_spec("spec.jobTemplate.spec", job)
    if job.get("selector") is not None:
        yield invalid(
            "spec.jobTemplate.spec.selector", shown_selector(job["selector"]), "`selector` will be auto-generated"
        )
    if job.get("manualSelector"):
        yield not_supported("spec.jobTemplate.spec.manualSelector", True, ("nil", "false"))
    for member in _HISTORY:
        yield from non_negative(f"spec.{member}", spec.get(member))


def _schedule(spec: Json) -> Problems:
    text = spec.get("schedule", "")
    if not text:
        yield required("spec.schedule")
        return
    problem = schedule_problem(text)
    if problem:
        yield invalid("spec.schedule", text, problem)
    if "TZ" in text:
        detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        yield invalid("spec.schedule", text, detail)


def _time_zone(name: str | None) -> Problems:
    if name is None:
        return
    if not name:
        yield invalid("spec.timeZone", name, "timeZone must be nil or non-empty string")
    elif name.lower() == "local":
        yield invalid("spec.timeZone", name, "timeZone must be an explicit time zone as defined in "
                      "https://www.iana.org/time-zones")  # fmt: skip
    else:
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            yield invalid("spec.timeZone", name, f"unknown time zone {name}")


def _warnings(new: Json, old: Json | None) -> list[str]:
    template = (new["spec"].get("jobTemplate") or {}).get("spec", {}).get("template") or {}
    if old is not None and common.is_of_generation(new, old):
        return []
    return warnings.template("spec.jobTemplate.spec.template", template)


CRONJOBS = Strategy(default=default, check=check, has_generation=True, warnings=_warnings)

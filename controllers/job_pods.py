"""The pods of a Job: which to make, from what, and which go when there are too many. Pure.

Source: pkg/controller/job/job_controller.go manageJob, indexed_job_utils.go, controller_utils.go ActivePods.
"""

import copy
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from apimachinery.kinds import JOBS, PODS
from apimachinery.types import Json
from client.events import reference
from client.plan import Create, Delete, Event, Patch, key_of
from controllers import pods
from controllers.job_policies import COMPLETION_INDEX, failure_annotations, index_of, is_indexed
from controllers.ownership import owner_reference
from controllers.views import (
    JOB_TRACKING,
    Pod,
    seconds,
)
from controllers.workload_views import (
    Job,
)

_INDEX_VARIABLE = "JOB_COMPLETION_INDEX"
_MAX_PREFIX = 58  # a name of 63, less the five that the server makes up
_PHASES = {"Pending": 0, "Unknown": 1}  # running and anything else: 2


def creation(job: Job, index: int | None, replaced: Pod | None = None) -> Create:
    """The next pod of a Job, of that index; `replaced` is the failed one whose count it carries on."""
    meta, spec = _from_template(job)
    if index is None:
        meta["generateName"] = f"{job.metadata.name}-"
    else:
        ending = f"-{index}-"
        meta["generateName"] = job.metadata.name[: _MAX_PREFIX - len(ending)] + ending
        annotations = {COMPLETION_INDEX: str(index)}
        if job.spec.backoff_limit_per_index is not None:
            annotations |= failure_annotations(replaced, job)
        meta["annotations"] = {**meta.get("annotations", {}), **annotations}
        meta["labels"] = {**meta.get("labels", {}), COMPLETION_INDEX: str(index)}
        spec = _told_its_index({**spec, "hostname": f"{job.metadata.name}-{index}"})
    about = about_job(job)
    return Create(
        PODS,
        job.metadata.namespace,
        {"metadata": meta, "spec": spec},
        done=Event(about, "Normal", "SuccessfulCreate", "Created pod: {name}"),
        failed=Event(about, "Warning", "FailedCreate", "Error creating: {error}"),
    )


def about_job(job: Job) -> Json:
    """What an event about a Job refers to."""
    return reference(job, kind=JOBS.kind, api_version=JOBS.api_version)


def _from_template(job: Job) -> tuple[Json, Json]:
    template = job.spec.template
    wanted = template.get("metadata") or {}
    meta = {name: wanted[name] for name in ("labels", "annotations") if wanted.get(name)}
    finalizers = wanted.get("finalizers") or []
    meta["finalizers"] = finalizers if JOB_TRACKING in finalizers else [*finalizers, JOB_TRACKING]
    meta |= {
        "namespace": job.metadata.namespace,
        "ownerReferences": [owner_reference(JOBS, job.metadata)],
    }
    return meta, template.get("spec") or {}


def _told_its_index(spec: Json) -> Json:
    variable = {
        "name": _INDEX_VARIABLE,
        "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{COMPLETION_INDEX}']"}},
    }
    spec = copy.deepcopy(spec)
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        variables = container.get("env") or []
        if all(each.get("name") != _INDEX_VARIABLE for each in variables):
            container["env"] = [*variables, variable]
    return spec


def deletion(job: Job, pod: Pod) -> Delete:
    """The write that deletes a pod of the job, and the events that tell of it."""
    about = about_job(job)
    return Delete(
        PODS,
        key_of(pod),
        pod.metadata.uid,
        done=Event(about, "Normal", "SuccessfulDelete", f"Deleted pod: {pod.metadata.name}"),
        failed=Event(about, "Warning", "FailedDelete", "Error deleting: {error}"),
    )


def letting_go(pod: Pod, *, resource_version: str = "") -> Patch:
    """Take the tracking finalizer off: the pod is counted, or never will be."""
    body = {"metadata": {"$deleteFromPrimitiveList/finalizers": [JOB_TRACKING]}}
    return Patch(PODS, key_of(pod), pod.metadata.uid, body, type="strategic", resource_version=resource_version)


def surplus(job: Job, active: Sequence[Pod], at_least: int) -> Sequence[Pod]:
    """The pods to take away: all whose index is wrong or taken, and then what is least far along."""
    doomed: list[Pod] = []
    rest = list(active)
    if is_indexed(job):
        doomed, rest = _by_index(active, job.spec.completions or 0)
    return [*doomed, *sorted(rest, key=_progress)[: max(0, at_least - len(doomed))]]


def _by_index(active: Sequence[Pod], completions: int) -> tuple[list[Pod], list[Pod]]:
    doomed, rest = [], []
    groups: dict[int, list[Pod]] = defaultdict(list)
    for pod in active:
        index = index_of(pod)
        if index is None or index >= completions:
            doomed.append(pod)
        else:
            groups[index].append(pod)
    for _, group in sorted(groups.items()):
        *others, best = sorted(group, key=_progress)
        doomed += others
        rest.append(best)
    return doomed, rest


def _progress(pod: Pod) -> tuple[Any, ...]:
    """Unassigned, pending, unready, ready for a short time, often restarted and young pods come first."""
    ready = pods.is_ready(pod)
    restarts = max((status.restart_count for status in pod.status.container_statuses), default=0)
    return (
        bool(pod.spec.node_name),
        _PHASES.get(pod.status.phase, 2),
        ready,
        -pods.ready_since(pod) if ready else 0,
        -restarts,
        -seconds(pod.metadata.creation_timestamp),
        pod.metadata.name,
    )

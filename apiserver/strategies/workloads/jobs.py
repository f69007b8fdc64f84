"""Jobs. Source: pkg/apis/batch/v1/defaults.go, pkg/apis/batch/validation, pkg/registry/batch/job/strategy.go.

The selector of a Job is made from its uid, so that two Jobs never count each other's pods: that happens in `stamp`,
when the uid is known.
"""

from collections.abc import Mapping

from apimachinery import selectors
from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies.defaulting import fill, part
from apiserver.strategies.pod import spec as pods
from apiserver.strategies.pod.defaults import pod_template
from apiserver.strategies.problems import (
    Problems,
    forbidden,
    immutable,
    invalid,
    label_selector,
    non_negative,
    one_of,
    required,
)
from apiserver.strategies.strategy import Strategy, WriteContext, keep_status, metadata_fields
from apiserver.strategies.workloads import common

_UID_LABELS = ("batch.kubernetes.io/controller-uid", "controller-uid")
_NAME_LABELS = ("batch.kubernetes.io/job-name", "job-name")
_COUNTS = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
           "backoffLimitPerIndex", "maxFailedIndexes")  # fmt: skip
_FOR_LIFE = ("selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy")
_SCHEDULING = ("nodeSelector", "affinity", "tolerations", "schedulingGates")


def default(tree: Json) -> Json:
    spec = part(tree, "spec")
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = spec["parallelism"] = 1
    fill(spec, "parallelism", 1)
    fill(spec, "backoffLimit", 2**31 - 1 if spec.get("backoffLimitPerIndex") is not None else 6)
    labels = part(part(spec, "template"), "metadata").get("labels")
    if labels and not part(tree, "metadata").get("labels"):
        tree["metadata"]["labels"] = dict(labels)
    fill(spec, "completionMode", "NonIndexed")
    if spec.get("suspend") is None:
        spec["suspend"] = False
    fill(spec, "podReplacementPolicy", "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed")
    _default_failure_policy(spec)
    pod_template(spec["template"])
    return tree


def _default_failure_policy(spec: Json) -> None:
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            fill(pattern, "status", "True")


def prepare(new: Json, old: Json | None) -> Json:
    return keep_status(new, old)


def stamp(new: Json, old: Json | None, _context: WriteContext) -> Json:
    """Label the pods with the Job's uid and name, and select by the uid."""
    spec, metadata = new["spec"], new["metadata"]
    if old is not None or spec.get("manualSelector"):
        return new
    spec.setdefault("manualSelector", False)
    labels = part(part(part(spec, "template"), "metadata"), "labels")
    for name in _UID_LABELS:
        labels.setdefault(name, metadata.get("uid", ""))
    for name in _NAME_LABELS:
        labels.setdefault(name, metadata["name"])
    matched = part(part(spec, "selector"), "matchLabels")
    matched.setdefault(_UID_LABELS[0], metadata.get("uid", ""))
    return new


def check(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*_check(new)]
    if old is not None:
        problems += _changes(new["spec"], old)
    return problems


def _check(new: Json) -> Problems:
    spec = new["spec"]
    if spec.get("selector") is None:
        yield required("spec.selector")
    else:
        yield from label_selector("spec.selector", spec["selector"])
        labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
        if not selectors.from_label_selector(spec["selector"]).matches(labels):
            yield invalid("spec.template.metadata.labels", labels, common.MISMATCH)
    yield from job_spec("spec", spec)


def job_spec(path: str, spec: Json) -> Problems:
    """What holds for a Job's spec and for the one inside a CronJob."""
    for name in _COUNTS:
        yield from non_negative(f"{path}.{name}", spec.get(name))
    yield from one_of(f"{path}.completionMode", spec.get("completionMode", "NonIndexed"), ("Indexed", "NonIndexed"))
    if spec.get("completionMode") == "Indexed":
        if spec.get("completions") is None:
            yield required(f"{path}.completions", "when completion mode is Indexed")
    elif spec.get("backoffLimitPerIndex") is not None:
        detail = "requires indexed completion mode"
        yield invalid(f"{path}.backoffLimitPerIndex", spec["backoffLimitPerIndex"], detail)
    template = spec.get("template") or {}
    yield from pods.template(f"{path}.template", template)
    policy = (template.get("spec") or {}).get("restartPolicy", "")
    if policy not in ("OnFailure", "Never"):
        yield required(f"{path}.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"')
    yield from _failure_policy(f"{path}.podFailurePolicy", spec, policy)


def _failure_policy(path: str, spec: Json, restart: str) -> Problems:
    policy = spec.get("podFailurePolicy")
    if policy is None:
        return
    if restart != "Never":
        here = path.replace("podFailurePolicy", "template.spec.restartPolicy")
        yield invalid(here, restart, 'only "Never" is supported when podFailurePolicy is specified')
    for i, rule in enumerate(policy.get("rules") or ()):
        here = f"{path}.rules[{i}]"
        yield from one_of(f"{here}.action", rule.get("action", ""), ("Count", "FailIndex", "FailJob", "Ignore"))
        codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions")
        if codes is not None and conditions:
            yield invalid(here, rule, "specifying both OnExitCodes and OnPodConditions is not supported")
        elif codes is None and not conditions:
            yield invalid(here, rule, "specifying one of OnExitCodes and OnPodConditions is required")
        elif codes is not None:
            yield from one_of(f"{here}.onExitCodes.operator", codes.get("operator", ""), ("In", "NotIn"))


def _changes(spec: Json, old: Json) -> Problems:
    before, status = old["spec"], old.get("status") or {}
    indexed = spec.get("completionMode") == "Indexed"
    elastic = indexed and spec.get("completions") == spec.get("parallelism")
    if not elastic:
        yield from immutable("spec.completions", spec.get("completions"), before.get("completions"))
    for name in _FOR_LIFE:
        yield from immutable(f"spec.{name}", spec.get(name), before.get(name))
    template, was = spec.get("template"), before.get("template")
    if before.get("suspend") and status.get("startTime") is None:  # Kueue places a suspended Job before its start
        template, was = (_without_scheduling(tree or {}) for tree in (template, was))
    yield from immutable("spec.template", template, was)


def _without_scheduling(template: Json) -> Json:
    spec = {name: value for name, value in (template.get("spec") or {}).items() if name not in _SCHEDULING}
    metadata = {n: v for n, v in (template.get("metadata") or {}).items() if n not in ("labels", "annotations")}
    return {**template, "metadata": metadata, "spec": spec}


def check_status(new: Json, old: Json | None) -> list[FieldError]:
    problems = common.status_counts(new, "active", "succeeded", "failed", "ready")
    conditions = {c.get("type"): c.get("status") for c in (new.get("status") or {}).get("conditions") or ()}
    was = {c.get("type"): c.get("status") for c in ((old or {}).get("status") or {}).get("conditions") or ()}
    for name in ("Complete", "Failed"):
        if was.get(name) == "True" and conditions.get(name) != "True":
            detail = f"cannot disable the terminal {name}=True condition"
            problems.append(forbidden("status.conditions", detail))
    if conditions.get("Complete") == "True" and conditions.get("Failed") == "True":
        detail = "cannot set Complete=True and Failed=true conditions"
        problems.append(invalid("status.conditions", new["status"]["conditions"], detail))
    return problems


def fields(tree: Json) -> Mapping[str, str]:
    return {**metadata_fields(tree), "status.successful": str((tree.get("status") or {}).get("succeeded", 0))}


JOBS = Strategy(
    default=default,
    prepare=prepare,
    stamp=stamp,
    check=check,
    check_status=check_status,
    has_generation=True,
    warnings=common.template_warnings,
    fields=fields,
    field_labels=("metadata.name", "metadata.namespace", "status.successful"),
)

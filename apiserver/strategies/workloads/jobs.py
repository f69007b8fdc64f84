"""Jobs. Source: pkg/apis/batch/v1/defaults.go, pkg/apis/batch/validation, pkg/registry/batch/job/strategy.go.

The selector of a Job is made from its uid, so that two Jobs never count each other's pods: that happens in `stamp`,
when the uid is known.
"""

from collections.abc import Mapping

from apimachinery import names, selectors
from apimachinery.errors import FieldError, not_supported
from apimachinery.meta import check_changes
from apimachinery.types import Json
from apiserver.strategies import go_structs
from apiserver.strategies.defaulting import fill, part
from apiserver.strategies.pod import spec as pods
from apiserver.strategies.pod.defaults import pod_template
from apiserver.strategies.problems import (
    IMMUTABLE,
    Problems,
    domain_prefixed_path,
    go_struct,
    immutable,
    invalid,
    label_selector,
    non_negative,
    required,
    too_long,
)
from apiserver.strategies.sameness import same
from apiserver.strategies.strategy import Strategy, WriteContext, keep_status, metadata_fields
from apiserver.strategies.workloads import common, job_policies, job_status

_UID_LABELS = ("batch.kubernetes.io/controller-uid", "controller-uid")
_NAME_LABELS = ("batch.kubernetes.io/job-name", "job-name")
_COUNTS = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
           "backoffLimitPerIndex", "maxFailedIndexes")  # fmt: skip
#: What stays as it is, in upstream's order; those that are structs by their Go type.
_FOR_LIFE = {"completionMode": "", "podFailurePolicy": "batch.PodFailurePolicy", "backoffLimitPerIndex": "",
             "managedBy": "", "successPolicy": "batch.SuccessPolicy"}  # fmt: skip
_LONGEST_MANAGER = 63
_TEMPLATE = "core.PodTemplateSpec"
_MANY, _FEWER = 100_000, 10_000
_SCHEDULING = ("nodeSelector", "affinity", "tolerations", "schedulingGates")


def default(tree: Json) -> Json:
    spec = part(tree, "spec")
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = spec["parallelism"] = 1
    fill(spec, "parallelism", 1)
    fill(spec, "backoffLimit", 2**31 - 1 if spec.get("backoffLimitPerIndex") is not None else 6)
    labels = (part(spec, "template").get("metadata") or {}).get("labels")
    if labels and not part(tree, "metadata").get("labels"):
        tree["metadata"]["labels"] = dict(labels)
    if spec.get("completionMode") is None:
        spec["completionMode"] = "NonIndexed"
    for field in ("suspend", "manualSelector"):
        if spec.get(field) is None:
            spec[field] = False
    if spec.get("podReplacementPolicy") is None:
        has_policy = spec.get("podFailurePolicy") is not None
        spec["podReplacementPolicy"] = "Failed" if has_policy else "TerminatingOrFailed"
    default_failure_policy(spec)
    pod_template(spec["template"])
    return tree


def default_failure_policy(spec: Json) -> None:
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            fill(pattern, "status", "True")


def prepare(new: Json, old: Json | None) -> Json:
    return keep_status(new, old)


def stamp(new: Json, old: Json | None, _context: WriteContext) -> Json:
    """Label the pods with the Job's uid and name, and select by the uid.

    The Job itself has these labels, too, unless it came with others than its pods: upstream's default is one map.
    """
    spec, metadata = new["spec"], new["metadata"]
    if old is not None or spec.get("manualSelector"):
        return new
    labels = part(part(part(spec, "template"), "metadata"), "labels")
    is_shared = (metadata.get("labels") or {}) == labels
    for name in _UID_LABELS:
        labels.setdefault(name, metadata.get("uid", ""))
    for name in _NAME_LABELS:
        labels.setdefault(name, metadata.get("name", ""))
    if is_shared:
        metadata["labels"] = dict(labels)
    matched = part(part(spec, "selector"), "matchLabels")
    matched.setdefault(_UID_LABELS[0], metadata.get("uid", ""))
    return new


def check(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*_check(new)]
    if old is not None:
        problems += check_changes(new, old)
        problems += _whole_spec(new["spec"])  # upstream looks twice
        problems += _changes(new["spec"], old)
    return problems


def _check(new: Json) -> Problems:
    spec, metadata = new["spec"], new["metadata"]
    yield from _generated(spec, metadata)
    yield from _whole_spec(spec)
    if spec.get("completionMode") == "Indexed" and (spec.get("completions") or 0) > 0:
        hostname = f"{metadata.get('name', '')}-{spec['completions'] - 1}"
        if names.dns_label(hostname):
            detail = f"will not able to create pod with invalid DNS label: {hostname}"
            yield invalid("metadata.name", metadata.get("name", ""), detail)


def _whole_spec(spec: Json) -> Problems:
    """A Job's own spec, whose selector selects its pods."""
    yield from job_spec("spec", spec)
    selector = spec.get("selector")
    if selector is None:
        yield required("spec.selector")
    wrong = [*label_selector("spec.selector", selector)] if selector is not None else []
    yield from wrong
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if not wrong and not (selector is not None and selectors.from_label_selector(selector).matches(labels or {})):
        yield invalid("spec.template.metadata.labels", labels, common.MISMATCH)


def _generated(spec: Json, metadata: Json) -> Problems:
    """A selector that the server made is the one, and the template has the labels that go with it."""
    if spec.get("manualSelector") or spec.get("selector") is None:
        return
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    expected = _labels_of(metadata)
    for name, value in expected.items():
        here = f"spec.template.metadata.labels[{name}]"
        if name not in labels:
            yield required(here, f"must be '{value}'")
        elif labels[name] != value:
            yield invalid(here, labels, f"must be '{value}'")
    selector = spec["selector"]
    is_good = not [*label_selector("", selector)]
    if is_good and not selectors.from_label_selector(selector).matches(expected):
        yield invalid("spec.selector", selector, "`selector` not auto-generated")


def _labels_of(metadata: Json) -> dict[str, str]:
    uid, name = metadata.get("uid", ""), metadata.get("name", "")
    return {_UID_LABELS[1]: uid, _NAME_LABELS[1]: name, _UID_LABELS[0]: uid, _NAME_LABELS[0]: name}


def job_spec(path: str, spec: Json) -> Problems:
    """What holds for a Job's spec and for the one inside a CronJob."""
    for name in _COUNTS:
        yield from non_negative(f"{path}.{name}", spec.get(name))
    most_failed = spec.get("maxFailedIndexes")
    if most_failed is not None and spec.get("backoffLimitPerIndex") is None:
        yield required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified")
    if spec.get("managedBy") is not None:
        yield from _managed_by(f"{path}.managedBy", spec["managedBy"])
    mode = spec.get("completionMode")
    if mode not in (None, "NonIndexed", "Indexed"):
        yield not_supported(f"{path}.completionMode", mode, ("NonIndexed", "Indexed"))
    if mode == "Indexed":
        yield from _indexed(path, spec)
    elif mode in (None, "NonIndexed"):
        for name in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if spec.get(name) is not None:
                yield invalid(f"{path}.{name}", spec[name], "requires indexed completion mode")
    if spec.get("podFailurePolicy") is not None:
        yield from job_policies.failure_policy(f"{path}.podFailurePolicy", spec)
    if spec.get("successPolicy") is not None:
        if mode != "Indexed":
            yield invalid(f"{path}.successPolicy", _as_go(spec["successPolicy"]), "requires indexed completion mode")
        else:
            yield from job_policies.success_policy(f"{path}.successPolicy", spec)
    replacement = spec.get("podReplacementPolicy")
    if replacement is not None:
        options = ("Failed",) if spec.get("podFailurePolicy") is not None else ("Failed", "TerminatingOrFailed")
        if replacement not in options:
            yield not_supported(f"{path}.podReplacementPolicy", replacement, options)
    yield from pods.template(f"{path}.template", spec.get("template") or {})
    yield from _restart_policy(f"{path}.template.spec.restartPolicy", spec)


def _as_go(policy: Json) -> object:
    rules = policy.get("rules")
    shown = [
        go_struct(SucceededIndexes=rule.get("succeededIndexes"), SucceededCount=rule.get("succeededCount"))
        for rule in rules or ()
    ]
    return go_struct(Rules=None if rules is None else shown)


def _managed_by(path: str, value: str) -> Problems:
    yield from domain_prefixed_path(path, value)
    if len(value) > _LONGEST_MANAGER:
        yield too_long(path, _LONGEST_MANAGER)


def _restart_policy(path: str, spec: Json) -> Problems:
    policy = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy") or ""
    if policy in ("", "Always"):
        yield required(path, 'valid values: "OnFailure", "Never"')
    elif policy not in ("OnFailure", "Never"):
        yield not_supported(path, policy, ("OnFailure", "Never"))
    elif policy != "Never" and spec.get("podFailurePolicy") is not None:
        yield invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')


def _indexed(path: str, spec: Json) -> Problems:
    completions, parallelism, failed = (spec.get(n) for n in ("completions", "parallelism", "maxFailedIndexes"))
    if completions is None:
        yield required(f"{path}.completions", "when completion mode is Indexed")
    if parallelism is not None and parallelism > _MANY:
        detail = f"must be less than or equal to {_MANY} when completion mode is Indexed"
        yield invalid(f"{path}.parallelism", parallelism, detail)
    if completions is not None and failed is not None and failed > completions:
        yield invalid(f"{path}.maxFailedIndexes", failed, "must be less than or equal to completions")
    if failed is not None and failed > _MANY:
        yield invalid(f"{path}.maxFailedIndexes", failed, f"must be less than or equal to {_MANY}")
    if completions is None or completions <= _MANY or spec.get("backoffLimitPerIndex") is None:
        return
    if failed is None:
        yield required(f"{path}.maxFailedIndexes", f"must be specified when completions is above {_MANY}")
    when = f"when completions are above {_MANY} and used with backoff limit per index"
    detail = f"must be less than or equal to {_FEWER} {when}"
    for name, value in (("parallelism", parallelism), ("maxFailedIndexes", failed)):
        if value is not None and value > _FEWER:
            yield invalid(f"{path}.{name}", value, detail)


def _changes(spec: Json, old: Json) -> Problems:
    before, status = old["spec"], old.get("status") or {}
    indexed = spec.get("completionMode") == "Indexed"
    elastic = indexed and spec.get("completions") == spec.get("parallelism")
    if not elastic:
        yield from immutable("spec.completions", spec.get("completions"), before.get("completions"))
    yield from immutable("spec.selector", spec.get("selector"), before.get("selector"))
    template, was = spec.get("template"), before.get("template")
    if before.get("suspend") and status.get("startTime") is None:  # Kueue places a suspended Job before its start
        is_kept = same(*(_without_scheduling(tree or {}) for tree in (template, was)))
    else:
        is_kept = go_structs.equal(_TEMPLATE, template, was)
    if not is_kept:
        yield invalid("spec.template", go_structs.shown(_TEMPLATE, template), IMMUTABLE)
    for name, type_ in _FOR_LIFE.items():
        now, was = spec.get(name), before.get(name)
        if not type_:
            yield from immutable(f"spec.{name}", now, was)
        elif not go_structs.equal(f"*{type_}", now, was):
            yield invalid(f"spec.{name}", go_structs.shown(f"*{type_}", now), IMMUTABLE)


def _without_scheduling(template: Json) -> Json:
    spec = {name: value for name, value in (template.get("spec") or {}).items() if name not in _SCHEDULING}
    metadata = {n: v for n, v in (template.get("metadata") or {}).items() if n not in ("labels", "annotations")}
    return {**template, "metadata": metadata, "spec": spec}


def fields(tree: Json) -> Mapping[str, str]:
    return {**metadata_fields(tree), "status.successful": str((tree.get("status") or {}).get("succeeded", 0))}


_ORPHANS = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set "
    "propagationPolicy=Orphan to suppress this warning"
)

JOBS = Strategy(
    default=default,
    prepare=prepare,
    stamp=stamp,
    check=check,
    check_status=job_status.check,
    has_generation=True,
    orphans=True,
    orphans_warning=_ORPHANS,
    warnings=common.template_warnings,
    fields=fields,
    field_labels=("metadata.name", "metadata.namespace", "status.successful"),
    unknown_field='field label "{}" not supported for Job',
)

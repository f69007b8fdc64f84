"""What every workload shares: its selector, its template, its rollout bounds. Source: pkg/apis/apps/validation."""

import re
from collections.abc import Mapping

from apimachinery import selectors
from apimachinery.errors import FieldError, not_supported
from apimachinery.types import Json
from apiserver.strategies.pod import spec as pods
from apiserver.strategies.pod import warnings
from apiserver.strategies.problems import (
    IMMUTABLE,
    Problems,
    forbidden,
    int_or_percent,
    invalid,
    is_empty_selector,
    label_selector,
    non_negative,
    required,
    shown_selector,
)
from apiserver.strategies.sameness import same
from apiserver.strategies.strategy import metadata_fields

#: Upstream's internal types count replicas without a pointer: an empty object has none of them, and says so.
NO_REPLICAS: Mapping[str, Json] = {"spec": {"replicas": 0}}
MISMATCH = "`selector` does not match template `labels`"


def selector_and_template(spec: Json, what: str, kind: str) -> Problems:
    """`spec.selector` is there, is not empty, and selects what `spec.template` makes."""
    selector, template = spec.get("selector"), spec.get("template")
    wrong: list[FieldError] = []
    if selector is None:
        yield required("spec.selector")
    else:
        wrong = [*label_selector("spec.selector", selector)]
        yield from wrong
        if is_empty_selector(selector):
            yield invalid("spec.selector", selector, f"empty selector is invalid for {what}")
        if wrong:
            yield invalid("spec.selector", shown_selector(selector), "invalid label selector")
            return  # no word of the template
    if selector is None or not (wrong or is_empty_selector(selector)):
        yield from mismatch(selector, template or {})
    yield from pods.template("spec.template", template or {})
    yield from restart_policy("spec.template.spec.restartPolicy", template or {}, kind)


def mismatch(selector: Json | None, template: Json) -> Problems:
    """A good selector must select what the template makes; no selector selects nothing."""
    values = (template.get("metadata") or {}).get("labels")
    if selector is None or not selectors.from_label_selector(selector).matches(values or {}):
        yield invalid("spec.template.metadata.labels", values, MISMATCH)


def restart_policy(path: str, template: Json, kind: str) -> Problems:
    """Pods of `kind` run for ever."""
    spec = template.get("spec") or {}
    policy = spec.get("restartPolicy", "")
    if policy != "Always":
        yield not_supported(path, policy, ("Always",))
    if spec.get("activeDeadlineSeconds") is not None:
        here = path.replace("restartPolicy", "activeDeadlineSeconds")
        yield forbidden(here, f"activeDeadlineSeconds in {kind} is not Supported")


def counts(spec: Json, *members: str) -> Problems:
    for name in members:
        yield from non_negative(f"spec.{name}", spec.get(name))


def rollout_bound(path: str, value: object) -> Problems:
    """`maxSurge`, `maxUnavailable`: a count or a percentage of at most 100."""
    yield from int_or_percent(path, value)


def is_zero(value: object) -> bool:
    """Whether a number or a percentage is none, as is what is neither."""
    digits = value.removesuffix("%") if isinstance(value, str) else str(value or 0)
    return not _DIGITS.fullmatch(digits) or int(digits) == 0


_DIGITS = re.compile(r"-?[0-9]{1,18}")


def selector_is_for_life(new: Json, old: Json) -> Problems:
    selector, was = new["spec"].get("selector"), old["spec"].get("selector")
    if not same(selector, was):
        yield invalid("spec.selector", shown_selector(selector) if selector else selector, IMMUTABLE)


def status_counts(new: Json, *members: str) -> list[FieldError]:
    """None of these counts of the status is negative."""
    status = new.get("status") or {}
    return [problem for name in members for problem in non_negative(f"status.{name}", status.get(name))]


def parts_of_replicas(new: Json, *members: str) -> Problems:
    """Each of these counts of the status is of some of its replicas."""
    status = new.get("status") or {}
    for name in members:
        count = status.get(name) or 0
        if count > (status.get("replicas") or 0):
            yield invalid(f"status.{name}", count, "cannot be greater than status.replicas")


def available_are_ready(new: Json) -> Problems:
    """The available replicas are some of the ready ones."""
    status = new.get("status") or {}
    available = status.get("availableReplicas") or 0
    if available > (status.get("readyReplicas") or 0):
        yield invalid("status.availableReplicas", available, "cannot be greater than readyReplicas")


def template_warnings(new: Json, old: Json | None) -> list[str]:
    """The template's warnings, when anything is new or changed that the object's generation counts."""
    if old is not None and is_of_generation(new, old):
        return []
    return warnings.template("spec.template", template_of(new))


def is_of_generation(new: Json, old: Json) -> bool:
    """Whether an update has left the generation as it was."""
    return bool(new["metadata"].get("generation") == old["metadata"].get("generation"))


def template_of(tree: Json) -> Json:
    return (tree.get("spec") or {}).get("template") or {}


def replica_fields(tree: Json) -> Mapping[str, str]:
    return {**metadata_fields(tree), "status.replicas": str((tree.get("status") or {}).get("replicas", 0))}

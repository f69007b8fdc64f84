"""ResourceQuotas and LimitRanges.

Source: validation.go ValidateResourceQuota, ValidateLimitRange, core/v1/defaults.go.
"""

from collections.abc import Callable, Mapping
from typing import Any

from apimachinery import names, quantity
from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies.defaulting import items, part
from apiserver.strategies.pod.resources import amount
from apiserver.strategies.problems import (
    Problems,
    duplicate,
    forbidden,
    immutable,
    invalid,
    named,
    one_of,
    required,
)
from apiserver.strategies.strategy import Strategy, as_sent

_SCOPES = ("BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass", "Terminating",
           "VolumeAttributesClass")  # fmt: skip
_QUOTA_RESOURCES = frozenset(
    (
        "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.storage",
        "requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage", "pods", "services",
        "replicationcontrollers", "resourcequotas", "secrets", "configmaps", "persistentvolumeclaims",
        "services.nodeports", "services.loadbalancers", "storage",
    )
)  # fmt: skip
_TYPES = ("Container", "PersistentVolumeClaim", "Pod")
Amounts = Mapping[str, Any]


def check_quota(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*_quota(new.get("spec") or {})]
    if old is not None:
        problems += immutable("spec.scopes", new["spec"].get("scopes"), old["spec"].get("scopes"))
    return problems


def _quota(spec: Json) -> Problems:
    for name, value in (spec.get("hard") or {}).items():
        here = f"spec.hard[{name}]"
        yield from named(here, name, names.qualified_name)
        if "/" not in name and name not in _QUOTA_RESOURCES and "hugepages-" not in name:
            yield invalid(here, name, "must be a standard resource for quota")
            yield invalid(here, name, "must be a standard resource type or fully qualified")
        yield from amount(here, name, value)
    for scope in spec.get("scopes") or ():
        if scope not in _SCOPES:
            yield invalid("spec.scopes", list(spec["scopes"]), "unsupported scope")
    for pair in (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating")):
        if set(pair) <= set(spec.get("scopes") or ()):
            yield invalid("spec.scopes", list(spec["scopes"]), "conflicting scopes")
    for i, term in enumerate((spec.get("scopeSelector") or {}).get("matchExpressions") or ()):
        here = f"spec.scopeSelector.matchExpressions[{i}]"
        yield from one_of(f"{here}.scopeName", term.get("scopeName", ""), _SCOPES)
        yield from one_of(f"{here}.operator", term.get("operator", ""), ("DoesNotExist", "Exists", "In", "NotIn"))


def check_quota_status(new: Json, _old: Json | None) -> list[FieldError]:
    status = new.get("status") or {}
    return [
        problem
        for member in ("hard", "used")
        for name, value in (status.get(member) or {}).items()
        for problem in amount(f"status.{member}[{name}]", name, value)
    ]


def default_range(tree: Json) -> Json:
    """For containers: a default is the maximum, a default request the default, or else the minimum."""
    for limit in items(part(tree, "spec"), "limits"):
        if limit.get("type") != "Container":
            continue
        maximum, minimum = limit.get("max") or {}, limit.get("min") or {}
        usual = {**maximum, **(limit.get("default") or {})}
        asked = {**minimum, **usual, **(limit.get("defaultRequest") or {})}
        for name, values in (("default", usual), ("defaultRequest", asked)):
            if values:
                limit[name] = values
    return tree


def check_range(new: Json, _old: Json | None) -> list[FieldError]:
    return [*_range(new.get("spec") or {})]


def _range(spec: Json) -> Problems:
    seen: set[str] = set()
    for i, limit in enumerate(spec.get("limits") or ()):
        here, kind = f"spec.limits[{i}]", limit.get("type", "")
        if kind in _TYPES:
            pass
        elif "/" in kind:
            yield from named(f"{here}.type", kind, names.qualified_name)
        else:
            yield invalid(f"{here}.type", kind, "must be a standard limit type or fully qualified")
        if kind in seen:
            yield duplicate(f"{here}.type", kind)
        seen.add(kind)
        yield from _limit(here, limit, kind)


def _limit(path: str, limit: Json, kind: str) -> Problems:
    for member in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"):
        for name, value in (limit.get(member) or {}).items():
            yield from amount(f"{path}.{member}[{name}]", name, value)
    if kind == "Pod":
        for member in ("default", "defaultRequest"):
            if limit.get(member):
                yield forbidden(f"{path}.{member}", "may not be specified when `type` is 'Pod'")
    if kind == "PersistentVolumeClaim" and not {"storage"} & {*(limit.get("min") or {}), *(limit.get("max") or {})}:
        yield required(
            f"{path}.limits", "either minimum or maximum storage value is required, but neither was provided"
        )
    for low, high, words in (
        ("min", "max", "min value {} is greater than max value {}"),
        ("default", "max", "default value {} is greater than max value {}"),
        ("min", "default", "min value {} is greater than default value {}"),
        ("defaultRequest", "max", "default request value {} is greater than max value {}"),
        ("min", "defaultRequest", "min value {} is greater than default request value {}"),
        ("defaultRequest", "default", "default request value {} is greater than default limit value {}"),
    ):
        yield from _ordered(path, low, high, limit, words.format)


def _ordered(path: str, low: str, high: str, limit: Json, words: Callable[[Any, Any], str]) -> Problems:
    smaller: Amounts = limit.get(low) or {}
    larger: Amounts = limit.get(high) or {}
    for name in smaller.keys() & larger.keys():
        try:
            wrong = quantity.parse(smaller[name]) > quantity.parse(larger[name])
        except ValueError:
            continue  # reported by `amount`
        if wrong:
            at = low if low != "min" or high == "max" else high
            yield invalid(f"{path}.{at}[{name}]", limit[at][name], words(smaller[name], larger[name]))


RESOURCEQUOTAS = Strategy(check=check_quota, check_status=check_quota_status)
LIMITRANGES = Strategy(default=default_range, prepare=as_sent, check=check_range, allow_create_on_update=True)

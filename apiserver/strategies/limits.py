"""ResourceQuotas and LimitRanges.

Source: validation.go ValidateResourceQuota, ValidateLimitRange, core/v1/defaults.go.
"""

from collections.abc import Collection, Mapping
from typing import Any

from apimachinery import names, quantity
from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies import go_structs
from apiserver.strategies.defaulting import items, part
from apiserver.strategies.pod.resources import amount, container_resource_name, standard_name
from apiserver.strategies.problems import (
    IMMUTABLE,
    Problems,
    duplicate,
    forbidden,
    invalid,
    named,
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
        "services.nodeports", "services.loadbalancers",
    )
)  # fmt: skip
_EXIST_ONLY = ("BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity")
_MUST_EXIST = (
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)
_FOR_SELECTOR = "`operator` is '{}' or '{}' for scope selector"
_POD_RESOURCES = frozenset(("pods", "cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"))
_RESOURCES_OF: Mapping[str, frozenset[str]] = {
    "BestEffort": frozenset(("pods",)),
    "VolumeAttributesClass": frozenset(("persistentvolumeclaims", "requests.storage")),
    **dict.fromkeys(
        ("Terminating", "NotTerminating", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity"), _POD_RESOURCES
    ),
}
_ONE = quantity.parse("1")
_TYPES = ("Container", "PersistentVolumeClaim", "Pod")
_BOUNDS = ("max", "min", "default", "defaultRequest")
_MEMBERS = (*_BOUNDS, "maxLimitRequestRatio")
#: The smaller, the larger, the field and the value that upstream names, and the words.
_ORDER = (
    ("min", "max", "min", "min", "min value {} is greater than max value {}"),
    ("min", "defaultRequest", "defaultRequest", "defaultRequest",
     "min value {} is greater than default request value {}"),
    ("defaultRequest", "max", "defaultRequest", "defaultRequest",
     "default request value {} is greater than max value {}"),
    ("defaultRequest", "default", "defaultRequest", "defaultRequest",
     "default request value {} is greater than default limit value {}"),
    ("min", "default", "default", "min", "min value {} is greater than default value {}"),
    ("default", "max", "default", "max", "default value {} is greater than max value {}"),
)  # fmt: skip


def check_quota(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*_quota(new.get("spec") or {})]
    if old is not None:
        now, was = ((tree.get("spec") or {}).get("scopes") for tree in (new, old))
        if {*(now or ())} != {*(was or ())}:
            problems.append(invalid("spec.scopes", now or None, IMMUTABLE))
    return problems


def _quota(spec: Json) -> Problems:
    for name, value in (spec.get("hard") or {}).items():
        yield from _quota_amount(f"spec.hard[{name}]", name, value)
    hard = sorted(spec.get("hard") or {})
    scopes = list(spec.get("scopes") or ())
    for scope in scopes:
        if scope not in _SCOPES:
            yield invalid("spec.scopes", scopes, "unsupported scope")
        for name in hard:
            if not _goes_with(scope, name):
                yield invalid("spec.scopes", scopes, "unsupported scope applied to resource")
    yield from _conflicts("spec.scopes", scopes, scopes)
    if spec.get("scopeSelector") is not None:
        yield from _selector("spec.scopeSelector.matchExpressions", spec["scopeSelector"], hard, scopes)


def _quota_amount(path: str, name: str, value: Any) -> Problems:
    """One resource of a quota, by its name and how much of it."""
    yield from standard_name(path, name)
    if "/" not in name and not _is_counted(name):
        yield invalid(path, name, "must be a standard resource for quota")
    yield from amount(path, name, value)


def _is_counted(name: str) -> bool:
    """A resource without a domain that quotas know."""
    return name in _QUOTA_RESOURCES or name.startswith(("hugepages-", "requests.hugepages-"))


def _goes_with(scope: str, name: str) -> bool:
    """Whether a quota with that scope may be about a resource: scopes are about pods, one is about claims."""
    return not _is_counted(name) or scope not in _RESOURCES_OF or name in _RESOURCES_OF[scope]


def _conflicts(path: str, scopes: Collection[str], shown: list[str]) -> Problems:
    for pair in (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating")):
        if set(pair) <= set(scopes):
            yield invalid(path, shown or None, "conflicting scopes")


def _selector(path: str, selector: Json, hard: list[str], scopes: list[str]) -> Problems:
    """Upstream's paths have no index here."""
    terms = selector.get("matchExpressions") or ()
    for term in terms:
        scope, operator, values = term.get("scopeName", ""), term.get("operator", ""), term.get("values")
        if scope not in _SCOPES:
            yield invalid(f"{path}.scopeName", scope, "unsupported scope")
        for name in hard:
            if not _goes_with(scope, name):
                shown = go_structs.shown("core.ScopeSelector", selector)
                yield invalid(path, shown, "unsupported scope applied to resource")
        if scope in _EXIST_ONLY and operator != "Exists":
            yield invalid(f"{path}.operator", operator, _MUST_EXIST)
        if operator in ("In", "NotIn"):
            if not values:
                when = _FOR_SELECTOR.format("In", "NotIn")
                yield required(f"{path}.values", f"must be at least one value when {when}")
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                yield invalid(
                    f"{path}.values", values, f"must be no value when {_FOR_SELECTOR.format('Exist', 'DoesNotExist')}"
                )
        else:
            yield invalid(f"{path}.operator", operator, "not a valid selector operator")
    yield from _conflicts(path, [term.get("scopeName", "") for term in terms], scopes)


def check_quota_status(new: Json, _old: Json | None) -> list[FieldError]:
    status = new.get("status") or {}
    return [
        problem
        for member in ("hard", "used")
        for name, value in (status.get(member) or {}).items()
        for problem in _quota_amount(f"status.{member}[{name}]", name, value)
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
        wrong = [*named(f"{here}.type", kind, names.qualified_name)]
        yield from wrong
        if not wrong and "/" not in kind and kind not in _TYPES:
            yield invalid(f"{here}.type", kind, "must be a standard limit type or fully qualified")
        if kind in seen:
            yield duplicate(f"{here}.type", kind)
        seen.add(kind)
        yield from _limit(here, limit, kind)


def _limit(path: str, limit: Json, kind: str) -> Problems:
    yield from _names(path, limit, kind, ("max", "min"))
    if kind != "Pod":
        yield from _names(path, limit, kind, ("default", "defaultRequest"))
    else:
        for member in ("default", "defaultRequest"):
            if limit.get(member):
                yield forbidden(f"{path}.{member}", "may not be specified when `type` is 'Pod'")
    if kind == "PersistentVolumeClaim" and not {"storage"} & {*(limit.get("min") or {}), *(limit.get("max") or {})}:
        yield required(
            f"{path}.limits", "either minimum or maximum storage value is required, but neither was provided"
        )
    yield from _names(path, limit, kind, ("maxLimitRequestRatio",))
    members = [limit.get(member) or {} for member in _MEMBERS]
    if kind == "Pod":
        members[2:4] = {}, {}
    for name in sorted({name for member in members for name in member}):
        yield from _amounts(path, name, [member.get(name) for member in members])


def _amounts(path: str, name: str, found: list[Any]) -> Problems:
    """What one resource's minimum, maximum, defaults and ratio are to one another, in upstream's order."""
    try:
        amounts = {key: quantity.parse(value) for key, value in zip(_MEMBERS, found, strict=True) if value is not None}
    except ValueError:
        return  # reported where it is read
    texts = dict(zip(_MEMBERS, found, strict=True))
    for low, high, at, shown, words in _ORDER:
        if low in amounts and high in amounts and amounts[low] > amounts[high]:
            yield invalid(f"{path}.{at}[{name}]", texts[shown], words.format(texts[low], texts[high]))
    ratio, minimum, maximum = (amounts.get(member) for member in ("maxLimitRequestRatio", "min", "max"))
    here = f"{path}.maxLimitRequestRatio[{name}]"
    if ratio is not None and ratio < _ONE:
        yield invalid(here, texts["maxLimitRequestRatio"], f"ratio {texts['maxLimitRequestRatio']} is less than 1")
    if ratio is not None and minimum and maximum is not None:
        most = maximum.nanos / minimum.nanos
        if ratio.nanos / _ONE.nanos > most:
            detail = f"ratio {texts['maxLimitRequestRatio']} is greater than max/min = {most:f}"
            yield invalid(here, texts["maxLimitRequestRatio"], detail)
    usual, asked = amounts.get("default"), amounts.get("defaultRequest")
    if usual is not None and asked is not None and usual != asked and not _is_overcommitted(name):
        values = f"default value {texts['default']} must equal to defaultRequest value {texts['defaultRequest']}"
        detail = f"{values} in {name}"
        yield invalid(f"{path}.defaultRequest[{name}]", texts["defaultRequest"], detail)


def _is_overcommitted(name: str) -> bool:
    """Whether a node may promise more of it than it has (helpers.go IsOvercommitAllowed)."""
    return ("/" not in name or "kubernetes.io/" in name) and not name.startswith("hugepages-")


def _names(path: str, limit: Json, kind: str, members: Collection[str]) -> Problems:
    rule = container_resource_name if kind in ("Pod", "Container") else standard_name
    for member in members:
        for name in limit.get(member) or {}:
            yield from rule(f"{path}.{member}[{name}]", name)


RESOURCEQUOTAS = Strategy(check=check_quota, check_status=check_quota_status)
LIMITRANGES = Strategy(
    default=default_range, prepare=as_sent, check=check_range, allow_create_on_update=True, has_own_name=True
)

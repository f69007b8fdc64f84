"""HorizontalPodAutoscalers. Source: pkg/apis/autoscaling/validation, pkg/apis/autoscaling/v2/defaults.go."""

from apimachinery import names, quantity
from apimachinery.errors import FieldError, not_supported
from apimachinery.types import Json
from apiserver.strategies.defaulting import fill, part
from apiserver.strategies.problems import Problems, forbidden, invalid, named, one_of, required
from apiserver.strategies.strategy import Strategy

_SOURCES = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
_SCALE_UP = [
    {"type": "Pods", "value": 4, "periodSeconds": 15},
    {"type": "Percent", "value": 100, "periodSeconds": 15},
]
_SCALE_DOWN = [{"type": "Percent", "value": 100, "periodSeconds": 15}]
_CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}


def default(tree: Json) -> Json:
    """Of either version: the older one has a percentage where the newer has metrics."""
    if tree.get("apiVersion") == "autoscaling/v1":
        return default_v1(tree)
    spec = part(tree, "spec")
    if spec.get("minReplicas") is None:
        spec["minReplicas"] = 1
    if not spec.get("metrics"):
        spec["metrics"] = [_CPU]
    behavior = spec.get("behavior")
    if behavior is not None:
        _rules(part(behavior, "scaleUp"), 0, _SCALE_UP)
        _rules(part(behavior, "scaleDown"), None, _SCALE_DOWN)
    return tree


def _rules(rules: Json, window: int | None, policies: list[Json]) -> None:
    fill(rules, "selectPolicy", "Max")
    if window is not None and rules.get("stabilizationWindowSeconds") is None:
        rules["stabilizationWindowSeconds"] = window
    if rules.get("policies") is None:
        rules["policies"] = [dict(policy) for policy in policies]


def default_v1(tree: Json) -> Json:
    spec = part(tree, "spec")
    if spec.get("minReplicas") is None:
        spec["minReplicas"] = 1
    return tree


def check(new: Json, old: Json | None) -> list[FieldError]:
    return [*_check(new.get("spec") or {}, is_new=old is None)]


def _check(spec: Json, *, is_new: bool) -> Problems:
    low, high = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    if low is not None and low < 1:
        yield invalid("spec.minReplicas", low, "must be greater than or equal to 1")
    if high < 1:
        yield invalid("spec.maxReplicas", high, "must be greater than 0")
    if low is not None and high < low:
        yield invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`")
    yield from _target_ref("spec.scaleTargetRef", spec.get("scaleTargetRef") or {}, is_new=is_new)
    percentage = spec.get("targetCPUUtilizationPercentage")
    if percentage is not None and percentage < 1:
        yield invalid("spec.targetCPUUtilizationPercentage", percentage, "must be greater than 0")
    for i, metric in enumerate(spec.get("metrics") or ()):
        yield from _metric(f"spec.metrics[{i}]", metric)
    for name in ("scaleUp", "scaleDown"):
        rules = (spec.get("behavior") or {}).get(name)
        if rules is not None:
            yield from _check_rules(f"spec.behavior.{name}", rules)


def _target_ref(path: str, reference: Json, *, is_new: bool) -> Problems:
    for name in ("kind", "name"):
        if not reference.get(name):
            yield required(f"{path}.{name}")
        else:
            yield from named(f"{path}.{name}", reference[name], names.path_segment)
    version = reference.get("apiVersion", "")
    if version.count("/") > 1:
        yield invalid(f"{path}.apiVersion", version, f"unexpected GroupVersion string: {version}")
    elif is_new and "/" not in version:
        yield invalid(f"{path}.apiVersion", version, "apiVersion must specify API group")


def _metric(path: str, metric: Json) -> Problems:
    kind = metric.get("type", "")
    if not kind:
        yield required(f"{path}.type", "must specify a metric source type")
        return
    if kind not in _SOURCES:
        yield not_supported(f"{path}.type", kind, sorted(_SOURCES))
        return
    member = _SOURCES[kind]
    if metric.get(member) is None:
        yield required(f"{path}.{member}", "must populate information for the given metric source")
        return
    for other in _SOURCES.values():
        if other != member and metric.get(other) is not None:
            yield forbidden(f"{path}.{other}", "must populate the given metric source only")
    source = metric[member]
    if member in ("resource", "containerResource") and not source.get("name"):
        yield required(f"{path}.{member}.name", "must specify a resource name")
    yield from _target(f"{path}.{member}.target", source.get("target") or {})


def _target(path: str, target: Json) -> Problems:
    yield from one_of(f"{path}.type", target.get("type", ""), ("AverageValue", "Utilization", "Value"))
    percentage = target.get("averageUtilization")
    if percentage is not None and percentage < 1:
        yield invalid(f"{path}.averageUtilization", percentage, "must be greater than 0")
    for name in ("value", "averageValue"):
        if target.get(name) is not None and quantity.parse(target[name]).nanos <= 0:
            yield invalid(f"{path}.{name}", target[name], "must be positive")


def _check_rules(path: str, rules: Json) -> Problems:
    window = rules.get("stabilizationWindowSeconds")
    if window is not None and not 0 <= window <= 3600:
        detail = "must be less than or equal to 3600" if window > 0 else "must be greater than or equal to zero"
        yield invalid(f"{path}.stabilizationWindowSeconds", window, detail)
    if rules.get("selectPolicy") is not None:
        yield from one_of(f"{path}.selectPolicy", rules["selectPolicy"], ("Disabled", "Max", "Min"))
    if not rules.get("policies"):
        yield required(f"{path}.policies", "must specify at least one Policy")
    for i, policy in enumerate(rules.get("policies") or ()):
        here = f"{path}.policies[{i}]"
        yield from one_of(f"{here}.type", policy.get("type", ""), ("Percent", "Pods"))
        if policy.get("value", 0) <= 0:
            yield invalid(f"{here}.value", policy.get("value", 0), "must be greater than zero")
        period = policy.get("periodSeconds", 0)
        if not 0 < period <= 1800:
            detail = "must be less than or equal to 1800" if period > 0 else "must be greater than zero"
            yield invalid(f"{here}.periodSeconds", period, detail)


HORIZONTALPODAUTOSCALERS = Strategy(default=default, check=check)
HORIZONTALPODAUTOSCALERS_V1 = Strategy(default=default_v1, check=check)

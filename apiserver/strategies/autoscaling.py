"""HorizontalPodAutoscalers. Source: pkg/apis/autoscaling/validation, pkg/apis/autoscaling/v2/defaults.go."""

from apimachinery import names, quantity
from apimachinery.autoscalers import METRICS
from apimachinery.errors import FieldError, not_supported
from apimachinery.types import Json
from apiserver.strategies.defaulting import part
from apiserver.strategies.pod.resources import container_resource_name
from apiserver.strategies.problems import Problems, dns_label, forbidden, invalid, named, required, supported
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
#: In which order upstream looks for a metric's source.
_IN_ORDER = ("object", "external", "pods", "resource", "containerResource")
_SCALE_DOWN = [{"type": "Percent", "value": 100, "periodSeconds": 15}]
_CPU: Json = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}


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
    if rules.get("selectPolicy") is None:
        rules["selectPolicy"] = "Max"
    if window is not None and rules.get("stabilizationWindowSeconds") is None:
        rules["stabilizationWindowSeconds"] = window
    if rules.get("policies") is None:
        rules["policies"] = [dict(policy) for policy in policies]


def default_v1(tree: Json) -> Json:
    spec = part(tree, "spec")
    if spec.get("minReplicas") is None:
        spec["minReplicas"] = 1
    has_metrics = METRICS in (tree["metadata"].get("annotations") or {})
    if spec.get("targetCPUUtilizationPercentage") is None and not has_metrics:
        spec["targetCPUUtilizationPercentage"] = _CPU["resource"]["target"]["averageUtilization"]
    return tree


def check(new: Json, old: Json | None) -> list[FieldError]:
    return [*_check(new.get("spec") or {}, is_kept=old is not None and _scaled(old) == _scaled(new))]


def _scaled(tree: Json) -> tuple[str, str]:
    """The version and the kind of what is scaled."""
    reference = (tree.get("spec") or {}).get("scaleTargetRef") or {}
    return reference.get("apiVersion", ""), reference.get("kind", "")


def _check(spec: Json, *, is_kept: bool) -> Problems:
    low, high = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    if low is not None and low < 1:
        yield invalid("spec.minReplicas", low, "must be greater than or equal to 1")
    if high < 1:
        yield invalid("spec.maxReplicas", high, "must be greater than 0")
    if low is not None and high < low:
        yield invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`")
    reference = spec.get("scaleTargetRef") or {}
    is_core = reference.get("kind") == "ReplicationController"  # the one of the core group that can be scaled
    yield from _reference("spec.scaleTargetRef", reference, is_kept=is_kept, may_be_core=is_core)
    percentage = spec.get("targetCPUUtilizationPercentage")
    if percentage is not None and percentage < 1:
        yield invalid("spec.targetCPUUtilizationPercentage", percentage, "must be greater than 0")
    for i, metric in enumerate(spec.get("metrics") or ()):
        yield from _metric(f"spec.metrics[{i}]", metric)
    if low == 0 and not any(m.get("type") in ("Object", "External") for m in spec.get("metrics") or ()):
        detail = "must specify at least one Object or External metric to support scaling to zero replicas"
        yield forbidden("spec.metrics", detail)
    for name in ("scaleUp", "scaleDown"):
        rules = (spec.get("behavior") or {}).get(name)
        if rules is not None:
            yield from _check_rules(f"spec.behavior.{name}", rules)


def _reference(path: str, reference: Json, *, is_kept: bool = False, may_be_core: bool) -> Problems:
    """A version that was there before is not looked at again."""
    for name in ("kind", "name"):
        if not reference.get(name):
            yield required(f"{path}.{name}")
        else:
            yield from named(f"{path}.{name}", reference[name], names.path_segment)
    if is_kept:
        return
    version = reference.get("apiVersion", "")
    if version.count("/") > 1:
        yield invalid(f"{path}.apiVersion", version, f"unexpected GroupVersion string: {version}")
    elif not may_be_core and not version.rpartition("/")[0]:
        yield invalid(f"{path}.apiVersion", version, "apiVersion must specify API group")


def _metric(path: str, metric: Json) -> Problems:
    """One source, that of the metric's type. Upstream complains of a type twice, and of the first source it meets."""
    kind = metric.get("type", "")
    if not kind:
        yield required(f"{path}.type", "must specify a metric source type")
    if kind not in _SOURCES:
        yield not_supported(f"{path}.type", kind, sorted(_SOURCES))
    present = [name for name in _IN_ORDER if metric.get(name) is not None]
    if present:
        yield from _source(f"{path}.{present[0]}", present[0], metric[present[0]])
    expected = _SOURCES.get(kind)
    if expected is None:
        yield not_supported(f"{path}.type", kind, sorted(_SOURCES))
    elif expected not in present:
        yield required(f"{path}.{expected}", "must populate information for the given metric source")
    if len(present) != 1:
        for name in present:
            if name != expected:
                yield forbidden(f"{path}.{name}", "must populate the given metric source only")


def _source(path: str, name: str, source: Json) -> Problems:
    target = source.get("target") or {}
    value, average, percentage = (target.get(n) is not None for n in ("value", "averageValue", "averageUtilization"))
    if name == "object":
        yield from _reference(f"{path}.describedObject", source.get("describedObject") or {}, may_be_core=True)
    if name in ("resource", "containerResource"):
        yield from _resource(path, name, source)
    else:
        metric = (source.get("metric") or {}).get("name", "")
        if not metric:
            yield required(f"{path}.metric.name", "must specify a metric name")
        else:
            yield from named(f"{path}.metric.name", metric, names.path_segment)
    yield from _target(f"{path}.target", target)
    match name:
        case "object" if not value and not average:
            yield required(f"{path}.target.averageValue", "must set either a target value or averageValue")
        case "external" if not value and not average:
            detail = "must set either a target value for metric or a per-pod target"
            yield required(f"{path}.target.averageValue", detail)
        case "external" if value and average:
            detail = "may not set both a target value for metric and a per-pod target"
            yield forbidden(f"{path}.target.value", detail)
        case "pods" if not average:
            yield required(f"{path}.target.averageValue", "must specify a positive target averageValue")
        case "resource" | "containerResource" if not percentage and not average:
            detail = "must set either a target raw value or a target utilization"
            yield required(f"{path}.target.averageUtilization", detail)
        case "resource" | "containerResource" if percentage and average:
            detail = "may not set both a target raw value and a target utilization"
            yield forbidden(f"{path}.target.averageValue", detail)


def _resource(path: str, kind: str, source: Json) -> Problems:
    if not source.get("name"):
        yield required(f"{path}.name", "must specify a resource name")
    elif kind == "containerResource":
        yield from container_resource_name(f"{path}.name", source["name"])
    if kind == "containerResource":
        if not source.get("container"):
            yield required(f"{path}.container", "must specify a container")
        else:
            yield from dns_label(f"{path}.container", source["container"])


def _target(path: str, target: Json) -> Problems:
    kind = target.get("type", "")
    if not kind:
        yield required(f"{path}.type", "must specify a metric target type")
    if kind not in ("Utilization", "Value", "AverageValue"):
        yield invalid(f"{path}.type", kind, "must be either Utilization, Value, or AverageValue")
    for name in ("value", "averageValue"):
        if target.get(name) is not None and quantity.parse(target[name]).nanos <= 0:
            yield invalid(f"{path}.{name}", target[name], "must be positive")
    percentage = target.get("averageUtilization")
    if percentage is not None and percentage < 1:
        yield invalid(f"{path}.averageUtilization", percentage, "must be greater than 0")


def _check_rules(path: str, rules: Json) -> Problems:
    window = rules.get("stabilizationWindowSeconds")
    if window is not None and not 0 <= window <= 3600:
        detail = "must be less than or equal to 3600" if window > 0 else "must be greater than or equal to zero"
        yield invalid(f"{path}.stabilizationWindowSeconds", window, detail)
    yield from supported(f"{path}.selectPolicy", rules.get("selectPolicy"), ("Disabled", "Max", "Min"))
    if not rules.get("policies"):
        yield required(f"{path}.policies", "must specify at least one Policy")
    for i, policy in enumerate(rules.get("policies") or ()):
        here = f"{path}.policies[{i}]"
        yield from supported(f"{here}.type", policy.get("type", ""), ("Percent", "Pods"))
        if policy.get("value", 0) <= 0:
            yield invalid(f"{here}.value", policy.get("value", 0), "must be greater than zero")
        period = policy.get("periodSeconds", 0)
        if not 0 < period <= 1800:
            detail = "must be less than or equal to 1800" if period > 0 else "must be greater than zero"
            yield invalid(f"{here}.periodSeconds", period, detail)


HORIZONTALPODAUTOSCALERS = Strategy(default=default, check=check)
HORIZONTALPODAUTOSCALERS_V1 = Strategy(default=default_v1, check=check)

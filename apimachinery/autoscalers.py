"""HorizontalPodAutoscaler between autoscaling/v1 and autoscaling/v2.

v1 knows one metric, the mean CPU utilization. The others, the current metrics, the conditions and the behaviour travel
in annotations, the metrics in v1's own form, so that any client of Kubernetes reads them. An annotation that cannot be
read is dropped, as upstream does.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from apimachinery.trees import copied
from apimachinery.types import Json

_PREFIX = "autoscaling.alpha.kubernetes.io/"
METRICS, CURRENT, CONDITIONS, BEHAVIOR = (
    _PREFIX + name for name in ("metrics", "current-metrics", "conditions", "behavior")
)
#: Of each kind of metric: its field, and the paths in v1 and v2.
_SOURCES: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "Resource": (
        "resource",
        (
            ("name", "name"),
            ("targetAverageUtilization", "target.averageUtilization"),
            ("targetAverageValue", "target.averageValue"),
            ("currentAverageUtilization", "current.averageUtilization"),
            ("currentAverageValue", "current.averageValue"),
        ),
    ),
    "ContainerResource": (
        "containerResource",
        (
            ("name", "name"),
            ("container", "container"),
            ("targetAverageUtilization", "target.averageUtilization"),
            ("targetAverageValue", "target.averageValue"),
            ("currentAverageUtilization", "current.averageUtilization"),
            ("currentAverageValue", "current.averageValue"),
        ),
    ),
    "Pods": (
        "pods",
        (
            ("metricName", "metric.name"),
            ("selector", "metric.selector"),
            ("targetAverageValue", "target.averageValue"),
            ("currentAverageValue", "current.averageValue"),
        ),
    ),
    "Object": (
        "object",
        (
            ("target", "describedObject"),
            ("metricName", "metric.name"),
            ("selector", "metric.selector"),
            ("targetValue", "target.value"),
            ("averageValue", "target.averageValue"),
            ("currentValue", "current.value"),
            ("averageValue", "current.averageValue"),
        ),
    ),
    "External": (
        "external",
        (
            ("metricName", "metric.name"),
            ("metricSelector", "metric.selector"),
            ("targetValue", "target.value"),
            ("targetAverageValue", "target.averageValue"),
            ("currentValue", "current.value"),
            ("currentAverageValue", "current.averageValue"),
        ),
    ),
}
#: What v1 always writes, where v2 may leave it out.
_ALWAYS_THERE = {
    **dict.fromkeys(
        (("resource", "current"), ("containerResource", "current"), ("pods", "current")), "currentAverageValue"
    ),
    **dict.fromkeys((("object", "current"), ("external", "current")), "currentValue"),
    ("object", "target"): "targetValue",
    ("pods", "target"): "targetAverageValue",
}
_TARGET_TYPES = (("averageUtilization", "Utilization"), ("averageValue", "AverageValue"), ("value", "Value"))


def to_v1(tree: Json) -> Json:
    """From v2: the CPU utilization becomes a field, all else annotations; a status always says how many there are."""
    tree = copied(tree)
    spec, status = tree.setdefault("spec", {}), tree.get("status") or {}
    if "status" in tree:
        tree["status"] = status = {"currentReplicas": 0, **status}
    metrics, current = spec.pop("metrics", None) or [], status.pop("currentMetrics", None) or []
    cpu = [m["resource"]["target"]["averageUtilization"] for m in metrics if _is_cpu(m, "target")]
    used = [m["resource"]["current"]["averageUtilization"] for m in current if _is_cpu(m, "current")]
    if cpu:
        spec["targetCPUUtilizationPercentage"] = cpu[0]
    if used:
        status["currentCPUUtilizationPercentage"] = used[-1]
    kept = {
        METRICS: [_metric_to_v1(m, "target") for m in metrics if not _is_cpu(m, "target")],
        CURRENT: [_metric_to_v1(m, "current") for m in current],
        CONDITIONS: status.pop("conditions", None),
        BEHAVIOR: spec.pop("behavior", None),
    }
    annotations = {name: msgspec.json.encode(value).decode() for name, value in kept.items() if value}
    if annotations:
        metadata = tree.setdefault("metadata", {})
        metadata["annotations"] = (metadata.get("annotations") or {}) | annotations
    return tree


def to_v2(tree: Json) -> Json:
    """From v1: the annotations become fields again, and are gone."""
    tree = copied(tree)
    kept = _taken(tree.get("metadata") or {})
    spec, status = tree.setdefault("spec", {}), tree.get("status") or {}
    cpu, used = spec.pop("targetCPUUtilizationPercentage", None), status.pop("currentCPUUtilizationPercentage", None)
    metrics = [] if cpu is None else [_cpu("target", {"type": "Utilization", "averageUtilization": cpu})]
    current = [] if used is None else [_cpu("current", {"averageUtilization": used})]
    metrics += [_metric_to_v2(m, "target") for m in _objects(kept.get(METRICS))]
    current = [_metric_to_v2(m, "current") for m in _objects(kept.get(CURRENT))] or current
    _set(spec, metrics=metrics, behavior=kept.get(BEHAVIOR))
    _set(status, currentMetrics=current, conditions=kept.get(CONDITIONS))
    if not status.get("currentReplicas"):
        status.pop("currentReplicas", None)
    return tree | ({"status": status} if status else {})


def _set(part: Json, **values: Any) -> None:
    part.update({name: value for name, value in values.items() if value})


def _taken(metadata: Json) -> dict[str, Any]:
    """The values of our annotations, which are removed."""
    annotations = metadata.get("annotations") or {}
    found = {}
    for name in (METRICS, CURRENT, CONDITIONS, BEHAVIOR):
        try:
            found[name] = msgspec.json.decode(annotations.pop(name, "null"))
        except msgspec.DecodeError:
            found[name] = None
    if not annotations:
        metadata.pop("annotations", None)
    return found


def _objects(value: Any) -> Iterable[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _cpu(part: str, value: Json) -> Json:
    return {"type": "Resource", "resource": {"name": "cpu", part: value}}


def _is_cpu(metric: Json, part: str) -> bool:
    """Whether it is the one metric that v1 has a field for."""
    resource = metric.get("resource") or {}
    utilization = (resource.get(part) or {}).get("averageUtilization")
    return metric.get("type") == "Resource" and resource.get("name") == "cpu" and utilization is not None


def _metric_to_v1(metric: Json, part: str) -> Json:
    field, paths = _SOURCES[metric["type"]]
    source = metric.get(field) or {}
    found = {v1: _get(source, v2) for v1, v2 in paths if _belongs(v2, part)}
    always = _ALWAYS_THERE.get((field, part), "")
    if always and found[always] is None:
        found[always] = "0"
    return {"type": metric["type"], field: {name: value for name, value in found.items() if value is not None}}


def _metric_to_v2(metric: Json, part: str) -> Json:
    kind = metric.get("type")
    if kind not in _SOURCES:
        return metric
    field, paths = _SOURCES[kind]
    made: Json = {}
    source = metric.get(field) or {}
    for v1, v2 in paths:
        if _belongs(v2, part) and source.get(v1) is not None:
            _put(made, v2, source[v1])
    target = made.get("target")
    if target is not None:
        target["type"] = next(name for key, name in _TARGET_TYPES if key in target)
    return {"type": kind, field: made}


def _belongs(path: str, part: str) -> bool:
    """Specs have targets, statuses have current values; the rest is in both."""
    return not path.startswith(("target.", "current.")) or path.startswith(f"{part}.")


def _get(source: Json, path: str) -> Any:
    first, _, rest = path.partition(".")
    value = source.get(first)
    return _get(value, rest) if rest and isinstance(value, dict) else None if rest else value


def _put(made: Json, path: str, value: Any) -> None:
    first, _, rest = path.partition(".")
    if rest:
        _put(made.setdefault(first, {}), rest, value)
    else:
        made[first] = value

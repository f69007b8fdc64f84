"""matchLabelKeys and mismatchLabelKeys of a new pod, merged into the selectors that they belong to.

So whoever reads the pod needs its selectors alone. A term without a selector stays as it is: it selects nothing.
Source: pkg/registry/core/pod/strategy.go (mutatePodAffinity, mutateTopologySpreadConstraints).
"""

from collections.abc import Iterator, Mapping

from apimachinery.types import Json


def merge(pod: Json) -> None:
    """Changes the pod, which must be a new one."""
    labels = pod["metadata"].get("labels") or {}
    for term in _terms(pod.get("spec") or {}):
        selector = term.get("labelSelector")
        if isinstance(selector, dict):
            found = [*_requirements(term.get("matchLabelKeys"), "In", labels)]
            found += _requirements(term.get("mismatchLabelKeys"), "NotIn", labels)
            if found:
                selector["matchExpressions"] = [*(selector.get("matchExpressions") or ()), *found]


def _requirements(keys: list[str] | None, operator: str, labels: Mapping[str, str]) -> Iterator[Json]:
    for key in keys or ():
        if key in labels:
            yield {"key": key, "operator": operator, "values": [labels[key]]}


def _terms(spec: Json) -> Iterator[Json]:
    yield from spec.get("topologySpreadConstraints") or ()
    affinity = spec.get("affinity") or {}
    for kind in ("podAffinity", "podAntiAffinity"):
        found = affinity.get(kind) or {}
        yield from found.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        for weighted in found.get("preferredDuringSchedulingIgnoredDuringExecution") or ():
            yield weighted.get("podAffinityTerm") or {}

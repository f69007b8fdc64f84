"""What a pod's author should hear about of where it may run. Source: pkg/api/pod/warnings.go, pkg/api/node/util.go."""

from collections.abc import Callable, Iterator

from apimachinery import names
from apimachinery.types import Json
from apiserver.strategies.object_warnings import OLD_LABELS

_WHEN = ("requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution")
_NO_SELECTOR = "a null labelSelector results in matching no pod"


def nodes(path: str, spec: Json) -> Iterator[str]:
    """Of affinity to nodes, and of spreading over them."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    needed, preferred = (f"{path}.affinity.nodeAffinity.{when}" for when in _WHEN)
    for i, term in enumerate((affinity.get(_WHEN[0]) or {}).get("nodeSelectorTerms") or ()):
        yield from _term(f"{needed}.nodeSelectorTerms[{i}]", term, lambda _: [])
    for i, entry in enumerate(affinity.get(_WHEN[1]) or ()):
        yield from _term(f"{preferred}[{i}].preference", entry.get("preference") or {}, names.label_value)
    for i, constraint in enumerate(spec.get("topologySpreadConstraints") or ()):
        here, key = f"{path}.topologySpreadConstraints[{i}]", constraint.get("topologyKey")
        if key in OLD_LABELS:
            yield f"{here}.topologyKey: {key} is {OLD_LABELS[key]}"
        if constraint.get("labelSelector") is None:
            yield f"{here}.labelSelector: {_NO_SELECTOR}"


def _term(path: str, term: Json, wrong: Callable[[str], list[str]]) -> Iterator[str]:
    for i, expression in enumerate(term.get("matchExpressions") or ()):
        here, key = f"{path}.matchExpressions[{i}]", expression.get("key")
        if key in OLD_LABELS:
            yield f"{here}.key: {key} is {OLD_LABELS[key]}"
        for j, value in enumerate(expression.get("values") or ()):
            for message in wrong(value):
                yield f"{here}.values[{j}]: {value} is invalid, {message}"


def pods(path: str, spec: Json) -> Iterator[str]:
    """Of affinity to other pods."""
    for kind in ("podAffinity", "podAntiAffinity"):
        affinity = (spec.get("affinity") or {}).get(kind) or {}
        for when, member in zip(_WHEN, ("", "podAffinityTerm"), strict=True):
            for i, entry in enumerate(affinity.get(when) or ()):
                term = entry.get(member) or {} if member else entry
                if term.get("labelSelector") is None:
                    yield f"{path}.affinity.{kind}.{when}[{i}]{member and '.'}{member}.labelSelector: {_NO_SELECTOR}"

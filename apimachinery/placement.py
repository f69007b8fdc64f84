"""Which nodes a pod may be on: node selectors, and taints that are tolerated. Pure.

The scheduler chooses by these rules, the DaemonSet controller asks ahead of it, the kubelet asks once more.
Source: k8s.io/component-helpers/scheduling/corev1, k8s.io/api/core/v1/toleration.go.
"""

import re
from collections.abc import Mapping
from typing import Protocol

from apimachinery.objects.core_v1 import NodeSelector, NodeSelectorTerm, Toleration

_INTEGER = re.compile(r"[+-]?\d{1,19}", re.ASCII)  # more is none in 64 bits, nor to be had from Python without limit


class Tainting(Protocol):
    """As much of a taint as a toleration looks at."""

    @property
    def key(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def effect(self) -> str: ...


def meets(value: str | None, operator: str, values: tuple[str, ...]) -> bool:
    """Whether a label's value (None: no such label) meets a node selector's requirement."""
    if operator == "In":
        return value in values
    if operator == "NotIn":
        return value not in values
    if operator in ("Exists", "DoesNotExist"):
        return (value is not None) == (operator == "Exists")
    if value is None or len(values) != 1 or not _INTEGER.fullmatch(value) or not _INTEGER.fullmatch(values[0]):
        return False
    return int(value) > int(values[0]) if operator == "Gt" else int(value) < int(values[0])


def matches(term: NodeSelectorTerm, name: str, labels: Mapping[str, str]) -> bool:
    """Whether a node meets every requirement of the term; an empty term selects no node."""
    fields = {"metadata.name": name}
    met = [
        *(meets(labels.get(each.key), each.operator, each.values) for each in term.match_expressions),
        *(meets(fields.get(each.key), each.operator, each.values) for each in term.match_fields),
    ]
    return bool(met) and all(met)


def selected(
    node_selector: Mapping[str, str], required: NodeSelector | None, *, name: str, labels: Mapping[str, str]
) -> bool:
    """Whether a node is one of those that a pod's nodeSelector and required node affinity name."""
    if any(labels.get(key) != value for key, value in node_selector.items()):
        return False
    return required is None or any(matches(term, name, labels) for term in required.node_selector_terms)


def tolerates(toleration: Toleration, taint: Tainting) -> bool:
    """Whether a toleration covers a taint (an empty key or effect covers all)."""
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    return toleration.operator == "Exists" or (bool(toleration.key) and toleration.value == taint.value)

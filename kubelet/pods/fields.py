"""The downward API: a pod's own fields and resources, as env variables and files show them. Pure.

Sources: pkg/fieldpath/fieldpath.go, pkg/api/v1/resource/helpers.go, pkg/kubelet/kubelet_resources.go.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apimachinery import quantity
from apimachinery.objects import core_v1
from apimachinery.objects.core_v1 import Pod

_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class FieldProblem(Exception):
    """The reference cannot be resolved; the message is upstream's."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What of the node and the moment a pod may ask for."""

    node_name: str
    host_addresses: Sequence[str]
    pod_addresses: Sequence[str]
    allocatable: Mapping[str, str]  # cpu, memory, ephemeral-storage: the limit of who has none


def pod_field(pod: Pod, path: str, facts: Facts | None = None) -> str:
    """The value of a fieldRef."""
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript:
        source = pod.metadata.labels if subscript[1] == "labels" else pod.metadata.annotations
        return source.get(subscript[2], "")
    simple = {
        "metadata.name": pod.metadata.name,
        "metadata.namespace": pod.metadata.namespace,
        "metadata.uid": pod.metadata.uid,
        "spec.nodeName": pod.spec.node_name,
        "spec.serviceAccountName": pod.spec.service_account_name,
    }
    if path in simple:
        return simple[path]
    if path == "metadata.labels":
        return _lines(pod.metadata.labels)
    if path == "metadata.annotations":
        return _lines(pod.metadata.annotations)
    if facts is not None:
        return _placed(path, facts)
    raise FieldProblem(f"unsupported fieldPath: {path}")


def _placed(path: str, facts: Facts) -> str:
    hosts, pods = list(facts.host_addresses), list(facts.pod_addresses)
    found = {
        "status.hostIP": hosts[:1],
        "status.hostIPs": hosts,
        "status.podIP": pods[:1],
        "status.podIPs": pods,
    }.get(path)
    if found is None:
        raise FieldProblem(f"unsupported fieldPath: {path}")
    return ",".join(found)


def _lines(values: Mapping[str, str]) -> str:
    """`key="value"` a line, sorted; quoted as Go does."""
    return "\n".join(f"{key}={_quoted(value)}" for key, value in sorted(values.items()))


def _quoted(text: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return '"' + "".join(escapes.get(c, c) for c in text) + '"'


def resource_field(pod: Pod, container: str, ref: core_v1.ResourceFieldSelector, allocatable: Mapping[str, str]) -> str:
    """The value of a resourceFieldRef, in units of its divisor, rounded up; a limit may be the pod's, or the node's."""
    name = ref.container_name or container
    every = (*pod.spec.init_containers, *pod.spec.containers)
    found = next((c for c in every if c.name == name), None)
    if found is None:
        raise FieldProblem(f"container {name} not found")
    kind, _, resource = ref.resource.partition(".")
    limits = found.resources.limits if found.resources else {}
    requests = found.resources.requests if found.resources else {}
    if kind == "limits":
        whole = pod.spec.resources.limits if pod.spec.resources is not None else {}
        amount = limits.get(resource, whole.get(resource, allocatable.get(resource, "0")))
    elif kind == "requests":
        amount = requests.get(resource, limits.get(resource, "0"))
    else:
        raise FieldProblem(f"unsupported container resource : {ref.resource}")
    divisor = ref.divisor if ref.divisor not in ("", "0") else "1"
    value, unit = quantity.parse(amount).milli(), quantity.parse(divisor).milli()
    return str(-(-value // unit))

"""Which nodes a DaemonSet's pods belong on, and how a pod is bound to its node. Pure.

A pod is made for a node by a required node affinity to the node's name, which the scheduler then obeys; so resources,
ports and priorities are the scheduler's to see to. What a node lacks for good (labels, a taint) is seen to here.
Source: pkg/controller/daemon/daemon_controller.go (NodeShouldRunDaemonPod), daemon/util/daemonset_util.go.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from apimachinery.objects.core_v1 import Taint, Toleration
from apimachinery.placement import selected, tolerates
from apimachinery.types import Json
from controllers.views import (
    Affinity,
    Node,
    Pod,
)
from controllers.workload_views import (
    DaemonSet,
)

NAME_FIELD = "metadata.name"
_TROUBLES = (  # what a daemon lives with
    ("not-ready", "NoExecute"),
    ("unreachable", "NoExecute"),
    ("disk-pressure", "NoSchedule"),
    ("memory-pressure", "NoSchedule"),
    ("pid-pressure", "NoSchedule"),
    ("unschedulable", "NoSchedule"),
)
_NO_NETWORK = ("network-unavailable", "NoSchedule")  # on the host's network it can do without


class Placement(msgspec.Struct, frozen=True, rename="camel"):
    """What of a pod template says where its pods go."""

    node_name: str = ""
    node_selector: Mapping[str, str] = {}
    affinity: Affinity | None = None
    tolerations: tuple[Toleration, ...] = ()


def fitness(owner: DaemonSet) -> Callable[[Node], tuple[bool, bool]]:
    """For a node: whether a pod should run there, and whether one that does may go on."""
    spec = owner.spec.template.get("spec") or {}
    given = msgspec.convert({**spec, "tolerations": tolerations_for(spec)}, Placement)

    def fits(node: Node) -> tuple[bool, bool]:
        if given.node_name not in ("", node.metadata.name) or not _is_selected(given, node):
            return False, False
        borne = [any(tolerates(each, taint) for each in given.tolerations) for taint in node.spec.taints]
        unborne = {taint.effect for taint, is_borne in zip(node.spec.taints, borne, strict=True) if not is_borne}
        return not unborne & {"NoSchedule", "NoExecute"}, "NoExecute" not in unborne

    return fits


def _is_selected(given: Placement, node: Node) -> bool:
    required = given.affinity.required if given.affinity is not None else None
    return selected(given.node_selector, required, name=node.metadata.name, labels=node.metadata.labels)


def tolerations_for(spec: Json) -> Sequence[Json]:
    """A pod spec's tolerations, and those that every daemon has."""
    troubles = (*_TROUBLES, _NO_NETWORK) if spec.get("hostNetwork") else _TROUBLES
    found = list(spec.get("tolerations") or ())
    for name, effect in troubles:
        added = {"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": effect}
        same = next((i for i, each in enumerate(found) if _is_about_the_same(each, added)), None)
        if same is None:
            found.append(added)
        else:  # one with a time limit or a value gives way
            found[same] = added
    return found


def _is_about_the_same(one: Json, other: Json) -> bool:
    parts = ("key", "operator", "effect", "value")
    return all(one.get(part, "") == other.get(part, "") for part in parts)


def bound_to(spec: Json, node: str) -> Json:
    """The pod spec, with a required affinity to the node (which it already fits) in place of any other."""
    by_name = {"matchFields": [{"key": NAME_FIELD, "operator": "In", "values": [node]}]}
    affinity = spec.get("affinity") or {}
    nodes = affinity.get("nodeAffinity") or {}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [by_name]}}
    return {
        **spec,
        "tolerations": tolerations_for(spec),
        "affinity": {**affinity, "nodeAffinity": {**nodes, **required}},
    }


def target(pod: Pod) -> str:
    """The node a pod is on, or is meant for; "" where it does not say."""
    if pod.spec.node_name:
        return pod.spec.node_name
    required = pod.spec.affinity.required if pod.spec.affinity is not None else None
    for term in required.node_selector_terms if required is not None else ():
        for each in term.match_fields:
            if each.key == NAME_FIELD and each.operator == "In":
                return each.values[0] if len(each.values) == 1 else ""
    return ""


def placement_changed(old: Node | None, new: Node | None) -> bool:
    """Whether a node's change may matter to a daemon."""
    return _placing(old) != _placing(new)


def _placing(node: Node | None) -> tuple[Mapping[str, str], tuple[Taint, ...]] | None:
    return (node.metadata.labels, node.spec.taints) if node is not None else None

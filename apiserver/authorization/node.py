"""The Node authorizer: a kubelet may read and write what its own pods need, and nothing else.

A node is a user system:node:NAME in group system:nodes. What a request would change is checked by the NodeRestriction
admission plugin, which sees the object. Lists and watches of pods are allowed with spec.nodeName=NODE as their field
selector. Source: plugin/pkg/auth/authorizer/node/node_authorizer.go.
"""

from dataclasses import dataclass

from apimachinery.kinds import (
    CONFIGMAPS,
    PERSISTENTVOLUMECLAIMS,
    PERSISTENTVOLUMES,
    PODS,
    RESOURCECLAIMS,
    RESOURCESLICES,
    SECRETS,
    SERVICEACCOUNTS,
    VOLUMEATTACHMENTS,
    Kind,
)
from apiserver.authorization.node_graph import PodGraph
from apiserver.authorization.rules import Rule
from apiserver.request import Attributes, Decision, Lookup, User

USER_PREFIX = "system:node:"
GROUP = "system:nodes"
LEASE_NAMESPACE = "kube-node-lease"
_READ = ("get", "list", "watch")
_OWN = ("get", "create", "update", "patch", "delete")

_ALLOWED = Decision(allowed=True)
_NO_OPINION = Decision(allowed=False)


def node_name(user: User) -> str | None:
    """The node that the user is; None for anyone else, empty for a node without a name."""
    if GROUP not in user.groups or not user.name.startswith(USER_PREFIX):
        return None
    return user.name.removeprefix(USER_PREFIX)


@dataclass(frozen=True, slots=True)
class NodeAuthorizer:
    """Decides for kubelets. `rules` are those of the cluster role system:node, for what is not subdivided."""

    lookup: Lookup
    graph: PodGraph
    rules: tuple[Rule, ...]

    def authorize(self, attributes: Attributes) -> Decision:
        """Whether a node may; no opinion on anyone else."""
        node = node_name(attributes.user)
        if node is None:
            return _NO_OPINION
        if not node:
            return _no(f'unknown node for user "{attributes.user.name}"')
        special = self._special(node, attributes) if attributes.is_resource else None
        if special is not None:
            return special
        return _ALLOWED if any(rule.allows(attributes) for rule in self.rules) else _NO_OPINION

    def _special(self, node: str, a: Attributes) -> Decision | None:
        """The decision on resources that are subdivided by node; None for the others."""
        match (a.group, a.plural):
            case ("", "secrets"):
                return self._read(node, SECRETS, a)
            case ("", "configmaps"):
                return self._read(node, CONFIGMAPS, a)
            case ("", "persistentvolumeclaims"):
                if a.subresource == "status":
                    return self._write_status(node, PERSISTENTVOLUMECLAIMS, a)
                return self._get(node, PERSISTENTVOLUMECLAIMS, a)
            case ("", "persistentvolumes"):
                return self._get(node, PERSISTENTVOLUMES, a)
            case ("resource.k8s.io", "resourceclaims"):
                return self._get(node, RESOURCECLAIMS, a)
            case ("storage.k8s.io", "volumeattachments"):
                return self._get(node, VOLUMEATTACHMENTS, a)
            case ("", "serviceaccounts"):
                return self._service_account(node, a)
            case ("coordination.k8s.io", "leases"):
                return _lease(node, a)
            case ("storage.k8s.io", "csinodes"):
                return _csi_node(node, a)
            case ("resource.k8s.io", "resourceslices"):
                return self._resource_slice(node, a)
            case ("", "nodes"):
                return _node(node, a)
            case ("", "pods"):
                return self._pod(node, a)
        return None

    def _read(self, node: str, kind: Kind, a: Attributes) -> Decision:
        if a.verb not in _READ:
            return _no("can only read resources of this type")
        if a.subresource:
            return _no("cannot read subresource")
        if not a.namespace:
            return _no("can only read namespaced object of this type")
        return self._related(node, kind, a)

    def _get(self, node: str, kind: Kind, a: Attributes) -> Decision:
        if a.verb != "get":
            return _no("can only get individual resources of this type")
        if a.subresource:
            return _no("cannot get subresource")
        return self._related(node, kind, a)

    def _write_status(self, node: str, kind: Kind, a: Attributes) -> Decision:
        if a.verb not in ("update", "patch"):
            return _no("can only get/update/patch this type")
        return self._related(node, kind, a)

    def _related(self, node: str, kind: Kind, a: Attributes) -> Decision:
        if not a.name:
            return _no("No Object name found")
        return _ALLOWED if self._needs(node, kind, a) else _unrelated(node)

    def _needs(self, node: str, kind: Kind, a: Attributes) -> bool:
        if kind in (VOLUMEATTACHMENTS, RESOURCESLICES):  # these name their node themselves
            tree = self.lookup.get(kind, "", a.name)
            return ((tree or {}).get("spec") or {}).get("nodeName") == node
        return self.graph.needs(node, kind, a.namespace, a.name)

    def _service_account(self, node: str, a: Attributes) -> Decision:
        if a.verb == "get" and not a.subresource:
            return self._get(node, SERVICEACCOUNTS, a)
        if a.verb != "create" or not a.name:
            return _no("can only create tokens for individual service accounts")
        if a.subresource != "token":
            return _no("can only create token subresource of serviceaccount")
        return self._related(node, SERVICEACCOUNTS, a)

    def _resource_slice(self, node: str, a: Attributes) -> Decision:
        if a.subresource:
            return _no("cannot authorize ResourceSlice subresources")
        if a.verb == "create":
            return _ALLOWED
        if a.verb in ("get", "update", "patch", "delete"):
            return self._related(node, RESOURCESLICES, a)
        if a.verb not in ("watch", "list", "deletecollection"):
            return _no(
                "only the following verbs are allowed for a ResourceSlice: "
                "get, watch, list, create, update, patch, delete, deletecollection"
            )
        if _selects(a, "spec.nodeName", node):
            return _ALLOWED
        return _no("can only list/watch/deletecollection resourceslices with nodeName field selector")

    def _pod(self, node: str, a: Attributes) -> Decision:
        match (a.subresource, a.verb):
            case ("", "get"):
                return self._get(node, PODS, a)
            case ("", "list" | "watch"):
                if _selects(a, "spec.nodeName", node):
                    return _ALLOWED
                if a.name:
                    return self._related(node, PODS, a)
                return _no("can only list/watch pods with spec.nodeName field selector")
            case ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create"):
                return _ALLOWED
        return _NO_OPINION


def _selects(a: Attributes, wanted: str, value: str) -> bool:
    """Whether the request is limited to wanted=value."""
    return (wanted, value) in a.field_selector


def _lease(node: str, a: Attributes) -> Decision:
    if a.verb not in _OWN:
        return _no("can only get, create, update, patch, or delete a node lease")
    if a.namespace != LEASE_NAMESPACE:
        return _no(f'can only access leases in the "{LEASE_NAMESPACE}" system namespace')
    if a.verb != "create" and a.name != node:
        return _no("can only access node lease with the same name as the requesting node")
    return _ALLOWED


def _csi_node(node: str, a: Attributes) -> Decision:
    if a.verb not in _OWN:
        return _no("can only get, create, update, patch, or delete a CSINode")
    if a.subresource:
        return _no("cannot authorize CSINode subresources")
    if a.verb != "create" and a.name != node:
        return _no("can only access CSINode with the same name as the requesting node")
    return _ALLOWED


def _node(node: str, a: Attributes) -> Decision:
    match (a.subresource, a.verb):
        case ("", "create" | "update" | "patch") | ("status", "update" | "patch"):
            return _ALLOWED
        case ("", "get" | "list" | "watch"):
            if a.name == node:
                return _ALLOWED
            if not a.name:
                return _no(f"node '{node}' cannot read all nodes, only its own Node object")
            return _no(f"node '{node}' cannot read '{a.name}', only its own Node object")
    return _NO_OPINION


def _no(reason: str) -> Decision:
    return Decision(allowed=False, reason=reason)


def _unrelated(node: str) -> Decision:
    return _no(f"no relationship found between node '{node}' and this object")

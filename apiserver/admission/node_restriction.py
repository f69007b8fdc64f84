"""NodeRestriction: a kubelet writes about itself and the pods bound to it, and nothing else.

Complements the Node authorizer, which does not see objects. Source: plugin/pkg/admission/noderestriction.
"""

from apimachinery import kinds
from apimachinery.types import Json
from apiserver.admission.plugin import CREATE, DELETE, UPDATE, Plugin, Review

NODES_GROUP = "system:nodes"
NODE_PREFIX = "system:node:"
MIRROR = "kubernetes.io/config.mirror"
_LEASES = "kube-node-lease"
#: Labels of kubernetes.io that a kubelet may set on its own node.
_OWN_LABELS = frozenset(
    (
        "kubernetes.io/hostname", "topology.kubernetes.io/zone", "topology.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region",
        "node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type", "kubernetes.io/os",
        "kubernetes.io/arch", "beta.kubernetes.io/os", "beta.kubernetes.io/arch", "node.kubernetes.io/windows-build",
    )
)  # fmt: skip
_OWN_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")


def _node(review: Review) -> str:
    """The node that asks; empty for anybody else."""
    user = review.user
    if NODES_GROUP not in user.groups or not user.name.startswith(NODE_PREFIX):
        return ""
    return user.name.removeprefix(NODE_PREFIX)


def _validate(review: Review) -> None:
    node = _node(review)
    if not node:
        return
    asked = review.attributes
    check = _CHECKS.get((asked.group, asked.plural))
    if check is not None:
        check(review, node)


def _pods(review: Review, node: str) -> None:
    by_part = {"": _pod, "status": _pod_status, "eviction": _eviction}
    check = by_part.get(review.subresource)
    if check is None:
        raise review.refuse(
            f"unexpected pod subresource \"{review.subresource}\", only 'status' and 'eviction' are allowed"
        )
    check(review, node)


def _pod(review: Review, node: str) -> None:
    if review.operation == CREATE:
        _mirror_pod(review, node)
    elif review.operation == DELETE:
        bound = ((review.old or {}).get("spec") or {}).get("nodeName", "")
        if review.old is not None and bound != node:
            why = "can only delete pods with spec.nodeName set to itself"
            raise review.refuse(f'node "{node}" {why}')
    else:
        operation = review.operation.upper()
        raise review.refuse(f'unexpected operation "{operation}", node "{node}" can only create and delete mirror pods')


def _mirror_pod(review: Review, node: str) -> None:
    pod = review.tree
    metadata, spec = pod["metadata"], pod["spec"]
    if MIRROR not in (metadata.get("annotations") or {}):
        raise review.refuse(f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods')
    if spec.get("nodeName") != node:
        raise review.refuse(f'node "{node}" can only create pods with spec.nodeName set to itself')
    owners = metadata.get("ownerReferences") or ()
    if len(owners) > 1:
        raise review.refuse(f'node "{node}" can only create pods with a single owner reference set to itself')
    if not owners:
        raise review.refuse(f'node "{node}" can only create pods with an owner reference set to itself')
    owner = owners[0]
    if (owner.get("apiVersion"), owner.get("kind"), owner.get("name")) != ("v1", "Node", node):
        raise review.refuse(f'node "{node}" can only create pods with an owner reference set to itself')
    if not owner.get("controller"):
        raise review.refuse(f'node "{node}" can only create pods with a controller owner reference set to itself')
    if owner.get("blockOwnerDeletion"):
        raise review.refuse(f'node "{node}" must not set blockOwnerDeletion on an owner reference')
    found = review.lookup.get(kinds.NODES, "", node)
    if found is not None and owner.get("uid") != found["metadata"].get("uid"):
        expected = found["metadata"].get("uid")
        raise review.refuse(f"node {node} UID mismatch: expected {expected} got {owner.get('uid')}")
    _no_references(review, spec, node)


def _no_references(review: Review, spec: Json, node: str) -> None:
    """A mirror pod may not open the API's objects to the node."""
    if spec.get("serviceAccountName"):
        raise review.refuse(f'node "{node}" can not create pods that reference a service account')
    for volume in spec.get("volumes") or ():
        for source, word in (
            ("secret", "secrets"),
            ("configMap", "configmaps"),
            ("persistentVolumeClaim", "persistentvolumeclaims"),
        ):
            if volume.get(source) is not None:
                raise review.refuse(f'node "{node}" can not create pods that reference {word}')


def _pod_status(review: Review, node: str) -> None:
    if review.operation != UPDATE:
        raise review.refuse(f'unexpected operation "{review.operation.upper()}"')
    bound = ((review.old or {}).get("spec") or {}).get("nodeName", "")
    if bound != node:
        why = "can only update pod status for pods with spec.nodeName set to itself"
        raise review.refuse(f'node "{node}" {why}')
    now, was = ((t.get("metadata") or {}).get("labels") or {} for t in (review.tree, review.old or {}))
    if now != was:
        raise review.refuse(f'node "{node}" cannot update labels through pod status')


def _eviction(review: Review, node: str) -> None:
    pod = review.lookup.get(kinds.PODS, review.namespace, review.name)
    if pod is not None and (pod.get("spec") or {}).get("nodeName") != node:
        raise review.refuse(f"node {node} can only evict pods with spec.nodeName set to itself")


def _nodes(review: Review, node: str) -> None:
    name = review.name
    if name != node:
        raise review.refuse(f'node "{node}" is not allowed to modify node "{name}"')
    if review.operation == CREATE:
        if (review.tree.get("spec") or {}).get("configSource") is not None:
            raise review.refuse(f'node "{node}" is not allowed to create pods with a non-nil configSource')
        _own_labels(review, node, review.tree, {}, "set")
    elif review.operation == UPDATE and review.old is not None:
        _own_labels(review, node, review.tree, review.old, "modify")
        now, was = ((t.get("spec") or {}).get("taints") or [] for t in (review.tree, review.old))
        if now != was and not review.subresource:
            raise review.refuse(f'node "{node}" is not allowed to modify taints')
        owners = [(t.get("metadata") or {}).get("ownerReferences") for t in (review.tree, review.old)]
        if owners[0] != owners[1]:
            raise review.refuse(f'node "{node}" is not allowed to modify ownerReferences')


def _own_labels(review: Review, node: str, new: Json, old: Json, verb: str) -> None:
    now, was = ((t.get("metadata") or {}).get("labels") or {} for t in (new, old))
    changed = [key for key in {*now, *was} if now.get(key) != was.get(key) and not _may_label(key)]
    if changed:
        listed = ", ".join(sorted(changed))
        raise review.refuse(f'node "{node}" is not allowed to {verb} the following labels: {listed}')


def _may_label(key: str) -> bool:
    domain = key.rpartition("/")[0]
    if not domain.endswith(("kubernetes.io", "k8s.io")) or not _is_domain(domain):
        return True
    own = any(domain == d or domain.endswith(f".{d}") for d in _OWN_DOMAINS)
    return key in _OWN_LABELS or own


def _is_domain(domain: str) -> bool:
    """`kubernetes.io`, `k8s.io` and everything below them."""
    return any(domain == d or domain.endswith(f".{d}") for d in ("kubernetes.io", "k8s.io"))


def _tokens(review: Review, node: str) -> None:
    """A kubelet asks for tokens for pods that run on it, bound to them."""
    if review.subresource != "token" or review.operation != CREATE:
        return
    reference = (review.tree.get("spec") or {}).get("boundObjectRef")
    if reference is None or (reference.get("apiVersion"), reference.get("kind")) != ("v1", "Pod"):
        raise review.refuse("node requested token not bound to a pod")
    if not reference.get("uid"):
        raise review.refuse("node requested token with a pod binding without a uid")
    pod = review.lookup.get(kinds.PODS, review.namespace, reference.get("name", ""))
    if pod is None:
        raise review.refuse(f'pod "{reference.get("name", "")}" not found')
    if pod["metadata"].get("uid") != reference["uid"]:
        raise review.refuse(
            f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
    if (pod.get("spec") or {}).get("nodeName") != node:
        raise review.refuse("node requested token bound to a pod scheduled on a different node")


def _leases(review: Review, node: str) -> None:
    if review.namespace != _LEASES:
        raise review.refuse(f'can only access leases in the "{_LEASES}" system namespace')
    if review.name != node:
        raise review.refuse("can only access node lease with the same name as the requesting node")


def _csi_nodes(review: Review, node: str) -> None:
    if review.name != node:
        raise review.refuse("can only access CSINode with the same name as the requesting node")


def _claims(review: Review, node: str) -> None:
    """A kubelet reports a claim's size after it grew a file system: the status only."""
    if review.subresource != "status" or review.operation != UPDATE:
        raise review.refuse(f'node "{node}" may only update PVC status')
    kept = [{**t, "status": None, "metadata": None} for t in (review.tree, review.old or {})]
    if kept[0] != kept[1]:
        fields = "status.quantity and status.conditions"
        raise review.refuse(f'node "{node}" is not allowed to update fields other than {fields}')


_CHECKS = {
    ("", "pods"): _pods,
    ("", "nodes"): _nodes,
    ("", "serviceaccounts"): _tokens,
    ("", "persistentvolumeclaims"): _claims,
    ("coordination.k8s.io", "leases"): _leases,
    ("storage.k8s.io", "csinodes"): _csi_nodes,
}

NODE_RESTRICTION = Plugin("NodeRestriction", validate=_validate, of=frozenset(_CHECKS))

"""Small plugins that fill something in, or refuse one thing.

Sources: plugin/pkg/admission/{defaulttolerationseconds,nodetaint,network/defaultingressclass,alwayspullimages,
extendedresourcetoleration,network/denyserviceexternalips}.
"""

from apimachinery import kinds
from apimachinery.types import Json
from apiserver.admission.plugin import CREATE, UPDATE, Plugin, Review, resources
from apiserver.strategies.pod.resources import is_extended

_NOT_READY = "node.kubernetes.io/not-ready"
_UNREACHABLE = "node.kubernetes.io/unreachable"
_SECONDS = 300
_DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
_OLD_CLASS = "kubernetes.io/ingress.class"


def _toleration_seconds(review: Review) -> None:
    """A pod stays five minutes on a node that has gone silent, unless it says otherwise."""
    if not review.is_about(kinds.PODS, CREATE, UPDATE):
        return
    spec = review.tree["spec"]
    entries = list(spec.get("tolerations") or ())
    added = [_tolerate(key) for key in (_NOT_READY, _UNREACHABLE) if not any(_tolerates(t, key) for t in entries)]
    if added:
        spec["tolerations"] = entries + added


def _tolerates(toleration: Json, key: str) -> bool:
    return toleration.get("key", "") in (key, "") and toleration.get("effect", "") in ("NoExecute", "")


def _tolerate(key: str) -> Json:
    return {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _SECONDS}


def _taint_node(review: Review) -> None:
    """A new node takes no pods until it is known to be ready."""
    if not review.is_about(kinds.NODES, CREATE):
        return
    spec = review.tree.setdefault("spec", {})
    taints = list(spec.get("taints") or ())
    taint = {"key": _NOT_READY, "effect": "NoSchedule"}
    if not any((t.get("key"), t.get("effect")) == (_NOT_READY, "NoSchedule") for t in taints):
        spec["taints"] = [*taints, taint]


def _ingress_class(review: Review) -> None:
    if not review.is_about(kinds.INGRESSES, CREATE):
        return
    spec, metadata = review.tree.setdefault("spec", {}), review.tree["metadata"]
    if spec.get("ingressClassName") is not None or _OLD_CLASS in (metadata.get("annotations") or {}):
        return
    found = [c for c in review.lookup.list(kinds.INGRESSCLASSES) if is_marked(c, _DEFAULT_CLASS)]
    if found:
        spec["ingressClassName"] = newest(found)["metadata"]["name"]


def is_marked(tree: Json, annotation: str) -> bool:
    """Whether a class is annotated as the default one."""
    return ((tree.get("metadata") or {}).get("annotations") or {}).get(annotation) == "true"


def newest(classes: list[Json]) -> Json:
    """Of several defaults the one made last; of one age the first by name."""
    ordered = sorted(classes, key=lambda c: str(c["metadata"]["name"]))
    return max(ordered, key=lambda c: str(c["metadata"].get("creationTimestamp", "")))


def _pull_always(review: Review) -> None:
    if not review.is_about(kinds.PODS, CREATE, UPDATE):
        return
    for list_name in ("initContainers", "containers", "ephemeralContainers"):
        for container in review.tree["spec"].get(list_name) or ():
            container["imagePullPolicy"] = "Always"


def _tolerate_devices(review: Review) -> None:
    """A pod that asks for a device tolerates the taint of the nodes that have it."""
    if not review.is_about(kinds.PODS, CREATE, UPDATE):
        return
    spec = review.tree["spec"]
    names: set[str] = set()
    for list_name in ("initContainers", "containers"):
        for container in spec.get(list_name) or ():
            names |= {n for n in (container.get("resources") or {}).get("requests") or {} if is_extended(n)}
    entries = list(spec.get("tolerations") or ())
    for name in sorted(names):
        if not any(t.get("key") == name and t.get("operator") == "Exists" for t in entries):
            entries.append({"key": name, "operator": "Exists"})
    if names:
        spec["tolerations"] = entries


def _deny_external_ips(review: Review) -> None:
    """No new external addresses; those that a Service has may stay."""
    if not review.is_about(kinds.SERVICES, CREATE, UPDATE):
        return
    had = set(((review.old or {}).get("spec") or {}).get("externalIPs") or ())
    if set(review.tree["spec"].get("externalIPs") or ()) - had:
        raise review.refuse("Use of external IPs is denied by admission control.")


TOLERATION_SECONDS = Plugin("DefaultTolerationSeconds", mutate=_toleration_seconds, of=resources(kinds.PODS))
TAINT_NODES = Plugin("TaintNodesByCondition", mutate=_taint_node, of=resources(kinds.NODES))
DEFAULT_INGRESS_CLASS = Plugin("DefaultIngressClass", mutate=_ingress_class, of=resources(kinds.INGRESSES))
ALWAYS_PULL_IMAGES = Plugin("AlwaysPullImages", mutate=_pull_always, is_on=False, of=resources(kinds.PODS))
EXTENDED_RESOURCE_TOLERATION = Plugin(
    "ExtendedResourceToleration", mutate=_tolerate_devices, is_on=False, of=resources(kinds.PODS)
)
DENY_EXTERNAL_IPS = Plugin(
    "DenyServiceExternalIPs", validate=_deny_external_ips, is_on=False, of=resources(kinds.SERVICES)
)

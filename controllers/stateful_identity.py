"""Who is who in a StatefulSet: ordinals, names, and a pod as it is made. Pure.

Source: pkg/controller/statefulset/stateful_set_utils.go.
"""

from collections.abc import Mapping

from apimachinery.kinds import STATEFULSETS
from apimachinery.types import Json
from controllers import pods
from controllers.history import REVISION_LABEL
from controllers.ownership import owner_reference
from controllers.views import (
    Pod,
)
from controllers.workload_views import (
    StatefulSet,
)

NAME_LABEL = "statefulset.kubernetes.io/pod-name"
INDEX_LABEL = "apps.kubernetes.io/pod-index"


def start(owner: StatefulSet) -> int:
    """The first ordinal."""
    return (owner.spec.ordinals.start or 0) if owner.spec.ordinals is not None else 0


def is_in_range(owner: StatefulSet, ordinal: int) -> bool:
    """Whether the set wants a pod of this ordinal."""
    return start(owner) <= ordinal < start(owner) + owner.spec.replicas


def pod_name(owner: StatefulSet, ordinal: int) -> str:
    """The name of the pod with this ordinal."""
    return f"{owner.metadata.name}-{ordinal}"


def parent_and_ordinal(pod: Pod) -> tuple[str, int]:
    """What a pod's name says: of which set it is, and which one there; -1 where it says nothing."""
    parent, dash, digits = pod.metadata.name.rpartition("-")
    is_number = bool(dash) and digits.isascii() and digits.isdecimal() and int(digits) < 2**31
    return (parent, int(digits)) if is_number else ("", -1)


def ordinal_of(pod: Pod) -> int:
    """The number at the end of the pod's name; -1 for one that is not of a set."""
    return parent_and_ordinal(pod)[1]


def revision_of(pod: Pod) -> str:
    """The revision that the pod was made from."""
    return pod.metadata.labels.get(REVISION_LABEL, "")


def labels_for(owner: StatefulSet, ordinal: int) -> Json:
    """The labels by which a pod is found alone."""
    return {NAME_LABEL: pod_name(owner, ordinal), INDEX_LABEL: str(ordinal)}


def new_pod(owner: StatefulSet, template: Json, revision: str, ordinal: int, claims: Mapping[str, str]) -> Json:
    """The pod of an ordinal; `claims` are its volumes' claims."""
    meta, name = owner.metadata, pod_name(owner, ordinal)
    body = pods.from_template(template, meta.name, meta.namespace, owner_reference(STATEFULSETS, meta))
    labels = {**body["metadata"].get("labels", {}), **labels_for(owner, ordinal), REVISION_LABEL: revision}
    spec = {**body["spec"], "hostname": name}
    if owner.spec.service_name:
        spec["subdomain"] = owner.spec.service_name
    else:
        spec.pop("subdomain", None)
    own = [each for each in spec.get("volumes") or () if each["name"] not in claims]
    claimed = [{"name": each, "persistentVolumeClaim": {"claimName": claims[each]}} for each in claims]
    if own or claimed:
        spec["volumes"] = [*claimed, *own]
    return {"metadata": {**body["metadata"], "name": name, "labels": labels}, "spec": spec}

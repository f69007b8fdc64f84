"""Pods: the strategy that puts defaults, status, immutability, selectable fields and graceful deletion together.

Source: pkg/registry/core/pod/strategy.go.
"""

from collections.abc import Mapping

from apimachinery import times
from apimachinery.errors import FieldError
from apimachinery.qos import qos_class
from apimachinery.types import Json
from apiserver.strategies.pod import app_armor, defaults, label_keys, spec, update, warnings
from apiserver.strategies.problems import Problems, forbidden
from apiserver.strategies.strategy import Part, Strategy, WriteContext, only_status

_ENDED = ("Succeeded", "Failed")


def prepare(new: Json, old: Json | None) -> Json:
    """A new pod is Pending and its label keys are merged; an existing one keeps its status."""
    if old is not None:
        new["status"] = old.get("status", {})
        return new
    label_keys.merge(new)
    new["status"] = {"phase": "Pending", "qosClass": qos_class(new["spec"])}
    return new


def stamp(new: Json, old: Json | None, context: WriteContext) -> Json:
    """A pod with scheduling gates says from the start why nobody schedules it; annotations become fields."""
    if old is None and new["metadata"].get("annotations"):
        app_armor.sync(new, context.warn)
    if old is None and new["spec"].get("schedulingGates"):
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "lastProbeTime": None,
            "lastTransitionTime": times.rfc3339(context.now),
            "reason": "SchedulingGated",
            "message": "Scheduling is blocked due to non-empty scheduling gates",
        }
        new["status"]["conditions"] = [condition]
    return new


def check(new: Json, old: Json | None) -> list[FieldError]:
    """The whole spec, and against the old one where there is one; a spec that did not change was checked before."""
    if old is not None and new.get("spec") == old.get("spec"):
        return []
    problems = [*spec.pod_spec("spec", new.get("spec") or {}), *_tokens(new.get("spec") or {})]
    if old is None:
        return [*problems, *_on_create(new)]
    return [*problems, *update.pod(new, old)]


def _tokens(tree: Json) -> Problems:
    """Whose tokens they are has to be known; templates need not say it yet."""
    for i, volume in enumerate(() if tree.get("serviceAccountName") else tree.get("volumes") or ()):
        for j, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
            if source.get("serviceAccountToken") is not None:
                path = f"spec.volumes[{i}].projected.sources[{j}].serviceAccountToken"
                yield forbidden(path, "must not be specified when serviceAccountName is not set")


def _on_create(new: Json) -> Problems:
    tree = new.get("spec") or {}
    if tree.get("ephemeralContainers"):
        yield forbidden("spec.ephemeralContainers", "cannot be set on create")
    if tree.get("nodeName") and tree.get("schedulingGates"):
        yield forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared")


def prepare_status(new: Json, old: Json | None) -> Json:
    """A status write keeps the owner references (old kubelets spoil them) and a QoS class once given."""
    kept = only_status(new, old)
    if old is None:
        return kept
    if "ownerReferences" in old["metadata"]:
        kept["metadata"]["ownerReferences"] = old["metadata"]["ownerReferences"]
    else:
        kept["metadata"].pop("ownerReferences", None)
    was = (old.get("status") or {}).get("qosClass")
    if was and not kept.setdefault("status", {}).get("qosClass"):
        kept["status"]["qosClass"] = was
    return kept


def check_status(new: Json, old: Json | None) -> list[FieldError]:
    return [*update.status(new, old)] if old is not None else []


def _kept(new: Json, old: Json) -> Json:
    """The metadata of a part's update: all as it was but for what says which object is meant, and who writes."""
    told = ("name", "uid", "resourceVersion", "managedFields")
    return {**old["metadata"], **{name: new["metadata"][name] for name in told if name in new["metadata"]}}


def _prepare_ephemeral(new: Json, old: Json | None) -> Json:
    """Only the list of ephemeral containers changes."""
    if old is None:
        return new
    added = (new.get("spec") or {}).get("ephemeralContainers")
    merged = {**old, "metadata": _kept(new, old), "spec": {**old["spec"]}}
    if added:
        merged["spec"]["ephemeralContainers"] = added
    else:
        merged["spec"].pop("ephemeralContainers", None)
    return merged


def _check_ephemeral(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*spec.pod_spec("spec", new["spec"])]
    return problems + ([*update.ephemeral_containers(new, old)] if old is not None else [])


def _prepare_resize(new: Json, old: Json | None) -> Json:
    """Only resources and resize policies change; other containers, or another order, are for validation to refuse."""
    if old is None or [*update.other_containers(new, old)]:
        return new
    merged = {**old, "metadata": _kept(new, old), "spec": {**old["spec"]}}
    for name in ("containers", "initContainers"):
        wanted = {c.get("name"): c for c in new["spec"].get(name) or ()}
        if old["spec"].get(name):
            merged["spec"][name] = [_resized(c, wanted.get(c["name"], c)) for c in old["spec"][name]]
    return merged


def _resized(container: Json, wanted: Json) -> Json:
    changed: Json = {name: wanted[name] for name in ("resources", "resizePolicy") if name in wanted}
    return {**container, **changed}


def _check_resize(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*spec.pod_spec("spec", new["spec"])]
    if old is None:
        return problems
    return problems + ([*update.other_containers(new, old)] or [*update.resize(new, old)])


def grace_period(pod: Json, asked: int | None) -> int:
    """How long a deletion waits: nothing for a pod that no kubelet has or that is over; at least a second else."""
    tree, status = pod.get("spec") or {}, pod.get("status") or {}
    if not tree.get("nodeName") or status.get("phase") in _ENDED:
        return 0
    period = asked if asked is not None else tree.get("terminationGracePeriodSeconds", 30)
    return 1 if period < 0 else int(period)


def fields(pod: Json) -> Mapping[str, str]:
    """The values of the selectable fields."""
    metadata, tree, status = pod.get("metadata", {}), pod.get("spec") or {}, pod.get("status") or {}
    addresses = status.get("podIPs") or ()
    return {
        "metadata.name": metadata.get("name", ""),
        "metadata.namespace": metadata.get("namespace", ""),
        "spec.nodeName": tree.get("nodeName", ""),
        "spec.restartPolicy": tree.get("restartPolicy", ""),
        "spec.schedulerName": tree.get("schedulerName", ""),
        "spec.serviceAccountName": tree.get("serviceAccountName", ""),
        "spec.hostNetwork": "true" if tree.get("hostNetwork") else "false",
        "status.phase": status.get("phase", ""),
        "status.podIP": addresses[0]["ip"] if addresses else status.get("podIP", ""),
        "status.nominatedNodeName": status.get("nominatedNodeName", ""),
    }


PODS = Strategy(
    default=defaults.pod,
    prepare=prepare,
    stamp=stamp,
    check=check,
    has_generation=True,
    prepare_status=prepare_status,
    check_status=check_status,
    parts={
        "ephemeralcontainers": Part(_prepare_ephemeral, _check_ephemeral),
        "resize": Part(_prepare_resize, _check_resize),
    },
    warnings=warnings.pod,
    fields=fields,
    field_labels=tuple(fields({})),
    graceful=True,
    grace_period=grace_period,
)

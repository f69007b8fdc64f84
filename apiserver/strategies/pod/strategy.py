"""Pods: the strategy that puts defaults, status, immutability, selectable fields and graceful deletion together.

Source: pkg/registry/core/pod/strategy.go.
"""

from collections.abc import Mapping, Sequence

from apimachinery import times
from apimachinery.errors import FieldError
from apimachinery.qos import qos_class
from apimachinery.types import Json
from apiserver.strategies.pod import (
    alpha,
    annotations,
    app_armor,
    containers,
    defaults,
    label_keys,
    spec,
    status,
    update,
    warnings,
)
from apiserver.strategies.problems import Problems, forbidden
from apiserver.strategies.strategy import Part, Strategy, WriteContext, carried, only_status

_ENDED = ("Succeeded", "Failed")


def prepare(new: Json, old: Json | None) -> Json:
    """A new pod is Pending and its label keys are merged; an existing one keeps its status."""
    if old is not None:
        new["status"] = old.get("status", {})
        return new
    label_keys.merge(new)
    sent = (new.get("status") or {}).get("qosClass")  # of all that it says of the status, upstream takes this over
    new["status"] = {"phase": "Pending", "qosClass": sent or qos_class(new["spec"])}
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
    """The whole pod, and against the old one where there is one; a spec that did not change was checked before."""
    if old is None:
        return [*_pod(new), *_on_create(new)]
    if new.get("spec") == old.get("spec"):
        return [*annotations.of(new), *annotations.changes(new, old)]
    return [*_pod(new), *annotations.changes(new, old), *update.pod(new, old)]


def _pod(pod: Json) -> Problems:
    """What holds for a pod at any time."""
    tree = pod.get("spec") or {}
    yield from annotations.of(pod)
    yield from spec.pod_spec("spec", tree, pod["metadata"])
    yield from _tokens(tree)
    yield from containers.only_in_pods("spec", tree)


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
    yield from annotations.fields(new)


def prepare_status(new: Json, old: Json | None) -> Json:
    """A status write keeps the owner references (old kubelets spoil them), a QoS class and generations once given."""
    kept = only_status(new, old)
    if old is None:
        return kept
    kept["metadata"] = carried(kept["metadata"], old["metadata"], ("ownerReferences",))
    now, was = kept.setdefault("status", {}), old.get("status") or {}
    if was.get("qosClass") and not now.get("qosClass"):
        now["qosClass"] = was["qosClass"]
    status.keep_generations(now, was)
    status.drop_disabled(now)
    return kept


def check_status(new: Json, old: Json | None) -> list[FieldError]:
    return [*annotations.changes(new, old), *status.check(new, old)] if old is not None else []


_METADATA = (
    "deletionTimestamp",
    "generation",
    "selfLink",
    "labels",
    "annotations",
    "finalizers",
    "ownerReferences",
)


def _kept(new: Json, old: Json) -> Json:
    """The metadata of a part's update (ResetObjectMetaForStatus)."""
    return carried(new["metadata"], old["metadata"], _METADATA)


def _prepare_ephemeral(new: Json, old: Json | None) -> Json:
    """Only the list of ephemeral containers changes."""
    if old is None:
        return new
    alpha.drop(new.get("spec") or {})
    added = (new.get("spec") or {}).get("ephemeralContainers")
    merged = {**old, "metadata": _kept(new, old), "spec": {**old["spec"]}}
    if added:
        merged["spec"]["ephemeralContainers"] = added
    else:
        merged["spec"].pop("ephemeralContainers", None)
    return merged


def _check_ephemeral(new: Json, old: Json | None) -> list[FieldError]:
    if old is None:
        return [*_pod(new)]
    if annotations.MIRROR in (old["metadata"].get("annotations") or {}):
        return [forbidden("[]", "static pods do not support ephemeral containers")]
    return [*_pod(new), *annotations.changes(new, old), *update.ephemeral_containers(new, old)]


def _prepare_resize(new: Json, old: Json | None) -> Json:
    """Only resources and resize policies change; other containers, or another order, are for validation to refuse."""
    if old is None:
        return new
    lists = ("containers", "initContainers")
    now, was = ({name: tree["spec"].get(name) or [] for name in lists} for tree in (new, old))
    if any(len(now[name]) != len(was[name]) for name in lists):
        return new
    merged = {**old, "metadata": _kept(new, old), "spec": {**old["spec"]}}
    for name in lists:
        if now[name]:
            merged["spec"][name] = _resized(now[name], was[name])
    return merged


def _resized(containers: Sequence[Json], before: Sequence[Json]) -> Sequence[Json]:
    pairs = [*zip(containers, before, strict=True)]
    if any(now.get("name") != was.get("name") for now, was in pairs):
        return containers
    return [{**_without_amounts(was), **_amounts_of(now)} for now, was in pairs]


_AMOUNTS = ("resources", "resizePolicy")


def _amounts_of(container: Json) -> Json:
    return {name: container[name] for name in _AMOUNTS if name in container}


def _without_amounts(container: Json) -> Json:
    return {name: value for name, value in container.items() if name not in _AMOUNTS}


def _check_resize(new: Json, old: Json | None) -> list[FieldError]:
    if old is None:
        return [*_pod(new)]
    return [*update.not_resizable(new, old)] or [*_pod(new), *update.resize(new, old)]


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

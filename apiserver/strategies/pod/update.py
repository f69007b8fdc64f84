"""What of a pod may change once it exists. Source: validation.go ValidatePodUpdate, ValidatePodResize and kin."""

from collections.abc import Sequence

from apimachinery.qos import qos_class
from apimachinery.types import Json
from apiserver.strategies import go_structs
from apiserver.strategies.pod import gated, placement
from apiserver.strategies.pod.annotations import MIRROR
from apiserver.strategies.pod.containers import image
from apiserver.strategies.problems import Problems, forbidden, invalid

_UPDATABLE = (
    "`spec.containers[*].image`,"
    "`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def pod(new: Json, old: Json) -> Problems:
    """An update of the pod itself: a handful of fields may change."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    for name in ("containers", "initContainers"):
        if len(spec.get(name) or ()) != len(before.get(name) or ()):
            yield forbidden(f"spec.{name}", "pod updates may not add or remove containers")
            return
        for i, container in enumerate(spec.get(name) or ()):
            yield from image(f"spec.{name}[{i}].image", container.get("image", ""))
    deadline = list(_deadline(spec, before))
    yield from deadline
    if deadline and spec.get("activeDeadlineSeconds") is not None:
        return
    yield from _tolerations(spec, before)
    yield from _gates(spec, before)
    munged = _munged(spec, before)
    if before.get("schedulingGates"):  # a gated pod may still be narrowed down to fewer nodes
        yield from gated.narrowed(munged, before)
    if not go_structs.equal("core.PodSpec", munged, before):
        yield forbidden("spec", f"pod updates may not change fields other than {_UPDATABLE}\n{_diff(before, munged)}")


def _diff(old: Json, new: Json) -> str:
    return go_structs.difference("core.PodSpec", old, new)


_MAX_DEADLINE = 2**31 - 1


def _deadline(spec: Json, before: Json) -> Problems:
    """A deadline may be set and shortened, never lengthened or taken back."""
    now, was = spec.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds")
    if now is not None:
        if not 0 <= now <= _MAX_DEADLINE:
            yield invalid("spec.activeDeadlineSeconds", now, f"must be between 0 and {_MAX_DEADLINE}, inclusive")
        elif was is not None and now > was:
            yield invalid("spec.activeDeadlineSeconds", now, "must be less than or equal to previous value")
    elif was is not None:
        yield invalid("spec.activeDeadlineSeconds", now, "must not update from a positive integer to nil value")


def _tolerations(spec: Json, before: Json) -> Problems:
    """Tolerations are only added; `tolerationSeconds` of one may change."""
    kept = [_without_seconds(t) for t in spec.get("tolerations") or ()]
    for toleration in before.get("tolerations") or ():
        if _without_seconds(toleration) not in kept:
            detail = "existing toleration can not be modified except its tolerationSeconds"
            yield forbidden("spec.tolerations", detail)
            return
    yield from placement.tolerations("spec.tolerations", spec.get("tolerations") or ())


def _without_seconds(toleration: Json) -> Json:
    return {name: value for name, value in toleration.items() if name != "tolerationSeconds" and value}


def _gates(spec: Json, before: Json) -> Problems:
    """Scheduling gates are only taken away."""
    was = {gate.get("name", "") for gate in before.get("schedulingGates") or ()}
    now = {gate.get("name", ""): i for i, gate in enumerate(spec.get("schedulingGates") or ())}
    for name, i in now.items():
        if name not in was:
            why = f"only deletion is allowed, but found new scheduling gate '{name}'"
            yield forbidden(f"spec.schedulingGates[{i}].name", why)


def _munged(spec: Json, before: Json) -> Json:
    """The new spec with every field that may change put back: what still differs is forbidden."""
    munged = _without_empty(spec, "volumes")
    for name in ("containers", "initContainers"):
        if spec.get(name):
            pairs = zip(spec[name], before.get(name) or (), strict=False)
            munged[name] = [
                {**_without_empty(container, "volumeMounts"), "image": was.get("image", "")} for container, was in pairs
            ]
    for name in ("activeDeadlineSeconds", "tolerations", "schedulingGates"):
        _put_back(munged, before, name)
    grace = before.get("terminationGracePeriodSeconds")
    if grace is not None and grace < 0 and spec.get("terminationGracePeriodSeconds") == 1:
        munged["terminationGracePeriodSeconds"] = grace
    return munged


def _without_empty(tree: Json, name: str) -> Json:
    """A copy. Upstream goes through volumes for those of images, which it takes out, and leaves no empty list."""
    return {member: value for member, value in tree.items() if member != name or value}


def _put_back(tree: Json, before: Json, name: str) -> None:
    if name in before:
        tree[name] = before[name]
    else:
        tree.pop(name, None)


def ephemeral_containers(new: Json, old: Json) -> Problems:
    """Ephemeral containers are only added, never changed or taken away."""
    now = {c.get("name"): c for c in (new.get("spec") or {}).get("ephemeralContainers") or ()}
    for container in (old.get("spec") or {}).get("ephemeralContainers") or ():
        name = container.get("name")
        if name not in now:
            yield forbidden("spec.ephemeralContainers", f'existing ephemeral containers "{name}" may not be removed\n')
        elif not go_structs.equal("core.EphemeralContainer", now[name], container):
            shown = go_structs.difference("core.EphemeralContainer", container, now[name])
            detail = f'existing ephemeral containers "{name}" may not be changed\n{shown}'
            yield forbidden("spec.ephemeralContainers", detail)


def other_containers(new: Json, old: Json) -> Problems:
    """A resize keeps the containers and their order."""
    for name in ("containers", "initContainers"):
        if len(new["spec"].get(name) or ()) != len(old["spec"].get(name) or ()):
            yield forbidden(f"spec.{name}", f"{name} may not be added or removed on resize")
            continue
        for i, (now, was) in enumerate(_pairs(new, old, name)):
            if now.get("name") != was.get("name"):
                yield forbidden(f"spec.{name}[{i}].name", f"{name} may not be renamed or reordered on resize")


def resize(new: Json, old: Json) -> Problems:
    """A resize changes cpu and memory of containers and sidecars, not the QoS class."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    status = old.get("status") or {}
    was = status.get("qosClass") or qos_class(before)
    if qos_class(spec) != was:
        shown = (new.get("status") or {}).get("qosClass") or ""  # which a resize does not change
        yield invalid("spec", shown, "Pod QOS Class may not change as a result of resizing")
    running = (each for each in status.get("containerStatuses") or () if (each.get("state") or {}).get("running"))
    if next(running, {"resources": {}}).get("resources") is None:
        yield forbidden("spec", "Pod running on node without support for resize")
    wrong = [*other_containers(new, old)]
    yield from wrong
    if wrong:
        return
    for name in ("initContainers", "containers"):
        for i, (now, then) in enumerate(_pairs(new, old, name)):
            if name == "containers" or then.get("restartPolicy") == "Always":
                yield from _removed(
                    f"spec.{name}[{i}].resources", now.get("resources") or {}, then.get("resources") or {}
                )
    yield from _only_cpu_and_memory(new, old)


def not_resizable(new: Json, old: Json) -> Problems:
    """Of a pod that cannot be resized, nothing else is said. The path is upstream's, which has none."""
    nowhere = "[]"
    for tree in (old, new):
        resources = (tree.get("spec") or {}).get("resources") or {}
        if resources.get("requests") or resources.get("limits"):
            yield forbidden(nowhere, "pods with pod-level resources cannot be resized")
            return
    if MIRROR in (old["metadata"].get("annotations") or {}):
        yield forbidden(nowhere, "static pods cannot be resized")
    elif ((old.get("spec") or {}).get("os") or {}).get("name") == "windows":
        yield forbidden(nowhere, "windows pods cannot be resized")


def _pairs(new: Json, old: Json, name: str) -> Sequence[tuple[Json, Json]]:
    return list(zip(new["spec"].get(name) or (), old["spec"].get(name) or (), strict=False))


def _removed(path: str, now: Json, was: Json) -> Problems:
    for part in ("requests", "limits"):
        before, after = was.get(part) or {}, now.get(part) or {}
        if before.keys() - after.keys():
            yield forbidden(f"{path}.{part}", f"resource {part} cannot be removed")


def _only_cpu_and_memory(new: Json, old: Json) -> Problems:
    for now, was in _pairs(new, old, "containers"):
        if not _same_but_amounts(now, was):
            yield forbidden("spec", "only cpu and memory resources are mutable")
    for now, was in _pairs(new, old, "initContainers"):
        if now.get("restartPolicy") == "Always":
            if not _same_but_amounts(now, was):
                yield forbidden("spec", "only cpu and memory resources for sidecar containers are mutable")
        elif not go_structs.equal("core.Container", now, was):
            yield forbidden("spec", "resources for non-sidecar init containers are immutable")


def _same_but_amounts(now: Json, was: Json) -> bool:
    """Whether nothing but the cpu and memory of a container is new; where there were no limits, there may be some."""
    resources = {}
    for part in ("limits", "requests"):
        before = (was.get("resources") or {}).get(part)
        if before:
            after = (now.get("resources") or {}).get(part) or {}
            kept = {name: value for name, value in after.items() if name not in ("cpu", "memory")}
            resources[part] = {**kept, **{name: before[name] for name in ("cpu", "memory") if name in before}}
    return go_structs.equal("core.Container", {**now, "resources": resources}, was)

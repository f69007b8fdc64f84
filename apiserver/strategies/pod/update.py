"""What of a pod may change once it exists. Source: validation.go ValidatePodUpdate, ValidatePodStatusUpdate and kin."""

from collections.abc import Sequence

from apimachinery.qos import qos_class
from apimachinery.types import Json
from apiserver.strategies import go_structs
from apiserver.strategies.pod.containers import image
from apiserver.strategies.problems import Problems, dns_subdomain, forbidden, invalid, ip_address

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


def _without_seconds(toleration: Json) -> Json:
    return {name: value for name, value in toleration.items() if name != "tolerationSeconds" and value}


def _gates(spec: Json, before: Json) -> Problems:
    """Scheduling gates are only taken away."""
    was = [gate.get("name") for gate in before.get("schedulingGates") or ()]
    for i, name in enumerate([gate.get("name") for gate in spec.get("schedulingGates") or ()]):
        if name not in was:
            why = f"only deletion is allowed, but found new scheduling gate '{name}'"
            yield forbidden(f"spec.schedulingGates[{i}].name", why)


def _munged(spec: Json, before: Json) -> Json:
    """The new spec with every field that may change put back: what still differs is forbidden."""
    munged = {**spec}
    for name in ("containers", "initContainers"):
        if spec.get(name):
            pairs = zip(spec[name], before.get(name) or (), strict=False)
            munged[name] = [{**container, "image": was.get("image", "")} for container, was in pairs]
    for name in ("activeDeadlineSeconds", "tolerations", "schedulingGates"):
        _put_back(munged, before, name)
    if before.get("schedulingGates"):  # a gated pod may still be narrowed down to fewer nodes
        for name in ("nodeSelector", "affinity"):
            _put_back(munged, before, name)
    grace = before.get("terminationGracePeriodSeconds")
    if grace is not None and grace < 0 and spec.get("terminationGracePeriodSeconds") == 1:
        munged["terminationGracePeriodSeconds"] = grace
    return munged


def _put_back(tree: Json, before: Json, name: str) -> None:
    if name in before:
        tree[name] = before[name]
    else:
        tree.pop(name, None)


def status(new: Json, old: Json) -> Problems:
    """A write to `status`: names are well formed, terminated containers stay so, the QoS class is for life."""
    now, was = new.get("status") or {}, old.get("status") or {}
    nominated = now.get("nominatedNodeName", "")
    if nominated:
        yield from dns_subdomain("status.nominatedNodeName", nominated)
    if was.get("qosClass") and now.get("qosClass") != was["qosClass"]:
        yield invalid("status.qosClass", now.get("qosClass", ""), "field is immutable")
    policy = (new.get("spec") or {}).get("restartPolicy", "Always")
    if policy != "Always":
        yield from _transitions("status.containerStatuses", now, was, policy)
    yield from _addresses(now, was)


def _ips(status: Json) -> list[str]:
    """A pod's addresses; an old writer says the first alone."""
    first = [status["podIP"]] if status.get("podIP") else []
    return [str(entry.get("ip", "")) for entry in status.get("podIPs") or ()] or first


def _addresses(now: Json, was: Json) -> Problems:
    """One address a family; a bad one that is there already may stay."""
    found, before = _ips(now), _ips(was)
    for i, address in enumerate(found):
        if address not in before:
            yield from ip_address(f"status.podIPs[{i}]", address)
    versions = [":" in address for address in found]
    if len(found) > 1 and (len(found) > 2 or versions[0] == versions[1]):
        why = "may specify no more than one IP for each IP family"
        yield invalid("status.podIPs", [{"IP": address} for address in found], why)


def _transitions(path: str, now: Json, was: Json, policy: str) -> Problems:
    """A container that is not to be restarted does not leave `terminated`."""
    states = {s.get("name"): s.get("state") or {} for s in now.get("containerStatuses") or ()}
    for i, entry in enumerate(was.get("containerStatuses") or ()):
        ended = (entry.get("state") or {}).get("terminated")
        if ended is None or (policy == "OnFailure" and ended.get("exitCode") != 0):
            continue
        state = states.get(entry.get("name"))
        if state is not None and state.get("terminated") is None:
            yield forbidden(f"{path}[{i}].state", "may not be transitioned to non-terminated state")


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
    """A resize changes cpu and memory of running containers, not the QoS class."""
    if qos_class(new.get("spec") or {}) != qos_class(old.get("spec") or {}):
        was = (old.get("status") or {}).get("qosClass") or ""  # which a resize does not change
        yield invalid("spec", was, "Pod QOS Class may not change as a result of resizing")
    for name in ("containers", "initContainers"):
        for i, (now, was) in enumerate(_pairs(new, old, name)):
            yield from _resized(f"spec.{name}[{i}].resources", now.get("resources") or {}, was.get("resources") or {})


def _pairs(new: Json, old: Json, name: str) -> Sequence[tuple[Json, Json]]:
    return list(zip(new["spec"].get(name) or (), old["spec"].get(name) or (), strict=False))


def _resized(path: str, now: Json, was: Json) -> Problems:
    for part in ("requests", "limits"):
        before, after = was.get(part) or {}, now.get(part) or {}
        for resource in {*before, *after} - {"cpu", "memory"}:
            if before.get(resource) != after.get(resource):
                yield forbidden(f"{path}.{part}", "only cpu and memory resources are mutable")
        if (before.keys() - after.keys()) & {"cpu", "memory"}:
            yield forbidden(f"{path}.{part}", f"resource {part} cannot be removed")

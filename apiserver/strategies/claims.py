"""PersistentVolumeClaims, and the claim templates of pods and StatefulSets.

Source: validation.go ValidatePersistentVolumeClaim*, core/v1/defaults.go.
"""

from typing import Any

from apimachinery import names, quantity
from apimachinery.errors import FieldError, not_supported
from apimachinery.types import Json
from apiserver.strategies import go_structs, object_warnings
from apiserver.strategies.defaulting import part
from apiserver.strategies.pod.resources import amount, is_native
from apiserver.strategies.problems import (
    Problems,
    forbidden,
    immutable,
    invalid,
    label_selector,
    named,
    required,
    supported,
)
from apiserver.strategies.strategy import Strategy

_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_GROWTH = (
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
)
VOLUME_MODES = ("Block", "Filesystem")
_IMMUTABLE_CLAIM = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
)


#: What `dataSource` could name before there was `dataSourceRef`.
_OLD_SOURCES = (("", "PersistentVolumeClaim"), ("snapshot.storage.k8s.io", "VolumeSnapshot"))


def default_claim(claim: Json) -> Json:
    spec = part(claim, "spec")
    if spec.get("volumeMode") is None:
        spec["volumeMode"] = "Filesystem"
    status = part(claim, "status")
    status["phase"] = status.get("phase") or "Pending"
    return claim


def prepare_claim(new: Json, old: Json | None) -> Json:
    new["status"] = {"phase": "Pending"} if old is None else old.get("status", {})
    spec, before = new["spec"], (old or {}).get("spec") or {}
    reference = spec.get("dataSourceRef")
    if reference and reference.get("namespace") and before.get("dataSourceRef") is None:
        reference = spec.pop("dataSourceRef") and None  # other namespaces are an alpha feature
    if not (before.get("dataSource") or before.get("dataSourceRef") or reference):
        source = spec.get("dataSource")
        if source is not None and (source.get("apiGroup") or "", source.get("kind")) not in _OLD_SOURCES:
            del spec["dataSource"]  # always silently ignored; who wants more uses `dataSourceRef`
    return _mirrored(new)


def complete_claim(claim: Json, _primary: str) -> Json:
    """A claim of a server that knew one of both fields."""
    return _mirrored(claim)


def _mirrored(claim: Json) -> Json:
    """`dataSource` and `dataSourceRef` say the same, where only one is given."""
    spec = claim["spec"]
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and reference is None:
        spec["dataSourceRef"] = dict(source)
    elif reference is not None and source is None and not reference.get("namespace"):
        spec["dataSource"] = dict(reference)
    return claim


def check_claim(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*claim_spec("spec", new["spec"])]
    return problems if old is None else [*problems, *problems, *_claim_changes(new, old)]  # upstream looks twice


def claim_spec(path: str, spec: Json) -> Problems:
    """ValidatePersistentVolumeClaimSpec: of claims and of ephemeral volumes' templates."""
    if not spec.get("accessModes"):
        yield required(f"{path}.accessModes", "at least 1 access mode is required")
    if spec.get("selector") is not None:
        yield from label_selector(f"{path}.selector", spec["selector"])
    yield from access_modes(path, spec)
    requests = (spec.get("resources") or {}).get("requests") or {}
    if "storage" not in requests:
        yield required(f"{path}.resources[storage]")
    else:
        yield from positive_amount(f"{path}.resources[storage]", requests["storage"])
    if spec.get("storageClassName"):
        here = f"{path}.storageClassName"
        yield from named(here, spec["storageClassName"], names.dns_subdomain)
    if spec.get("volumeMode") is not None:
        yield from supported(f"{path}.volumeMode", spec["volumeMode"], VOLUME_MODES)
    yield from _data_sources(path, spec)
    if spec.get("volumeAttributesClassName"):
        yield from named(f"{path}.volumeAttributesClassName", spec["volumeAttributesClassName"], names.dns_subdomain)


def _data_sources(path: str, spec: Json) -> Problems:
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    for name, tree in (("dataSource", source), ("dataSourceRef", reference)):
        if tree is not None:
            yield from _data_source(f"{path}.{name}", tree)
    if source is None or reference is None:
        return
    if reference.get("namespace"):
        detail = "may not be specified when dataSourceRef.namespace is specified"
        yield invalid(path, {}, detail)  # upstream shows a path there, in which JSON sees nothing
    elif any(source.get(n) != reference.get(n) for n in ("apiGroup", "kind", "name")):
        yield invalid(path, {}, "must match dataSourceRef")


def _data_source(path: str, source: Json) -> Problems:
    for name in ("name", "kind"):
        if not source.get(name):
            yield required(f"{path}.{name}")
    group = source.get("apiGroup") or ""
    if not group and source.get("kind") != "PersistentVolumeClaim":
        detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        yield invalid(path, source.get("kind", ""), detail)
    if group:
        yield from named(f"{path}.apiGroup", group, names.dns_subdomain)
    if source.get("namespace"):
        yield from named(f"{path}.namespace", source["namespace"], names.dns_label)


def access_modes(path: str, spec: Json) -> Problems:
    modes = spec.get("accessModes") or ()
    for mode in modes:
        yield from supported(f"{path}.accessModes", mode, _MODES)
    if "ReadWriteOncePod" in modes and any(mode in _MODES and mode != "ReadWriteOncePod" for mode in modes):
        yield forbidden(f"{path}.accessModes", "may not use ReadWriteOncePod with other access modes")


def positive_amount(path: str, value: Any) -> Problems:
    try:
        if quantity.parse(value).nanos <= 0:
            yield invalid(path, value, "must be greater than zero")
    except ValueError as error:
        yield invalid(path, value, str(error))


def check_claim_status(new: Json, _old: Json | None) -> list[FieldError]:
    """What a claim has, and how far its growth has come."""
    return [*_claim_status(new.get("status") or {})]


def _claim_status(status: Json) -> Problems:
    for name, value in (status.get("capacity") or {}).items():
        yield from basic_amount(f"status.capacity[{name}]", value)
    here = "status.allocatedResourceStatuses"
    for name, value in (status.get("allocatedResourceStatuses") or {}).items():
        yield from _growing(here, name)
        if value not in _GROWTH:
            yield not_supported(here, name, _GROWTH)
    for name, value in (status.get("allocatedResources") or {}).items():
        wrong = [*_growing("status.allocatedResources", name)] or [
            *basic_amount(f"status.allocatedResources[{name}]", value)
        ]
        yield from wrong
        if not wrong:
            yield from amount(f"status.allocatedResources[{name}]", "storage", value)


def _growing(path: str, name: str) -> Problems:
    """What of a claim may grow: storage, or something of a driver's own."""
    wrong = names.qualified_name(name)
    for message in wrong:
        yield invalid(path, name, message)
    if not wrong and is_native(name) and name != "storage":
        yield not_supported(path, name, ("storage",))


def basic_amount(path: str, value: Any) -> Problems:
    """A quantity that is one of something: not less than nothing."""
    whole = quantity.parse(value).value()
    if whole < 0:
        yield invalid(path, whole, "must be a valid resource quantity")


def _claim_changes(new: Json, old: Json) -> Problems:
    """Bound claims may grow, and get other attributes; the class may be filled in, the volume is set once."""
    spec, before, status = new["spec"], old["spec"], old.get("status") or {}
    now, was = {**spec}, {**before}
    if not before.get("volumeName"):
        was["volumeName"] = spec.get("volumeName")
    if before.get("storageClassName") is None:
        now["storageClassName"] = None  # assigned by the controller to claims older than the default class
    asked, before_that = ((tree.get("resources") or {}).get("requests") or {} for tree in (spec, before))
    if status.get("phase") == "Bound":
        now["volumeAttributesClassName"] = before.get("volumeAttributesClassName")
        if asked:
            requests = {**asked, "storage": before_that.get("storage", "0")}
            now["resources"] = {**(spec.get("resources") or {}), "requests": requests}
    if not go_structs.equal("core.PersistentVolumeClaimSpec", now, was):
        shown = go_structs.difference("core.PersistentVolumeClaimSpec", was, now)
        yield forbidden("spec", f"{_IMMUTABLE_CLAIM}\n{shown}")
    yield from _shrinkage(asked.get("storage", "0"), before_that.get("storage", "0"), status)
    yield from immutable("volumeMode", spec.get("volumeMode"), before.get("volumeMode"))
    yield from _attributes_class(spec.get("volumeAttributesClassName"), before, status)


def _shrinkage(asked: Any, before: Any, status: Json) -> Problems:
    """What could not grow may be asked for less again, down to more than it has."""
    size, has = quantity.parse(asked), (status.get("capacity") or {}).get("storage", "0")
    if size < quantity.parse(before) and size <= quantity.parse(has):
        yield forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")


def _attributes_class(name: str | None, before: Json, status: Json) -> Problems:
    """Once a class of attributes is applied, some class is."""
    if name == before.get("volumeAttributesClassName") or status.get("currentVolumeAttributesClassName") is None:
        return
    if not name:
        to = "nil" if name is None else "empty string"
        detail = f"update to {to} is forbidden when status.currentVolumeAttributesClassName is not nil"
        yield forbidden("spec.volumeAttributesClassName", detail)


PERSISTENTVOLUMECLAIMS = Strategy(
    default=default_claim,
    complete=complete_claim,
    prepare=prepare_claim,
    check=check_claim,
    check_status=check_claim_status,
    warnings=object_warnings.claim,
)

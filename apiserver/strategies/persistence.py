"""PersistentVolumes, their claims, and StorageClasses. Source: validation.go ValidatePersistentVolume*, storage/validation."""

from collections.abc import Sequence
from typing import Any

from apimachinery import names, quantity
from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies.defaulting import fill, part
from apiserver.strategies.pod import placement
from apiserver.strategies.pod.defaults import persistent_volume_source
from apiserver.strategies.pod.volume_sources import one_source
from apiserver.strategies.problems import (
    Problems,
    dns_subdomain,
    duplicate,
    forbidden,
    immutable,
    invalid,
    label_selector,
    named,
    one_of,
    qualified_name,
    required,
)
from apiserver.strategies.sameness import same
from apiserver.strategies.strategy import Strategy, as_sent

_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_VOLUME_MODES = ("Block", "Filesystem")
_RECLAIM = ("Delete", "Recycle", "Retain")
_BINDING = ("Immediate", "WaitForFirstConsumer")
_PV_FIELDS = frozenset(
    (
        "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy",
        "storageClassName", "volumeAttributesClassName", "volumeMode",
    )
)  # fmt: skip
_SOURCES = {"local": ("path",), "csi": ("driver", "volumeHandle")}
_IMMUTABLE_SOURCE = "spec.persistentvolumesource is immutable after creation"
_IMMUTABLE_CLAIM = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
)


def default_claim(claim: Json) -> Json:
    fill(part(claim, "spec"), "volumeMode", "Filesystem")
    for name in ("dataSource", "dataSourceRef"):
        if claim["spec"].get(name):
            _other_source(claim["spec"], name)
            break
    return claim


def _other_source(spec: Json, name: str) -> None:
    """`dataSource` and `dataSourceRef` mirror each other, unless the reference leaves the namespace."""
    other = "dataSourceRef" if name == "dataSource" else "dataSource"
    if not spec.get(other) and not spec[name].get("namespace"):
        spec[other] = dict(spec[name])


def prepare_claim(new: Json, old: Json | None) -> Json:
    if old is None:
        new["status"] = {"phase": "Pending"}
    else:
        new["status"] = old.get("status", {})
    return new


def check_claim(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*claim_spec("spec", new["spec"])]
    return problems if old is None else problems + [*_claim_changes(new, old)]


def claim_spec(path: str, spec: Json) -> Problems:
    """ValidatePersistentVolumeClaimSpec: of claims and of ephemeral volumes' templates."""
    if spec.get("selector") is not None:
        yield from label_selector(f"{path}.selector", spec["selector"])
    yield from _access_modes(path, spec, "at least 1 access mode is required")
    requests = (spec.get("resources") or {}).get("requests") or {}
    if "storage" not in requests:
        yield required(f"{path}.resources[storage]")
    else:
        yield from _positive_amount(f"{path}.resources[storage]", requests["storage"])
    if spec.get("storageClassName"):
        here = f"{path}.storageClassName"
        yield from named(here, spec["storageClassName"], names.dns_subdomain)
    if spec.get("volumeMode") is not None:
        yield from one_of(f"{path}.volumeMode", spec["volumeMode"], _VOLUME_MODES)
    for name in ("dataSource", "dataSourceRef"):
        if spec.get(name) is not None:
            yield from _data_source(f"{path}.{name}", spec[name])


def _data_source(path: str, source: Json) -> Problems:
    for name in ("name", "kind"):
        if not source.get(name):
            yield required(f"{path}.{name}")
    if not source.get("apiGroup") and source.get("kind") != "PersistentVolumeClaim":
        yield invalid(path, source.get("kind", ""), "must be 'PersistentVolumeClaim' when referencing the default apiGroup")


def _access_modes(path: str, spec: Json, missing: str) -> Problems:
    modes = spec.get("accessModes") or ()
    if not modes:
        yield required(f"{path}.accessModes", missing)
    for mode in modes:
        yield from one_of(f"{path}.accessModes", mode, _MODES)
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        detail = "may not use ReadWriteOncePod with other access modes"
        yield forbidden(f"{path}.accessModes", detail)


def _positive_amount(path: str, value: Any) -> Problems:
    try:
        if quantity.parse(value).nanos <= 0:
            yield invalid(path, value, "must be greater than zero")
    except ValueError as error:
        yield invalid(path, value, str(error))


def _claim_changes(new: Json, old: Json) -> Problems:
    """Bound claims may grow; the class may be filled in; the volume is set once."""
    spec, before = new["spec"], old["spec"]
    kept = {**spec}
    if not before.get("volumeName"):
        kept.pop("volumeName", None)
    if before.get("storageClassName") is None and spec.get("storageClassName") is not None:
        kept.pop("storageClassName")  # assigned by the controller to claims older than the default class
    for name in ("resources", "volumeAttributesClassName"):
        kept.pop(name, None)
        if name in before:
            kept[name] = before[name]
    was = {**before}
    if not before.get("volumeName"):
        was.pop("volumeName", None)
    if not same(kept, was):
        yield forbidden("spec", _IMMUTABLE_CLAIM)
    yield from _growth(spec, before, (old.get("status") or {}).get("phase"))


def _growth(spec: Json, before: Json, phase: str | None) -> Problems:
    now, was = ((tree.get("resources") or {}).get("requests") or {} for tree in (spec, before))
    if same(now, was):
        return
    if phase != "Bound":
        yield forbidden("spec", _IMMUTABLE_CLAIM)
    elif "storage" in now and "storage" in was and quantity.parse(now["storage"]) < quantity.parse(was["storage"]):
        yield forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")


def default_volume(volume: Json) -> Json:
    spec = part(volume, "spec")
    fill(spec, "persistentVolumeReclaimPolicy", "Retain")
    fill(spec, "volumeMode", "Filesystem")
    persistent_volume_source(spec)
    return volume


def prepare_volume(new: Json, old: Json | None) -> Json:
    new["status"] = {"phase": "Pending"} if old is None else old.get("status", {})
    return new


def check_volume(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*_volume(new["spec"])]
    if old is None:
        return problems
    spec, before = new["spec"], old["spec"]
    if not same(_source_of(spec), _source_of(before)):
        problems.append(forbidden("spec.persistentvolumesource", _IMMUTABLE_SOURCE))
    problems += immutable("spec.volumeMode", spec.get("volumeMode"), before.get("volumeMode"))
    if before.get("nodeAffinity") is not None:
        problems += immutable("spec.nodeAffinity", spec.get("nodeAffinity"), before["nodeAffinity"])
    return problems


def _source_of(spec: Json) -> Json:
    return {name: value for name, value in spec.items() if name not in _PV_FIELDS and value is not None}


def _volume(spec: Json) -> Problems:
    yield from _access_modes("spec", spec, "")
    capacity = spec.get("capacity") or {}
    if not capacity:
        yield required("spec.capacity")
    elif set(capacity) != {"storage"}:
        yield from one_of("spec.capacity", next(n for n in capacity if n != "storage"), ("storage",))
    for name, value in capacity.items():
        yield from _positive_amount(f"spec.capacity[{name}]", value)
    yield from one_of("spec.persistentVolumeReclaimPolicy", spec.get("persistentVolumeReclaimPolicy", ""), _RECLAIM)
    yield from _one_volume_source(spec)
    if spec.get("storageClassName"):
        yield from dns_subdomain("spec.storageClassName", spec["storageClassName"])
    if spec.get("volumeMode") is not None:
        yield from one_of("spec.volumeMode", spec["volumeMode"], _VOLUME_MODES)
    needed = (spec.get("nodeAffinity") or {}).get("required")
    if spec.get("nodeAffinity") is not None:
        if needed is None:
            yield required("spec.nodeAffinity.required", "must specify required node constraints")
        else:
            yield from placement.node_selector("spec.nodeAffinity.required", needed)
    if spec.get("local") is not None and needed is None:
        yield required("spec.nodeAffinity", "Local volume requires node affinity")


def _one_volume_source(spec: Json) -> Problems:
    sources = [*_source_of(spec)]
    if not sources:
        yield required("spec", "must specify a volume type")
    for name in sources[1:]:
        yield forbidden(f"spec.{name}", "may not specify more than 1 volume type")
    for name in sources[:1]:
        for member in _SOURCES.get(name, ()):
            if not spec[name].get(member):
                yield required(f"spec.{name}.{member}")
        if name not in _SOURCES:
            yield from one_source(f"spec.{name}", name, spec[name])
    host = spec.get("hostPath") or {}
    if host.get("path") == "/" and spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        yield forbidden("spec.persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'")


def default_class(tree: Json) -> Json:
    fill(tree, "reclaimPolicy", "Delete")
    fill(tree, "volumeBindingMode", "Immediate")
    return tree


def check_class(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*_class(new)]
    if old is not None:
        if not same(new.get("parameters"), old.get("parameters")):
            problems.append(forbidden("parameters", "updates to parameters are forbidden."))
        if new.get("provisioner") != old.get("provisioner"):
            problems.append(forbidden("provisioner", "updates to provisioner are forbidden."))
        if new.get("reclaimPolicy") != old.get("reclaimPolicy"):
            problems.append(forbidden("reclaimPolicy", "updates to reclaimPolicy are forbidden."))
        problems += immutable("volumeBindingMode", new.get("volumeBindingMode"), old.get("volumeBindingMode"))
    return problems


def _class(tree: Json) -> Problems:
    if not tree.get("provisioner"):
        yield required("provisioner")
    else:
        yield from qualified_name("provisioner", tree["provisioner"].lower())
    for key in tree.get("parameters") or {}:
        if not key:
            yield invalid("parameters", key, "field can not be empty.")
    yield from one_of("reclaimPolicy", tree.get("reclaimPolicy", ""), _RECLAIM)
    yield from one_of("volumeBindingMode", tree.get("volumeBindingMode", ""), _BINDING)
    yield from _topologies(tree.get("allowedTopologies") or ())


def _topologies(terms: Sequence[Json]) -> Problems:
    for i, term in enumerate(terms):
        here = f"allowedTopologies[{i}].matchLabelExpressions"
        seen: set[str] = set()
        for j, expression in enumerate(term.get("matchLabelExpressions") or ()):
            key = expression.get("key", "")
            if not expression.get("values"):
                yield required(f"{here}[{j}].values")
            if key in seen:
                yield duplicate(f"{here}[{j}].key", key)
            seen.add(key)
            yield from qualified_name(f"{here}[{j}].key", key)


PERSISTENTVOLUMECLAIMS = Strategy(default=default_claim, prepare=prepare_claim, check=check_claim)
PERSISTENTVOLUMES = Strategy(default=default_volume, prepare=prepare_volume, check=check_volume)
STORAGECLASSES = Strategy(default=default_class, prepare=as_sent, check=check_class)

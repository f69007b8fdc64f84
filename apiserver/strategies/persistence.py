"""PersistentVolumes and StorageClasses.

Source: validation.go ValidatePersistentVolume*, storage/validation.
"""

from collections.abc import Sequence

from apimachinery import times
from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies import object_warnings
from apiserver.strategies.claims import VOLUME_MODES, access_modes, positive_amount
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
    one_of,
    qualified_name,
    required,
    supported,
)
from apiserver.strategies.sameness import same
from apiserver.strategies.strategy import Strategy, WriteContext, as_sent

_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
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


def default_volume(volume: Json) -> Json:
    spec = part(volume, "spec")
    fill(spec, "persistentVolumeReclaimPolicy", "Retain")
    fill(spec, "volumeMode", "Filesystem")
    fill(part(volume, "status"), "phase", "Pending")
    persistent_volume_source(spec)
    return volume


def prepare_volume(new: Json, old: Json | None) -> Json:
    new["status"] = {"phase": "Pending"} if old is None else old.get("status", {})
    return new


def stamp_volume(new: Json, old: Json | None, context: WriteContext) -> Json:
    """Since when the volume has been in its phase, where whoever changed it does not say so."""
    status, before = new.get("status") or {}, (old or {}).get("status") or {}
    known, was = status.get("lastPhaseTransitionTime"), before.get("lastPhaseTransitionTime")
    if old is None or (status.get("phase") != before.get("phase") and known in (None, was)):
        known = times.rfc3339(context.now)
    return new | {"status": status | {"lastPhaseTransitionTime": known or was}} if known or was else new


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
    if not spec.get("accessModes"):
        yield required("spec.accessModes")
    yield from access_modes("spec", spec)
    capacity = spec.get("capacity") or {}
    if not capacity:
        yield required("spec.capacity")
    elif set(capacity) != {"storage"}:
        yield from one_of("spec.capacity", next(n for n in capacity if n != "storage"), ("storage",))
    for name, value in capacity.items():
        yield from positive_amount(f"spec.capacity[{name}]", value)
    yield from one_of("spec.persistentVolumeReclaimPolicy", spec.get("persistentVolumeReclaimPolicy", ""), _RECLAIM)
    yield from _one_volume_source(spec)
    if spec.get("storageClassName"):
        yield from dns_subdomain("spec.storageClassName", spec["storageClassName"])
    if spec.get("volumeMode") is not None:
        yield from one_of("spec.volumeMode", spec["volumeMode"], VOLUME_MODES)
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
    for name, value in (("reclaimPolicy", "Delete"), ("volumeBindingMode", "Immediate")):
        if tree.get(name) is None:
            tree[name] = value
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
    yield from one_of("reclaimPolicy", tree.get("reclaimPolicy", ""), ("Delete", "Retain"), needed=False)
    yield from supported("volumeBindingMode", tree.get("volumeBindingMode"), ("Immediate", "WaitForFirstConsumer"))
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


PERSISTENTVOLUMES = Strategy(
    default=default_volume,
    prepare=prepare_volume,
    stamp=stamp_volume,
    check=check_volume,
    warnings=object_warnings.volume,
)
STORAGECLASSES = Strategy(
    default=default_class, prepare=as_sent, check=check_class, warnings=object_warnings.storage_class
)

"""PersistentVolumes and StorageClasses.

Source: validation.go ValidatePersistentVolume*, storage/validation.
"""

import posixpath
from collections.abc import Mapping, Sequence

from apimachinery import times
from apimachinery.errors import FieldError, not_supported
from apimachinery.types import Json
from apiserver.strategies import go_structs, object_warnings, persistent_sources
from apiserver.strategies.claims import VOLUME_MODES, access_modes, basic_amount, positive_amount
from apiserver.strategies.defaulting import fill, fill_absent, part
from apiserver.strategies.pod import placement
from apiserver.strategies.pod.defaults import persistent_volume_source
from apiserver.strategies.problems import (
    IMMUTABLE,
    Problems,
    dns_subdomain,
    duplicate,
    forbidden,
    go_struct,
    immutable,
    invalid,
    qualified_name,
    required,
    supported,
    too_long,
    unique,
)
from apiserver.strategies.strategy import Strategy, WriteContext, as_sent

_RECLAIM = ("Delete", "Recycle", "Retain")
_PV_FIELDS = frozenset(
    (
        "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy",
        "storageClassName", "volumeAttributesClassName", "volumeMode",
    )
)  # fmt: skip
_NEW_LABELS = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
}
#: What may come to a CSI volume that has none.
_ADDED = "controllerExpandSecretRef"
_NOT_INLINE = "may not be specified in the context of inline volumes"
_MOST_PARAMETERS, _PARAMETER_BYTES = 512, 256 * 1024
_IMMUTABLE_SOURCE = "spec.persistentvolumesource is immutable after creation"


def default_volume(volume: Json) -> Json:
    spec = part(volume, "spec")
    fill(spec, "persistentVolumeReclaimPolicy", "Retain")
    fill_absent(spec, "volumeMode", "Filesystem")
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
    problems = [*volume_spec("spec", new["spec"], name=new["metadata"].get("name", ""))]
    return problems if old is None else [*problems, *problems, *_volume_changes(new["spec"], old["spec"])]


def _volume_changes(spec: Json, before: Json) -> Problems:
    """Where a volume lies stays; upstream has no `spec` in these paths."""
    source, was = _source_of(spec), _source_of(before)
    if "csi" in was and "csi" in source and was["csi"].get(_ADDED) is None:
        source["csi"] = {**source["csi"], _ADDED: None}
    if not go_structs.equal("core.PersistentVolumeSource", source, was):
        shown = go_structs.difference("core.PersistentVolumeSource", was, source)
        yield forbidden("spec.persistentvolumesource", f"{_IMMUTABLE_SOURCE}\n{shown}")
    yield from immutable("volumeMode", spec.get("volumeMode"), before.get("volumeMode"))
    if before.get("nodeAffinity") is not None:
        yield from _kept_affinity(spec.get("nodeAffinity"), before["nodeAffinity"])
    if before.get("volumeAttributesClassName") is not None and spec.get("volumeAttributesClassName") is None:
        yield forbidden("spec.volumeAttributesClassName", "update from non-nil value to nil is forbidden")


def _kept_affinity(now: Json | None, was: Json) -> Problems:
    """Where a volume may be used stays, but for labels that have a new name."""
    type_ = "*core.NodeSelector"
    new, old = ((tree or {}).get("required") for tree in (now, was))
    if now is not None and go_structs.equal(type_, new, _renamed(old or {}, new or {})):
        return
    shown = None if now is None else go_struct(Required=go_structs.shown(type_, new))
    yield invalid("nodeAffinity", shown, f"{IMMUTABLE}, except for updating from beta label to GA")


def _renamed(old: Json, new: Json) -> Json:
    """The old node selector with those labels of today that the new one has in their places."""
    terms = [dict(term) for term in old.get("nodeSelectorTerms") or ()]
    for term, other in zip(terms, new.get("nodeSelectorTerms") or (), strict=False):
        asked = term.get("matchExpressions") or ()
        keys = [each.get("key") for each in other.get("matchExpressions") or ()]
        term["matchExpressions"] = [
            {**each, "key": key} if key == _NEW_LABELS.get(each.get("key", "")) else each
            for each, key in zip(asked, [*keys, *[None] * len(asked)], strict=False)
        ]
    return {**old, "nodeSelectorTerms": terms}


def _source_of(spec: Json) -> Json:
    return {name: value for name, value in spec.items() if name not in _PV_FIELDS and value is not None}


def volume_spec(path: str, spec: Json, *, name: str = "", inline: bool = False) -> Problems:
    """ValidatePersistentVolumeSpec; `inline`: of a VolumeAttachment that names no volume."""
    if inline:
        yield from _inline(path, spec)
    if not spec.get("accessModes"):
        yield required(f"{path}.accessModes")
    yield from access_modes(path, spec)
    policy, mode = spec.get("persistentVolumeReclaimPolicy"), spec.get("volumeMode")
    if not inline:
        yield from _capacity(f"{path}.capacity", spec.get("capacity"))
        yield from supported(f"{path}.persistentVolumeReclaimPolicy", policy or None, _RECLAIM)
        yield from _affinity(f"{path}.nodeAffinity", spec.get("nodeAffinity"))
    yield from persistent_sources.one(path, spec, name)
    host = spec.get("hostPath") or {}
    if posixpath.normpath(host.get("path") or ".") == "/" and policy == "Recycle":
        yield forbidden(f"{path}.persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'")
    if not inline:
        if spec.get("storageClassName"):
            yield from dns_subdomain(f"{path}.storageClassName", spec["storageClassName"])
        yield from supported(f"{path}.volumeMode", mode, VOLUME_MODES)
    yield from _attributes_class(path, spec)


def inline_volume(path: str, spec: Json) -> Problems:
    """A volume's spec in a VolumeAttachment."""
    yield from volume_spec(path, spec, inline=True)


def _inline(path: str, spec: Json) -> Problems:
    """What a volume without an object of its own may not say."""
    for name in ("claimRef", "capacity", "nodeAffinity", "storageClassName"):
        if spec.get(name):
            yield forbidden(f"{path}.{name}", _NOT_INLINE)
    if spec.get("csi") is None:
        yield required(f"{path}.csi", "has to be specified in the context of inline volumes")
    if spec.get("persistentVolumeReclaimPolicy") not in (None, "", "Retain"):
        detail = "may only be Retain in the context of inline volumes"
        yield forbidden(f"{path}.persistentVolumeReclaimPolicy", detail)
    if spec.get("volumeMode") not in (None, "Filesystem"):
        detail = "may not specify volumeMode other than Filesystem in the context of inline volumes"
        yield forbidden(f"{path}.volumeMode", detail)


def _capacity(path: str, capacity: Json | None) -> Problems:
    if not capacity:
        yield required(path)
    if set(capacity or ()) != {"storage"}:
        yield not_supported(path, capacity, ("storage",))
    for name, value in (capacity or {}).items():
        yield from basic_amount(f"{path}[{name}]", value)
        yield from positive_amount(f"{path}[{name}]", value)


def _affinity(path: str, affinity: Json | None) -> Problems:
    if affinity is None:
        return
    if affinity.get("required") is None:
        yield required(f"{path}.required", "must specify required node constraints")
    else:
        yield from placement.node_selector(f"{path}.required", affinity["required"])


def _attributes_class(path: str, spec: Json) -> Problems:
    name = spec.get("volumeAttributesClassName")
    if name is None:
        return
    if name:
        yield from dns_subdomain(f"{path}.volumeAttributesClassName", name)
    else:
        yield required(f"{path}.volumeAttributesClassName", "an empty string is disallowed")
    if spec.get("csi") is None:
        yield required(f"{path}.csi", "has to be specified when using volumeAttributesClassName")


def default_class(tree: Json) -> Json:
    for name, value in (("reclaimPolicy", "Delete"), ("volumeBindingMode", "Immediate")):
        if tree.get(name) is None:
            tree[name] = value
    return tree


def check_class(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*_class(new)]
    if old is not None:
        if new.get("parameters") != old.get("parameters"):  # an empty map is not none
            problems.append(forbidden("parameters", "updates to parameters are forbidden."))
        changed = [name for name in ("provisioner", "reclaimPolicy") if new.get(name) != old.get(name)]
        problems += [forbidden(name, f"updates to {name} are forbidden.") for name in changed]
        problems += immutable("volumeBindingMode", new.get("volumeBindingMode"), old.get("volumeBindingMode"))
    return problems


def _class(tree: Json) -> Problems:
    yield from provisioner("provisioner", tree.get("provisioner", ""))
    yield from parameters(tree.get("parameters") or {})
    yield from supported("reclaimPolicy", tree.get("reclaimPolicy") or None, ("Delete", "Retain"))
    yield from supported("volumeBindingMode", tree.get("volumeBindingMode"), ("Immediate", "WaitForFirstConsumer"))
    yield from _topologies(tree.get("allowedTopologies") or ())


def provisioner(path: str, name: str) -> Problems:
    """Who makes volumes, or changes them: a qualified name in any case."""
    if not name:
        yield required(path)
    else:
        yield from qualified_name(path, name.lower())


def parameters(values: Json) -> Problems:
    """What a class tells its driver: not too much."""
    if len(values) > _MOST_PARAMETERS:
        yield too_long("parameters", _MOST_PARAMETERS)
        return
    if "" in values:
        yield invalid("parameters", "", "field can not be empty.")
    if sum(len(key.encode()) + len(value.encode()) for key, value in values.items()) > _PARAMETER_BYTES:
        yield too_long("parameters", _PARAMETER_BYTES)


def _topologies(terms: Sequence[Json]) -> Problems:
    known: list[Mapping[str, set[str]]] = [{} for _ in terms]  # so upstream complains of empty terms, many times
    for i, term in enumerate(terms):
        here, found = f"allowedTopologies[{i}].matchLabelExpressions", dict[str, set[str]]()
        for j, expression in enumerate(term.get("matchLabelExpressions") or ()):
            key, values = expression.get("key") or "", expression.get("values") or ()
            if not values:
                yield required(f"{here}[{j}].values")
            yield from unique(f"{here}[{j}].values", values)
            yield from qualified_name(f"{here}[{j}].key", key)
            if key in found:
                yield duplicate(f"{here}[{j}].key", key)
            found[key] = set(values)
        for _ in range(known.count(found)):
            yield duplicate(here, "")
        known.append(found)


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

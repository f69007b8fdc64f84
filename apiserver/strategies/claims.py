"""PersistentVolumeClaims, and the claim templates of pods and StatefulSets.

Source: validation.go ValidatePersistentVolumeClaim*, core/v1/defaults.go.
"""

from typing import Any

from apimachinery import names, quantity
from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies.defaulting import fill, part
from apiserver.strategies.problems import Problems, forbidden, invalid, label_selector, named, one_of, required
from apiserver.strategies.sameness import same
from apiserver.strategies.strategy import Strategy

_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")
_IMMUTABLE_CLAIM = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
)


def default_claim(claim: Json) -> Json:
    fill(part(claim, "spec"), "volumeMode", "Filesystem")
    fill(part(claim, "status"), "phase", "Pending")
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
    return problems if old is None else [*problems, *_claim_changes(new, old)]


def claim_spec(path: str, spec: Json) -> Problems:
    """ValidatePersistentVolumeClaimSpec: of claims and of ephemeral volumes' templates."""
    if spec.get("selector") is not None:
        yield from label_selector(f"{path}.selector", spec["selector"])
    yield from access_modes(path, spec, "at least 1 access mode is required")
    requests = (spec.get("resources") or {}).get("requests") or {}
    if "storage" not in requests:
        yield required(f"{path}.resources[storage]")
    else:
        yield from positive_amount(f"{path}.resources[storage]", requests["storage"])
    if spec.get("storageClassName"):
        here = f"{path}.storageClassName"
        yield from named(here, spec["storageClassName"], names.dns_subdomain)
    if spec.get("volumeMode") is not None:
        yield from one_of(f"{path}.volumeMode", spec["volumeMode"], VOLUME_MODES)
    for name in ("dataSource", "dataSourceRef"):
        if spec.get(name) is not None:
            yield from _data_source(f"{path}.{name}", spec[name])


def _data_source(path: str, source: Json) -> Problems:
    for name in ("name", "kind"):
        if not source.get(name):
            yield required(f"{path}.{name}")
    if not source.get("apiGroup") and source.get("kind") != "PersistentVolumeClaim":
        yield invalid(
            path, source.get("kind", ""), "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        )


def access_modes(path: str, spec: Json, missing: str) -> Problems:
    modes = spec.get("accessModes") or ()
    if not modes:
        yield required(f"{path}.accessModes", missing)
    for mode in modes:
        yield from one_of(f"{path}.accessModes", mode, _MODES)
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        detail = "may not use ReadWriteOncePod with other access modes"
        yield forbidden(f"{path}.accessModes", detail)


def positive_amount(path: str, value: Any) -> Problems:
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


PERSISTENTVOLUMECLAIMS = Strategy(default=default_claim, prepare=prepare_claim, check=check_claim)

"""Namespaces: active until deleted, gone when nothing holds them. Source: pkg/registry/core/namespace/strategy.go."""

from collections.abc import Mapping

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies.defaulting import fill, part
from apiserver.strategies.problems import Problems, invalid, named
from apiserver.strategies.strategy import Part, Strategy, metadata_fields

KUBERNETES = "kubernetes"
_NAME_LABEL = "kubernetes.io/metadata.name"


def default(tree: Json) -> Json:
    """The label that lets selectors name a namespace cannot be taken off; a namespace is in some phase."""
    metadata = part(tree, "metadata")
    if metadata.get("name"):
        part(metadata, "labels")[_NAME_LABEL] = metadata["name"]
    fill(part(tree, "status"), "phase", "Active")
    return tree


def prepare(new: Json, old: Json | None) -> Json:
    """A new namespace is Active and held by the `kubernetes` finalizer; finalizers change through /finalize only."""
    if old is None:
        finalizers = (part(new, "spec").get("finalizers")) or []
        new["spec"]["finalizers"] = [*finalizers, *([] if KUBERNETES in finalizers else [KUBERNETES])]
        new["status"] = {"phase": "Active"}
        return new
    part(new, "spec")
    if "finalizers" in (old.get("spec") or {}):
        new["spec"]["finalizers"] = old["spec"]["finalizers"]
    else:
        new["spec"].pop("finalizers", None)
    new["status"] = old.get("status", {})
    return new


def check(new: Json, _old: Json | None) -> list[FieldError]:
    return [*_finalizers(new)]


def _finalizers(tree: Json) -> Problems:
    here = "spec.finalizers"
    for name in (tree.get("spec") or {}).get("finalizers") or ():
        yield from named(here, name, names.qualified_name)
        if "/" not in name and name not in (KUBERNETES, "orphan", "foregroundDeletion"):
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid(here, name, detail)


def check_status(new: Json, _old: Json | None) -> list[FieldError]:
    phase = (new.get("status") or {}).get("phase", "")
    deleted = bool((new.get("metadata") or {}).get("deletionTimestamp"))
    if not deleted and phase != "Active":
        return [invalid("status.Phase", phase, "may only be 'Active' if `deletionTimestamp` is empty")]
    if deleted and phase != "Terminating":
        return [invalid("status.Phase", phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")]
    return []


def _prepare_finalize(new: Json, old: Json | None) -> Json:
    """Only the finalizers change."""
    if old is None:
        return new
    kept = {**old, "metadata": new.get("metadata", {}), "spec": {**(old.get("spec") or {})}}
    finalizers = (new.get("spec") or {}).get("finalizers")
    if finalizers:
        kept["spec"]["finalizers"] = finalizers
    else:
        kept["spec"].pop("finalizers", None)
    return kept


def fields(tree: Json) -> Mapping[str, str]:
    phase = (tree.get("status") or {}).get("phase", "")
    return {**metadata_fields(tree), "status.phase": phase}


NAMESPACES = Strategy(
    default=default,
    prepare=prepare,
    check=check,
    check_status=check_status,
    parts={"finalize": Part(_prepare_finalize, check)},
    fields=fields,
    field_labels=("metadata.name", "status.phase"),
    name=names.label_name,
)

"""ObjectMeta: what the server fills in, what a client may not change, and what is well-formed. Pure.

Sources: apiserver/pkg/registry/rest/{create,update,meta}.go, apimachinery/pkg/api/validation/objectmeta.go.
"""

import msgspec

from apimachinery import errors, names
from apimachinery.errors import FieldError
from apimachinery.kinds import Kind
from apimachinery.types import Json

#: Fields a client cannot change; the server's own writes go another way.
_IMMUTABLE = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")
_STANDARD_FINALIZERS = ("orphan", "foregroundDeletion", "kubernetes")
_IMMUTABLE_TEXT = "field is immutable"
#: Never stored: the revision is the key's own, the others are of the past or of the next issue.
_DROPPED = ("resourceVersion", "selfLink", "managedFields")


def stamp_new(metadata: Json, *, uid: str, now: str, has_generation: bool) -> None:
    """Fill what the server owns on create; deletion marks cannot be brought along."""
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
        metadata.pop(name, None)
    metadata["uid"] = uid
    metadata["creationTimestamp"] = now
    if has_generation:
        metadata["generation"] = 1
    else:
        metadata.pop("generation", None)


def stamp_update(metadata: Json, old: Json) -> None:
    """Carry over what the server owns, so that clients may leave it out. Generation is the caller's."""
    metadata["creationTimestamp"] = old.get("creationTimestamp")
    if not metadata.get("uid"):
        metadata["uid"] = old.get("uid")
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds"):
        if name in old and (name == "deletionTimestamp" or metadata.get(name) is None):
            metadata[name] = old[name]
        elif name not in old:
            metadata.pop(name, None)
    if "generation" in old:
        metadata["generation"] = old["generation"]
    else:
        metadata.pop("generation", None)


def stored_order(tree: Json) -> Json:
    """The tree as it is stored: kind, apiVersion and metadata first, without what only the wire has."""
    metadata = {name: value for name, value in tree["metadata"].items() if name not in _DROPPED and value is not None}
    rest = {name: value for name, value in tree.items() if name not in ("kind", "apiVersion", "metadata")}
    return {"kind": tree["kind"], "apiVersion": tree["apiVersion"], "metadata": metadata, **rest}


def problems(tree: Json, old: Json | None, kind: Kind, rule: names.NameRule) -> list[FieldError]:
    """Everything wrong with the metadata of a write."""
    metadata = tree["metadata"]
    found: list[FieldError] = []
    if old is None:
        found += _name_problems(metadata, kind, rule)
    else:
        found += _changes(metadata, old["metadata"])
    found += names.check_labels(metadata.get("labels") or {}, "metadata.labels")
    found += names.check_annotations(metadata.get("annotations") or {}, "metadata.annotations")
    found += _owner_problems(metadata.get("ownerReferences") or ())
    found += _finalizer_problems(metadata.get("finalizers") or ())
    return found


def _name_problems(metadata: Json, kind: Kind, rule: names.NameRule) -> list[FieldError]:
    found: list[FieldError] = []
    base, name = metadata.get("generateName") or "", metadata.get("name") or ""
    if base:
        found += [_invalid("generateName", text, base) for text in rule(base, True)]
    if not name:
        detail = "name or generateName is required"
        found.append(FieldError("metadata.name", errors.REQUIRED, detail))
    else:
        found += [_invalid("name", text, name) for text in rule(name, False)]
    if kind.namespaced:
        namespace = metadata.get("namespace") or ""
        found += [_invalid("namespace", text, namespace) for text in names.dns_label(namespace)]
    return found


def _changes(metadata: Json, old: Json) -> list[FieldError]:
    found = [
        _invalid(name, _IMMUTABLE_TEXT, metadata.get(name))
        for name in _IMMUTABLE
        if metadata.get(name) != old.get(name)
    ]
    if old.get("deletionTimestamp"):
        new = [f for f in metadata.get("finalizers") or () if f not in (old.get("finalizers") or ())]
        if new:
            listed = "[]string{" + ", ".join(f'"{name}"' for name in new) + "}"
            text = f"no new finalizers can be added if the object is being deleted, found new finalizers {listed}"
            found.append(FieldError("metadata.finalizers", errors.FORBIDDEN_FIELD, text))
    return found


def _owner_problems(owners: list[Json] | tuple[Json, ...]) -> list[FieldError]:
    found: list[FieldError] = []
    controller = ""
    for owner in owners:
        path = "ownerReferences"
        found += [
            _invalid(f"{path}.{name}", "must not be empty", owner.get(name) or "")
            for name in ("apiVersion", "kind", "name", "uid")
            if not owner.get(name)
        ]
        if not owner.get("controller"):
            continue
        if controller:
            text = (
                'Only one reference can have Controller set to true. Found "true" in references for '
                f"{controller} and {owner.get('name')}"
            )
            found.append(_invalid(path, text, _shown_owners(owners)))
        controller = owner.get("name") or ""
    return found


def _shown_owners(owners: list[Json] | tuple[Json, ...]) -> str:
    return msgspec.json.encode(owners).decode()


def _finalizer_problems(finalizers: list[str] | tuple[str, ...]) -> list[FieldError]:
    found: list[FieldError] = []
    for name in finalizers:
        texts = names.qualified_name(name)
        if not texts and "/" not in name and name not in _STANDARD_FINALIZERS:
            texts = ["name is neither a standard finalizer name nor is it fully qualified"]
        found += [_invalid("finalizers", text, name) for text in texts]
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        text = "finalizer orphan and foregroundDeletion cannot be both set"
        found.append(_invalid("finalizers", text, list(finalizers)))
    return found


def _invalid(field: str, text: str, value: object) -> FieldError:
    return FieldError(f"metadata.{field}", errors.INVALID, text, value)

"""ObjectMeta: generic validation of an object's metadata, and small readers over raw trees.

`check_metadata` finds everything wrong with the metadata of a create or an update, in upstream's wording and order.
Filling in what the server owns (uid, creationTimestamp, generation) is the API server's; so is comparing
resourceVersions. Nothing here modifies a tree.
Source: apimachinery/pkg/api/validation/objectmeta.go, core/validation's finalizer names, meta/v1/controller_ref.go.
"""

from collections.abc import Iterator, Sequence

from apimachinery import names
from apimachinery.errors import FORBIDDEN_FIELD, INVALID, REQUIRED, TOO_LONG, FieldError, Ordered
from apimachinery.kinds import Kind
from apimachinery.types import Json

IMMUTABLE = "field is immutable"
ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
_STANDARD_FINALIZERS = ("kubernetes", ORPHAN, FOREGROUND)
#: How long the name of a field manager and of its subresource may be (v1/validation/validation.go).
FIELD_MANAGER_BYTES, _SUBRESOURCE_BYTES = 128, 256
#: How upstream looks at the metadata of an update: as at that of a create, and at what may not change.
WHOLE, CHANGES = "whole", "changes"
#: What a client can neither set nor change, in upstream's order.
_FIXED = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def check_metadata(
    kind: Kind,
    tree: Json,
    old: Json | None,
    rule: names.NameRule,
    *,
    standard_finalizers: bool = True,
    again: Sequence[str] = (CHANGES,),
) -> list[FieldError]:
    """What is wrong with the metadata of a write; `old` is None on create. `rule` is the kind's for names.

    Finalizers without a domain are refused where only `standard_finalizers` may be so. An update is looked at for all
    kinds alike, as a WHOLE and for its CHANGES, and then `again` by the kind's own validation: like upstream this lists
    what is found each time.
    """
    metadata = tree.get("metadata") or {}
    finalizers = metadata.get("finalizers") or []
    domains = _check_finalizer_kinds(finalizers) if standard_finalizers and finalizers else []
    whole = _check_members(metadata, _check_finalizers(finalizers))
    if old is None:
        return _check_names(kind, metadata, rule) + whole + domains
    new = _check_changes(metadata, old.get("metadata") or {})
    if not (new or whole or domains):
        return []
    changes = new + _check_members(metadata, [])
    found = whole + changes
    for part in again:
        found += (whole if part == WHOLE else changes) + domains
    return found


def check_changes(tree: Json, old: Json) -> list[FieldError]:
    """What is wrong with the metadata of an update, as the validation of a kind finds it on its own."""
    metadata = tree.get("metadata") or {}
    finalizers = metadata.get("finalizers") or []
    changes = _check_changes(metadata, old.get("metadata") or {}) + _check_members(metadata, [])
    return changes + (_check_finalizer_kinds(finalizers) if finalizers else [])


def _check_members(metadata: Json, finalizers: list[FieldError]) -> list[FieldError]:
    """What is wrong with the metadata's members, whatever they were before."""
    problems = names.check_labels(metadata.get("labels") or {}, "metadata.labels")
    problems += names.check_annotations(metadata.get("annotations") or {}, "metadata.annotations")
    problems += check_owners(metadata.get("ownerReferences") or [])
    return problems + finalizers + _check_managers(metadata.get("managedFields") or [])


def _invalid(field: str, value: object, why: str) -> FieldError:
    return FieldError(f"metadata.{field}", INVALID, why, value)


def _check_names(kind: Kind, metadata: Json, rule: names.NameRule) -> list[FieldError]:
    prefix, name = metadata.get("generateName") or "", metadata.get("name") or ""
    namespace = metadata.get("namespace") or ""
    problems = [_invalid("generateName", prefix, why) for why in rule(prefix, True)] if prefix else []
    if name:
        problems += [_invalid("name", name, why) for why in rule(name, False)]
    else:
        problems.append(FieldError("metadata.name", REQUIRED, "name or generateName is required"))
    if not kind.namespaced:
        if namespace:
            problems.append(FieldError("metadata.namespace", FORBIDDEN_FIELD, "not allowed on this type"))
    elif not namespace:
        problems.append(FieldError("metadata.namespace", REQUIRED))
    else:
        problems += [_invalid("namespace", namespace, why) for why in names.dns_label(namespace)]
    if (generation := metadata.get("generation") or 0) < 0:
        problems.append(_invalid("generation", generation, "must be greater than or equal to 0"))
    return problems


def _check_changes(metadata: Json, old: Json) -> list[FieldError]:
    problems = []
    if old.get("deletionTimestamp"):
        new = sorted(set(metadata.get("finalizers") or ()) - set(old.get("finalizers") or ()))
        if new:
            listed = ", ".join(f'"{name}"' for name in new)
            why = "no new finalizers can be added if the object is being deleted, found new finalizers "
            problems.append(FieldError("metadata.finalizers", FORBIDDEN_FIELD, f"{why}[]string{{{listed}}}"))
    if (generation := metadata.get("generation") or 0) < (old.get("generation") or 0):
        problems.append(_invalid("generation", generation, "must not be decremented"))
    changed = [field for field in _FIXED if (metadata.get(field) or None) != (old.get(field) or None)]
    return problems + [_invalid(field, metadata.get(field), IMMUTABLE) for field in changed]


def _check_finalizers(finalizers: list[str]) -> list[FieldError]:
    problems = [_invalid("finalizers", name, why) for name in finalizers for why in names.qualified_name(name)]
    if ORPHAN in finalizers and FOREGROUND in finalizers:
        why = f"finalizer {ORPHAN} and {FOREGROUND} cannot be both set"
        problems.append(_invalid("finalizers", finalizers, why))
    return problems


def _check_finalizer_kinds(finalizers: list[str]) -> list[FieldError]:
    """Finalizers without a domain are Kubernetes' own few."""
    why = "name is neither a standard finalizer name nor is it fully qualified"
    return [
        _invalid(f"finalizers[{i}]", name, why)
        for i, name in enumerate(finalizers)
        if "/" not in name and name not in _STANDARD_FINALIZERS
    ]


def _check_managers(entries: list[Json]) -> list[FieldError]:
    """Names in managedFields; that the entries can be read at all has been seen to."""
    problems = []
    for i, entry in enumerate(entries):
        path = f"metadata.managedFields[{i}]"
        if manager := entry.get("manager"):
            problems += manager_problems(manager, f"{path}.manager")
        if len((entry.get("subresource") or "").encode()) > _SUBRESOURCE_BYTES:
            why = f"may not be more than {_SUBRESOURCE_BYTES} bytes"
            problems.append(FieldError(f"{path}.subresource", TOO_LONG, why))
    return problems


def manager_problems(manager: str, path: str) -> list[FieldError]:
    """What is wrong with the name of a field manager."""
    problems = []
    if len(manager) > FIELD_MANAGER_BYTES // 4 and len(manager.encode()) > FIELD_MANAGER_BYTES:
        problems.append(FieldError(path, TOO_LONG, f"may not be more than {FIELD_MANAGER_BYTES} bytes"))
    if manager.isprintable():
        return problems
    at = 0
    for letter in manager:
        if not letter.isprintable():
            why = f"invalid character U+{ord(letter):04X} (at position {at})"
            problems.append(FieldError(path, INVALID, why, manager))
        at += len(letter.encode())
    return problems


def check_owners(owners: list[Json]) -> list[FieldError]:
    """Every owner is named in full, is no Event, and at most one of them is the controller."""
    problems = []
    controller = ""
    for owner in owners:
        problems += _check_owner(owner)
        if not owner.get("controller"):
            continue
        shown = f"{owner.get('kind', '')}/{owner.get('name', '')}"
        if controller:
            why = "Only one reference can have Controller set to true. Found"
            shown_owners = [_ordered(each, _OWNER) for each in owners]
            problems.append(
                _invalid("ownerReferences", shown_owners, f'{why} "true" in references for {controller} and {shown}')
            )
        controller = controller or shown
    return problems


def _check_owner(owner: Json) -> list[FieldError]:
    version = owner.get("apiVersion") or ""
    problems = []
    if not version or version.count("/") > 1 or version.endswith("/"):
        problems.append(_invalid("ownerReferences.apiVersion", version, "version must not be empty"))
    missing = [field for field in ("kind", "name", "uid") if not owner.get(field)]
    problems += [_invalid(f"ownerReferences.{field}", owner.get(field, ""), "must not be empty") for field in missing]
    if (version, owner.get("kind")) == ("v1", "Event"):
        why = "/v1, Kind=Event is disallowed from being an owner"
        problems.append(_invalid("ownerReferences", _ordered(owner, _OWNER), why))
    return problems


#: The fields of Go's structs, in their order.
_METADATA: tuple[str, ...] = (
    *("name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp"),
    *("deletionTimestamp", "deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences", "finalizers"),
    "managedFields",
)
_OWNER = ("apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion")
_ENTRY = ("manager", "operation", "apiVersion", "time", "fieldsType", "fieldsV1", "subresource")


def in_order(metadata: Json) -> Ordered:
    """Metadata as Go shows it in a message."""
    found = _ordered(metadata, _METADATA)
    for name, fields in (("ownerReferences", _OWNER), ("managedFields", _ENTRY)):
        if found.get(name):
            found[name] = [_ordered(item, fields) for item in found[name]]
    return found


def _ordered(tree: Json, fields: Sequence[str]) -> Ordered:
    return Ordered({name: tree[name] for name in fields if name in tree})


def name_of(tree: Json) -> str:
    """The object's name, "" while it has none."""
    return str(tree["metadata"].get("name", ""))


def namespace_of(tree: Json) -> str:
    """The object's namespace, "" for what lives in none."""
    return str(tree["metadata"].get("namespace", ""))


def uid_of(tree: Json) -> str:
    """The object's uid, "" while it has none."""
    return str(tree["metadata"].get("uid", ""))


def key_of(tree: Json) -> str:
    """`NAMESPACE/NAME`, or the name alone for what lives in no namespace."""
    namespace = namespace_of(tree)
    return f"{namespace}/{name_of(tree)}" if namespace else name_of(tree)


def is_deleting(tree: Json) -> bool:
    """Whether its deletion has begun."""
    return bool(tree["metadata"].get("deletionTimestamp"))


def owners_of(tree: Json) -> Iterator[Json]:
    """Its owner references."""
    yield from tree["metadata"].get("ownerReferences") or ()


def controller_of(tree: Json) -> Json | None:
    """The owner that manages the object, None when it has none."""
    return next((owner for owner in owners_of(tree) if owner.get("controller")), None)


def is_owned_by(tree: Json, uid: str) -> bool:
    """Whether the object with this uid is among its owners, managing it or not."""
    return any(owner.get("uid") == uid for owner in owners_of(tree))


def controller_reference(kind: Kind, owner: Json) -> Json:
    """The ownerReference by which `owner`, of this kind, manages an object it makes."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }

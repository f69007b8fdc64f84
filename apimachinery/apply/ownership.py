"""Whose fields an object's are after a write, and the object that an apply makes: what the API server calls.

    update   any other write: what it changed is its manager's
    apply    server-side apply: merged into the object, conflicts found, what is no longer applied taken out

The rules around the bare algebra of `updates`:

    an object that has no managedFields gets none by an update (a client has reset them); an apply first makes all that
    is there the fields of "before-first-apply"
    apiVersion, kind and the metadata that the server owns are nobody's
    ten entries of updates are kept, the oldest then become one ("ancient-changes")
    an entry's time is that of the last write that changed something
    "kubectl" applying what it has applied client-side takes its own fields over without conflicts, and keeps its
    last-applied annotation true

Source: apimachinery/pkg/util/managedfields/internal (one file for each of these rules).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from apimachinery import errors
from apimachinery.apply import elements, entries, fieldset, typed
from apimachinery.apply.elements import Malformed
from apimachinery.apply.entries import APPLY, UPDATE, Managed, Owner
from apimachinery.apply.fieldset import EMPTY, Fields
from apimachinery.apply.typed import Invalid
from apimachinery.apply.updates import Conflicts, NoVersion, Owned, Owners, Updater, Versions
from apimachinery.trees import MAX_DEPTH, is_deeper, same
from apimachinery.types import Json

MANAGED_FIELDS = "managedFields"
MOST_UPDATERS = 10
_ANCIENT, _BEFORE, _UNKNOWN, _KUBECTL = "ancient-changes", "before-first-apply", "unknown", "kubectl"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
#: Upstream's limit for all annotations of an object, in bytes.
_ANNOTATION_BYTES = 256 * 1024
#: How deep a set may be, since it lies four levels deep in an object.
_DEEPEST = MAX_DEPTH - 4
_META_OF_THE_SERVER = (
    *("name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName"),
    *("generation", "managedFields", "resourceVersion"),
)
_NOBODYS = fieldset.of(
    [("apiVersion",), ("kind",), ("metadata",), *[("metadata", name) for name in _META_OF_THE_SERVER]]
)
#: Of how many templates, and of how large ones, it is remembered which fields an object made from them has.
_TEMPLATES, _TEMPLATE_BYTES = 32, 16 * 1024
#: Who writes, until it is known whether anything changed.
_SELF = Owner("", "")


@dataclass(frozen=True, slots=True)
class Ownership:
    """The rules for writes of one kind through one version and subresource. Pure."""

    versions: Versions
    kind: str
    version: str
    blank: Json  # what there is before a create
    subresource: str = ""
    ignored: Mapping[str, Fields] = field(default_factory=dict)  # by version: what the write resets (GetResetFields)
    _created: dict[bytes, Fields] = field(default_factory=dict, compare=False)

    @property
    def _updater(self) -> Updater:
        return Updater(self.versions, self.ignored)

    def update(self, live: Json | None, new: Json, manager: str, now: str) -> list[Json]:
        """The entries after a write of `new` in place of `live` (None: a create). Neither is modified.

        `new` may bring entries of its own: an empty one, or none at all in a list, resets them. What owners cannot be
        told for has none (upstream's UpdateNoErrors).
        """
        stored = _entries_of(live) if live is not None else []
        managed = self._managed(stored, _entries_of(new, or_none=True))
        if live is not None and not managed.owners:
            return []
        try:
            if live is None and not managed.owners:
                return self._first(new, manager, now)
            return self._after(live, new, managed, manager, now)
        except Malformed:  # an object without the keys its lists merge by is the kind's business to refuse, not ours
            return []

    def _after(self, live: Json | None, new: Json, managed: Managed, manager: str, now: str) -> list[Json]:
        if live is None:
            owners = self._updater.update(self.blank, without_entries(new), self.version, managed.owners, _SELF)
        else:
            before, after = without_entries(live), without_entries(new)
            if before == after and same(before, after):
                owners = {owner: owned for owner, owned in managed.owners.items() if owned.fields}
                return entries.encode(replace(managed, owners=owners))
            owners = self._updater.update(before, after, self.version, managed.owners, _SELF)
        return entries.encode(self._settled(managed, owners, manager, now))

    def _first(self, new: Json, manager: str, now: str) -> list[Json]:
        """The one entry of a new object that brings none.

        Which fields there are says nothing of their values. Most objects are made as many others were, from a template
        or by the same program: they have the same fields, which are found by what the object is but for such values.
        """
        metadata = {name: value for name, value in new["metadata"].items() if name not in _META_OF_THE_SERVER}
        template = msgspec.json.encode(_template({**new, "metadata": metadata}, self.blank))
        fields = self._created.get(template)
        if fields is None:
            settled = self._after(None, new, Managed(), manager, now)
            fields = settled[0]["fieldsV1"] if settled else EMPTY
            if len(template) <= _TEMPLATE_BYTES:
                if len(self._created) >= _TEMPLATES:
                    del self._created[next(iter(self._created))]
                self._created[template] = fields
        if not fields:
            return []
        owner = Owner(manager or _UNKNOWN, UPDATE, self.version, self.subresource)
        return entries.encode(Managed({owner: Owned(fields, self.version, applied=False)}, {owner: now}))

    def apply(self, live: Json | None, applied: Json, manager: str, now: str, *, force: bool) -> Json:
        """The object after `applied` was merged into `live` (None: there is none), with its entries.

        Raises 400 for what is no configuration of this kind, or one that its schema does not know, 409 with every
        conflict.
        """
        self._check(applied)
        managed = self._stored(_entries_of(live) if live is not None else [])
        there = without_entries(live if live is not None else self.blank)
        if live is not None and not managed.owners:
            owners = self._updater.update(self.blank, there, self.version, managed.owners, _SELF)
            managed = self._settled(managed, owners, _BEFORE, now)
        try:
            made, managed = self._applied(there, applied, managed, manager, now, force=force)
        except Conflicts as conflicts:
            left = self._not_of_client_side_apply(there, conflicts) if manager == _KUBECTL else conflicts
            if left is not None:
                raise _conflict(left) from None
            made, managed = self._applied(there, applied, managed, manager, now, force=True)
        if manager == _KUBECTL:
            made = _with_last_applied(made, applied)
        encoded = entries.encode(managed)
        return {**made, "metadata": {**(made.get("metadata") or {}), **({MANAGED_FIELDS: encoded} if encoded else {})}}

    def _check(self, applied: Json) -> None:
        version, kind = applied.get("apiVersion") or "", applied.get("kind") or ""
        if (version, kind) != (self.version, self.kind):
            raise errors.bad_request(f"invalid object type: {group_version_kind(version, kind)}")
        metadata = applied.get("metadata")
        if isinstance(metadata, dict) and isinstance(metadata.get(MANAGED_FIELDS), list):
            raise errors.bad_request("metadata.managedFields must be nil")
        try:
            typed.check(self.versions.type_of(self.version), applied)
        except Invalid as error:
            raise self.failed("failed to create typed patch object", applied, str(error)) from None

    def failed(self, what: str, tree: Json, why: str) -> errors.ApiError:
        """Upstream lets these out unconverted, and so they reach people without a reason."""
        metadata = tree.get("metadata")
        known = metadata if isinstance(metadata, dict) else {}
        namespace, name = (text if isinstance(text := known.get(part), str) else "" for part in ("namespace", "name"))
        where = f"{namespace}/{name}; {group_version_kind(self.version, self.kind)}"
        return errors.unconverted(f"{what} ({where}): {why}")

    def _managed(self, stored: list[Any], sent: list[Any] | None) -> Managed:
        """The owners that a write starts from: those sent, unless they are none, unreadable or as stored."""
        if self.subresource or sent is None or sent == stored:
            return self._stored(stored)
        if sent in ([], [{}]):
            return Managed()
        try:
            found = entries.decode(sent)
        except Malformed:
            found = Managed()
        return self._reconciled(found) if found.owners else self._stored(stored)

    def _stored(self, stored: list[Any]) -> Managed:
        try:
            return entries.decode_stored(stored, self.versions)
        except Malformed:
            return Managed()

    def _reconciled(self, managed: Managed) -> Managed:
        owners = {}
        for owner, owned in managed.owners.items():
            try:
                fields = typed.reconciled(self.versions.type_of(owned.version), owned.fields)
            except NoVersion:
                continue
            owners[owner] = owned._replace(fields=fields)
        return replace(managed, owners=owners)

    def _is_too_deep(self, fields: Fields) -> bool:
        """Whether an object with this set in its managedFields could not be read again."""
        return self.versions.type_of(self.version).holds_any and is_deeper(fields, _DEEPEST)

    def _settled(self, managed: Managed, owners: Owners[Owner], manager: str, now: str) -> Managed:
        """The owners after an update, with what changed given to who changed it."""
        owners = dict(owners)
        owned = owners.pop(_SELF, None)
        fields = fieldset.difference(owned.fields, _NOBODYS) if owned is not None else EMPTY
        times = managed.times
        if fields and self._is_too_deep(fields):
            return Managed()  # as upstream, where it cannot say whose fields they are
        if fields:
            owner = Owner(manager or _UNKNOWN, UPDATE, self.version, self.subresource)
            if owner in owners:
                fields = fieldset.union(owners[owner].fields, fields)
            owners[owner] = Owned(fields, self.version, applied=False)
            times = {**times, owner: now}
        return _capped(replace(managed, owners=owners, times=times))

    def _applied(
        self, live: Json, applied: Json, managed: Managed, manager: str, now: str, *, force: bool
    ) -> tuple[Json, Managed]:
        owner = Owner(manager or _UNKNOWN, APPLY, "", self.subresource)
        made, owners = self._updater.apply(live, applied, self.version, managed.owners, owner, force=force)
        if owner in owners:
            fields = fieldset.difference(owners[owner].fields, _NOBODYS)
            if fields and self._is_too_deep(fields):
                raise errors.bad_request(f"fields nested more than {_DEEPEST} deep cannot be applied")
            if fields:
                owners = {**owners, owner: owners[owner]._replace(fields=fields)}
                kept = managed.owners.get(owner)
                if kept is not None and kept == owners[owner]:
                    owners[owner] = kept
            else:
                owners = {name: owned for name, owned in owners.items() if name != owner}
        if made is None:
            return live, replace(managed, owners=owners)
        return made, replace(managed, owners=owners, times={**managed.times, owner: now})

    def _not_of_client_side_apply(self, live: Json, conflicts: Conflicts) -> Conflicts | None:
        """The conflicts that remain when those with kubectl's own client-side apply are left out, None for none."""
        allowed = self._client_side_fields(live)
        if allowed is None:
            return conflicts
        left = {owner: fieldset.difference(fields, allowed) for owner, fields in conflicts.by_owner.items()}
        left = {owner: fields for owner, fields in left.items() if fields}
        return Conflicts(left) if left else None

    def _client_side_fields(self, live: Json) -> Fields | None:
        """The fields of the last-applied annotation that are still as applied; None without one that can be read."""
        text = ((live.get("metadata") or {}).get("annotations") or {}).get(_LAST_APPLIED)
        try:
            last = msgspec.json.decode(text or "")
        except (msgspec.DecodeError, RecursionError):
            return None
        if not isinstance(last, dict) or last.get("apiVersion") != self.version or not last.get("kind"):
            return None
        kind = self.versions.type_of(self.version)
        try:
            typed.check(kind, last)
        except Invalid:
            return None
        changes = typed.compare(kind, last, live)
        fields = typed.fields_of(kind, last)
        for part in (changes.modified, changes.added, changes.removed):
            fields = fieldset.difference(fields, part)
        return fields


def _template(tree: Json, blank: Json) -> Json:
    """The tree without the values that do not decide which fields there are.

    Lists stay, since their elements may be fields by what they are; and so do values of which the blank object has one,
    since what is as it was is nobody's.
    """
    return {
        name: _template(value, _below(blank, name))
        if value.__class__ is dict
        else value
        if value.__class__ is list or name in blank
        else 0
        for name, value in tree.items()
    }


def _below(tree: Json, name: str) -> Json:
    found = tree.get(name)
    return found if found.__class__ is dict else {}


def _entries_of(tree: Json, *, or_none: bool = False) -> Any:
    found = (tree.get("metadata") or {}).get(MANAGED_FIELDS)
    if not isinstance(found, list):
        return None if or_none else []
    return found


def without_entries(tree: Json) -> Json:
    """The tree without its managedFields; shares everything else."""
    metadata = tree.get("metadata")
    if not metadata or MANAGED_FIELDS not in metadata:
        return tree
    return {**tree, "metadata": {name: value for name, value in metadata.items() if name != MANAGED_FIELDS}}


def group_version_kind(version: str, kind: str) -> str:
    """`apps/v1, Kind=Deployment`, `/v1, Kind=Pod`: how Go prints it."""
    return f"{version if '/' in version else f'/{version}'}, Kind={kind}"


def _capped(managed: Managed) -> Managed:
    """The owners with the oldest updaters joined by version, until there are few enough."""
    updaters = [owner for owner, owned in managed.owners.items() if not owned.applied]
    if len(updaters) <= MOST_UPDATERS:
        return managed
    updaters.sort(key=lambda owner: (managed.times.get(owner, ""), owner.identifier()))
    owners, times, first, left = dict(managed.owners), dict(managed.times), {}, len(updaters)
    for owner in updaters:
        if left <= MOST_UPDATERS:
            break
        owned = owners[owner]
        if owned.version not in first:
            first[owned.version] = owner
            continue
        bucket = Owner(_ANCIENT, UPDATE, owned.version)
        if bucket not in owners:
            owners[bucket] = owners.pop(first[owned.version])
        joined = fieldset.union(owned.fields, owners[bucket].fields)
        if owner != bucket:
            del owners[owner]
        owners[bucket] = owned._replace(fields=joined)
        left -= 1
        if owner in times:
            times[bucket] = times[owner]
    return replace(managed, owners=owners, times=times)


def _conflict(conflicts: Conflicts) -> errors.ApiError:
    """409 with every conflict as a cause."""
    rows = [
        (owner, "".join(map(elements.shown, path)))
        for owner in sorted(conflicts.by_owner, key=Owner.identifier)
        for path in fieldset.paths(conflicts.by_owner[owner])
    ]
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {owner.shown()}", "field": path}
        for owner, path in rows
    ]
    if len(rows) == 1:
        owner, path = rows[0]
        text = f"1 conflict: conflict with {owner.shown()}: {path}"
    else:
        lines = []
        for owner in dict.fromkeys(owner for owner, _ in rows):
            lines += [f"conflicts with {owner.shown()}:", *[f"- {path}" for name, path in rows if name == owner]]
        text = f"{len(rows)} conflicts: " + "\n".join(lines)
    return errors.ApiError(409, "Conflict", f"Apply failed with {text}", {"causes": causes})


def _with_last_applied(made: Json, applied: Json) -> Json:
    """The object with its last-applied annotation, if it has one, saying what was applied now."""
    metadata = made.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    if not annotations.get(_LAST_APPLIED):
        return made
    plain = dict(applied)
    mine = dict(plain.get("metadata") or {})
    if isinstance(mine.get("annotations"), dict):
        mine["annotations"] = {k: v for k, v in mine["annotations"].items() if k != _LAST_APPLIED}
        if not mine["annotations"]:
            del mine["annotations"]
    plain["metadata"] = mine
    text = msgspec.json.encode(plain, order="sorted").decode() + "\n"
    annotations = {**annotations, _LAST_APPLIED: text}
    if sum(len(str(k).encode()) + len(str(v).encode()) for k, v in annotations.items()) > _ANNOTATION_BYTES:
        del annotations[_LAST_APPLIED]
    return {**made, "metadata": {**metadata, "annotations": annotations}}

"""The write stages: what happens to an object between the request and the store, in order.

They run inside the compare-and-swap loop and run AGAIN on the fresh object after a conflict, so each is a function of
the new and the old object and has no effect outside them, but for warnings, which are collected once each.

    patch      what was sent, put onto the object as it is stored now
    prune      the schema's view: mistyped fields refused, unknown ones reported or refused, nulls dropped
    default    the kind's static defaults
    manage     whose fields they are now; then the version that is stored
    mutate     admission that changes the object: plugins, webhooks
    meet       what the client demands of the object that is stored: its version
    prepare    the kind's strategy: server-owned fields reset or kept
    shape      as Go's JSON shows it: no empty optional fields, every field that is always there
    stamp      uid, timestamps, generation, who and when
    validate   metadata and strategy, every problem at once as one 422
    admit      admission that only says yes or no: plugins, policies, webhooks
    settle     as it is stored: no list that is empty
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import msgspec

from apimachinery import errors, schema, times
from apimachinery.apply.ownership import MANAGED_FIELDS
from apimachinery.errors import ApiError, FieldError
from apimachinery.meta import CHANGES, check_metadata
from apimachinery.types import Json
from apiserver import protobuf
from apiserver.admission.subject import Subject
from apiserver.call import Call
from apiserver.registry import Resource
from apiserver.request import Attributes
from apiserver.resources import fields, managing, metadata, reviewing
from apiserver.resources.api import Api
from apiserver.resources.decoding import metadata_of
from apiserver.resources.options import WriteOptions
from apiserver.strategies.strategy import Strategy, WriteContext

STATUS = fields.STATUS
#: Parts of which the kind's own strategy warns.
_WARNS = ("", "scale")


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """One create, update or patch: what the stages need besides the two objects."""

    api: Api
    call: Call
    resource: Resource
    attributes: Attributes
    options: WriteOptions
    #: The object to write, from the one stored now (None: there is none). May run several times.
    source: Callable[[Json | None], Json]
    #: Whether `source` gives what has been decoded: a body is, before anything else is looked at.
    is_decoded: bool = False
    #: What it said that is not stored.
    empties: fields.Empties = msgspec.field(default_factory=fields.Empties)
    #: What the client demands of the object stored, once its own is known to be well-formed. Raises.
    precondition: Callable[[Json, Json], None] | None = None
    #: What a patch says wrongly, as strict decoding errors: a body's are told when it is decoded.
    duplicates: tuple[str, ...] = ()
    #: How a strict decoding error is told: of a body (400) or of a patch (422).
    is_patch: bool = False
    #: Whether `source` says whose fields they are: it applies a configuration, or writes a Scale.
    has_entries: bool = False
    #: Metadata and status as sent, without strategy: the server's own writes (binding).
    subresource: str = ""
    #: How webhooks and policies see the write, from the object and the old one; None: as a write of the object itself.
    subject: Callable[["Write", Json, Json | None], Subject] | None = None
    #: The resourceVersion that a create has brought along: it is refused, but a dry run shows it.
    version: str = ""
    now: float

    @property
    def name(self) -> str:
        """The object's name; "" while generateName has not made one."""
        return self.attributes.name


Stage: TypeAlias = Callable[[Write, Json, Json | None], Awaitable[Json]]


async def patch(write: Write, _new: Json, old: Json | None) -> Json:
    """The object as the client wants it, from what is stored now."""
    served = write.resource.to_served(old) if old is not None else None
    return managing.keep_resets(write.source(served))


async def prune(write: Write, new: Json, _old: Json | None) -> Json:
    """The object as the schema knows it."""
    if write.is_decoded:
        return new
    resource, options, duplicates = write.resource, write.options, write.duplicates
    return fields.checked(
        new, resource, options, write.call, duplicates, is_patch=write.is_patch, empties=write.empties
    )


async def default(write: Write, new: Json, _old: Json | None) -> Json:
    """The kind's defaults."""
    return write.resource.strategy.default(new)


async def manage(write: Write, new: Json, old: Json | None) -> Json:
    """Whose fields they are now. Then the version that is stored: everything below knows that one only."""
    resource = write.resource
    stored = resource.to_stored(new)
    if write.has_entries:
        return stored
    if stored is not new:
        new = resource.to_served(stored)  # with what the version stored knows of it besides
    served = resource.to_served(old) if old is not None else None
    manager, now = managing.manager_of(write.call, write.options), times.rfc3339(write.now)
    rules = managing.ownership(resource, write.subresource)
    return managing.with_entries(stored, rules.update(served, new, manager, now))


async def mutate(write: Write, new: Json, old: Json | None) -> Json:
    """Admission that may change the object."""
    before, subject = new["metadata"].get(MANAGED_FIELDS), _asked(write, new, old)
    admission = write.api.admission
    new = await admission.mutate(write.attributes, new, old, write.api.lookup, write.call.warn, subject)
    metadata.deduplicate(metadata_of(new), write.call.warn, " after mutating admission happens")
    return managing.after_admission(write.call, new, before)


async def meet(write: Write, new: Json, old: Json | None) -> Json:
    """What the client demands of the object stored: upstream looks at it when the new one is made, and admitted."""
    if write.precondition is not None and old is not None:
        write.precondition(new, old)
    return new


def _asked(write: Write, new: Json, old: Json | None) -> Callable[[], Subject] | None:
    """What webhooks and policies are shown; nothing of the server's own doing: it must start without them."""
    return None if write.call.is_own else partial(_subject, write, new, old)


def _subject(write: Write, new: Json, old: Json | None) -> Subject:
    if write.subject is not None:
        return write.subject(write, new, old)
    found = reviewing.written(
        write.api.registry,
        write.resource,
        write.attributes,
        write.options,
        partial(_settled, write),
        creates=old is None,
        name=metadata_of(new).get("name") or "",
    )
    return replace(found, annotate=write.call.annotate, spend=write.call.spend)


async def _settled(write: Write, tree: Json, resource: Resource) -> Json:
    """What a webhook made of an object, in the version stored. Raises 500 for what is none."""
    options = msgspec.structs.replace(write.options, field_validation="Ignore")
    quiet = msgspec.structs.replace(
        write, resource=resource, options=options, duplicates=(), is_patch=False, is_decoded=False
    )
    try:
        found = resource.to_stored(await default(quiet, await prune(quiet, tree, None), None))
    except ApiError as error:
        _, _, why = error.message.partition(f"cannot be handled as a {resource.kind.kind}: ")
        raise errors.internal(why or error.message) from None
    meta = metadata_of(found)
    if not resource.kind.namespaced:
        meta.pop("namespace", None)
    elif (meta.get("namespace") or "") != write.attributes.namespace:
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    return found


async def prepare(write: Write, new: Json, old: Json | None) -> Json:
    """The kind's own rules: what a client cannot set is reset or kept."""
    strategy, entries = write.resource.strategy, metadata_of(new).get(MANAGED_FIELDS) or []
    if write.subresource == STATUS and old is not None:
        new = strategy.default(strategy.prepare_status(new, old))  # as upstream, when it reads what it has stored
    elif part := strategy.parts.get(write.subresource):
        new = part.prepare(new, old)
    else:
        new = schema.complete_status(write.resource.stored, strategy.prepare(new, old))
    return managing.with_entries(new, entries)  # they tell of this write, whatever else of the metadata is reset


async def shape(write: Write, new: Json, _old: Json | None) -> Json:
    """The object in the shape that clients know from upstream; what is stored has it too, so that both compare."""
    kind, stored = write.resource.kind, write.resource.stored
    if (kind.group, kind.version) != (stored.group, stored.version):  # converted since it was decoded
        return protobuf.shaped(new)
    return protobuf.shaped_after_decoding(new, kind)


async def stamp(write: Write, new: Json, old: Json | None) -> Json:
    """What the server owns of the metadata, and the marks of kinds that record who wrote them."""
    strategy = write.resource.strategy
    meta = metadata_of(new)
    if old is None:
        if not meta.get("name") and (base := meta.get("generateName")):
            meta["name"] = write.api.name_after(base)
        elif not meta.get("name") and strategy.has_own_name:
            meta["name"] = write.api.new_uid()
        now = times.rfc3339(write.now)
        metadata.stamp_new(meta, uid=write.api.new_uid(), now=now, has_generation=strategy.has_generation)
    else:
        metadata.stamp_update(meta, old["metadata"])
    new = strategy.stamp(new, old, WriteContext(write.attributes.user, write.now, write.subresource, write.call.warn))
    if old is not None and write.subresource != STATUS and "generation" in meta:
        is_emptied = write.empties.count(write.resource.stored, new, strategy.empty_counts)
        meta["generation"] += bool(is_emptied or strategy.raises_generation(new, old))
    new = metadata.stored_order(new)
    return managing.without_new_times(new, metadata.stored_order(old)) if old is not None else new


async def validate(write: Write, new: Json, old: Json | None) -> Json:
    """Refuse what the user may not give; then with every problem at once. Warn of what is allowed but unwise."""
    resource = write.resource
    if resource.reserves is not None and not write.subresource:
        resource.reserves.settle(new, old)
    if resource.guard is not None:
        resource.guard(write.attributes.user, new, old)
    strategy = resource.strategy
    standard = not strategy.any_finalizer
    again = _again(strategy, write.subresource)
    problems = check_metadata(resource.stored, new, old, strategy.name, standard_finalizers=standard, again=again)
    if resource.admits is not None:
        problems += resource.admits(new, old, write.subresource)
    own = _checked(write, new, old)
    problems = own if own and old is None and strategy.metadata_last else [*problems, *own]
    if not problems and resource.authorizes is not None and not write.call.is_own:
        problems = resource.authorizes(write.attributes.user, new, old)
    if problems:
        kind, name = resource.stored, new["metadata"].get("name", "")
        raise errors.invalid(kind.group, kind.kind, name, problems)
    if write.subresource in _WARNS:
        for text in resource.strategy.warnings(new, old):
            write.call.warn(text)
    return new


def _again(strategy: Strategy, subresource: str) -> tuple[str, ...]:
    """How what validates this part of a kind looks at the metadata of an update once more."""
    if not subresource:
        return strategy.metadata_checks
    return strategy.status_metadata_checks if subresource == STATUS else (CHANGES,)


def _checked(write: Write, new: Json, old: Json | None) -> list[FieldError]:
    strategy = write.resource.strategy
    status_of = old if write.subresource == STATUS else None
    new = write.empties.seen(write.resource.stored, new, is_status=status_of is not None)
    if status_of is not None:
        return strategy.check_status(new, status_of)
    if part := strategy.parts.get(write.subresource):
        return part.check(new, old)
    return strategy.check(new, old)


async def admit(write: Write, new: Json, old: Json | None) -> Json:
    """Admission that only looks."""
    subject = _asked(write, new, old)
    await write.api.admission.validate(write.attributes, new, old, write.api.lookup, write.call.warn, subject)
    return new


async def settle(write: Write, new: Json, _old: Json | None) -> Json:
    """The object as it is stored, and shown from now on: upstream's way of storing knows no list that is empty."""
    return protobuf.settled(new) if write.empties.any else protobuf.as_stored(new, write.resource.stored)


# Order matters: a stage relies on everything above it and on nothing below it.
WRITE_STAGES: tuple[Stage, ...] = (
    patch,
    prune,
    default,
    manage,
    mutate,
    meet,
    prepare,
    shape,
    stamp,
    validate,
    admit,
    settle,
)


async def written(write: Write, old: Json | None) -> Json:
    """The object to store, in the version stored. `old` is private to the call, in the version stored."""
    new: Json = {}
    for stage in WRITE_STAGES:
        new = await stage(write, new, old)
    return new

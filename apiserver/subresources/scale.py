"""`/scale`: an object's replica count as an autoscaling/v1 Scale. A write changes the replica count and nothing else.

The verbs are the same for all; `Places` says where a kind's objects keep what a Scale shows. IN_SPEC is that of
built-in kinds: spec.replicas, spec.selector and status.replicas (deployments, replica sets, stateful sets, replication
controllers); `customresources.scale` has those of definitions.
Source: pkg/registry/apps/deployment/storage/storage.go (ScaleREST).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import msgspec

from apimachinery import errors, selectors, times
from apimachinery.apply import scaling
from apimachinery.apply.ownership import MANAGED_FIELDS
from apimachinery.errors import ApiError, FieldError
from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver import negotiation
from apiserver.admission.subject import UPDATE, Form, Subject
from apiserver.call import Call, Response
from apiserver.registry import Handler, Resource
from apiserver.resources import (
    committing,
    decoding,
    fields,
    managing,
    patch_bodies,
    patching,
    preconditions,
    presenting,
    reading,
    reviewing,
)
from apiserver.resources.addressing import attributes_of, key_of
from apiserver.resources.api import Api
from apiserver.resources.options import WriteOptions, write_options
from apiserver.resources.patch_bodies import Patch
from apiserver.resources.stages import Write
from apiserver.storage.entry import Entry
from apiserver.strategies.strategy import Strategy
from apiserver.tables import description_of
from apiserver.tables.table import AGE, Column, Table, age

#: No resource of its own: it exists as a subresource only.
SCALE = Kind(group="autoscaling", kind="Scale", plural="scales", verbs=())
NAME = "scale"
_COUNT = "replicas is the {} number of {}."


def _cells(scale: Json, now: float) -> list[Any]:
    counts = ((scale.get(part) or {}).get("replicas", 0) for part in ("spec", "status"))
    return [scale["metadata"]["name"], *counts, age(scale, now)]


_TABLE = Table(
    (
        Column("Name", description=description_of("Name")),
        Column("Desired", "integer", description=_COUNT.format("desired", "instances for the scaled object")),
        Column("Available", "integer", description=_COUNT.format("actual", "observed instances of the scaled object")),
        replace(AGE, description=description_of("Age")),
    ),
    _cells,
)
#: For what is done with a Scale as with other objects: merging what is applied, showing it.
RESOURCE = Resource(kind=SCALE, stored=SCALE, strategy=Strategy(), table=_TABLE)
_META = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


@dataclass(frozen=True, slots=True)
class Places:
    """Where objects keep what their Scale shows. Each function may raise an ApiError."""

    show: Callable[[Json], Json]  #: the Scale of an object
    read: Callable[[Json], Json]  #: the same for who asks for it
    begin: Callable[[Json], Json]  #: the same as what a write starts from
    put: Callable[[Json, Json], Json]  #: an object, with the replica count of a Scale
    unread: Callable[[ApiError], ApiError] = lambda error: error  #: how it is told that a body is no Scale


def handlers(api: Api, places: Places | None = None) -> dict[str, Handler]:
    """The verbs of /scale."""
    places = places or IN_SPEC

    async def get(call: Call, resource: Resource) -> Response:
        entry = await reading.find(api, call, resource, call.first("resourceVersion"))
        return _answer(call, places.read(await presenting.loaded(resource, entry)), api.clock())

    async def update(call: Call, resource: Resource) -> Response:
        try:
            body = await fields.typed_body(call, SCALE)
        except ApiError as error:
            raise places.unread(error) from None
        decoding.check_name(body, call.target.name)
        return await _write(api, places, call, resource, lambda _old: body)

    async def patch(call: Call, resource: Resource) -> Response:
        made, applies = _patch(api, call, resource, await call.body())
        options = write_options(call)

        def changed(old: Json) -> Json:
            scale = made.change(old)
            if not applies:
                if not resource.is_typed and scale.get("apiVersion") in (None, ""):  # its decoder has a default
                    scale = {**scale, "apiVersion": SCALE.api_version}
                scale = patching.of_kind(call, SCALE, scale, options, made.mistakes, is_typed=True)
                scale = fields.patched(call, scale, SCALE, options, made.mistakes)
            decoding.check_name(scale, call.target.name)
            return scale

        return await _write(api, places, call, resource, changed, applies=applies)

    return {"get": get, "update": update, "patch": patch}


def made(tree: Json, *, replicas: int, current: int, selector: str) -> Json:
    """The Scale of an object with these counts, the wanted and the current one."""
    return {
        "kind": SCALE.kind,
        "apiVersion": SCALE.api_version,
        "metadata": {name: tree["metadata"][name] for name in _META if name in tree["metadata"]},
        "spec": {"replicas": replicas} if replicas else {},
        "status": {"replicas": current} | ({"selector": selector} if selector else {}),
    }


def replicas_of(scale: Json) -> int:
    """How many a written Scale asks for. Raises 400."""
    spec = scale.get("spec") or {}
    replicas = spec.get("replicas", 0) if isinstance(spec, dict) else None
    if replicas.__class__ is not int:
        raise errors.bad_request(
            'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal into Go struct field '
            "ScaleSpec.spec.replicas of type int32"
        )
    return int(replicas)


def _in_spec(tree: Json) -> Json:
    spec, status = tree.get("spec") or {}, tree.get("status") or {}
    selector = _selector_text(spec.get("selector"))
    return made(tree, replicas=spec.get("replicas") or 0, current=status.get("replicas", 0), selector=selector)


def _into_spec(tree: Json, scale: Json) -> Json:
    replicas = replicas_of(scale)
    if replicas < 0:
        problem = FieldError("spec.replicas", errors.INVALID, "must be greater than or equal to 0", replicas)
        raise errors.invalid(SCALE.group, SCALE.kind, tree["metadata"]["name"], [problem])
    return {**tree, "spec": {**tree["spec"], "replicas": replicas}}


#: Built-in kinds.
IN_SPEC = Places(show=_in_spec, read=_in_spec, begin=_in_spec, put=_into_spec)


def _selector_text(selector: Json | None) -> str:
    """A label selector in the form of a query parameter; replication controllers have a plain map."""
    if not selector:
        return ""
    if "matchLabels" in selector or "matchExpressions" in selector:
        return str(selectors.from_label_selector(selector))
    return str(selectors.from_labels(selector))


async def _write(
    api: Api, places: Places, call: Call, resource: Resource, change: Callable[[Json], Json], *, applies: bool = False
) -> Response:
    options, now, is_patch = write_options(call), api.clock(), call.method == "PATCH" and not applies

    def source(old: Json | None) -> Json:
        assert old is not None
        before = _with_entries(resource, places.begin(old), old)
        scale = change(before)
        decoding.metadata_of(scale)
        if is_patch:  # a body has been looked at
            fields.checked(scale, RESOURCE, options, call, (), is_patch=True)
        if call.method != "PATCH":
            preconditions.check_uid(call, resource, options, scale, old)
        preconditions.check_version(resource, scale, old, is_needed=False)
        new = places.put(old, scale)
        return _with_owner(call, resource, options, new, before, scale, now=now, applies=applies)

    write = Write(
        api=api,
        call=call,
        resource=resource,
        attributes=attributes_of(call, dry_run=options.dry_run),
        options=options,
        source=source,
        has_entries=True,
        subresource=NAME,
        subject=partial(_subject, places),
        now=now,
    )
    committed = await committing.update(write, key_of(call, resource))
    return _answer(call, places.show(await presenting.loaded(resource, committed.entry)), now)


def _subject(places: Places, write: Write, new: Json, _old: Json | None) -> Subject:
    """Webhooks and policies see the Scale, and what they change of it is the replica count."""

    async def show(tree: Json, _form: Form) -> Json:
        return places.show(tree)

    async def take(scale: Json, _form: Form) -> Json:
        return places.put(new, scale)

    return Subject(
        attributes=write.attributes,
        operation=UPDATE,
        own=reviewing.form(write.resource.kind, SCALE),
        options=reviewing.write_options_tree(write.options, "UpdateOptions"),
        dry_run=write.options.dry_run,
        show=show,
        take=take,
        annotate=write.call.annotate,
        spend=write.call.spend,
    )


def _with_entries(resource: Resource, scale: Json, tree: Json) -> Json:
    """The Scale with what the object's managedFields say of its replicas."""
    stored = tree["metadata"].get(MANAGED_FIELDS) or []
    return managing.with_entries(scale, scaling.to_scale(stored, resource.merging.replicas(resource.stored)))


def _with_owner(
    call: Call,
    resource: Resource,
    options: WriteOptions,
    new: Json,
    before: Json,
    scale: Json,
    *,
    now: float,
    applies: bool,
) -> Json:
    """The object after a write of its Scale, with whose its replicas are now."""
    if applies:
        entries = scale["metadata"].get(MANAGED_FIELDS) or []
    else:
        replicas = (scale.get("spec") or {}).get("replicas")
        after = {**before, "spec": {"replicas": replicas} if replicas else {}}
        rules = managing.ownership(RESOURCE, NAME)
        entries = rules.update(before, after, managing.manager_of(call, options), times.rfc3339(now))
    stored = new["metadata"].get(MANAGED_FIELDS) or []
    places = resource.merging.replicas(resource.stored)
    new = {**new, "metadata": {**new["metadata"]}}
    return managing.with_entries(new, scaling.to_parent(stored, entries, places, resource.kind.api_version))


def _patch(api: Api, call: Call, resource: Resource, data: bytes) -> tuple[Patch, bool]:
    """What a patch of a Scale does to it, and whether it applies a configuration. Raises 415."""
    media_type = negotiation.patch_type(
        call.headers.get("content-type", ""), patch_bodies.types_for(resource), custom=not resource.is_typed
    )
    options = write_options(call)
    if media_type != negotiation.APPLY_PATCH:
        return patch_bodies.patched(resource, media_type, data, options), False
    rules = managing.ownership(RESOURCE, NAME)
    return patch_bodies.applied(rules, call, options, data, times.rfc3339(api.clock())), True


def _answer(call: Call, scale: Json, now: float) -> Response:
    """The Scale in the form asked for: it has columns of its own."""
    if call.accepted.transform != negotiation.TABLE:
        return presenting.computed(call, scale, "autoscaling.Scale")
    value = msgspec.json.encode(scale)
    entry = Entry("/" + scale["metadata"]["name"], int(scale["metadata"]["resourceVersion"]), value, len(value))
    return presenting.present(call, RESOURCE, entry, now)

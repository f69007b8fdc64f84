"""A definition -> the resources that answer for it, and what OpenAPI says of them. Pure but for the handlers made.

A row is made anew only when something that matters to it changed (`mark`); watches end only when objects may look
otherwise (`form`).
Source: pkg/apiserver/customresource_handler.go (getOrCreateServingInfoFor).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import msgspec

from apimachinery import errors
from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver.customresources import columns, scale
from apiserver.customresources.definition import Definition, Version, read
from apiserver.customresources.transforms import Converts, VersionTransforms
from apiserver.customresources.versions import VersionSchema, decode, merging, strategy
from apiserver.discovery import custom
from apiserver.discovery.definitions import GroupVersionKind
from apiserver.discovery.served import version_order
from apiserver.discovery.state import Schemas
from apiserver.registry import Ending, Handler, Resource
from apiserver.request import User
from apiserver.resources import patching, reading, writing
from apiserver.resources.api import Api


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What answers for one definition."""

    definition: Definition
    mark: str
    form: str
    compiled: Mapping[str, VersionSchema]
    resources: tuple[Resource, ...]
    stored: Resource | None  # of the storage version, served or not; None before there are names
    listed: tuple[Kind, ...]  # in discovery: only once it is established
    schemas: Mapping[GroupVersionKind, Schemas]
    ending: Ending


def form_of(tree: Json) -> str:
    """Changes when objects of the definition may look otherwise."""
    accepted = (tree.get("status") or {}).get("acceptedNames")
    return _hashed([tree["metadata"].get("uid"), tree["spec"], accepted])


def _hashed(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()


def mark_of(tree: Json) -> str:
    """Changes when the definition must be served anew."""
    status = tree.get("status") or {}
    conditions = [
        (found.get("type"), found.get("status"))
        for found in status.get("conditions") or ()
        if found.get("type") in ("NamesAccepted", "Established", "Terminating")
    ]
    return _hashed([form_of(tree), sorted(conditions)])


def serve(api: Api, tree: Json, converter: Converts, before: Served | None) -> Served:
    """Everything that answers for a definition; `before` is what did until now."""
    definition, form = read(tree), form_of(tree)
    goes_on = before is not None and before.form == form
    ending = before.ending if before is not None and goes_on else Ending()
    if before is not None and goes_on and before.compiled:
        compiled = before.compiled
    else:
        compiled = {
            version.name: VersionSchema(definition.kind(version), version, preserves=definition.preserves)
            for version in definition.versions
            if definition.is_served
        }
    rows = {
        version.name: _resource(api, definition, form, definition.kind(version), compiled, converter, ending)
        for version in definition.versions
        if definition.is_served and (version.served or version.storage)
    }
    listed: tuple[Kind, ...] = ()
    if definition.is_established:
        listed = tuple(definition.listed_kind(version) for _, version in definition.served_kinds())
    schemas: dict[GroupVersionKind, Schemas] = {}
    for kind in listed:
        own = compiled[kind.version]
        schemas |= custom.schemas(kind, own.openapi, own.version.selectable, preserves=definition.preserves)
    return Served(
        definition=definition,
        mark=mark_of(tree),
        form=form,
        compiled=compiled,
        resources=tuple(rows[kind.version] for kind, _ in definition.served_kinds()),
        stored=rows.get(definition.storage_version),
        listed=listed,
        schemas=schemas,
        ending=ending,
    )


def _resource(
    api: Api,
    definition: Definition,
    form: str,
    kind: Kind,
    compiled: Mapping[str, VersionSchema],
    converter: Converts,
    ending: Ending,
) -> Resource:
    own = compiled[kind.version]
    return Resource(
        kind=kind,
        stored=kind,
        strategy=strategy(own),
        subresources=_subresources(api, own.version),
        guard=partial(_no_create, kind) if definition.is_terminating else None,
        merging=merging(compiled),
        transforms=VersionTransforms(
            form=f"{form}/{kind.version}",
            group=definition.group,
            version=kind.version,
            storage_version=definition.storage_version,
            schemas=compiled,
            converter=converter,
        ),
        decode=partial(decode, compiled, kind),
        schema=own.openapi,
        decode_applied=own.decode_applied,
        table=columns.table(own.version.columns),
        warnings=_warnings(definition, own.version),
        ending=ending,
    )


def _subresources(api: Api, version: Version) -> Mapping[str, Mapping[str, Handler]]:
    found: dict[str, Mapping[str, Handler]] = {}
    if version.has_status:
        found["status"] = {
            "get": partial(reading.get, api),
            "patch": partial(patching.patch_object, api),
            "update": partial(writing.update, api),
        }
    if version.scale is not None:
        found["scale"] = scale.handlers(api, version.scale)
    return found


def _no_create(kind: Kind, _user: User, new: Json, old: Json | None) -> None:
    """While a definition is being deleted its objects can be changed, but not made."""
    if old is None:
        why = "create not allowed while custom resource definition is terminating"
        raise errors.forbidden(kind.group, kind.plural, new["metadata"].get("name", ""), why)


def _warnings(definition: Definition, version: Version) -> tuple[str, ...]:
    if not version.deprecated:
        return ()
    if version.warning:
        return (version.warning,)
    kind = definition.accepted["kind"]
    text = f"{definition.group}/{version.name} {kind} is deprecated"
    better = sorted(
        (
            other.name
            for other in definition.versions
            if other.served and not other.deprecated and version_order(other.name) < version_order(version.name)
        ),
        key=version_order,
    )
    return (f"{text}; use {definition.group}/{better[0]} {kind}" if better else text,)

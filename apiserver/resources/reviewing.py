"""Requests as `Subject`s: the versions an object can be shown in, and how a webhook's version comes back.

For stored objects the forms are the versions that the registry serves of them; what comes back is pruned and defaulted
by its own version, as upstream decodes a patched object. For the objects of subresources (a Scale, an Eviction, the
options of an exec) there is the one form. Source: endpoints/handlers/{create,update,delete}.go, rest.go.
"""

import re
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec

from apimachinery import errors
from apimachinery.apply.types import Type
from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver.admission.subject import CONNECT, CREATE, DELETE, UPDATE, Annotate, Form, Subject
from apiserver.call import Call
from apiserver.registry import Registry, Resource
from apiserver.request import Attributes
from apiserver.resources.options import DeleteOptions, WriteOptions

_PORT = re.compile(r"[0-9]{1,5}")
_META = "meta.k8s.io/v1"
#: Takes a tree in the version of a resource: pruned, defaulted, in the version stored.
Settle = Callable[[Json, Resource], Awaitable[Json]]


def form(kind: Kind, of: Kind | None = None) -> Form:
    """The form of a resource; `of` is the kind of a subresource's object."""
    of = of or kind
    return Form(kind.group, kind.version, kind.plural, of.group, of.version, of.kind)


def written(
    registry: Registry,
    resource: Resource,
    attributes: Attributes,
    options: WriteOptions,
    settle: Settle,
    *,
    creates: bool,
    name: str = "",
) -> Subject:
    """A create, update or patch of a stored object."""
    return Subject(
        attributes=attributes,
        operation=CREATE if creates else UPDATE,
        own=form(resource.kind),
        equivalents=partial(_equivalents, registry, resource),
        options=write_options_tree(options, "CreateOptions" if creates else "UpdateOptions"),
        dry_run=options.dry_run,
        show=partial(_shown, registry, resource),
        take=partial(_taken, registry, resource, settle),
        type_of=partial(_type_of, registry, resource),
        name=attributes.name or name,
    )


def deleted(
    registry: Registry,
    resource: Resource,
    attributes: Attributes,
    options: DeleteOptions,
    annotate: Annotate,
) -> Subject:
    """A delete of a stored object."""
    return Subject(
        attributes=attributes,
        operation=DELETE,
        own=form(resource.kind),
        equivalents=partial(_equivalents, registry, resource),
        options=_delete_options_tree(options),
        dry_run=options.dry_run,
        show=partial(_shown, registry, resource),
        annotate=annotate,
    )


def posted(call: Call, resource: Resource, attributes: Attributes, of: Kind, options: WriteOptions) -> Subject:
    """A create of something that is not stored: a review, or the object of a subresource."""
    return Subject(
        attributes=msgspec.structs.replace(attributes, verb="create"),
        annotate=call.annotate,
        operation=CREATE,
        own=form(resource.kind, of),
        options=write_options_tree(options, "CreateOptions"),
        dry_run=options.dry_run,
    )


def connected(call: Call, resource: Resource, attributes: Attributes, of: Kind) -> Subject:
    """A connect: exec, attach, portforward, proxy. It has no options beside its object."""
    return Subject(attributes=attributes, operation=CONNECT, own=form(resource.kind, of), annotate=call.annotate)


def _equivalents(registry: Registry, resource: Resource) -> list[Form]:
    return [form(other.kind) for other in registry.resources() if _same_objects(resource, other)]


def _same_objects(one: Resource, other: Resource) -> bool:
    """Whether two resources are versions of the same objects."""
    if one.transforms is None or other.transforms is None:
        return one.stored is other.stored
    return (one.kind.group, one.kind.plural) == (other.kind.group, other.kind.plural)


def _resource(registry: Registry, resource: Resource, form: Form) -> Resource:
    if form.version == resource.kind.version and form.group == resource.kind.group:
        return resource
    found = registry.find(form.group, form.version, form.plural)
    if found is None:  # it went since the rules were looked at
        raise errors.internal(f"unable to convert to {form.group}/{form.version}: unknown kind")
    return found


def _type_of(registry: Registry, resource: Resource, form: Form) -> Type:
    other = _resource(registry, resource, form)
    return other.merging.type_of(other.kind)


def _private(tree: Json) -> Json:
    copied: Json = msgspec.json.decode(msgspec.json.encode(tree))
    return copied


async def _shown(registry: Registry, resource: Resource, tree: Json, form: Form) -> Json:
    other = _resource(registry, resource, form)
    if other is resource or other.transforms is None:
        return other.to_served(tree)
    return await other.transforms.adopted(_private(tree))


async def _taken(registry: Registry, resource: Resource, settle: Settle, tree: Json, form: Form) -> Json:
    other = _resource(registry, resource, form)
    if other.is_typed:  # Go's type knows its kind
        tree = {"apiVersion": other.kind.api_version, "kind": other.kind.kind, **tree}
    if (tree.get("apiVersion"), tree.get("kind")) != (other.kind.api_version, other.kind.kind):
        raise errors.internal(f"unable to convert {tree.get('apiVersion')}, Kind={tree.get('kind')} to {form.kind}")
    settled = await settle(_private(tree), other)  # shares nothing with what the webhook was sent
    if other is resource or resource.transforms is None:
        return settled
    return await resource.transforms.adopted(settled)


def write_options_tree(options: WriteOptions, kind: str) -> Json:
    """The options of a write as an admission review shows them; defaults are left out."""
    found: Json = {"kind": kind, "apiVersion": _META}
    if options.dry_run:
        found["dryRun"] = ["All"]
    if options.field_manager:
        found["fieldManager"] = options.field_manager
    if options.field_validation != "Warn":
        found["fieldValidation"] = options.field_validation
    return found


def _delete_options_tree(options: DeleteOptions) -> Json:
    found: Json = {"kind": "DeleteOptions", "apiVersion": _META}
    if options.grace is not None:
        found["gracePeriodSeconds"] = options.grace
    preconditions = {
        key: value for key, value in (("uid", options.uid), ("resourceVersion", options.resource_version)) if value
    }
    if preconditions:
        found["preconditions"] = preconditions
    if options.orphan is not None:
        found["orphanDependents"] = options.orphan
    if options.propagation:
        found["propagationPolicy"] = options.propagation
    if options.dry_run:
        found["dryRun"] = ["All"]
    return found


def connect_options(call: Call, of: Kind) -> Json:
    """The object of a connect: what its query says."""
    found: Json = {"kind": of.kind, "apiVersion": of.api_version}
    for name in ("container",):
        if value := call.first(name):
            found[name] = value
    for name in ("stdin", "stdout", "stderr", "tty"):
        if call.first(name) in ("true", "1"):
            found[name] = True
    if command := call.query.get("command"):
        found["command"] = list(command)
    if ports := [
        int(text) for value in call.query.get("ports", ()) for text in value.split(",") if _PORT.fullmatch(text)
    ]:
        found["ports"] = ports
    if "ProxyOptions" in of.kind:
        found["path"] = "/" + "/".join(call.target.parts)
    return found

"""`/scale` of a custom resource: replica counts and selector lie where the definition's JSON paths say.

Source: pkg/registry/customresource/{etcd,validator}.go.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from apimachinery import errors
from apimachinery.errors import INVALID, FieldError, go_number
from apimachinery.types import Json
from apiserver.admission.subject import Form, Subject
from apiserver.call import Call, Response
from apiserver.registry import Handler, Resource
from apiserver.resources import committing, decoding, fields, presenting, reading, writing
from apiserver.resources.api import Api
from apiserver.resources.options import write_options
from apiserver.resources.stages import Write
from apiserver.subresources.scale import NAME, SCALE, changing, scale_of, subject, with_owner

_META = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
_MOST = 2**31 - 1
#: Stands for a count that was never set, so that a patch that does not set it either can be told.
_NOT_SET = -(2**31)
_GO_TYPES = {
    str: "string",
    bool: "bool",
    int: "int64",
    float: "float64",
    list: "[]interface {}",
    dict: "map[string]interface {}",
    type(None): "<nil>",
}


class WrongType(ValueError):
    """What lies at a path is not what should; `str()` is upstream's text."""


def nested(tree: Json, path: str, kind: type) -> tuple[Any, bool]:
    """What lies at a simple path (`.spec.replicas`), and whether anything does. Raises WrongType."""
    names = path.removeprefix(".").split(".")
    value: Any = tree
    for i, name in enumerate(names):
        if value is None:
            return kind(), False
        if not isinstance(value, dict):
            raise _wrong(names[: i + 1], value, "map[string]interface {}")
        if name not in value:
            return kind(), False
        value = value[name]
    if value.__class__ is not kind:
        raise _wrong(names, value, _GO_TYPES[kind])
    return value, True


def _wrong(names: Sequence[str], value: Any, wanted: str) -> WrongType:
    shown = value if isinstance(value, str) else "<nil>" if value is None else _shown(value)
    return WrongType(
        f".{'.'.join(names)} accessor error: {shown} is of the type {_GO_TYPES[type(value)]}, expected {wanted}"
    )


def _shown(value: Any) -> str:
    return go_number(value) if isinstance(value, float) else msgspec.json.encode(value).decode()


def check(scale: Json | None, tree: Json) -> list[FieldError]:
    """What is wrong with the counts and the selector of an object."""
    if scale is None:
        return []
    return [*_check_count(scale["specReplicasPath"], tree), *check_status(scale, tree)]


def check_status(scale: Json | None, tree: Json) -> list[FieldError]:
    """The same for its status."""
    if scale is None:
        return []
    problems = _check_count(scale["statusReplicasPath"], tree)
    if path := scale.get("labelSelectorPath"):
        try:
            nested(tree, path, str)
        except WrongType as error:
            problems.append(FieldError(path, INVALID, str(error), ""))
    return problems


def _check_count(path: str, tree: Json) -> list[FieldError]:
    try:
        count, _ = nested(tree, path, int)
    except WrongType as error:
        return [FieldError(path, INVALID, str(error), 0)]
    if count < 0:
        return [FieldError(path, INVALID, "should be a non-negative integer", count)]
    if count > _MOST:
        return [FieldError(path, INVALID, f"should be less than or equal to {_MOST}", count)]
    return []


def of(scale: Json, tree: Json) -> tuple[Json, bool]:
    """The Scale of an object, and whether it has a replica count. Raises WrongType."""
    replicas, found = nested(tree, scale["specReplicasPath"], int)
    status: Json = {"replicas": nested(tree, scale["statusReplicasPath"], int)[0]}
    if path := scale.get("labelSelectorPath"):
        selector, _ = nested(tree, path, str)
        if selector:
            status["selector"] = selector
    return {
        "kind": SCALE.kind,
        "apiVersion": SCALE.api_version,
        "metadata": {name: tree["metadata"][name] for name in _META if name in tree["metadata"]},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }, found


def with_replicas(scale: Json, tree: Json, replicas: int) -> Json:
    """The object with another replica count."""
    names = replicas_path(scale)
    new = dict(tree)
    place = new
    for name in names[:-1]:
        inner = place.get(name)
        if inner is not None and not isinstance(inner, dict):
            raise errors.internal(f"value cannot be set because .{'.'.join(names)} is not a map[string]interface{{}}")
        place[name] = dict(inner or {})
        place = place[name]
    place[names[-1]] = replicas
    return new


def replicas_path(scale: Json | None) -> tuple[str, ...]:
    """The names that lead to the count of replicas; () for a version without a Scale."""
    return tuple(scale["specReplicasPath"].removeprefix(".").split(".")) if scale is not None else ()


def handlers(api: Api, scale: Json) -> dict[str, Handler]:
    """The verbs of /scale."""

    async def get(call: Call, resource: Resource) -> Response:
        entry = await reading.find(api, call, resource, call.first("resourceVersion"))
        tree, found = _of(scale, await presenting.loaded(resource, entry))
        if not found:
            raise errors.internal(f'the spec replicas field "{scale["specReplicasPath"]}" does not exist')
        return presenting.encoded(call, msgspec.json.encode(tree))

    async def update(call: Call, resource: Resource) -> Response:
        body = await fields.typed_body(call, SCALE)
        decoding.check_name(body, call.target.name)
        return await _write(api, scale, call, resource, lambda _now: body)

    async def patch(call: Call, resource: Resource) -> Response:
        change, applies = changing(api, call, resource, await call.body())
        return await _write(api, scale, call, resource, change, applies=applies)

    return {"get": get, "update": update, "patch": patch}


def _of(scale: Json, tree: Json) -> tuple[Json, bool]:
    try:
        return of(scale, tree)
    except WrongType as error:
        raise errors.internal(str(error)) from None


async def _write(
    api: Api, scale: Json, call: Call, resource: Resource, change: Callable[[Json], Json], *, applies: bool = False
) -> Response:
    options, now = write_options(call), api.clock()

    def source(old: Json | None) -> Json:
        assert old is not None
        before, found = _of(scale, old)
        if not found:
            before["spec"] = {"replicas": _NOT_SET}
        before = scale_of(resource, before, old)
        changed = change(before)
        decoding.metadata_of(changed)
        writing.check_version(resource, changed, old, is_needed=False)
        new = with_replicas(scale, old, _replicas(changed, scale))
        return with_owner(call, resource, options, new, before, changed, now=now, applies=applies)

    write = Write(
        api=api,
        call=call,
        resource=resource,
        attributes=writing.attributes_of(call, dry_run=options.dry_run),
        options=options,
        source=source,
        has_entries=True,
        subresource=NAME,
        subject=partial(_subject, scale),
        now=now,
    )
    committed = await committing.update(write, writing.key_of(call, resource))
    tree, _ = _of(scale, await presenting.loaded(resource, committed.entry))
    return presenting.encoded(call, msgspec.json.encode(tree))


def _subject(scale: Json, write: Write, new: Json, _old: Json | None) -> Subject:
    """Webhooks and policies see the Scale, and what they change of it is the replica count."""

    async def show(tree: Json, _form: Form) -> Json:
        return _of(scale, tree)[0]

    async def take(changed: Json, _form: Form) -> Json:
        return with_replicas(scale, new, _replicas(changed, scale))

    return subject(write, show, take)


def _replicas(new: Json, scale: Json) -> int:
    spec = new.get("spec") or {}
    replicas = spec.get("replicas", 0) if isinstance(spec, dict) else None
    if replicas.__class__ is not int:
        raise errors.bad_request(
            'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal into Go struct field '
            "ScaleSpec.spec.replicas of type int32"
        )
    if replicas == _NOT_SET:
        raise errors.bad_request(f'the spec replicas field "{scale["specReplicasPath"]}" cannot be empty')
    return int(replicas)

"""`/scale` of a custom resource: replica counts and selector lie where the definition's JSON paths say.

Source: pkg/registry/customresource/{etcd,validator}.go.
"""

from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

import msgspec

from apimachinery import errors
from apimachinery.errors import INVALID, ApiError, FieldError, go_number
from apimachinery.types import Json
from apiserver.registry import Handler
from apiserver.resources.api import Api
from apiserver.subresources.scale import Places, made, replicas_of
from apiserver.subresources.scale import handlers as verbs

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
            raise _wrong(names[: i + 1], value, "map[string]interface{}")
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
    current, _ = nested(tree, scale["statusReplicasPath"], int)
    path = scale.get("labelSelectorPath")
    selector = nested(tree, path, str)[0] if path else ""
    return made(tree, replicas=replicas, current=current, selector=selector), found


def with_replicas(scale: Json, tree: Json, replicas: int) -> Json:
    """The object with another replica count."""
    names = replicas_path(scale)
    new = dict(tree)
    place = new
    for name in names[:-1]:
        inner = place.get(name)
        if inner is not None and not isinstance(inner, dict):
            raise errors.not_internal(
                f"value cannot be set because .{'.'.join(names)} is not a map[string]interface{{}}"
            )
        place[name] = dict(inner or {})
        place = place[name]
    place[names[-1]] = replicas
    return new


def replicas_path(scale: Json | None) -> tuple[str, ...]:
    """The names that lead to the count of replicas; () for a version without a Scale."""
    return tuple(scale["specReplicasPath"].removeprefix(".").split(".")) if scale is not None else ()


def handlers(api: Api, scale: Json) -> dict[str, Handler]:
    """The verbs of /scale; `scale` is the definition's subresource."""
    places = Places(
        show=lambda tree: _of(scale, tree)[0],
        read=partial(_read, scale),
        begin=partial(_begin, scale),
        put=partial(_put, scale),
        unread=_unread,
    )
    return verbs(api, places)


def _unread(error: ApiError) -> ApiError:
    """Upstream wants to say what a body should have been, and does not find the kind among those of definitions."""
    if error.code != HTTPStatus.BAD_REQUEST:
        return error
    return errors.bad_request('no kind is registered for the type v1.Scale in scheme "pkg/runtime/scheme.go:110"')


def _of(scale: Json, tree: Json) -> tuple[Json, bool]:
    try:
        return of(scale, tree)
    except WrongType as error:
        raise errors.not_internal(str(error)) from None


def _read(scale: Json, tree: Json) -> Json:
    shown, found = _of(scale, tree)
    if not found:
        raise errors.not_internal(f'the spec replicas field "{scale["specReplicasPath"]}" does not exist')
    return shown


def _begin(scale: Json, tree: Json) -> Json:
    before, found = _of(scale, tree)
    return before if found else {**before, "spec": {"replicas": _NOT_SET}}


def _put(scale: Json, tree: Json, written: Json) -> Json:
    replicas = replicas_of(written)
    if replicas == _NOT_SET:
        raise errors.bad_request(f'the spec replicas field "{scale["specReplicasPath"]}" cannot be empty')
    return with_replicas(scale, tree, replicas)

"""Whole objects inside objects (x-kubernetes-embedded-resource): their apiVersion, kind and metadata.

`coerce` makes their metadata what ObjectMeta's Go type keeps; `check` judges them as if they were objects of their own.
Source: apiserver/schema/objectmeta.
"""

from collections.abc import Iterator
from typing import Any

from apimachinery import names, schema
from apimachinery.errors import INVALID, REQUIRED, FieldError
from apimachinery.fields import Mistyped
from apimachinery.kinds import Kind
from apimachinery.meta import check_metadata
from apimachinery.types import Json
from apiserver.structural.node import Node, child_path

#: What metadata is checked as: whether a namespace may be there is told by whether it is.
_INSIDE = Kind(kind="", plural="")
_NO_NAMESPACE = Kind(kind="", plural="", namespaced=False)


def _invalid(path: str, value: Any, why: str) -> FieldError:
    return FieldError(path, INVALID, why, value)


def coerce(value: Any, node: Node | None, *, drop_invalid: bool = False, path: str = "") -> list[str]:
    """Make embedded metadata well-typed where it lies; the unknown fields that went, sorted.

    Raises ValueError with a field error's text for what is mistyped, unless `drop_invalid` drops it.
    """
    unknown: list[str] = []
    _coerce(value, node, path, drop_invalid, unknown)
    return sorted(unknown)


def _coerce(value: Any, node: Node | None, path: str, drop: bool, unknown: list[str]) -> None:  # noqa: FBT001
    if node is None or not node.has_embedded:
        return
    if value.__class__ is dict:
        if node.embedded:
            _coerce_object(value, path, drop, unknown)
        for key, item in value.items():
            child = node.properties.get(key)
            if child is not None:
                _coerce(item, child, child_path(path, key), drop, unknown)
            elif node.values is not None:
                _coerce(item, node.values, f"{path}[{key}]", drop, unknown)
    elif value.__class__ is list:
        for i, item in enumerate(value):
            _coerce(item, node.items, f"{path}[{i}]", drop, unknown)


def _coerce_object(value: Json, path: str, drop: bool, unknown: list[str]) -> None:  # noqa: FBT001
    for key in ("apiVersion", "kind"):
        if key in value and not isinstance(value[key], str):
            if not drop:
                raise ValueError(str(_invalid(child_path(path, key), value[key], "must be a string")))
            del value[key]
    if "metadata" not in value:
        return
    here = child_path(path, "metadata")
    try:
        value["metadata"], found = metadata(value["metadata"], here)
        unknown += found
    except Mistyped as error:
        if not drop:
            raise ValueError(str(_invalid(here, value["metadata"], str(error)))) from None
        value["metadata"] = well_typed(value["metadata"])


def metadata(value: Any, path: str = "metadata") -> tuple[Json, list[str]]:
    """Metadata as Go's ObjectMeta keeps it, and the paths of fields that it does not know. Raises Mistyped."""
    if value is None:
        return {}, []
    decoded, unknown = schema.decode_definition(schema.OBJECT_META, value, strict=True)
    return decoded, [f"{path}.{text.split(chr(34))[1]}" for text in unknown]


def well_typed(value: Any) -> Json:
    """The fields of stored metadata that can be read; the others are dropped."""
    found: Json = {}
    for name, item in value.items() if isinstance(value, dict) else ():
        try:
            found |= metadata({name: item})[0]
        except Mistyped:
            continue
    return found


def check(value: Any, node: Node | None, path: str = "") -> Iterator[FieldError]:
    """What is wrong with embedded objects."""
    if node is None or not node.has_embedded:
        return
    if value.__class__ is dict:
        if node.embedded:
            yield from check_object(value, path)
        for key, item in value.items():
            child = node.properties.get(key)
            if child is not None:
                yield from check(item, child, child_path(path, key))
            elif node.values is not None:
                yield from check(item, node.values, f"{path}[{key}]")
    elif value.__class__ is list:
        for i, item in enumerate(value):
            yield from check(item, node.items, f"{path}[{i}]")


def check_object(value: Json, path: str) -> Iterator[FieldError]:
    """What is wrong with one embedded object."""
    for key in ("apiVersion", "kind"):
        here = child_path(path, key)
        if key not in value:
            yield FieldError(here, REQUIRED, "")
        elif not isinstance(value[key], str):
            yield _invalid(here, value[key], "must be a string")
        elif not value[key]:
            yield _invalid(here, value[key], "must not be empty")
        elif key == "apiVersion":
            if value[key].count("/") > 1:
                yield _invalid(here, value[key], f"unexpected GroupVersion string: {value[key]}")
        elif problems := names.dns_1035_label(value[key].lower()):
            why = f"may have mixed case, but should otherwise match: {','.join(problems)}"
            yield _invalid(here, value[key], why)
    if "metadata" in value:
        yield from _check_metadata(value["metadata"], child_path(path, "metadata"))


def _check_metadata(value: Any, path: str) -> Iterator[FieldError]:
    try:
        decoded, _ = metadata(value)
    except Mistyped as error:
        yield _invalid(path, value, str(error))
        return
    named = {**decoded, "name": decoded.get("name") or "fakename"}
    kind = _INSIDE if named.get("namespace") else _NO_NAMESPACE
    prefix = path.removesuffix("metadata")
    for problem in check_metadata(kind, {"metadata": named}, None, names.path_segment_name, standard_finalizers=False):
        yield FieldError(prefix + problem.path, problem.kind, problem.detail, problem.value)

"""What expressions that change objects have besides: `Object{...}`, `JSONPatch{...}`, `jsonpatch.escapeKey`.

`Object` and every name below it (`Object.spec.template`) is a type that takes any field of any type: only when the
value is there, `misnamed` looks whether each object stands where its name says. `tree_of` is the configuration that an
`Object` applies, `json_of` the value of one operation of a JSON patch, as protobuf's JSON has it.
Source: apiserver/pkg/cel/mutation, apiserver/pkg/cel/library/jsonpatch.go, cel-go/common/types (ConvertToNative).
"""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from apimachinery.types import Json
from apiserver.cel.environment import functions, overload
from apiserver.cel.kubernetes import ENVIRONMENT
from apiserver.cel.types import DYN, STRING, Property, Type, object_type
from apiserver.cel.values import (
    Duration,
    ObjectValue,
    Optional,
    Timestamp,
    TypeValue,
    show_duration,
    show_timestamp,
    type_name,
)

_ROOT = "Object"
#: Integers beyond are written as strings, since JavaScript cannot tell them apart.
_SAFE = 2**53 - 1


class Unwritable(ValueError):
    """A value that has no form in JSON."""


class _AnyField(Mapping[str, Property]):
    """The fields of a type of which nothing is known: any there might be."""

    def __getitem__(self, name: str) -> Property:
        return Property(name, DYN)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


_ANY_FIELD = _AnyField()
OBJECT = object_type(_ROOT, _ANY_FIELD)


class _PatchFields(dict[str, Property]):
    """The fields of an operation; of any other name, upstream has a type without a name."""

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ARG002 - there is always one
        return self[name] if name in self else Property(name, Type("object", ""))


JSON_PATCH = object_type(
    "JSONPatch",
    _PatchFields(
        {**{name: Property(name, STRING) for name in ("op", "path", "from")}, "value": Property("value", DYN)}
    ),
)


def _resolve(name: str) -> Type | None:
    if name == JSON_PATCH.name:
        return JSON_PATCH
    return object_type(name, _ANY_FIELD) if name == _ROOT or name.startswith(f"{_ROOT}.") else None


def _escape_key(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _traversal(args: Any, _result: Any) -> int:
    return -(-len(args[0]) // 10)


_LIBRARY = (overload("+jsonpatch.escapeKey(string) -> string", _escape_key, _traversal),)

#: The environment of expressions that change objects.
PATCHING = replace(
    ENVIRONMENT, functions={**ENVIRONMENT.functions, **functions(_LIBRARY)}, types=ENVIRONMENT.types, resolve=_resolve
)


def misnamed(value: Any) -> Iterator[str]:
    """The objects within an object whose names do not say where they stand: below the outermost one's."""
    if isinstance(value, ObjectValue):
        yield from _misnamed(value, value.type_name)


def _misnamed(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, ObjectValue):
        if value.type_name != path:
            yield (
                f'unexpected type name "{value.type_name}", expected "{path}", which matches field name path from root '
                "Object type"
            )
        for name, item in value.items():
            yield from _misnamed(item, f"{path}.{name}")
    elif isinstance(value, dict):
        for item in value.values():
            yield from _misnamed(item, path)
    elif isinstance(value, list):
        for item in value:
            yield from _misnamed(item, path)


class Null:
    """Null within an `Object`, which upstream takes for a number of protobuf's: no field takes it."""

    def __str__(self) -> str:
        return "NULL_VALUE"


NULL = Null()


def tree_of(value: Any) -> Any:
    """What an `Object` applies, as a tree. Raises Unwritable."""
    if value is None:
        return NULL
    if isinstance(value, dict):
        made: Json = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise Unwritable(f"map key {_shown(key)} is of type types.{type_name(key).capitalize()}, not string")
            made[key] = tree_of(item)
        return made
    if isinstance(value, list):
        return [tree_of(item) for item in value]
    return _plain(value)


def _shown(key: Any) -> str:
    return f'"{key}"' if isinstance(key, str) else str(key).lower()


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | str | float):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, Timestamp):
        return show_timestamp(value)
    if isinstance(value, Duration):
        return show_duration(value)
    if isinstance(value, TypeValue):
        raise Unwritable("type conversion not supported for 'type'")
    raise Unwritable(f"type conversion error from '{type_name(value).rsplit('.', 1)[-1]}' to '*structpb.Value'")


def json_of(value: Any) -> Any:
    """The value of an operation. Raises Unwritable."""
    if isinstance(value, ObjectValue) and value.type_name == JSON_PATCH.name:
        raise Unwritable("cannot convert to native type: *structpb.Value")
    if isinstance(value, dict):
        return {_key(key): json_of(item) for key, item in value.items()}
    if isinstance(value, list):
        return [json_of(item) for item in value]
    if isinstance(value, Optional):
        if not value.present:
            raise Unwritable("optional.none() dereference")
        return json_of(value.value)
    if isinstance(value, int) and not isinstance(value, bool) and not -_SAFE <= value <= _SAFE:
        return str(int(value))
    return _plain(value)


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise Unwritable(f"unsupported type conversion from '{type_name(key)}' to string")
    return key

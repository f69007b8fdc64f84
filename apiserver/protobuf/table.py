"""The facts of the wire: for every message of v1.34 its fields, made by `tests/go` from upstream's Go types.

A type is a scalar (string, bytes, bool, int32, int64, float64), `[]T`, `map<K,V>`, `items<T>` (a named list, which is a
message of its own on the wire) or the name of a message, `core/v1.PodSpec`.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

_META = "meta/v1."
INLINE = "<inline>"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message, in the order of its Go struct, which is that of its JSON."""

    name: str  # in JSON, or INLINE for a message whose fields lie in the parent there
    number: int
    type: str
    optional: bool  # a pointer: on the wire only when it is there; the rest is always written
    kept: bool  # without omitempty: in JSON also when empty
    dropped: bool  # with omitzero: a message that is not in JSON when it is zero


@cache
def fields(message: str) -> tuple[Field, ...]:
    """The fields of a message."""
    return tuple(
        Field(name, number, type_, optional="p" in flags, kept="k" in flags, dropped="z" in flags)
        for name, number, type_, flags in _facts()["types"][message]
    )


def message_of(api_version: str, kind: str) -> str:
    """The message of a kind, "" when there is none. The options of requests come in any group's version."""
    facts = _facts()
    name: str = facts["kinds"].get(f"{api_version}/{kind}", _META + kind)
    return name if name in facts["types"] else ""


def speaks(api_version: str) -> bool:
    """Whether the kinds of a group's version have messages: all that are built in have, no custom one has."""
    return api_version in _versions()


@cache
def _versions() -> frozenset[str]:
    return frozenset(name.rpartition("/")[0] for name in _facts()["kinds"])


@cache
def _facts() -> Any:
    return msgspec.json.decode((files("apiserver.protobuf") / "fields.json").read_bytes())


#: The JSON of a value that was never set, for scalars and for messages that write their JSON themselves.
_ZEROS: dict[str, Any] = {
    "string": "",
    "bytes": None,
    "bool": False,
    "int32": 0,
    "int64": 0,
    "float64": 0,
    "meta/v1.Time": None,
    "meta/v1.MicroTime": None,
    "intstr.IntOrString": 0,
    "resource.Quantity": "0",
    "meta/v1.FieldsV1": None,
    "runtime.RawExtension": None,
    "apiextensions/v1.JSON": None,
    "apiextensions/v1.JSONSchemaPropsOrBool": False,
    "apiextensions/v1.JSONSchemaPropsOrArray": None,
    "apiextensions/v1.JSONSchemaPropsOrStringArray": None,
}


def is_scalar(type_: str) -> bool:
    """Whether a type is a text, a number, a truth or bytes."""
    return type_ in _ZEROS and "." not in type_


def is_special(type_: str) -> bool:
    """Whether a type is a message whose JSON is not that of its fields."""
    return type_ in _ZEROS and "." in type_


def zero(type_: str) -> Any:
    """The JSON of a value that was never set; None for lists and maps. Not for plain messages."""
    return _ZEROS.get(type_)

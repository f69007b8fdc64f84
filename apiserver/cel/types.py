"""CEL's types as the checker sees them, and how they are written in messages.

A `Type` is a value: two objects are the same type when their names are. `parse_type` and `parse_signature` read the
small language in which the libraries declare their functions (`list(T).indexOf(T) -> int`), so a declaration reads as
upstream documents it. Source of the rules: cel-go/common/types/types.go, cel-go/checker/format.go.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Property(NamedTuple):
    """A field of an object type: its name in the JSON tree (unescaped), and its type."""

    name: str
    type: "Type"


@dataclass(frozen=True, slots=True)
class Type:
    kind: str
    name: str = ""
    params: tuple["Type", ...] = ()
    #: For objects: the fields by the name an expression uses. Not part of the identity, since names are unique.
    fields: Mapping[str, Property] = field(default_factory=dict, compare=False, repr=False)

    def __str__(self) -> str:
        if not self.params:
            return self.name
        return f"{self.name}({', '.join(map(str, self.params))})"

    @property
    def is_dynamic(self) -> bool:
        return self.kind in ("dyn", "error")


BOOL = Type("bool", "bool")
INT = Type("int", "int")
UINT = Type("uint", "uint")
DOUBLE = Type("double", "double")
STRING = Type("string", "string")
BYTES = Type("bytes", "bytes")
NULL = Type("null", "null")
DYN = Type("dyn", "dyn")
#: A value of any type, which is known at run time only: as DYN, under another name.
ANY = Type("dyn", "any")
ERROR = Type("error", "!error!")
TIMESTAMP = Type("timestamp", "timestamp")
DURATION = Type("duration", "duration")
TYPE = Type("type", "type")

_NAMED = {t.name: t for t in (BOOL, INT, UINT, DOUBLE, STRING, BYTES, NULL, DYN, TIMESTAMP, DURATION, TYPE)}

#: The names under which types are values in an expression (`type(x) == int`), with their types.
TYPE_NAMES: dict[str, Type] = {
    "bool": BOOL,
    "int": INT,
    "uint": UINT,
    "double": DOUBLE,
    "string": STRING,
    "bytes": BYTES,
    "null_type": NULL,
    "dyn": DYN,
    "google.protobuf.Timestamp": TIMESTAMP,
    "google.protobuf.Duration": DURATION,
    "type": TYPE,
}


_RUNTIME_NAMES = {type: name for name, type in TYPE_NAMES.items()}


def runtime_name(type: Type) -> str:
    """The name that values of a type have: without parameters, and in full."""
    return _RUNTIME_NAMES.get(type, type.name)


def list_of(element: Type) -> Type:
    """The type of lists of a type."""
    return Type("list", "list", (element,))


def map_of(key: Type, value: Type) -> Type:
    """The type of maps."""
    return Type("map", "map", (key, value))


def optional_of(value: Type) -> Type:
    """The type of an optional value of a type."""
    return Type("opaque", "optional_type", (value,))


def type_of(value: Type) -> Type:
    """The type of a type."""
    return Type("type", "type", (value,))


def opaque(name: str) -> Type:
    """A type with no structure that expressions could see."""
    return Type("opaque", name)


def object_type(name: str, fields: Mapping[str, Property]) -> Type:
    """A type with fields."""
    return Type("object", name, (), fields)


def unwrap_optional(type: Type) -> tuple[Type, bool]:
    """The type inside an optional one and True; any other as it is, and False."""
    if type.kind == "opaque" and type.name == "optional_type":
        return type.params[0], True
    return type, False


def signature(args: "list[Type] | tuple[Type, ...]", *, member: bool) -> str:
    """The arguments of a call as messages show them: `string.(int)`."""
    if member:
        return f"{args[0]}.({', '.join(map(str, args[1:]))})"
    return f"({', '.join(map(str, args))})"


class Signature(NamedTuple):
    name: str
    params: tuple[Type, ...]
    result: Type
    member: bool


_TOKEN = re.compile(r"->|[\w@.!]+|[(),]")


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens = _TOKEN.findall(text)
        self.at = 0

    def next(self) -> str:
        self.at += 1
        token: str = self.tokens[self.at - 1]
        return token

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def types(self) -> tuple[Type, ...]:
        """A list in parentheses."""
        found: list[Type] = []
        assert self.next() == "("
        while self.peek() != ")":
            found.append(self.type())
            if self.peek() == ",":
                self.next()
        self.next()
        return tuple(found)

    def type(self) -> Type:
        name = self.next()
        params = self.types() if self.peek() == "(" else ()
        if name in ("list", "map"):
            return Type(name, name, params)
        if name == "type":
            return Type("type", "type", params)
        if name in _NAMED:
            return _NAMED[name]
        if len(name) == 1 and name.isupper():
            return Type("param", name)
        return Type("opaque", name, params)


def parse_type(text: str) -> Type:
    """A type as it is written."""
    return _Reader(text).type()


def parse_signature(text: str) -> Signature:
    """`string.find(string) -> string` is a member, `+url(string) -> kubernetes.URL` (with a plus) a plain function."""
    head, result = text.rsplit(" -> ", 1)
    if head.startswith("+"):
        name, _, rest = head[1:].partition("(")
        return Signature(name, _Reader("(" + rest).types(), parse_type(result), member=False)
    reader = _Reader(_spaced(head))
    target = reader.type()
    name = reader.next()
    return Signature(name, (target, *reader.types()), parse_type(result), member=True)


def _spaced(head: str) -> str:
    """The dot between target and function becomes a space: it is the last one outside the argument list."""
    depth = 0
    for index in range(len(head) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(head[index], 0)
        if head[index] == "." and depth == 0:
            return f"{head[:index]} {head[index + 1 :]}"
    raise AssertionError(head)

"""OpenAPI v2 as protobuf: the encoding of gnostic's `openapi.v2.Document`, which client-go asks for.

A table says, for each message, the field number and form of each JSON key; one function encodes by it. What has no key
in the table is an extension (`x-...`), carried as YAML text. Source: google/gnostic-models/openapiv2/OpenAPIv2.proto.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
Encoder = Callable[[Any], bytes]
#: JSON key -> field number and encoder of its value; a repeated field where the encoder is in `_REPEATED`.
Fields = Mapping[str, tuple[int, str]]

_MESSAGES: dict[str, Fields] = {
    "document": {
        "swagger": (1, "text"),
        "info": (2, "info"),
        "host": (3, "text"),
        "basePath": (4, "text"),
        "schemes": (5, "texts"),
        "consumes": (6, "texts"),
        "produces": (7, "texts"),
        "paths": (8, "paths"),
        "definitions": (9, "schemas"),
        "parameters": (10, "parameter definitions"),
        "security": (12, "requirements"),
        "securityDefinitions": (13, "security"),
    },
    "info": {"title": (1, "text"), "version": (2, "text"), "description": (3, "text")},
    "path": {
        "get": (2, "operation"),
        "put": (3, "operation"),
        "post": (4, "operation"),
        "delete": (5, "operation"),
        "options": (6, "operation"),
        "head": (7, "operation"),
        "patch": (8, "operation"),
        "parameters": (9, "parameters"),
    },
    "operation": {
        "tags": (1, "texts"),
        "summary": (2, "text"),
        "description": (3, "text"),
        "operationId": (5, "text"),
        "produces": (6, "texts"),
        "consumes": (7, "texts"),
        "parameters": (8, "parameters"),
        "responses": (9, "responses"),
        "schemes": (10, "texts"),
        "deprecated": (11, "flag"),
    },
    "body": {
        "description": (1, "text"),
        "name": (2, "text"),
        "in": (3, "text"),
        "required": (4, "flag"),
        "schema": (5, "schema"),
    },
    "query": {
        "required": (1, "flag"),
        "in": (2, "text"),
        "description": (3, "text"),
        "name": (4, "text"),
        "type": (6, "text"),
        "format": (7, "text"),
        "uniqueItems": (20, "flag"),
    },
    "path parameter": {
        "required": (1, "flag"),
        "in": (2, "text"),
        "description": (3, "text"),
        "name": (4, "text"),
        "type": (5, "text"),
        "format": (6, "text"),
        "uniqueItems": (19, "flag"),
    },
    "response": {"description": (1, "text"), "schema": (2, "schema item")},
    "schema": {
        "$ref": (1, "text"),
        "format": (2, "text"),
        "title": (3, "text"),
        "description": (4, "text"),
        "default": (5, "any"),
        "maximum": (7, "number"),
        "minimum": (9, "number"),
        "maxLength": (11, "integer"),
        "minLength": (12, "integer"),
        "pattern": (13, "text"),
        "maxItems": (14, "integer"),
        "minItems": (15, "integer"),
        "uniqueItems": (16, "flag"),
        "required": (19, "texts"),
        "enum": (20, "anys"),
        "additionalProperties": (21, "additional"),
        "type": (22, "types"),
        "items": (23, "items"),
        "allOf": (24, "schema list"),
        "properties": (25, "schemas"),
    },
    "api key": {"type": (1, "text"), "name": (2, "text"), "in": (3, "text"), "description": (4, "text")},
}
#: The number of `vendor_extension` in each message.
_EXTENSIONS = {"document": 16, "info": 7, "path": 10, "operation": 13, "body": 6, "response": 5, "schema": 31}


def encode(document: Mapping[str, Any]) -> bytes:
    """The document's bytes."""
    return _message("document", document)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _delimited(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _message(name: str, tree: Mapping[str, Any]) -> bytes:
    parts: list[bytes] = []
    fields = _MESSAGES[name]
    extension = _EXTENSIONS.get(name)
    for key, value in tree.items():
        if (known := fields.get(key)) is not None:
            parts += _field(known[0], known[1], value)
        elif extension is not None and key.startswith("x-"):
            parts.append(_delimited(extension, _named(key, _any(value))))
    return b"".join(parts)


def _field(number: int, form: str, value: Any) -> Iterator[bytes]:
    """One key's bytes: a scalar, a message, or one of each element of a list."""
    if form == "text":
        yield _delimited(number, str(value).encode())
    elif form == "flag":
        yield _varint(number << 3) + _varint(int(bool(value)))
    elif form == "integer":
        yield _varint(number << 3) + _varint(int(value))
    elif form == "number":
        yield _varint(number << 3 | 1) + struct.pack("<d", value)
    elif form == "texts":
        yield from (_delimited(number, str(text).encode()) for text in value)
    elif form in ("anys", "schema list", "parameters", "requirements"):
        yield from (_delimited(number, _SPECIAL[form](element)) for element in value)
    elif form in _SPECIAL:
        yield _delimited(number, _SPECIAL[form](value))
    else:
        yield _delimited(number, _message(form, value))


def _named(name: str, value: bytes) -> bytes:
    """Gnostic's maps: repeated messages of a name and a value."""
    return _delimited(1, name.encode()) + _delimited(2, value)


def _any(value: Any) -> bytes:
    """An Any holds YAML text, and JSON is YAML."""
    return _delimited(2, msgspec.json.encode(value))


def _schemas(trees: Mapping[str, Any]) -> bytes:
    return b"".join(_delimited(1, _named(name, _message("schema", tree))) for name, tree in trees.items())


def _paths(trees: Mapping[str, Any]) -> bytes:
    return b"".join(_delimited(2, _named(name, _message("path", tree))) for name, tree in trees.items())


def _responses(trees: Mapping[str, Any]) -> bytes:
    values = ((code, _delimited(1, _message("response", tree))) for code, tree in trees.items())
    return b"".join(_delimited(1, _named(code, value)) for code, value in values)


def _parameter(tree: Mapping[str, Any]) -> bytes:
    """ParametersItem > a JsonReference, or a Parameter."""
    if "$ref" in tree:
        return _delimited(2, _delimited(1, tree["$ref"].encode()))
    return _delimited(1, _one_parameter(tree))


def _one_parameter(tree: Mapping[str, Any]) -> bytes:
    """Parameter > BodyParameter, or NonBodyParameter > the message of its place."""
    if tree["in"] == "body":
        return _delimited(1, _message("body", tree))
    number, message = (3, "query") if tree["in"] == "query" else (4, "path parameter")
    return _delimited(2, _delimited(number, _message(message, tree)))


def _parameter_definitions(trees: Mapping[str, Any]) -> bytes:
    return b"".join(_delimited(1, _named(name, _one_parameter(tree))) for name, tree in trees.items())


def _additional(value: Any) -> bytes:
    if isinstance(value, bool):
        return _varint(2 << 3) + _varint(int(value))
    return _delimited(1, _message("schema", value))


def _security(trees: Mapping[str, Any]) -> bytes:
    """SecurityDefinitions: the only kind served is an API key (item 2 of the union)."""
    values = ((name, _delimited(2, _message("api key", tree))) for name, tree in trees.items())
    return b"".join(_delimited(1, _named(name, value)) for name, value in values)


def _requirement(tree: Mapping[str, Any]) -> bytes:
    return b"".join(
        _delimited(1, _named(name, b"".join(_delimited(1, scope.encode()) for scope in scopes)))
        for name, scopes in tree.items()
    )


def _types(value: Any) -> bytes:
    names = value if isinstance(value, list) else [value]
    return b"".join(_delimited(1, str(name).encode()) for name in names)


def _schema(tree: Mapping[str, Any]) -> bytes:
    return _message("schema", tree)


_SPECIAL: dict[str, Encoder] = {
    "any": _any,
    "anys": _any,
    "schemas": _schemas,
    "schema list": _schema,
    "schema item": lambda tree: _delimited(1, _schema(tree)),
    "items": lambda tree: _delimited(1, _schema(tree)),
    "additional": _additional,
    "types": _types,
    "paths": _paths,
    "responses": _responses,
    "parameters": _parameter,
    "parameter definitions": _parameter_definitions,
    "security": _security,
    "requirements": _requirement,
}

"""The OpenAPI definitions of Kubernetes v1.34, and decoding by them: what a typed Go struct would keep of a tree.

`decode_object` walks tree and schema once. Fields that no definition knows are dropped and reported, mistyped ones are
a 400 in the words of Go's decoder, nulls and empty optional values vanish as `omitempty` makes them vanish, quantities
and times become canonical. The result shares no container with the input. Values are not judged here: enums, ranges,
and required fields are validation's. A definition is compiled to closures on first use; a Pod costs tens of
microseconds. Definitions come from the kubernetes-validate wheel, facts about Go's types from `go_types`, `go_zeros`.
Source of the wording: encoding/json, sigs.k8s.io/json, apiserver/pkg/endpoints/handlers/rest.go.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from apimachinery.errors import REQUIRED, ApiError, FieldError, bad_request
from apimachinery.fields import Mistyped, Rule, Unknown, compiled_struct, is_container, short
from apimachinery.go_zeros import ALWAYS
from apimachinery.kinds import Kind
from apimachinery.strict_json import MAX_PROBLEMS
from apimachinery.types import Json

_FILE = "kubernetes-json-schema/v1.34.0-local/_definitions.json"
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_SELECTOR = "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector"
#: Structs without fields, which their definitions do not tell from raw JSON.
_EMPTY = ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresourceStatus",)
DELETE_OPTIONS = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"


class _Definitions(Mapping[str, Json]):
    """The definitions by name, read (10 ms, 4 MB) when the first one is asked for."""

    def __getitem__(self, name: str) -> Json:
        return _loaded()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_loaded())

    def __len__(self) -> int:
        return len(_loaded())


DEFINITIONS: Mapping[str, Json] = _Definitions()


@cache
def _loaded() -> dict[str, Json]:
    path = _wheel() / _FILE
    definitions: dict[str, Json] = json.loads(path.read_bytes())["$defs"]
    for name in _EMPTY:
        definitions[name]["properties"] = {}
    return definitions


@cache
def _by_kind() -> dict[tuple[str, str, str], str]:
    """Group, version and kind to the name of a definition."""
    found: dict[tuple[str, str, str], str] = {}
    for name, schema in _loaded().items():
        for row in schema.get("x-kubernetes-group-version-kind", ()):
            found.setdefault((row["group"], row["version"], row["kind"]), name)
    return found


def _wheel() -> Path:
    """Where the schemas lie. The wheel's own module is not imported: its validator would cost a tenth of a second."""
    spec = find_spec("kubernetes_validate")
    assert spec is not None, "kubernetes_validate is not installed"
    assert spec.origin is not None, spec
    return Path(spec.origin).parent


def definition(kind: Kind) -> str | None:
    """The name of the definition of a kind, None for a kind that has none (custom resources)."""
    return definition_of(kind.group, kind.version, kind.kind)


def definition_of(group: str, version: str, kind: str) -> str | None:
    """The same for kinds that are no resource of their own: Scale, Eviction, DeleteOptions, Status, lists."""
    return _by_kind().get((group, version, kind))


def target(schema: Json) -> str | None:
    """The definition that a schema refers to."""
    reference = schema.get("$ref")
    return str(reference).rsplit("/", 1)[-1] if reference else None


def resolved(schema: Json) -> Json:
    """The schema itself or, where it only refers to a definition, that definition."""
    name = target(schema)
    return _loaded()[name] if name else schema


def decode_object(kind: Kind, tree: Json, *, strict: bool) -> tuple[Json, list[str]]:
    """The tree as the kind's Go type keeps it, and the unknown fields (`unknown field "spec.foo"`) when `strict`.

    Raises ApiError 400 for a mistyped field. A kind without a definition is given back as it is.
    """
    decoded, unknown, _ = decode_noting(kind, tree, strict=strict)
    return decoded, unknown


def decode_noting(kind: Kind, tree: Json, *, strict: bool) -> tuple[Json, list[str], bool]:
    """The same, and whether there was a list or a map that was empty."""
    name = definition(kind)
    if name is None:
        return tree, [], False
    unknown = Unknown()
    try:
        decoded = rule(name)(tree, unknown)
    except Mistyped as error:
        raise cannot_be_handled(kind, str(error)) from error
    return decoded, unknown_fields(name, tree) if strict and unknown else [], unknown.holds_empty


def has_empty(kind: Kind, sent: Any, made: Any, field: str) -> bool:
    """Whether a list or a map in a field was sent empty, and nothing else was made of it."""
    name = definition(kind)
    return name is not None and _has_empty(_loaded()[name]["properties"][field], sent, made)


def _has_empty(schema: Json, sent: Any, made: Any) -> bool:
    if not sent:
        return sent is not None and not made and is_container(schema)
    schema = resolved(schema)
    if isinstance(sent, list):
        pairs = zip(sent, made, strict=False) if isinstance(made, list) else ()
        return any(_has_empty(schema.get("items", {}), *pair) for pair in pairs)
    if not isinstance(sent, dict) or not isinstance(made, dict):
        return False
    properties, more = schema.get("properties", {}), schema.get("additionalProperties")
    rest = more if isinstance(more, dict) else {}
    return any(_has_empty(properties.get(name, rest), item, made.get(name)) for name, item in sent.items())


def with_empties(kind: Kind, sent: Json, made: Json, fields: Collection[str]) -> Json:
    """What was made of an object, with the lists and maps again that were sent empty in these fields, and left out.

    But for those in selectors, which no rule tells from none, and which are shown without.
    """
    name = definition(kind)
    if name is None:
        return made
    properties = _loaded()[name]["properties"]
    return made | {
        field: found
        for field in fields
        if field in sent
        and field in properties
        and (found := _with_empties(properties[field], sent[field], made.get(field))) is not None
    }


def _with_empties(schema: Json, sent: Any, made: Any) -> Any:
    if not sent:
        return sent if made is None and sent is not None and is_container(schema) else made
    if target(schema) == _SELECTOR:
        return made
    schema = resolved(schema)
    if isinstance(sent, list) and isinstance(made, list) and len(sent) == len(made):
        items = schema.get("items", {})
        return [_with_empties(items, *pair) for pair in zip(sent, made, strict=True)]
    if not isinstance(sent, dict) or not isinstance(made, dict):
        return made
    properties, more = schema.get("properties", {}), schema.get("additionalProperties")
    rest = more if isinstance(more, dict) else {}
    found = dict(made)
    for name, item in sent.items():
        inner = _with_empties(properties.get(name, rest), item, made.get(name))
        if inner is not None:
            found[name] = inner
    return found


def complete_status(kind: Kind, tree: Json) -> Json:
    """The tree with an empty status, as Go writes it, where the kind has one and the tree has none."""
    name = definition(kind)
    if name is not None and "status" not in tree and "status" in ALWAYS.get(short(name), {}):
        tree["status"] = rule(target(_loaded()[name]["properties"]["status"]) or name)({}, Unknown())
    return tree


def decode_definition(name: str, tree: Any, *, strict: bool) -> tuple[Json, list[str]]:
    """The same by the name of a definition. Raises Mistyped, with Go's words alone."""
    unknown = Unknown()
    decoded = rule(name)(tree, unknown)
    return decoded, unknown_fields(name, tree) if strict and unknown else []


def cannot_be_handled(kind: Kind, why: str) -> ApiError:
    """The 400 for a body that is no object of its kind."""
    return bad_request(f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}')


def strict_error(problems: list[str]) -> str:
    """All that strict decoding found, in one text."""
    return f"strict decoding error: {', '.join(problems)}"


@cache
def rule(name: str) -> Rule:
    """The compiled decoder of a definition."""
    return compiled_struct(name, _loaded()[name], rule_of=rule, schema_of=_loaded().__getitem__)


def check_fields(kind: Kind, tree: Json) -> list[str]:
    """`unknown field "spec.foo"` for every field that the kind does not know, in the order of the document."""
    name = definition(kind)
    return unknown_fields(name, tree) if name else []


def unknown_fields(name: str, tree: Any) -> list[str]:
    """The same by the name of a definition; at most as many as upstream reports."""
    found = []
    for path in _unknown({"$ref": name}, tree, ""):
        found.append(f'unknown field "{path}"')
        if len(found) == MAX_PROBLEMS:
            break
    return found


def _unknown(schema: Json, node: Any, path: str) -> Iterator[str]:
    schema = resolved(schema)
    if isinstance(node, list):
        items = schema.get("items")
        for i, item in enumerate(node):
            yield from _unknown(items or {}, item, f"{path}[{i}]")
    elif isinstance(node, dict):
        dot = f"{path}." if path else ""
        properties, more = schema.get("properties"), schema.get("additionalProperties")
        for key, item in node.items():
            if properties and key in properties:
                yield from _unknown(properties[key], item, dot + key)
            elif isinstance(more, dict):
                yield from _unknown(more, item, dot + key)
            elif properties is not None and not is_open(schema):
                yield dot + key


def is_open(schema: Json) -> bool:
    """Whether an object may have fields beyond its properties."""
    return schema.get("x-kubernetes-preserve-unknown-fields") is True or schema.get("additionalProperties") is True


def required_missing(kind: Kind, tree: Json) -> list[FieldError]:
    """The required fields that are not there. Go's structs do not mind; this is for checks of one's own."""
    name = definition(kind)
    return list(_missing({"$ref": name}, tree, "")) if name else []


def _missing(schema: Json, node: Any, path: str) -> Iterator[FieldError]:
    schema = resolved(schema)
    if isinstance(node, list):
        for i, item in enumerate(node):
            yield from _missing(schema.get("items", {}), item, f"{path}[{i}]")
    elif isinstance(node, dict):
        dot = f"{path}." if path else ""
        properties, more = schema.get("properties", {}), schema.get("additionalProperties")
        for key in schema.get("required", ()):
            if node.get(key) is None:
                yield FieldError(dot + key, REQUIRED)
        for key, item in node.items():
            if key in properties:
                yield from _missing(properties[key], item, dot + key)
            elif isinstance(more, dict):
                yield from _missing(more, item, dot + key)

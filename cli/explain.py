"""`pykubectl explain`: what a field means, from the server's OpenAPI v3. Source: kubectl/pkg/explain/v2."""

import sys
import textwrap
from typing import Annotated

import typer

from apimachinery.kinds import Kind
from apimachinery.types import Json
from cli.flags import UsageError
from cli.options import Words
from cli.resources import catalog
from cli.session import Session, run

_PREFIX = "#/components/schemas/"


def explain(
    words: Words = None,
    recursive: Annotated[bool, typer.Option("--recursive", help="Fields of fields as well, names only.")] = False,
    api_version: Annotated[str, typer.Option("--api-version", help="GROUP/VERSION")] = "",
    output: Annotated[str, typer.Option("--output", "-o", help="plaintext|plaintext-openapiv2")] = "plaintext",
) -> None:
    """Describe the fields of a kind."""
    given = words or []
    if not given:
        raise UsageError(
            'You must specify the type of resource to explain. Use "pykubectl api-resources" for a complete list of '
            "supported resources."
        )
    if len(given) > 1:
        raise UsageError("We accept only this format: explain RESOURCE")
    if output not in ("plaintext", "plaintext-openapiv2"):
        raise UsageError(f"unrecognized format: {output}")

    async def work(session: Session) -> None:
        known = await catalog(session)
        resource, _, rest = given[0].partition(".")
        fields = [each for each in rest.split(".") if each]
        kind = known.find(resource)
        while fields and any(
            each.plural == kind.plural and each.group.split(".")[0] == fields[0] for each in known.kinds
        ):
            group = ".".join(fields)
            match = next(
                (
                    each
                    for each in known.kinds
                    if each.plural == kind.plural and group.startswith(each.group) and each.group
                ),
                None,
            )
            if match is None:
                break
            kind, fields = match, [each for each in group.removeprefix(match.group).split(".") if each]
        if api_version:
            kind = next(
                (each for each in known.kinds if each.api_version == api_version and each.plural == kind.plural), kind
            )
            if kind.api_version != api_version:
                raise UsageError(f'couldn\'t find resource for "{api_version}, Resource={kind.plural}"')
        path = f"/openapi/v3/{'apis/' + kind.group if kind.group else 'api'}/{kind.version}"
        schemas = (await session.get_json(path))["components"]["schemas"]
        sys.stdout.write(explained(kind, schemas, fields, recursive=recursive))

    run(work)


def explained(kind: Kind, schemas: Json, fields: list[str], *, recursive: bool) -> str:
    """The text for a kind or one of its fields. Pure."""
    schema = _of_kind(kind, schemas)
    field: Json = {}
    for name in fields:
        properties = _properties(schema, schemas)
        if name not in properties:
            group = [f"GROUP:      {kind.group}"] if kind.group else []
            print("\n".join([*group, f"KIND:       {kind.kind}", f"VERSION:    {kind.version}", ""]))
            raise UsageError(f'field "{name}" does not exist')
        field = properties[name]
        schema = _target(field, schemas)
    lines = [f"GROUP:      {kind.group}"] if kind.group else []
    lines += [f"KIND:       {kind.kind}", f"VERSION:    {kind.version}", ""]
    shown = _properties(schema, schemas)
    if fields:
        lines += [f"FIELD: {fields[-1]} <{type_name(field, schemas)}>", *_enum(field), "", ""]
    lines.append("DESCRIPTION:")
    texts = [each for each in (field.get("description"), schema.get("description")) if each]
    for text in dict.fromkeys(texts or ["<empty>"]):
        lines += [*_wrapped(text, 4)]
    lines.append("    ")
    if shown:
        lines.append("FIELDS:")
        lines += _fields(schema, schemas, recursive=recursive, level=1)
    return "\n".join(lines) + "\n\n"


def _of_kind(kind: Kind, schemas: Json) -> Json:
    wanted = {"group": kind.group, "kind": kind.kind, "version": kind.version}
    for schema in schemas.values():
        if wanted in schema.get("x-kubernetes-group-version-kind", ()):
            found: Json = schema
            return found
    raise UsageError(f'couldn\'t find resource for "{kind.api_version}, Kind={kind.kind}"')


def _target(field: Json, schemas: Json) -> Json:
    """The schema behind references, lists and maps."""
    if "$ref" in field:
        return _target(schemas[field["$ref"].removeprefix(_PREFIX)], schemas)
    for key in ("allOf", "oneOf", "anyOf"):
        if len(field.get(key) or ()) >= 1 and not field.get("properties") and "$ref" in field[key][0]:
            return _target(field[key][0], schemas)
    if field.get("type") == "array" and field.get("items"):
        return _target(field["items"], schemas)
    if isinstance(field.get("additionalProperties"), dict):
        return _target(field["additionalProperties"], schemas)
    return field


def _properties(schema: Json, schemas: Json) -> Json:
    found: Json = _target(schema, schemas).get("properties") or {}
    return found


def type_name(field: Json, schemas: Json) -> str:
    """`string`, `[]Container`, `map[string]string`, `ObjectMeta`."""
    if "$ref" in field:
        name = field["$ref"].removeprefix(_PREFIX)
        target = schemas[name]
        plain = target.get("type")
        if plain in (None, "object") or not plain:
            if "oneOf" in target or not target.get("properties"):
                return _shown_ref(name, target)
            return str(name.rpartition(".")[2])
        return str(plain) if not target.get("properties") else name.rpartition(".")[2]
    for key in ("allOf", "oneOf", "anyOf"):
        if len(field.get(key) or ()) == 1:
            return type_name(field[key][0], schemas)
    if field.get("type") == "array":
        return f"[]{type_name(field.get('items') or {}, schemas)}"
    if isinstance(field.get("additionalProperties"), dict):
        return f"map[string]{type_name(field['additionalProperties'], schemas)}"
    return str(field.get("type") or "Object")


def _shown_ref(name: str, target: Json) -> str:
    return str(name.rpartition(".")[2]) if target else "Object"


def _enum(field: Json) -> list[str]:
    if not field.get("enum"):
        return []
    values = ", ".join('""' if value == "" else str(value) for value in field["enum"])
    return (
        ["ENUM:\n    " + "\n    ".join(str(value) if value != "" else '""' for value in field["enum"])]
        if values
        else []
    )


def _fields(schema: Json, schemas: Json, *, recursive: bool, level: int, seen: tuple[str, ...] = ()) -> list[str]:
    target = _target(schema, schemas)
    required = target.get("required") or ()
    lines = []
    for name, field in sorted((target.get("properties") or {}).items()):
        mark = " -required-" if name in required else ""
        type_ = type_name(field, schemas)
        lines.append(f"{'  ' * level}{name}\t<{type_}>{mark}")
        inner = _target(field, schemas)
        if recursive:
            lines += [f"{'  ' * level}{line}" for line in _short_enum(field)]
            if inner.get("properties") and type_ not in seen:
                lines += _fields(field, schemas, recursive=True, level=level + 1, seen=(*seen, type_))
            continue
        lines += [f"{'  ' * level}{line}" for line in _short_enum(field)]
        lines += _wrapped(field.get("description") or inner.get("description") or "<no description>", 2 + 2 * level)
        lines.append("")
    return lines


def _short_enum(field: Json) -> list[str]:
    if not field.get("enum"):
        return []
    values = ", ".join('""' if value == "" else str(value) for value in field["enum"])
    return [f"enum: {values}"]


def _wrapped(text: str, indent: int) -> list[str]:
    lines = []
    for paragraph in text.split("\n"):
        parts = textwrap.wrap(paragraph, 80 - indent, break_long_words=False, break_on_hyphens=False)
        lines += [" " * indent + part for part in parts or [""]]
    return lines

"""Values against a schema: type, enum, ranges, patterns, formats, required fields, unions; every violation at once.

A schema is compiled once to closures, which know their place by the path they are called with. Each adds its violations
to a list and gives the number of checks that held: of several alternatives, the one that holds most is reported, as
upstream does it. An old value ratchets: what was wrong before and is unchanged is let through.

Kept as upstream is, though odd: all checks run whatever the type, by the value's type; a list passes for a string with
a format; numbers are compared with an enum after conversion; null is in no enum.
Source: kube-openapi/pkg/validation/{validate,errors}, apiextensions-apiserver/pkg/apiserver/validation.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from apimachinery.errors import (
    INVALID,
    NOT_SUPPORTED,
    REQUIRED,
    TOO_LONG,
    TOO_MANY,
    TYPE_INVALID,
    FieldError,
    go_number,
    not_supported,
)
from apimachinery.trees import same
from apimachinery.types import Json
from apiserver.structural import formats, patterns
from apiserver.structural.correlation import Correlation
from apiserver.structural.node import INT_OR_STRING, normal_numbers

#: (value, path, what it was, errors) -> how many checks held.
Check: TypeAlias = Callable[[Any, str, "Correlation | None", list[FieldError]], int]
#: The path of problems that upstream ties to no field.
NOWHERE = "<nil>"
_LEAST_INT = -(2**63)


class Validator:
    """A compiled schema."""

    def __init__(self, schema: Json, *, of_defaults: bool = False) -> None:
        self._check = compiled(_as_of_defaults(schema) if of_defaults else _without_unknown_formats(schema))

    def check(self, value: Any, *, prefix: str = "", was: Correlation | None = None) -> list[FieldError]:
        """Every violation, each once. `prefix` is where the value lies in its object."""
        found: list[FieldError] = []
        self._check(value, "", was, found)
        if not found:
            return found
        return list({str(error): error for error in (_placed(error, prefix) for error in found)}.values())


def _placed(error: FieldError, prefix: str) -> FieldError:
    path = error.path.removeprefix(".")
    where = f"{prefix}.{path}" if prefix and path else path or prefix or NOWHERE
    return FieldError(where, error.kind, error.detail, error.value)


def _as_of_defaults(schema: Json) -> Json:
    """The schema as defaults are judged by it: there upstream does not hold an int-or-string to be one of the two.

    Formats that are not known stay: nothing has them, but what is no text is measured by them.
    """
    return _rebuilt(schema, lambda own: {name: item for name, item in own.items() if name != INT_OR_STRING})


def _without_unknown_formats(schema: Json) -> Json:
    return _rebuilt(schema, _known_format)


def _known_format(own: Json) -> Json:
    if formats.is_known(own.get("format") or ""):
        return own
    return {name: item for name, item in own.items() if name != "format"}


def _rebuilt(schema: Json, change: Callable[[Json], Json]) -> Json:
    """A schema in which it and all schemas below have been changed; what else is in it stays as it is."""
    made = change(schema)
    for name in _SCHEMAS_BY_NAME & made.keys():
        made = {**made, name: {key: _rebuilt(child, change) for key, child in (made[name] or {}).items()}}
    for name in _LISTS_OF_SCHEMAS & made.keys():
        made = {**made, name: [_rebuilt(child, change) for child in made[name] or ()]}
    for name in _SINGLE_SCHEMAS & made.keys():
        if isinstance(made[name], dict):
            made = {**made, name: _rebuilt(made[name], change)}
    return made


_SCHEMAS_BY_NAME = frozenset({"properties"})
_LISTS_OF_SCHEMAS = frozenset({"allOf", "anyOf", "oneOf"})
_SINGLE_SCHEMAS = frozenset({"items", "additionalProperties", "not"})


def compiled(schema: Json) -> Check:
    """The check of a schema and all below it.

    What it counts decides only which of several alternatives is reported. Upstream counts one for each validator that
    has run, whether or not it had anything to object to: the numbers below are how many those are for a value of that
    type.
    """
    types = _types(schema)
    measure = schema.get("format") or ""
    format_ = measure if formats.is_known(measure) else ""
    type_check = _type_check(types, measure, nullable=bool(schema.get("nullable")))
    enum = schema.get("enum") or ()
    unions = _unions(schema)
    text_check, number_check = _text_check(schema, format_), _number_check(schema)
    list_check, object_check = _list_check(schema), _object_check(schema)
    has_type = bool(types or measure)

    def check(value: Any, path: str, was: Correlation | None, errors: list[FieldError]) -> int:
        before = len(errors)
        held = 0
        if value is None:
            held += type_check(value, path, errors)
            if enum:
                errors.append(_enum_error(path, None, enum))
        else:
            if has_type:
                held += type_check(value, path, errors) + 1
            held += unions(value, path, was, errors) + 2 if unions is not None else 2
            kind = value.__class__
            if kind is str:
                held += text_check(value, path, errors)
            elif kind is dict:
                held += object_check(value, path, was, errors) + 1
            elif kind is list:
                held += list_check(value, path, was, errors) + 2
            elif kind is not bool:
                number_check(value, path, errors)
                held += 2
            if enum and not _in_enum(value, enum):
                errors.append(_enum_error(path, value, enum))
            held += 2
        if len(errors) > before and was is not None and was.equal():
            del errors[before:]
        return held

    return check


def _types(schema: Json) -> tuple[str, ...]:
    if schema.get(INT_OR_STRING):
        return ("integer", "string")
    return (schema["type"],) if schema.get("type") else ()


def _invalid(path: str, value: Any, detail: str) -> FieldError:
    return FieldError(path, INVALID, f"{path} in body {detail}", value)


def _wrong_type(path: str, wanted: str, found: str) -> FieldError:
    why = f"{path} in body must be of type {wanted}: {_quoted(found)}"
    return FieldError(path, TYPE_INVALID, why, found)


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


_JSON_TYPES = {
    bool: ("boolean", ""),
    str: ("string", ""),
    int: ("integer", "int64"),
    float: ("number", "float64"),
    list: ("array", ""),
    dict: ("object", ""),
}


def _type_check(types: tuple[str, ...], format_: str, *, nullable: bool) -> Callable[[Any, str, list[FieldError]], int]:
    wanted = ",".join(types)
    numeric = "number" in types or "integer" in types

    def check(value: Any, path: str, errors: list[FieldError]) -> int:
        if value is None:
            if types and "null" not in types and not nullable:
                errors.append(_wrong_type(path, wanted, "null"))
                return 0
            return 1
        found, found_format = _JSON_TYPES[value.__class__]
        if found in types:
            return 1
        fits = (found == "number" and value.is_integer() and "integer" in types) or (
            found == "integer" and "number" in types
        )
        of_text = found in ("string", "array")
        if not of_text and format_ and not fits:
            errors.append(_wrong_type(path, format_, found_format))
            return 0
        if fits or (not numeric and format_ and of_text):
            return 1
        errors.append(_wrong_type(path, wanted, found))
        return 0

    return check


def _in_enum(value: Any, enum: Sequence[Any]) -> bool:
    if value.__class__ in (int, float):
        for allowed in enum:
            if allowed.__class__ is int and int(value) == allowed:
                return True
            if allowed.__class__ is float and float(value) == allowed:
                return True
        return False
    return any(allowed is not None and same(value, allowed) for allowed in enum)


def _enum_error(path: str, value: Any, enum: Sequence[Any]) -> FieldError:
    shown = normal_numbers(list(enum))
    texts = [allowed if isinstance(allowed, str) else msgspec.json.encode(allowed).decode() for allowed in shown]
    return not_supported(path, value, texts)


def _text_check(schema: Json, format_: str) -> Callable[[str, str, list[FieldError]], int]:
    longest, shortest, pattern = schema.get("maxLength"), schema.get("minLength"), schema.get("pattern") or ""
    if longest is None and shortest is None and not pattern and not format_:
        return lambda _value, _path, _errors: 1

    def check(value: str, path: str, errors: list[FieldError]) -> int:
        if longest is not None and len(value) > longest:
            unit = "byte" if longest == 1 else "bytes"
            errors.append(FieldError(path, TOO_LONG, f"may not be more than {longest} {unit}"))
        elif shortest is not None and len(value) < shortest:
            errors.append(_invalid(path, value, f"should be at least {shortest} chars long"))
        elif pattern and (why := _mismatch(pattern, value)):
            errors.append(_invalid(path, value, f"should match '{why}'"))
        if format_ and not formats.holds(format_, value):
            errors.append(_wrong_type(path, schema["format"], value))
        return 2 if format_ else 1

    return check


def _mismatch(pattern: str, value: str) -> str:
    """What a text should have matched; "" when it does."""
    try:
        return "" if patterns.matches(pattern, value) else pattern
    except patterns.BadPattern as error:
        return f"{pattern}, but pattern is invalid: {error}"


def _number_check(schema: Json) -> Callable[[Any, str, list[FieldError]], None]:
    factor, least, most = schema.get("multipleOf"), schema.get("minimum"), schema.get("maximum")
    above, below = bool(schema.get("exclusiveMinimum")), bool(schema.get("exclusiveMaximum"))

    def check(value: Any, path: str, errors: list[FieldError]) -> None:
        if factor is None and least is None and most is None:
            return
        of_kind = value.__class__  # an integer is compared with the bound's integer part
        if factor is not None and (problem := _multiple(value, of_kind(factor))):
            text = f"factor MultipleOf declared for {path} must be positive: {go_number(of_kind(factor))}"
            whole = FieldError(path, INVALID, text, of_kind(factor))
            errors.append(whole if problem == "factor" else _invalid(path, value, problem))
        if least is not None:
            bound = _bound(of_kind, least)
            if value < bound or (above and value == bound):
                word = "greater than" if above else "greater than or equal to"
                errors.append(_invalid(path, value, f"should be {word} {go_number(bound)}"))
        if most is not None:
            bound = _bound(of_kind, most)
            if value > bound or (below and value == bound):
                word = "less than" if below else "less than or equal to"
                errors.append(_invalid(path, value, f"should be {word} {go_number(bound)}"))

    return check


def _bound(of_kind: type, bound: float) -> Any:
    """A bound as what it is compared with: what fits no integer becomes the least one, as it does in Go."""
    if of_kind is int and not _LEAST_INT <= bound < -_LEAST_INT:
        return _LEAST_INT
    return of_kind(bound)


def _multiple(value: Any, factor: Any) -> str:
    if factor <= 0:
        return "factor"
    if value.__class__ is int:
        holds = value % factor == 0
    else:
        share = 1 / factor * value if factor < 1 else value / factor
        holds = abs(share - round(share)) <= 1e-9 * max(1.0, abs(share))
    return "" if holds else f"should be a multiple of {go_number(factor)}"


def _list_check(schema: Json) -> Check:
    items, least, most = schema.get("items"), schema.get("minItems"), schema.get("maxItems")
    item = compiled(items) if isinstance(items, dict) else None

    def check(value: list[Any], path: str, was: Correlation | None, errors: list[FieldError]) -> int:
        held = 0
        if item is not None:
            for i, inner in enumerate(value):
                held += item(inner, f"{path}[{i}]", was.index(i) if was is not None else None, errors)
        if least is not None and len(value) < least:
            errors.append(_invalid(path, len(value), f"should have at least {least} items"))
        if most is not None and len(value) > most:
            errors.append(_too_many(path, len(value), most))
        return held

    return check


def _too_many(path: str, count: int, most: int) -> FieldError:
    if most < 0:
        return FieldError(path, TOO_MANY, "has too many items", count)
    return FieldError(path, TOO_MANY, f"must have at most {most} {'item' if most == 1 else 'items'}", count)


def _object_check(schema: Json) -> Check:
    properties = {name: compiled(child) for name, child in (schema.get("properties") or {}).items()}
    more, needed = schema.get("additionalProperties"), tuple(schema.get("required") or ())
    values = compiled(more) if isinstance(more, dict) else None
    least, most = schema.get("minProperties"), schema.get("maxProperties")

    def check(value: Mapping[str, Any], path: str, was: Correlation | None, errors: list[FieldError]) -> int:
        held = 0
        if least is not None and len(value) < least:
            errors.append(_invalid(path, len(value), f"should have at least {least} properties"))
        if most is not None and len(value) > most:
            errors.append(_too_many(path, len(value), most))
        for name, item in value.items():
            child = properties.get(name)
            if child is not None:
                here = f"{path}.{name}" if path else name
                # What an object says it is cannot be ratcheted: old and new come converted to one version.
                follows = was is not None and (path or name not in ("kind", "apiVersion"))
                held += child(item, here, was.key(name) if was is not None and follows else None, errors)
            elif values is not None:
                held += values(item, f"{path}.{name}", was.key(name) if was is not None else None, errors)
            elif more is False:
                errors.append(FieldError(path, INVALID, f"{path}.{name} in body is a forbidden property", name))
        errors += [FieldError(f"{path}.{name}", REQUIRED) for name in needed if name not in value]
        return held

    return check


def _unions(schema: Json) -> Check | None:
    any_of, one_of, all_of = (
        [compiled(branch) for branch in schema.get(name) or ()] for name in ("anyOf", "oneOf", "allOf")
    )
    excluded = compiled(schema["not"]) if schema.get("not") is not None else None
    if not (any_of or one_of or all_of or excluded):
        return None

    def check(value: Any, path: str, was: Correlation | None, errors: list[FieldError]) -> int:
        held = 0
        if any_of:
            held += _any_of(any_of, value, path, was, errors)
        if one_of:
            held += _one_of(one_of, value, path, was, errors)
        if all_of:
            held += _all_of(all_of, value, path, was, errors)
        if excluded is not None:
            found: list[FieldError] = []
            excluded(value, path, was, found)
            if not found:
                errors.append(_of_union(path, "must not validate the schema (not)"))
        return held

    return check


def _of_union(path: str, text: str) -> FieldError:
    return FieldError("", INVALID, f"{_quoted(path)} {text}", "")


def _tried(
    branches: Sequence[Check], value: Any, path: str, was: Correlation | None
) -> list[tuple[int, list[FieldError]]]:
    found = []
    for branch in branches:
        errors: list[FieldError] = []
        found.append((branch(value, path, was, errors), errors))
    return found


def _best(results: Sequence[tuple[int, list[FieldError]]]) -> tuple[int, list[FieldError]]:
    """The failure in which the most checks held; the first of equals."""
    return max(results, key=lambda result: result[0])


def _any_of(branches: Sequence[Check], value: Any, path: str, was: Correlation | None, errors: list[FieldError]) -> int:
    results = []
    for branch in branches:
        found: list[FieldError] = []
        held = branch(value, path, was, found)
        if not found:
            return held
        results.append((held, found))
    held, found = _best(results)
    errors.append(_of_union(path, "must validate at least one schema (anyOf)"))
    errors += found
    return held


def _one_of(branches: Sequence[Check], value: Any, path: str, was: Correlation | None, errors: list[FieldError]) -> int:
    results = _tried(branches, value, path, was)
    valid = [held for held, found in results if not found]
    if len(valid) == 1:
        return valid[0]
    if valid:
        errors.append(
            _of_union(path, f"must validate one and only one schema (oneOf). Found {len(valid)} valid alternatives")
        )
        return 0
    errors.append(_of_union(path, "must validate one and only one schema (oneOf). Found none valid"))
    held, found = _best(results)
    errors += found
    return held


def _all_of(branches: Sequence[Check], value: Any, path: str, was: Correlation | None, errors: list[FieldError]) -> int:
    results = _tried(branches, value, path, was)
    valid = sum(not found for _, found in results)
    for _, found in results:
        errors += found
    if valid != len(results):
        errors.append(_of_union(path, f"must validate all the schemas (allOf){'' if valid else '. None validated'}"))
    return sum(held for held, _ in results)


#: Violations after which rules are not evaluated: the object's shape is not what they were written for.
BLOCKING = frozenset({NOT_SUPPORTED, REQUIRED, TOO_LONG, TOO_MANY, TYPE_INVALID})

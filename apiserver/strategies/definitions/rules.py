"""The rules in a schema: each compiles, says what it may, and compares only what can be compared.

They are looked at where nothing else is wrong with the schema they stand in, since a broken schema makes no types.
Source: apiextensions/validation/{validation,cel_validation}.go.
"""

from collections.abc import Sequence

import msgspec

from apimachinery.errors import INTERNAL_FIELD, FieldError
from apimachinery.types import Json
from apiserver.cel import schemas as cel_schemas
from apiserver.strategies.definitions import inner
from apiserver.strategies.problems import Problems, invalid
from apiserver.structural.node import EMBEDDED, LIST_TYPE, RULES
from apiserver.structural.rules import Rule, compiled_rule

_NO_TYPE = "internal error: failed to construct type information for x-kubernetes-validations rules"
_UNTYPED = f"internal error: {_NO_TYPE}: unable to convert structural schema to CEL declarations"


def check(path: str, schema: Json, broken: Sequence[str]) -> list[FieldError]:
    """What is wrong with the rules of a schema and those below. `broken` are the paths of its other problems."""
    return [*_check(path, schema, broken, uncorrelated="", is_root=True)]


def _check(path: str, schema: Json, broken: Sequence[str], *, uncorrelated: str, is_root: bool) -> Problems:
    more, items = schema.get("additionalProperties"), schema.get("items")
    if isinstance(more, dict):
        yield from _check(f"{path}.additionalProperties", more, broken, uncorrelated=uncorrelated, is_root=False)
    for name, child in (schema.get("properties") or {}).items():
        here = f"{path}.properties[{name}]"
        yield from _check(here, child, broken, uncorrelated=uncorrelated, is_root=False)
    if isinstance(items, dict):
        below = uncorrelated if schema.get(LIST_TYPE) == "map" else uncorrelated or path
        yield from _check(f"{path}.items", items, broken, uncorrelated=below, is_root=False)
    if schema.get(RULES) and not any(found.startswith(path) for found in broken):
        yield from _rules(f"{path}.{RULES}", schema, uncorrelated, is_root=is_root or bool(schema.get(EMBEDDED)))


def _rules(path: str, schema: Json, uncorrelated: str, *, is_root: bool) -> Problems:
    typed = cel_schemas.typed(schema, root=is_root)
    if typed is None:
        yield FieldError(path, INTERNAL_FIELD, _UNTYPED)
        return
    for i, source in enumerate(schema[RULES]):
        yield from _rule(f"{path}[{i}]", compiled_rule(source, typed, schema), uncorrelated)


def _rule(path: str, rule: Rule, uncorrelated: str) -> Problems:
    shown = msgspec.Raw(msgspec.json.encode(inner.rule_as_internal(rule.source)))
    if rule.error:
        yield invalid(f"{path}.rule", shown, rule.error)
    if rule.message_error:
        yield invalid(f"{path}.messageExpression", shown, rule.message_error)
    if rule.uses_old:
        if uncorrelated:
            why = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {uncorrelated}"
            yield invalid(f"{path}.rule", rule.source.get("rule"), why)
    elif rule.source.get("optionalOldSelf") is not None:
        why = "may not be set if oldSelf is not used in rule"
        yield invalid(f"{path}.optionalOldSelf", rule.source["optionalOldSelf"], why)

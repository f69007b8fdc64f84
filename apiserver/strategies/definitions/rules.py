"""The rules in a schema: each compiles, says what it may, and compares only what can be compared.

They are looked at where nothing else is wrong with the schema they stand in, since a broken schema makes no types.
What they can cost is bounded, each and together: that counts how often a place can be in an object.
Source: apiextensions/validation/{validation,cel_validation}.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec

from apimachinery.errors import FORBIDDEN_FIELD, INTERNAL_FIELD, FieldError
from apimachinery.types import Json
from apiserver.cel import schemas as cel_schemas
from apiserver.cel.estimates import MOST, worst
from apiserver.cel.sizes import Sized, sized
from apiserver.strategies.definitions import inner
from apiserver.strategies.problems import Problems, invalid
from apiserver.structural.node import EMBEDDED, LIST_TYPE, RULES
from apiserver.structural.rules import Rule, compiled_rule

#: What one expression can cost at most, and all those of a schema.
_RULE_LIMIT, _SCHEMA_LIMIT = 10_000_000, 100_000_000
_CONTRIBUTED = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
_ADVICE = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are "
    "declared)"
)
_NO_TYPE = "internal error: failed to construct type information for x-kubernetes-validations rules"
_UNTYPED = f"{_NO_TYPE}: unable to convert structural schema to CEL declarations"


@dataclass(slots=True)
class Total:
    """What the rules of a whole schema can cost."""

    cost: int = 0
    dearest: list[tuple[int, str]] = field(default_factory=list)

    def add(self, path: str, cost: int) -> None:
        """One more expression."""
        self.cost = min(self.cost + cost, MOST)
        if cost >= _SCHEMA_LIMIT // 100:
            self.dearest = sorted([*self.dearest, (cost, path)], key=lambda found: -found[0])[:4]

    def check(self, path: str) -> Problems:
        """Whether that is too much, and which rules it comes from."""
        if self.cost <= _SCHEMA_LIMIT:
            return
        for _, where in self.dearest:
            yield FieldError(where, FORBIDDEN_FIELD, _CONTRIBUTED)
        what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        yield FieldError(path, FORBIDDEN_FIELD, _too_much(what, self.cost, _SCHEMA_LIMIT))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the schema a walk is."""

    path: str
    uncorrelated: str = ""  # the list whose items cannot be found again
    count: int | None = 1  # how often it can be in an object; None: the schema does not say
    is_root: bool = False

    def below(self, schema: Json, name: str) -> "_Place":
        """A part of it."""
        return _Place(f"{self.path}.{name}", self.uncorrelated, _times(self.count, _elements(schema)))


def check(path: str, schema: Json, broken: Sequence[str], total: Total, *, is_new: bool = True) -> list[FieldError]:
    """What is wrong with the rules of a schema and those below.

    `broken` are the paths of its other problems. A schema that is not new may have single rules that cost too much.
    """
    return [*_Rules(broken=broken, total=total, is_new=is_new).walk(_Place(path, is_root=True), schema)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    """The check of one schema."""

    broken: Sequence[str]
    total: Total
    is_new: bool

    def walk(self, place: _Place, schema: Json) -> Problems:
        more, items = schema.get("additionalProperties"), schema.get("items")
        if isinstance(more, dict):
            yield from self.walk(place.below(schema, "additionalProperties"), more)
        for name, child in (schema.get("properties") or {}).items():
            yield from self.walk(place.below(schema, f"properties[{name}]"), child)
        if isinstance(items, dict):
            below = place.below(schema, "items")
            if schema.get(LIST_TYPE) != "map":
                below = replace(below, uncorrelated=place.uncorrelated or place.path)
            yield from self.walk(below, items)
        if schema.get(RULES) and not any(found.startswith(place.path) for found in self.broken):
            yield from self._here(place, schema)

    def _here(self, place: _Place, schema: Json) -> Problems:
        path, is_root = f"{place.path}.{RULES}", place.is_root or bool(schema.get(EMBEDDED))
        typed, size = cel_schemas.typed(schema, root=is_root), sized(schema, root=is_root)
        if typed is None or size is None:
            yield FieldError(path, INTERNAL_FIELD, _UNTYPED)
            return
        for i, source in enumerate(schema[RULES]):
            rule = compiled_rule(source, typed, schema)
            yield from self._costs(f"{path}[{i}]", rule, size, place.count)
            yield from _rule(f"{path}[{i}]", rule, place.uncorrelated)

    def _costs(self, path: str, rule: Rule, size: Sized, count: int | None) -> Problems:
        if rule.program is not None:
            cost = min(worst(rule.program, size) * (size.cardinality() if count is None else count), MOST)
            yield from self._cost(f"{path}.rule", "estimated rule cost", cost)
        if rule.message is not None:
            cost = worst(rule.message, size)
            yield from self._cost(f"{path}.messageExpression", "estimated messageExpression cost", cost)

    def _cost(self, path: str, what: str, cost: int) -> Problems:
        self.total.add(path, cost)
        if self.is_new and cost > _RULE_LIMIT:
            yield FieldError(path, FORBIDDEN_FIELD, _too_much(what, cost, _RULE_LIMIT))


def _elements(schema: Json) -> int | None:
    """How many parts of one kind there can be, None for any number."""
    limit: int | None = 1
    if schema.get("type") == "object" and schema.get("additionalProperties") is not None:
        limit = schema.get("maxProperties")
    elif schema.get("type") == "array":
        limit = schema.get("maxItems")
    return None if limit is None else max(limit, 0)


def _times(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else min(one * other, MOST)


def _too_much(what: str, cost: int, limit: int) -> str:
    factor = cost / limit
    shown = "more than 100x" if factor > 100 else f"{factor:f}x" if factor < 1.5 else f"{factor:.1f}x"
    return f"{what} exceeds budget by factor of {shown} {_ADVICE}"


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

"""Label and field selectors: parsing, matching, and their canonical text.

`parse_labels` reads the query syntax (`app=web,tier in (a,b),!old`), `from_label_selector` the `metav1.LabelSelector`
of objects, `parse_fields` the field syntax with its backslash escapes. All raise ValueError with upstream's text, which
the server sends as a 400. Selectors are immutable; `str()` gives the canonical text, requirements sorted by key.
Source: apimachinery/pkg/labels/selector.go, pkg/fields/selector.go, pkg/apis/meta/v1/helpers.go.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from apimachinery.errors import FORBIDDEN_FIELD, INVALID, REQUIRED, FieldError
from apimachinery.names import check_labels, label_value, qualified_name
from apimachinery.types import Json

IN, NOT_IN, EXISTS, NOT_EXISTS = "in", "notin", "exists", "!"
EQUAL, DOUBLE_EQUAL, NOT_EQUAL, GREATER, LESS = "=", "==", "!=", ">", "<"
_BINARY_OPERATORS = "in, notin, =, ==, !=, gt, lt"
_POSITIVE = (IN, EQUAL, DOUBLE_EQUAL)
_OPERATORS = {"In": IN, "NotIn": NOT_IN, "Exists": EXISTS, "DoesNotExist": NOT_EXISTS}
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        if self.operator in _POSITIVE:
            return value is not None and value in self.values
        if self.operator in (NOT_IN, NOT_EQUAL):
            return value is None or value not in self.values
        if self.operator == EXISTS:
            return value is not None
        if self.operator == NOT_EXISTS:
            return value is None
        if value is None or not _INTEGER.fullmatch(value):
            return False
        bound = int(self.values[0])
        return int(value) > bound if self.operator == GREATER else int(value) < bound

    def __str__(self) -> str:
        if self.operator == EXISTS:
            return self.key
        if self.operator == NOT_EXISTS:
            return f"!{self.key}"
        values = ",".join(sorted(self.values))
        if self.operator in (IN, NOT_IN):
            return f"{self.key} {self.operator} ({values})"
        return f"{self.key}{self.operator}{values}"


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements hold. Without any it selects everything, unless `nothing` is set."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    @property
    def is_everything(self) -> bool:
        return not self.requirements and not self.nothing

    def matches(self, labels: Mapping[str, str]) -> bool:
        if self.nothing:
            return False
        return all(requirement.matches(labels) for requirement in self.requirements)

    def __str__(self) -> str:
        return ",".join(str(requirement) for requirement in self.requirements)


EVERYTHING = LabelSelector()
NOTHING = LabelSelector(nothing=True)


def requirement(key: str, operator: str, values: Sequence[str]) -> Requirement:
    """A checked requirement. Raises ValueError with all that is wrong, as upstream aggregates it."""
    problems = [FieldError("key", INVALID, "; ".join(wrong), key)] if (wrong := qualified_name(key)) else []
    problems += _value_count(operator, values)
    for i, value in enumerate(values):
        if wrong := label_value(value):
            problems.append(FieldError(f"values[{i}][{key}]", INVALID, "; ".join(wrong), value))
    if problems:
        texts = list(dict.fromkeys(str(problem) for problem in problems))
        raise ValueError(texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]")
    return Requirement(key, operator, tuple(values))


def _value_count(operator: str, values: Sequence[str]) -> list[FieldError]:
    """How many values an operator takes; only reachable wrong for sets, bounds and LabelSelectors."""
    if operator in (IN, NOT_IN) and not values:
        why = "for 'in', 'notin' operators, values set can't be empty"
        return [FieldError("values", INVALID, why, list(values))]
    if operator in (EXISTS, NOT_EXISTS) and values:
        return [FieldError("values", INVALID, "values set must be empty for exists and does not exist", list(values))]
    if operator in (GREATER, LESS) and not _is_int64(values[0]):
        why = "for 'Gt', 'Lt' operators, the value must be an integer"
        return [FieldError("values[0]", INVALID, why, values[0])]
    return []


def _is_int64(text: str) -> bool:
    return bool(_INTEGER.fullmatch(text)) and len(text) <= 20 and -(2**63) <= int(text) < 2**63


def from_labels(labels: Mapping[str, str]) -> LabelSelector:
    """Exactly these labels (a Service's or ReplicationController's selector); unchecked, and {} is everything."""
    return LabelSelector(tuple(Requirement(key, EQUAL, (labels[key],)) for key in sorted(labels)))


def from_label_selector(selector: Any) -> LabelSelector:
    """The selector of a `metav1.LabelSelector`, as a tree or as a view: None is nothing, an empty one everything."""
    if selector is None:
        return NOTHING
    labels, expressions = _parts(selector)
    found = [requirement(key, EQUAL, (value,)) for key, value in labels.items()]
    for key, operator, values in expressions:
        if operator not in _OPERATORS:
            raise ValueError(f'"{operator}" is not a valid label selector operator')
        found.append(requirement(key, _OPERATORS[operator], values))
    return _sorted(found)


def _parts(selector: Any) -> tuple[Mapping[str, str], Iterable[tuple[str, str, tuple[str, ...]]]]:
    if isinstance(selector, Mapping):
        expressions = selector.get("matchExpressions") or ()
        found = [(e.get("key", ""), e.get("operator", ""), tuple(e.get("values") or ())) for e in expressions]
        return selector.get("matchLabels") or {}, found
    return selector.match_labels, [(e.key, e.operator, tuple(e.values)) for e in selector.match_expressions]


def _sorted(requirements: Sequence[Requirement]) -> LabelSelector:
    return LabelSelector(tuple(sorted(requirements, key=lambda r: r.key)))


def check_label_selector(selector: Json | None, path: str) -> list[FieldError]:
    """What is wrong with a `metav1.LabelSelector` in an object's spec (ValidateLabelSelector)."""
    if selector is None:
        return []
    problems = check_labels(selector.get("matchLabels") or {}, f"{path}.matchLabels")
    for i, expression in enumerate(selector.get("matchExpressions") or ()):
        problems += check_requirement(expression, f"{path}.matchExpressions[{i}]")
    return problems


def check_requirement(expression: Json, path: str, *, any_operator: bool = False) -> list[FieldError]:
    """What is wrong with a `metav1.LabelSelectorRequirement`; `any_operator`: also one that nobody knows is fine."""
    key, values = expression.get("key", ""), expression.get("values") or ()
    problems = check_operator(expression, path, any_operator=any_operator)
    problems += [FieldError(f"{path}.key", INVALID, message, key) for message in qualified_name(key)]
    for i, value in enumerate(values):
        problems += [FieldError(f"{path}.values[{i}]", INVALID, message, value) for message in label_value(value)]
    return problems


def check_operator(expression: Json, path: str, *, any_operator: bool = False) -> list[FieldError]:
    """What is wrong with how many values an operator has."""
    operator, values = expression.get("operator", ""), expression.get("values") or ()
    problems = []
    if operator in ("In", "NotIn"):
        if not values:
            problems.append(
                FieldError(f"{path}.values", REQUIRED, "must be specified when `operator` is 'In' or 'NotIn'")
            )
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            problems.append(FieldError(f"{path}.values", FORBIDDEN_FIELD, why))
    elif not any_operator:
        problems.append(FieldError(f"{path}.operator", INVALID, "not a valid selector operator", operator))
    return problems


@lru_cache(maxsize=1024)
def parse_labels(text: str) -> LabelSelector:
    """The selector of a `labelSelector` parameter."""
    return _sorted(_Parser(text).requirements())


_TOKEN = re.compile(r"[ \t\r\n]*(==|!=|[=!(),<>]|[^ \t\r\n=!(),<>]+|$)")
_SYMBOLS = frozenset(("==", "!=", "=", "!", "(", ")", ",", "<", ">", ""))


@dataclass(slots=True)
class _Parser:
    """Recursive descent over the tokens; `""` is the end. Decisions and complaints in upstream's order."""

    text: str
    tokens: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tokens = [*(t for t in _TOKEN.findall(self.text) if t), ""][::-1]

    def take(self) -> str:
        return self.tokens.pop() if len(self.tokens) > 1 else ""

    @property
    def next(self) -> str:
        return self.tokens[-1]

    def requirements(self) -> list[Requirement]:
        found: list[Requirement] = []
        while self.next:
            if self.next != "!" and self.next in _SYMBOLS:
                raise ValueError(f"found '{self.next}', expected: !, identifier, or 'end of string'")
            try:
                found.append(self.requirement())
            except ValueError as error:
                raise ValueError(f"unable to parse requirement: {error}") from None
            separator = self.take()
            if separator not in (",", ""):
                raise ValueError(f"found '{separator}', expected: ',' or 'end of string'")
            if separator and (self.next in _SYMBOLS and self.next != "!"):
                raise ValueError(f"found '{self.next}', expected: identifier after ','")
        return found

    def requirement(self) -> Requirement:
        key, operator = self.take(), EXISTS
        if key == "!":
            key, operator = self.take(), NOT_EXISTS
        if key in _SYMBOLS:
            raise ValueError(f"found '{key}', expected: identifier")
        if wrong := qualified_name(key):
            raise ValueError(str(FieldError("<nil>", INVALID, "; ".join(wrong), key)))
        if operator == NOT_EXISTS or self.next in ("", ","):
            return requirement(key, operator, ())
        operator = self.take()
        if operator in (IN, NOT_IN):
            return requirement(key, operator, sorted(self.values()))
        if operator in (EQUAL, DOUBLE_EQUAL, NOT_EQUAL, GREATER, LESS):
            return requirement(key, operator, (self.value(),))
        raise ValueError(f"found '{operator}', expected: {_BINARY_OPERATORS}")

    def value(self) -> str:
        if self.next in ("", ","):
            return ""
        value = self.take()
        if value in _SYMBOLS:
            raise ValueError(f"found '{value}', expected: identifier")
        return value

    def values(self) -> set[str]:
        opening = self.take()
        if opening != "(":
            raise ValueError(f"found '{opening}' expected: '('")
        if self.next == ")":
            self.take()
            return {""}
        if self.next != "," and self.next in _SYMBOLS:
            raise ValueError(f"found '{self.next}', expected: ',', ')' or identifier")
        found = self.listed()
        self.take()  # listed() stops only in front of the closing parenthesis
        return found

    def listed(self) -> set[str]:
        """Comma-separated identifiers, where nothing between two commas is the empty value."""
        found: set[str] = set()
        while True:
            word = self.take()
            if word == ",":
                if not found:
                    found.add("")
                if self.next == ")":
                    return found | {""}
                if self.next == ",":
                    self.take()
                    found.add("")
            elif word in _SYMBOLS:
                raise ValueError(f"found '{word}', expected: ',', or identifier")
            else:
                found.add(word)
                if self.next == ")":
                    return found
                if self.next != ",":
                    raise ValueError(f"found '{self.next}', expected: ',' or ')'")


@dataclass(frozen=True, slots=True)
class FieldRequirement:
    """One field that is, or is not, a value. A field that is absent counts as empty."""

    field: str
    equal: bool
    value: str

    def __str__(self) -> str:
        escaped = re.sub(r"([\\,=])", r"\\\1", self.value)
        return f"{self.field}{'=' if self.equal else '!='}{escaped}"


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """All requirements hold. Which fields a kind has is its strategy's to say."""

    requirements: tuple[FieldRequirement, ...] = ()

    def matches(self, fields: Mapping[str, str]) -> bool:
        return all((fields.get(r.field, "") == r.value) is r.equal for r in self.requirements)

    def required(self, field: str) -> str | None:
        """The one value that the field must have, None where it is not pinned (`metadata.name=x` is a get)."""
        return next((r.value for r in self.requirements if r.equal and r.field == field), None)

    def __str__(self) -> str:
        return ",".join(str(requirement) for requirement in self.requirements)


@lru_cache(maxsize=1024)
def parse_fields(text: str) -> FieldSelector:
    """The selector of a `fieldSelector` parameter."""
    found = [_field_requirement(term, text) for term in sorted(_split(text)) if term]
    return FieldSelector(tuple(r for r in found if r.field or r.value))


def _split(text: str) -> list[str]:
    """Terms between commas that are not escaped."""
    return re.findall(r"((?:[^\\,]|\\.|\\$)*)(?:,|$)", text, re.DOTALL)


def _field_requirement(term: str, text: str) -> FieldRequirement:
    match = re.match(r"(.*?)(!=|==|=)(.*)", term, re.DOTALL)
    if match is None:
        raise ValueError(f"invalid selector: '{text}'; can't understand '{term}'")
    return FieldRequirement(match[1], match[2] != "!=", _unescaped(match[3]))


def _unescaped(value: str) -> str:
    """Backslash, comma and equals sign are escaped in values, and nothing else is."""

    def plain(match: re.Match[str]) -> str:
        sequence = match[0]
        if len(sequence) == 1 and sequence != "\\":
            raise ValueError(f"invalid field selector: unescaped character in value: {ord(sequence)}")
        if sequence[1:] not in ("\\", ",", "="):
            raise ValueError(f"invalid field selector: invalid escape sequence: {sequence}")
        return sequence[1:]

    return re.sub(r"\\.?|[,=]", plain, value, flags=re.DOTALL)

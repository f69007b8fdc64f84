"""x-kubernetes-validations: a schema's rules as programs, and what they say of an object.

Rules are compiled once, where they stand, with the type that the schema has there. They run from the outside in, within
one budget for the whole object; the first rule that cannot be paid ends it. A rule about what was there before
(`oldSelf`) runs only where old and new correlate. What a rule refuses is let through where nothing changed.
Source: apiextensions-apiserver/pkg/apiserver/schema/cel/{compilation,validation}.go.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import msgspec

from apimachinery.errors import DUPLICATE, FORBIDDEN_FIELD, INVALID, REQUIRED, FieldError
from apimachinery.types import Json
from apiserver import cel
from apiserver.cel import schemas, types
from apiserver.cel.nodes import Ident, children
from apiserver.cel.nodes import Node as Expression
from apiserver.cel.schemas import Typed
from apiserver.cel.values import NONE, Optional
from apiserver.structural.correlation import Correlation
from apiserver.structural.lists import key_of
from apiserver.structural.node import EMBEDDED, LIST_KEYS, LIST_TYPE, RULES, child_path
from apiserver.structural.paths import resolved

OLD = "oldSelf"
#: MaxEvaluatedMessageExpressionSizeBytes.
_LONGEST_MESSAGE = 5 * 1024
_NO_FURTHER = "no further validation rules will be run"
_KINDS = {
    "FieldValueForbidden": FORBIDDEN_FIELD,
    "FieldValueRequired": REQUIRED,
    "FieldValueDuplicate": DUPLICATE,
}
_encode = msgspec.json.Encoder(order="deterministic").encode


class OutOfBudget(Exception):
    """No further rule is run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule, compiled, or why it is not."""

    source: Json
    program: cel.Program | None = None
    error: str = ""
    uses_old: bool = False
    message: cel.Program | None = None
    message_error: str = ""
    path: str = ""  # where its refusals point, below its own place

    @property
    def is_optional(self) -> bool:
        """Whether it also runs where there is no old value."""
        return bool(self.source.get("optionalOldSelf"))

    @property
    def text(self) -> str:
        """How messages name it."""
        return str(self.source.get("message") or self.source.get("rule") or "").strip()

    def refusal(self) -> str:
        """What it says when it does not hold, unless an expression says it."""
        said = str(self.source.get("message") or "").strip()
        return said or f"failed rule: {self.text}"


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one place of a schema, and of those below it."""

    type: str
    typed: Typed | None
    rules: tuple[Rule, ...]
    list_keys: tuple[str, ...] | None = None  # of a map-like list
    properties: Mapping[str, "Rules"] = field(default_factory=dict)
    values: "Rules | None" = None
    items: "Rules | None" = None


def compiled(schema: Json, *, is_root: bool) -> Rules | None:
    """The rules of a schema, None when it has none."""
    here = _compiled_here(schema, is_root=is_root)
    properties: dict[str, Rules] = {}
    for name, child in (schema.get("properties") or {}).items():
        found = compiled(child, is_root=bool(child.get(EMBEDDED)))
        if found is not None:
            properties[name] = found
    more, items = schema.get("additionalProperties"), schema.get("items")
    values = compiled(more, is_root=bool(more.get(EMBEDDED))) if isinstance(more, dict) else None
    item = compiled(items, is_root=bool(items.get(EMBEDDED))) if isinstance(items, dict) else None
    if not (here or properties or values or item):
        return None
    keys = tuple(schema.get(LIST_KEYS) or ()) if schema.get(LIST_TYPE) == "map" else None
    typed = schemas.typed(schema, root=is_root) if here else None
    return Rules(schema.get("type") or "", typed, here, keys, properties, values, item)


def _compiled_here(schema: Json, *, is_root: bool) -> tuple[Rule, ...]:
    rules = schema.get(RULES) or ()
    if not rules:
        return ()
    typed = schemas.typed(schema, root=is_root)
    if typed is None:
        return ()
    return tuple(compiled_rule(rule, typed, schema) for rule in rules)


def compiled_rule(rule: Json, typed: Typed, schema: Json) -> Rule:
    """One rule for values of a type."""
    source = rule.get("rule") or ""
    if not source.strip():
        return Rule(source=rule)
    old = types.optional_of(typed.type) if rule.get("optionalOldSelf") else typed.type
    environment = cel.ENVIRONMENT.with_variables({"self": typed.type, OLD: old})
    try:
        program = cel.compile(source, environment)
    except cel.InstantiationError as error:
        return Rule(source=rule, error=f"program instantiation failed: {error.text}")
    except cel.CompileError as error:
        return Rule(source=rule, error=error.text)
    if program.type != types.BOOL:
        return Rule(source=rule, error="cel expression must evaluate to a bool")
    message, message_error = _compiled_message(rule.get("messageExpression") or "", environment)
    return Rule(
        source=rule,
        program=program,
        uses_old=mentions(program.node, OLD),
        message=message,
        message_error=message_error,
        path=_path(rule.get("fieldPath") or "", schema),
    )


def _compiled_message(source: str, environment: cel.Environment) -> tuple[cel.Program | None, str]:
    if not source:
        return None, ""
    try:
        program = cel.compile(source, environment)
    except cel.InstantiationError as error:
        return None, f"messageExpression instantiation failed: {error.text}"
    except cel.CompileError as error:
        return None, f"messageExpression {error.text}"
    if program.type != types.STRING:
        return None, "messageExpression must evaluate to a string"
    return program, ""


def _path(where: str, schema: Json) -> str:
    try:
        return resolved(where, schema)[0] if where else ""
    except ValueError:
        return ""


def mentions(node: Expression, name: str) -> bool:
    """Whether an expression speaks of a variable."""
    if isinstance(node, Ident):
        return node.name == name
    return any(mentions(child, name) for child in children(node))


def check(rules: Rules | None, new: Any, old: Any, was: Correlation | None, *, prefix: str = "") -> list[FieldError]:
    """Everything that the rules refuse of an object; `was` correlates it with what was there before."""
    if rules is None:
        return []
    problems: list[FieldError] = []
    run = _Run(cel.Budget(), problems)
    with contextlib.suppress(OutOfBudget):
        run.walk(rules, prefix, new, old, was, None)
    return problems


@dataclass(slots=True)
class _Run:
    """One object's rules, running."""

    budget: cel.Budget
    problems: list[FieldError]

    def walk(
        self, rules: Rules, path: str, new: Any, old: Any, was: Correlation | None, parent: Correlation | None
    ) -> None:
        """Run the rules of a place, then those below it. `parent` is the nearest place above that correlates."""
        if new is None:
            return
        if rules.rules:
            self._run_all(rules, path, new, old, was if was is not None else parent)
        if isinstance(new, list):
            self._walk_list(rules, path, new, old, was, parent)
        elif isinstance(new, dict):
            self._walk_object(rules, path, new, old if isinstance(old, dict) else {}, was, parent)

    def _walk_list(
        self, rules: Rules, path: str, new: list[Any], old: Any, was: Correlation | None, parent: Correlation | None
    ) -> None:
        if rules.items is None:
            return
        before = _by_key(old, rules.list_keys)
        for i, item in enumerate(new):
            found = before.get(_encode(key_of(item, rules.list_keys or ()))) if before else None
            below = was.index(i) if was is not None else None
            self.walk(rules.items, f"{path}[{i}]", item, found, below, was if was is not None else parent)

    def _walk_object(
        self, rules: Rules, path: str, new: Json, old: Json, was: Correlation | None, parent: Correlation | None
    ) -> None:
        for name, item in new.items():
            child = rules.properties.get(name)
            here = child_path(path, name)
            if rules.values is not None:
                child, here = rules.values, f"{path}[{name}]"
            if child is None:
                continue
            if was is None:
                below, above = None, parent
            elif parent is None and name in ("apiVersion", "kind"):
                below, above = None, None
            else:
                below, above = was.key(name), was
            self.walk(child, here, item, old.get(name), below, above)

    def _run_all(self, rules: Rules, path: str, new: Any, old: Any, was: Correlation | None) -> None:
        assert rules.typed is not None
        if self.budget.left <= 0:
            self._end(path, rules.type, cel.OUT_OF_BUDGET)
        value = rules.typed.value(new)
        before = rules.typed.value(old) if old is not None else None
        for rule in rules.rules:
            if rule.error:
                self._refuse(path, rules.type, f"rule compile error: {rule.error}")
            elif rule.program is not None and not (rule.uses_old and old is None and not rule.is_optional):
                self._run(rule, path, rules.type, _variables(rule, value, before), was)

    def _run(self, rule: Rule, path: str, kind: str, variables: Mapping[str, Any], was: Correlation | None) -> None:
        assert rule.program is not None
        try:
            holds = rule.program.evaluate(variables, self.budget)
        except cel.EvaluationError as error:
            self._refuse(path, kind, _failure(str(error), rule))
            return
        except TypeError:  # a function on values that only a dynamic type let through
            self._refuse(path, kind, _failure("no such overload", rule))
            return
        except cel.BudgetExceeded as error:
            if str(error) == cel.OUT_OF_BUDGET:
                self._end(path, kind, cel.OUT_OF_BUDGET)
            self._end(
                path,
                kind,
                f"'{error}': {_NO_FURTHER} due to call cost exceeds limit for rule: {rule.text}",
            )
        if holds is True:
            return
        if not rule.uses_old and was is not None and was.equal():
            return  # it was so before: a change elsewhere is not refused for it
        self._refuse_by(rule, path, kind, variables)

    def _refuse_by(self, rule: Rule, path: str, kind: str, variables: Mapping[str, Any]) -> None:
        where = f"{path}.{rule.path}" if path and rule.path else rule.path or path
        text = rule.refusal()
        if rule.message is not None:
            text = self._message(rule, where, kind, variables) or text
        reason = _KINDS.get(rule.source.get("reason") or "", INVALID)
        detail = "" if reason == DUPLICATE else text
        self.problems.append(FieldError(where or "<nil>", reason, detail, kind))

    def _message(self, rule: Rule, path: str, kind: str, variables: Mapping[str, Any]) -> str:
        """What the message expression says, "" when it says nothing that can be shown."""
        assert rule.message is not None
        try:
            said = rule.message.evaluate(variables, self.budget)
        except (cel.EvaluationError, TypeError):
            return ""
        except cel.BudgetExceeded as error:
            if str(error) == cel.OUT_OF_BUDGET:
                why = f"messageExpression evaluation failed due to running out of cost budget, {_NO_FURTHER}"
            else:
                quoted = msgspec.json.encode(rule.source.get("messageExpression")).decode()
                why = f"{_NO_FURTHER} due to call cost exceeds limit for messageExpression: {quoted}"
            self._end(path, kind, why)
        text = said.strip() if isinstance(said, str) else ""
        return "" if len(text.encode()) > _LONGEST_MESSAGE or "\n" in text else text

    def _refuse(self, path: str, kind: str, why: str) -> None:
        self.problems.append(FieldError(path or "<nil>", INVALID, why, kind))

    def _end(self, path: str, kind: str, why: str) -> NoReturn:
        self._refuse(path, kind, why)
        raise OutOfBudget


def _variables(rule: Rule, value: Any, before: Any) -> Mapping[str, Any]:
    if not rule.is_optional:
        return {"self": value, OLD: before}
    return {"self": value, OLD: NONE if before is None else Optional(before)}


def _failure(error: str, rule: Rule) -> str:
    if error.startswith("no such overload"):
        return (
            f"'{error}': call arguments did not match a supported operator, function or macro signature for rule: "
            f"{rule.text}"
        )
    return f"{error} evaluating rule: {rule.text}"


def _by_key(old: Any, keys: Sequence[str] | None) -> dict[bytes, Any]:
    """The old items of a map-like list by their keys; nothing of other lists."""
    found: dict[bytes, Any] = {}
    if keys is None or not isinstance(old, list):
        return found
    for item in old:
        found.setdefault(_encode(key_of(item, keys)), item)
    return found

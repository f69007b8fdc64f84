"""A mutating policy's expressions, compiled, and what each makes of one object. Pure.

    ApplyConfiguration   an `Object`, merged as server-side apply merges; what would replace a list whole is refused
    JSONPatch            a list of operations; one whose test fails changes nothing

Source: apiserver/pkg/admission/plugin/policy/mutating: compilation.go, patch/{json_patch,smd}.go.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apimachinery import errors, patch, schema
from apimachinery.apply import typed
from apimachinery.apply.elements import shown as step_text
from apimachinery.apply.merging import merged
from apimachinery.apply.ownership import group_version_kind
from apimachinery.apply.types import Type
from apimachinery.errors import ApiError
from apimachinery.types import Json
from apiserver.admission.policy_programs import Compiler, Expression, Variables
from apiserver.cel import Budget, BudgetExceeded, EvaluationError
from apiserver.cel.mutation import JSON_PATCH as OPERATION
from apiserver.cel.mutation import OBJECT, PATCHING, Unwritable, json_of, misnamed, tree_of
from apiserver.cel.types import list_of

APPLY_CONFIGURATION, JSON_PATCH = "ApplyConfiguration", "JSONPatch"
_RESULTS = {APPLY_CONFIGURATION: OBJECT, JSON_PATCH: list_of(OPERATION)}
_MEMBERS = {APPLY_CONFIGURATION: "applyConfiguration", JSON_PATCH: "jsonPatch"}


class Unusable(Exception):
    """A mutation that cannot be made: what the failure policy is for. `kind` is the metric's word for why."""

    def __init__(self, message: str, kind: str = "invalid_error") -> None:
        super().__init__(message)
        self.kind = kind


def expression(compiler: Compiler, kind: str, text: str) -> Expression:
    """The expression of a mutation of some patchType."""
    return compiler.expression(text, _RESULTS[kind], environment=PATCHING)


class Evaluation:
    """What one mutation sees, its policy's variables among it, and what it may cost."""

    def __init__(self, values: Mapping[str, Any], variables: Mapping[str, Expression]) -> None:
        self.budget = Budget()
        self.values = {**values}
        self.values["variables"] = Variables(variables, self.values, self.budget)


@dataclass(frozen=True, slots=True)
class Mutation:
    """One mutation of a policy."""

    kind: str
    expression: Expression

    def made(self, tree: Json, evaluation: "Evaluation", kind: Type | None, definition: str | None) -> Json:
        """The changed object; `kind` is how it merges, `definition` the name of its schema if it is built in.

        Raises Unusable, or ApiError for what ends the request whatever the failure policy says.
        """
        value = self._value(evaluation)
        return _applied(kind, tree, value) if self.kind == APPLY_CONFIGURATION else _patched(tree, value, definition)

    def _value(self, evaluation: "Evaluation") -> Any:
        if self.expression.program is None:
            raise Unusable(self.expression.error, "compile_error")
        try:
            return self.expression.evaluate(evaluation.values, evaluation.budget)
        except EvaluationError as error:
            raise Unusable(str(error)) from None
        except BudgetExceeded as error:
            raise Unusable(str(error), "out_of_budget") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutations:
    """Everything a mutating policy has to evaluate."""

    params: bool
    conditions: Sequence[Json]
    variables: Mapping[str, Expression]
    mutations: Sequence[Mutation]
    reinvoked: bool


def compiled(spec: Json) -> Mutations:
    """The expressions of a mutating policy."""
    has_params = spec.get("paramKind") is not None
    compiler = Compiler(params=has_params)
    variables = {row["name"]: compiler.variable(row["name"], row["expression"]) for row in spec.get("variables") or ()}
    rows = [(row["patchType"], row.get(_MEMBERS[row["patchType"]]) or {}) for row in spec.get("mutations") or ()]
    return Mutations(
        params=has_params,
        conditions=spec.get("matchConditions") or (),
        variables=variables,
        mutations=[Mutation(kind, expression(compiler, kind, row.get("expression") or "")) for kind, row in rows],
        reinvoked=spec.get("reinvocationPolicy") == "IfNeeded",
    )


def _checked_names(value: Any) -> None:
    if wrong := list(misnamed(value)):
        raise Unusable("type mismatch: " + "\n".join(wrong))


def _applied(kind: Type | None, tree: Json, value: Any) -> Json:
    """The object with an `Object` merged into it."""
    _checked_names(value)
    try:
        configuration = {**tree_of(value), "apiVersion": tree["apiVersion"], "kind": tree["kind"]}
    except Unwritable as error:
        raise Unusable(f"invalid return type: {error}") from None
    what = "failed to convert patch object to typed object"
    if kind is None:
        gvk = group_version_kind(tree["apiVersion"], tree["kind"])
        raise _not_applied(f"{what}: no corresponding type for {gvk}")
    _check(kind, configuration, what)
    if whole := list(_atomics(kind, configuration, "")):
        named = ", ".join(whole)
        raise _not_applied(f"invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {named}")
    _check(kind, tree, "failed to convert original object to typed object")
    try:
        return merged(kind, tree, configuration)
    except typed.Invalid as error:
        raise _not_applied(f"failed to merge patch: {error}") from None


def _check(kind: Type, tree: Json, what: str) -> None:
    try:
        typed.check(kind, tree)
    except typed.Invalid as error:
        raise _not_applied(f"{what}: {error}") from None


def _not_applied(why: str) -> Unusable:
    return Unusable(f"error applying patch: {why}")


def _atomics(kind: Type, value: Any, path: str) -> Iterator[str]:
    """Where a configuration has lists and objects that are taken as a whole: what it does not name would be lost."""
    if isinstance(value, dict) and kind.is_map:
        if kind.map_atomic:
            yield path
        for name, item in value.items():
            if (inner := kind.fields.get(name)) is not None:
                yield from _atomics(inner, item, f"{path}.{name}")
    elif isinstance(value, list) and kind.is_list:
        if kind.list_atomic:
            yield path
        for i, item in enumerate(value):
            if kind.items is not None:
                yield from _atomics(kind.items, item, path + step_text(f"i:{i}"))


def _patched(tree: Json, value: Any, definition: str | None) -> Json:
    """The object after the operations of a JSON patch."""
    operations = [_operation(row) for row in value]
    try:
        changed = patch.json_patch(tree, operations)
    except patch.NotApplied as error:
        if error.is_test:
            return tree
        raise Unusable(f"JSON Patch: {error.why}") from None
    except ApiError as error:  # too many operations
        raise Unusable(f"JSON Patch: {error.message}") from None
    unknown = schema.unknown_fields(definition, changed) if definition is not None and isinstance(changed, dict) else []
    if unknown:
        raise errors.internal(schema.strict_error(unknown))
    if not isinstance(changed, dict):
        raise errors.internal("couldn't get version/kind; json parse error: the patched object is not an object")
    return changed


def _operation(row: Json) -> Json:
    made: Json = {"op": row.get("op", ""), "path": row.get("path", "")}
    if row.get("from"):
        made["from"] = row["from"]
    if "value" in row:
        _checked_names(row["value"])
        try:
            made["value"] = json_of(row["value"])
        except Unwritable as error:
            why = "JSONPath valueExpression evaluated to a type that could not marshal to JSON"
            raise Unusable(f"{why}: {error}") from None
    return made

"""A policy's expressions, compiled, and what they decide about one set of values. Pure.

An expression that does not compile (it was stored by another version) fails when it is evaluated. Variables are
evaluated when an expression first asks for them, once.
Source: apiserver/pkg/admission/plugin: policy/validating/validator.go, cel/composition.go.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apimachinery.types import Json
from apiserver import cel
from apiserver.admission import expressions
from apiserver.cel import (
    ENVIRONMENT,
    Budget,
    BudgetExceeded,
    CompileError,
    Environment,
    EvaluationError,
    InstantiationError,
    Program,
)
from apiserver.cel.types import BOOL, DYN, NULL, STRING, Property, Type, object_type

#: A longer message is not shown (MaxEvaluatedMessageExpressionSizeBytes).
_LONGEST_MESSAGE = 5 * 1024
VARIABLES = "kubernetes.variables"


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression, or why there is none."""

    text: str
    program: Program | None
    error: str = ""

    def evaluate(self, values: Mapping[str, Any], budget: Budget) -> Any:
        """The value. Raises EvaluationError in the words of admission, BudgetExceeded when nothing is left."""
        if self.program is None:
            raise EvaluationError(f"compilation error: {self.error}")
        try:
            return self.program.evaluate(values, budget)
        except EvaluationError as error:
            raise EvaluationError(f"expression '{self.text}' resulted in error: {error}") from None
        except BudgetExceeded as error:
            if budget.left < 0:
                raise
            raise EvaluationError(f"expression '{self.text}' resulted in error: {error}") from None


def problem_of(error: CompileError) -> str:
    """How admission says that an expression does not compile."""
    return f"program instantiation failed: {error}" if isinstance(error, InstantiationError) else str(error)


class Compiler:
    """Compiles a policy's expressions in order; variables become fields of `variables` as they are added."""

    def __init__(self, *, params: bool, base: Mapping[str, Type] | None = None, composes: bool = True) -> None:
        self._params = params
        self._composes = composes  #: whether there is such a thing as `variables`
        self._base = base or {}
        self._fields: dict[str, Property] = {}

    def variable(self, name: str, text: str) -> Expression:
        found = self.expression(text, DYN)
        type = found.program.type if found.program is not None else DYN
        self._fields = {**self._fields, name: Property(name, type)}
        return found

    def expression(
        self, text: str, *results: Type, authorizer: bool = True, environment: Environment = ENVIRONMENT
    ) -> Expression:
        known = expressions.variables(params=self._params, authorizer=authorizer)
        if self._composes:
            known["variables"] = object_type(VARIABLES, self._fields)
        known.update(self._base)
        try:
            return Expression(text, cel.compile(text, environment.with_variables(known), *results))
        except CompileError as error:
            return Expression(text, None, problem_of(error))


@dataclass(frozen=True, slots=True)
class Validation:
    expression: Expression
    message_expression: Expression | None
    message: str
    reason: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A validation that did not hold; `index` is its place."""

    index: int
    message: str
    reason: str = ""
    is_error: bool = False


@dataclass(slots=True)
class Decision:
    """What a policy says of one request with one parameter."""

    failures: list[Failure] = field(default_factory=list)
    annotations: list[tuple[str, str]] = field(default_factory=list)
    audit_errors: list[str] = field(default_factory=list)
    ignored: list[Failure] = field(default_factory=list)  #: errors that the failure policy lets pass


class Variables(dict[str, Any]):
    """`variables`: each is evaluated when it is first asked for."""

    def __init__(self, known: Mapping[str, Expression], values: dict[str, Any], budget: Budget) -> None:
        super().__init__()
        self._known, self._values, self._budget = known, values, budget

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def __missing__(self, name: str) -> Any:
        found = self._known[name]
        if found.program is None:
            raise EvaluationError(f'composited variable "{name}" fails to compile: {found.error}')
        try:
            value = found.program.evaluate(self._values, self._budget)
        except EvaluationError as error:
            raise EvaluationError(f'composited variable "{name}" fails to evaluate: {error}') from None
        self[name] = value
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Everything a policy has to evaluate."""

    params: bool
    conditions: Sequence[Json]
    variables: Mapping[str, Expression]
    validations: Sequence[Validation]
    audits: Sequence[tuple[str, Expression]]

    def evaluate(self, values: dict[str, Any], *, ignore: bool) -> Decision:
        """The decision. Errors count by the failure policy: `ignore` lets them pass."""
        if self.conditions:
            verdict = expressions.judge(self.conditions, values, ignore=ignore, params=self.params)
            if verdict.error:
                return _failed(verdict.error, ignore=ignore)
            if not verdict.matches:
                return Decision()
        budget = Budget()
        values = {**values}
        values["variables"] = Variables(self.variables, values, budget)
        decision = Decision()
        try:
            outcomes = [self._outcome(v, values, budget) for v in self.validations]
        except BudgetExceeded as error:
            return _failed(str(error), ignore=ignore)
        for index, (validation, outcome) in enumerate(zip(self.validations, outcomes, strict=True)):
            if isinstance(outcome, EvaluationError):
                wrong = decision.ignored if ignore else decision.failures
                wrong.append(Failure(index, str(outcome), is_error=True))
            elif outcome is not True:
                decision.failures.append(_denial(index, validation, values, budget))
        self._audit(decision, values, ignore=ignore)
        return decision

    def _outcome(self, validation: Validation, values: Mapping[str, Any], budget: Budget) -> Any:
        try:
            return validation.expression.evaluate(values, budget)
        except EvaluationError as error:
            return error

    def _audit(self, decision: Decision, values: Mapping[str, Any], *, ignore: bool) -> None:
        budget = Budget()
        for key, expression in self.audits:
            try:
                value = expression.evaluate(values, budget)
            except EvaluationError as error:
                if not ignore:
                    decision.audit_errors.append(str(error))
                continue
            except BudgetExceeded as error:
                decision.audit_errors += [] if ignore else [str(error)]
                return
            if isinstance(value, str) and value.strip():
                decision.annotations.append((key, value.strip()))


def _failed(message: str, *, ignore: bool) -> Decision:
    wrong = [Failure(0, message, is_error=True)]
    return Decision(ignored=wrong) if ignore else Decision(failures=wrong)


def _denial(index: int, validation: Validation, values: Mapping[str, Any], budget: Budget) -> Failure:
    """What a validation that did not hold comes to."""
    try:
        return Failure(index, _message(validation, values, budget), validation.reason)
    except BudgetExceeded as error:
        return Failure(index, f"failed messageExpression: {error}", is_error=True)


def _message(validation: Validation, values: Mapping[str, Any], budget: Budget) -> str:
    """The message of a validation: its expression's, its own, or one made of the expression. Raises BudgetExceeded."""
    made = ""
    if validation.message_expression is not None:
        try:
            value = validation.message_expression.evaluate(values, budget)
        except EvaluationError:
            value = None
        made = value.strip() if isinstance(value, str) else ""
        if len(made.encode()) > _LONGEST_MESSAGE or "\n" in made:
            made = ""
    return made or validation.message.strip() or f"failed expression: {validation.expression.text.strip()}"


def compiled(spec: Json, base: Mapping[str, Type] | None = None) -> Programs:
    """The expressions of a policy; `base` are more exact types of the objects, for type checking."""
    has_params = spec.get("paramKind") is not None
    compiler = Compiler(params=has_params, base=base)
    variables = {row["name"]: compiler.variable(row["name"], row["expression"]) for row in spec.get("variables") or ()}
    return Programs(
        params=has_params,
        conditions=spec.get("matchConditions") or (),
        variables=variables,
        validations=[_validation(compiler, row) for row in spec.get("validations") or ()],
        audits=[
            (row.get("key", ""), compiler.expression(row.get("valueExpression", ""), STRING, NULL))
            for row in spec.get("auditAnnotations") or ()
        ],
    )


def _validation(compiler: Compiler, row: Json) -> Validation:
    message = row.get("messageExpression")
    return Validation(
        expression=compiler.expression(row.get("expression", ""), BOOL),
        message_expression=compiler.expression(message, STRING, authorizer=False) if message else None,
        message=row.get("message") or "",
        reason=row.get("reason") or "",
    )

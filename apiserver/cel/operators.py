"""Operators that are more than a function of their operands: `&&` and `||`, `?:`, `==`, `in`.

`&&` and `||` absorb an error of one operand when the other decides. Source: cel-go/interpreter/interpretable.go.
"""

from typing import Any

from apiserver.cel.access import hashable, is_attribute
from apiserver.cel.constants import is_constant
from apiserver.cel.errors import EvaluationError
from apiserver.cel.nodes import Call, ListLiteral
from apiserver.cel.running import Compile, Run, Step, size_cost, weight
from apiserver.cel.values import Opaque, Optional, contains, equal


def logical(node: Call, compiled: Compile) -> Step:
    left, right = map(compiled, node.args)
    decides = node.function == "_||_"
    undecided = not decides

    def step(run: Run) -> bool:
        error: EvaluationError | None = None
        for operand in (left, right):
            try:
                value = operand(run)
            except EvaluationError as wrong:
                error = error or wrong
                continue
            if value is decides:
                return not undecided
            if value is not undecided:
                error = error or EvaluationError("no such overload")
        if error is not None:
            raise error
        return undecided

    return step


def conditional(node: Call, compiled: Compile) -> Step:
    condition, yes, no = map(compiled, node.args)
    free_yes, free_no = map(is_attribute, node.args[1:])

    def step(run: Run) -> Any:
        value = condition(run)
        if value is True:
            run.cost -= free_yes
            return yes(run)
        if value is False:
            run.cost -= free_no
            return no(run)
        raise EvaluationError("no such overload")

    return step


def equality(node: Call, compiled: Compile) -> Step:
    left, right = map(compiled, node.args)
    wanted = node.function == "_==_"

    def step(run: Run) -> bool:
        one_value, other = left(run), right(run)
        run.charge(1 if isinstance(one_value, Opaque) else -(-min(size_cost(one_value), size_cost(other)) // 10))
        if isinstance(one_value, list | dict):
            run.worked(weight(one_value))
        return equal(one_value, other) is wanted

    return step


def membership(node: Call, compiled: Compile) -> Step:
    left, right = map(compiled, node.args)
    if is_constant(node.args[1]) and isinstance(node.args[1], ListLiteral):
        constant = right(Run({}, 0))
        return lambda run: contains(constant, left(run))

    def step(run: Run) -> bool:
        value, container = left(run), right(run)
        if isinstance(container, list):
            run.charge(len(container))
            if isinstance(value, list | dict):
                run.worked(weight(container))
            return contains(container, value)
        run.charge(1)
        if isinstance(container, dict):
            return hashable(value) and bool(value in container)
        raise EvaluationError("no such overload")

    return step


def optional_or(node: Call, compiled: Compile) -> Step:
    """The alternative is evaluated only when it is needed."""
    assert node.target is not None
    target, other = compiled(node.target), compiled(node.args[0])
    unwrap = node.function == "orValue"

    def step(run: Run) -> Any:
        value = target(run)
        if not isinstance(value, Optional):
            raise EvaluationError("no such overload")
        if value.present:
            return value.value if unwrap else value
        return other(run)

    return step

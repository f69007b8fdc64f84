"""Calls of functions: which overload takes the arguments is found when they are there, and remembered by their types.

Source: cel-go/interpreter/dispatcher.go, interpretable.go.
"""

from typing import Any

from apiserver.cel import patterns
from apiserver.cel.environment import Overload, one
from apiserver.cel.errors import BudgetExceeded, EvaluationError
from apiserver.cel.nodes import Call, Literal
from apiserver.cel.running import Compile, Run, Step
from apiserver.cel.values import Opaque, type_name


def function(node: Call, compiled: Compile) -> Step:
    args = [compiled(operand) for operand in node.operands]
    if node.function in ("find", "findAll") and isinstance(node.args[0], Literal):
        patterns.compiled(node.args[0].value)
    choose = _Dispatch(node)
    if len(args) == 2:
        return _binary(args[0], args[1], choose)

    def step(run: Run) -> Any:
        given = [arg(run) for arg in args]
        overload = choose(given)
        if overload.cost is one:
            run.charge(1)
            result = overload.run(*given)
        else:
            result = overload.run(*given)
            run.charge(overload.cost(given, result))
        if isinstance(result, list | str | bytes):
            run.worked(len(result))
        return result

    return step


def _binary(left: Step, right: Step, choose: "_Dispatch") -> Step:
    """The same for two arguments, which most calls have."""
    known = choose.known

    def step(run: Run) -> Any:
        one_value, other = left(run), right(run)
        overload = known.get((one_value.__class__, other.__class__)) or choose([one_value, other])
        if overload.cost is one:
            run.cost += 1
            if run.cost > run.limit:
                raise BudgetExceeded
            result = overload.run(one_value, other)
        else:
            result = overload.run(one_value, other)
            run.charge(overload.cost((one_value, other), result))
        if isinstance(result, list | str | bytes):
            run.worked(len(result))
        return result

    return step


class _Dispatch:
    """Which overload takes these arguments; remembered by the Python types of the arguments."""

    __slots__ = ("known", "node")

    def __init__(self, node: Call) -> None:
        self.node = node
        self.known: dict[tuple[type, ...], Overload] = {}

    def __call__(self, given: list[Any]) -> Overload:
        key = tuple([value.__class__ for value in given])
        found = self.known.get(key)
        if found is None:
            found = self._find(given)
            if not any(isinstance(value, Opaque) for value in given):
                self.known[key] = found
        return found

    def _find(self, given: list[Any]) -> Overload:
        for overload in self.node.overloads:
            if overload.accepts(given):
                return overload  # type: ignore[no-any-return]
        if not self.node.function[0].isalpha():
            raise EvaluationError("no such overload")
        shown = ", ".join(map(type_name, given))
        raise EvaluationError(f"no such overload: {self.node.function}({shown})")

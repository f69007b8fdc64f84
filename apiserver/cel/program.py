"""Source in, program out; a program runs on values within a budget.

`compile` raises `CompileError` with upstream's text. A `Program` is immutable and may be run by many at once; each run
starts at no cost. `Budget` is what several runs share: an object's rules, say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from apiserver.cel.checker import check
from apiserver.cel.environment import Environment
from apiserver.cel.errors import BudgetExceeded, CompileError, EvaluationError, InstantiationError, Problem, display
from apiserver.cel.evaluation import Run, Step, compiled
from apiserver.cel.literals import check_literals
from apiserver.cel.nodes import Node
from apiserver.cel.parsing import MAX_DEPTH, parse
from apiserver.cel.types import DYN, Type
from apiserver.metrics.admission import CEL_COMPILATION, CEL_EVALUATION

#: What one evaluation may cost (apiserver/pkg/apis/cel/config.go, PerCallLimit).
PER_CALL_LIMIT = 1_000_000
#: What all rules of one object may cost together (RuntimeCELCostBudget).
OBJECT_LIMIT = 10_000_000
#: What the match conditions of one webhook may cost together (RuntimeCELCostBudgetMatchConditions).
MATCH_CONDITIONS_LIMIT = OBJECT_LIMIT // 4

OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"

_COMPILATIONS, _EVALUATIONS = CEL_COMPILATION.of(), CEL_EVALUATION.of()


@dataclass(slots=True)
class Budget:
    """What is left to spend."""

    left: int = OBJECT_LIMIT


@dataclass(frozen=True, slots=True)
class Program:
    source: str
    type: Type  #: of the result
    node: Node  #: the checked tree, for estimates of the cost
    step: Step

    def evaluate(self, variables: Mapping[str, Any], budget: Budget | None = None) -> Any:
        """The value. Raises EvaluationError, or BudgetExceeded when the run or the budget is at its end."""
        began, run = perf_counter(), Run(variables, PER_CALL_LIMIT)
        try:
            value = self.step(run)
        except RecursionError:
            raise EvaluationError(f"expression recursion limit exceeded: {MAX_DEPTH}") from None
        finally:
            _EVALUATIONS.add(perf_counter() - began)
            if budget is not None:
                budget.left -= run.cost
        if budget is not None and budget.left < 0:
            raise BudgetExceeded(OUT_OF_BUDGET)
        return value


def compile(source: str, environment: Environment, *results: Type) -> Program:
    """The program, checked. If result types are given, the expression must have exactly one of them; DYN takes any."""
    began = perf_counter()
    try:
        node, problems = parse(source, binds=environment.binds)
        if node is not None:
            problems = check(node, environment) or check_literals(node)
    except RecursionError:
        node, problems = None, [Problem(-1, f"expression recursion limit exceeded: {MAX_DEPTH}")]
    if problems or node is None:
        raise CompileError(f"compilation failed: {display(source, problems)}")
    _require(node.type, results)
    try:
        return Program(source, node.type, node, compiled(node))
    except (EvaluationError, BudgetExceeded) as wrong:
        raise InstantiationError(str(wrong)) from None
    finally:
        _COMPILATIONS.add(perf_counter() - began)


def _require(type: Type, results: Sequence[Type]) -> None:
    if not results or DYN in results or type in results:
        return
    names = [_shown(t) for t in results]
    wanted = names[0] if len(names) == 1 else f"one of [{' '.join(names)}]"
    raise CompileError(f"must evaluate to {wanted} but got {_shown(type)}")


#: Where a type's own name differs from the one that messages about results use.
_FULL_NAMES = {"null": "null_type", "timestamp": "google.protobuf.Timestamp", "duration": "google.protobuf.Duration"}


def _shown(type: Type) -> str:
    return _FULL_NAMES.get(type.name, str(type))

"""Comprehensions, as their macros mean them: `all`, `exists`, `map`, `filter` and their kin over a list or a map.

`all` and `exists` absorb errors when another element decides. Each round costs what cel-go's fold does.
Source: cel-go/interpreter/interpretable.go (evalFold), runtimecost.go.
"""

from collections.abc import Callable, Iterator
from typing import Any

from apiserver.cel.access import shown
from apiserver.cel.constants import is_constant
from apiserver.cel.errors import BudgetExceeded, EvaluationError
from apiserver.cel.making import LIST_COST
from apiserver.cel.nodes import Comprehension
from apiserver.cel.running import Compile, Run, Step

_ABSENT = object()


def _items(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, list):
        return list(enumerate(value))
    raise EvaluationError("no such overload")


class _Loop:
    """The range of a comprehension, and its variables bound one element after another."""

    __slots__ = ("cost", "names", "range")

    def __init__(self, node: Comprehension, compiled: Compile, cost: int = 0) -> None:
        self.range = compiled(node.range)
        self.names = node.variables
        self.cost = cost  #: of the accumulator's part in each round

    def rounds(self, run: Run) -> Iterator[tuple[bool, Any, Any]]:
        """Whether it is the last, key and value, with the variables set; what they hid comes back at the end."""
        value = self.range(run)
        items = _items(value)
        last = len(items) - 1
        variables, cost = run.variables, self.cost
        hidden = [(name, variables.get(name, _ABSENT)) for name in self.names]
        first, second = self.names[0], self.names[-1]
        single = len(self.names) == 1
        by_key = not single or isinstance(value, dict)
        run.worked(len(items))
        try:
            for index, (key, item) in enumerate(items):
                run.cost += cost
                if run.cost > run.limit:
                    raise BudgetExceeded
                if single:
                    variables[first] = key if by_key else item
                else:
                    variables[first], variables[second] = key, item
                yield index == last, key, item
        finally:
            _restore(variables, hidden)


def _restore(variables: dict[str, Any], hidden: list[tuple[str, Any]]) -> None:
    for name, value in hidden:
        if value is _ABSENT:
            variables.pop(name, None)
        else:
            variables[name] = value


def _quantifier(node: Comprehension, compiled: Compile) -> Step:
    decides = node.kind == "exists"
    undecided = not decides
    loop, predicate = _Loop(node, compiled, 4 if decides else 3), compiled(node.body)

    def step(run: Run) -> bool:
        error: EvaluationError | None = None
        for last, _key, _value in loop.rounds(run):
            try:
                value = predicate(run)
            except EvaluationError as wrong:
                error = wrong
                continue
            if value is decides:
                run.charge(1 if last else loop.cost)  # the condition is looked at once more, and the result
                return not undecided
            if value is not undecided:
                error = EvaluationError("no such overload")
        run.charge(1)
        if error is not None:
            raise error
        return undecided

    return step


def _exists_one(node: Comprehension, compiled: Compile) -> Step:
    loop, predicate = _Loop(node, compiled), compiled(node.body)

    def step(run: Run) -> bool:
        count = 0
        for _ in loop.rounds(run):
            value = predicate(run)
            if type(value) is not bool:
                raise EvaluationError("no such overload")
            count += value
            run.cost += 2 * value
        run.charge(2)
        return count == 1

    return step


def _kept(where: Step | None, run: Run) -> bool:
    if where is None:
        return True
    value = where(run)
    if type(value) is not bool:
        raise EvaluationError("no such overload")
    return value


def _where(node: Comprehension, compiled: Compile) -> Step | None:
    return compiled(node.where) if node.where is not None else None


def _to_list(node: Comprehension, compiled: Compile) -> Step:
    loop, where, body = _Loop(node, compiled), _where(node, compiled), compiled(node.body)
    added = 2 if is_constant(node.body) else LIST_COST + 2  # the list of one that each round adds

    def step(run: Run) -> list[Any]:
        made: list[Any] = []
        for _ in loop.rounds(run):
            if _kept(where, run):
                made.append(body(run))
                run.charge(added)
        run.charge(1)
        return made

    return step


def _to_map(node: Comprehension, compiled: Compile) -> Step:
    loop, where, body = _Loop(node, compiled), _where(node, compiled), compiled(node.body)
    whole = node.kind == "entries"

    def step(run: Run) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for _last, key, _value in loop.rounds(run):
            if not _kept(where, run):
                continue
            value = body(run)
            run.charge(2 if whole else 3)
            for name, entry in value.items() if whole else ((key, value),):
                if name in made:
                    raise EvaluationError(f"insert failed: key {shown(name)} already exists")
                made[name] = entry
        run.charge(1)
        return made

    return step


def _bind(node: Comprehension, compiled: Compile) -> Step:
    init, result, name = compiled(node.init), compiled(node.result), node.accumulator

    def step(run: Run) -> Any:
        value = init(run)
        hidden = [(name, run.variables.get(name, _ABSENT))]
        run.variables[name] = value
        try:
            return result(run)
        finally:
            _restore(run.variables, hidden)

    return step


_FOLDS: dict[str, Callable[[Comprehension, Compile], Step]] = {
    "all": _quantifier,
    "exists": _quantifier,
    "exists_one": _exists_one,
    "list": _to_list,
    "map": _to_map,
    "entries": _to_map,
    "bind": _bind,
}


def comprehension(node: Comprehension, compiled: Compile) -> Step:
    """The step of a comprehension, by its kind."""
    return _FOLDS[node.kind](node, compiled)

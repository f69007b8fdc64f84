"""One evaluation of a program: its variables, what it has cost, and how far it may go.

Costs are counted as cel-go's tracker counts them, and the run ends when they pass the limit. Beside them `work` bounds
what cel-go's model gives away for nothing (copies of long lists, deep comparisons): no expression can burn the CPU.
Source: cel-go/interpreter/runtimecost.go.
"""

from collections.abc import Callable, Mapping
from typing import Any

from apiserver.cel.errors import BudgetExceeded
from apiserver.cel.nodes import Node
from apiserver.cel.values import Optional

#: Elements copied or compared in one run.
WORK_LIMIT = 1_000_000


class Run:
    """One evaluation: the variables, what it has cost, and how far it may go."""

    __slots__ = ("cost", "limit", "variables", "work")

    def __init__(self, variables: Mapping[str, Any], limit: int) -> None:
        self.variables = dict(variables)
        self.cost = 0
        self.limit = limit
        self.work = 0

    def charge(self, cost: int) -> None:
        self.cost += cost
        if self.cost > self.limit:
            raise BudgetExceeded

    def worked(self, elements: int) -> None:
        self.work += elements
        if self.work > WORK_LIMIT:
            raise BudgetExceeded


#: A compiled expression.
Step = Callable[[Run], Any]
#: Makes a step of an operand.
Compile = Callable[[Node], Step]


def size_cost(value: Any) -> int:
    """A value's size as costs count it: characters, bytes, elements; one for all else."""
    if isinstance(value, str | bytes | list | dict):
        return len(value)
    if isinstance(value, Optional) and value.present:
        return size_cost(value.value)
    return 1


def weight(value: Any) -> int:
    """How many values there are in a value."""
    total = 0
    rest = [value]
    while rest:
        top = rest.pop()
        if isinstance(top, dict):
            rest.extend(top.values())
            total += len(top)
        elif isinstance(top, list):
            rest.extend(top)
            total += len(top)
    return total + 1

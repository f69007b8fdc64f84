"""A checked tree becomes nested Python functions, and those run on values within a budget.

    running      one evaluation, and what it may cost
    access       variables, fields, elements
    operators    logic, choice, equality, membership
    calls        functions and their overloads
    making       lists, maps and objects written out
    folds        comprehensions
    constants    what is computed once

Errors are exceptions; `&&`, `||`, `all` and `exists` absorb them when the other operands decide.
Source: cel-go/interpreter/planner.go.
"""

from collections.abc import Callable
from typing import Any

from apiserver.cel import access, calls, making, operators
from apiserver.cel.constants import folded
from apiserver.cel.folds import comprehension
from apiserver.cel.nodes import (
    Call,
    Comprehension,
    Ident,
    ListLiteral,
    Literal,
    MapLiteral,
    Node,
    ObjectLiteral,
    Select,
)
from apiserver.cel.running import Compile, Run, Step

__all__ = ["Run", "Step", "compiled"]


def compiled(node: Node) -> Step:
    """The step that evaluates a tree."""
    return _RULES[type(node)](node, compiled)


def _literal(node: Literal, _compiled: Compile) -> Step:
    value = node.value
    return lambda _run: value


_SPECIAL: dict[str, Callable[[Call, Compile], Step]] = {
    "_&&_": operators.logical,
    "_||_": operators.logical,
    "_?_:_": operators.conditional,
    "_==_": operators.equality,
    "_!=_": operators.equality,
    "@in": operators.membership,
    "_[_]": access.index,
    "_[?_]": access.optional_index,
    "_?._": access.optional_index,
}


def _call(node: Call, compiled: Compile) -> Step:
    if node.function in ("or", "orValue") and node.target is not None:
        return operators.optional_or(node, compiled)
    return _SPECIAL.get(node.function, calls.function)(node, compiled)


_RULES: dict[type, Callable[[Any, Compile], Step]] = {
    Literal: _literal,
    Ident: access.ident,
    Select: access.select,
    Call: folded(_call),
    ListLiteral: folded(making.list_literal),
    MapLiteral: folded(making.map_literal),
    ObjectLiteral: making.object_literal,
    Comprehension: comprehension,
}

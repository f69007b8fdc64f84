"""What is computed once, when the program is made: literals, literals of literals, and their conversions.

Source: cel-go/interpreter/decorators.go (constant folding of the planner).
"""

from collections.abc import Callable
from typing import Any

from apiserver.cel.nodes import Call, ListLiteral, Literal, MapLiteral, Node
from apiserver.cel.running import Compile, Run, Step

#: What constants may cost to compute.
CONSTANT_LIMIT = 1_000_000


_CONVERSIONS = frozenset(("bool", "bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type", "uint"))


def is_constant(node: Node) -> bool:
    """What is computed once, when the program is made: literals, literals of literals, and their conversions."""
    match node:
        case Literal():
            return True
        case ListLiteral():
            return not node.optional and all(map(is_constant, node.items))
        case MapLiteral():
            return all(is_constant(e.key) and is_constant(e.value) and not e.optional for e in node.entries)
        case Call():
            return node.target is None and node.function in _CONVERSIONS and all(map(is_constant, node.args))
        case _:
            return False


def folded(rule: Callable[[Any, Compile], Step]) -> Callable[[Any, Compile], Step]:
    """A rule whose step, for constants, is the value that it came to once."""

    def fold(node: Node, compiled: Compile) -> Step:
        step = rule(node, compiled)
        if not is_constant(node):
            return step
        value = step(Run({}, CONSTANT_LIMIT))
        return lambda _run: value

    return fold

"""The tree of an expression. Macros are already expanded; the checker writes types and overloads into it.

A tree belongs to the one compilation that made it, which is why the nodes may change. `offset` is where the source
says it, and what an error points at.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from apiserver.cel.types import DYN, Type


@dataclass(slots=True, kw_only=True)
class Node:
    offset: int
    type: Type = DYN


@dataclass(slots=True, kw_only=True)
class Literal(Node):
    value: Any


@dataclass(slots=True, kw_only=True)
class Ident(Node):
    name: str


@dataclass(slots=True, kw_only=True)
class Select(Node):
    operand: Node
    field: str
    test_only: bool = False
    #: The name in the tree: what `field` says, unescaped by the operand's type.
    property: str = ""
    #: Set where the whole chain (`a.b.c`) is one declared name.
    qualified: str = ""


@dataclass(slots=True, kw_only=True)
class Call(Node):
    function: str
    target: Node | None
    args: list[Node]
    #: Overloads that fit the arguments' types (of `environment.Overload`), the checker's finding.
    overloads: tuple[Any, ...] = ()

    @property
    def operands(self) -> list[Node]:
        return self.args if self.target is None else [self.target, *self.args]


@dataclass(slots=True, kw_only=True)
class ListLiteral(Node):
    items: list[Node]
    optional: frozenset[int] = frozenset()


@dataclass(slots=True, kw_only=True)
class Entry:
    offset: int
    key: Node
    value: Node
    optional: bool = False


@dataclass(slots=True, kw_only=True)
class MapLiteral(Node):
    entries: list[Entry]


@dataclass(slots=True, kw_only=True)
class FieldEntry:
    offset: int
    name: str
    value: Node
    optional: bool = False


@dataclass(slots=True, kw_only=True)
class ObjectLiteral(Node):
    name: str
    entries: list[FieldEntry]


@dataclass(slots=True, kw_only=True)
class Comprehension(Node):
    """`range.all(x, ...)` and its kin, as cel-go expands them: a fold with an accumulator."""

    kind: str  # all, exists, exists_one, list, map, entries, bind: how the evaluator runs it
    range: Node
    variables: tuple[str, ...]
    accumulator: str = "@result"
    init: Node
    condition: Node
    step: Node
    result: Node
    #: What the evaluator needs of the step: the filter, and the value (the predicate for quantifiers).
    where: Node | None = None
    body: Node = field(default_factory=lambda: Literal(offset=-1, value=None))


def children(node: Node) -> Iterator[Node]:
    """The nodes directly beneath."""
    match node:
        case Select():
            yield node.operand
        case Call():
            yield from node.operands
        case ListLiteral():
            yield from node.items
        case MapLiteral():
            for entry in node.entries:
                yield entry.key
                yield entry.value
        case ObjectLiteral():
            for field in node.entries:
                yield field.value
        case Comprehension():
            yield from (node.range, node.init, node.condition, node.step, node.result)

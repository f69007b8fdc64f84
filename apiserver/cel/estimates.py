"""The worst a rule can cost, before it ever runs: what definitions of custom resources are refused by.

The walk over the tree, with the sizes of what it meets; what a call costs is in call_estimates.
Source: cel-go/checker/cost.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from apiserver.cel.call_estimates import KUBERNETES, standard
from apiserver.cel.environment import Overload
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
from apiserver.cel.program import Program
from apiserver.cel.ranges import MOST, ONE, TENTH, UNKNOWN, ZERO, Entries, Estimate, Range, Term, fixed
from apiserver.cel.sizes import Sized
from apiserver.cel.types import Type

__all__ = ["MOST", "worst"]

_SCALARS = ("bool", "double", "duration", "int", "timestamp", "uint")


@dataclass(slots=True)
class _Local:
    path: tuple[str, ...]
    size: Range | None
    entries: Entries | None = None


def worst(program: Program, root: Sized | None) -> int:
    """The most that one run can cost; `root` are the sizes of what `self` can be."""
    return _Estimator(root).cost(program.node).most


class _Estimator:
    def __init__(self, root: Sized | None) -> None:
        self._root = root
        self._paths: dict[int, tuple[str, ...]] = {}
        self._sizes: dict[int, Range] = {}
        self._entries: dict[int, Entries] = {}
        self._locals: dict[str, list[_Local]] = {}

    def cost(self, node: Node) -> Range:
        match node:
            case Literal():
                return ZERO
            case Ident():
                local = self._local(node.name)
                self._paths[id(node)] = local.path if local else (node.name,)
                return ONE
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case ListLiteral():
                return self._list(node)
            case MapLiteral():
                return self._map(node)
            case ObjectLiteral():
                return self._sum([entry.value for entry in node.entries]).plus(fixed(40))
            case Comprehension():
                return self._bind(node) if node.kind == "bind" else self._fold(node)
        raise AssertionError(node)

    def _sum(self, nodes: Sequence[Node]) -> Range:
        total = ZERO
        for node in nodes:
            total = total.plus(self.cost(node))
        return total

    def _local(self, name: str) -> _Local | None:
        found = self._locals.get(name)
        return found[-1] if found else None

    def _select(self, node: Select) -> Range:
        if node.qualified:
            self._paths[id(node)] = (node.qualified,)
            return ONE
        cost = self.cost(node.operand)
        if node.test_only:
            return cost
        if node.operand.type.kind in ("map", "object"):
            cost = cost.plus(ONE)
        self._paths[id(node)] = (*self._path(node.operand), node.field)
        return cost

    def _list(self, node: ListLiteral) -> Range:
        cost = self._sum(node.items)
        size = Range(MOST if node.items else 0, 0)
        for item in node.items:
            size = size.union(self._size(item) or UNKNOWN)
        self._entries[id(node)] = Entries("list", ONE, size)
        return cost.plus(fixed(10))

    def _map(self, node: MapLiteral) -> Range:
        cost = ZERO
        keys = values = Range(MOST if node.entries else 0, 0)
        for entry in node.entries:
            cost = cost.plus(self.cost(entry.key)).plus(self.cost(entry.value))
            keys = keys.union(self._size(entry.key) or UNKNOWN)
            values = values.union(self._size(entry.value) or UNKNOWN)
        self._entries[id(node)] = Entries("map", keys, values)
        return cost.plus(fixed(30))

    def _fold(self, node: Comprehension) -> Range:
        cost = self.cost(node.range).plus(self.cost(node.init))
        accumulator = _Local(self._path(node.init), self._size(node.init), self._entries_of(node.init))
        self._locals.setdefault(node.accumulator, []).append(accumulator)
        for name, local in zip(node.variables, self._loop_locals(node), strict=True):
            self._locals.setdefault(name, []).append(local)
        round_cost = self.cost(node.condition).plus(self.cost(node.step))
        for name in node.variables:
            self._locals[name].pop()
        cost = cost.plus(self.cost(node.result))
        self._locals[node.accumulator].pop()
        count = self._size(node.range) or UNKNOWN
        if isinstance(node.init, Literal):
            self._sizes[id(node)] = ONE
        else:
            self._sizes[id(node)] = count
            entries = self._entries_of(node.step)
            if entries is not None:
                self._entries[id(node)] = entries
        return cost.plus(count.times(round_cost))

    def _loop_locals(self, node: Comprehension) -> list[_Local]:
        entries, path = self._entries_of(node.range), self._path(node.range)
        is_list = (entries.kind if entries else node.range.type.kind) == "list"
        key = _Local((*path, "@indices" if is_list else "@keys"), entries.key if entries else None)
        value = _Local((*path, "@items" if is_list else "@values"), entries.value if entries else None)
        if len(node.variables) == 2:
            return [key, value]
        return [value if is_list else key]

    def _bind(self, node: Comprehension) -> Range:
        cost = self.cost(node.range).plus(self.cost(node.init))
        local = _Local(self._path(node.init), self._size(node.init), self._entries_of(node.init))
        self._locals.setdefault(node.accumulator, []).append(local)
        cost = cost.plus(self.cost(node.result))
        self._locals[node.accumulator].pop()
        self._copy(node, node.result)
        return cost

    def _copy(self, to: Node, of: Node) -> None:
        if (size := self._size(of)) is not None:
            self._sizes[id(to)] = size
        if (entries := self._entries_of(of)) is not None:
            self._entries[id(to)] = entries

    def _call(self, node: Call) -> Range:
        if node.function == "dyn":
            cost = ONE.plus(self.cost(node.args[0]))
            self._copy(node, node.args[0])
            return cost
        costs = [self.cost(arg) for arg in node.args]
        if node.function in ("_&&_", "_||_"):
            return Range(costs[0].least, costs[0].plus(costs[1]).most)
        if node.function == "_?_:_":
            return self._conditional(node, costs)
        target = self.cost(node.target) if node.target is not None else ZERO
        if not node.overloads:  # `a.?b`
            return ONE.plus(costs[0])
        args = [self._term(arg) for arg in node.args]
        on = self._term(node.target) if node.target is not None else None
        cost, size = Range(MOST, 0), None
        for overload in node.overloads:
            estimate = self._estimate(node, overload, on, args)
            cost = cost.union(estimate.cost)
            if estimate.size is not None:
                size = estimate.size.union(size) if size is not None else estimate.size
            size = self._indexed(node, overload, size)
        if size is None:
            size = self._size(node)
        if size is not None:
            self._sizes[id(node)] = size
        total = target.plus(cost)
        for each in costs:
            total = total.plus(each)
        return total

    def _conditional(self, node: Call, costs: list[Range]) -> Range:
        _, yes, no = node.args
        self._sizes[id(node)] = (self._size(yes) or UNKNOWN).union(self._size(no) or UNKNOWN)
        entries = self._entries_of(yes)
        if entries is not None and (both := entries.union(self._entries_of(no))) is not None:
            self._entries[id(node)] = both
        return costs[0].plus(costs[1].union(costs[2]))

    def _indexed(self, node: Call, overload: Overload, size: Range | None) -> Range | None:
        if node.function != "_[_]" or overload.params[0].kind not in ("list", "map"):
            return size
        operand = node.args[0]
        entries = self._entries_of(operand)
        step = "@items" if overload.params[0].kind == "list" else "@values"
        self._paths[id(node)] = (*self._path(operand), step)
        return entries.value if entries is not None else None

    def _path(self, node: Node) -> tuple[str, ...]:
        if isinstance(node, Ident) and (local := self._local(node.name)) is not None:
            return local.path
        return self._paths.get(id(node), ())

    def _term(self, node: Node) -> Term:
        path = self._path(node)
        if path and path[0] in ("@result", "__result__"):
            path = ()
        return Term(path, node.type, self._size(node))

    def _by_schema(self, path: Sequence[str]) -> Range | None:
        if not path or self._root is None:
            return None
        found = self._root.at(path[1:])
        return Range(0, found.elements) if found is not None else None

    def _size(self, node: Node) -> Range | None:
        if (known := self._sizes.get(id(node))) is not None:
            return known
        if (written := _written_size(node)) is not None:
            return written
        if (by_schema := self._by_schema(self._path(node))) is not None:
            self._sizes[id(node)] = by_schema
            return by_schema
        if _is_scalar(node.type):
            return ONE
        local = self._local(node.name) if isinstance(node, Ident) else None
        return local.size if local is not None else None

    def _entries_of(self, node: Node) -> Entries | None:
        found = self._entries.get(id(node))
        if found is None and isinstance(node, Ident) and (local := self._local(node.name)) is not None:
            return local.entries
        return found

    def _estimate(self, node: Call, overload: Overload, on: Term | None, args: Sequence[Term]) -> Estimate:
        own = KUBERNETES.get(node.function)
        if own is not None and (found := own(self._known, overload, on, args)) is not None:
            return found
        if node.function == "_+_" and overload.params[0].kind in ("string", "bytes", "list"):
            return self._added(node, overload, args)
        return standard(node.function, overload, on, args)

    def _known(self, term: Term) -> Range:
        """A term's size as Kubernetes' estimator has it: the schema's where the expression says none."""
        if term.size is not None:
            return term.size
        return self._by_schema(term.path) or UNKNOWN

    def _added(self, node: Call, overload: Overload, args: Sequence[Term]) -> Estimate:
        size = (args[0].size or UNKNOWN).plus(args[1].size or UNKNOWN)
        entries = self._entries_of(node.args[0])
        if entries is not None and (both := entries.union(self._entries_of(node.args[1]))) is not None:
            self._entries[id(node)] = both
        return Estimate(ONE if overload.params[0].kind == "list" else size.scaled(TENTH), size)


def _written_size(node: Node) -> Range | None:
    match node:
        case Literal():
            return fixed(len(node.value)) if isinstance(node.value, str | bytes) else ONE
        case ListLiteral():
            return fixed(len(node.items))
        case MapLiteral():
            return fixed(len(node.entries))
    return None


def _is_scalar(type: Type) -> bool:
    if type.kind == "opaque" and type.name == "optional_type":
        return _is_scalar(type.params[0])
    return type.kind in _SCALARS

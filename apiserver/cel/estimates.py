"""The worst a rule can cost, before it ever runs: what definitions of custom resources are refused by.

Ranges of costs and sizes, as cel-go's estimator and Kubernetes' own compute them, function by function.
Source: cel-go/checker/cost.go, apiserver/pkg/cel/library/cost.go (EstimateCallCost).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
from apiserver.cel.sizes import Sized
from apiserver.cel.types import Type

MOST = 2**64 - 1


class Range(NamedTuple):
    """From least to most; sums and products stop at 2^64 - 1."""

    least: int
    most: int

    def plus(self, other: "Range") -> "Range":
        return Range(min(MOST, self.least + other.least), min(MOST, self.most + other.most))

    def times(self, other: "Range") -> "Range":
        return Range(min(MOST, self.least * other.least), min(MOST, self.most * other.most))

    def scaled(self, factor: float) -> "Range":
        return Range(_scaled(self.least, factor), _scaled(self.most, factor))

    def union(self, other: "Range") -> "Range":
        return Range(min(self.least, other.least), max(self.most, other.most))


def _scaled(value: int, factor: float) -> int:
    return min(MOST, math.ceil(float(value) * factor))


def fixed(value: int) -> Range:
    return Range(value, value)


UNKNOWN = Range(0, MOST)
ZERO, ONE = fixed(0), fixed(1)
_TENTH, _QUARTER = 0.1, 0.25
_SCALARS = ("bool", "double", "duration", "int", "timestamp", "uint")


class Entries(NamedTuple):
    """The sizes of what a list or map holds."""

    kind: str
    key: Range
    value: Range

    def union(self, other: "Entries | None") -> "Entries | None":
        if other is None:
            return None
        return Entries(self.kind, self.key.union(other.key), self.value.union(other.value))


class Term(NamedTuple):
    """An argument of a call: where it comes from, its type, and its size if that is known."""

    path: tuple[str, ...]
    type: Type
    size: Range | None


class Estimate(NamedTuple):
    """What a call costs besides its arguments, and how large its result is."""

    cost: Range
    size: Range | None = None


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
        own = _KUBERNETES.get(node.function)
        if own is not None and (found := own(self._known, overload, on, args)) is not None:
            return found
        if node.function == "_+_" and overload.params[0].kind in ("string", "bytes", "list"):
            return self._added(node, overload, args)
        return _standard(node.function, overload, on, args)

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
        return Estimate(ONE if overload.params[0].kind == "list" else size.scaled(_TENTH), size)


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


def _standard(function: str, overload: Overload, on: Term | None, args: Sequence[Term]) -> Estimate:
    """cel-go's own functions that are not O(1)."""
    sizes = [arg.size or UNKNOWN for arg in args]
    kinds = [param.kind for param in overload.params]
    mine = on.size or UNKNOWN if on is not None else UNKNOWN
    match function:
        case "format" if on is not None:
            return Estimate(mine.scaled(_TENTH))
        case "bytes" if kinds == ["string"]:
            return Estimate(sizes[0].scaled(_TENTH), Range(sizes[0].least, min(MOST, sizes[0].most * 4)))
        case "string" if kinds == ["bytes"]:
            return Estimate(sizes[0].scaled(_TENTH), Range(sizes[0].least // 4, sizes[0].most))
        case "strings.quote":
            return Estimate(sizes[0].scaled(_TENTH), Range(sizes[0].least + 2, min(MOST, sizes[0].most * 2 + 2)))
        case "startsWith" | "endsWith":
            return Estimate(sizes[0].scaled(_TENTH))
        case "@in" if kinds[1] == "list":
            return Estimate(sizes[1].scaled(1))
        case "matches" if on is not None:
            return Estimate(mine.plus(ONE).scaled(_TENTH).times(sizes[0].scaled(_QUARTER)))
        case "contains":
            return Estimate(mine.scaled(_TENTH).times(sizes[0].scaled(_TENTH)))
        case "sets.contains" | "sets.intersects" | "sets.equivalent":
            factor = 2 if function == "sets.equivalent" else 1
            return Estimate(sizes[0].times(sizes[1]).scaled(factor).plus(ONE))
        case "_==_" | "_!=_":
            return Estimate(_compared(sizes))
        case "_<_" | "_<=_" | "_>_" | "_>=_" if kinds[0] in ("string", "bytes"):
            return Estimate(_compared(sizes))
    return Estimate(ONE)


def _compared(sizes: Sequence[Range]) -> Range:
    most = min(sizes[0].most, sizes[1].most)
    return Range(1 if most > 0 else 0, most).scaled(_TENTH)


_Known = Callable[[Term], Range]
_Rule = Callable[[_Known, Overload, Term | None, Sequence[Term]], Estimate | None]


def _nominal(_known: _Known, _overload: Overload, _on: Term | None, _args: Sequence[Term]) -> Estimate:
    return Estimate(ONE)


def _check(_known: _Known, _overload: Overload, _on: Term | None, _args: Sequence[Term]) -> Estimate:
    return Estimate(fixed(350_000))


def _selector(known: _Known, _overload: Overload, _on: Term | None, args: Sequence[Term]) -> Estimate:
    size = known(args[0])
    return Estimate(fixed(10).plus(size.scaled(_TENTH)).plus(Range(*size.scaled(0.5)).scaled(50.0)))


def _elements(known: _Known, _overload: Overload, on: Term | None, _args: Sequence[Term]) -> Estimate | None:
    if on is None:
        return None
    if not on.type.params:  # a string, which indexOf takes as well
        return Estimate(known(on).scaled(_TENTH))
    each = ONE
    element = on.type.params[0]
    if element.kind in ("string", "bytes"):
        each = each.plus(known(Term((*on.path, "@items") if on.path else (), element, None)).scaled(_TENTH))
    return Estimate(known(on).times(each))


def _traversed(known: _Known, _overload: Overload, _on: Term | None, args: Sequence[Term]) -> Estimate:
    return Estimate(known(args[0]).scaled(_TENTH))


def _traversed_alike(known: _Known, _overload: Overload, _on: Term | None, args: Sequence[Term]) -> Estimate:
    size = known(args[0])
    return Estimate(size.scaled(_TENTH), size)


def _target_alike(known: _Known, _overload: Overload, on: Term | None, _args: Sequence[Term]) -> Estimate | None:
    if on is None:
        return None
    size = known(on)
    return Estimate(size.scaled(_TENTH), size)


def _replace(known: _Known, _overload: Overload, on: Term | None, args: Sequence[Term]) -> Estimate | None:
    if on is None or len(args) < 2:
        return None
    size, old, new = known(on), known(args[0]), known(args[1])
    most, kept_most = _replaced_most(size.most, old.least, new.most)
    least, kept_least = _replaced_least(size.least, old.most, new.least)
    result = Range(least, most).times(new).plus(Range(kept_least, kept_most))
    return Estimate(size.scaled(2 * _TENTH), result)


def _replaced_most(size: int, old: int, new: int) -> tuple[int, int]:
    if old == 0:
        return min(MOST, size + 1), size
    if new <= old:
        return 0, size
    return min(MOST, math.ceil(float(size) / old)), 0


def _replaced_least(size: int, old: int, new: int) -> tuple[int, int]:
    if old == 0:
        return min(MOST, size + 1), size
    if old <= new:
        return 0, size
    return math.ceil(float(size) / old), 0


def _split(known: _Known, overload: Overload, on: Term | None, args: Sequence[Term]) -> Estimate | None:  # noqa: ARG001
    if on is None:
        return None
    size = known(on)
    return Estimate(size.scaled(2 * _TENTH), Range(0, size.most))


def _join(known: _Known, _overload: Overload, on: Term | None, args: Sequence[Term]) -> Estimate | None:
    if on is None:
        return None
    count = known(on)
    element = Term((*on.path, "@items") if on.path else (), on.type.params[0], None)
    size = count.times(known(element))
    if args:
        size = size.plus(known(args[0]).times(Range(max(0, count.least - 1), max(0, count.most - 1))))
    return Estimate(size.scaled(_TENTH), size)


def _found(known: _Known, _overload: Overload, on: Term | None, args: Sequence[Term]) -> Estimate | None:
    if on is None:
        return None
    size = known(on)
    cost = size.plus(ONE).scaled(_TENTH).times(known(args[0]).scaled(_QUARTER))
    return Estimate(cost, Range(0, size.most))


def _ip(known: _Known, overload: Overload, on: Term | None, args: Sequence[Term]) -> Estimate:
    return Estimate(ONE) if on is not None else _traversed(known, overload, on, args)


def _canonical(known: _Known, _overload: Overload, _on: Term | None, args: Sequence[Term]) -> Estimate:
    return Estimate(known(args[0]).scaled(2 * _TENTH))


_ADDRESS = Range(4, 16)


def _contains_ip(known: _Known, overload: Overload, _on: Term | None, args: Sequence[Term]) -> Estimate:
    cost = _ADDRESS.plus(_ADDRESS).scaled(_TENTH)
    if overload.params[1].kind == "string":
        cost = cost.plus(known(args[0]).scaled(_TENTH))
    return Estimate(cost)


def _contains_cidr(known: _Known, overload: Overload, on: Term | None, args: Sequence[Term]) -> Estimate:
    cost = _contains_ip(known, overload, on, args).cost
    return Estimate(cost.plus(_ADDRESS.scaled(_TENTH)).plus(ONE))


def _validate(known: _Known, _overload: Overload, _on: Term | None, args: Sequence[Term]) -> Estimate:
    return Estimate(known(args[0]).scaled(_TENTH).scaled(128 * _QUARTER))


def _same(_known: _Known, _overload: Overload, _on: Term | None, args: Sequence[Term]) -> Estimate | None:
    """Equality of Kubernetes' own types."""
    if args[0].type != args[1].type or args[0].type.kind != "opaque":
        return None
    name = args[0].type.name
    if name == "kubernetes.NamedFormat":
        return Estimate(Range(1, 64).scaled(_TENTH))
    if name == "kubernetes.URL":
        return Estimate(Range(1, (args[1].size or ONE).most).scaled(_TENTH))
    return Estimate(ONE) if name.startswith(("kubernetes.", "net.")) else None


_NOMINAL = (
    *("serviceAccount", "path", "group", "resource", "subresource", "namespace", "name", "allowed", "reason"),
    *("error", "errored", "masked", "prefixLength", "family", "isUnspecified", "isLoopback", "isLinkLocalMulticast"),
    *("isLinkLocalUnicast", "isGlobalUnicast", "format.named", "sign", "asInteger", "isInteger"),
    *("asApproximateFloat", "isGreaterThan", "isLessThan", "compareTo", "add", "sub", "major", "minor", "patch"),
    *("getScheme", "getHostname", "getHost", "getPort", "getEscapedPath", "getQuery"),
)
_KUBERNETES: dict[str, _Rule] = {
    **dict.fromkeys(_NOMINAL, _nominal),
    "check": _check,
    **dict.fromkeys(("fieldSelector", "labelSelector"), _selector),
    **dict.fromkeys(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), _elements),
    **dict.fromkeys(("url", "jsonpatch.escapeKey"), _traversed_alike),
    **dict.fromkeys(("lowerAscii", "upperAscii", "substring", "trim"), _target_alike),
    "replace": _replace,
    "split": _split,
    "join": _join,
    **dict.fromkeys(("find", "findAll"), _found),
    **dict.fromkeys(("cidr", "isIP", "isCIDR", "quantity", "isQuantity", "semver", "isSemver"), _traversed),
    "ip": _ip,
    "ip.isCanonical": _canonical,
    "containsIP": _contains_ip,
    "containsCIDR": _contains_cidr,
    "validate": _validate,
    "_==_": _same,
}

"""The most that an expression can cost, told from its tree and from how big what it looks at can get.

Rules that could cost too much are refused when they are written, so that no object makes them fail later. What a value
can be at most comes from where it lies (`self`, then the names) in `Size`; literals and what is made of them have sizes
of their own. Costs are those of the evaluation, at the worst. Source: cel-go/checker/cost.go,
apiserver/pkg/cel/library/cost.go.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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
from apiserver.cel.sizes import Size
from apiserver.cel.types import Type

#: As much as can be counted, upstream's largest unsigned number.
MOST = 2**64 - 1
_STRING = 0.1
_PATTERN = 0.25
_LIST, _MAP, _OBJECT = 10, 30, 40
#: How long the pattern of a named format is, and the name of one.
_FORMAT_PATTERN, _FORMAT = 128, 64
#: The bytes of an address as the comparisons see them.
_ADDRESS = 16
_SCALARS = frozenset(("bool", "double", "duration", "int", "timestamp", "uint"))
_ALIKE = frozenset(("net.IP", "net.CIDR", "kubernetes.Quantity", "kubernetes.Semver"))


def times(one: int, other: int) -> int:
    """The product, which ends at the most that can be counted."""
    return min(one * other, MOST)


def _scaled(size: int, factor: float) -> int:
    found = math.ceil(float(size) * factor)
    return min(found, MOST)


class _Range(NamedTuple):
    """How many characters or elements there can be."""

    least: int
    most: int

    def union(self, other: "_Range") -> "_Range":
        return _Range(min(self.least, other.least), max(self.most, other.most))

    def plus(self, other: "_Range") -> "_Range":
        return _Range(min(self.least + other.least, MOST), min(self.most + other.most, MOST))

    def by(self, other: "_Range") -> "_Range":
        return _Range(times(self.least, other.least), times(self.most, other.most))


_UNKNOWN = _Range(0, MOST)
_NOTHING_YET = _Range(MOST, 0)


class _Entries(NamedTuple):
    """Of a list or a map that the expression itself makes."""

    kind: str
    key: _Range
    value: _Range

    def union(self, other: "_Entries | None") -> "_Entries | None":
        return None if other is None else _Entries(self.kind, self.key.union(other.key), self.value.union(other.value))


class _Local(NamedTuple):
    """A variable of a fold."""

    path: tuple[str, ...]
    size: _Range | None
    entries: _Entries | None


class _Found(NamedTuple):
    """What a call costs without its arguments, and the size of what it gives."""

    cost: int
    size: _Range | None = None


def most(node: Node, root: Size | None) -> int:
    """What the checked expression costs at the worst; `root` is the size of `self`."""
    try:
        return _Estimate(root).cost(node)
    except RecursionError:
        return MOST


@dataclass(slots=True)
class _Estimate:
    """One estimate. What is known of a node is kept by its identity, as long as the tree lives."""

    root: Size | None
    paths: dict[int, tuple[str, ...]] = field(default_factory=dict)
    sizes: dict[int, _Range] = field(default_factory=dict)
    entries: dict[int, _Entries] = field(default_factory=dict)
    locals: dict[str, list[_Local]] = field(default_factory=dict)

    def cost(self, node: Node) -> int:
        match node:
            case Ident():
                found = self._local(node.name)
                self.paths[id(node)] = (node.name,) if found is None else found.path
                return 1
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case ListLiteral():
                return self._list(node)
            case MapLiteral():
                return self._map(node)
            case ObjectLiteral():
                return min(sum(self.cost(entry.value) for entry in node.entries) + _OBJECT, MOST)
            case Comprehension():
                return self._bind(node) if node.kind == "bind" else self._fold(node)
        return 0

    # Names.

    def _local(self, name: str) -> _Local | None:
        found = self.locals.get(name)
        return found[-1] if found else None

    def _path(self, node: Node) -> tuple[str, ...]:
        if isinstance(node, Ident) and (found := self._local(node.name)) is not None:
            return found.path
        return self.paths.get(id(node), ())

    def _select(self, node: Select) -> int:
        if node.qualified:
            self.paths[id(node)] = (node.qualified,)
            return 1
        cost = self.cost(node.operand)
        if node.test_only:
            return cost
        self.paths[id(node)] = (*self._path(node.operand), node.field)
        return min(cost + (node.operand.type.kind in ("map", "object", "param")), MOST)

    # Sizes.

    def size(self, node: Node) -> _Range:
        """How big its value can be."""
        found = self.known_size(node)
        return _UNKNOWN if found is None else found

    def known_size(self, node: Node) -> _Range | None:
        if (kept := self.sizes.get(id(node))) is not None:
            return kept
        if (made := _literal_size(node)) is not None:
            return made
        if (there := self._size_at(self._path(node))) is not None:
            self.sizes[id(node)] = there
            return there
        if _is_scalar(node.type):
            return _Range(1, 1)
        if isinstance(node, Ident) and (found := self._local(node.name)) is not None:
            return found.size
        return None

    def _size_at(self, path: tuple[str, ...]) -> _Range | None:
        if not path or self.root is None:
            return None
        found = self.root.at(path[1:])
        return None if found is None else _Range(0, found.most)

    def _entries(self, node: Node) -> _Entries | None:
        if (kept := self.entries.get(id(node))) is not None:
            return kept
        if isinstance(node, Ident) and (found := self._local(node.name)) is not None:
            return found.entries
        return None

    def item(self, node: Node) -> tuple[Type, _Range] | None:
        """The type and the size of a list's items; None for what is no list."""
        if not node.type.params:
            return None
        path = self._path(node)
        size = self._size_at((*path, "@items")) if path else None
        return node.type.params[0], _UNKNOWN if size is None else size

    # Literals and folds.

    def _list(self, node: ListLiteral) -> int:
        cost, size = 0, _NOTHING_YET if node.items else _Range(0, 0)
        for item in node.items:
            cost += self.cost(item)
            size = size.union(self.size(item))
        self.entries[id(node)] = _Entries("list", _Range(1, 1), size)
        return min(cost + _LIST, MOST)

    def _map(self, node: MapLiteral) -> int:
        cost, key = 0, _NOTHING_YET if node.entries else _Range(0, 0)
        value = key
        for entry in node.entries:
            cost += self.cost(entry.key) + self.cost(entry.value)
            key = key.union(self.size(entry.key))
            value = value.union(self.size(entry.value))
        self.entries[id(node)] = _Entries("map", key, value)
        return min(cost + _MAP, MOST)

    def _bind(self, node: Comprehension) -> int:
        cost = self.cost(node.range) + self.cost(node.init)
        self._push(
            node.accumulator, _Local(self._path(node.init), self.known_size(node.init), self._entries(node.init))
        )
        cost += self.cost(node.result)
        self.locals[node.accumulator].pop()
        self._copy(node, node.result)
        return min(cost, MOST)

    def _copy(self, node: Node, other: Node) -> None:
        size, entries = self.known_size(other), self._entries(other)
        if size is not None:
            self.sizes[id(node)] = size
        if entries is not None:
            self.entries[id(node)] = entries

    def _push(self, name: str, local: _Local) -> None:
        self.locals.setdefault(name, []).append(local)

    def _fold(self, node: Comprehension) -> int:
        cost = self.cost(node.range) + self.cost(node.init)
        self._push(
            node.accumulator, _Local(self._path(node.init), self.known_size(node.init), self._entries(node.init))
        )
        for name, local in self._loop_variables(node):
            self._push(name, local)
        turn = self.cost(node.condition) + self.cost(node.step)
        for name in node.variables:
            self.locals[name].pop()
        cost += self.cost(node.result)
        self.locals[node.accumulator].pop()
        count = self.size(node.range)
        cost += times(count.most, min(turn, MOST))
        if isinstance(node.init, Literal):
            self.sizes[id(node)] = self.size(node.init)
        elif isinstance(node.init, ListLiteral | MapLiteral):
            self.sizes[id(node)] = count
            if (made := self._entries(node.step)) is not None:
                self.entries[id(node)] = made
        return min(cost, MOST)

    def _loop_variables(self, node: Comprehension) -> list[tuple[str, _Local]]:
        entries, path = self._entries(node.range), self._path(node.range)
        is_list = (entries.kind if entries is not None else node.range.type.kind) == "list"
        key = None if entries is None else entries.key
        value = None if entries is None else entries.value
        values = _Local((*path, "@items" if is_list else "@values"), value, None)
        keys = _Local((*path, "@indices" if is_list else "@keys"), key, None)
        if len(node.variables) == 2:
            return [(node.variables[0], keys), (node.variables[1], values)]
        return [(node.variables[0], values if is_list else keys)]

    # Calls.

    def _call(self, node: Call) -> int:
        if node.function == "dyn" and node.target is None:
            cost = self.cost(node.args[0])
            self._copy(node, node.args[0])
            return min(cost + 1, MOST)
        costs = [self.cost(arg) for arg in node.args]
        if node.function == "_?_:_":
            return self._choice(node, costs)
        if node.function in ("_&&_", "_||_"):
            return min(sum(costs), MOST)
        before = self.cost(node.target) if node.target is not None else 0
        worst, size = 0, None
        for overload in node.overloads or (None,):
            found = self._function(node, overload)
            worst = max(worst, found.cost)
            if found.size is not None:
                size = found.size if size is None else size.union(found.size)
            if overload is not None and node.function == "_[_]" and overload.params[0].kind in ("list", "map"):
                entries = self._entries(node.args[0])
                size = None if entries is None else entries.value
                below = "@items" if overload.params[0].kind == "list" else "@values"
                self.paths[id(node)] = (*self._path(node.args[0]), below)
            if size is None:
                size = self.known_size(node)
        if size is not None:
            self.sizes[id(node)] = size
        return min(before + sum(costs) + worst, MOST)

    def _choice(self, node: Call, costs: Sequence[int]) -> int:
        _, yes, no = node.args
        self.sizes[id(node)] = self.size(yes).union(self.size(no))
        entries = self._entries(yes)
        union = None if entries is None else entries.union(self._entries(no))
        if union is not None:
            self.entries[id(node)] = union
        return min(costs[0] + max(costs[1], costs[2]), MOST)

    def _function(self, node: Call, overload: Overload | None) -> _Found:
        if node.function == "_+_":
            return self._joined(node, overload)
        rule = _RULES.get(node.function)
        found = rule(self, node, overload) if rule is not None else None
        return _Found(1) if found is None else found

    def _joined(self, node: Call, overload: Overload | None) -> _Found:
        kind = overload.params[0].kind if overload is not None else ""
        if kind not in ("string", "bytes", "list") or (overload is not None and overload.params[1].kind != kind):
            return _Found(1)
        one, other = node.args
        size = self.size(one).plus(self.size(other))
        entries = self._entries(one)
        union = None if entries is None else entries.union(self._entries(other))
        if union is not None:
            self.entries[id(node)] = union
        return _Found(1 if kind == "list" else _scaled(size.most, _STRING), size)


def _literal_size(node: Node) -> _Range | None:
    match node:
        case Literal():
            length = len(node.value) if isinstance(node.value, str | bytes) else 1
            return _Range(length, length)
        case ListLiteral():
            return _Range(len(node.items), len(node.items))
        case MapLiteral():
            return _Range(len(node.entries), len(node.entries))
    return None


def _is_scalar(type: Type) -> bool:
    if type.kind == "opaque" and type.name == "optional_type":
        return _is_scalar(type.params[0])
    return type.kind in _SCALARS


_Rule = Callable[[_Estimate, Call, "Overload | None"], "_Found | None"]


def _reads(factor: float = _STRING, *, keeps: bool = False) -> _Rule:
    """Of its first argument."""

    def rule(estimate: _Estimate, node: Call, _overload: Overload | None) -> _Found | None:
        if not node.args:
            return None
        size = estimate.size(node.args[0])
        return _Found(_scaled(size.most, factor), size if keeps else None)

    return rule


def _reads_target(estimate: _Estimate, node: Call, _overload: Overload | None) -> _Found | None:
    if node.target is None:
        return None
    size = estimate.size(node.target)
    return _Found(_scaled(size.most, _STRING), size)


def _format(estimate: _Estimate, node: Call, _overload: Overload | None) -> _Found | None:
    return None if node.target is None else _Found(_scaled(estimate.size(node.target).most, _STRING))


def _prefix(estimate: _Estimate, node: Call, _overload: Overload | None) -> _Found | None:
    return _Found(_scaled(estimate.size(node.args[0]).most, _STRING)) if len(node.args) == 1 else None


def _over_list(estimate: _Estimate, node: Call, _overload: Overload | None) -> _Found | None:
    if node.target is None:
        return None
    count = estimate.size(node.target).most
    found = estimate.item(node.target)
    if found is None:
        return _Found(_scaled(count, _STRING))
    type, size = found
    each = 1 + _scaled(size.most, _STRING) if type.kind in ("string", "bytes") else 1
    return _Found(times(count, min(each, MOST)))


def _replace(estimate: _Estimate, node: Call, _overload: Overload | None) -> _Found | None:
    if node.target is None or len(node.args) < 2:
        return None
    size, gone, new = (estimate.size(part) for part in (node.target, node.args[0], node.args[1]))
    if gone.least == 0:
        longest = min(times(min(size.most + 1, MOST), new.most) + size.most, MOST)
    elif new.most <= gone.least:
        longest = size.most
    else:
        longest = times(math.ceil(size.most / gone.least), new.most)
    if gone.most == 0:
        shortest = min(times(min(size.least + 1, MOST), new.least) + size.least, MOST)
    elif gone.most <= new.least:
        shortest = size.least
    else:
        shortest = times(math.ceil(size.least / gone.most), new.least)
    return _Found(_scaled(size.most, 2 * _STRING), _Range(shortest, longest))


def _split(estimate: _Estimate, node: Call, _overload: Overload | None) -> _Found | None:
    if node.target is None:
        return None
    size = estimate.size(node.target)
    count = size.most
    if len(node.args) > 1 and isinstance(node.args[1], Literal) and node.args[1].value.__class__ is int:
        count = node.args[1].value % 2**64
    return _Found(_scaled(size.most, 2 * _STRING), _Range(0, count))


def _join(estimate: _Estimate, node: Call, _overload: Overload | None) -> _Found | None:
    if node.target is None:
        return None
    count = estimate.size(node.target)
    found = estimate.item(node.target)
    size = _Range(0, 0) if found is None else count.by(found[1])
    if node.args:
        between = _Range(max(count.least - 1, 0), max(count.most - 1, 0))
        size = size.plus(estimate.size(node.args[0]).by(between))
    return _Found(_scaled(size.most, _STRING), size)


def _matching(estimate: _Estimate, node: Call, _overload: Overload | None) -> _Found | None:
    """A pattern on a string."""
    if node.target is None or not node.args:
        return None
    size = estimate.size(node.target)
    text = _scaled(min(size.most + 1, MOST), _STRING)
    pattern = _scaled(estimate.size(node.args[0]).most, _PATTERN)
    return _Found(times(text, pattern), None if node.function == "matches" else _Range(0, size.most))


def _contains(estimate: _Estimate, node: Call, overload: Overload | None) -> _Found | None:
    if node.target is None or len(node.args) != 1 or overload is None or overload.params[0].kind != "string":
        return None
    text, part = estimate.size(node.target), estimate.size(node.args[0])
    return _Found(times(_scaled(text.most, _STRING), _scaled(part.most, _STRING)))


def _in(estimate: _Estimate, node: Call, overload: Overload | None) -> _Found | None:
    if overload is None or overload.params[1].kind != "list":
        return None
    return _Found(estimate.size(node.args[1]).most)


def _equals(estimate: _Estimate, node: Call, _overload: Overload | None) -> _Found | None:
    one, other = node.args
    if node.function == "_==_" and one.type == other.type and one.type.kind == "opaque":
        if one.type.name in _ALIKE:
            return _Found(1)
        if one.type.name == "kubernetes.NamedFormat":
            return _Found(_scaled(_FORMAT, _STRING))
        if one.type.name == "kubernetes.URL":
            size = estimate.known_size(other)
            return _Found(_scaled(1 if size is None else size.most, _STRING))
    return _Found(_scaled(min(estimate.size(one).most, estimate.size(other).most), _STRING))


def _compares(estimate: _Estimate, node: Call, overload: Overload | None) -> _Found | None:
    kind = overload.params[0].kind if overload is not None else ""
    if kind not in ("string", "bytes"):
        return None
    return _Found(_scaled(min(estimate.size(one).most for one in node.args), _STRING))


def _converts(kind: str, factor: float) -> _Rule:
    """Text to bytes and back."""

    def rule(estimate: _Estimate, node: Call, overload: Overload | None) -> _Found | None:
        if overload is None or overload.params[0].kind != kind:
            return None
        size = estimate.size(node.args[0])
        least, longest = (size.least, size.most * 4) if factor > 1 else (size.least // 4, size.most)
        return _Found(_scaled(size.most, _STRING), _Range(least, longest % 2**64))

    return rule


def _quote(estimate: _Estimate, node: Call, _overload: Overload | None) -> _Found | None:
    size = estimate.size(node.args[0])
    return _Found(_scaled(size.most, _STRING), _Range(size.least + 2, (size.most * 2 + 2) % 2**64))


def _ip(estimate: _Estimate, node: Call, overload: Overload | None) -> _Found | None:
    return _Found(1) if node.target is not None else _reads()(estimate, node, overload)


def _holds(*, is_network: bool) -> _Rule:
    """Whether a network holds an address, or another network."""

    def rule(estimate: _Estimate, node: Call, overload: Overload | None) -> _Found | None:
        if not node.args:
            return None
        cost = _scaled(2 * _ADDRESS, _STRING)
        if is_network:
            cost += _scaled(_ADDRESS, _STRING) + 1
        if overload is not None and overload.params[1].kind == "string":
            cost += _scaled(estimate.size(node.args[0]).most, _STRING)
        return _Found(min(cost, MOST))

    return rule


def _format_check(estimate: _Estimate, node: Call, _overload: Overload | None) -> _Found | None:
    if not node.args:
        return None
    text = _scaled(estimate.size(node.args[0]).most, _STRING)
    return _Found(_scaled(text, _FORMAT_PATTERN * _PATTERN))


def _sets(factor: float) -> _Rule:
    def rule(estimate: _Estimate, node: Call, _overload: Overload | None) -> _Found | None:
        if len(node.args) != 2:
            return None
        size = times(estimate.size(node.args[0]).most, estimate.size(node.args[1]).most)
        return _Found(min(_scaled(size, factor) + 1, MOST))

    return rule


_RULES: dict[str, _Rule] = {
    **dict.fromkeys(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), _over_list),
    **dict.fromkeys(("url", "jsonpatch.escapeKey"), _reads(keeps=True)),
    **dict.fromkeys(("lowerAscii", "upperAscii", "substring", "trim"), _reads_target),
    "replace": _replace,
    "split": _split,
    "join": _join,
    **dict.fromkeys(("find", "findAll", "matches"), _matching),
    **dict.fromkeys(("cidr", "isIP", "isCIDR", "quantity", "isQuantity", "semver", "isSemver"), _reads()),
    "ip": _ip,
    "ip.isCanonical": _reads(2 * _STRING),
    "containsIP": _holds(is_network=False),
    "containsCIDR": _holds(is_network=True),
    "validate": _format_check,
    "format": _format,
    "bytes": _converts("string", 4),
    "string": _converts("bytes", 0.25),
    "strings.quote": _quote,
    **dict.fromkeys(("startsWith", "endsWith"), _prefix),
    "@in": _in,
    "contains": _contains,
    **dict.fromkeys(("_==_", "_!=_"), _equals),
    **dict.fromkeys(("_<_", "_<=_", "_>_", "_>=_"), _compares),
    "sets.contains": _sets(1),
    "sets.intersects": _sets(1),
    "sets.equivalent": _sets(2),
}

"""`has`, `all`, `map` and their kin: calls that are rewritten into tests and folds before anything is checked.

The rewritten trees are cel-go's, since the checker's complaints speak of them. Two-variable forms included.
Source: cel-go/parser/macro.go, cel-go/ext/comprehensions.go, cel-go/ext/bindings.go,
cel-go/cel/library.go (optMap, optFlatMap).
"""

from collections.abc import Callable
from copy import deepcopy

from apiserver.cel.nodes import Call, Comprehension, Ident, ListLiteral, Literal, MapLiteral, Node, Select

ACCUMULATOR = "@result"
_OLD_ACCUMULATOR = "__result__"


class MacroError(Exception):
    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset


def expand(offset: int, function: str, target: Node | None, args: list[Node], *, binds: bool) -> Node | None:
    """What the call stands for, None if it is no macro."""
    if target is None:
        return _has(offset, args[0]) if function == "has" and len(args) == 1 else None
    if binds and function == "bind" and len(args) == 3 and isinstance(target, Ident) and target.name == "cel":
        return _cel_bind(offset, args)
    macro = _MACROS.get((function, len(args)))
    return macro(offset, target, args) if macro else None


def _has(offset: int, argument: Node) -> Node:
    if not isinstance(argument, Select):
        raise MacroError(argument.offset, "invalid argument to has() macro")
    return Select(offset=offset, operand=argument.operand, field=argument.field, test_only=True)


def _call(offset: int, function: str, *args: Node) -> Node:
    return Call(offset=offset, function=function, target=None, args=list(args))


def _accumulator(offset: int) -> Node:
    return Ident(offset=offset, name=ACCUMULATOR)


def _variables(names: list[Node], *, complaint: str = "argument must be a simple name") -> tuple[str, ...]:
    found: list[str] = []
    for node in names:
        if not isinstance(node, Ident):
            raise MacroError(node.offset, complaint)
        if node.name in found:
            raise MacroError(node.offset, f"duplicate variable name: {node.name}")
        found.append(node.name)
    for node, name in zip(names, found, strict=True):
        if name in (ACCUMULATOR, _OLD_ACCUMULATOR):
            raise MacroError(node.offset, "iteration variable overwrites accumulator variable")
    return tuple(found)


_NO_IDENTIFIER = "argument is not an identifier"


def _all(count: int) -> "_Macro":
    def macro(offset: int, target: Node, args: list[Node]) -> Node:
        accumulator = _accumulator(offset)
        return Comprehension(
            offset=offset,
            kind="all",
            range=target,
            variables=_variables(args[:count]),
            init=Literal(offset=offset, value=True),
            condition=_call(offset, "@not_strictly_false", accumulator),
            step=_call(offset, "_&&_", _accumulator(offset), args[-1]),
            result=_accumulator(offset),
            body=args[-1],
        )

    return macro


def _exists(count: int) -> "_Macro":
    def macro(offset: int, target: Node, args: list[Node]) -> Node:
        return Comprehension(
            offset=offset,
            kind="exists",
            range=target,
            variables=_variables(args[:count]),
            init=Literal(offset=offset, value=False),
            condition=_call(offset, "@not_strictly_false", _call(offset, "!_", _accumulator(offset))),
            step=_call(offset, "_||_", _accumulator(offset), args[-1]),
            result=_accumulator(offset),
            body=args[-1],
        )

    return macro


def _exists_one(count: int) -> "_Macro":
    def macro(offset: int, target: Node, args: list[Node]) -> Node:
        one = Literal(offset=offset, value=1)
        counted = _call(offset, "_+_", _accumulator(offset), one)
        return Comprehension(
            offset=offset,
            kind="exists_one",
            range=target,
            variables=_variables(args[:count]),
            init=Literal(offset=offset, value=0),
            condition=Literal(offset=offset, value=True),
            step=_call(offset, "_?_:_", args[-1], counted, _accumulator(offset)),
            result=_call(offset, "_==_", _accumulator(offset), Literal(offset=offset, value=1)),
            body=args[-1],
        )

    return macro


def _fold(
    offset: int,
    kind: str,
    target: Node,
    variables: tuple[str, ...],
    where: Node | None,
    body: Node,
    grown: Node,
    empty: Node,
) -> Node:
    step = grown if where is None else _call(offset, "_?_:_", where, grown, _accumulator(offset))
    return Comprehension(
        offset=offset,
        kind=kind,
        range=target,
        variables=variables,
        init=empty,
        condition=Literal(offset=offset, value=True),
        step=step,
        result=_accumulator(offset),
        where=where,
        body=body,
    )


def _listed(count: int) -> "_Macro":
    """`map` and `transformList`: an optional filter before the value."""

    def macro(offset: int, target: Node, args: list[Node]) -> Node:
        complaint = _NO_IDENTIFIER if count == 1 else "argument must be a simple name"
        variables = _variables(args[:count], complaint=complaint)
        where = args[count] if len(args) == count + 2 else None
        grown = _call(offset, "_+_", _accumulator(offset), ListLiteral(offset=offset, items=[args[-1]]))
        empty = ListLiteral(offset=offset, items=[])
        return _fold(offset, "list", target, variables, where, args[-1], grown, empty)

    return macro


def _filter(offset: int, target: Node, args: list[Node]) -> Node:
    variables = _variables(args[:1], complaint=_NO_IDENTIFIER)
    grown = _call(offset, "_+_", _accumulator(offset), ListLiteral(offset=offset, items=[args[0]]))
    return _fold(offset, "list", target, variables, args[1], args[0], grown, ListLiteral(offset=offset, items=[]))


def _transform_map(offset: int, target: Node, args: list[Node]) -> Node:
    variables = _variables(args[:2])
    where = args[2] if len(args) == 4 else None
    key = Ident(offset=offset, name=variables[0])
    grown = _call(offset, "cel.@mapInsert", _accumulator(offset), key, args[-1])
    return _fold(offset, "map", target, variables, where, args[-1], grown, MapLiteral(offset=offset, entries=[]))


def _transform_entry(offset: int, target: Node, args: list[Node]) -> Node:
    variables = _variables(args[:2])
    where = args[2] if len(args) == 4 else None
    grown = _call(offset, "cel.@mapInsert", _accumulator(offset), args[-1])
    return _fold(offset, "entries", target, variables, where, args[-1], grown, MapLiteral(offset=offset, entries=[]))


def _bound(offset: int, name: str, value: Node, body: Node) -> Node:
    return Comprehension(
        offset=offset,
        kind="bind",
        range=ListLiteral(offset=offset, items=[]),
        variables=("#unused",),
        accumulator=name,
        init=value,
        condition=Literal(offset=offset, value=False),
        step=Ident(offset=offset, name=name),
        result=body,
        body=Ident(offset=offset, name=name),
    )


def _cel_bind(offset: int, args: list[Node]) -> Node:
    name, value, body = args
    if not isinstance(name, Ident):
        raise MacroError(name.offset, "cel.bind() variable names must be simple identifiers")
    return _bound(offset, name.name, value, body)


def _opt_map(*, flat: bool) -> "_Macro":
    """`target.optMap(v, body)`: the body over the value, if there is one."""

    def macro(offset: int, target: Node, args: list[Node]) -> Node:
        name = args[0]
        if not isinstance(name, Ident):
            what = "optFlatMap()" if flat else "optMap()"
            raise MacroError(name.offset, f"{what} variable name must be a simple identifier")
        value = Call(offset=offset, function="value", target=deepcopy(target), args=[])
        bound = _bound(offset, name.name, value, args[1])
        some = bound if flat else _call(offset, "optional.of", bound)
        has = Call(offset=offset, function="hasValue", target=target, args=[])
        return _call(offset, "_?_:_", has, some, _call(offset, "optional.none"))

    return macro


_Macro = Callable[[int, Node, list[Node]], Node]
_MACROS: dict[tuple[str, int], _Macro] = {
    ("all", 2): _all(1),
    ("exists", 2): _exists(1),
    ("exists_one", 2): _exists_one(1),
    ("existsOne", 2): _exists_one(1),
    ("map", 2): _listed(1),
    ("map", 3): _listed(1),
    ("filter", 2): _filter,
    ("all", 3): _all(2),
    ("exists", 3): _exists(2),
    ("exists_one", 3): _exists_one(2),
    ("existsOne", 3): _exists_one(2),
    ("transformList", 3): _listed(2),
    ("transformList", 4): _listed(2),
    ("transformMap", 3): _transform_map,
    ("transformMap", 4): _transform_map,
    ("transformMapEntry", 3): _transform_entry,
    ("transformMapEntry", 4): _transform_entry,
    ("optMap", 2): _opt_map(flat=False),
    ("optFlatMap", 2): _opt_map(flat=True),
}

"""A checked tree becomes nested Python functions, and those run on values within a budget.

Costs are counted as cel-go's tracker counts them, and the run ends when they pass the limit. Beside them `work` bounds
what cel-go's model gives away for nothing (copies of long lists, deep comparisons): no expression can burn the CPU.
Errors are exceptions; `&&`, `||`, `all` and `exists` absorb them when the other operands decide.
Source: cel-go/interpreter (planner.go, interpretable.go, attributes.go, runtimecost.go).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from apiserver.cel import patterns
from apiserver.cel.environment import Overload, one
from apiserver.cel.errors import BudgetExceeded, EvaluationError
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
from apiserver.cel.types import Type
from apiserver.cel.values import NONE, Opaque, Optional, TypeValue, Uint, contains, equal, type_name

_LIST_COST, _MAP_COST, _OBJECT_COST = 10, 30, 40
#: Elements copied or compared in one run.
WORK_LIMIT = 1_000_000
#: What constants may cost to compute.
CONSTANT_LIMIT = 1_000_000


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


Step = Callable[[Run], Any]


def compiled(node: Node) -> Step:
    return _RULES[type(node)](node)


def _literal(node: Literal) -> Step:
    value = node.value
    return lambda _run: value


def _ident(node: Ident) -> Step:
    return _named(node.name, node.type)


def _named(name: str, type: Type) -> Step:
    if type.kind == "type" and type.params:
        value = TypeValue(name)
        return lambda run: run.variables.get(name, value)

    def step(run: Run) -> Any:
        run.cost += 1
        try:
            return run.variables[name]
        except KeyError:
            raise EvaluationError(f"no such attribute(s): {name}") from None

    return step


def _select(node: Select) -> Step:
    if node.qualified:
        return _named(node.qualified, node.type)
    operand = compiled(node.operand)
    name = node.property or node.field
    if node.test_only:
        return _has(operand, name)

    def step(run: Run) -> Any:
        value = operand(run)
        run.cost += 1
        try:
            return value[name]
        except KeyError:
            raise EvaluationError(f"no such key: {name}") from None
        except TypeError:
            if isinstance(value, Optional):
                return _optional_key(value, name)
            raise EvaluationError(f"no such key: {name}") from None

    return step


def _has(operand: Step, name: str) -> Step:
    def step(run: Run) -> bool:
        value = operand(run)
        if isinstance(value, dict):
            return name in value
        return isinstance(value, Optional) and _optional_key(value, name).present

    return step


def _optional_key(value: Any, key: Any) -> Optional:
    """`value[?key]`, where the value itself may be optional."""
    if isinstance(value, Optional):
        if not value.present:
            return NONE
        value = value.value
    if isinstance(value, dict):
        return Optional(value[key]) if _hashable(key) and key in value else NONE
    if isinstance(value, list):
        index = _index(key)
        return Optional(value[index]) if index is not None and 0 <= index < len(value) else NONE
    raise EvaluationError("no such overload")


def _hashable(key: Any) -> bool:
    return not isinstance(key, list | dict)


def _index(key: Any) -> int | None:
    if type(key) in (int, Uint):
        return int(key)
    return int(key) if type(key) is float and key.is_integer() else None


def _at(value: Any, key: Any) -> Any:
    if isinstance(value, dict):
        if not _hashable(key):
            raise EvaluationError(f"unsupported key type: {type_name(key)}")
        if key not in value:
            raise EvaluationError(f"no such key: {_shown(key)}")
        return value[key]
    if isinstance(value, list):
        index = _index(key)
        if index is None:
            raise EvaluationError(f"unsupported index type '{type_name(key)}' in list")
        if not 0 <= index < len(value):
            raise EvaluationError(f"index out of bounds: {index}")
        return value[index]
    if isinstance(value, Optional):
        return _optional_key(value, key)
    raise EvaluationError("no such overload")


def _shown(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _index_call(node: Call) -> Step:
    operand, key = map(compiled, node.args)

    def step(run: Run) -> Any:
        value, at = operand(run), key(run)
        run.charge(1)
        return _at(value, at)

    return step


def _optional_index(node: Call) -> Step:
    operand, key = map(compiled, node.args)

    def step(run: Run) -> Any:
        value, at = operand(run), key(run)
        run.charge(1)
        return _optional_key(value, at)

    return step


def _logical(node: Call) -> Step:
    left, right = map(compiled, node.args)
    decides = node.function == "_||_"
    undecided = not decides

    def step(run: Run) -> bool:
        error: EvaluationError | None = None
        for operand in (left, right):
            try:
                value = operand(run)
            except EvaluationError as wrong:
                error = error or wrong
                continue
            if value is decides:
                return not undecided
            if value is not undecided:
                error = error or EvaluationError("no such overload")
        if error is not None:
            raise error
        return undecided

    return step


def _conditional(node: Call) -> Step:
    condition, yes, no = map(compiled, node.args)
    free_yes, free_no = map(_is_attribute, node.args[1:])

    def step(run: Run) -> Any:
        value = condition(run)
        if value is True:
            run.cost -= free_yes
            return yes(run)
        if value is False:
            run.cost -= free_no
            return no(run)
        raise EvaluationError("no such overload")

    return step


def _is_attribute(node: Node) -> bool:
    """A variable and what is selected of it: the variable itself costs nothing in a branch of `?:`."""
    while True:
        if isinstance(node, Select) and not node.test_only and not node.qualified:
            node = node.operand
        elif isinstance(node, Call) and node.function == "_[_]":
            node = node.args[0]
        else:
            return isinstance(node, Ident | Select)


def size_cost(value: Any) -> int:
    """A value's size as costs count it: characters, bytes, elements; one for all else."""
    if isinstance(value, str | bytes | list | dict):
        return len(value)
    if isinstance(value, Optional) and value.present:
        return size_cost(value.value)
    return 1


def _equality(node: Call) -> Step:
    left, right = map(compiled, node.args)
    wanted = node.function == "_==_"

    def step(run: Run) -> bool:
        one_value, other = left(run), right(run)
        run.charge(1 if isinstance(one_value, Opaque) else -(-min(size_cost(one_value), size_cost(other)) // 10))
        if isinstance(one_value, list | dict):
            run.worked(weight(one_value))
        return equal(one_value, other) is wanted

    return step


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


def _membership(node: Call) -> Step:
    left, right = map(compiled, node.args)
    if is_constant(node.args[1]) and isinstance(node.args[1], ListLiteral):
        constant = right(Run({}, 0))
        return lambda run: contains(constant, left(run))

    def step(run: Run) -> bool:
        value, container = left(run), right(run)
        if isinstance(container, list):
            run.charge(len(container))
            if isinstance(value, list | dict):
                run.worked(weight(container))
            return contains(container, value)
        run.charge(1)
        if isinstance(container, dict):
            return _hashable(value) and bool(value in container)
        raise EvaluationError("no such overload")

    return step


_SPECIAL: dict[str, Callable[[Call], Step]] = {
    "_&&_": _logical,
    "_||_": _logical,
    "_?_:_": _conditional,
    "_==_": _equality,
    "_!=_": _equality,
    "@in": _membership,
    "_[_]": _index_call,
    "_[?_]": _optional_index,
    "_?._": _optional_index,
}


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


def _folded(rule: Callable[[Any], Step]) -> Callable[[Any], Step]:
    def fold(node: Node) -> Step:
        step = rule(node)
        if not is_constant(node):
            return step
        value = step(Run({}, CONSTANT_LIMIT))
        return lambda _run: value

    return fold


def _call(node: Call) -> Step:
    if node.function in ("or", "orValue") and node.target is not None:
        return _optional_or(node)
    special = _SPECIAL.get(node.function)
    return special(node) if special else _function(node)


def _optional_or(node: Call) -> Step:
    """The alternative is evaluated only when it is needed."""
    assert node.target is not None
    target, other = compiled(node.target), compiled(node.args[0])
    unwrap = node.function == "orValue"

    def step(run: Run) -> Any:
        value = target(run)
        if not isinstance(value, Optional):
            raise EvaluationError("no such overload")
        if value.present:
            return value.value if unwrap else value
        return other(run)

    return step


def _function(node: Call) -> Step:
    args = [compiled(operand) for operand in node.operands]
    if node.function in ("find", "findAll") and isinstance(node.args[0], Literal):
        patterns.compiled(node.args[0].value)
    choose = _Dispatch(node)
    if len(args) == 2:
        return _binary(args[0], args[1], choose)

    def step(run: Run) -> Any:
        given = [arg(run) for arg in args]
        overload = choose(given)
        if overload.cost is one:
            run.charge(1)
            result = overload.run(*given)
        else:
            result = overload.run(*given)
            run.charge(overload.cost(given, result))
        if isinstance(result, list | str | bytes):
            run.worked(len(result))
        return result

    return step


def _binary(left: Step, right: Step, choose: "_Dispatch") -> Step:
    """The same for two arguments, which most calls have."""
    known = choose.known

    def step(run: Run) -> Any:
        one_value, other = left(run), right(run)
        overload = known.get((one_value.__class__, other.__class__)) or choose([one_value, other])
        if overload.cost is one:
            run.cost += 1
            if run.cost > run.limit:
                raise BudgetExceeded
            result = overload.run(one_value, other)
        else:
            result = overload.run(one_value, other)
            run.charge(overload.cost((one_value, other), result))
        if isinstance(result, list | str | bytes):
            run.worked(len(result))
        return result

    return step


class _Dispatch:
    """Which overload takes these arguments; remembered by the Python types of the arguments."""

    __slots__ = ("known", "node")

    def __init__(self, node: Call) -> None:
        self.node = node
        self.known: dict[tuple[type, ...], Overload] = {}

    def __call__(self, given: list[Any]) -> Overload:
        key = tuple([value.__class__ for value in given])
        found = self.known.get(key)
        if found is None:
            found = self._find(given)
            if not any(isinstance(value, Opaque) for value in given):
                self.known[key] = found
        return found

    def _find(self, given: list[Any]) -> Overload:
        for overload in self.node.overloads:
            if overload.accepts(given):
                return overload  # type: ignore[no-any-return]
        if not self.node.function[0].isalpha():
            raise EvaluationError("no such overload")
        shown = ", ".join(map(type_name, given))
        raise EvaluationError(f"no such overload: {self.node.function}({shown})")


def _list(node: ListLiteral) -> Step:
    items = [compiled(item) for item in node.items]
    optional = node.optional

    def step(run: Run) -> list[Any]:
        made: list[Any] = []
        for index, item in enumerate(items):
            value = item(run)
            if index in optional:
                if not isinstance(value, Optional):
                    raise EvaluationError(f"cannot initialize optional list element from non-optional value {value}")
                if not value.present:
                    continue
                value = value.value
            made.append(value)
        run.charge(_LIST_COST)
        return made

    return step


def _map(node: MapLiteral) -> Step:
    entries = [(compiled(e.key), compiled(e.value), e.optional) for e in node.entries]

    def step(run: Run) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for key_of, value_of, optional in entries:
            key, value = key_of(run), value_of(run)
            if not _hashable(key):
                raise EvaluationError(f"unsupported key type: {type_name(key)}")
            if optional:
                if not isinstance(value, Optional):
                    raise EvaluationError(f"cannot initialize optional entry '{key}' from non-optional value {value}")
                if not value.present:
                    continue
                value = value.value
            made[key] = value
        run.charge(_MAP_COST)
        return made

    return step


def _object(node: ObjectLiteral) -> Step:
    entries = [(e.name, compiled(e.value), e.optional) for e in node.entries]

    def step(run: Run) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, value_of, optional in entries:
            value = value_of(run)
            if optional:
                if not isinstance(value, Optional):
                    raise EvaluationError(f"cannot initialize optional entry '{name}' from non-optional value {value}")
                if not value.present:
                    continue
                value = value.value
            made[name] = value
        run.charge(_OBJECT_COST)
        return made

    return step


def _items(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, list):
        return list(enumerate(value))
    raise EvaluationError("no such overload")


_ABSENT = object()


class _Loop:
    """The range of a comprehension, and its variables bound one element after another."""

    __slots__ = ("cost", "names", "range")

    def __init__(self, node: Comprehension, cost: int = 0) -> None:
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


def _quantifier(node: Comprehension) -> Step:
    decides = node.kind == "exists"
    undecided = not decides
    loop, predicate = _Loop(node, 4 if decides else 3), compiled(node.body)

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


def _exists_one(node: Comprehension) -> Step:
    loop, predicate = _Loop(node), compiled(node.body)

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


def _where(node: Comprehension) -> Step | None:
    return compiled(node.where) if node.where is not None else None


def _to_list(node: Comprehension) -> Step:
    loop, where, body = _Loop(node), _where(node), compiled(node.body)

    def step(run: Run) -> list[Any]:
        made: list[Any] = []
        for _ in loop.rounds(run):
            if _kept(where, run):
                made.append(body(run))
                run.charge(_LIST_COST + 2)
        run.charge(1)
        return made

    return step


def _to_map(node: Comprehension) -> Step:
    loop, where, body = _Loop(node), _where(node), compiled(node.body)
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
                    raise EvaluationError(f"insert failed: key {_shown(name)} already exists")
                made[name] = entry
        run.charge(1)
        return made

    return step


def _bind(node: Comprehension) -> Step:
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


_FOLDS: dict[str, Callable[[Comprehension], Step]] = {
    "all": _quantifier,
    "exists": _quantifier,
    "exists_one": _exists_one,
    "list": _to_list,
    "map": _to_map,
    "entries": _to_map,
    "bind": _bind,
}


def _comprehension(node: Comprehension) -> Step:
    return _FOLDS[node.kind](node)


_RULES: dict[type, Callable[[Any], Step]] = {
    Literal: _literal,
    Ident: _ident,
    Select: _select,
    Call: _folded(_call),
    ListLiteral: _folded(_list),
    MapLiteral: _folded(_map),
    ObjectLiteral: _object,
    Comprehension: _comprehension,
}

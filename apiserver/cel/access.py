"""Variables, fields and elements: `a.b`, `a[0]`, `a.?b`, `has(a.b)`. What is absent is an error, or an optional.

Source: cel-go/interpreter/attributes.go.
"""

from typing import Any

from apimachinery.errors import go_number
from apiserver.cel.errors import EvaluationError
from apiserver.cel.nodes import Call, Ident, Node, Select
from apiserver.cel.running import Compile, Run, Step
from apiserver.cel.types import Type
from apiserver.cel.values import NONE, Optional, TypeValue, Uint, type_name


def ident(node: Ident, _compiled: Compile) -> Step:
    return _named(node.name, node.type)


def _named(name: str, type: Type) -> Step:
    if type.kind == "type" and type.params:
        if type.params[0].kind == "object":
            # Upstream knows these types when it checks, and no more when it makes the program.
            raise EvaluationError(f"reference to undefined type: {name}")
        value = TypeValue(name)
        return lambda run: run.variables.get(name, value)

    def step(run: Run) -> Any:
        run.cost += 1
        try:
            return run.variables[name]
        except KeyError:
            raise EvaluationError(f"no such attribute(s): {name}") from None

    return step


def select(node: Select, compiled: Compile) -> Step:
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
            if isinstance(value, list):
                raise EvaluationError("unsupported index type 'string' in list") from None
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
        return Optional(value[key]) if hashable(key) and key in value else NONE
    if isinstance(value, list):
        index = _place(key)
        if index is None and isinstance(key, str):
            raise EvaluationError("unsupported index type 'string' in list")
        return Optional(value[index]) if index is not None and 0 <= index < len(value) else NONE
    return NONE


def hashable(key: Any) -> bool:
    return not isinstance(key, list | dict)


def _place(key: Any) -> int | None:
    if type(key) in (int, Uint):
        return int(key)
    return int(key) if type(key) is float and key.is_integer() else None


def _at(value: Any, key: Any) -> Any:
    if isinstance(value, dict):
        if not hashable(key):
            raise EvaluationError(f"unsupported key type: {type_name(key)}")
        if key not in value:
            raise EvaluationError(f"no such key: {shown(key)}")
        return value[key]
    if isinstance(value, list):
        index = _place(key)
        if index is None and isinstance(key, float):
            raise EvaluationError(f"unsupported index value {go_number(key)} in list")
        if index is None:
            raise EvaluationError(f"unsupported index type '{type_name(key)}' in list")
        if not 0 <= index < len(value):
            raise EvaluationError(f"index out of bounds: {index}")
        return value[index]
    if isinstance(value, Optional):
        return _optional_key(value, key)
    raise EvaluationError(f"no such key: {shown(key)}")


def shown(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def index(node: Call, compiled: Compile) -> Step:
    operand, key = map(compiled, node.args)

    def step(run: Run) -> Any:
        value, at = operand(run), key(run)
        run.charge(1)
        return _at(value, at)

    return step


def optional_index(node: Call, compiled: Compile) -> Step:
    operand, key = map(compiled, node.args)
    absent = 0 if is_attribute(node.args[0]) else 1

    def step(run: Run) -> Any:
        found = _optional_key(operand(run), key(run))
        run.charge(1 if found.present else absent)
        return found

    return step


def is_attribute(node: Node) -> bool:
    """A variable and what is selected of it: the variable itself costs nothing in a branch of `?:`."""
    while True:
        if isinstance(node, Select) and not node.test_only and not node.qualified:
            node = node.operand
        elif isinstance(node, Call) and node.function == "_[_]":
            node = node.args[0]
        else:
            return isinstance(node, Ident | Select)

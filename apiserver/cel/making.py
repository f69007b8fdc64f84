"""Lists, maps and objects that an expression writes out, with their optional parts.

Source: cel-go/interpreter/interpretable.go (evalList, evalMap, evalObj).
"""

from typing import Any

from apiserver.cel.access import hashable
from apiserver.cel.errors import EvaluationError
from apiserver.cel.nodes import ListLiteral, MapLiteral, ObjectLiteral
from apiserver.cel.running import Compile, Run, Step
from apiserver.cel.values import ObjectValue, Optional, type_name

LIST_COST, _MAP_COST, _OBJECT_COST = 10, 30, 40


def list_literal(node: ListLiteral, compiled: Compile) -> Step:
    """The step that makes a list."""
    items = [compiled(item) for item in node.items]
    optional = node.optional

    def step(run: Run) -> list[Any]:
        made: list[Any] = []
        for index, item in enumerate(items):
            value = item(run)
            if index in optional and (value := _unwrapped("list element", value)) is _NONE:
                continue
            made.append(value)
        run.charge(LIST_COST)
        return made

    return step


def map_literal(node: MapLiteral, compiled: Compile) -> Step:
    """The step that makes a map."""
    entries = [(compiled(e.key), compiled(e.value), e.optional) for e in node.entries]

    def step(run: Run) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for key_of, value_of, optional in entries:
            key, value = key_of(run), value_of(run)
            if not hashable(key):
                raise EvaluationError(f"unsupported key type: {type_name(key)}")
            if optional and (value := _unwrapped(f"entry '{key}'", value)) is _NONE:
                continue
            made[key] = value
        run.charge(_MAP_COST)
        return made

    return step


#: What an optional entry without a value comes to.
_NONE = object()


def _unwrapped(what: str, value: Any) -> Any:
    """The value of an optional element or entry, _NONE where it has none."""
    if not isinstance(value, Optional):
        raise EvaluationError(f"cannot initialize optional {what} from non-optional value {value}")
    return value.value if value.present else _NONE


def object_literal(node: ObjectLiteral, compiled: Compile) -> Step:
    """The step that makes an object."""
    entries = [(e.name, compiled(e.value), e.optional) for e in node.entries]
    type_name = node.type.name

    def step(run: Run) -> ObjectValue:
        made = ObjectValue()
        made.type_name = type_name
        for name, value_of, optional in entries:
            value = value_of(run)
            if optional and (value := _unwrapped(f"entry '{name}'", value)) is _NONE:
                continue
            made[name] = value
        run.charge(_OBJECT_COST)
        return made

    return step

"""What an expression may speak of: variables, types, functions. An environment is a value; `with_variables` extends it.

Functions are declared by the libraries as overloads: a signature in CEL's own notation, the Python function, and what
a call costs. `Overload.accepts` decides at run time, for arguments the checker could not know (`dyn`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from apiserver.cel import types
from apiserver.cel.types import Type, parse_signature
from apiserver.cel.unification import has_variables
from apiserver.cel.values import Duration, KeyedList, ObjectValue, Opaque, Optional, SetList, Timestamp, TypeValue, Uint

#: What a call costs, from its arguments and its result.
Cost = Callable[[Sequence[Any], Any], int]


def one(_args: Sequence[Any], _result: Any) -> int:
    return 1


_RUNTIME: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "uint": (Uint,),
    "double": (float,),
    "string": (str,),
    "bytes": (bytes,),
    "null": (type(None),),
    "timestamp": (Timestamp,),
    "duration": (Duration,),
    "type": (TypeValue,),
    "list": (list, SetList, KeyedList),
    "map": (dict,),
    "object": (dict, ObjectValue),
}


@dataclass(frozen=True, slots=True)
class Overload:
    function: str
    params: tuple[Type, ...]
    result: Type
    member: bool
    run: Callable[..., Any]
    cost: Cost = one

    def accepts(self, args: Sequence[Any]) -> bool:
        return len(args) == len(self.params) and all(map(_fits, args, self.params))

    @property
    def generic(self) -> bool:
        return any(map(has_variables, (*self.params, self.result)))


def _fits(value: Any, type: Type) -> bool:
    if type.kind in ("dyn", "param"):
        return True
    if type.kind == "opaque":
        if type.name == "optional_type":
            return isinstance(value, Optional)
        return isinstance(value, Opaque) and value.type_name == type.name
    return value.__class__ in _RUNTIME[type.kind]


def overload(text: str, run: Callable[..., Any], cost: Cost = one) -> Overload:
    read = parse_signature(text)
    return Overload(read.name, read.params, read.result, read.member, run, cost)


Functions = Mapping[str, tuple[Overload, ...]]


def _none(_name: str) -> Type | None:
    return None


def functions(*libraries: Sequence[Overload]) -> Functions:
    """The overloads of all libraries by name, in order of declaration."""
    found: dict[str, tuple[Overload, ...]] = {}
    for library in libraries:
        for row in library:
            found[row.function] = (*found.get(row.function, ()), row)
    return found


@dataclass(frozen=True)
class Environment:
    functions: Functions
    variables: Mapping[str, Type] = field(default_factory=dict)
    #: Object types by name, for literals (`Object{spec: ...}`), and opaque types as values.
    types: Mapping[str, Type] = field(default_factory=dict)
    #: Types beyond those, of which there is no end (`Object.spec.template`).
    resolve: Callable[[str], Type | None] = _none
    #: Whether `cel.bind(name, value, body)` is known.
    binds: bool = False

    def with_variables(self, variables: Mapping[str, Type]) -> "Environment":
        return replace(self, variables={**self.variables, **variables})

    def with_types(self, types: Mapping[str, Type]) -> "Environment":
        return replace(self, types={**self.types, **types})

    def declared(self, name: str) -> Type | None:
        """A type that this environment adds to CEL's own."""
        return self.types.get(name) or self.resolve(name)

    def type_named(self, name: str) -> Type | None:
        return self.declared(name) or types.TYPE_NAMES.get(name) or _COLLECTIONS.get(name)


_COLLECTIONS = {
    "list": types.list_of(types.DYN),
    "map": types.map_of(types.DYN, types.DYN),
    "optional_type": types.optional_of(types.DYN),
}

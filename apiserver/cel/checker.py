"""The type checker: infers each node's type, picks the overloads that fit, and complains in cel-go's words.

Types unify with type variables (`[]` is a list of something yet unknown); whatever is dynamic fits everything and is
looked at again when the expression runs. Source: cel-go/checker/checker.go and types.go.
"""

from collections.abc import Callable, Mapping
from typing import Any

from apiserver.cel import types
from apiserver.cel.environment import Environment, Overload
from apiserver.cel.errors import Problem
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
from apiserver.cel.types import BOOL, DYN, ERROR, INT, Type, list_of, map_of, optional_of, signature, unwrap_optional
from apiserver.cel.unification import Mapping as Substitutions
from apiserver.cel.unification import assignable, assignable_lists, most_general, substitute
from apiserver.cel.values import Uint

_LITERALS: dict[type, Type] = {
    bool: BOOL,
    int: INT,
    Uint: types.UINT,
    float: types.DOUBLE,
    str: types.STRING,
    bytes: types.BYTES,
    type(None): types.NULL,
}


def check(node: Node, environment: Environment) -> list[Problem]:
    """Write types and overloads into the tree; what is wrong with it."""
    checker = _Checker(environment)
    checker.check(node)
    checker.settle()
    return checker.problems


class _Checker:
    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.scopes: list[Mapping[str, Type]] = [environment.variables]
        self.mappings: Substitutions = {}
        self.problems: list[Problem] = []
        self.seen: list[Node] = []
        self.count = 0
        self.rules: dict[type, Callable[[Any], Type]] = {
            Literal: lambda node: _LITERALS[type(node.value)],
            Ident: self.ident,
            Select: self.select,
            Call: self.call,
            ListLiteral: self.list_literal,
            MapLiteral: self.map_literal,
            ObjectLiteral: self.object_literal,
            Comprehension: self.comprehension,
        }

    def check(self, node: Node) -> Type:
        node.type = self.rules[type(node)](node)
        self.seen.append(node)
        return node.type

    def settle(self) -> None:
        """Type variables become what they stand for, dynamic where nothing said."""
        for node in self.seen:
            node.type = substitute(self.mappings, node.type, dynamic=True)

    def complain(self, offset: int, message: str) -> None:
        self.problems.append(Problem(offset, message))

    def variable(self, name: str) -> Type | None:
        name = name.removeprefix(".")
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        named = self.environment.type_named(name)
        return types.type_of(named) if named is not None else None

    def fresh(self) -> Type:
        self.count += 1
        return Type("param", f"_var{self.count - 1}")

    def assignable(self, one: Type, other: Type) -> bool:
        found = assignable(self.mappings, one, other)
        if found is not None:
            self.mappings = found
        return found is not None

    def ident(self, node: Ident) -> Type:
        found = self.variable(node.name)
        if found is None:
            self.undeclared(node.offset, node.name)
            return ERROR
        node.name = node.name.removeprefix(".")
        return found

    def undeclared(self, offset: int, name: str) -> None:
        self.complain(offset, f"undeclared reference to '{name}' (in container '')")

    def select(self, node: Select) -> Type:
        name = None if node.test_only else qualified(node)
        found = self.variable(name) if name else None
        if name and found is not None:
            node.qualified = name.removeprefix(".")
            return found
        result = self.field(node, node.operand, node.field, optional=False)
        return BOOL if node.test_only else substitute(self.mappings, result, dynamic=False)

    def field(self, node: Select | Call, operand: Node, field: str, *, optional: bool) -> Type:
        operand_type = substitute(self.mappings, self.check(operand), dynamic=False)
        target, was_optional = unwrap_optional(operand_type)
        result = ERROR
        property = field
        if target.kind == "map":
            result = target.params[1]
        elif target.kind == "object":
            found = target.fields.get(field)
            if found is None:
                self.complain(node.offset, f"undefined field '{field}'")
            else:
                property, result = found
        elif target.kind == "param":
            self.assignable(DYN, target)
            result = DYN
        else:
            if not target.is_dynamic:
                self.complain(node.offset, f"type '{target}' does not support field selection")
            result = DYN
        if isinstance(node, Select):
            node.property = property
        else:
            node.args[1] = Literal(offset=node.args[1].offset, value=property, type=types.STRING)
        return optional_of(result) if was_optional or optional else result

    def call(self, node: Call) -> Type:
        if node.function == "_?._":
            field = node.args[1]
            assert isinstance(field, Literal)
            result = self.field(node, node.args[0], field.value, optional=True)
            return substitute(self.mappings, result, dynamic=False)
        for arg in node.args:
            self.check(arg)
        functions = self.environment.functions
        if node.target is None:
            found = functions.get(node.function.removeprefix("."))
            if found is None:
                self.undeclared(node.offset, node.function)
                return ERROR
            node.function = node.function.removeprefix(".")
            return self.resolve(node, found)
        prefix = qualified(node.target)
        if prefix and (found := functions.get(f"{prefix.removeprefix('.')}.{node.function}")):
            node.function = f"{prefix.removeprefix('.')}.{node.function}"
            node.target = None
            return self.resolve(node, found)
        self.check(node.target)
        found = functions.get(node.function)
        if found is None:
            self.undeclared(node.offset, node.function)
            return ERROR
        return self.resolve(node, found)

    def resolve(self, node: Call, candidates: tuple[Overload, ...]) -> Type:
        operands = node.operands
        given = [operand.type for operand in operands]
        if node.function in ("_&&_", "_||_"):
            return self.logic(node, given)
        chosen: list[Overload] = []
        result: Type | None = None
        for overload in candidates:
            if overload.member != (node.target is not None):
                continue
            params, gives = self.instance(overload)
            found = assignable_lists(self.mappings, given, params)
            if found is None:
                continue
            self.mappings = found
            chosen.append(overload)
            this = substitute(self.mappings, gives, dynamic=False)
            if result is None:
                result = this
            elif result not in (DYN, this):
                result = DYN
        if result is None:
            shown = [substitute(self.mappings, t, dynamic=True) for t in given]
            text = signature(shown, member=node.target is not None)
            self.complain(node.offset, f"found no matching overload for '{node.function}' applied to '{text}'")
            return ERROR
        node.overloads = tuple(chosen)
        return result

    def logic(self, node: Call, given: list[Type]) -> Type:
        wrong = False
        for operand, type in zip(node.args, given, strict=True):
            if not self.assignable(type, BOOL):
                self.mismatch(operand.offset, BOOL, type)
                wrong = True
        return ERROR if wrong else BOOL

    def mismatch(self, offset: int, expected: Type, actual: Type) -> None:
        self.complain(offset, f"expected type '{expected}' but found '{actual}'")

    def instance(self, overload: Overload) -> tuple[list[Type], Type]:
        """The overload with type variables of its own."""
        if not overload.generic:
            return list(overload.params), overload.result
        fresh: dict[str, Type] = {}

        def renew(type: Type) -> Type:
            if type.kind == "param":
                if type.name not in fresh:
                    fresh[type.name] = self.fresh()
                return fresh[type.name]
            if not type.params:
                return type
            return Type(type.kind, type.name, tuple(map(renew, type.params)), type.fields)

        return [renew(p) for p in overload.params], renew(overload.result)

    def list_literal(self, node: ListLiteral) -> Type:
        element: Type | None = None
        for index, item in enumerate(node.items):
            this = self.check(item)
            if index in node.optional:
                this = self.unwrapped(item, this)
            element = self.join(element, this)
        return list_of(element or self.fresh())

    def unwrapped(self, node: Node, type: Type) -> Type:
        inner, was_optional = unwrap_optional(type)
        if not was_optional and not type.is_dynamic:
            self.mismatch(node.offset, optional_of(type), type)
        return inner

    def join(self, before: Type | None, this: Type) -> Type:
        """The common type of a literal's elements, dynamic where they differ: `literals` complains of that later."""
        if before is None:
            return this
        return most_general(before, this) if self.assignable(before, this) else DYN

    def map_literal(self, node: MapLiteral) -> Type:
        key: Type | None = None
        value: Type | None = None
        for entry in node.entries:
            key = self.join(key, self.check(entry.key))
            this = self.check(entry.value)
            if entry.optional:
                this = self.unwrapped(entry.value, this)
            value = self.join(value, this)
        return map_of(key or self.fresh(), value or self.fresh())

    def object_literal(self, node: ObjectLiteral) -> Type:
        name = node.name.removeprefix(".")
        found = self.environment.declared(name)
        if found is None:
            if types.TYPE_NAMES.get(name) is None:
                self.undeclared(node.offset, node.name)
            else:
                self.complain(node.offset, f"'{name}' is not a message type")
            return ERROR
        if found.kind != "object":
            self.complain(node.offset, f"'{name}' is not a message type")
            return ERROR
        for entry in node.entries:
            this = self.check(entry.value)
            expected = found.fields.get(entry.name)
            if entry.optional:
                this = self.unwrapped(entry.value, this)
            if expected is None:
                self.complain(entry.offset, f"undefined field '{entry.name}'")
            elif not self.assignable(expected.type, this):
                self.complain(
                    entry.offset,
                    f"expected type of field '{entry.name}' is '{expected.type}' but provided type is '{this}'",
                )
            entry.name = expected.name if expected else entry.name
        return found

    def comprehension(self, node: Comprehension) -> Type:
        self.check(node.range)
        accumulator = self.check(node.init)
        range_type = substitute(self.mappings, node.range.type, dynamic=False)
        self.scopes.append({node.accumulator: accumulator})
        self.scopes.append(self.loop_variables(node, range_type))
        self.expect(node.condition, BOOL)
        self.expect(node.step, accumulator)
        self.scopes.pop()
        result = self.check(node.result)
        self.scopes.pop()
        return substitute(self.mappings, result, dynamic=False)

    def expect(self, node: Node, expected: Type) -> None:
        actual = self.check(node)
        if not self.assignable(expected, actual):
            self.mismatch(node.offset, expected, actual)

    def loop_variables(self, node: Comprehension, range_type: Type) -> dict[str, Type]:
        pair = (ERROR, ERROR)
        if range_type.kind == "list":
            pair = (INT, range_type.params[0])
        elif range_type.kind == "map":
            pair = (range_type.params[0], range_type.params[1])
        elif range_type.is_dynamic or range_type.kind == "param":
            self.assignable(DYN, range_type)
            pair = (DYN, DYN)
        else:
            self.complain(
                node.range.offset,
                f"expression of type '{range_type}' cannot be range of a comprehension (must be list, map, or dynamic)",
            )
        if len(node.variables) == 2:
            return dict(zip(node.variables, pair, strict=True))
        return {node.variables[0]: pair[1] if range_type.kind == "list" else pair[0]}


def qualified(node: Node) -> str | None:
    """`a.b.c` of plain selections as one name; None for anything else."""
    if isinstance(node, Ident):
        return node.name
    if isinstance(node, Select) and not node.test_only:
        before = qualified(node.operand)
        return f"{before}.{node.field}" if before else None
    return None

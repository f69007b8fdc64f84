"""Literals that can be judged before anything runs: durations, timestamps, patterns, formats, mixed lists and maps.

Source: cel-go/cel/validator.go, cel-go/ext/formatting.go (stringFormatValidator).
"""

from collections.abc import Iterator

from apiserver.cel import patterns
from apiserver.cel.errors import EvaluationError, Problem
from apiserver.cel.libraries.formatting import STRINGABLE, clauses
from apiserver.cel.nodes import Call, ListLiteral, Literal, MapLiteral, Node, children
from apiserver.cel.types import Type, runtime_name
from apiserver.cel.values import parse_duration, parse_timestamp


def walk(node: Node) -> Iterator[Node]:
    rest = [node]
    while rest:
        top = rest.pop()
        yield top
        rest.extend(children(top))


def check_literals(node: Node) -> list[Problem]:
    found: list[Problem] = []
    rest = [(node, False)]
    while rest:
        top, exempt = rest.pop()
        found += _check(top, exempt=exempt)
        exempt = exempt or (isinstance(top, Call) and top.function == "format")
        rest += [(child, exempt) for child in children(top)]
    return found


def _check(node: Node, *, exempt: bool) -> Iterator[Problem]:
    match node:
        case Call():
            yield from _argument(node)
            yield from _format(node)
        case ListLiteral() if not exempt:
            types = [_unwrapped(item.type, optional=i in node.optional) for i, item in enumerate(node.items)]
            yield from list(_differing(list(zip(node.items, types, strict=True))))[:1]
        case MapLiteral() if not exempt:
            yield from _differing([(entry.key, entry.key.type) for entry in node.entries])
            values = [(e.value, _unwrapped(e.value.type, optional=e.optional)) for e in node.entries]
            yield from _differing(values)


def _unwrapped(type: Type, *, optional: bool) -> Type:
    return type.params[0] if optional and type.params else type


def _differing(items: list[tuple[Node, Type]]) -> Iterator[Problem]:
    """Elements that are not of the first one's type (homogeneous aggregate literals)."""
    for node, type in items[1:]:
        if type != items[0][1]:
            yield Problem(node.offset, f"expected type '{items[0][1]}' but found '{type}'")


def _argument(call: Call) -> Iterator[Problem]:
    argument = call.args[-1] if call.args else None
    if not isinstance(argument, Literal) or not isinstance(argument.value, str):
        return
    text = argument.value
    if call.function == "duration" and parse_duration(text) is None:
        yield Problem(argument.offset, "invalid duration argument")
    elif call.function == "timestamp" and parse_timestamp(text) is None:
        yield Problem(argument.offset, "invalid timestamp argument")
    elif call.function == "matches":
        try:
            patterns.compiled(text)
        except EvaluationError:
            yield Problem(argument.offset, "invalid matches argument")


_SHOWN = ("list", "map", "int", "uint", "double", "bool", "string", "timestamp", "bytes", "duration", "type", "null")
#: The kinds of argument each clause takes, and what is said otherwise.
_CLAUSES: dict[str, tuple[tuple[str, ...], str]] = {
    "d": (("int", "uint"), "decimal clause can only be used on integers"),
    "f": (("double", "string"), "fixed-point clause can only be used on doubles"),
    "e": (("double", "string"), "scientific clause can only be used on doubles"),
    "b": (("int", "uint", "bool"), "only integers and bools can be formatted as binary"),
    "o": (("int", "uint"), "octal clause can only be used on integers"),
    "x": (
        ("int", "uint", "string", "bytes"),
        "only integers, byte buffers, and strings can be formatted as hex",
    ),
    "s": (_SHOWN, f"string clause can only be used on {STRINGABLE}"),
}


def _format(call: Call) -> Iterator[Problem]:
    """A constant text with arguments written out is checked clause by clause (stringFormatValidator)."""
    if call.function != "format" or not isinstance(call.target, Literal) or len(call.args) != 1:
        return
    args = call.args[0]
    if not isinstance(args, ListLiteral) or not isinstance(call.target.value, str):
        return
    try:
        verbs = clauses(call.target.value)
    except EvaluationError as wrong:
        yield Problem(call.offset, str(wrong))
        return
    for index, verb in enumerate(verbs):
        if index >= len(args.items):
            yield Problem(call.offset, f"index {index} out of range")
            return
        kinds, message = _CLAUSES[verb.lower()]
        argument = args.items[index]
        if argument.type.kind not in kinds and not argument.type.is_dynamic:
            text = f"error during formatting: {message}, was given {runtime_name(argument.type)}"
            yield Problem(argument.offset, text)
            return
    if len(args.items) > len(verbs):
        text = f"too many arguments supplied to string.format (expected {len(verbs)}, got {len(args.items)})"
        yield Problem(call.offset, text)

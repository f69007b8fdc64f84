"""YAML as Kubernetes reads it (goyaml v2 behind sigs.k8s.io/yaml), on top of PyYAML's C parser.

Scalars follow YAML 1.1 with Go's exceptions: `y` and `n` are booleans, dates stay strings, `1:30` is a string, octal is
`017` or `0o17`, and what YAML calls a float is a whole number in JSON where it is one. Keys of any scalar become
strings. Aliases are allowed up to a bound on the size that they unfold to. Nothing is ever constructed but plain trees.
"""

import base64
import math
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import yaml

from apimachinery.trees import MAX_DEPTH

#: Nodes that a document may unfold to through its aliases.
MAX_NODES = 500_000
_TRUE = ("y", "yes", "true", "on")
_FALSE = ("n", "no", "false", "off")
_BOOL = "|".join(f"{word}|{word.capitalize()}|{word.upper()}" for word in _TRUE + _FALSE)
_INT = r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)"
_FLOAT = r"[-+]?(?:\.[0-9_]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
#: What a plain scalar may be instead of a text.
OTHER_THAN_TEXT = rf"{_BOOL}|{_INT}|{_FLOAT}|<<|~|null|Null|NULL|"
_TAG = "tag:yaml.org,2002:"


class YamlError(ValueError):
    """The text is no YAML, or YAML that is no JSON. The message is Go's."""


class _Loader(yaml.CSafeLoader):
    """PyYAML's C loader with Kubernetes' scalars. `doubled` collects keys that stood in one mapping twice."""

    def __init__(self, stream: bytes | str) -> None:
        super().__init__(stream)
        self.doubled: list[str] = []


def load_first(data: bytes) -> tuple[Any, list[str]]:
    """The first document (None for an empty stream), and its duplicate keys in one text, upstream's strict error."""
    found = next(_documents(data), None)
    if found is None:
        return None, []
    tree, doubled = found
    return tree, [f"yaml: unmarshal errors:\n{chr(10).join(doubled)}"] if doubled else []


def load_all(data: bytes | str) -> Iterator[Any]:
    """Every document of a stream, empty ones as None."""
    return (tree for tree, _ in _documents(data))


def _documents(data: bytes | str) -> Iterator[tuple[Any, list[str]]]:
    loader = None
    try:
        _check_depth(data)
        loader = _Loader(data)
        while loader.check_data():  # type: ignore[no-untyped-call]
            loader.doubled = []
            tree = loader.get_data()
            yield _unfolded(tree, data), loader.doubled
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise YamlError(_complaint(error)) from None
    finally:
        if loader is not None:
            loader.dispose()


def _check_depth(data: bytes | str) -> None:
    """Refuse deep nesting before it is composed, which PyYAML does on the C stack, without a bound of its own."""
    text = data if isinstance(data, str) else data.decode("latin-1")
    if sum(text.count(mark) for mark in "[{-:?") <= MAX_DEPTH:
        return
    depth = 0
    for event in yaml.parse(data, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise YamlError("yaml: exceeded max depth")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _complaint(error: Exception) -> str:
    """The problem as goyaml, a port of libyaml, puts it; it has its own way to count lines."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return f"yaml: {getattr(error, 'reason', error)}"
    line = error.problem_mark.line if error.problem_mark else 0
    if line and isinstance(error, yaml.scanner.ScannerError):
        line += 1
    return f"yaml: line {line}: {error.problem}" if line else f"yaml: {error.problem}"


def _unfolded(tree: Any, data: bytes | str) -> Any:
    """The tree without shared parts, so that a change in one place stays there."""
    if not ("*" in data if isinstance(data, str) else b"*" in data):
        return tree
    if _size(tree, {}) > MAX_NODES:
        raise YamlError("yaml: document contains excessive aliasing")
    return msgspec.json.decode(msgspec.json.encode(tree))


def _size(node: Any, known: dict[int, int]) -> int:
    """Nodes after unfolding; each shared part is counted once and added as often as it is used."""
    if not isinstance(node, (dict, list)):
        return 1
    if id(node) not in known:
        items = node.values() if isinstance(node, dict) else node
        known[id(node)] = 1 + sum(_size(item, known) for item in items)
    return known[id(node)]


def _mapping(loader: Any, node: Any) -> dict[str, Any]:
    if not isinstance(node, yaml.MappingNode):
        raise yaml.constructor.ConstructorError(problem="cannot decode as a map", problem_mark=node.start_mark)
    seen: set[str] = set()
    for key_node, value_node in node.value:
        if isinstance(key_node, yaml.ScalarNode):
            if key_node.value in seen:
                quoted = msgspec.json.encode(key_node.value).decode()
                loader.doubled.append(f"  line {value_node.start_mark.line + 1}: key {quoted} already set in map")
            seen.add(key_node.value)
    loader.flatten_mapping(node)
    return {
        _key(loader.construct_object(key, deep=True), key): loader.construct_object(value, deep=True)
        for key, value in node.value
    }


def _key(key: Any, node: Any) -> str:
    """Keys as JSON has them; goyaml's message for those that cannot be."""
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, (int, float)):
        return str(key)
    raise yaml.constructor.ConstructorError(problem="invalid map key", problem_mark=node.start_mark)


def _sequence(loader: Any, node: Any) -> list[Any]:
    if not isinstance(node, yaml.SequenceNode):
        raise yaml.constructor.ConstructorError(problem="cannot decode as a list", problem_mark=node.start_mark)
    return [loader.construct_object(item, deep=True) for item in node.value]


def _bool(loader: Any, node: Any) -> bool:
    return loader.construct_scalar(node).lower() in _TRUE


def _int(loader: Any, node: Any) -> int:
    text = loader.construct_scalar(node).replace("_", "")
    octal = re.fullmatch(r"([-+]?)0([0-7]+)", text)
    try:
        return int(f"{octal[1]}0o{octal[2]}" if octal else text, 0)
    except ValueError:
        raise _no(node, "int") from None


def _no(node: Any, tag: str) -> yaml.constructor.ConstructorError:
    """A scalar that is not what its tag says."""
    return yaml.constructor.ConstructorError(problem=f"cannot decode !!str `{node.value}` as a !!{tag}")


def _float(loader: Any, node: Any) -> float:
    text = loader.construct_scalar(node).replace("_", "").lower()
    try:
        value = float(text.replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        raise _no(node, "float") from None
    if not math.isfinite(value):
        name = "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
        raise YamlError(f"json: unsupported value: {name}")
    return int(value) if value.is_integer() and abs(value) < 1e21 else value


def _binary(loader: Any, node: Any) -> str:
    try:
        return base64.b64decode("".join(loader.construct_scalar(node).split()), validate=True).decode()
    except ValueError:
        raise yaml.constructor.ConstructorError(problem="!!binary value contains invalid base64 data") from None


def _other(loader: Any, _suffix: str, node: Any) -> Any:
    """A tag of somebody's own says nothing to us: the value is what it looks like."""
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader, node)
    if isinstance(node, yaml.SequenceNode):
        return _sequence(loader, node)
    return loader.construct_scalar(node)


def _equip(loader: type[_Loader]) -> None:
    """Replace the scalars and constructors that PyYAML brings."""
    loader.yaml_implicit_resolvers = {}
    for tag, pattern, first in (
        ("bool", _BOOL, "yYtTnNfFoO"),
        ("int", _INT, "-+0123456789"),
        ("float", _FLOAT, "-+0123456789."),
        ("merge", "<<", "<"),
        ("null", "~|null|Null|NULL|", "~nN"),
    ):
        resolver = re.compile(rf"(?:{pattern})\Z", re.ASCII)
        loader.add_implicit_resolver(_TAG + tag, resolver, [*first, ""] if tag == "null" else list(first))
    loader.yaml_constructors = {}
    loader.yaml_multi_constructors = {}
    for tag, construct in (
        ("bool", _bool),
        ("int", _int),
        ("float", _float),
        ("binary", _binary),
        ("map", _mapping),
        ("seq", _sequence),
        ("null", lambda _loader, _node: None),
    ):
        loader.add_constructor(_TAG + tag, construct)
    loader.add_multi_constructor("", _other)


_equip(_Loader)

"""The compiler behind `schema`: one closure for each type of field, built from its OpenAPI schema.

A rule takes a value and a list to which unknown field names are added, and returns what a Go decoder would keep. It
raises `Mistyped` in Go's words; the path is gathered while the error passes through the structs, so that good objects
pay nothing for it. No definition is known here: the caller resolves references.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from apimachinery import quantity, times
from apimachinery.go_types import NAMED, POINTERS
from apimachinery.go_zeros import ALWAYS
from apimachinery.types import Json


class Unknown(list[str]):
    """Names of unknown fields, in any order: only whether there are any matters. Beside them, what else was odd."""

    #: Whether a field that Go keeps as a slice or a map was there, and empty.
    holds_empty = False


Rule: TypeAlias = Callable[[Any, Unknown], Any]
#: Of a field: the type of its plain values, its rule, whether it is kept when empty, whether it is a slice or a map.
Row: TypeAlias = tuple[type | None, Rule, bool, bool]
RuleOf: TypeAlias = Callable[[str], Rule]
SchemaOf: TypeAlias = Callable[[str], Json]

_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_TIME = "io.k8s.apimachinery.pkg.apis.meta.v1.Time"
_MICRO_TIME = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", re.ASCII)
_BASE64_START = re.compile(r"[A-Za-z0-9+/\r\n]*", re.ASCII)
_RANGES = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
#: Whose optional scalars we know to be pointers or not; elsewhere every zero is kept.
_KNOWN = ("io.k8s.api.", "io.k8s.apimachinery.", "io.k8s.kube-aggregator.")
#: Fields that must be there and are left out all the same when they are empty, by definition.
_LEFT_OUT = {
    "core.v1.ContainerRestartRule": ("action",),
    "core.v1.ContainerRestartRuleOnExitCodes": ("operator",),
    "core.v1.PodCertificateProjection": ("signerName", "keyType"),
    "networking.v1.ParentReference": ("resource", "name"),
    "resource.v1.CounterSet": ("counters",),
    "resource.v1.DeviceCounterConsumption": ("counters",),
}
_JSON_TYPES = {bool: "bool", str: "string", int: "number", float: "number", list: "array", dict: "object"}
#: The same values once they are decoded.
_GO_KINDS = {bool: "bool", str: "string", int: "int64", float: "float64", list: "slice", dict: "map"}


class Mistyped(ValueError):
    """A value that its field's Go type cannot hold. `str()` is the decoder's text."""

    def __init__(self, value: str, go_type: str, text: str = "", converted: str = "") -> None:
        super().__init__(text)
        self.value, self.go_type, self.text = value, go_type, text
        self.converted = converted or text  # the same in the words of who decodes a tree and not a text
        self.struct = ""
        self.path: list[str] = []  # innermost first

    def __str__(self) -> str:
        if self.text:
            return self.text
        if not self.struct:
            return f"json: cannot unmarshal {self.value} into Go value of type {self.go_type}"
        field = ".".join(reversed(self.path))
        return f"json: cannot unmarshal {self.value} into Go struct field {self.struct}.{field} of type {self.go_type}"

    def within(self, struct: str, field: str) -> None:
        """Called by every struct on the way out."""
        self.struct = self.struct or struct
        self.path.append(field)


def wrong(value: Any, go_type: str, sort: str = "") -> Mistyped:
    """A value of another sort: `sort` says of what else than a scalar the type is."""
    found = _GO_KINDS.get(type(value), "nil")
    if sort:
        converted = f"cannot restore {sort} from{':' if sort == 'struct' else ''} {found}"
    elif found == "int64" and go_type != "bool":
        converted = f"cannot convert {found} to {go_type}"
    else:
        converted = f"unrecognized type: {'string' if '.' in go_type else go_type}"
    return Mistyped(_JSON_TYPES.get(type(value), "null"), go_type, converted=converted)


def short(name: str) -> str:
    """`core.v1.Container`: how `go_types` names a definition."""
    return ".".join(name.split(".")[-3:])


def go_name(name: str) -> str:
    """`v1.Container`: how Go names a type."""
    return ".".join(name.split(".")[-2:])


def compiled_struct(name: str, schema: Json, *, rule_of: RuleOf, schema_of: SchemaOf) -> Rule:
    """The rule of a definition."""
    properties = schema.get("properties")
    if properties is None:
        return _free
    keeps = kept_when_empty(name, schema)
    named = NAMED.get(short(name), {})
    version = name.split(".")[-2]
    always_null = {field for field, zero in ALWAYS.get(short(name), {}).items() if zero is None}
    rows: dict[str, Row] = {}
    for field, inner in properties.items():
        go_type = _in_package(version, named[field]) if field in named else go_type_of(inner, schema_of)
        rule, holds = _rule(inner, go_type, rule_of, schema_of), is_container(inner)
        kept = field in keeps or (holds and field in always_null)
        rows[field] = (_plain(inner), _rounded(rule) if _is_rounded(name, inner) else rule, kept, holds)
    always = [(field, _maker(properties[field], zero, rule_of)) for field, zero in ALWAYS.get(short(name), {}).items()]
    return _struct(name.rsplit(".", 1)[-1], go_name(name), rows, always)


#: Whose lists of resources are whole thousandths (core/v1 SetDefaults_ResourceList).
_ROUNDING = ("io.k8s.api.core.v1.", "io.k8s.api.node.v1.Overhead")


def _is_rounded(name: str, field: Json) -> bool:
    """Whether a field is a list of resources that is rounded up to thousandths as soon as it is read."""
    values = field.get("additionalProperties")
    return isinstance(values, dict) and _target(values) == _QUANTITY and name.startswith(_ROUNDING)


def _rounded(rule: Rule) -> Rule:
    def decode(value: Any, unknown: Unknown) -> Any:
        return {key: quantity.rounded_to_milli(amount) for key, amount in rule(value, unknown).items()}

    return decode


def _in_package(version: str, name: str) -> str:
    """`[]v1.OperationType`: a type of the package, unless it says of which other one it is."""
    item = name.removeprefix("[]")
    return name if "." in item else f"{name.removesuffix(item)}{version}.{item}"


def kept_when_empty(name: str, schema: Json) -> frozenset[str]:
    """The fields of a definition that are kept although they are empty: Go writes them, or they are not known."""
    known = name.startswith(_KNOWN)
    pointers = POINTERS.get(short(name), frozenset())
    required = frozenset(schema.get("required", ())).difference(_LEFT_OUT.get(short(name), ()))
    return frozenset(
        field
        for field, inner in schema.get("properties", {}).items()
        if field in required
        or field in pointers
        or (not known and _type(inner) in ("string", "boolean", "integer", "number"))
        or _is_struct(inner)
    )


def is_container(schema: Json) -> bool:
    """Whether a field is a slice or a map for Go."""
    if _target(schema):
        return False
    return _type(schema) == "array" or isinstance(schema.get("additionalProperties"), dict)


def always_there(name: str) -> frozenset[str]:
    """The fields of a definition that decoding puts there where they were not set."""
    return frozenset(ALWAYS.get(short(name), ()))


def _maker(schema: Json, zero: Any, rule_of: RuleOf) -> Callable[[], Any]:
    """What stands in a field that was not set: a struct is made anew each time, since it may be written into."""
    if zero == {} and (name := _target(schema)):
        return lambda: rule_of(name)({}, Unknown())
    return lambda: zero


def _struct(
    name: str,
    go_type: str,
    rows: dict[str, Row],
    always: Sequence[tuple[str, Callable[[], Any]]],
) -> Rule:
    find = rows.get

    def decode(value: Any, unknown: Unknown) -> Any:
        if value.__class__ is not dict:
            raise wrong(value, go_type, "struct")
        decoded = {}
        key = ""
        try:
            for key, item in value.items():
                row = find(key)
                if row is None:
                    unknown.append(key)
                elif item.__class__ is row[0]:
                    if item or row[2]:
                        decoded[key] = item
                elif item is not None:
                    made = row[1](item, unknown)
                    if made:
                        decoded[key] = made
                        continue
                    if row[2]:
                        decoded[key] = made
                    if row[3]:
                        unknown.holds_empty = True
        except Mistyped as error:
            error.within(name, key)
            raise
        for field, make in always:
            if field not in decoded:
                decoded[field] = make()
        return decoded

    return decode


def _rule(schema: Json, go_type: str, rule_of: RuleOf, schema_of: SchemaOf) -> Rule:
    """The rule of a field, an item or a map's value."""
    if name := _target(schema):
        if name in _BY_HAND:
            return _by_hand(_BY_HAND[name], rule_of)
        return _SPECIAL.get(name) or _deferred(name, rule_of)
    kind = _type(schema)
    if kind == "array":
        return _list(schema["items"], go_type, rule_of, schema_of)
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return _map(schema["additionalProperties"], go_type, rule_of, schema_of)
    if kind == "string":
        return _bytes if schema.get("format") == "byte" else _other_than_plain(go_type)
    if kind == "integer":
        return _integer(go_type, *_RANGES[schema.get("format", "int64")])
    if kind == "boolean":
        return _other_than_plain(go_type)
    return _number(go_type) if kind == "number" else _free


def _deferred(name: str, rule_of: RuleOf) -> Rule:
    """Compiled when first met: definitions refer to one another, some to themselves."""

    def decode(value: Any, unknown: Unknown) -> Any:
        return rule_of(name)(value, unknown)

    return decode


def _by_hand(other: str, rule_of: RuleOf) -> Rule:
    """A schema or something else, which Go reads by hand: what is unknown in it is dropped without a word.

    What is wrong deep in it is told of the field itself. What is neither counts as nothing.
    """
    one = _deferred(_PROPS, rule_of)

    def decode(value: Any, _unknown: Unknown) -> Any:
        if other == "bool" and value.__class__ not in (bool, dict):
            raise Mistyped("", "", "boolean or JSON schema expected")
        try:
            if value.__class__ is dict:
                return one(value, Unknown())
            if other == "string" and value.__class__ is list:
                return [text if text.__class__ is str else _refused_text(text) for text in value]
            if value.__class__ is list:
                return [one({} if item is None else item, Unknown()) for item in value]
        except Mistyped as error:
            raise Mistyped(error.value, error.go_type, error.text) from None
        return value if other == "bool" else []

    return decode


def _refused_text(value: Any) -> str:
    if value is not None:
        raise wrong(value, "string")
    return ""


def _list(schema: Json, go_type: str, rule_of: RuleOf, schema_of: SchemaOf) -> Rule:
    item_type = go_type[2:] if go_type.startswith("[]") else go_type_of(schema, schema_of)
    item_rule = _rule(schema, item_type, rule_of, schema_of)
    plain, zero = _plain(schema), _zero(schema, rule_of, schema_of)

    def decode(value: Any, unknown: Unknown) -> Any:
        if value.__class__ is not list:
            raise wrong(value, go_type, "slice")
        return [
            item if item.__class__ is plain else zero() if item is None else item_rule(item, unknown) for item in value
        ]

    return decode


def _map(schema: Json, go_type: str, rule_of: RuleOf, schema_of: SchemaOf) -> Rule:
    item_rule = _rule(schema, go_type_of(schema, schema_of), rule_of, schema_of)
    plain, zero = _plain(schema), _zero(schema, rule_of, schema_of)

    def decode(value: Any, unknown: Unknown) -> Any:
        if value.__class__ is not dict:
            raise wrong(value, go_type, "map")
        return {
            key: item if item.__class__ is plain else zero() if item is None else item_rule(item, unknown)
            for key, item in value.items()
        }

    return decode


def _other_than_plain(go_type: str) -> Rule:
    """Strings and booleans are let through where they are met (`_plain`): only others come here."""

    def refuse(value: Any, _unknown: Unknown) -> Any:
        raise wrong(value, go_type)

    return refuse


def _integer(go_type: str, low: int, high: int) -> Rule:
    def decode(value: Any, _unknown: Unknown) -> Any:
        if value.__class__ is int:
            if low <= value <= high:
                return value
            raise Mistyped(f"number {value}", go_type)
        if value.__class__ is float:
            raise Mistyped(f"number {value!r}", go_type, converted=f"cannot convert float64 to {go_type}")
        raise wrong(value, go_type)

    return decode


def _number(go_type: str) -> Rule:
    def decode(value: Any, _unknown: Unknown) -> Any:
        if value.__class__ is not float and value.__class__ is not int:
            raise wrong(value, go_type)
        return value

    return decode


def _bytes(value: Any, _unknown: Unknown) -> Any:
    """Base64 with padding. Go skips line breaks in it; written back they are gone."""
    if value.__class__ is not str:
        raise wrong(value, "[]uint8", "slice")
    compact = value.replace("\r", "").replace("\n", "")
    if not _BASE64.fullmatch(compact):
        why = f"illegal base64 data at input byte {_bad_byte(value)}"
        raise Mistyped("string", "[]uint8", why, f"error decoding from json: {why}")
    return compact


def _bad_byte(value: str) -> int:
    """Where Go gives up: the first byte that cannot be, or the beginning of a last group that is too short."""
    match = _BASE64_START.match(value)
    assert match is not None  # matches nothing, too
    return match.end() if match.end() < len(value) else len(value) // 4 * 4


def _quantity(value: Any, _unknown: Unknown) -> Any:
    if value.__class__ is bool or not isinstance(value, (str, int, float)):
        raise Mistyped("", "", quantity.FORMAT_WRONG)
    try:
        return quantity.canonical(value)
    except ValueError as error:
        raise Mistyped("", "", str(error)) from None


def _time(value: Any, _unknown: Unknown) -> Any:
    return _moment(value, times.normal)


def _micro_time(value: Any, _unknown: Unknown) -> Any:
    return _moment(value, times.normal_micro)


def _moment(value: Any, normal: Callable[[str], str]) -> str:
    if value.__class__ is not str:
        found = _JSON_TYPES.get(type(value), "null")
        raise Mistyped(found, "string", converted=f"json: cannot unmarshal {found} into Go value of type string")
    try:
        return normal(value)
    except ValueError as error:
        raise Mistyped("", "", str(error)) from None


def _int_or_string(value: Any, unknown: Unknown) -> Any:
    return value if value.__class__ is str else _INT32(value, unknown)


def _free(value: Any, _unknown: Unknown) -> Any:
    """Raw JSON, kept as it is (but not shared with the caller's tree)."""
    if value.__class__ is dict:
        return {key: _free(item, _unknown) for key, item in value.items()}
    return [_free(item, _unknown) for item in value] if value.__class__ is list else value


_INT32 = _integer("int32", *_RANGES["int32"])
_EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1"
_PROPS = f"{_EXTENSIONS}.JSONSchemaProps"
#: A schema or what else.
_BY_HAND = {
    f"{_EXTENSIONS}.JSONSchemaPropsOrArray": "array",
    f"{_EXTENSIONS}.JSONSchemaPropsOrBool": "bool",
    f"{_EXTENSIONS}.JSONSchemaPropsOrStringArray": "string",
}
_SPECIAL: dict[str, Rule] = {
    _QUANTITY: _quantity,
    _TIME: _time,
    _MICRO_TIME: _micro_time,
    _INT_OR_STRING: _int_or_string,
}


def _type(schema: Json) -> str:
    """The one type of a schema, next to which `null` may stand."""
    kind = schema.get("type", "")
    return str(next(k for k in kind if k != "null") if isinstance(kind, list) else kind)


def _target(schema: Json) -> str:
    return str(schema.get("$ref", "")).rsplit("/", 1)[-1]


def _plain(schema: Json) -> type | None:
    """The class whose values need no further look."""
    if _target(schema) or schema.get("format") == "byte":
        return None
    return {"string": str, "boolean": bool}.get(_type(schema))


def _is_struct(schema: Json) -> bool:
    """Structs, and what is written like one, stay even when they are empty; lists and maps do not."""
    return bool(_target(schema)) or (_type(schema) in ("object", "") and not schema.get("additionalProperties"))


def _zero(schema: Json, rule_of: RuleOf, schema_of: SchemaOf) -> Callable[[], Any]:
    """What Go makes of a null inside a list or a map."""
    name = _target(schema)
    if name:
        if not schema_of(name).keys() & {"type", "properties", "oneOf"}:
            return lambda: None  # raw JSON
        zeros: dict[str, Callable[[], Any]] = {
            _QUANTITY: lambda: "0",
            _INT_OR_STRING: lambda: 0,
            _TIME: lambda: None,
            _MICRO_TIME: lambda: None,
        }
        return zeros.get(name) or (lambda: rule_of(name)({}, Unknown()))
    return {"string": str, "integer": int, "boolean": bool, "number": int, "array": list}.get(_type(schema), dict)


def go_type_of(schema: Json, schema_of: SchemaOf) -> str:
    """`[]v1.Container`, `map[string]string`, `int32`: how Go names a field's type in its complaints."""
    if name := _target(schema):
        return go_name(name)
    kind = _type(schema)
    if kind == "array":
        return f"[]{go_type_of(schema['items'], schema_of)}"
    if kind == "object":
        more = schema.get("additionalProperties")
        return _map_type(more, schema_of) if isinstance(more, dict) else "map[string]interface {}"
    if kind == "string":
        return "[]uint8" if schema.get("format") == "byte" else "string"
    return {"integer": str(schema.get("format", "int64")), "boolean": "bool", "number": "float64"}.get(kind, "")


def _map_type(values: Json, schema_of: SchemaOf) -> str:
    inner = go_type_of(values, schema_of)
    return "v1.ResourceList" if inner == "resource.Quantity" else f"map[string]{inner}"

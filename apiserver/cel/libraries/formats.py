"""`format.dns1123Label().validate(text)`. Source: apiserver/pkg/cel/library/format.go."""

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from apimachinery import go_urls, names
from apiserver.cel.environment import Overload, overload
from apiserver.cel.standard import tenth
from apiserver.cel.values import NONE, Opaque, Optional, parse_timestamp

_UUID = re.compile(r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Format(Opaque):
    name: str
    check: Callable[[str], list[str]]
    pattern_size: int
    type_name = "kubernetes.NamedFormat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Format) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


def _named(rule: Callable[[str, bool], list[str]], *, prefix: bool = False) -> Callable[[str], list[str]]:
    return lambda text: rule(text, prefix)


def _unless(good: Callable[[str], bool], message: str) -> Callable[[str], list[str]]:
    return lambda text: [] if good(text) else [message]


def _uri(text: str) -> list[str]:
    try:
        go_urls.parse_request_uri(text)
    except go_urls.BadUrl as why:
        return [str(why)]
    return []


def _is_base64(text: str) -> bool:
    try:
        b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _is_date(text: str) -> bool:
    try:
        return len(text) == 10 and bool(date.fromisoformat(text))
    except ValueError:
        return False


FORMATS = {
    "dns1123Label": Format("DNS1123Label", _named(names.label_name), 30),
    "dns1123Subdomain": Format("DNS1123Subdomain", _named(names.subdomain_name), 60),
    "dns1035Label": Format("DNS1035Label", _named(names.label_1035_name), 30),
    "qualifiedName": Format("QualifiedName", names.qualified_name, 60),
    "dns1123LabelPrefix": Format("DNS1123LabelPrefix", _named(names.label_name, prefix=True), 30),
    "dns1123SubdomainPrefix": Format("DNS1123SubdomainPrefix", _named(names.subdomain_name, prefix=True), 60),
    "dns1035LabelPrefix": Format("DNS1035LabelPrefix", _named(names.label_1035_name, prefix=True), 30),
    "labelValue": Format("LabelValue", names.label_value, 40),
    "uri": Format("URI", _uri, 1100),
    "uuid": Format("uuid", _unless(lambda s: bool(_UUID.fullmatch(s)), "does not match the UUID format"), 72),
    "byte": Format("byte", _unless(_is_base64, "invalid base64"), 84),
    "date": Format("date", _unless(_is_date, "invalid date"), 71),
    "datetime": Format("datetime", _unless(lambda s: parse_timestamp(s) is not None, "invalid datetime"), 71),
}


def _validate(format: Format, text: str) -> Optional:
    problems = format.check(text)
    return Optional(problems) if problems else NONE


def _cost(args: Sequence[Any], _result: Any) -> int:
    size: int = args[0].pattern_size
    return tenth(1 + len(args[1])) * -(-size // 4)


def _constant(format: Format) -> Callable[[], Format]:
    return lambda: format


_F = "kubernetes.NamedFormat"
LIBRARY: tuple[Overload, ...] = (
    overload(f"{_F}.validate(string) -> optional_type(list(string))", _validate, _cost),
    overload(
        f"+format.named(string) -> optional_type({_F})",
        lambda name: Optional(FORMATS[name]) if name in FORMATS else NONE,
    ),
    *(overload(f"+format.{name}() -> {_F}", _constant(format)) for name, format in FORMATS.items()),
)

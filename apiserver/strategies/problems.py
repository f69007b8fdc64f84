"""The vocabulary of validation: field errors with upstream's wording, and the checks that many kinds share.

A check is a generator of `FieldError`; `[*check(...)]` is all of its problems. Paths are upstream's
(`spec.containers[0].image`, `metadata.labels[a]`). Source: apimachinery/pkg/util/validation, pkg/apis/core/validation.
"""

import ipaddress
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import msgspec

from apimachinery import names, selectors
from apimachinery.errors import (
    DUPLICATE,
    FORBIDDEN_FIELD,
    INTERNAL_FIELD,
    INVALID,
    NOT_FOUND_FIELD,
    REQUIRED,
    TOO_LONG,
    TOO_MANY,
    FieldError,
    not_supported,
)
from apimachinery.types import Json
from apiserver.strategies import go_structs
from apiserver.strategies.sameness import same

Problems = Iterator[FieldError]

IMMUTABLE = "field is immutable"
_PATH = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+", re.ASCII)


def required(path: str, detail: str = "") -> FieldError:
    return FieldError(path, REQUIRED, detail)


def invalid(path: str, value: Any, detail: str) -> FieldError:
    return FieldError(path, INVALID, detail, value)


def forbidden(path: str, detail: str) -> FieldError:
    return FieldError(path, FORBIDDEN_FIELD, detail)


def duplicate(path: str, value: Any, detail: str = "") -> FieldError:
    return FieldError(path, DUPLICATE, detail, value)


def not_found(path: str, value: Any, detail: str = "") -> FieldError:
    return FieldError(path, NOT_FOUND_FIELD, detail, value)


def internal(path: str, why: str) -> FieldError:
    """What cannot be judged at all."""
    return FieldError(path, INTERNAL_FIELD, why)


def go_struct(**fields: Any) -> Any:
    """A value shown as Go shows a struct without JSON names: its fields in the order given."""
    return msgspec.Raw(msgspec.json.encode(fields))


def too_long(path: str, limit: int, unit: str = "bytes") -> FieldError:
    return FieldError(path, TOO_LONG, f"may not be more than {limit} {unit}")


def too_many(path: str, count: int, limit: int) -> FieldError:
    return FieldError(path, TOO_MANY, f"must have at most {limit} items", count)


def one_of(path: str, value: Any, options: Sequence[str], *, needed: bool = True, in_order: bool = False) -> Problems:
    """An enum: required (unless `needed` is off) and one of `options`, which are named sorted or as given."""
    if value in (None, ""):
        if needed:
            yield required(path)
    elif value not in options:
        yield not_supported(path, value, options if in_order else sorted(options))


def supported(path: str, value: Any, options: Sequence[str]) -> Problems:
    """An enum whose empty text is as wrong as any other; an absent value is nobody's business here."""
    if value is not None and value not in options:
        yield not_supported(path, value, options)


def non_negative(path: str, value: Any) -> Problems:
    if isinstance(value, int) and value < 0:
        yield invalid(path, value, "must be greater than or equal to 0")


def positive(path: str, value: Any) -> Problems:
    if isinstance(value, int) and value <= 0:
        yield invalid(path, value, "must be greater than 0")


def port(path: str, value: Any) -> Problems:
    if not isinstance(value, int) or not 1 <= value <= 65535:
        yield invalid(path, value, "must be between 1 and 65535, inclusive")


def port_name(path: str, value: str) -> Problems:
    """A name for a port: IsValidPortName."""
    yield from named(path, value, names.port_name)


def port_or_name(path: str, value: Any) -> Problems:
    """An IntOrString that names a port: a probe's, a targetPort, an Ingress backend's."""
    if isinstance(value, str):
        yield from port_name(path, value)
    else:
        yield from port(path, value)


def immutable(path: str, new: Any, old: Any, detail: str = IMMUTABLE) -> Problems:
    if not same(new, old):
        yield invalid(path, new, detail)


def kept(path: str, type_: str, new: Json | None, old: Json | None) -> Problems:
    """A struct that stays as it was, shown as upstream's internal type."""
    if not go_structs.equal(type_, new, old):
        yield invalid(path, go_structs.shown(type_, new), IMMUTABLE)


def named(path: str, value: str, rule: Callable[[str], list[str]]) -> Problems:
    """A value that must follow a naming rule of `apimachinery.names`: one problem per message."""
    for message in rule(value):
        yield invalid(path, value, message)


def dns_label(path: str, value: str) -> Problems:
    yield from named(path, value, names.dns_label)


def dns_subdomain(path: str, value: str) -> Problems:
    yield from named(path, value, names.dns_subdomain)


def qualified_name(path: str, value: str) -> Problems:
    yield from named(path, value, names.qualified_name)


def labels(path: str, values: Json | None) -> Problems:
    """A map of labels: keys are qualified names, values label values."""
    yield from names.check_labels(values or {}, path)


def domain_prefixed_path(path: str, value: str) -> Problems:
    """`acme.io/foo`: IsDomainPrefixedPath."""
    if not value:
        yield required(path)
        return
    host, slash, rest = value.partition("/")
    if not (host and slash and rest):
        yield invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')
        return
    for message in names.dns_subdomain(host):
        yield invalid(path, host, message)
    if not _PATH.fullmatch(rest):
        yield invalid(path, rest, f"Invalid path (regex used for validation is '{_PATH.pattern}')")


def config_key(path: str, key: str) -> Problems:
    """A key of a ConfigMap or Secret: IsConfigMapKey."""
    yield from named(path, key, names.config_key)


def is_percent(value: Any) -> bool:
    return isinstance(value, str) and not names.percent(value)


def int_or_percent(path: str, value: Any) -> Problems:
    """A count, or a percentage of one: validatePositiveIntOrPercent."""
    if isinstance(value, str):
        yield from named(path, value, names.percent)
    else:
        yield from non_negative(path, value)


def at_most_100_percent(path: str, value: Any) -> Problems:
    if is_percent(value) and (len(digits := value[:-1].lstrip("0")) > 3 or int(digits or 0) > 100):
        yield invalid(path, value, "must not be greater than 100%")


def ip_address(path: str, value: str) -> Problems:
    try:
        ipaddress.ip_address(value)
        is_address = "%" not in value  # a zone is no part of an address
    except ValueError:
        is_address = False
    if not is_address:
        yield invalid(path, value, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")


def ordinary_address(path: str, text: str) -> Problems:
    """Of an IP address: one of some machine, not unspecified, loopback, link-local or link-local multicast."""
    address = ipaddress.ip_address(text)
    if address.is_unspecified:
        yield invalid(path, text, f"may not be unspecified ({text})")
    if address.is_loopback:
        yield invalid(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if address.is_link_local:
        yield invalid(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if address.is_multicast:
        yield invalid(path, text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")


def cidr(path: str, value: str) -> Problems:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        value_help = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
        yield invalid(path, value, value_help)
        return
    if "/" not in value:
        yield invalid(path, value, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")


def unique(path: str, values: Sequence[Any]) -> Problems:
    """No value of a list twice; the path is that of the later one."""
    seen: list[Any] = []
    for i, value in enumerate(values):
        if value in seen:
            yield duplicate(f"{path}[{i}]", value)
        seen.append(value)


def label_selector(path: str, selector: Json | None) -> Problems:
    """A metav1.LabelSelector: ValidateLabelSelector."""
    yield from selectors.check_label_selector(selector, path)


def shown_selector(selector: Json) -> Any:
    """A selector as Go shows it: its fields in the order of the struct."""
    return go_structs.shown("metav1.LabelSelector", selector)


def is_empty_selector(selector: Json | None) -> bool:
    return not selector or not (selector.get("matchLabels") or selector.get("matchExpressions"))


def object_reference_name(path: str, reference: Json | None, rule: Callable[[str], list[str]]) -> Problems:
    """`name` of a reference: required and well formed."""
    name = (reference or {}).get("name", "")
    if not name:
        yield required(f"{path}.name")
    else:
        yield from named(f"{path}.name", name, rule)


def exactly_one(path: str, tree: Json, options: Collection[str], missing: str, several: str) -> Problems:
    """A union: exactly one of the members is set."""
    chosen = [name for name in options if tree.get(name) is not None]
    if not chosen:
        yield required(path, missing)
    for name in chosen[1:]:
        yield forbidden(f"{path}.{name}", several)

"""The rules for names, label keys and values, annotations, ports' and variables' names, with upstream's messages.

Each rule takes a value and returns the messages of what is wrong with it, none for a good value. A `NameRule` also
takes whether the value is a prefix (`generateName`), to which a suffix will be appended. `check_*` return FieldErrors.
Source: apimachinery/pkg/util/validation/validation.go, pkg/api/validation/generic.go, pkg/api/validation/path.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from apimachinery.errors import INVALID, TOO_LONG, FieldError

#: name, whether it is a generateName -> messages
NameRule = Callable[[str, bool], list[str]]

ANNOTATIONS_LIMIT = 256 * 1024

_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_QUALIFIED_TEXT = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)
_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_OF_SEARCHES = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"


def _explained(text: str, pattern: str, *examples: str) -> str:
    """A message with its examples and pattern, spaced as upstream spaces it."""
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{text} (e.g. {shown}regex used for validation is '{pattern}')"


def _rule(text: str, pattern: str, *examples: str, most: int = 0) -> Callable[[str], list[str]]:
    """A rule that is a pattern and, perhaps, a greatest length."""
    fits = re.compile(pattern, re.ASCII).fullmatch
    message = _explained(text, pattern, *examples)

    def check(value: str) -> list[str]:
        problems = [too_long(most)] if most and _size(value) > most else []
        return problems if fits(value) else [*problems, message]

    return check


def too_long(most: int) -> str:
    """What upstream says of a text that is longer than that."""
    return f"must be no more than {most} characters"


def between(low: int, high: int) -> str:
    """What upstream says of a number outside these bounds."""
    return f"must be between {low} and {high}, inclusive"


def _size(value: str) -> int:
    """Go counts bytes."""
    return len(value) if value.isascii() else len(value.encode())


_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character"
)
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character"
)

dns_subdomain = _rule(_SUBDOMAIN_TEXT, _SUBDOMAIN, "example.com", most=253)
dns_search = _rule(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', "
    "and must start and end with an alphanumeric character",
    rf"{_LABEL_OF_SEARCHES}(\.{_LABEL_OF_SEARCHES})*",
    "example.com",
    most=253,
)
dns_1035_label = _rule(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character",
    _LABEL_1035,
    "my-name",
    "abc-123",
    most=63,
)
wildcard_subdomain = _rule(
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
    rf"\*\.{_SUBDOMAIN}",
    "*.example.com",
    most=253,
)
c_identifier = _rule(
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric "
    "characters or '_'",
    "[A-Za-z_][A-Za-z0-9_]*",
    "my_name",
    "MY_NAME",
    "MyName",
)
percent = _rule("a valid percent string must be a numeric string followed by an ending '%'", "[0-9]+%", "1%", "93%")
http_header_name = _rule(
    "a valid HTTP header must consist of alphanumeric characters or '-'", "[-A-Za-z0-9]+", "X-Header-Name"
)
_plain_label = _rule(_LABEL_TEXT, _LABEL, "my-name", "123-abc")
_config_key = _rule(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    "[-._a-zA-Z0-9]+",
    "key.name",
    "KEY_NAME",
    "key-name",
    most=253,
)
_qualified_part = _rule(_QUALIFIED_TEXT, _QUALIFIED, "MyName", "my.name", "123-abc", most=63)
_label_value = _rule(_VALUE_TEXT, f"({_QUALIFIED})?", "MyValue", "my_value", "12345", most=63)


def dns_label(value: str) -> list[str]:
    """What is wrong with a DNS label (RFC 1123)."""
    problems = [too_long(63)] if _size(value) > 63 else []
    wrong = _plain_label(value)
    if wrong and "." in value and not [m for m in dns_subdomain(value) if m != too_long(253)]:
        wrong = ["must not contain dots"]  # clearer than the pattern
    return problems + wrong


@lru_cache(maxsize=8192)
def _qualified_name(value: str) -> tuple[str, ...]:
    prefix, slash, name = value.rpartition("/")
    if "/" in prefix:
        why = _explained(_QUALIFIED_TEXT, _QUALIFIED, "MyName", "my.name", "123-abc")
        return (f"a qualified name {why} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",)
    problems = []
    if slash:
        wrong = dns_subdomain(prefix) if prefix else ["must be non-empty"]
        problems += [f"prefix part {message}" for message in wrong]
    if not name:
        problems.append("name part must be non-empty")
    return (*problems, *(f"name part {message}" for message in _qualified_part(name)))


def qualified_name(value: str) -> list[str]:
    """Label keys, finalizers, and (in lower case) annotation keys: `[prefix/]name`."""
    return list(_qualified_name(value))


@lru_cache(maxsize=8192)
def _value(value: str) -> tuple[str, ...]:
    return tuple(_label_value(value))


def label_value(value: str) -> list[str]:
    """What is wrong with a label's value."""
    return list(_value(value))


def config_key(value: str) -> list[str]:
    """Keys of ConfigMaps and Secrets."""
    return _config_key(value) + _dots(value)


_ENV_VAR = re.compile(r"[ -<>-~]*")


def env_var_name(value: str) -> list[str]:
    """Names of environment variables since v1.34: anything printable but `=`."""
    problems = [] if value else ["environment variable name must be non-empty"]
    if not _ENV_VAR.fullmatch(value):
        problems.append(
            "a valid environment variable name must consist only of printable ASCII characters other than '='"
        )
    return problems


def port_name(value: str) -> list[str]:
    """What is wrong with a port's name (IANA_SVC_NAME)."""
    problems = [too_long(15)] if _size(value) > 15 else []
    if not re.fullmatch("[-a-z0-9]+", value, re.ASCII):
        problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        problems.append("must contain at least one letter (a-z)")
    if "--" in value:
        problems.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        problems.append("must not begin or end with a hyphen")
    return problems


def port_number(value: int) -> list[str]:
    """Why a number is no port, nothing where it is one."""
    return [] if 1 <= value <= 65535 else [between(1, 65535)]


def path_segment(value: str) -> list[str]:
    """Names that are only a part of a URL: roles, bindings, and kinds with no rule of their own."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return _forbidden_characters(value)


def _forbidden_characters(value: str) -> list[str]:
    return [f"may not contain '{c}'" for c in ("/", "%") if c in value]


def _dots(value: str) -> list[str]:
    if value in (".", ".."):
        return [f"must not be '{value}'"]
    return ["must not start with '..'"] if value.startswith("..") else []


def _masked(name: str, prefix: bool) -> str:  # noqa: FBT001 - a NameRule's second argument
    """A generateName may end in a dash; upstream swaps the last two characters for an `a` before it looks."""
    return f"{name[:-2]}a" if prefix and len(name) > 1 and name.endswith("-") else name


def subdomain_name(name: str, prefix: bool) -> list[str]:  # noqa: FBT001 - a NameRule
    """Why a name is no DNS subdomain; with `prefix` it is to be completed."""
    return dns_subdomain(_masked(name, prefix))


def label_name(name: str, prefix: bool) -> list[str]:  # noqa: FBT001 - a NameRule
    """Why a name is no DNS label; with `prefix` it is to be completed."""
    return dns_label(_masked(name, prefix))


def label_1035_name(name: str, prefix: bool) -> list[str]:  # noqa: FBT001 - a NameRule
    """Why a name is no DNS label that begins with a letter; with `prefix` it is to be completed."""
    return dns_1035_label(_masked(name, prefix))


def path_segment_name(name: str, prefix: bool) -> list[str]:  # noqa: FBT001 - a NameRule
    """A prefix may be `.`: something will follow it."""
    return _forbidden_characters(name) if prefix else path_segment(name)


def check_labels(labels: Mapping[str, str], path: str) -> list[FieldError]:
    """What is wrong with a map of labels, as upstream words it: all under the map's own path."""
    problems = []
    for key, value in labels.items():
        problems += [FieldError(path, INVALID, message, key) for message in _qualified_name(key)]
        problems += [FieldError(path, INVALID, message, value) for message in _value(value)]
    return problems


def check_annotations(annotations: Mapping[str, str], path: str) -> list[FieldError]:
    """Keys are qualified names in any case; all of them together stay below 256 KiB."""
    problems = [
        FieldError(path, INVALID, message, key) for key in annotations for message in _qualified_name(key.lower())
    ]
    if sum(_size(key) + _size(value) for key, value in annotations.items()) > ANNOTATIONS_LIMIT:
        problems.append(FieldError(path, TOO_LONG, f"may not be more than {ANNOTATIONS_LIMIT} bytes"))
    return problems

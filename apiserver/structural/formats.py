"""The formats of strings that CRDs may ask for, as Go's libraries judge them. Others are ignored, as upstream does.

Source: apiextensions-apiserver/pkg/apiserver/validation/formats.go, kube-openapi/pkg/validation/strfmt.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from apiserver.structural import patterns

_DURATION = re.compile(
    r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h)(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))*",
    re.ASCII,
)
_WORDED = re.compile(r"(\d+)\s*([A-Za-zµ]+)", re.ASCII)
_UNITS = (
    ("ns", "nano"),
    ("us", "µs", "micro"),
    ("ms", "milli"),
    ("s", "sec"),
    ("m", "min"),
    ("h", "hr", "hour"),
    ("d", "day"),
    ("w", "wk", "week"),
)
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_TIME = re.compile(r"(\d{2}):(\d{2}):(\d{2})(.[0-9]+)?(z|([+-]\d{2}:\d{2}))", re.ASCII)
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_SHORT_NAME = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SEVERAL_V4_PARTS = 4


def is_known(name: str) -> bool:
    """Whether a format is checked at all; dashes in its name do not count."""
    return name.replace("-", "") in _FORMATS


def holds(name: str, text: str) -> bool:
    """Whether a text has a known format."""
    return _FORMATS[name.replace("-", "")](text)


def _pattern(pattern: str) -> Callable[[str], bool]:
    return lambda text: patterns.matches(pattern, text)


def _is_date(text: str) -> bool:
    match = _DATE.fullmatch(text)
    if match is None:
        return False
    year, month, day = map(int, match.groups())
    if not 1 <= month <= 12:
        return False
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 1 <= day <= _DAYS[month - 1] + leap


def _is_datetime(text: str) -> bool:
    parts = text.lower().split("t")
    if len(text) < 4 or len(parts) < 2 or not _is_date(parts[0]):
        return False
    match = _TIME.fullmatch(parts[1])
    return match is not None and match[1] <= "23" and match[2] <= "59" and match[3] <= "59"


def _is_duration(text: str) -> bool:
    if text in ("0", "+0", "-0") or _DURATION.fullmatch(text):
        return True
    return any(_is_unit(unit.lower()) for _, unit in _WORDED.findall(text))


def _is_unit(unit: str) -> bool:
    return any(unit in variants or unit.startswith(variants[-1]) for variants in _UNITS)


def _is_uri(text: str) -> bool:
    """Go's url.ParseRequestURI: absolute, or a path."""
    if not text or any(ord(letter) < 0x20 or ord(letter) == 0x7F for letter in text):
        return False
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError:
        return False
    if " " in parts.netloc or re.search(r"%(?![0-9A-Fa-f]{2})", parts.path):
        return False
    return text.startswith("/") or bool(parts.scheme)


def _is_email(text: str) -> bool:
    """Roughly net/mail.ParseAddress: `a@b`, or `Name <a@b>`."""
    inner = text[text.index("<") + 1 : -1] if "<" in text and text.endswith(">") else text
    local, at, domain = inner.rpartition("@")
    atom = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\x80-\U0010ffff]+"
    quoted = r'"(?:[^"\\\r\n]|\\.)*"'
    return bool(at) and bool(
        re.fullmatch(rf"{atom}(?:\.{atom})*|{quoted}", local)
        and re.fullmatch(rf"{atom}(?:\.{atom})*|\[[0-9A-Fa-f.:]+\]", domain)
    )


def _is_hostname(text: str) -> bool:
    if len(text.encode()) > 255 or any(len(part.encode()) > 63 for part in text.split(".")):
        return False
    return patterns.matches(_HOSTNAME, text)


_HOSTNAME = (
    r"^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)"
    r"|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$"
)


def _sloppy(text: str) -> str:
    """IPv4 numbers with leading zeros are read as decimal, as upstream's old parser did."""
    if ":" in text or text.count(".") != _SEVERAL_V4_PARTS - 1:
        return text
    return ".".join(part.lstrip("0") or "0" if part.isdigit() else part for part in text.split("."))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def _is_ipv4(text: str) -> bool:
    return "." in text and _is_address(_sloppy(text))


def _is_ipv6(text: str) -> bool:
    return ":" in text and _is_address(text)


def _is_cidr(text: str) -> bool:
    address, slash, length = text.partition("/")
    digits = length.lstrip("0")  # of which there may be more than Python reads
    if not slash or not (length.isascii() and length.isdigit()) or len(digits) > 3 or not _is_address(_sloppy(address)):
        return False
    return int(digits or 0) <= (128 if ":" in address else 32)


def _is_mac(text: str) -> bool:
    """Go's net.ParseMAC: 6, 8 or 20 bytes."""
    for separator, digits in ((":", 2), ("-", 2), (".", 4)):
        parts = text.split(separator)
        if len(parts) * digits // 2 in (6, 8, 20) and all(re.fullmatch(rf"[0-9A-Fa-f]{{{digits}}}", p) for p in parts):
            return True
    return False


def _is_isbn10(text: str) -> bool:
    digits = re.sub(r"[\s-]+", "", text)
    if not re.fullmatch(r"[0-9]{9}[0-9X]", digits):
        return False
    total = sum((i + 1) * (10 if d == "X" else int(d)) for i, d in enumerate(digits))
    return total % 11 == 0


def _is_isbn13(text: str) -> bool:
    digits = re.sub(r"[\s-]+", "", text)
    if not re.fullmatch(r"[0-9]{13}", digits):
        return False
    total = sum((3 if i % 2 else 1) * int(d) for i, d in enumerate(digits[:12]))
    return (10 - total % 10) % 10 == int(digits[12])


def _is_credit_card(text: str) -> bool:
    digits = re.sub(r"[^0-9]+", "", text)
    if not patterns.matches(_CARD, digits):
        return False
    total = 0
    for i, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if i % 2 else 1)
        total += doubled // 10 + doubled % 10
    return total % 10 == 0


_CARD = (
    r"^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}"
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$"
)
_BYTE = r"(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])"
_RGB = rf"^rgb\(\s*{_BYTE}\s*,\s*{_BYTE}\s*,\s*{_BYTE}\s*\)$"


def _uuid(third: str, fourth: str) -> Callable[[str], bool]:
    return _pattern(rf"(?i)^[0-9a-f]{{8}}-?[0-9a-f]{{4}}-?{third}-?{fourth}-?[0-9a-f]{{12}}$")


_ANY4, _VARIANT = "[0-9a-f]{4}", "[89ab][0-9a-f]{3}"

_FORMATS: Mapping[str, Callable[[str], bool]] = {
    "bsonobjectid": _pattern(r"^[0-9a-fA-F]{24}$"),
    "uri": _is_uri,
    "email": _is_email,
    "hostname": _is_hostname,
    "ipv4": _is_ipv4,
    "ipv6": _is_ipv6,
    "cidr": _is_cidr,
    "mac": _is_mac,
    "uuid": _uuid(_ANY4, _ANY4),
    "uuid3": _uuid("3[0-9a-f]{3}", _ANY4),
    "uuid4": _uuid("4[0-9a-f]{3}", _VARIANT),
    "uuid5": _uuid("5[0-9a-f]{3}", _VARIANT),
    "isbn": lambda text: _is_isbn10(text) or _is_isbn13(text),
    "isbn10": _is_isbn10,
    "isbn13": _is_isbn13,
    "creditcard": _is_credit_card,
    "ssn": _pattern(r"^\d{3}[- ]\d{2}[- ]\d{4}$"),
    "hexcolor": _pattern(r"^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"),
    "rgbcolor": _pattern(_RGB),
    "byte": _pattern(r"^(?:[A-Za-z0-9+\/]{4})*(?:[A-Za-z0-9+\/]{2}==|[A-Za-z0-9+\/]{3}=|[A-Za-z0-9+\/]{4})$"),
    "password": lambda _text: True,
    "date": _is_date,
    "duration": _is_duration,
    "datetime": _is_datetime,
    "k8sshortname": lambda text: len(text) <= 63 and patterns.matches(f"^{_SHORT_NAME}$", text),
    "k8slongname": lambda text: len(text) <= 253 and patterns.matches(rf"^{_SHORT_NAME}(\.{_SHORT_NAME})*$", text),
}

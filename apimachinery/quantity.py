"""Quantities of resources (`100m`, `1.5Gi`, `12e6`): exact parsing, arithmetic, and upstream's canonical text.

An amount is a whole number of nano units, so every sum is exact; what is smaller than a nano is rounded away from
zero when it is parsed, as upstream does ("if you want some resources, you should get some"). A quantity keeps the
notation it was written in: binary stays binary, decimal exponents stay exponents, unless that would lose precision.
Source: apimachinery/pkg/api/resource/{quantity,suffix,amount}.go. Texts of the errors are upstream's.
"""

import re
from dataclasses import dataclass
from functools import lru_cache, total_ordering

BINARY_SI = "BinarySI"
DECIMAL_SI = "DecimalSI"
DECIMAL_EXPONENT = "DecimalExponent"

FORMAT_WRONG = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
NUMERIC_WRONG = "unable to parse numeric part of quantity"
SUFFIX_WRONG = "unable to parse quantity's suffix"

_SHAPE = re.compile(r"([+-]?)(0*)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)", re.ASCII)
_EXPONENT = re.compile(r"[eE]([+-]?[0-9]+)", re.ASCII)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_SUFFIX = {0: ""} | {exponent: suffix for suffix, exponent in _BINARY.items()}
_NANO = 10**9
_MAX = 2**63 - 1
#: differs: upstream takes exponents up to 2^31; beyond this one we refuse, since the number has that many digits.
_MAX_EXPONENT = 400
#: Digits that upstream's fast path takes (maxInt64Factors).
_FAST_DIGITS = 18


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """An exact amount, in nano units, and the notation to write it in. Compares by amount only."""

    nanos: int
    format: str = DECIMAL_SI

    def value(self) -> int:
        """Whole units, rounded away from zero."""
        return _divided(self.nanos, _NANO)

    def milli(self) -> int:
        """Thousandths, rounded away from zero."""
        return _divided(self.nanos, 10**6)

    def __add__(self, other: "Quantity") -> "Quantity":
        return Quantity(self.nanos + other.nanos, self.format if self.nanos else other.format)

    def __sub__(self, other: "Quantity") -> "Quantity":
        return Quantity(self.nanos - other.nanos, self.format if self.nanos else other.format)

    def __neg__(self) -> "Quantity":
        return Quantity(-self.nanos, self.format)

    def __bool__(self) -> bool:
        return self.nanos != 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.nanos == other.nanos

    def __lt__(self, other: "Quantity") -> bool:
        return self.nanos < other.nanos

    def __hash__(self) -> int:
        return hash(self.nanos)

    def __str__(self) -> str:
        """The canonical text: no fraction, the largest suffix that keeps it exact."""
        if not self.nanos:
            return "0"
        if self.format == BINARY_SI and abs(self.nanos) >= 1024 * _NANO and self.nanos % _NANO == 0:
            return _binary(self.nanos // _NANO)
        return _decimal(self.nanos, self.format)


ZERO = Quantity(0)


def parse(text: str | float) -> Quantity:
    """The quantity that a string (or a JSON number) stands for. Raises ValueError with upstream's text."""
    return _parsed(_trimmed(text))[0]


def canonical(text: str | float) -> str:
    """The text that is stored. What upstream takes for canonical already is kept as it was written."""
    return _parsed(_trimmed(text))[1]


def rounded_to_milli(text: str) -> str:
    """A canonical text without what is smaller than a thousandth, which is rounded up."""
    if not text.endswith(("n", "u")) and "e-" not in text:
        return text
    found = parse(text)
    return text if found.nanos % 10**6 == 0 else str(from_milli(found.milli(), found.format))


def from_milli(milli: int, format: str = DECIMAL_SI) -> Quantity:
    """A quantity of thousandths (millicores)."""
    return Quantity(milli * 10**6, format)


def from_int(value: int, format: str = DECIMAL_SI) -> Quantity:
    """A quantity of whole units (bytes with BINARY_SI)."""
    return Quantity(value * _NANO, format)


def _trimmed(text: str | float) -> str:
    """JSON numbers are read by their digits; strings may have space around them, as upstream allows."""
    return text.strip() if isinstance(text, str) else repr(text)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> tuple[Quantity, str]:
    match = _SHAPE.fullmatch(text)
    if not text or match is None:
        raise ValueError(FORMAT_WRONG)
    sign, zeros, whole, fraction, suffix = match.groups()
    base, exponent, notation = _interpreted(suffix)
    whole, fraction, empty = whole or "0", fraction or "", not (zeros or whole or fraction)
    fast = _is_fast(whole, fraction, base, exponent)
    if empty and not fast:
        raise ValueError(NUMERIC_WRONG)
    nanos = _nanos(int(whole + fraction), len(fraction), base, exponent)
    if notation == BINARY_SI:
        nanos = min(nanos, _MAX * _NANO)
        notation = DECIMAL_SI if 0 < nanos < _NANO else BINARY_SI
    quantity = Quantity(-nanos if sign == "-" else nanos, notation)
    return quantity, text if fast and _is_kept(whole, fraction, base, exponent) else str(quantity)


def _interpreted(suffix: str) -> tuple[int, int, str]:
    """The base, the exponent and the notation that a suffix stands for."""
    if suffix in _DECIMAL:
        return 10, _DECIMAL[suffix], DECIMAL_SI
    if suffix in _BINARY:
        return 2, _BINARY[suffix], BINARY_SI
    match = _EXPONENT.fullmatch(suffix)
    if match is None or len(match[1]) > 20 or abs(int(match[1])) > _MAX_EXPONENT:
        raise ValueError(SUFFIX_WRONG)
    return 10, int(match[1]), DECIMAL_EXPONENT


def _is_fast(whole: str, fraction: str, base: int, exponent: int) -> bool:
    """Whether upstream would compute in an int64 here; only then may it keep the text as it was written."""
    if base == 10:
        return len(whole) + len(fraction) <= _FAST_DIGITS and exponent - len(fraction) >= -9
    return not fraction and 14 - len(whole) - exponent * 3 // 10 >= 0


def _is_kept(whole: str, fraction: str, base: int, exponent: int) -> bool:
    """Upstream's test for "in canonical form already" (which also lets `1.500` and `+1` through)."""
    digits = whole + fraction
    if base == 2:
        return int(digits) & 7 != 0
    return (exponent - len(fraction)) % 3 == 0 and not digits.endswith("000") and digits[0] != "0"


def _nanos(mantissa: int, decimals: int, base: int, exponent: int) -> int:
    """The nano units of mantissa / 10^decimals * base^exponent, rounded up."""
    if base == 2:
        return _divided(mantissa * (_NANO << exponent), _power(decimals))
    scale = exponent - decimals + 9
    return mantissa * _power(scale) if scale >= 0 else _divided(mantissa, _power(-scale))


def _power(exponent: int) -> int:
    return int(10**exponent)


def _divided(nanos: int, unit: int) -> int:
    """Rounded away from zero, as upstream rounds."""
    return -(-nanos // unit) if nanos >= 0 else nanos // unit


def _binary(value: int) -> str:
    exponent = 0
    while value % 1024 == 0 and exponent < 60:
        value, exponent = value // 1024, exponent + 10
    return f"{value}{_BINARY_SUFFIX[exponent]}"


def _decimal(nanos: int, format: str) -> str:
    """Mantissa and the largest exponent divisible by three; beyond `E` there is no suffix, only an exponent."""
    exponent = -9
    while nanos % 1000 == 0:
        nanos, exponent = nanos // 1000, exponent + 3
    if format != DECIMAL_EXPONENT and exponent in _DECIMAL_SUFFIX:
        return f"{nanos}{_DECIMAL_SUFFIX[exponent]}"
    return f"{nanos}e{exponent}" if exponent else str(nanos)

"""`semver("1.2.3-rc.1")`. Source: apiserver/pkg/cel/library/semverlib.go, blang/semver for parsing and its words."""

import re
from dataclasses import dataclass

from apiserver.cel.environment import Overload, overload
from apiserver.cel.errors import EvaluationError
from apiserver.cel.standard import traversal
from apiserver.cel.values import Opaque

_IDENTIFIER = re.compile(r"[0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class Semver(Opaque):
    numbers: tuple[int, int, int]
    pre: tuple[int | str, ...] = ()
    build: tuple[str, ...] = ()
    type_name = "kubernetes.Semver"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Semver) and _compare(self, other) == 0  # build metadata does not count

    def __hash__(self) -> int:
        return hash((self.numbers, self.pre))


def _number(text: str, part: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise EvaluationError(f'Invalid character(s) found in {part} number "{text}"')
    if len(text) > 1 and text[0] == "0":
        raise EvaluationError(f'{part.capitalize()} number must not contain leading zeroes "{text}"')
    value = int(text[:30])
    if value >= 2**64:
        raise EvaluationError(f'strconv.ParseUint: parsing "{text}": value out of range')
    return value


def _parse(text: str) -> Semver:
    if not text:
        raise EvaluationError("Version string empty")
    parts = text.split(".", 2)
    if len(parts) != 3:
        raise EvaluationError("No Major.Minor.Patch elements found")
    rest, plus, build = parts[2].partition("+")
    patch, dash, pre = rest.partition("-")
    numbers = (_number(parts[0], "major"), _number(parts[1], "minor"), _number(patch, "patch"))
    return Semver(
        numbers,
        tuple(map(_prerelease, pre.split("."))) if dash else (),
        tuple(map(_build, build.split("."))) if plus else (),
    )


def _prerelease(text: str) -> int | str:
    if not text:
        raise EvaluationError("Prerelease is empty")
    if text.isascii() and text.isdigit():
        if len(text) > 1 and text[0] == "0":
            raise EvaluationError(f'Numeric PreRelease version must not contain leading zeroes "{text}"')
        return int(text[:30])
    if not _IDENTIFIER.fullmatch(text):
        raise EvaluationError(f'Invalid character(s) found in prerelease "{text}"')
    return text


def _build(text: str) -> str:
    if not text:
        raise EvaluationError("Build meta data is empty")
    if not _IDENTIFIER.fullmatch(text):
        raise EvaluationError(f'Invalid character(s) found in build meta data "{text}"')
    return text


def _normalized(text: str) -> str:
    parts = text.removeprefix("v").split(".", 2)
    for index, part in enumerate(parts):
        if len(part) > 1:
            stripped = part.lstrip("0")
            parts[index] = stripped if stripped[:1].isdigit() else "0" + stripped
    if len(parts) < 3:
        if any(c in parts[-1] for c in "+-"):
            raise EvaluationError("short version cannot contain PreRelease/Build meta data")
        parts += ["0"] * (3 - len(parts))
    return ".".join(parts)


def _semver(text: str, normalize: bool = False) -> Semver:  # noqa: FBT001, FBT002 - CEL's second argument
    return _parse(_normalized(text) if normalize else text)


def _is_semver(text: str, normalize: bool = False) -> bool:  # noqa: FBT001, FBT002 - CEL's second argument
    try:
        _semver(text, normalize)
    except EvaluationError:
        return False
    return True


def _compare(one: Semver, other: Semver) -> int:
    if one.numbers != other.numbers:
        return 1 if one.numbers > other.numbers else -1
    if not one.pre or not other.pre:
        return (not one.pre) - (not other.pre)
    for a, b in zip(one.pre, other.pre, strict=False):
        if a != b:
            return _compare_identifiers(a, b)
    return (len(one.pre) > len(other.pre)) - (len(one.pre) < len(other.pre))


def _compare_identifiers(a: int | str, b: int | str) -> int:
    if isinstance(a, int) and isinstance(b, int):
        return 1 if a > b else -1
    if isinstance(a, str) and isinstance(b, str):
        return 1 if a > b else -1
    return -1 if isinstance(a, int) else 1


_S = "kubernetes.Semver"
LIBRARY: tuple[Overload, ...] = (
    overload(f"+semver(string) -> {_S}", _semver, traversal),
    overload(f"+semver(string, bool) -> {_S}", _semver, traversal),
    overload("+isSemver(string) -> bool", _is_semver, traversal),
    overload("+isSemver(string, bool) -> bool", _is_semver, traversal),
    overload(f"{_S}.isGreaterThan({_S}) -> bool", lambda a, b: _compare(a, b) > 0),
    overload(f"{_S}.isLessThan({_S}) -> bool", lambda a, b: _compare(a, b) < 0),
    overload(f"{_S}.compareTo({_S}) -> int", _compare),
    overload(f"{_S}.major() -> int", lambda v: v.numbers[0]),
    overload(f"{_S}.minor() -> int", lambda v: v.numbers[1]),
    overload(f"{_S}.patch() -> int", lambda v: v.numbers[2]),
)

"""Conditions of the shared shape (metav1.Condition).

Source: apimachinery/pkg/apis/meta/v1/validation, ValidateConditions.
"""

import re
from collections.abc import Sequence

from apimachinery.errors import Pointed, not_supported
from apimachinery.types import Json
from apiserver.strategies.problems import Problems, duplicate, invalid, qualified_name, required, too_long

_LONGEST_REASON, _LONGEST_MESSAGE = 1024, 32 * 1024
_REASON = re.compile("[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?")
_NO_REASON = (
    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric "
    "characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or "
    f"'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '{_REASON.pattern}')"
)


def check(path: str, conditions: Sequence[Json]) -> Problems:
    """Every condition, and that no type comes twice."""
    seen: set[str] = set()
    for i, condition in enumerate(conditions):
        here, type = f"{path}[{i}]", condition.get("type") or ""
        if type in seen:
            yield duplicate(f"{here}.type", type)
        seen.add(type)
        yield from _condition(here, type, condition)


def _condition(path: str, type: str, condition: Json) -> Problems:
    yield from qualified_name(f"{path}.type", type)
    status, reason = condition.get("status") or "", condition.get("reason") or ""
    if status not in ("False", "True", "Unknown"):
        yield not_supported(f"{path}.status", Pointed(status), ("False", "True", "Unknown"))
    if (generation := condition.get("observedGeneration") or 0) < 0:
        yield invalid(f"{path}.observedGeneration", generation, "must be greater than or equal to zero")
    if not condition.get("lastTransitionTime"):
        yield required(f"{path}.lastTransitionTime")
    if not reason:
        yield required(f"{path}.reason")
    elif not _REASON.fullmatch(reason):
        yield invalid(f"{path}.reason", reason, _NO_REASON)
    if len(reason.encode()) > _LONGEST_REASON:
        yield too_long(f"{path}.reason", _LONGEST_REASON)
    if len((condition.get("message") or "").encode()) > _LONGEST_MESSAGE:
        yield too_long(f"{path}.message", _LONGEST_MESSAGE)

"""Regular expressions in expressions: Go's, in linear time (apiserver/structural/patterns.py), as values and errors."""

from typing import Any

from apiserver.cel.errors import EvaluationError
from apiserver.structural import patterns


def compiled(pattern: str) -> Any:
    """The compiled pattern; raises EvaluationError in Go's words."""
    try:
        return patterns.compiled(pattern)
    except patterns.BadPattern as wrong:
        raise EvaluationError(str(wrong)) from None


def search(text: str, pattern: str) -> bool:
    return compiled(pattern).search(text) is not None


def find(text: str, pattern: str) -> str:
    match = compiled(pattern).search(text)
    return match.group() if match else ""


def find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    """Non-overlapping matches, at most `limit` unless it is negative."""
    found: list[str] = []
    if limit == 0:
        return found
    for match in compiled(pattern).finditer(text):
        found.append(match.group())
        if len(found) == limit:
            break
    return found

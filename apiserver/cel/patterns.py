"""Regular expressions as Go has them: RE2, so that no pattern takes more than linear time.

Python's own `re` backtracks: a pattern of a user's may not reach it.
"""

from functools import lru_cache
from typing import Any

import re2

from apiserver.cel.errors import EvaluationError

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Any:
    """The compiled pattern; raises EvaluationError in Go's words."""
    try:
        return re2.compile(pattern, options=_OPTIONS)
    except re2.error as wrong:
        raise EvaluationError(f"error parsing regexp: {_go_text(wrong, pattern)}") from None


#: Where RE2 and Go's regexp differ in words.
_WORDS = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid character class": "invalid character class range",
}


def _go_text(wrong: Exception, pattern: str) -> str:
    text = wrong.args[0] if wrong.args else ""
    text = text.decode() if isinstance(text, bytes) else str(text)
    head, _, part = text.partition(": ")
    head = _WORDS.get(head, head)
    return f"{head}: `{part or pattern}`"


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

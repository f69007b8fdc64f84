"""Regular expressions as Go's regexp has them: RE2, whose time is linear in the text, so that none burns CPU."""

from functools import lru_cache
from typing import Any

import re2


class BadPattern(ValueError):
    """A text that is no regular expression; `str()` is Go's complaint."""


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 8 << 20
    return options


_OPTIONS = _options()
#: RE2's words for what Go says otherwise.
_WORDS = {
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "unexpected )": "unexpected )",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid repetition size": "invalid repeat count",
    "trailing \\": "trailing backslash at end of expression",
    "invalid named capture group": "invalid named capture",
}


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> Any:
    """The expression, ready to `search`. Raises BadPattern."""
    try:
        return re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        raise BadPattern(_as_go_says(error.args[0])) from None


def _as_go_says(text: bytes | str) -> str:
    """`error parsing regexp: missing closing ]: `[a`` of RE2's `missing ]: [a`."""
    said = text.decode(errors="replace") if isinstance(text, bytes) else text
    what, _, where = said.partition(": ")
    what = _WORDS.get(what, what)
    return f"error parsing regexp: {what}: `{where}`"


def matches(pattern: str, text: str) -> bool:
    """Whether the expression is found anywhere in the text. Raises BadPattern."""
    return compiled(pattern).search(text) is not None

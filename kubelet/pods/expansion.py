"""`$(NAME)` in commands, arguments and values. Pure. `$$` is a dollar sign; what is not known stays as written.

Source: third_party/forked/golang/expansion/expand.go.
"""

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")


def expand(text: str, values: Mapping[str, str]) -> str:
    def one(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return "$"
        return values.get(name, match[0])

    return _REFERENCE.sub(one, text)


def references_in(text: str) -> set[str]:
    """The names that a text refers to."""
    return {match[1] for match in _REFERENCE.finditer(text) if match[1] is not None}

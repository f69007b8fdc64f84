"""Global flags: they may stand anywhere on the line, as kubectl allows it, so they are taken out before typer looks.

Pure. Everything behind a bare `--` belongs to the container and is left alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any


class UsageError(Exception):
    """The command line cannot be understood; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Globals:
    """What every command obeys."""

    namespace: str = ""
    context: str = ""
    kubeconfig: str = ""
    server: str = ""
    token: str = ""
    impersonate: str = ""
    impersonate_groups: tuple[str, ...] = field(default=())
    insecure: bool = False
    verbosity: int = 0
    request_timeout: str = ""


_WITH_VALUE = {
    "-n": "namespace",
    "--namespace": "namespace",
    "--context": "context",
    "--kubeconfig": "kubeconfig",
    "-s": "server",
    "--server": "server",
    "--token": "token",
    "--as": "impersonate",
    "--as-group": "impersonate_groups",
    "--request-timeout": "request_timeout",
    "-v": "verbosity",
    "--v": "verbosity",
}


def hoist(argv: Sequence[str]) -> tuple[Globals, list[str]]:
    """The global flags, and the line without them."""
    found, index = Globals(), 0
    rest: list[str] = []
    while index < len(argv):
        word = argv[index]
        index += 1
        if word == "--":
            return found, [*rest, word, *argv[index:]]
        name, equals, value = word.partition("=")
        if word.startswith("-n") and not word.startswith("--") and len(word) > 2 and not equals:
            name, equals, value = "-n", "=", word[2:]
        if name.startswith("--insecure-skip-tls-verify"):
            found = replace(found, insecure=value != "false")
        elif name in _WITH_VALUE:
            if not equals:
                if index >= len(argv):
                    message = f"flag needs an argument: {name}"
                    raise UsageError(message)
                value, index = argv[index], index + 1
            found = _with(found, _WITH_VALUE[name], value)
        else:
            rest.append(word)
    return found, rest


def _with(found: Globals, name: str, value: str) -> Globals:
    if name == "impersonate_groups":
        return replace(found, impersonate_groups=(*found.impersonate_groups, value))
    if name == "verbosity":
        return replace(found, verbosity=int(value) if value.isdigit() else 0)
    changes: Any = {name: value}
    return replace(found, **changes)

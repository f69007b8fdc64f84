"""The command line as kubectl reads it (pflag's rules). Pure.

    hoist       global flags may stand anywhere: they are taken out before typer looks
    canonical   one command's own words, rewritten so that typer cannot misread them: `-ojson`, `-o=json`, `-it`,
                `--watch=false`, `--dry-run` alone all become `--long=value`; what is wrong is said in pflag's words

Everything behind a bare `--` belongs to the container and is left alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any


class UsageError(Exception):
    """The command line cannot be understood; the text says what is wrong. `hint` follows: where to look."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}\n{hint}" if hint else message)


class FlagError(UsageError):
    """A flag is unknown or its value is no good: pflag's own errors, followed by where to look."""


@dataclass(frozen=True, slots=True)
class Globals:
    """What every command obeys."""

    namespace: str = ""
    context: str = ""
    kubeconfig: str = ""
    cluster: str = ""
    user: str = ""
    server: str = ""
    token: str = ""
    certificate_authority: str = ""
    client_certificate: str = ""
    client_key: str = ""
    tls_server_name: str = ""
    username: str = ""
    password: str = ""
    impersonate: str = ""
    impersonate_groups: tuple[str, ...] = field(default=())
    impersonate_uid: str = ""
    insecure: bool = False
    verbosity: int = 0
    request_timeout: str = ""
    cache_dir: str = ""


_WITH_VALUE = {
    "-n": "namespace",
    "--namespace": "namespace",
    "--context": "context",
    "--kubeconfig": "kubeconfig",
    "--cluster": "cluster",
    "--user": "user",
    "-s": "server",
    "--server": "server",
    "--token": "token",
    "--certificate-authority": "certificate_authority",
    "--client-certificate": "client_certificate",
    "--client-key": "client_key",
    "--tls-server-name": "tls_server_name",
    "--username": "username",
    "--password": "password",
    "--as": "impersonate",
    "--as-group": "impersonate_groups",
    "--as-uid": "impersonate_uid",
    "--request-timeout": "request_timeout",
    "--cache-dir": "cache_dir",
    "-v": "verbosity",
    "--v": "verbosity",
}

#: Global flags of kubectl that two commands use for something of their own.
_OWN = {
    "config": {
        "--cluster", "--user", "--server", "--token", "--certificate-authority", "--client-certificate",
        "--client-key", "--tls-server-name", "--username", "--password", "--insecure-skip-tls-verify", "-n",
        "--namespace",
    },
    "create": {"--user", "--token"},
    "set": {"--user"},
}  # fmt: skip


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
        if word[:2] in ("-n", "-v", "-s") and len(word) > 2 and not equals and not word.startswith("--"):
            name, equals, value = word[:2], "=", word[2:]
        if _is_own(name, rest):
            rest.append(word)
        elif name == "--insecure-skip-tls-verify":
            found = replace(found, insecure=value != "false")
        elif name in _WITH_VALUE:
            if not equals:
                if index >= len(argv):
                    raise FlagError(_needs_argument(name))
                value, index = argv[index], index + 1
            found = _with(found, _WITH_VALUE[name], value)
        else:
            rest.append(word)
    return found, rest


def _is_own(name: str, before: Sequence[str]) -> bool:
    words = [word for word in before if not word.startswith("-")]
    if not words or name not in _OWN.get(words[0], ()):
        return False
    return words[0] != "config" or (len(words) > 1 and words[1].startswith("set-"))


def _with(found: Globals, name: str, value: str) -> Globals:
    if name == "impersonate_groups":
        return replace(found, impersonate_groups=(*found.impersonate_groups, value))
    if name == "verbosity":
        return replace(found, verbosity=int(value) if value.isdigit() else 0)
    changes: Any = {name: value}
    return replace(found, **changes)


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag of a command. `type`: bool, int or string; `alone`: its value when none is given."""

    name: str
    short: str = ""
    type: str = "string"
    alone: str = ""
    no: str = ""  # how typer spells `--flag=false`; empty: by leaving the flag out

    @property
    def shown(self) -> str:
        return f"{self.short}, {self.name}" if self.short else self.name


#: Flags of kubectl whose value may be left out, with what it is then.
ALONE = {"--dry-run": "client", "--cascade": "background", "--validate": "strict"}

_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


def canonical(words: Sequence[str], flags: Sequence[Flag]) -> tuple[list[str], list[str], list[str]]:
    """(flags as typer reads them, positional words, words behind `--`). Raises FlagError."""
    by_name = {name: flag for flag in flags for name in (flag.name, flag.short) if name}
    options: list[str] = []
    positional: list[str] = []
    pending = list(words)
    while pending:
        word = pending.pop(0)
        if word == "--":
            return options, positional, pending
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            options += _long(name, value if equals else None, by_name, pending)
        elif word.startswith("-") and word != "-":
            options += _short(word, by_name, pending)
        else:
            positional.append(word)
    return options, positional, []


def _long(name: str, value: str | None, by_name: Mapping[str, Flag], pending: list[str]) -> list[str]:
    flag = by_name.get(name)
    if flag is None:
        raise FlagError(f"unknown flag: {name}")
    if value is None:
        value = _default(flag)
    if value is None:
        if not pending:
            raise FlagError(_needs_argument(name))
        value = pending.pop(0)
    return _spelled(flag, value)


def _short(word: str, by_name: Mapping[str, Flag], pending: list[str]) -> list[str]:
    options: list[str] = []
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        flag = by_name.get(f"-{letter}")
        if flag is None:
            raise FlagError(f"unknown shorthand flag: {letter!r} in {word}")
        if letters.startswith("="):
            return [*options, *_spelled(flag, letters[1:])]
        alone = _default(flag)
        if alone is not None:
            options += _spelled(flag, alone)
        elif letters:
            return [*options, *_spelled(flag, letters)]
        elif pending:
            options += _spelled(flag, pending.pop(0))
        else:
            raise FlagError(_needs_argument(f"-{letter}", word))
    return options


def _default(flag: Flag) -> str | None:
    if flag.type == "bool":
        return "true"
    return flag.alone or None


def _needs_argument(name: str, word: str = "") -> str:
    if name.startswith("--"):
        return f"flag needs an argument: {name}"
    return f"flag needs an argument: {name[1]!r} in {word or name}"


def _spelled(flag: Flag, value: str) -> list[str]:
    if flag.type == "bool":
        if value not in (*_TRUE, *_FALSE):
            raise FlagError(_invalid(flag, value, "strconv.ParseBool"))
        if value in _TRUE:
            return [flag.name]
        return [flag.no] if flag.no else []
    if flag.type == "int":
        try:
            int(value)
        except ValueError:
            raise FlagError(_invalid(flag, value, "strconv.ParseInt")) from None
    return [f"{flag.name}={value}"]


def _invalid(flag: Flag, value: str, function: str) -> str:
    return f'invalid argument "{value}" for "{flag.shown}" flag: {function}: parsing "{value}": invalid syntax'

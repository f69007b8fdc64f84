"""`pykubectl`: kubectl's commands on PyKube's client. Builds the commands of `cli.commands` and runs one.

Guarantees kubectl's exit codes (1 for what fails, a container's own code for exec) and its texts on stderr.
"""

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import typer

from cli.commands import ALIASES, GROUPS, VERBS, Verb
from cli.flags import UsageError, hoist
from cli.session import configure, guarded
from cli.usage import PROGRAM, VerbCommand, VerbGroup, unknown_command

_HELP = {"help_option_names": ["-h", "--help"]}


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point."""
    code = guarded(lambda: execute(sys.argv[1:] if argv is None else argv))
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)


def execute(argv: Sequence[str]) -> int:
    """Runs one command line; its exit code."""
    flags, words = hoist(argv)
    configure(flags)
    if words and words[0] not in (*(verb.first for verb in VERBS), "help") and not words[0].startswith("-"):
        raise UsageError(unknown_command(words[0], list(dict.fromkeys(verb.first for verb in VERBS))))
    command = typer.main.get_command(application(words))
    if not words or words == ["help"]:
        words = ["--help"]
    elif words[0] == "help":
        words = [*words[1:], "--help"]
    try:
        code = command.main(words, prog_name=PROGRAM, standalone_mode=False)
    except typer.Exit as done:
        code = done.exit_code
    return int(code or 0)


def application(words: Sequence[str]) -> typer.Typer:
    """The commands; only those whose first word is on the line are loaded, all of them where it is none of ours."""
    first = words[0] if words else ""
    verbs = [verb for verb in VERBS if verb.first == first]
    groups = {path: _group(text) for path, text in GROUPS.items()}
    if verbs:
        return _filled(groups, verbs)
    app = groups[""]
    app.callback(epilog=f"Example: {PROGRAM} get pods -A")(_nothing)
    seen = set()
    for verb in VERBS:
        if verb.first not in seen:
            seen.add(verb.first)
            text = GROUPS.get(verb.first)
            app.command(verb.first, help=text or _described(verb), cls=VerbCommand)(_nothing)
    return app


def _described(verb: Verb) -> str:
    return (_function(verb).__doc__ or "").partition("\n")[0]


def _nothing() -> None:
    """Stands for a command in the list of commands."""


def _group(text: str) -> typer.Typer:
    return typer.Typer(help=text, add_completion=False, rich_markup_mode=None, cls=VerbGroup, context_settings=_HELP)


def _filled(groups: dict[str, typer.Typer], verbs: Sequence[Verb]) -> typer.Typer:
    alone = {verb.words: verb for verb in verbs if verb.words in GROUPS}
    for verb in verbs:
        if verb.words in alone:
            continue
        parent, _, name = verb.words.rpartition(" ")
        names = [name, *(alias.rpartition(" ")[2] for alias, real in ALIASES.items() if real == verb.words)]
        for i, each in enumerate(names):
            _register(groups[parent], each, verb, hidden=i > 0)
    for path in sorted(GROUPS, reverse=True):
        if not path or path.split()[0] != verbs[0].first:
            continue
        parent, _, name = path.rpartition(" ")
        own = alone.get(path)
        names = [name, *(alias.rpartition(" ")[2] for alias, real in ALIASES.items() if real == path)]
        for i, each in enumerate(names):
            if own:
                groups[path].callback(invoke_without_command=True)(_function(own))
            epilog = _epilog(own or next(verb for verb in verbs if verb.words.startswith(path)))
            groups[parent].add_typer(groups[path], name=each, hidden=i > 0, epilog=epilog)
    groups[""].callback()(_nothing)
    return groups[""]


def _register(app: typer.Typer, name: str, verb: Verb, *, hidden: bool) -> None:
    app.command(name, cls=VerbCommand, epilog=_epilog(verb), context_settings=_HELP, hidden=hidden)(_function(verb))


def _epilog(verb: Verb) -> str:
    return f"Example: {PROGRAM} {verb.words} {verb.example}".rstrip()


def _function(verb: Verb) -> Callable[..., Any]:
    module, _, name = verb.target.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(f"cli.{module}"), name)
    return function

"""kubectl's way with a command line, on top of typer's commands: pflag's rules, its errors, its hints.

`VerbCommand` and `VerbGroup` rewrite their words with `cli.flags.canonical` before typer parses them, so that typer's
own usage errors never show. What stood behind `--` is kept for `command_line()`.
"""

import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from cli.flags import ALONE, Flag, FlagError, UsageError, canonical

PROGRAM = "pykubectl"
_behind_dashes: list[str] | None = None


def command_line() -> list[str] | None:
    """The words behind `--`; None when there was no `--`."""
    return _behind_dashes


def see(path: str) -> str:
    """The hint that follows a usage error of a command."""
    return f"See '{PROGRAM}{' ' if path else ''}{path} -h' for help and examples"


def _flags(params: Sequence[Any]) -> list[Flag]:
    found = []
    for param in params:
        if param.param_type_name != "option":
            continue
        names = [name for name in param.opts if name.startswith("--")]
        shorts = [name for name in param.opts if not name.startswith("--")]
        kind = "bool" if param.is_flag else "int" if param.type_descriptor.annotation is int else "string"
        for i, name in enumerate(names):
            found.append(
                Flag(
                    name,
                    shorts[0] if shorts and not i else "",
                    kind,
                    ALONE.get(name, ""),
                    "".join(param.secondary_opts[:1]),
                )
            )
    return [*found, Flag("--help", "-h", "bool")]


class VerbCommand(TyperCommand):
    """A command that reads its words as kubectl does."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        global _behind_dashes  # noqa: PLW0603  (one command line in one process)
        has_dashes = "--" in args
        try:
            options, words, behind = canonical(args, _flags(self.params))
        except FlagError as error:
            raise UsageError(str(error), f"See '{ctx.command_path} --help' for usage.") from error
        _behind_dashes = behind if has_dashes else None
        if "--help" in options:
            return super().parse_args(ctx, ["--help"])
        return super().parse_args(ctx, [*options, "--", *words])


class VerbGroup(TyperGroup):
    """Commands under a word, such as `rollout`; some (`create`) also work alone, with flags of their own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        flags = _flags(self.params)
        position = _subcommand(args, flags)
        if position is None:
            if self.invoke_without_command and "-h" not in args and "--help" not in args:
                try:
                    options, words, _ = canonical(args, flags)
                except FlagError as error:
                    raise UsageError(str(error), f"See '{ctx.command_path} --help' for usage.") from error
                if words:
                    raise UsageError(f"Unexpected args: {_go_list(words)}", see(_path(ctx)))
                return super().parse_args(ctx, options)
            if "-h" in args or "--help" in args:
                return super().parse_args(ctx, ["--help"])
            unknown = [word for word in args if word.startswith("-")]
            if unknown:
                raise UsageError(f"unknown flag: {unknown[0]}", f"See '{ctx.command_path} --help' for usage.")
            print(ctx.get_help(), file=sys.stderr)
            raise typer.Exit(1)
        name = args[position]
        if name not in self.commands:
            raise UsageError(*_unknown(ctx, name, invokable=self.invoke_without_command))
        return super().parse_args(ctx, [name, *args[:position], *args[position + 1 :]])


def _subcommand(args: Sequence[str], flags: Sequence[Flag]) -> int | None:
    """Where the first positional word stands."""
    takes_value = {name for flag in flags if flag.type != "bool" and not flag.alone for name in (flag.name, flag.short)}
    index = 0
    while index < len(args):
        if not args[index].startswith("-") or args[index] == "-":
            return index
        index += 2 if args[index] in takes_value else 1
    return None


def _path(ctx: Any) -> str:
    return str(ctx.command_path).removeprefix(PROGRAM).strip()


def _unknown(ctx: Any, name: str, *, invokable: bool) -> tuple[str, str]:
    path = _path(ctx)
    if not path:
        return unknown_command(name, [str(each) for each in ctx.command.commands]), ""
    if invokable:
        return f"Unexpected args: [{name}]", see(path)
    return f'unknown command "{name}"', see(path)


def _go_list(words: Sequence[str]) -> str:
    return f"[{' '.join(words)}]"


def unknown_command(name: str, known: Sequence[str]) -> str:
    """Cobra's text for a word that is no command, with what may have been meant."""
    near = [each for each in known if _distance(name.lower(), each.lower()) <= 2 or each.startswith(name.lower())]
    meant = "\n\nDid you mean this?\n" + "\n".join(f"\t{each}" for each in near) if near else ""
    return f'unknown command "{name}" for "{PROGRAM}"{meant}'


def _distance(a: str, b: str) -> int:
    """Levenshtein's."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        previous, row = row, [i]
        for j, right in enumerate(b, 1):
            row.append(min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (left != right)))
    return row[-1]


def exactly(words: Sequence[str] | None, count: int, path: str, what: str = "NAME") -> list[str]:
    """The positional words, of which there must be `count`."""
    given = list(words or ())
    if len(given) != count:
        raise UsageError(f"exactly one {what} is required, got {len(given)}", see(path))
    return given

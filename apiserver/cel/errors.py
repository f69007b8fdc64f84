"""What can go wrong with an expression: it does not compile, it fails on a value, or it costs too much.

The texts are cel-go's and apiserver/pkg/cel's: tools and people read them. Positions are columns of the source, with
the line shown beneath and a caret, as cel-go prints them.
"""

from dataclasses import dataclass

_SNIPPET_LIMIT = 16384


@dataclass(frozen=True, slots=True)
class Problem:
    """One complaint of the parser or the checker. A negative offset is nowhere in the source."""

    offset: int
    message: str


class CompileError(Exception):
    """The expression cannot be compiled; `str()` is upstream's whole text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class InstantiationError(CompileError):
    """The expression is well typed, but a constant in it cannot be computed; `text` is the reason alone."""


class EvaluationError(Exception):
    """The expression failed on these values (`no such key: x`); `&&`, `||` and `all()` may absorb it."""


class BudgetExceeded(Exception):
    """The expression cost more than it may; nothing absorbs this."""

    def __init__(self, text: str = "operation cancelled: actual cost limit exceeded") -> None:
        super().__init__(text)


def display(source: str, problems: list[Problem]) -> str:
    """All problems in the order of their positions, each with the line it is on."""
    ordered = sorted(problems, key=lambda p: p.offset)
    return "\n".join(_display(source, problem) for problem in ordered)


def _display(source: str, problem: Problem) -> str:
    if problem.offset < 0:
        return f"ERROR: <input>:-1:0: {problem.message}"
    if not source:
        return f"ERROR: <input>:1:0: {problem.message}"
    before = source[: problem.offset]
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1)
    text = f"ERROR: <input>:{line}:{column + 1}: {problem.message}"
    shown = source.split("\n")[line - 1].replace("\t", " ")
    if len(shown) > _SNIPPET_LIMIT:
        return text
    dots = "".join("." if ord(c) < 128 else "\uff0e" for c in shown[:column])
    caret = "\uff3e" if shown[column : column + 1] > "\x7f" else "^"
    return f"{text}\n | {shown}\n | {dots}{caret}"

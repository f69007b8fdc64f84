"""`find` and `findAll` of regular expressions. Source: apiserver/pkg/cel/library/regex.go."""

from collections.abc import Callable
from typing import Any

from apiserver.cel import patterns
from apiserver.cel.environment import Overload, overload
from apiserver.cel.errors import EvaluationError
from apiserver.cel.standard import regex_cost


def _legal(run: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(text: str, pattern: str, *rest: int) -> Any:
        try:
            return run(text, pattern, *rest)
        except EvaluationError as wrong:
            raise EvaluationError(f"Illegal regex: {wrong}") from None

    return guarded


LIBRARY: tuple[Overload, ...] = (
    overload("string.find(string) -> string", _legal(patterns.find), regex_cost),
    overload("string.findAll(string) -> list(string)", _legal(patterns.find_all), regex_cost),
    overload("string.findAll(string, int) -> list(string)", _legal(patterns.find_all), regex_cost),
)

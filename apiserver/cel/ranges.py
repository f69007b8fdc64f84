"""From least to most: the costs and sizes that estimates are made of.

Source: cel-go/checker/cost.go (CostEstimate, SizeEstimate).
"""

import math
from typing import NamedTuple

from apiserver.cel.types import Type

MOST = 2**64 - 1


class Range(NamedTuple):
    """From least to most; sums and products stop at 2^64 - 1."""

    least: int
    most: int

    def plus(self, other: "Range") -> "Range":
        return Range(min(MOST, self.least + other.least), min(MOST, self.most + other.most))

    def times(self, other: "Range") -> "Range":
        return Range(min(MOST, self.least * other.least), min(MOST, self.most * other.most))

    def scaled(self, factor: float) -> "Range":
        return Range(_scaled(self.least, factor), _scaled(self.most, factor))

    def union(self, other: "Range") -> "Range":
        return Range(min(self.least, other.least), max(self.most, other.most))


def _scaled(value: int, factor: float) -> int:
    return min(MOST, math.ceil(float(value) * factor))


def fixed(value: int) -> Range:
    return Range(value, value)


UNKNOWN = Range(0, MOST)
ZERO, ONE = fixed(0), fixed(1)
TENTH, QUARTER = 0.1, 0.25


class Entries(NamedTuple):
    """The sizes of what a list or map holds."""

    kind: str
    key: Range
    value: Range

    def union(self, other: "Entries | None") -> "Entries | None":
        if other is None:
            return None
        return Entries(self.kind, self.key.union(other.key), self.value.union(other.value))


class Term(NamedTuple):
    """An argument of a call: where it comes from, its type, and its size if that is known."""

    path: tuple[str, ...]
    type: Type
    size: Range | None


class Estimate(NamedTuple):
    """What a call costs besides its arguments, and how large its result is."""

    cost: Range
    size: Range | None = None

"""Sets of completion indexes, written `0,2-4,7`: as runs, since a Job may have two thousand million of them.

Text that cannot be read is skipped, as upstream does: it may be a user's.
Source: pkg/controller/job/indexed_job_utils.go.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Indexes:
    """Runs (first, last), in order, none touching the next."""

    runs: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, runs: Iterable[tuple[int, int]]) -> "Indexes":
        merged: list[tuple[int, int]] = []
        for first, last in sorted(runs):
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = merged[-1][0], max(merged[-1][1], last)
            else:
                merged.append((first, last))
        return cls(tuple(merged))

    @classmethod
    def parse(cls, text: str, completions: int) -> "Indexes":
        """Those below `completions` of what a text names."""
        runs = []
        for part in text.split(","):
            first, _, last = part.partition("-")
            last = last or first
            if first.isdecimal() and last.isdecimal() and int(first) < completions:
                runs.append((int(first), min(int(last), completions - 1)))
        return cls.of(runs)

    def __str__(self) -> str:
        return ",".join(_text(first, last) for first, last in self.runs)

    def __contains__(self, index: int) -> bool:
        return any(first <= index <= last for first, last in self.runs)

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.runs)

    def __or__(self, other: "Indexes") -> "Indexes":
        return Indexes.of((*self.runs, *other.runs))

    def with_each(self, indexes: Iterable[int]) -> "Indexes":
        return Indexes.of((*self.runs, *((each, each) for each in indexes)))

    def common(self, other: "Indexes") -> int:
        """How many are in both."""
        mine, theirs = len(self), len(other)
        return mine + theirs - len(self | other)

    def missing(self, count: int, completions: int) -> Sequence[int]:
        """The first `count` below `completions` that are not in it."""
        found: list[int] = []
        for (_, last), (following, _) in pairwise(((-1, -1), *self.runs, (completions, completions))):
            found.extend(range(last + 1, min(following, completions, last + 1 + count - len(found))))
        return found


def _text(first: int, last: int) -> str:
    if first == last:
        return str(first)
    return f"{first},{last}" if last == first + 1 else f"{first}-{last}"

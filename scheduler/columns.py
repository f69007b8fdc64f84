"""What columns of nodes are made of: NumPy arrays of one value a node, taints, and the domains of a topology key."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Taint:
    """A taint as a column."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True)
class Domains:
    """Which domain of a topology key each node is in: small integers, and one more (the last) for nodes without it."""

    codes: Ints  # [node]
    size: int  # without the one for nodes that lack the key

    @property
    def known(self) -> Mask:
        """The nodes that have the key."""
        known: Mask = self.codes < self.size
        return known

    def totals(self, counts: Ints, among: Mask | None = None) -> Ints:
        """What the nodes of each domain have together: [domain], and one more, always 0, for nodes without the key."""
        found = np.bincount(self.codes, counts if among is None else counts * among, self.size + 1).astype(np.int64)
        found[self.size] = 0
        return found

    def sums(self, counts: Ints) -> Ints:
        """The totals of each node's own domain: [node]."""
        return self.totals(counts)[self.codes]

"""When the node is short of something. Pure: thresholds and what was measured, over time.

A threshold that is met makes the node's condition true at once and for the transition period; it ends pods when it has
been met for its grace period (a hard one has none), and until what its minimum reclaim asks for is there again.
Source: pkg/kubelet/eviction/{eviction_manager,helpers}.go (synchronize).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from apimachinery import quantity

MEMORY, DISK, PIDS = "MemoryPressure", "DiskPressure", "PIDPressure"

#: signal -> (the node's condition, the resource that is short).
SIGNALS: Mapping[str, tuple[str, str]] = {
    "memory.available": (MEMORY, "memory"),
    "allocatableMemory.available": (MEMORY, "memory"),
    "nodefs.available": (DISK, "ephemeral-storage"),
    "nodefs.inodesFree": (DISK, "inodes"),
    "imagefs.available": (DISK, "ephemeral-storage"),
    "imagefs.inodesFree": (DISK, "inodes"),
    "containerfs.available": (DISK, "ephemeral-storage"),
    "containerfs.inodesFree": (DISK, "inodes"),
    "pid.available": (PIDS, "pids"),
}
DEFAULT_HARD = {
    "memory.available": "100Mi",
    "nodefs.available": "10%",
    "nodefs.inodesFree": "5%",
    "imagefs.available": "15%",
    "imagefs.inodesFree": "5%",
}


@dataclass(frozen=True, slots=True)
class Amount:
    """A fixed number, or a part of the capacity."""

    number: int = 0
    part: float = 0.0

    def of(self, capacity: int) -> int:
        return int(capacity * self.part) if self.part else self.number


@dataclass(frozen=True, slots=True)
class Threshold:
    signal: str
    value: Amount
    grace: float = 0.0  # 0: a hard one
    reclaim: Amount = Amount()

    @property
    def hard(self) -> bool:
        return not self.grace


@dataclass(frozen=True, slots=True)
class Observation:
    """How much there is of something, and how much there could be."""

    available: int
    capacity: int


@dataclass(frozen=True, slots=True)
class State:
    """What has to be remembered from one look to the next."""

    first: Mapping[Threshold, float] = field(default_factory=dict)  # since when each has been met
    seen: Mapping[str, float] = field(default_factory=dict)  # condition -> when it was true last
    due: Sequence[Threshold] = ()


def parse_signals(given: Mapping[str, str]) -> dict[str, Amount]:
    """Signal -> amount; 0% and 100% switch one off. Raises ValueError in upstream's words."""
    found = {}
    for signal, text in given.items():
        if signal not in SIGNALS:
            raise ValueError(f"unsupported eviction signal {signal}")
        if text in ("0%", "100%"):
            continue
        found[signal] = _part(signal, text) if text.endswith("%") else _number(signal, text)
    return found


def _part(signal: str, text: str) -> Amount:
    part = float(text[:-1]) / 100
    if part < 0:
        raise ValueError(f"eviction percentage threshold {signal} must be >= 0%: {text}")
    if part > 1:
        raise ValueError(f"eviction percentage threshold {signal} must be <= 100%: {text}")
    return Amount(part=part)


def _number(signal: str, text: str) -> Amount:
    number = quantity.parse(text).value()
    if number <= 0:
        raise ValueError(f"eviction threshold {signal} must be positive: {text}")
    return Amount(number)


def thresholds(
    hard: Mapping[str, str], soft: Mapping[str, str], grace: Mapping[str, float], reclaim: Mapping[str, str]
) -> list[Threshold]:
    """All of them. What all pods together use is watched with the node's own memory."""
    least = parse_signals(reclaim)
    found = [Threshold(s, a, 0.0, least.get(s, Amount())) for s, a in parse_signals(hard).items()]
    found += [Threshold(s, a, grace[s], least.get(s, Amount())) for s, a in parse_signals(soft).items()]
    return found


def met(wanted: Sequence[Threshold], seen: Mapping[str, Observation], *, reclaiming: bool = False) -> list[Threshold]:
    """Those whose signal is below them; `reclaiming`: below what is to be there before the pressure is over."""

    def is_met(threshold: Threshold) -> bool:
        observed = seen.get(threshold.signal)
        if observed is None:
            return False
        least = threshold.value.of(observed.capacity)
        if reclaiming:
            least += threshold.reclaim.of(observed.capacity)
        return observed.available < least

    return [threshold for threshold in wanted if is_met(threshold)]


def step(
    before: State, wanted: Sequence[Threshold], seen: Mapping[str, Observation], *, now: float, transition: float
) -> tuple[State, frozenset[str]]:
    """The state after a look, and the node's conditions that are true. `State.due` are the thresholds to act on."""
    below = list(dict.fromkeys([*met(wanted, seen), *met(before.due, seen, reclaiming=True)]))
    first = {threshold: before.first.get(threshold, now) for threshold in below}
    conditions = dict(before.seen) | {SIGNALS[threshold.signal][0]: now for threshold in below}
    true = frozenset(name for name, at in conditions.items() if at == now or now - at < transition)
    due = [threshold for threshold in below if now - first[threshold] >= threshold.grace]
    return State(first, conditions, tuple(sorted(due, key=_urgency))), true


def _urgency(threshold: Threshold) -> bool:
    """Memory first: a node that runs out of it stops."""
    return SIGNALS[threshold.signal][0] != MEMORY


def reserved(hard: Mapping[str, str], capacity: Mapping[str, int]) -> dict[str, int]:
    """What the hard thresholds keep out of allocatable: bytes of memory and disk."""
    amounts = parse_signals(hard)
    pairs = (("memory", "memory.available"), ("ephemeral-storage", "nodefs.available"))
    return {name: amounts[signal].of(capacity.get(name, 0)) for name, signal in pairs if signal in amounts}


def binary(number: int) -> str:
    """As a quantity of bytes is written: `100Mi`, `5252096Ki`, `123`."""
    return str(quantity.from_int(number, quantity.BINARY_SI))

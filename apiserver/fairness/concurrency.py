"""How many seats each priority level has: its share, what it may lend and borrow, and what demand makes of that. Pure.

A level's nominal limit is its share of the server's. Of it, `lendablePercent` may go to others while it needs less;
`borrowingLimitPercent` bounds what it takes of theirs. Every ten seconds seats are divided anew, in proportion to the
smoothed demand, within those bounds. Source: apiserver/pkg/util/flowcontrol/{apf_controller,conc_alloc}.go.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from apimachinery.types import Json

#: Seconds between two divisions of the seats.
ADJUSTMENT = 10.0
_SMOOTHING = 0.977
_LEAST_TARGET = 0.001
_MAX_SEATS_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Limits:
    """A level's bounds, in seats."""

    exempt: bool
    nominal: int
    lower: int
    upper: int
    widest: int  # the most seats one request may take


def limits(specs: Mapping[str, Json], server: int) -> dict[str, Limits]:
    """Each level's bounds from all levels' specs and the server's limit."""
    shares = {name: _body(spec).get("nominalConcurrencyShares") or 0 for name, spec in specs.items()}
    total = sum(shares.values())
    found = {}
    for name, spec in specs.items():
        body = _body(spec)
        nominal = math.ceil(server * shares[name] / total) if total else 0
        lendable = _rounded(nominal * (body.get("lendablePercent") or 0) / 100)
        borrowing = body.get("borrowingLimitPercent")
        borrowable = server if borrowing is None else _rounded(nominal * borrowing / 100)
        hand = ((body.get("limitResponse") or {}).get("queuing") or {}).get("handSize") or 0
        widest = max(1, min(math.ceil(nominal * _MAX_SEATS_SHARE), nominal // hand)) if hand else 0
        exempt = spec.get("type") == "Exempt"
        found[name] = Limits(exempt, nominal, nominal - lendable, nominal + borrowable, widest)
    return found


def _body(spec: Json) -> Json:
    return spec.get("exempt" if spec.get("type") == "Exempt" else "limited") or {}


def _rounded(value: float) -> int:
    """Half away from zero, as Go rounds."""
    return math.floor(value + 0.5)


@dataclass(slots=True)
class Demand:
    """A level's demand for seats over time: what was used and waited for."""

    highest: float = 0.0
    average: float = 0.0
    deviation: float = 0.0
    smoothed: float = 0.0
    _value: float = 0.0
    _since: float = 0.0
    _began: float = 0.0
    _sum: float = field(default=0.0)
    _squares: float = field(default=0.0)
    _peak: float = 0.0

    def set(self, value: float, now: float) -> None:
        """The demand is this from now on."""
        seconds = now - self._since
        if seconds > 0:
            self._sum += seconds * self._value
            self._squares += seconds * self._value * self._value
            self._since = now
        self._value = value
        if value > self._peak:  # noqa: PLR1730 - twice per request: without a call
            self._peak = value

    def close(self, now: float) -> None:
        """End a period: its figures become those shown, and go into the smoothed one."""
        self.set(self._value, now)
        seconds = now - self._began
        self.highest = self._peak
        self.average = self._sum / seconds if seconds > 0 else self._value
        mean_square = self._squares / seconds if seconds > 0 else self._value * self._value
        self.deviation = math.sqrt(max(0.0, mean_square - self.average * self.average))
        envelope = self.average + self.deviation
        self.smoothed = max(envelope, _SMOOTHING * self.smoothed + (1 - _SMOOTHING) * envelope)
        self._began, self._sum, self._squares, self._peak = now, 0.0, 0.0, self._value


@dataclass(frozen=True, slots=True)
class Division:
    """How the seats are divided. `fair_fraction` is 0 where there were too few to be fair."""

    seats: Mapping[str, int]
    targets: Mapping[str, float]
    fair_fraction: float


def divide(bounds: Mapping[str, Limits], demands: Mapping[str, Demand]) -> Division:
    """The seats that each level has until the next division."""
    total = sum(limit.nominal for limit in bounds.values())
    remaining, seats, targets = total, {}, {}
    floors: dict[str, int] = {}
    for name, limit in bounds.items():
        highest = int(demands[name].highest)
        if limit.exempt:
            seats[name] = max(limit.lower, highest)
            remaining -= seats[name]
            targets[name] = float(seats[name])
        else:
            floors[name] = max(limit.lower, min(limit.nominal, highest))
            targets[name] = max(float(floors[name]), demands[name].smoothed)
    least, least_now = sum(bounds[name].lower for name in floors), sum(floors.values())
    if remaining <= least:
        return Division({**seats, **{name: bounds[name].lower for name in floors}}, targets, 0.0)
    if remaining <= least_now:
        share = (remaining - least) / (least_now - least)
        scaled = {name: bounds[name].lower + _rounded((floors[name] - bounds[name].lower) * share) for name in floors}
        return Division({**seats, **scaled}, targets, 0.0)
    names = list(floors)
    items = [(targets[name], float(floors[name]), float(bounds[name].upper)) for name in names]
    allocated, fraction = allocate(float(total), items)
    return Division({**seats, **dict(zip(names, map(_rounded, allocated), strict=True))}, targets, fraction)


def allocate(total: float, items: Sequence[tuple[float, float, float]]) -> tuple[list[float], float]:
    """Parts of the total, each a common multiple of its target, cut to its bounds: (target, lower, upper).

    Found by halving the interval of the multiple: what is handed out grows with it. Where the bounds allow no solution
    everybody gets the nearer bound.
    """
    wanted = [max(target, _LEAST_TARGET) for target, _, _ in items]

    def parts(multiple: float) -> list[float]:
        return [
            min(max(multiple * target, lower), upper) for target, (_, lower, upper) in zip(wanted, items, strict=True)
        ]

    low, high = 0.0, max((upper / target for target, (_, _, upper) in zip(wanted, items, strict=True)), default=0.0)
    for _ in range(200):
        middle = (low + high) / 2
        if sum(parts(middle)) < total:
            low = middle
        else:
            high = middle
    return parts(high), high

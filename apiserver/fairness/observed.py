"""What is counted of requests under flow control, for metrics.py: rows of a flow, and how full levels are over time.

How full is told as upstream's TimingRatioHistograms do: each nanosecond observes the ratio. Here the time spent in one
state is added up by the state, and becomes observations when somebody asks: a change costs a look into a dict.
"""

from collections import defaultdict
from collections.abc import Sequence

from serving.series import Distribution

SECONDS = (0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0)
SEATS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 100.0)
LENGTHS = (0.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0)
WATCHERS = (0.0, 1.0, 10.0, 100.0, 1000.0, 10000.0)
#: Ratios: of a level, requests that run, that wait, seats in use, seats wanted; of the server, by kind of request.
_REQUESTS = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 1.0)
_SEATS_IN_USE = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
_SEATS_WANTED = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.7, 2.0, 2.8, 4.0, 6.0)
RATIOS_OF_LEVELS = (_REQUESTS, _REQUESTS, _SEATS_IN_USE, _SEATS_WANTED)
RATIOS_OF_KINDS = (0.0, 0.001, 0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
_NANOSECONDS = 1e9

State = tuple[int, ...]


class FlowCounts:
    """Of one flow. Requests that did not wait, and those of one seat, are not observed one by one: there are many."""

    __slots__ = ("executions", "lengths", "refusals", "seats", "unaccommodated", "waits", "watchers", "watches")

    def __init__(self) -> None:
        self.executions = Distribution(SECONDS)
        self.watches = Distribution(SECONDS)  # until they began
        self.waits = Distribution(SECONDS)  # of those that ran in the end
        self.refusals = Distribution(SECONDS)
        self.seats = Distribution(SEATS)
        self.lengths = Distribution(LENGTHS)  # of the queue, with the one that came
        self.watchers = Distribution(WATCHERS)  # of what a write changes
        self.unaccommodated = 0  # that found no seats


class Filling:
    """How long something was in which state: numbers that only change together. `limits` are what a ratio is of."""

    __slots__ = ("_histograms", "_since", "_spent", "_state", "limits")

    def __init__(self, limits: Sequence[float], buckets: Sequence[Sequence[float]], now: float) -> None:
        self.limits = limits
        self._histograms = [Distribution(row) for row in buckets]
        self._spent: defaultdict[State, float] = defaultdict(float)
        self._state: State = (0,) * len(buckets)
        self._since = now

    def set(self, state: State, now: float) -> None:
        """From now on it is in this state."""
        if now > self._since:
            self._spent[self._state] += now - self._since
            self._since = now
        self._state = state

    def resize(self, limits: Sequence[float], now: float) -> None:
        """Ratios are of these from now on. What was kept apart becomes observations, so that it does not grow."""
        self.histograms(now)
        self.limits = limits

    def histograms(self, now: float) -> Sequence[Distribution]:
        """The ratios up to now, one histogram for each number of the state."""
        self.set(self._state, now)
        self._fold()
        return self._histograms

    def _fold(self) -> None:
        for state, seconds in self._spent.items():
            for number, limit, histogram in zip(state, self.limits, self._histograms, strict=True):
                histogram.weigh(number / limit if limit else 0.0, seconds * _NANOSECONDS)
        self._spent.clear()

"""Who asked, whether they might, and what the stages before the handler took. Fed by pipeline.py for every request.

Each time is added once and shown in every family that wants it: `authentication_duration_seconds` and the filter
`authentication` have the same times in other buckets, so they are counted by the bounds of both. A stage that had
nothing to do (no audit policy, nobody impersonated, no queue) took less than the least bound; it is not timed.
Sources: apiserver/pkg/endpoints/filters/metrics.go, endpoints/filterlatency/filterlatency.go.
"""

from collections.abc import Callable, Iterator, Sequence

from serving.series import ALPHA, COUNTER, Distribution, Family, Number, Rows, Shown, exponential

_DURATIONS = exponential(0.001, 2, 15)
FILTER_SECONDS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 5.0, 10.0, 15.0, 30.0)
_FINE = tuple(sorted({*_DURATIONS, *FILTER_SECONDS}))
#: Users whose names are told; all others are one.
_NAMED = ("admin", "client", "kube_proxy")


class StageMetrics:
    """What became of requests on their way to a handler."""

    def __init__(self, *, audit: Distribution, queue: Distribution) -> None:
        """`audit` and `queue` are what those stages took, of requests that they had something to do with."""
        self._audit = audit
        self._authenticated = {result: Distribution(_FINE) for result in ("success", "failure", "error")}
        self._authorized = {result: Distribution(_FINE) for result in ("allowed", "no-opinion", "denied", "error")}
        self._known = self._authenticated["success"]
        self._allowed = self._authorized["allowed"]
        self._users = {name: Number() for name in (*_NAMED, "email_id", "other")}
        self._other = self._users["other"]
        self.impersonation = Distribution(FILTER_SECONDS)
        self._queue = queue

    def authenticated(self, name: str, seconds: float) -> None:
        """A request has a user."""
        self._known.add(seconds)
        if "@" in name:
            self._users["email_id"].value += 1
        else:
            self._users.get(name, self._other).value += 1

    def unauthenticated(self, seconds: float, result: str = "failure") -> None:
        """A request has none, or its credentials could not be looked at (`error`)."""
        self._authenticated[result].add(seconds)

    def authorized(self, seconds: float, *, allowed: bool) -> None:
        """A request may go on, or may not."""
        (self._allowed if allowed else self._authorized["no-opinion"]).add(seconds)

    def families(self) -> Iterator[Family]:
        """What is shown of it."""
        for what, name, text in (
            (self._authenticated, "authentication_duration_seconds", "How long it took to say who asks."),
            (self._authorized, "authorization_duration_seconds", "How long it took to say whether they may."),
        ):
            yield Shown(name, text, ("result",), _durations(what), buckets=_DURATIONS)
        yield _attempts("authentication_attempts", "Requests by whether their user is known.", self._authenticated)
        yield _attempts("authorization_attempts_total", "Requests by whether they were allowed.", self._authorized)
        yield _counter("authenticated_user_requests", "Requests by who asked, roughly.", ("username",), self._users)
        yield Shown(
            "apiserver_request_filter_duration_seconds",
            "What each stage before the handler took.",
            ("filter",),
            self._filters,
            buckets=FILTER_SECONDS,
        )

    def _filters(self) -> Rows:
        known = coarser(_summed(self._authenticated), FILTER_SECONDS)
        allowed = coarser(_summed(self._authorized), FILTER_SECONDS)
        total = sum(self._known.counts)
        found = [("authentication", known), ("authorization", allowed)]
        for name, timed in (
            ("audit", self._audit),
            ("impersonation", self.impersonation),
            ("priorityandfairness", self._queue),
        ):
            all_of_them = coarser(timed, FILTER_SECONDS)
            all_of_them.counts[0] += max(0, total - sum(timed.counts))
            found.append((name, all_of_them))
        return [((name,), times) for name, times in found if sum(times.counts)]


def coarser(fine: Distribution, limits: Sequence[float]) -> Distribution:
    """The same observations by fewer bounds, each of which is one of the fine ones."""
    found = Distribution(limits)
    found.sum = fine.sum
    place = 0
    for limit, count in zip((*fine.limits, float("inf")), fine.counts, strict=True):
        while place < len(limits) and limit > limits[place]:
            place += 1
        found.counts[place] += count
    return found


def _summed(parts: dict[str, Distribution]) -> Distribution:
    found = Distribution(_FINE)
    for part in parts.values():
        found.merge(part)
    return found


def _durations(parts: dict[str, Distribution]) -> Callable[[], Rows]:
    return lambda: [((name,), coarser(part, _DURATIONS)) for name, part in parts.items() if any(part.counts)]


def _attempts(name: str, text: str, parts: dict[str, Distribution]) -> Family:
    def read() -> Rows:
        return [((result,), sum(part.counts)) for result, part in parts.items() if any(part.counts)]

    return Shown(name, text, ("result",), read, type=COUNTER, stability=ALPHA)


def _counter(name: str, text: str, labels: tuple[str, ...], numbers: dict[str, Number]) -> Family:
    def read() -> Rows:
        return [((value,), number) for value, number in numbers.items() if number.value]

    return Shown(name, text, labels, read, type=COUNTER)

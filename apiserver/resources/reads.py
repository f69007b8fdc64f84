"""What was read of each resource: its lists and its watches, counted where they happen, in plain numbers.

metrics/stored.py shows it. A handler finds its row once for a request.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from serving.series import Distribution

#: Bounds for the time until the cache was fresh (a list), and until a watch had sent what there was (a watch-list).
WAIT_SECONDS = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0)
INITIAL_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0)
EVENT_SIZES = (1024.0, 2048.0, 4096.0, 8192.0, 16384.0, 32768.0, 65536.0, 131072.0)


@dataclass(slots=True)
class ListCount:
    """Lists of one resource from the watch cache."""

    lists: int = 0
    fetched: int = 0  # objects looked at
    returned: int = 0  # objects that were chosen
    late: int = 0  # lists for which the cache did not become fresh in time
    waits: Distribution = field(default_factory=lambda: Distribution(WAIT_SECONDS))  # until the cache was fresh


@dataclass(slots=True)
class WatchCount:
    """What the watchers of one resource have been sent."""

    sizes: Distribution = field(default_factory=lambda: Distribution(EVENT_SIZES))  # of events
    initial: int = 0  # of those events, the ones a watch began with
    terminated: int = 0  # watches that were ended because their client was too slow
    lasted: dict[str, Distribution] = field(default_factory=dict)  # until all there was had been sent, by scope

    def began(self, scope: str, seconds: float) -> None:
        """A watch that begins with what there is has sent it."""
        if scope not in self.lasted:
            self.lasted[scope] = Distribution(INITIAL_SECONDS)
        self.lasted[scope].add(seconds)


class Reads:
    """All resources' rows."""

    def __init__(self) -> None:
        self.lists: defaultdict[tuple[str, str], ListCount] = defaultdict(ListCount)  # by group and plural
        self.watches: defaultdict[tuple[str, str, str], WatchCount] = defaultdict(WatchCount)  # group, version, plural

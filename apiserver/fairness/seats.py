"""How many seats a request takes: its width. Most take one; lists by what they hold, writes by who watches. Pure.

Source: apiserver/pkg/util/flowcontrol/request (width, list and mutating work estimators), with v1.34's defaults.
"""

import math
from typing import NamedTuple

from apiserver.request import Request

BYTES_PER_SEAT = 100_000
#: What a list from the watch cache holds in memory at a time, at most.
_STREAMED = 1_000_000
_LIST_SEATS = 100
_WRITE_SEATS = 10
_WATCHES_PER_SEAT = 10
_SECONDS_PER_EVENT = 0.005
_WRITES = ("create", "update", "patch", "delete")
_TRUE = ("true", "1", "t", "T", "True", "TRUE")


class Width(NamedTuple):
    """Seats while a request is answered, and how many for how long after that."""

    seats: int
    final: int = 0
    seconds: float = 0.0


ONE = Width(1)


def lists(request: Request, verb: str) -> bool:
    """Whether the request gets everything there is: a list, or a watch that begins with one."""
    return verb == "list" or (verb == "watch" and request.first("sendInitialEvents") in _TRUE)


def of_list(request: Request, *, is_single: bool, objects: int, size: int, widest: int) -> Width:
    """The width of a list over `objects` of `size` bytes in all. `widest` is the level's limit, 0 for none."""
    most = min(widest or _LIST_SEATS, _LIST_SEATS)
    limit = request.first("limit")
    counted = min(objects, int(limit)) if limit.isdigit() and int(limit) else objects
    held = (1 if is_single else counted) * (size / objects if objects else 0)
    return Width(max(1, min(most, math.ceil(min(held, _STREAMED) / BYTES_PER_SEAT))))


def of_write(verb: str, watchers: int, widest: int) -> Width:
    """The width of a write that so many watchers will be told of."""
    if verb not in _WRITES or watchers < _WATCHES_PER_SEAT:
        return ONE
    seats = math.ceil(watchers / _WATCHES_PER_SEAT)
    cut = max(1, min(seats, widest or _WRITE_SEATS, _WRITE_SEATS))
    return Width(1, cut, seats * _SECONDS_PER_EVENT / cut)

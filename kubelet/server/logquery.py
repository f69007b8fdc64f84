"""The query of /containerLogs -> `LogOptions`: v1.PodLogOptions with upstream's rules for what goes together."""

from collections.abc import Mapping, Sequence

from apimachinery.errors import ApiError
from kubelet.logs import LogOptions, epoch

_STREAMS = {"": "", "All": "", "Stdout": "stdout", "Stderr": "stderr"}


def log_options(query: Mapping[str, Sequence[str]], now: float) -> tuple[LogOptions, bool]:
    """(options, previous). `now` is the epoch, for sinceSeconds. ApiError 400 or 422 for what makes no sense."""

    def first(name: str) -> str:
        return (query.get(name) or [""])[0]

    tail, seconds = _number(first("tailLines"), "tailLines"), _number(first("sinceSeconds"), "sinceSeconds")
    limit, since_time, stream = _number(first("limitBytes"), "limitBytes"), first("sinceTime"), first("stream")
    _require(tail is None or tail >= 0, "tailLines must be greater than or equal to 0")
    _require(limit is None or limit > 0, "limitBytes must be greater than 0")
    _require(seconds is None or seconds > 0, "sinceSeconds must be greater than 0")
    _require(not (since_time and seconds is not None), "at most one of sinceTime or sinceSeconds may be specified")
    _require(stream in _STREAMS, f"stream {stream!r} is not supported: must be one of All, Stdout, Stderr")
    since = now - seconds if seconds is not None else None
    if since_time:
        since = epoch(since_time)
        _require(since > 0, f"sinceTime {since_time!r} is not an RFC 3339 time")
    options = LogOptions(
        follow=_flag(first("follow")),
        tail_lines=tail,
        since=since,
        timestamps=_flag(first("timestamps")),
        limit_bytes=limit,
        stream=_STREAMS[stream],
    )
    return options, _flag(first("previous"))


def _require(holds: bool, message: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise ApiError(422, "Invalid", message)


def _flag(text: str) -> bool:
    return text.lower() in ("1", "true")


def _number(text: str, name: str) -> int | None:
    if not text or (name == "tailLines" and text == "all"):
        return None
    try:
        return int(text)
    except ValueError:
        raise ApiError(400, "BadRequest", f"unable to decode query: {name}: {text!r} is no number") from None

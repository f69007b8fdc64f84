"""The `Events:` at the end of a description."""

from collections.abc import Sequence

from apimachinery.types import Json
from cli.describing.writer import Writer, age


def event_lines(writer: Writer, events: Sequence[Json]) -> None:
    """A table of what happened, oldest first."""
    if not events:
        writer.line("Events:\t<none>")
        return
    writer.flush()
    writer.line("Events:\n  Type\tReason\tAge\tFrom\tMessage")
    writer.write(1, "----\t------\t----\t----\t-------\n")
    for event in sorted(events, key=lambda each: each.get("lastTimestamp") or ""):
        source = (event.get("source") or {}).get("component") or event.get("reportingComponent", "")
        message = event.get("message", "").strip()
        writer.write(1, f"{event.get('type', '')}\t{event.get('reason', '')}\t{interval(event)}\t{source}\t{message}\n")


def interval(event: Json) -> str:
    """`5s`, or `5s (x3 over 2m)`."""
    first = age(event.get("eventTime") or event.get("firstTimestamp"))
    if series := event.get("series"):
        return f"{age(series.get('lastObservedTime'))} (x{series.get('count')} over {first})"
    if (event.get("count") or 0) > 1:
        return f"{age(event.get('lastTimestamp'))} (x{event['count']} over {first})"
    return first

"""Watch events as bytes: one JSON object a line, made once per event and shared by all watchers who see it alike."""

import msgspec

from apimachinery.errors import ApiError
from apimachinery.types import Json

ADDED, MODIFIED, DELETED, BOOKMARK, ERROR = "ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"
INITIAL_EVENTS_END = "k8s.io/initial-events-end"

_HEADS = {type_: b'{"type":"%b","object":' % type_.encode() for type_ in (ADDED, MODIFIED, DELETED, BOOKMARK, ERROR)}


def frame(type_: str, value: bytes) -> bytes:
    """One event. `value` is the object's JSON."""
    return _HEADS[type_] + value + b"}\n"


def bookmark(api_version: str, kind: str, revision: int, *, ends_initial: bool = False) -> bytes:
    """An event that says how far the watch has come, and maybe that the initial objects are through."""
    metadata: Json = {"resourceVersion": str(revision), "creationTimestamp": None}
    if ends_initial:
        metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
    tree = {"kind": kind, "apiVersion": api_version, "metadata": metadata}
    return frame(BOOKMARK, msgspec.json.encode(tree))


def failure(error: ApiError) -> bytes:
    """The event that ends a watch with a Status."""
    return frame(ERROR, msgspec.json.encode(error.status()))

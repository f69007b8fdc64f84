"""Watch events as bytes, made once per event and shared by all watchers who see it alike.

In JSON an event is one object a line; in protobuf a WatchEvent behind its length. What is framed is always a whole
object in the same media type.
"""

from collections.abc import Mapping

import msgspec

from apimachinery.errors import ApiError
from apimachinery.types import Json
from apiserver import protobuf
from apiserver.negotiation import PROTOBUF

ADDED, MODIFIED, DELETED, BOOKMARK, ERROR = "ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"
INITIAL_EVENTS_END = "k8s.io/initial-events-end"

_NOTHING: Mapping[str, Json] = {}
_HEADS = {type_: b'{"type":"%b","object":' % type_.encode() for type_ in (ADDED, MODIFIED, DELETED, BOOKMARK, ERROR)}


def frame(type_: str, value: bytes) -> bytes:
    """One event in JSON."""
    return _HEADS[type_] + value + b"}\n"


def made(media_type: str, type_: str, tree: Json) -> bytes:
    """One event of an object that no entry holds: a bookmark, a Status, a Table."""
    if media_type == PROTOBUF:
        return protobuf.watch_frame(type_, protobuf.encode(tree))
    return frame(type_, msgspec.json.encode(tree))


def bookmark(
    api_version: str, kind: str, revision: int, *, ends_initial: bool = False, blank: Mapping[str, Json] = _NOTHING
) -> Json:
    """The object of an event that says how far the watch has come, maybe that the initial objects are through.

    `blank` is what an empty object of the kind has.
    """
    metadata: Json = {"resourceVersion": str(revision)}
    annotations: Json = (blank.get("metadata") or {}).get("annotations") or {}
    if ends_initial:
        annotations = {**annotations, INITIAL_EVENTS_END: "true"}
    if annotations:
        metadata["annotations"] = annotations
    return {**blank, "kind": kind, "apiVersion": api_version, "metadata": metadata}


def failure(media_type: str, error: ApiError) -> bytes:
    """The event that ends a watch with a Status."""
    return made(media_type, ERROR, error.status())

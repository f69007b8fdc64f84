"""Entries to answers: the object as stored, in another version, as a Table, as PartialObjectMetadata; JSON or YAML.

JSON of the stored version costs nothing here: the cache's bytes are sent as they are. Other forms of an object are made
on first demand and kept with the entry, but for table rows, whose ages move on.
"""

from collections.abc import Sequence

import msgspec
import yaml

from apimachinery.types import Json
from apiserver import tables
from apiserver.call import Call, Response
from apiserver.negotiation import JSON, PARTIAL, PARTIAL_LIST, TABLE, YAML, Accepted
from apiserver.registry import Resource
from apiserver.storage.entry import Entry

_META_V1 = "meta.k8s.io/v1"
#: Browsers and people: upstream indents for them (negotiate.go, isPrettyPrint).
_PEOPLE = ("curl", "Wget", "Mozilla/5.0")


def present(call: Call, resource: Resource, entry: Entry, now: float, status: int = 200) -> Response:
    """One object as the client asked for it."""
    accepted = call.accepted
    if not accepted.transform:
        return encoded(call, served(resource, entry), status)
    if accepted.transform == TABLE:
        tree = table(resource, [entry], now, {"resourceVersion": str(entry.revision)}, included(call))
        return encoded(call, msgspec.json.encode(tree), status)
    return encoded(call, partial(resource, entry), status)


def encoded(call: Call, value: bytes, status: int = 200) -> Response:
    """JSON bytes in the media type asked for."""
    accepted = call.accepted
    if accepted.media_type == YAML:
        text = yaml.dump(msgspec.json.decode(value), Dumper=yaml.CSafeDumper, default_flow_style=False)
        return Response(status=status, content_type=accepted.content_type, body=text.encode())
    if pretty(call):
        value = msgspec.json.format(value, indent=2) + b"\n"
    return Response(status=status, content_type=accepted.content_type, body=value)


def pretty(call: Call) -> bool:
    """Whether to indent: asked for, or a person's tool."""
    asked = call.first("pretty")
    if asked:
        return asked in ("true", "1")
    return call.headers.get("user-agent", "").startswith(_PEOPLE)


async def prepare(resource: Resource, entries: Sequence[Entry]) -> None:
    """Make sure that all of these can be shown. Raises ApiError where a webhook cannot convert them."""
    if resource.transforms is not None:
        await resource.transforms.prepare(entries)


async def loaded(resource: Resource, entry: Entry) -> Json:
    """A tree of one's own: as it is stored or, where objects are transformed, as it is served."""
    if resource.transforms is None:
        return private(entry)
    await resource.transforms.prepare([entry])
    tree: Json = msgspec.json.decode(resource.transforms.served(entry))
    return tree


def served(resource: Resource, entry: Entry) -> bytes:
    """The object as JSON in the version served; made once per version."""
    if resource.transforms is not None:
        return resource.transforms.served(entry)
    if not resource.is_converted:
        return entry.value
    return entry.made(resource.kind.api_version, lambda it: msgspec.json.encode(resource.to_served(private(it))))


def private(entry: Entry) -> Json:
    """A tree of one's own, to modify at will."""
    tree: Json = msgspec.json.decode(entry.value)
    return tree


class _Metadata(msgspec.Struct, gc=False):
    metadata: msgspec.Raw


_metadata = msgspec.json.Decoder(_Metadata)


def partial(resource: Resource, entry: Entry) -> bytes:
    """PartialObjectMetadata: the object's metadata alone, without decoding it."""
    value = entry.value if resource.transforms is None else resource.transforms.served(entry)
    return b'{"kind":"%b","apiVersion":"%b","metadata":%b}' % (
        PARTIAL.encode(),
        _META_V1.encode(),
        bytes(_metadata.decode(value).metadata),
    )


def included(call: Call) -> str:
    """How much of each object a table's rows carry: None, Metadata (default) or Object."""
    return call.first("includeObject") or "Metadata"


def table(resource: Resource, entries: Sequence[Entry], now: float, metadata: Json, include: str) -> Json:
    """A Table with one row for each object."""
    return {
        "kind": TABLE,
        "apiVersion": _META_V1,
        "metadata": metadata,
        "columnDefinitions": columns(resource),
        "rows": [row(resource, entry, now, include) for entry in entries],
    }


def columns(resource: Resource) -> list[Json]:
    """The column definitions of a resource's Table."""
    return tables.columns(resource.stored) if resource.table is None else resource.table.definitions()


def row(resource: Resource, entry: Entry, now: float, include: str) -> Json:
    """One row of a Table."""
    if resource.table is None:
        line: Json = {"cells": tables.row(resource.stored, entry.tree, now)}
    else:
        line = {"cells": resource.table.cells(msgspec.json.decode(served(resource, entry)), now)}
    if include == "Metadata":
        line["object"] = msgspec.Raw(partial(resource, entry))
    elif include == "Object":
        line["object"] = msgspec.Raw(served(resource, entry))
    return line


def item(resource: Resource, accepted: Accepted, entry: Entry, now: float, include: str) -> bytes:
    """One object as it stands in a watch event."""
    if not accepted.transform:
        return served(resource, entry)
    if accepted.transform in (PARTIAL, PARTIAL_LIST):
        return partial(resource, entry)
    return msgspec.json.encode(table(resource, [entry], now, {"resourceVersion": str(entry.revision)}, include))


def list_head(resource: Resource, accepted: Accepted, metadata: Json) -> bytes:
    """The bytes of a list before its first item."""
    if accepted.transform:
        kind, version = PARTIAL_LIST, _META_V1
    else:
        kind, version = resource.kind.list_name, resource.kind.api_version
    return b'{"kind":"%b","apiVersion":"%b","metadata":%b,"items":[' % (
        kind.encode(),
        version.encode(),
        msgspec.json.encode(metadata),
    )


def is_plain_json(accepted: Accepted) -> bool:
    """Whether a list can be joined from its items' bytes."""
    return accepted.media_type == JSON and accepted.transform != TABLE

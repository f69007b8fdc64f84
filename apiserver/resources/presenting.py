"""Entries to answers: the object as stored, in another version, as a Table, its metadata; JSON, YAML or protobuf.

JSON of the stored version costs nothing here: the cache's bytes are sent as they are. Other forms of an object are made
on first demand and kept with the entry, but for table rows, whose ages move on. In a list of a built-in kind the items
carry neither kind nor apiVersion, as upstream's typed lists; the known head is cut off the bytes.
"""

from collections.abc import Sequence

import msgspec

from apimachinery import errors, yaml_writer
from apimachinery.types import Json
from apiserver import negotiation, protobuf, tables
from apiserver.call import Call, Response
from apiserver.negotiation import PARTIAL, PARTIAL_LIST, PROTOBUF, TABLE, YAML, Accepted
from apiserver.registry import Resource
from apiserver.storage.entry import Entry

#: Browsers and people: upstream indents for them (negotiate.go, isPrettyPrint).
_PEOPLE = ("curl", "Wget", "Mozilla/5.0")
_NOT_A_LIST = "you requested PartialObjectMetadataList, but the requested object is not a list (*{})"


def present(call: Call, resource: Resource, entry: Entry, now: float, status: int = 200) -> Response:
    """One object as the client asked for it."""
    accepted = call.accepted
    if accepted.transform == PARTIAL_LIST:
        raise errors.ApiError(406, "NotAcceptable", _NOT_A_LIST.format(go_type(resource)))
    if accepted.media_type == PROTOBUF:
        return Response(status=status, content_type=PROTOBUF, body=enveloped(resource, accepted, entry))
    return encoded(call, item(resource, accepted, entry, now, included(call)), status)


def encoded(call: Call, value: bytes, status: int = 200) -> Response:
    """JSON bytes in the media type asked for."""
    return _in_form(call, call.accepted, value, status)


def computed(call: Call, tree: Json, of: str, status: int = 200) -> Response:
    """An object that no store holds: a review, a Scale, of this Go type. Raises 406 for what it cannot be."""
    accepted = call.accepted
    if accepted.transform == TABLE:
        raise errors.not_acceptable(negotiation.MEDIA_TYPES)  # it has no columns
    if accepted.transform == PARTIAL_LIST:
        raise errors.ApiError(406, "NotAcceptable", _NOT_A_LIST.format(of))
    if accepted.transform:
        tree = {"kind": PARTIAL, "apiVersion": accepted.meta_version, "metadata": tree.get("metadata") or {}}
    return encoded(call, msgspec.json.encode(tree), status)


def _in_form(call: Call, accepted: Accepted, value: bytes, status: int) -> Response:
    media_type = accepted.media_type
    if media_type == PROTOBUF:
        body = protobuf.encode(msgspec.json.decode(value))
    elif media_type == YAML:
        body = yaml_writer.dumped(msgspec.json.decode(value))
    elif pretty(call):
        body = msgspec.json.format(value, indent=2)
    else:
        body = value if value.endswith(b"\n") else value + b"\n"
    return Response(status=status, content_type=media_type, body=body)


def failed(call: Call, error: errors.ApiError) -> Response:
    """The Status of an error, in the form asked for; in JSON where that form is not there."""
    value = msgspec.json.encode(error.status())
    accepted = negotiation.accepted_for_errors(call.headers.get("accept", ""))
    if accepted is None:
        response = Response(status=error.code, body=msgspec.json.format(value, indent=2))
    else:
        response = _in_form(call, accepted, value, error.code)
    if error.retry_after:
        response.headers = [("retry-after", str(error.retry_after))]
    return response


def status(call: Call, details: Json | None = None, *, code: int = 0) -> Response:
    """The Status of a request that leaves no object to show."""
    tree: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details:
        tree["details"] = details
    if code:
        tree["code"] = code
    return encoded(call, msgspec.json.encode(tree), code or 200)


def pretty(call: Call) -> bool:
    """Whether to indent: asked for, or a person's tool."""
    if call.accepted.pretty:
        return True
    asked = call.first("pretty")
    if asked:
        return asked in ("true", "1")
    return call.headers.get("user-agent", "").startswith(_PEOPLE)


def go_type(resource: Resource) -> str:
    """What upstream calls the type of an object in its messages."""
    if not resource.is_typed:
        return "unstructured.Unstructured"
    return f"{resource.stored.group.split('.')[0] or 'core'}.{resource.stored.kind}"


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
    return entry.read()


class _Metadata(msgspec.Struct, gc=False):
    metadata: msgspec.Raw


_metadata = msgspec.json.Decoder(_Metadata)


def partial(resource: Resource, entry: Entry, version: str = "v1") -> bytes:
    """PartialObjectMetadata: the object's metadata alone, without decoding it."""
    value = entry.value if resource.transforms is None else resource.transforms.served(entry)
    metadata = bytes(_metadata.decode(value).metadata)
    if resource.strategy.field_annotations:
        metadata = _without(metadata, resource.strategy.field_annotations)
    return b'{"kind":"%b","apiVersion":"meta.k8s.io/%b","metadata":%b}' % (PARTIAL.encode(), version.encode(), metadata)


def _without(metadata: bytes, names: Sequence[str]) -> bytes:
    """Metadata without these annotations."""
    tree = msgspec.json.decode(metadata)
    annotations = {name: value for name, value in (tree.pop("annotations", None) or {}).items() if name not in names}
    if annotations:
        tree["annotations"] = annotations
    return msgspec.json.encode(tree)


def raw(resource: Resource, accepted: Accepted, entry: Entry) -> bytes:
    """The object, or its metadata, as a protobuf message; made once for each version."""
    if accepted.transform:
        return entry.made((PROTOBUF, PARTIAL), lambda it: protobuf.raw(msgspec.json.decode(partial(resource, it))))
    version = resource.kind.api_version
    return entry.made((PROTOBUF, version), lambda it: protobuf.raw(_served_tree(resource, it)))


def _served_tree(resource: Resource, entry: Entry) -> Json:
    """The object in the version served. Not to be modified."""
    return msgspec.json.decode(served(resource, entry)) if resource.is_converted else entry.tree


def enveloped(resource: Resource, accepted: Accepted, entry: Entry) -> bytes:
    """A whole protobuf body."""
    api_version, kind = type_of(resource, accepted)
    return protobuf.envelope(api_version, kind, raw(resource, accepted, entry))


def type_of(resource: Resource, accepted: Accepted) -> tuple[str, str]:
    """The apiVersion and kind of what one object is shown as."""
    if accepted.transform == TABLE:
        return accepted.meta_version, TABLE
    if accepted.transform:
        return accepted.meta_version, PARTIAL
    return resource.kind.api_version, resource.kind.kind


def included(call: Call) -> str:
    """How much of each object a table's rows carry: None, Metadata (default) or Object."""
    asked = call.first("includeObject") or "Metadata"
    if call.accepted.transform != TABLE:
        return "Metadata"  # and nobody looks at the parameter
    if asked not in ("Metadata", "Object", "None"):
        why = f"includeObject: Invalid value: \"{asked}\": must be 'Metadata', 'Object', 'None', or empty"
        raise errors.bad_request(f"Unable to convert to Table as requested: {why}")
    return asked


def table(
    resource: Resource, accepted: Accepted, entries: Sequence[Entry], now: float, metadata: Json, include: str
) -> Json:
    """A Table with one row for each object."""
    order = tables.order(resource.stored) if resource.table is None else None
    if order is not None:
        entries = sorted(entries, key=lambda entry: order(entry.tree))
    return {
        "kind": TABLE,
        "apiVersion": accepted.meta_version,
        "metadata": metadata,
        "columnDefinitions": columns(resource),
        "rows": [row(resource, accepted, entry, now, include) for entry in entries] or _no_rows(resource),
    }


def _no_rows(resource: Resource) -> list[Json] | None:
    """As Go shows a list that nobody has made, where a kind has no printer of its own."""
    return None if resource.table is None and tables.is_default(resource.stored) else []


def columns(resource: Resource) -> list[Json]:
    """The column definitions of a resource's Table."""
    return tables.columns(resource.stored) if resource.table is None else resource.table.definitions()


def row(resource: Resource, accepted: Accepted, entry: Entry, now: float, include: str) -> Json:
    """One row of a Table."""
    if resource.table is None:
        line: Json = {"cells": tables.row(resource.stored, entry.tree, now)}
        conditions = tables.conditions(resource.stored)
        if conditions is not None and (found := conditions(entry.tree)):
            line["conditions"] = found
    else:
        line = {"cells": resource.table.cells(msgspec.json.decode(served(resource, entry)), now)}
    if include == "Metadata":
        line["object"] = msgspec.Raw(partial(resource, entry, accepted.version))
    else:
        line["object"] = msgspec.Raw(served(resource, entry)) if include == "Object" else None
    return line


def item(resource: Resource, accepted: Accepted, entry: Entry, now: float, include: str) -> bytes:
    """One object as JSON: as an answer of its own, and in a watch event."""
    if not accepted.transform:
        return served(resource, entry)
    if accepted.transform in (PARTIAL, PARTIAL_LIST):
        return partial(resource, entry, accepted.version)
    metadata = {"resourceVersion": str(entry.revision)}
    return msgspec.json.encode(table(resource, accepted, [entry], now, metadata, include))


def list_type(resource: Resource, accepted: Accepted) -> tuple[str, str]:
    """The apiVersion and kind of a list."""
    if accepted.transform:
        return accepted.meta_version, PARTIAL_LIST
    return resource.kind.api_version, resource.kind.list_name


def list_head(resource: Resource, accepted: Accepted, metadata: Json) -> bytes:
    """The bytes of a list before its first item."""
    api_version, kind = list_type(resource, accepted)
    return b'{"kind":"%b","apiVersion":"%b","metadata":%b,"items":[' % (
        kind.encode(),
        api_version.encode(),
        msgspec.json.encode(metadata),
    )


def joined(resource: Resource, accepted: Accepted, entries: Sequence[Entry]) -> bytes:
    """The items of a list in JSON."""
    if accepted.transform:
        return b",".join([partial(resource, entry, accepted.version) for entry in entries])
    if resource.is_converted or resource.transforms is not None:
        values = [served(resource, entry) for entry in entries]
    else:
        values = [entry.value for entry in entries]
    if not resource.is_typed or not values:
        return b",".join(values)
    head = b'{"kind":"%b","apiVersion":"%b",' % (resource.kind.kind.encode(), resource.kind.api_version.encode())
    size = len(head)
    # Views and not slices: what is joined is copied once as it is, and a slice would copy every object once more.
    rests = [memoryview(value)[size:] if value.startswith(head) else _bare(value) for value in values]
    return b"{" + b",{".join(rests)


def _bare(value: bytes) -> bytes:
    """An object of unusual form without kind, apiVersion and the brace before them."""
    tree: Json = msgspec.json.decode(value)
    return msgspec.json.encode({name: tree[name] for name in tree if name not in ("kind", "apiVersion")})[1:]

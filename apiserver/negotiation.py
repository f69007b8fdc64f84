"""What the client can read and what it sent: Accept and Content-Type, without any I/O.

`accepted(header)` picks the first acceptable of JSON, YAML and protobuf, and of the transformations `as=Table` and
`as=PartialObjectMetadata(List)` of meta.k8s.io. Custom resources are not spoken in protobuf, nor is a Table; the
metadata of anything is. 406 and 415 come with upstream's text, also for CBOR, whose clients then fall back.
Source: apiserver/pkg/endpoints/handlers/negotiation/negotiate.go, handlers/rest.go (AllowsMediaTypeTransform).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

import msgspec

from apimachinery import errors

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
#: In the order in which a wildcard takes them.
MEDIA_TYPES = (JSON, YAML, PROTOBUF)
#: What a watch can be: a stream of YAML has no frames.
STREAM_TYPES = (f"{JSON};stream=watch", f"{PROTOBUF};stream=watch")

TABLE = "Table"
PARTIAL = "PartialObjectMetadata"
PARTIAL_LIST = "PartialObjectMetadataList"
_TRANSFORMS = (TABLE, PARTIAL, PARTIAL_LIST)
_META_GROUP = "meta.k8s.io"
_META_VERSIONS = ("v1", "v1beta1")
#: What /api and /apis can be as one document; the beta form is gone (AggregatedDiscoveryRemoveBetaType).
DISCOVERY = "APIGroupDiscoveryList"
DISCOVERY_GROUP = "apidiscovery.k8s.io"

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
PATCH_TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)


class Accepted(msgspec.Struct, frozen=True):
    """How to answer: the media type, and the transformation asked for ("" for the object itself)."""

    media_type: str = JSON
    transform: str = ""
    version: str = "v1"  # of the transformation's group
    pretty: bool = False

    @property
    def meta_version(self) -> str:
        """The apiVersion of what the transformation makes."""
        return f"{_META_GROUP}/{self.version}"


DEFAULT = Accepted()


@lru_cache(maxsize=256)
def accepted(header: str, *, custom: bool = False, streams: bool = True) -> Accepted:
    """The best of what an Accept header allows for a resource; `custom`: one without protobuf. Raises 406.

    `streams`: where a watch could be meant, the answer names what that could come as.
    """
    # Upstream's router looks before the handler does, and knows no `application/*`; custom resources do not pass it.
    if custom or passes_router(header):
        found = _best(header, _makes, spoken=(JSON, YAML) if custom else MEDIA_TYPES)
        if found is not None:
            return found
        raise errors.not_acceptable(MEDIA_TYPES)
    raise no_representation((*MEDIA_TYPES, *(STREAM_TYPES if streams else ())))


def no_representation(available: Sequence[str]) -> errors.ApiError:
    """406 in the words of upstream's router."""
    text = f"406: Not Acceptable\n\nAvailable representations: {', '.join(available)}"
    return errors.ApiError(406, "NotAcceptable", text, is_detailed=True)


def passes_router(header: str, produced: Sequence[str] = MEDIA_TYPES) -> bool:
    """Whether an Accept header names a media type that upstream's router knows, or any."""
    named = {clause.split(";", 1)[0].strip() for clause in header.split(",")}  # whose case it minds
    return not header or bool(named & {"*/*", *produced})


@lru_cache(maxsize=256)
def accepted_for_errors(header: str) -> Accepted | None:
    """How a Status, or a discovery document, is sent: never transformed; None when nothing of the header fits."""
    return _best(header, _nothing, spoken=MEDIA_TYPES)


@lru_cache(maxsize=256)
def accepted_discovery(header: str) -> Accepted | None:
    """How /api and /apis are sent: plain, or as the one document of all groups; None when nothing of it fits."""
    return _best(header, _is_discovery, spoken=MEDIA_TYPES)


#: Whether a clause's transformation can be had in a media type.
_Makes: TypeAlias = Callable[[Mapping[str, str], str], bool]


def _best(header: str, makes: _Makes, *, spoken: tuple[str, ...]) -> Accepted | None:
    if not header:
        return DEFAULT
    for _, media_type, parameters in sorted(map(_parsed, header.split(",")), key=_preference):
        for candidate in MEDIA_TYPES:
            if not _covers(media_type, candidate):
                continue
            if (stream := parameters.get("stream")) and (stream != "watch" or candidate == YAML):
                continue
            if parameters.get("sv"):
                continue  # the version of another server: upstream refuses it too
            transform = parameters.get("as", "")
            if transform or "g" in parameters or "v" in parameters:
                if not makes(parameters, candidate):
                    continue
            elif candidate not in spoken:
                continue
            version = parameters.get("v", "v1") if transform else "v1"
            return Accepted(candidate, transform, version, pretty=parameters.get("pretty") == "1")
    return None


_Clause = tuple[float, str, Mapping[str, str]]


def _preference(clause: _Clause) -> tuple[float, bool, bool]:
    quality, media_type, _ = clause
    return (-quality, media_type.startswith("*/"), media_type.endswith("/*"))


def _covers(asked: str, media_type: str) -> bool:
    return asked == media_type or asked in ("*/*", "application/*")


def _makes(parameters: Mapping[str, str], media_type: str) -> bool:
    """Whether a transformation can be had in a media type."""
    known = parameters.get("g") == _META_GROUP and parameters.get("v") in _META_VERSIONS
    transform = parameters.get("as")
    return known and transform in _TRANSFORMS and not (transform == TABLE and media_type == PROTOBUF)


def _is_discovery(parameters: Mapping[str, str], _media_type: str) -> bool:
    wanted = {"as": DISCOVERY, "g": DISCOVERY_GROUP, "v": "v2"}
    return all(parameters.get(name) == value for name, value in wanted.items())


def _nothing(_parameters: Mapping[str, str], _media_type: str) -> bool:
    return False


def _parsed(clause: str) -> _Clause:
    media_type, *rest = (part.strip() for part in clause.split(";"))
    parameters = dict(part.split("=", 1) for part in rest if "=" in part)
    try:
        quality = float(parameters.get("q", "1"))
    except ValueError:
        quality = 1.0
    return quality, media_type.lower(), parameters


def media_type_of(content_type: str) -> str:
    """`application/json; charset=utf-8` without its parameters."""
    return content_type.split(";", 1)[0].strip().lower()


def body_type(content_type: str) -> str:
    """The media type of an object's body, JSON when none is named. Raises 415."""
    media_type = media_type_of(content_type) or JSON
    if media_type not in MEDIA_TYPES:
        raise errors.unsupported_media_type(MEDIA_TYPES)
    return media_type


def patch_type(content_type: str, served: tuple[str, ...], *, custom: bool = False) -> str:
    """The media type of a patch. Raises 415; a custom resource's, which passes no router, names what is `served`."""
    media_type = media_type_of(content_type)
    if media_type in served:
        return media_type
    if custom:
        raise errors.unsupported_media_type([type_ for type_ in served if type_ != STRATEGIC_PATCH])
    raise errors.ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", is_detailed=True)

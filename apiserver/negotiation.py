"""What the client can read and what it sent: Accept and Content-Type, without any I/O.

`accepted(header)` picks the first acceptable of JSON, YAML, and the two transformations `as=Table` and
`as=PartialObjectMetadata(List)` of meta.k8s.io/v1. 406 and 415 come with upstream's text. CBOR is not
spoken and protobuf is only read: asked for alone they give 406.
Source: apiserver/pkg/endpoints/handlers/negotiation/negotiate.go.
"""

from dataclasses import dataclass
from functools import lru_cache

from apimachinery import errors

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
MEDIA_TYPES = (JSON, YAML)
#: What a body may be: protobuf is read, but never written (every client that sends it takes JSON back).
BODY_TYPES = (JSON, YAML, PROTOBUF)

TABLE = "Table"
PARTIAL = "PartialObjectMetadata"
PARTIAL_LIST = "PartialObjectMetadataList"
_TRANSFORMS = (TABLE, PARTIAL, PARTIAL_LIST)

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
PATCH_TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)


@dataclass(frozen=True, slots=True)
class Accepted:
    """How to answer: the media type, and the transformation asked for ("" for the object itself)."""

    media_type: str = JSON
    transform: str = ""

    @property
    def content_type(self) -> str:
        """The Content-Type of the answer."""
        if not self.transform:
            return self.media_type
        return f"{self.media_type};as={self.transform};g=meta.k8s.io;v=v1"


DEFAULT = Accepted()


@lru_cache(maxsize=256)
def accepted(header: str) -> Accepted:
    """The best of what an Accept header allows. Raises 406 when nothing fits."""
    if not header:
        return DEFAULT
    clauses = [_parsed(clause) for clause in header.split(",")]
    for _, media_type, parameters in sorted(clauses, key=lambda clause: -clause[0]):
        spoken = _spoken(media_type)
        if not spoken:
            continue
        transform = parameters.get("as", "")
        if not transform:
            return Accepted(spoken)
        if transform in _TRANSFORMS and parameters.get("g") == "meta.k8s.io" and parameters.get("v") == "v1":
            return Accepted(spoken, transform)
    raise errors.not_acceptable(MEDIA_TYPES)


def _spoken(media_type: str) -> str:
    if media_type in ("*/*", "application/*"):
        return JSON
    return media_type if media_type in MEDIA_TYPES else ""


def _parsed(clause: str) -> tuple[float, str, dict[str, str]]:
    media_type, *rest = (part.strip() for part in clause.split(";"))
    parameters = dict(part.split("=", 1) for part in rest if "=" in part)
    try:
        quality = float(parameters.get("q", "1"))
    except ValueError:
        quality = 0.0
    return quality, media_type.lower(), parameters


def media_type_of(content_type: str) -> str:
    """`application/json; charset=utf-8` without its parameters."""
    return content_type.split(";", 1)[0].strip().lower()


def body_type(content_type: str) -> str:
    """The media type of an object's body, JSON when none is named. Raises 415."""
    media_type = media_type_of(content_type) or JSON
    if media_type not in BODY_TYPES:
        raise errors.unsupported_media_type(BODY_TYPES)
    return media_type


def patch_type(content_type: str, served: tuple[str, ...]) -> str:
    """The media type of a patch. Raises 415, naming what is `served`."""
    media_type = media_type_of(content_type)
    if media_type not in served:
        raise errors.unsupported_media_type(served)
    return media_type

"""An error of a path that is no resource, in the form that the client takes: the Status as JSON, YAML or protobuf."""

import msgspec

from apimachinery import yaml_writer
from apimachinery.errors import ApiError
from apiserver import protobuf
from apiserver.negotiation import JSON, PROTOBUF, YAML, accepted_for_errors


def status_body(error: ApiError, accept: str) -> tuple[bytes, str]:
    """The body and its media type."""
    accepted = accepted_for_errors(accept)
    media_type = accepted.media_type if accepted is not None else JSON
    if media_type == PROTOBUF:
        return protobuf.encode(error.status()), media_type
    if media_type == YAML:
        return yaml_writer.dumped(error.status()), media_type
    return msgspec.json.encode(error.status()), media_type

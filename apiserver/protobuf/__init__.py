r"""Kubernetes' protobuf, both ways: what client-go speaks for built-in kinds, and what an upstream server stored.

    table       facts of v1.34 (fields.json): each message's fields with number, type and when they are written
    wire        varints and fields, the envelope `k8s\0` + runtime.Unknown, the frames of a watch
    reading     bytes to trees
    writing     trees to bytes, as upstream's generated code writes them
    shaping     trees to trees, as upstream's structs show them in JSON

One generic reader and writer over the table; no generated code. `tests/go` makes the table from upstream's own types
and compares our bytes with those of upstream's library. Custom resources are not in it: upstream has them in JSON only.
Source: apimachinery/pkg/runtime/serializer/protobuf, the generated.pb.go files.
"""

from apiserver.protobuf.reading import decode, decode_stored
from apiserver.protobuf.shaping import as_stored, settled, shaped, shaped_after_decoding
from apiserver.protobuf.table import speaks
from apiserver.protobuf.wire import Malformed, envelope, watch_frame
from apiserver.protobuf.writing import Unwritable, encode, list_body, raw

__all__ = [
    "Malformed",
    "Unwritable",
    "as_stored",
    "decode",
    "decode_stored",
    "encode",
    "envelope",
    "list_body",
    "raw",
    "settled",
    "shaped",
    "shaped_after_decoding",
    "speaks",
    "watch_frame",
]

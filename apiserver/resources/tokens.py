"""Continue tokens: where a list goes on, and at which revision. Opaque to clients, the same text as upstream's.

Source: apiserver/pkg/storage/continue.go.
"""

import base64
import binascii
from dataclasses import dataclass

import msgspec

from apimachinery import errors

_VERSION = "meta.k8s.io/v1"
#: The revision of a token that goes on with whatever is there now.
INCONSISTENT = -1


@dataclass(frozen=True, slots=True)
class Token:
    """The first key to give, below the list's prefix, and the revision of the whole list."""

    start: str
    revision: int


def encode(last: str, prefix: str, revision: int) -> str:
    """The token of a list whose page ended with the key `last`."""
    start = last.removeprefix(prefix) + "\0"
    data = msgspec.json.encode({"v": _VERSION, "rv": revision, "start": start})
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> Token:
    """The token of a `continue` parameter. Raises 400."""
    try:
        padded = text + "=" * (-len(text) % 4)
        tree = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise errors.bad_request(f"continue key is not valid: {error}") from None
    if not isinstance(tree, dict) or tree.get("v") != _VERSION:
        raise errors.bad_request("continue key is not valid: server does not recognize this encoded version")
    start, revision = tree.get("start"), tree.get("rv")
    if not isinstance(start, str) or not start:
        raise errors.bad_request("continue key is not valid: encoded start key empty (version meta.k8s.io/v1)")
    if not isinstance(revision, int) or revision == 0:
        raise errors.bad_request("continue key is not valid: incorrect encoded start resourceVersion")
    if start.startswith("/") or ".." in start.split("/"):
        raise errors.bad_request("continue key is not valid: encoded start key is invalid")
    return Token(start, revision)

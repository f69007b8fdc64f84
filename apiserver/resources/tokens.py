"""Continue tokens: where a list goes on, and at which revision. Opaque to clients, the same text as upstream's.

Source: apiserver/pkg/storage/continue.go.
"""

import base64
import binascii
import re
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
    if (wrong := _not_base64(text)) >= 0:
        raise _invalid(f"illegal base64 data at input byte {wrong}")
    padded = text + "=" * (-len(text) % 4)
    try:
        tree = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_"))
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        cut = "truncated" in str(error)
        raise _invalid("unexpected end of JSON input" if cut else str(error)) from None
    if not isinstance(tree, dict) or tree.get("v") != _VERSION:
        raise _invalid("server does not recognize this encoded version")
    start, revision = tree.get("start"), tree.get("rv")
    if not isinstance(start, str) or not start:
        raise _invalid("encoded start key empty (version meta.k8s.io/v1)")
    if not isinstance(revision, int) or revision == 0:
        raise _invalid("incorrect encoded start resourceVersion")
    if start.startswith("/") or ".." in start.split("/"):
        raise _invalid("encoded start key is invalid")
    return Token(start, revision)


_WRONG = re.compile(r"[^A-Za-z0-9_-]")


def _not_base64(text: str) -> int:
    """Where Go's decoder stops at a text that is no base64, -1 where it does not."""
    wrong = _WRONG.search(text)
    if wrong is not None:
        return wrong.start()
    return len(text) - 1 if len(text) % 4 == 1 else -1


def _invalid(why: str) -> errors.ApiError:
    return errors.bad_request(f"invalid continue token: continue key is not valid: {why}")

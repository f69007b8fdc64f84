"""Continue tokens: where a list goes on, and at which revision. Opaque to clients, the same text as upstream's.

Source: apiserver/pkg/storage/continue.go.
"""

import base64
import binascii
import posixpath
import re
from dataclasses import dataclass
from typing import Any

import msgspec

from apimachinery import errors
from apimachinery.json_syntax import complaint
from apiserver.resources.decoding import go_type

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
    if prefix:  # as upstream's cache writes it, which answers most lists
        start = f"/{start}"
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
        raise _invalid(complaint(base64.b64decode(padded, altchars=b"-_", validate=False)) or str(error)) from None
    if not isinstance(tree, dict):
        raise _mistyped(tree, "value of type storage.continueToken")
    version, start, revision = tree.get("v", ""), tree.get("start", ""), tree.get("rv", 0)
    for name, value, wanted in (("v", version, str), ("rv", revision, int), ("start", start, str)):
        if value.__class__ is not wanted:
            raise _mistyped(value, f"struct field continueToken.{name} of type {_GO_TYPES[wanted]}")
    if version != _VERSION:
        raise _invalid(f"server does not recognize this encoded version {version}")
    if revision == 0:
        raise _invalid(f"incorrect encoded start resourceVersion (version {_VERSION})")
    if not start:
        raise _invalid(f"encoded start key empty (version {_VERSION})")
    rooted = start if start.startswith("/") else f"/{start}"
    if posixpath.normpath(rooted) != rooted:  # it must not lead out of the folder that is listed
        raise _invalid(start)
    return Token(rooted[1:], revision)


_GO_TYPES: dict[type, str] = {str: "string", int: "int64"}


def _mistyped(value: Any, what: str) -> errors.ApiError:
    return _invalid(f"json: cannot unmarshal {go_type(value)} into Go {what}")


_WRONG = re.compile(r"[^A-Za-z0-9_-]")


def _not_base64(text: str) -> int:
    """Where Go's decoder stops at a text that is no base64, -1 where it does not."""
    wrong = _WRONG.search(text)
    if wrong is not None:
        return wrong.start()
    return len(text) - 1 if len(text) % 4 == 1 else -1


def _invalid(why: str) -> errors.ApiError:
    return errors.bad_request(f"invalid continue token: continue key is not valid: {why}")

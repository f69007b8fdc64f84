"""What can be wrong with a credential, and how the raw headers that carry credentials are read.

`Refused` is raised by an authenticator whose kind of credential was presented and is bad; None is returned when it was
not presented at all. Only the first ends in 401, so that a request without credentials can still be anonymous.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BEARER_PROTOCOL = "base64url.bearer.authorization.k8s.io."


@dataclass(eq=False)  # exceptions must be hashable
class Refused(Exception):
    """A credential that was presented and does not hold. The text goes into logs and TokenReviews, never into a 401."""

    message: str

    def __str__(self) -> str:
        return self.message


def header_values(scope: Mapping[str, Any], name: str) -> list[str]:
    """Every value of a header, in order: some are sent repeatedly (Impersonate-Group). `name` in lower case."""
    wanted = name.encode("latin-1")
    return [value.decode("latin-1") for key, value in scope.get("headers") or () if key == wanted]


def headers_below(scope: Mapping[str, Any], prefix: str) -> dict[str, tuple[str, ...]]:
    """Headers whose names begin with `prefix`: the rest of each name (lower case) and its values."""
    found: dict[str, tuple[str, ...]] = {}
    for key, value in scope.get("headers") or ():
        name = key.decode("latin-1")
        if name.startswith(prefix) and len(name) > len(prefix):
            rest = name[len(prefix) :]
            found[rest] = (*found.get(rest, ()), value.decode("latin-1"))
    return found


def bearer_token(scope: Mapping[str, Any]) -> str:
    """The token of `Authorization: Bearer T`, or of a WebSocket's bearer subprotocol; empty where there is none."""
    for value in header_values(scope, "authorization"):
        scheme, _, token = value.strip().partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return token.strip().split(" ")[0]
    return _websocket_token(header_values(scope, "sec-websocket-protocol"))


def _websocket_token(values: Sequence[str]) -> str:
    """Browsers cannot set Authorization on a WebSocket: the token is a subprotocol, base64url without padding."""
    for protocol in ",".join(values).split(","):
        name = protocol.strip()
        if name.startswith(BEARER_PROTOCOL):
            encoded = name.removeprefix(BEARER_PROTOCOL)
            try:
                return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
            except (binascii.Error, UnicodeDecodeError):
                raise Refused("invalid bearer token") from None
    return ""


def client_certificate(scope: Mapping[str, Any]) -> bytes:
    """The peer's certificate (DER) as the server's protocol class put it into the scope; empty without one."""
    tls = (scope.get("extensions") or {}).get("tls") or {}
    return bytes(tls.get("client_cert") or b"")

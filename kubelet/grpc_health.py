"""`grpc.health.v1.Health/Check` over plain HTTP/2: one small message each way, written and read by hand.

A gRPC library would bring a second event loop's worth of code for four bytes. The caller sets the time limit and
translates what goes wrong on the wire. Sources: pkg/probe/grpc/grpc.go, the gRPC wire format (PROTOCOL-HTTP2.md).
"""

from urllib.parse import unquote

import httpx

_PATH = "/grpc.health.v1.Health/Check"
_HEADERS = {"content-type": "application/grpc", "te": "trailers", "user-agent": "kube-probe/1.34"}
_STATES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
_NO_STATUS, _UNIMPLEMENTED = "", "12"
_NAMES = (
    "OK Canceled Unknown InvalidArgument DeadlineExceeded NotFound AlreadyExists PermissionDenied ResourceExhausted"
    " FailedPrecondition Aborted OutOfRange Unimplemented Internal Unavailable DataLoss Unauthenticated"
)
_CODES = {"": "Unknown"} | {str(number): name for number, name in enumerate(_NAMES.split())}


async def check(client: httpx.AsyncClient, server: str, service: str) -> tuple[bool, str]:
    """Whether the service says that it serves, and what to say if not. `client` speaks HTTP/2; httpx's errors pass."""
    answer = await client.post(f"{server}{_PATH}", headers=_HEADERS, content=question(service))
    status = answer.headers.get("grpc-status", _NO_STATUS)
    if status not in (_NO_STATUS, "0") or answer.status_code != 200:
        return False, _refusal(status, unquote(answer.headers.get("grpc-message", "")))
    state = serving(answer.content)
    return state == "SERVING", f'service unhealthy (responded with "{state}")'


def _refusal(status: str, message: str) -> str:
    if status == _UNIMPLEMENTED:
        return f"error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {message}"
    code = _CODES.get(status, f"Code({status})")
    return f"error: health rpc probe failed: rpc error: code = {code} desc = {message}"


def question(service: str) -> bytes:
    """A HealthCheckRequest: field 1, a string; left out where it is empty. Five bytes of framing before it."""
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    return b"\x00" + len(message).to_bytes(4, "big") + message


def _varint(number: int) -> bytes:
    found = b""
    while number > 0x7F:
        found += bytes([number & 0x7F | 0x80])
        number >>= 7
    return found + bytes([number])


def serving(framed: bytes) -> str:
    """The state in a HealthCheckResponse: field 1, an enumeration; absent for its zero."""
    message = framed[5:]
    value = message[1] if len(message) >= 2 and message[0] == 0x08 else 0
    return _STATES.get(value, str(value))

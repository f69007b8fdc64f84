"""The stage that records requests, and the file it writes to.

An event is written when its stage is reached: received, started (for what streams), complete, or panic. Writing goes to
the page cache at once; a full disk is logged and refuses nobody. With a size the file is rotated as upstream's is.
"""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import BinaryIO

import msgspec
import structlog

from apimachinery import times
from apimachinery.errors import ApiError
from apimachinery.types import Json
from apiserver.audit import counts
from apiserver.audit.events import Audited
from apiserver.audit.policy import COMPLETE, NONE, PANIC, RECEIVED, STARTED, Policy
from apiserver.call import Call, Disconnected, Receive, Response, Send

log = structlog.get_logger("apiserver")

Proceed = Callable[[Call], Awaitable[Response]]
_MEBIBYTE = 1 << 20


class AuditFile:
    """Lines at the end of a file; "-" is stdout. `most` bytes, then it is kept under another name; 0 for no limit."""

    def __init__(self, path: str, *, most: int = 0, backups: int = 0, clock: Callable[[], float]) -> None:
        self._path = path
        self._most = most
        self._backups = backups
        self._clock = clock
        self._file: BinaryIO = sys.stdout.buffer if path == "-" else Path(path).open("ab", buffering=0)  # noqa: SIM115 - kept open

    def write(self, line: bytes) -> None:
        """Add a line. What cannot be written is told in the server's log."""
        try:
            if self._most and self._path != "-" and self._file.tell() + len(line) > self._most:
                self._rotate()
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            counts.ERRORS.of("log").value += 1
            log.warning("an audit event is lost", path=self._path, error=str(error))

    def _rotate(self) -> None:
        self._file.close()
        path = Path(self._path)
        stamp = times.rfc3339_micro(self._clock()).replace(":", "-").removesuffix("Z")
        path.rename(path.with_name(f"{path.stem}-{stamp}{path.suffix}"))
        self._file = path.open("ab", buffering=0)
        if self._backups:
            old = sorted(path.parent.glob(f"{path.stem}-*{path.suffix}"))
            for gone in old[: -self._backups]:
                gone.unlink()


class AuditLog:
    """Called around each request, by the stage `audit`."""

    def __init__(self, policy: Policy, write: Callable[[bytes], None], clock: Callable[[], float]) -> None:
        self._policy = policy
        self._write = write
        self._clock = clock

    async def __call__(self, call: Call, proceed: Proceed) -> Response:
        """Record what the policy says."""
        began = perf_counter()
        recording = self._policy.recording(call.asker, call.target)
        counts.LEVELS.of(recording.level).value += 1
        if recording.level == NONE:
            return await proceed(call)
        audited = Audited(call, recording, self._clock())
        self._record(audited, RECEIVED)
        counts.SECONDS.add(perf_counter() - began)
        try:
            response = await proceed(call)
        except ApiError as error:
            self._record(audited, COMPLETE, status=_status(error))
            raise
        except Disconnected:
            raise
        except Exception:
            self._record(audited, PANIC, status={"metadata": {}, "status": "Failure", "code": 500})
            raise
        if response.stream is None:
            self._record(audited, COMPLETE, response)
            return response
        stream = response.stream

        async def recorded(receive: Receive, send: Send) -> None:
            self._record(audited, STARTED, response)
            try:
                await stream(receive, send)
            finally:
                self._record(audited, COMPLETE, response)

        response.stream = recorded
        return response

    def _record(
        self, audited: Audited, stage: str, response: Response | None = None, status: Json | None = None
    ) -> None:
        if stage not in audited.recording.omitted:
            counts.EVENTS.of().value += 1
            self._write(msgspec.json.encode(audited.event(stage, self._clock(), response, status)) + b"\n")


def _status(error: ApiError) -> Json:
    found: Json = {"metadata": {}, "status": "Failure", "message": error.message, "code": error.code}
    return {**found, "reason": error.reason} if error.reason else found


def audit_file(path: str, *, max_size: int, max_backups: int, clock: Callable[[], float]) -> AuditFile:
    """The --audit-log-* flags; the size is in MiB."""
    return AuditFile(path, most=max_size * _MEBIBYTE, backups=max_backups, clock=clock)

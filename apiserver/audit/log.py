"""The stage that records requests, and the file it writes to.

An event is written when its stage is reached: received, started (for what streams), complete, or panic. Writing goes to
the page cache at once; a full disk is logged and refuses nobody. With a size the file is rotated as upstream's is.
"""

import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, BinaryIO

import msgspec
import structlog

from apimachinery import times
from apimachinery.errors import ApiError
from apimachinery.types import Json
from apiserver import negotiation
from apiserver.audit import counts
from apiserver.audit.events import Audited
from apiserver.audit.policy import COMPLETE, NONE, PANIC, RECEIVED, STARTED, Policy
from apiserver.call import Call, Disconnected, Receive, Response, Send, Stream
from apiserver.request import STREAMS
from serving.https import Upgrade

log = structlog.get_logger("apiserver")

Proceed = Callable[[Call], Awaitable[Response]]
_MEBIBYTE = 1 << 20
_SWITCHING = 101


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
        call.witness = audited.witness
        takes_long = call.target.verb == "watch" or call.target.subresource in STREAMS
        self._record(audited, RECEIVED)
        counts.SECONDS.add(perf_counter() - began)
        try:
            response = await proceed(call)
        except Exception as error:
            self._refused(audited, error, takes_long=takes_long)
            raise
        if response.stream is None:
            self._complete(audited, response, takes_long=takes_long)
        else:
            response.stream = self._recorded(audited, response.stream, takes_long=takes_long)
        return response

    def _refused(self, audited: Audited, error: Exception, *, takes_long: bool) -> None:
        """Record what is raised in place of an answer."""
        if isinstance(error, Disconnected):
            return
        if not isinstance(error, ApiError):
            self._record(audited, PANIC, status={"kind": "Status", "status": "Failure", "code": 500})
            return
        is_shown = negotiation.accepted_for_errors(audited.call.headers.get("accept", "")) is not None
        status = error.status() if is_shown else None
        self._complete(audited, Response(status=error.code), status, takes_long=takes_long)

    def _recorded(self, audited: Audited, stream: Stream, *, takes_long: bool) -> Stream:
        """The stream, which says its code itself when it begins."""
        answer = Response()
        begun = False

        def begin(code: int) -> None:
            nonlocal begun
            if not begun:
                begun, answer.status = True, code
                if takes_long:
                    self._record(audited, STARTED, answer)

        async def recorded(receive: Receive, send: Send) -> None:
            async def sending(message: Any) -> None:
                begin(message.get("status", answer.status))
                await send(message)

            upgrade = (audited.call.scope.get("extensions") or {}).get("upgrade")
            if isinstance(upgrade, Upgrade):
                upgrade.taken = partial(begin, _SWITCHING)
            try:
                await stream(receive, sending)
                begin(answer.status)  # it may have had nothing to send
            except ConnectionError:  # the client has gone
                raise
            except Exception as error:
                if not (begun and isinstance(error, ApiError)):  # a refusal comes too late for an answer of its own
                    self._refused(audited, error, takes_long=takes_long)
                raise
            finally:
                if begun:
                    self._record(audited, COMPLETE, answer)

        return recorded

    def _complete(self, audited: Audited, response: Response, status: Json | None = None, *, takes_long: bool) -> None:
        if takes_long:
            self._record(audited, STARTED, response, status)
        self._record(audited, COMPLETE, response, status)

    def _record(
        self, audited: Audited, stage: str, response: Response | None = None, status: Json | None = None
    ) -> None:
        if stage in audited.recording.omitted:
            return
        counts.EVENTS.of().value += 1
        try:
            self._write(msgspec.json.encode(audited.event(stage, self._clock(), response, status)) + b"\n")
        except Exception as error:  # what was asked for is done: no record is worth a refusal
            counts.ERRORS.of("log").value += 1
            log.exception("an audit event is lost", stage=stage, error=repr(error))


def audit_file(path: str, *, max_size: int, max_backups: int, clock: Callable[[], float]) -> AuditFile:
    """The --audit-log-* flags; the size is in MiB."""
    return AuditFile(path, most=max_size * _MEBIBYTE, backups=max_backups, clock=clock)

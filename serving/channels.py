"""Exec and attach on the wire: one interface, `Channels`, whatever the client speaks.

    async with open_channels(upgrade, wanted) as channels:      # serving.remotecommand
        data = await channels.read_stdin()          # b"" at the end
        await channels.write(STDOUT, data)
        size = await channels.resized()             # None at the end
        await channels.close(exit_status(3, "..."))

How a run ended travels as a `metav1.Status` on the error channel (older protocols: as text).
Source: cri/streaming/remotecommand, apimachinery/remotecommand.
"""

from dataclasses import dataclass
from typing import Protocol

from apimachinery.errors import ApiError, bad_request, internal
from apimachinery.types import Json
from serving.https import Upgrade

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255

#: Seconds a client has to open the streams it asked for.
CREATION_TIMEOUT = 30.0
#: Seconds a client has, when all is sent, to read it and close the connection.
FAREWELL_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """The streams of one exec or attach. With a tty there is no stderr of its own."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False

    def checked(self) -> "Wanted":
        """As the server runs it; ApiError 400 when nothing is wanted."""
        if not (self.stdin or self.stdout or self.stderr):
            raise bad_request("you must specify at least 1 of stdin, stdout, stderr")
        return Wanted(self.stdin, self.stdout, self.stderr and not self.tty, self.tty)


class Channels(Protocol):
    """The server's end of one exec or attach."""

    async def read_stdin(self) -> bytes:
        """What the client typed; b"" when it has closed stdin, or gone."""

    async def write(self, channel: int, data: bytes) -> None:
        """To STDOUT or STDERR; dropped when the client did not ask for it. ConnectionError when it has gone."""

    async def resized(self) -> tuple[int, int] | None:
        """The next (width, height) of the client's terminal; None when there will be no more."""

    async def gone(self) -> None:
        """Returns when the connection is over."""

    async def close(self, status: Json) -> None:
        """Send how it ended, close every channel, and the connection when the client has read it all."""


def success() -> Json:
    """The status of a run that ended well."""
    return {"metadata": {}, "status": "Success"}


def exit_status(code: int, text: str = "") -> Json:
    """The status of a process that ended with `code`; `text` says what ended, as upstream's runtimes do."""
    if code == 0:
        return success()
    what = text or f"exit status {code}"
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: {what}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def failure(error: Exception, doing: str) -> Json:
    """The status of a run that did not come about; `doing` is upstream's, e.g. `executing command in container`."""
    if isinstance(error, ApiError):
        return error.status()
    return internal(f"error {doing}: {error}").status()


def exit_code(status: Json) -> int | None:
    """The exit code that a status reports; None when the run failed for another reason."""
    if status.get("status") == "Success":
        return 0
    if status.get("reason") != "NonZeroExitCode":
        return None
    causes = (status.get("details") or {}).get("causes") or ()
    return next((int(c["message"]) for c in causes if c.get("reason") == "ExitCode"), None)


def negotiate(offered: list[str], supported: tuple[str, ...]) -> str:
    """The client's first choice that we support. A client that offers nothing gets the oldest ("")."""
    if not offered:
        return ""
    chosen = next((protocol for protocol in offered if protocol in supported), None)
    if chosen is None:
        ours = ", ".join(filter(None, supported))
        theirs = ", ".join(offered)
        raise ApiError(
            403,
            "Forbidden",
            f"unable to upgrade: unable to negotiate protocol: client supports [{theirs}], server accepts [{ours}]",
        )
    return chosen


def offered(upgrade: Upgrade, name: bytes) -> list[str]:
    """The protocols that the client offers in one header, in its order."""
    values = [value.decode("latin-1") for key, value in upgrade.headers if key == name]
    return [part.strip() for value in values for part in value.split(",") if part.strip()]

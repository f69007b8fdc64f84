"""A container's log file, read as `kubectl logs` wants it: tail, since, follow, timestamps, a stream, a byte limit.

Reads Docker's json-file lines and CRI's text lines (told apart line by line), joins the parts of long lines, follows
through rotation and truncation, and ends when the container has. Files are read in blocks in a thread, so the event
loop never waits for a disk. Source of the semantics: cri/logs/logs.go; tail counts whole lines.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

BLOCK = 256 * 1024
#: A line that never ends is given up at this length: no runtime writes one.
LONGEST_LINE = 4 * 1024 * 1024
#: Seconds between looks at a file that is followed.
POLL = 0.1
#: Looks at the file for each question whether the container has ended.
LOOKS_PER_QUESTION = 5

STDOUT, STDERR = "stdout", "stderr"
_ENDS_A_DOCKER_LINE = b'\\n","'
_PARTIAL_CRI = re.compile(rb"^\S+ (?:stdout|stderr) P")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """v1.PodLogOptions as far as a file is concerned. `since` is in seconds of the epoch."""

    follow: bool = False
    tail_lines: int | None = None
    since: float | None = None
    timestamps: bool = False
    limit_bytes: int | None = None
    stream: str = ""  # "" for both, "stdout", "stderr"


class _DockerLine(msgspec.Struct):
    log: str = ""
    stream: str = STDOUT
    time: str = ""


_decode = msgspec.json.Decoder(_DockerLine).decode


async def read_log(
    path: Path, options: LogOptions, ended: Callable[[], Awaitable[bool]] | None = None
) -> AsyncIterator[bytes]:
    """What the client is to see, in blocks. `ended` says whether the container writes no more; FileNotFoundError.

    With `follow` it goes on until `ended`, or for ever without it: close the iterator to stop.
    """
    view = _View(options)
    file = await asyncio.to_thread(path.open, "rb")
    try:
        if options.tail_lines is not None:
            await asyncio.to_thread(seek_tail, file, options.tail_lines)
        following = _Following(path, ended) if options.follow else None
        rest = b""
        while not view.full:
            block = await asyncio.to_thread(file.read, BLOCK)
            if block:
                whole, newline, rest = (rest + block).rpartition(b"\n")
                rest = b"" if len(rest) > LONGEST_LINE else rest
                if shown := view.show(whole + newline):
                    yield shown
                continue
            change = await following.next(file) if following else _Change.OVER
            if change is _Change.OVER:
                return
            if change is not _Change.MORE:
                rest = b""
            if change is _Change.TRUNCATED:
                file.seek(0)
            elif change is _Change.ROTATED:
                file.close()
                file = await asyncio.to_thread(path.open, "rb")
    finally:
        file.close()


# -- following


class _Change:
    MORE, TRUNCATED, ROTATED, OVER = "more", "truncated", "rotated", "over"


class _Following:
    """Waits at the end of a file for what comes next."""

    def __init__(self, path: Path, ended: Callable[[], Awaitable[bool]] | None) -> None:
        self._path = path
        self._ended = ended
        self._last_look: str | None = None  # seen once; the file is read to its end before it counts
        self._looks = 0

    async def next(self, file: BinaryIO) -> str:
        """Waits until there may be more; what was seen of the file's end counts once all of it has been read."""
        if self._last_look is not None:
            change, self._last_look = self._last_look, None
            return change
        while True:
            change = await asyncio.to_thread(self._look, file)
            if change == _Change.MORE:
                return change
            if change:
                self._last_look = change
                return _Change.MORE
            self._looks += 1
            if self._ended and self._looks % LOOKS_PER_QUESTION == 0 and await self._ended():
                self._last_look = _Change.OVER
                return _Change.MORE
            await asyncio.sleep(POLL)

    def _look(self, file: BinaryIO) -> str:
        try:
            there, ours = self._path.stat(), os.fstat(file.fileno())
        except FileNotFoundError:
            return ""  # between rotation's rename and the new file, or removed: then `ended` says so
        if (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino):
            return _Change.ROTATED
        if ours.st_size < file.tell():
            return _Change.TRUNCATED
        return _Change.MORE if ours.st_size > file.tell() else ""


# -- the tail


def seek_tail(file: BinaryIO, lines: int) -> None:
    """Go to the start of the last `lines` lines. The parts of a line that the runtime split count as one."""
    at = file.seek(0, os.SEEK_END)
    if lines <= 0:
        return
    seen, carried = -1, b""  # -1: the end of the last line is no boundary
    while at > 0:
        start = max(0, at - BLOCK)
        file.seek(start)
        block = file.read(at - start) + carried
        # Whether a newline ends a whole line shows at that line's start, which must be in the block: the block's first
        # newline is looked at together with the block before it.
        first = block.find(b"\n")
        searched = first + 1 if start else 0
        newline = block.rfind(b"\n", searched)
        while newline >= 0:
            begin = block.rfind(b"\n", 0, newline) + 1
            if seen < 0 or not _is_partial(block[begin:newline]):
                seen += 1
            if seen == lines:
                file.seek(start + newline + 1)
                return
            newline = block.rfind(b"\n", searched, newline)
        carried = block[:searched] if first >= 0 else block
        at = start
    file.seek(0)


def _is_partial(line: bytes) -> bool:
    """Whether the runtime split here: the next physical line goes on with the same line."""
    if line.startswith(b"{"):
        return _ENDS_A_DOCKER_LINE not in line
    return bool(_PARTIAL_CRI.match(line))


# -- what is shown


class _View:
    """Turns physical lines into what the client sees."""

    def __init__(self, options: LogOptions) -> None:
        self._options = options
        self._left = options.limit_bytes
        self._within: set[str] = set()  # the streams whose line has begun: no timestamp in front of its other parts
        self.full = options.limit_bytes == 0

    def show(self, block: bytes) -> bytes:
        """The lines of a block that are wanted, cut at the byte limit."""
        parts: list[bytes] = []
        for line in block.split(b"\n"):
            if line:
                self._line(line, parts)
        shown = b"".join(parts)
        if self._left is not None:
            shown = shown[: self._left]
            self._left -= len(shown)
            self.full = self._left == 0
        return shown

    def _line(self, line: bytes, parts: list[bytes]) -> None:
        parsed = _parse_docker(line) if line.startswith(b"{") else _parse_cri(line)
        if parsed is None:
            return  # half a line after a crash: the runtime goes on behind it
        time, stream, text = parsed
        options = self._options
        if options.stream and stream != options.stream:
            return
        if options.since is not None and epoch(time) < options.since:
            return
        if options.timestamps and stream not in self._within:
            parts.append(nine_digits(time).encode() + b" ")
        if text.endswith(b"\n"):
            self._within.discard(stream)
        else:
            self._within.add(stream)
        parts.append(text)


def _parse_docker(line: bytes) -> tuple[str, str, bytes] | None:
    try:
        entry = _decode(line)
    except msgspec.DecodeError:
        return None
    return entry.time, entry.stream, entry.log.encode("utf-8", "surrogatepass")


def _parse_cri(line: bytes) -> tuple[str, str, bytes] | None:
    fields = line.split(b" ", 3)
    if len(fields) < 3:
        return None
    text = fields[3] if len(fields) == 4 else b""
    end = b"" if fields[2].startswith(b"P") else b"\n"
    return fields[0].decode("latin-1"), fields[1].decode("latin-1"), text + end


def epoch(time: str) -> float:
    """Seconds of the epoch of an RFC 3339 time with any number of digits; 0 for what is none."""
    try:
        moment = datetime.fromisoformat(time[:26].rstrip("Z")) if time.endswith("Z") else datetime.fromisoformat(time)
    except ValueError:
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def nine_digits(time: str) -> str:
    """The time with exactly nine digits of a second, as upstream prints it."""
    match = re.match(r"(.*T\d\d:\d\d:\d\d)(?:\.(\d+))?(.*)$", time)
    if match is None:
        return time
    return f"{match[1]}.{(match[2] or '')[:9]:0<9}{match[3]}"

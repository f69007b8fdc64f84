"""The terminal of the person who types: raw mode, its size, its keys, as bytes for a remote program."""

import asyncio
import contextlib
import os
import signal
import sys
import termios
import tty
from collections.abc import AsyncIterator, Callable, Iterator


def is_terminal() -> bool:
    """Whether standard input is a terminal."""
    return sys.stdin.isatty()


@contextlib.contextmanager
def raw_mode(*, wanted: bool) -> Iterator[None]:
    """Every key goes to the other side at once, Ctrl-C among them; the terminal is as before afterwards."""
    if not wanted or not is_terminal():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setraw(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


@contextlib.contextmanager
def on_resize(call: Callable[[], None]) -> Iterator[None]:
    """Calls `call` when the terminal's size changes."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGWINCH, call)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)


def size() -> tuple[int, int]:
    """(width, height)."""
    width, height = os.get_terminal_size(sys.stdin.fileno())
    return width, height


def _settle(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


async def typed() -> AsyncIterator[bytes]:
    """What comes on standard input until it ends. Files and pipes alike; no thread is left behind."""
    loop, descriptor = asyncio.get_running_loop(), sys.stdin.fileno()
    while True:
        ready: asyncio.Future[None] = loop.create_future()
        try:
            loop.add_reader(descriptor, _settle, ready)
        except PermissionError:  # a plain file: always ready
            ready.set_result(None)
        try:
            await ready
        finally:
            with contextlib.suppress(PermissionError, OSError):
                loop.remove_reader(descriptor)
        data = os.read(descriptor, 32768)
        if not data:
            return
        yield data


def say(descriptor: int, data: bytes) -> None:
    """All of `data` to standard output or error, at once."""
    while data:
        data = data[os.write(descriptor, data) :]

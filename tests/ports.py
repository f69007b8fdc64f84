"""Ports for servers that tests start: the kernel gives each to nobody else until this process has ended.

A port that is found free and let go may be another's by the time its server listens. Here a socket stays bound to it with
SO_REUSEADDR and does not listen: the kernel then chooses the port for nobody, a server that sets SO_REUSEADDR and names
it may have it (Go, asyncio and uvloop do), and until one listens a connection is refused.
"""

import socket

_HELD: list[socket.socket] = []


def free_port() -> int:
    """A TCP port on which nobody listens, and nobody will who does not name it."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    _HELD.append(held)
    return held.getsockname()[1]

"""Starts Python processes in a few milliseconds: a warm process that has the heavy libraries loaded, and forks.

Seven processes that each import FastAPI, httpx, cryptography and the rest would spend most of the time of `up` on
that, and hold them seven times. The forge imports them once; a child shares its pages and goes on as if it had been
started by its console script, in a session of its own, with its own log. Only libraries and the packages below the
components are loaded here, so that no component sees another's metrics. What only some need is loaded while nobody asks
(the API server starts meanwhile: it needs none of it).

It is single-threaded and has no event loop: nothing but a request, a fork, an answer. The supervisor finds it by a
socket pair; where the forge is dead it starts programs the ordinary way.
Source of the idea: multiprocessing.forkserver, Android's zygote.
"""

import gc
import importlib
import os
import select
import signal
import socket
import sys
import traceback
from importlib.metadata import EntryPoint, distribution
from pathlib import Path

import msgspec
import setproctitle

from bootstrap.lean import without

LIBRARIES = (
    "asyncio",
    "ssl",
    "msgspec",
    "structlog",
    "httpx",
    "fastapi",
    "uvicorn",
    "uvloop",
    "httptools",
    "typer",
    "prometheus_client",
    "cryptography.x509",
    "yaml",
    "apimachinery.kinds",
    "apimachinery.schema",
    "apimachinery.objects.core_v1",
    "client.cache",
    "client.events",
    "client.lease",
    "serving.health",
    "serving.https",
    "serving.logs",
    "serving.process",
    "serving.spdy_channels",
    "serving.websocket_channels",
)
#: What the node's processes and the scheduler need besides, the dearest last.
LATER = ("serving.remotecommand", "docker", "pyroute2", "dnslib", "numpy")
LIMIT = 1 << 20


class Order(msgspec.Struct, frozen=True):
    """One program to start: its command line and the file its output goes to."""

    argv: tuple[str, ...]
    log: str


def serve(requests: socket.socket) -> None:
    """Answers each order with the pid of its process (0 where it is no program of ours); returns when asked no more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps; the supervisor watches pids, not children
    commands = {entry.name: entry for entry in distribution("pykube").entry_points}
    gc.disable()
    with without("httpx._main", "rich"):
        for name in LIBRARIES:
            importlib.import_module(name)
    gc.freeze()  # a collection in a child must not touch, and so copy, what is shared
    later = list(LATER)
    while data := _next(requests, later):
        order = msgspec.json.decode(data, type=Order)
        entry = commands.get(Path(order.argv[0]).name)
        pid = os.fork() if entry is not None else 0
        if entry is not None and pid == 0:
            _become(order, requests, entry)
        requests.send(msgspec.json.encode(pid))


def _next(requests: socket.socket, later: list[str]) -> bytes:
    """The next order; loads from `later` while there is none."""
    while later and not select.select([requests], [], [], 0)[0]:
        importlib.import_module(later.pop(0))
        if not later:
            gc.collect()
        gc.freeze()
    return requests.recv(LIMIT)


def _become(order: Order, requests: socket.socket, entry: EntryPoint) -> None:
    """In the child: be the program. Never returns."""
    code = 1
    try:
        requests.close()
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        for descriptor in (1, 2):
            os.dup2(log, descriptor)
        os.close(log)
        sys.argv = list(order.argv)
        setproctitle.setproctitle(" ".join((Path(order.argv[0]).name, *order.argv[1:])))
        program = entry.load()
        gc.freeze()
        gc.enable()
        program()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1 if end.code else 0
    except BaseException:  # noqa: BLE001  (the top of a process: its last words, then its end)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        setproctitle.setproctitle(f"pykube-forge {sys.argv[2]}")
        serve(connection)

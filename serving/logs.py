"""Structured logs on stderr, the same for every process: `key=value` for people, JSON lines for machines.

`configure` is called once by each main. Code logs with `structlog.get_logger()`; what libraries log through `logging`
comes out in the same form, from WARNING up. Where nothing can be written (a full disk) words are lost, and the process
goes on.
"""

import contextlib
import io
import logging
import sys
from typing import TextIO

import structlog


class _Patient(io.StringIO):
    """A file that loses what it cannot write."""

    def __init__(self, file: TextIO) -> None:
        super().__init__()
        self._file = file

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._file.flush()


def configure(component: str, *, json: bool = False, level: int = logging.INFO) -> None:
    """Send structlog's and logging's records to stderr, each with the time, the level and the component's name."""
    structlog.contextvars.bind_contextvars(component=component)
    output = _Patient(sys.stderr)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, _renderer(json=json)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=output),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processor=_renderer(json=json),
            foreign_pre_chain=[*shared, structlog.processors.format_exc_info],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))


def _renderer(*, json: bool) -> structlog.typing.Processor:
    if json:
        return structlog.processors.JSONRenderer()
    return structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "component", "event"])

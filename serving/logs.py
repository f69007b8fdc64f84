"""Structured logs on stderr, the same for every process: `key=value` for people, JSON lines for machines.

`configure` is called once by each main. Code logs with `structlog.get_logger()`; what libraries log through `logging`
comes out in the same form, from WARNING up.
"""

import logging
import sys

import structlog


def configure(component: str, *, json: bool = False, level: int = logging.INFO) -> None:
    """Send structlog's and logging's records to stderr, each with the time, the level and the component's name."""
    structlog.contextvars.bind_contextvars(component=component)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, _renderer(json=json)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
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

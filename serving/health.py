"""/healthz, /livez, /readyz (each check by name, ?verbose, ?exclude=NAME), /metrics and /metrics/slis of a component.

A check is a coroutine function that raises when the part it looks at is not well. `health_app` answers these paths and
404 for the rest; a server with more paths asks `is_health_path` first. Who may ask is the caller's business.
Source of the texts: apiserver/pkg/server/healthz/healthz.go.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs

from serving.asgi import ASGI, TEXT_TYPE, Receive, Scope, Send, reply, reply_text
from serving.exposition import CONTENT_TYPE, PROCESS, Families, process_start, started
from serving.series import STABLE, Counter, Gauge

Check = Callable[[], Awaitable[None]]

ENDPOINTS = ("healthz", "livez", "readyz")
SLIS = "/metrics/slis"
#: Seconds a check may take; one that hangs is not well.
CHECK_TIMEOUT = 10.0


def is_health_path(path: str) -> bool:
    """Whether `health_app` answers this path."""
    first, _, _ = path.lstrip("/").partition("/")
    return first in ENDPOINTS or path in ("/metrics", SLIS)


async def ping() -> None:
    """The check that only says that the process answers."""


class Slis:
    """How each check came out, last and in all: /metrics/slis, by which availability is reckoned."""

    def __init__(self) -> None:
        self.last = Gauge(
            "kubernetes_healthcheck",
            "Whether a check passed when it was last made.",
            ("name", "type"),
            stability=STABLE,
        )
        self.total = Counter(
            "kubernetes_healthchecks_total",
            "How often a check was made, by how it came out.",
            ("name", "type", "status"),
            stability=STABLE,
        )

    def note(self, endpoint: str, name: str, *, passed: bool) -> None:
        """One more look at a check."""
        self.last.of(name, endpoint).value = int(passed)
        self.total.of(name, endpoint, "success" if passed else "error").value += 1


def health_app(
    checks: Mapping[str, Check],
    *,
    live: Mapping[str, Check] | None = None,
    healthy: Mapping[str, Check] | None = None,
    families: Families = PROCESS,
) -> ASGI:
    """An ASGI app. `checks` decide /readyz, `live` /livez (none: it answers), `healthy` /healthz (none: as /readyz)."""
    sets = {
        "healthz": {"ping": ping, **(checks if healthy is None else healthy)},
        "readyz": {"ping": ping, **checks},
        "livez": {"ping": ping, **(live or {})},
    }
    slis, of_slis = Slis(), Families(about_itself=False)
    of_slis.add(slis.last, slis.total, started())
    since = [("process-start-time-unix", str(int(process_start())))]

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        endpoint, _, name = scope["path"].strip("/").partition("/")
        if scope["path"] == "/metrics":
            await reply(send, 200, families.text(), CONTENT_TYPE, since)
        elif scope["path"] == SLIS:
            await reply(send, 200, of_slis.text(), CONTENT_TYPE, since)
        elif endpoint not in sets or (name and name not in sets[endpoint]):
            await reply_text(send, "404 page not found\n", 404)
        elif name:
            await _one(send, sets[endpoint][name])
        else:
            await _all(scope, send, endpoint, sets[endpoint], slis)

    return app


async def _one(send: Send, check: Check) -> None:
    failure = await _failure(check)
    if failure:
        await reply_text(send, f"internal server error: {failure}\n", 500)
    else:
        await reply(send, 200, b"ok", TEXT_TYPE)  # as upstream: it says less of one check than of all


async def _all(scope: Scope, send: Send, endpoint: str, checks: Mapping[str, Check], slis: Slis) -> None:
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    excluded = set(query.get("exclude", ()))
    asked = {name: check for name, check in checks.items() if name not in excluded}
    failures = dict(zip(asked, await asyncio.gather(*map(_failure, asked.values())), strict=True))
    for name, failure in failures.items():
        slis.note(endpoint, name, passed=not failure)
    lines = [_line(name, failures.get(name, ""), skipped=name in excluded) for name in checks]
    if unknown := sorted(excluded - set(checks)):
        quoted = ", ".join(f'"{name}"' for name in unknown)
        lines.append(f"warn: some health checks cannot be excluded: no matches for {quoted}")
    if any(failures.values()):
        await reply_text(send, "\n".join([*lines, f"{endpoint} check failed\n"]), 500)
    elif "verbose" in query:
        await reply_text(send, "\n".join([*lines, f"{endpoint} check passed\n"]))
    else:
        await reply_text(send, "ok")


def _line(name: str, failure: str, *, skipped: bool) -> str:
    if skipped:
        return f"[+]{name} excluded: ok"
    # The reason is for the log, not for whoever may ask: upstream withholds it too.
    return f"[-]{name} failed: reason withheld" if failure else f"[+]{name} ok"


async def _failure(check: Check) -> str:
    """Why the check fails, empty when it does not."""
    try:
        await asyncio.wait_for(check(), CHECK_TIMEOUT)
    except TimeoutError:
        return "timed out"
    except Exception as error:  # noqa: BLE001 - a check may fail in any way, each is an answer
        return str(error) or type(error).__name__
    return ""

"""The kubelet's paths and their handlers, each behind the gate. An ASGI app for `serving.https.serve`.

Errors are plain text with upstream's codes and words, as the API server and kubectl expect them of a kubelet.
Source: pkg/kubelet/server/server.go.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

from apimachinery.errors import ApiError, bad_request
from kubelet.logs import read_log
from kubelet.server.doors import Pods, Session
from kubelet.server.files import serve_files
from kubelet.server.gate import Gate
from kubelet.server.logquery import log_options
from kubelet.server.streams import output_of, serve_session
from serving.asgi import ASGI, Receive, Scope, Send, reply, reply_json, reply_text, stream
from serving.channels import Wanted
from serving.health import health_app, ping
from serving.https import Upgrade
from serving.portforward import serve_portforward

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
RUN_OUTPUT_LIMIT = 16 << 20
NODE_LOGS = Path("/var/log")


@dataclass(slots=True)
class _Call:
    """One request that the gate has let through. `parts` is the path behind the handler's word."""

    pods: Pods
    scope: Scope
    receive: Receive
    send: Send
    parts: list[str]
    query: dict[str, list[str]]

    def flag(self, *names: str) -> bool:
        """Whether a query parameter is on: kubelets know `input=1`, API servers `stdin=true`."""
        return any(self.query.get(name, [""])[0].lower() in ("1", "true") for name in names)

    @property
    def upgrade(self) -> Upgrade | None:
        return (self.scope.get("extensions") or {}).get("upgrade")

    def container(self) -> tuple[str, str, str]:
        """(namespace, pod, container) of NS/POD/[UID/]CONTAINER."""
        match self.parts:
            case [namespace, pod, container] | [namespace, pod, _, container]:
                return namespace, pod, container
        raise ApiError(404, "NotFound", "404 page not found")


_Handler = Callable[[_Call], Awaitable[None]]


def create_app(
    pods: Pods, gate: Gate, *, clock: Callable[[], float] = time.time, node_logs: Path | None = NODE_LOGS
) -> ASGI:
    """The app. `clock` gives the epoch, for `sinceSeconds`. `node_logs` is what /logs/ shows; None: nothing."""
    health = health_app({"log": ping, "syncloop": pods.check})

    async def logs(call: _Call) -> None:
        await _logs(call, clock)

    async def files(call: _Call) -> None:
        await _node_logs(call, node_logs)

    handlers = _HANDLERS | {"containerLogs": logs, "logs": files}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        first, *parts = [part for part in scope["path"].split("/") if part] or [""]
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        try:
            await gate.admit(scope)
            if first == "healthz" or scope["path"] == "/metrics":
                await health(scope, receive, send)
                return
            handler = handlers.get(first, _nothing)
            await handler(_Call(pods, scope, receive, send, parts, query))
        except ApiError as error:
            await reply_text(send, error.message + "\n" * (error.code == 404 and "page" in error.message), error.code)
        except FileNotFoundError as error:
            await reply_text(send, str(error), 404)

    return app


async def _nothing(_call: _Call) -> None:
    raise ApiError(404, "NotFound", "404 page not found")


# -- what is there


async def _pods(call: _Call) -> None:
    await reply_json(call.send, call.pods.list_pods())


async def _running_pods(call: _Call) -> None:
    await reply_json(call.send, await call.pods.running_pods())


async def _stats(call: _Call) -> None:
    if call.parts not in ([], ["summary"]):
        raise ApiError(404, "NotFound", "404 page not found")
    await reply_json(call.send, await call.pods.stats_summary())


async def _metrics(call: _Call) -> None:
    match call.parts:
        case ["cadvisor"]:
            text = await call.pods.cadvisor_metrics()
        case ["resource"]:
            text = await call.pods.resource_metrics()
        case ["probes"]:
            text = call.pods.probe_metrics()
        case _:
            raise ApiError(404, "NotFound", "404 page not found")
    await reply(call.send, 200, text.encode(), METRICS_TYPE)


async def _configz(call: _Call) -> None:
    await reply_json(call.send, {"kubeletconfig": call.pods.config()})


# -- logs


async def _logs(call: _Call, clock: Callable[[], float]) -> None:
    namespace, pod, container = call.container()
    options, previous = log_options(call.query, clock())
    path = call.pods.log_path(namespace, pod, container, previous=previous)
    if not path.exists():
        raise ApiError(404, "NotFound", f"failed to open log file {str(path)!r}: no such file or directory")

    async def ended() -> bool:
        return previous or await call.pods.container_ended(namespace, pod, container)

    headers = [("content-type", "text/plain")]
    await stream(call.receive, call.send, 200, headers, read_log(path, options, ended))


async def _node_logs(call: _Call, folder: Path | None) -> None:
    if folder is None:
        raise ApiError(405, "MethodNotAllowed", "logs endpoint is disabled.")
    if call.scope["method"] != "GET":
        raise ApiError(405, "MethodNotAllowed", "405: Method Not Allowed")
    _, word, asked = call.scope["path"].partition("/logs/")
    if not word:
        raise ApiError(404, "NotFound", "404 page not found")
    await serve_files(folder, asked, call.scope, call.receive, call.send)


# -- streams


def _wanted(call: _Call) -> Wanted:
    return Wanted(
        call.flag("input", "stdin"), call.flag("output", "stdout"), call.flag("error", "stderr"), call.flag("tty")
    ).checked()


async def _exec(call: _Call) -> None:
    identifier = call.pods.container_id(*call.container())
    wanted, command = _wanted(call), call.query.get("command", [])
    if not command:
        raise bad_request("you must specify a command to run")

    async def begin() -> Session:
        return await call.pods.exec(identifier, command, stdin=wanted.stdin, tty=wanted.tty)

    what = f"error executing command [{' '.join(command)}]"
    await serve_session(call.upgrade, wanted, begin, doing="executing command in container", what=what)


async def _attach(call: _Call) -> None:
    where = call.container()
    identifier = call.pods.container_id(*where)
    asked = _wanted(call)
    tty = call.pods.container_tty(*where)
    wanted = Wanted(asked.stdin, asked.stdout, asked.stderr and not tty, asked.tty)

    async def begin() -> Session:
        return await call.pods.attach(identifier, stdin=wanted.stdin, tty=tty)

    await serve_session(call.upgrade, wanted, begin, doing="attaching to container", what="container ended")


async def _run(call: _Call) -> None:
    identifier = call.pods.container_id(*call.container())
    command = " ".join(call.query.get("cmd", [])).split()
    if not command:
        raise bad_request("you must specify a command to run")
    session = await call.pods.exec(identifier, command, stdin=False, tty=False)
    output, code = await output_of(session, RUN_OUTPUT_LIMIT)
    if code:
        raise ApiError(500, "InternalError", f"command '{' '.join(command)}' exited with {code}: {output.decode()}")
    await reply(call.send, 200, output, "text/plain")


async def _port_forward(call: _Call) -> None:
    match call.parts:
        case [namespace, pod] | [namespace, pod, _]:
            pass
        case _:
            raise ApiError(404, "NotFound", "404 page not found")
    call.pods.check_running(namespace, pod)

    async def dial(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await call.pods.dial(namespace, pod, port)

    await serve_portforward(call.upgrade, call.query.get("port", []), dial, pod=pod)


_HANDLERS: dict[str, _Handler] = {
    "pods": _pods,
    "runningpods": _running_pods,
    "stats": _stats,
    "metrics": _metrics,
    "configz": _configz,
    "exec": _exec,
    "attach": _attach,
    "run": _run,
    "portForward": _port_forward,
}

"""pods/log: the options checked, the kubelet's /containerLogs streamed, over plain HTTP or a WebSocket.

Source: pkg/registry/core/pod/rest/log.go, ValidatePodLogOptions, generic/rest/response_checker.go.
"""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlencode

from apimachinery import errors, times
from apimachinery.errors import FORBIDDEN_FIELD, INVALID, ApiError, FieldError
from apiserver.connect.containers import container_of, node_of, pod_of
from apiserver.connect.kubelets import KubeletClientConfig, kubelet_target
from apiserver.connect.reverse import upgrade_of
from apiserver.metrics.security import INSECURE_LOGS, LOGS_TLS_FAILED
from apiserver.request import Lookup, Request
from serving import asgi
from serving.asgi import Receive, Send
from serving.dialer import Answer, ask
from serving.https import Upgrade
from serving.websocket import CLOSE_TIMEOUT, WebSocket
from serving.websocket_channels import accept_websocket

_BASE64 = "base64.binary.k8s.io"
#: WebSocket subprotocols of one stream to the client (httpstream/wsstream/stream.go).
_PROTOCOLS = ("", "binary.k8s.io", _BASE64)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """v1.PodLogOptions, as the query says them."""

    container: str
    insecure: bool
    query: tuple[tuple[str, str], ...]  # the kubelet's query


async def serve_log(
    request: Request, receive: Receive, send: Send, lookup: Lookup, kubelet: KubeletClientConfig
) -> None:
    """Answer with the container's log, as long as it takes."""
    assert request.info is not None
    name = request.info.name
    options = _options(request, name)
    pod = pod_of(request.info.namespace, name, lookup)
    container = container_of(pod, options.container)
    if not node_of(pod):
        await asgi.start(send, 204, [("cache-control", "no-cache, private")])  # not scheduled: there is no log yet
        await send({"type": "http.response.body", "body": b""})
        return
    INSECURE_LOGS.of("skip_tls_allowed" if options.insecure else "enforce_tls").value += 1
    target = kubelet_target(node_of(pod), lookup, kubelet, asked=request.info.plural, insecure=options.insecure)
    query = f"?{urlencode(options.query)}" if options.query else ""
    path = f"/containerLogs/{request.info.namespace}/{name}/{container}{query}"
    try:
        answer = await ask(target, "GET", path, ())
    except OSError as error:
        if isinstance(error.__cause__ or error, ssl.SSLCertVerificationError):
            LOGS_TLS_FAILED.of().value += 1
        raise ApiError(500, "", f'Get "{target.url}{path}": {error}') from error
    if answer.code != 200:
        raise await _refusal(answer, name)
    upgrade = upgrade_of(request)
    if upgrade is not None and upgrade.protocol == "websocket":
        await _over_websocket(upgrade, answer)
        return
    await asgi.stream(receive, send, 200, [("content-type", "text/plain")], _chunks(answer))


async def _over_websocket(upgrade: Upgrade, answer: Answer) -> None:
    """The log as messages, an empty one first; it ends with the log, or when the client leaves."""
    socket = await accept_websocket(upgrade, _PROTOCOLS)
    is_text = socket.subprotocol == _BASE64
    try:
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(_until_closed(socket, answer))
            await socket.send(b"", text=is_text)
            async for chunk in _chunks(answer):
                await socket.send(base64.b64encode(chunk) if is_text else chunk, text=is_text)
            await socket.say_close()
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await listening
    except* (ConnectionError, TimeoutError):
        pass  # the client has gone
    finally:
        answer.raw.abort()
        socket.abort()


async def _until_closed(socket: WebSocket, answer: Answer) -> None:
    while await socket.receive() is not None:
        pass  # what a client says here means nothing
    answer.raw.abort()


async def _chunks(answer: Answer) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.chunks():
            yield chunk
    except OSError:
        return  # the kubelet has gone: the log ends here
    finally:
        answer.raw.abort()


async def _refusal(answer: Answer, name: str) -> ApiError:
    text = (await answer.body()).decode("utf-8", "replace").strip()
    match answer.code:
        case 400:
            return errors.bad_request(text)
        case 500:
            return errors.internal(text)
        case 404:
            details = {
                "name": name,
                "kind": "pods",
                "causes": [{"reason": "UnexpectedServerResponse", "message": text}],
            }
            message = f"the server could not find the requested resource ( pods/log {name})"
            return ApiError(404, "NotFound", message, details)
        case code:
            message = f"unknown (get pods/log {name})" if code in (401, 403) else text
            return ApiError(500 if code in (401, 403) else code, "", message or f"the kubelet answered {code}")


def _options(request: Request, name: str) -> _Options:
    problems: list[FieldError] = []

    def number(key: str, least: int, text: str) -> str:
        value = request.first(key)
        if value and _integer(value) < least:
            problems.append(FieldError(key, INVALID, text, _integer(value)))
        return value

    query = [
        ("tailLines", number("tailLines", 0, "must be greater than or equal to 0")),
        ("limitBytes", number("limitBytes", 1, "must be greater than 0")),
        ("sinceSeconds", number("sinceSeconds", 1, "must be greater than 0")),
        ("sinceTime", _time(request.first("sinceTime"))),
        *((key, "true") for key in ("follow", "previous", "timestamps") if _flag(request, key)),
    ]
    given = {key for key, value in query if value}
    if {"sinceSeconds", "sinceTime"} <= given:
        problems = [problem for problem in problems if problem.path != "sinceSeconds"]
        problems.append(
            FieldError("[]", FORBIDDEN_FIELD, "at most one of `sinceTime` or `sinceSeconds` may be specified")
        )
    if "stream" in request.query:  # PodLogsQuerySplitStreams, which is alpha
        problems.append(FieldError("stream", FORBIDDEN_FIELD, "may not be specified"))
    if problems:
        raise errors.invalid("", "PodLogOptions", name, problems)
    return _Options(
        container=request.first("container"),
        insecure=_flag(request, "insecureSkipTLSVerifyBackend"),
        query=tuple((key, value) for key, value in query if value),
    )


def _flag(request: Request, key: str) -> bool:
    return key in request.query and request.first(key).lower() not in ("0", "false")


def _time(text: str) -> str:
    try:
        return times.normal(text) if text else ""
    except ValueError as error:
        raise errors.bad_request(str(error)) from None


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None

"""pods/log: the options checked, the kubelet's /containerLogs streamed.

Source: pkg/registry/core/pod/rest/log.go, ValidatePodLogOptions, generic/rest/response_checker.go.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlencode

from apimachinery import errors
from apimachinery.errors import FORBIDDEN_FIELD, INVALID, NOT_SUPPORTED, ApiError, FieldError
from apiserver.connect.containers import container_of, node_of, pod_of
from apiserver.connect.kubelets import KubeletClientConfig, kubelet_target
from apiserver.request import Lookup, Request
from serving import asgi
from serving.asgi import Receive, Send
from serving.dialer import Answer, ask

_STREAMS = ("All", "Stderr", "Stdout")


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
        await asgi.reply(send, 200, b"", "text/plain")  # not scheduled: there is no log yet
        return
    target = kubelet_target(node_of(pod), lookup, kubelet, insecure=options.insecure)
    query = f"?{urlencode(options.query)}" if options.query else ""
    path = f"/containerLogs/{request.info.namespace}/{name}/{container}{query}"
    try:
        answer = await ask(target, "GET", path, ())
    except OSError as error:
        raise ApiError(500, "", f'Get "{target.url}{path}": {error}') from error
    if answer.code != 200:
        raise await _refusal(answer, name)
    await asgi.stream(receive, send, 200, [("content-type", "text/plain")], _chunks(answer))


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

    stream = request.first("stream")
    query = [
        ("tailLines", number("tailLines", 0, "must be greater than or equal to 0")),
        ("limitBytes", number("limitBytes", 1, "must be greater than 0")),
        ("sinceSeconds", number("sinceSeconds", 1, "must be greater than 0")),
        ("sinceTime", request.first("sinceTime")),
        ("stream", stream),
        *((key, "true") for key in ("follow", "previous", "timestamps") if _flag(request, key)),
    ]
    given = {key for key, value in query if value}
    if {"sinceSeconds", "sinceTime"} <= given:
        problems.append(
            FieldError("", FORBIDDEN_FIELD, "at most one of `sinceTime` or `sinceSeconds` may be specified")
        )
    if stream and stream not in _STREAMS:
        supported = ", ".join(f'"{value}"' for value in _STREAMS)
        problems.append(FieldError("stream", NOT_SUPPORTED, f"supported values: {supported}", stream))
    if stream in ("Stdout", "Stderr") and "tailLines" in given:
        text = "`tailLines` and specific `stream` are mutually exclusive for now"
        problems.append(FieldError("", FORBIDDEN_FIELD, text))
    if problems:
        raise errors.invalid("", "PodLogOptions", name, problems)
    return _Options(
        container=request.first("container"),
        insecure=_flag(request, "insecureSkipTLSVerifyBackend"),
        query=tuple((key, value) for key, value in query if value),
    )


def _flag(request: Request, key: str) -> bool:
    return key in request.query and request.first(key).lower() not in ("", "0", "false")


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None

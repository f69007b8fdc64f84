"""What happens to a request, in order. Read this file first.

Two lists, because they run differently. REQUEST_STAGES (here) run once per request, each around those below it.
WRITE_STAGES (resources/stages.py) run inside the compare-and-swap loop, and again on the fresh object after a conflict.

    recover        any exception becomes a Status; nothing ever shows a traceback to a client; sends the answer
    trace          how long it took and what came of it, as metrics and a log line for what was slow or failed
    resolve        path and method -> verb, resource, namespace, name, subresource
    authenticate   who
    audit          who asked for what and what came of it, where an audit policy says so
    impersonate    as whom
    limit          who may be answered now, who waits, who gets 429 (fairness/)
    authorize      may they
    aggregate      where an APIService hands the group version to an extension server, that one answers
    negotiate      in which form the answer goes back
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any, Protocol, TypeAlias

import structlog

from apimachinery import durations, errors
from apimachinery.errors import ApiError
from apiserver import protobuf
from apiserver.authentication.impersonation import Nobody
from apiserver.authentication.impersonation import impersonate as impersonated
from apiserver.authorization.messages import denied, safe
from apiserver.call import Call, Disconnected, Receive, Response, Send, call_from, raw_segments
from apiserver.fairness import Fairness
from apiserver.metrics.requests import Row
from apiserver.metrics.server import Metrics
from apiserver.negotiation import MEDIA_TYPES, accepted, no_representation, passes_router
from apiserver.request import STREAMS, Attributes, Decision, Request, User
from apiserver.resolve import pinned_fields, request_info
from apiserver.resources import presenting
from apiserver.storage.protocol import Compacted, Full, StorageError, TooLarge, Unavailable
from serving.health import ENDPOINTS

log = structlog.get_logger("apiserver")

Proceed: TypeAlias = Callable[[Call], Awaitable[Response]]
ASGI: TypeAlias = Callable[[Any, Receive, Send], Awaitable[None]]

_TEXT = "text/plain; charset=utf-8"
#: What streams in a form that upstream's router knows.
_LOG, _LOG_TYPES = "log", ("text/plain", *MEDIA_TYPES)
#: What a refusal of the filters says beside its text, as upstream's do.
_NOSNIFF = (b"x-content-type-options", b"nosniff")
#: Requests slower than this are logged (endpoints/handlers/trace_util.go has 500 ms for most).
_SLOW_SECONDS = 1.0
#: The code of a request whose client went away before it was answered.
_LEFT = 499
_BROKEN_OFF = frozenset({429, _LEFT, 500, 503, 504})


class Authenticates(Protocol):
    """Names the user of a request, or raises 401."""

    def authenticate(self, request: Request) -> User: ...


class Authorizes(Protocol):
    """Decides on one question."""

    def authorize(self, attributes: Attributes) -> Decision: ...


@dataclass(slots=True, kw_only=True)
class Server:
    """What the stages work with."""

    authenticator: Authenticates
    authorizer: Authorizes
    metrics: Metrics
    fairness: Fairness
    clock: Callable[[], float]
    new_id: Callable[[], str]
    fresh: Callable[[], Awaitable[None]]  # waits until what authenticator and authorizer read is as new as the store
    audits: Callable[[Call, Proceed], Awaitable[Response]] | None = None
    aggregates: Callable[[Call], Response | None] | None = None
    #: The tasks of answers that take their time and are no watches: they are broken off when the server goes.
    streams: set[asyncio.Task[Any]] = field(default_factory=set)


Stage: TypeAlias = Callable[[Server, Call, Proceed], Awaitable[Response]]


async def recover(_server: Server, call: Call, proceed: Proceed) -> Response:
    """Turn whatever is raised into a Status."""
    try:
        return await proceed(call)
    except ApiError as error:
        return presenting.failed(call, error)
    except StorageError as error:
        return presenting.failed(call, from_storage(error))
    except Disconnected:
        raise
    except RecursionError:
        return presenting.failed(call, errors.bad_request("the object is nested too deeply"))
    except Exception as error:  # the top of a request: a bug must not take the server down
        log.exception("a request failed", path=call.path, method=call.method, request_id=call.id, error=repr(error))
        return presenting.failed(
            call, errors.internal(f"{type(error).__name__}; see the API server's log for request {call.id}")
        )


def from_storage(error: StorageError) -> ApiError:
    """What the store refused, in the API's words."""
    match error:
        case TooLarge():
            return errors.request_too_large(f"Request entity too large: limit is 1.5 MiB: {error.message}")
        case Full():
            text = "etcdserver: mvcc: database space exceeded"
            hint = "free space: delete objects, compact and defragment etcd, then `etcdctl alarm disarm`"
            return ApiError(500, "InternalError", f"{text} ({hint})")
        case Compacted():
            return errors.expired()
        case Unavailable():
            return ApiError(
                503, "ServiceUnavailable", f"etcd does not answer: {error.message}", {"retryAfterSeconds": 1}
            )
        case _:
            return errors.internal(error.message)


async def trace(server: Server, call: Call, proceed: Proceed) -> Response:
    """Measure, count, and log what was slow or went wrong on our side."""
    began = server.clock()
    code = 500
    try:
        response = await proceed(call)
    except ApiError as error:
        code = error.code
        raise
    except Disconnected:
        code = _LEFT
        raise
    else:
        code = response.status
        return response
    finally:
        seconds = server.clock() - began
        row = server.metrics.row(call)
        row.add(call, code, seconds)
        call.counts = row
        if code in _BROKEN_OFF:
            _count_broken(row, call, code)
        if seconds > _SLOW_SECONDS or code >= 500:
            log.warning(
                "slow or failed request", path=call.path, method=call.method, code=code, seconds=round(seconds, 3)
            )


def _count_broken(row: Row, call: Call, code: int) -> None:
    """A request that was not answered by its handler: its client left, or we could not have more, or others failed."""
    if code == _LEFT:
        row.aborted += 1
    elif call.broken_off_by:
        row.terminate(call.broken_off_by, code)


async def resolve(_server: Server, call: Call, proceed: Proceed) -> Response:
    """Say what the path means."""
    call.info = request_info(call.method, call.path, raw_segments(call.scope), call.query)
    if "timeout" in call.query:
        _check_timeout(call)
    return await proceed(call)


def _check_timeout(call: Call) -> None:
    """How long the client waits is its business, but it must be a time (endpoints/filters/request_deadline.go)."""
    text = call.first("timeout")
    if not text or call.target.verb == "watch" or call.target.subresource in STREAMS:
        return
    try:
        durations.parse(text)
    except durations.BadDuration as error:
        raise errors.bad_request(f"invalid timeout specified in the request URL - {error}") from None


async def authenticate(server: Server, call: Call, proceed: Proceed) -> Response:
    """Say who asks. A token may be younger than the cache: before it is refused, it is looked at again."""
    began, stages = perf_counter(), server.metrics.stages
    try:
        call.user = user = server.authenticator.authenticate(call)
    except ApiError:
        try:
            await server.fresh()
            call.user = user = server.authenticator.authenticate(call)
        except ApiError:
            stages.unauthenticated(perf_counter() - began)
            raise
    stages.authenticated(user.name, perf_counter() - began)
    return await proceed(call)


def audit(server: Server, call: Call, proceed: Proceed) -> Awaitable[Response]:
    """Record who asked for what and what came of it, where a policy says so."""
    return proceed(call) if server.audits is None else server.audits(call, proceed)


async def impersonate(server: Server, call: Call, proceed: Proceed) -> Response:
    """Become somebody else, where that is asked for and allowed."""
    asker, began = call.asker, perf_counter()
    try:
        call.user = impersonated(asker, call.scope, server.authorizer.authorize)
    except Nobody as error:
        call.marks = (*call.marks, _NOSNIFF)
        text = f'Internal Server Error: "{_uri(call)}": {error}\n'
        return Response(status=400, content_type=_TEXT, body=safe(text).encode())
    except ApiError:
        call.marks = (*call.marks, _NOSNIFF)
        raise
    if call.user is not asker:
        call.impersonator = asker
        server.metrics.stages.impersonation.add(perf_counter() - began)
    return await proceed(call)


def limit(server: Server, call: Call, proceed: Proceed) -> Awaitable[Response]:
    """Let in who may be answered now; let others wait, or send them away. Streams hold no seat."""
    return proceed(call) if call.target.subresource in STREAMS else server.fairness(call, proceed)


async def authorize(server: Server, call: Call, proceed: Proceed) -> Response:
    """Refuse what the user may not do. A role may be younger than the cache: before a refusal it is looked at again."""
    info = call.target
    if info.verb == "get" and info.path.removeprefix("/").partition("/")[0] in ENDPOINTS:
        return await proceed(call)  # whether the server is well can be asked while it cannot read its policy
    question = Attributes(
        user=call.asker,
        verb=info.verb,
        is_resource=info.is_resource,
        group=info.group,
        version=info.version,
        plural=info.plural,
        subresource=info.subresource,
        namespace=info.namespace,
        name=info.name,
        path=info.path,
        field_selector=pinned_fields(call.first("fieldSelector")),
    )
    began = perf_counter()
    decision = server.authorizer.authorize(question)
    if not decision.allowed:
        await server.fresh()
        decision = server.authorizer.authorize(question)
    server.metrics.stages.authorized(perf_counter() - began, allowed=decision.allowed)
    if server.audits is not None:
        call.annotations["authorization.k8s.io/decision"] = "allow" if decision.allowed else "forbid"
        call.annotations["authorization.k8s.io/reason"] = decision.reason
    if not decision.allowed:
        call.marks = (*call.marks, _NOSNIFF)
        raise denied(question, decision.reason)
    return await proceed(call)


async def aggregate(server: Server, call: Call, proceed: Proceed) -> Response:
    """Let the extension server answer that serves the group version; which forms it can answer in is its business."""
    response = server.aggregates(call) if server.aggregates is not None else None
    return response if response is not None else await proceed(call)


def _uri(call: Call) -> str:
    path = call.scope.get("raw_path", call.path.encode()).decode("latin-1")
    query = call.scope.get("query_string", b"").decode("latin-1")
    return f"{path}?{query}" if query and "?" not in path else path


async def negotiate(_server: Server, call: Call, proceed: Proceed) -> Response:
    """Choose the form of the answer."""
    info = call.target
    if info.is_resource and info.subresource not in STREAMS:
        group_version = f"{info.group}/{info.version}" if info.group else info.version
        try:
            call.accepted = accepted(
                call.headers.get("accept", ""),
                custom=not protobuf.speaks(group_version),
                streams=info.verb in ("list", "watch"),
            )
        except ApiError as error:  # first it is seen whether there is anything at the path
            call.unacceptable = error
    elif (
        info.is_resource and info.subresource == _LOG and not passes_router(call.headers.get("accept", ""), _LOG_TYPES)
    ):
        call.unacceptable = no_representation(_LOG_TYPES)
    return await proceed(call)


# Order matters. A stage may rely on everything above it and on nothing below it.
REQUEST_STAGES: tuple[Stage, ...] = (
    recover,
    trace,
    resolve,
    authenticate,
    audit,
    impersonate,
    limit,
    authorize,
    aggregate,
    negotiate,
)


def chained(server: Server, last: Proceed) -> Proceed:
    """The stages, one around the other, with `last` in the middle."""
    proceed = last
    for stage in reversed(REQUEST_STAGES):
        proceed = partial(_run, stage, server, proceed)
    return proceed


def _run(stage: Stage, server: Server, proceed: Proceed, call: Call) -> Awaitable[Response]:
    return stage(server, call, proceed)


def pipeline(server: Server, last: Proceed) -> ASGI:
    """The stages as an ASGI app: they decide on a response, then it is sent."""
    respond = chained(server, last)

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http", scope["type"]
        call = call_from(scope, receive, send, server.new_id())
        try:
            response = await respond(call)
            if response.stream is None:
                await response.send(call)
                return
            await _stream(server, call, response)
        except ApiError as error:  # of a stream, which raises it only before it has sent anything
            await presenting.failed(call, error).send(call)
        except Disconnected:
            return  # nobody is there to answer
        finally:
            if call.ending is not None:
                call.ending()

    return app


async def _stream(server: Server, call: Call, response: Response) -> None:
    """Send an answer that takes its time; watches are counted by what they watch, since writes cost by them."""
    info = call.target
    task = asyncio.current_task()
    is_watch = info.verb == "watch"
    watched = (info.group, info.plural)
    if is_watch:
        server.fairness.watchers[watched] += 1
    elif task is not None:
        server.streams.add(task)
    if call.counts is not None:
        call.counts.running += 1
    try:
        await response.send(call)
    finally:
        if call.counts is not None:
            call.counts.running -= 1
        if is_watch:
            server.fairness.watchers[watched] -= 1
        elif task is not None:
            server.streams.discard(task)

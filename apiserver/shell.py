"""What the server answers besides resources: health, metrics, version, OpenAPI, discovery, docs. FastAPI is the shell.

All of it lies behind the pipeline: who may see what is RBAC's to say (system:public-info-viewer, system:monitoring).
Resources do not pass FastAPI: the dispatcher lies in front of it, not mounted in it. A mount was measured at 55-80 us
of CPU a request, beside 110 us for the whole GET of a pod (docs/decisions/0005).
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException

from apimachinery.errors import ApiError, path_not_found
from apiserver import call as exchange
from apiserver.call import Call, Message, Receive, Send
from apiserver.discovery import routes
from apiserver.discovery.state import Discovery
from apiserver.dispatch import not_allowed
from apiserver.fairness import Fairness, dumps
from apiserver.pipeline import ASGI
from apiserver.status_bodies import status_body
from serving.asgi import Scope
from serving.health import ENDPOINTS, SLIS
from serving.version import git_version

_DESCRIPTION = """The paths that are no resources. Resources have documents of their own, one a group and version: for
example [the core group](/docs/api/v1), [apps](/docs/apis/apps/v1), [batch](/docs/apis/batch/v1); see `/openapi/v3`."""


def answering(
    resources: Callable[[Call], Awaitable[exchange.Response]], shell: ASGI
) -> Callable[[Call], Awaitable[exchange.Response]]:
    """The middle of the pipeline: resources to the dispatcher, the rest to the shell."""

    async def answer(call: Call) -> exchange.Response:
        return await resources(call) if call.target.is_resource else _passed_to(shell, call)

    return answer


def _passed_to(app: ASGI, call: Call) -> exchange.Response:
    """The answer that an ASGI app gives by itself, with the headers that every answer has."""

    async def run(receive: Receive, send: Send) -> None:
        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in message["headers"]}
                more = [header for header in exchange.COMMON_HEADERS if header[0] not in names]
                message = {
                    **message,
                    "headers": [*message["headers"], (b"audit-id", call.id.encode()), *more, *call.marks],
                }
            await send(message)

        await app({**call.scope, "method": "GET"} if takes_any_method(call.path) else call.scope, receive, headed)

    return exchange.Response(stream=run)


def takes_any_method(path: str) -> bool:
    """Whether upstream's plain mux answers a path, and not its router: it does not look at the method."""
    root, *below = path.removeprefix("/").split("/")  # `OPTIONS *` has none
    if root == "apis":
        return len(below) < 2 or below[1:] == [""]  # the list of groups, and each group
    return path == "/" or root in (*ENDPOINTS, "metrics", "openapi") or path.startswith(dumps.ROOT)


def shell(discovery: Discovery, health: ASGI, fairness: Fairness, clock: Callable[[], float]) -> ASGI:
    """The FastAPI application. Every route is a coroutine function: none needs a thread."""
    app = FastAPI(
        title="PyKube API server",
        version=git_version(),
        description=_DESCRIPTION,
        openapi_url="/docs/openapi.json",
        docs_url="/docs",
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={HTTPException: partial(_plain, discovery)},
    )
    app.include_router(routes.router(discovery))
    app.include_router(_health_router(health))

    async def fairness_dump(name: str, request: Request) -> Response:
        now = asyncio.get_running_loop().time()
        text = dumps.dump(fairness, name, dict(request.query_params), now, clock())
        if text is None:
            raise HTTPException(404)
        return PlainTextResponse(text)

    app.add_api_route(
        dumps.ROOT + "{name}", fairness_dump, tags=["debug"], summary="Priority and fairness as it is now"
    )

    async def resource_docs(name: str) -> Response:
        if name not in discovery.hashes:  # and so nothing gets into the page that is not ours
            raise HTTPException(404)
        return get_swagger_ui_html(openapi_url=f"/openapi/v3/{name}", title=f"PyKube: {name}")

    app.add_api_route("/docs/{name:path}", resource_docs, include_in_schema=False)
    return app


def _health_router(health: ASGI) -> APIRouter:
    router = APIRouter(tags=["health"])

    async def serve() -> Response:
        return _Passed(health)

    for name in ENDPOINTS:
        router.add_api_route(f"/{name}", serve, methods=["GET"], summary="ok, or which check failed (?verbose for all)")
        router.add_api_route(f"/{name}/{{check:path}}", serve, methods=["GET"], summary="One check")
    router.add_api_route("/metrics", serve, methods=["GET"], summary="Metrics for Prometheus")
    router.add_api_route(SLIS, serve, methods=["GET"], summary="How health checks came out")
    return router


class _Passed(Response):
    """A FastAPI answer that another ASGI app gives."""

    def __init__(self, app: ASGI) -> None:
        super().__init__()
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def _status(request: Request, error: ApiError) -> Response:
    body, media_type = status_body(error, request.headers.get("accept", ""))
    return Response(body, error.code, {"content-type": media_type})


async def _plain(discovery: Discovery, request: Request, error: Exception) -> Response:
    """What is not there, in upstream's words and not as FastAPI's JSON."""
    assert isinstance(error, HTTPException)
    path, code = request.scope["path"], error.status_code
    if code == 405 and discovery.respond(path, {}) is None:
        if discovery.is_near(path):
            return _status(request, path_not_found())
        code = 404
    if code == 405:
        return _status(request, not_allowed())
    if code == 404 and path.startswith("/version/"):  # whose router is not that of the rest
        return _status(request, path_not_found())
    text = routes.NOT_FOUND if code == 404 else f"{code}: {error.detail}\n"
    return PlainTextResponse(text, code, {"x-content-type-options": "nosniff"})

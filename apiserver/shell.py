"""What the server answers besides resources: health, metrics, version, OpenAPI, discovery. FastAPI is the shell.

All of it lies behind the pipeline: who may see what is RBAC's to say (system:public-info-viewer, system:monitoring).
"""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI

from apiserver.call import Call, Receive, Response, Send
from apiserver.discovery import routes
from apiserver.discovery.state import Discovery
from apiserver.discovery.version import git_version
from apiserver.pipeline import ASGI
from apiserver.resources.api import Api
from serving.health import Check, is_health_path

#: How long a health check waits for the store.
_CHECK_SECONDS = 2.0


def shell(discovery: Discovery) -> FastAPI:
    """The FastAPI application."""
    app = FastAPI(
        title="PyKube API server",
        version=git_version(),
        openapi_url="/docs/openapi.json",
        docs_url="/docs",
        redoc_url=None,
    )
    app.include_router(routes.router(discovery))
    return app


def health_checks(api: Api, is_ready: Callable[[], bool]) -> dict[str, Check]:
    """The named checks of /readyz and /healthz."""

    async def etcd() -> None:
        await api.cache.wait_fresh(_CHECK_SECONDS)

    async def post_start() -> None:
        if not is_ready():
            raise RuntimeError("not finished")

    return {"etcd": etcd, "poststarthook/bootstrap-controller": post_start}


def answering(
    discovery: Discovery, resources: Callable[[Call], Awaitable[Response]], health: ASGI
) -> Callable[[Call], Awaitable[Response]]:
    """The middle of the pipeline: resources to the dispatcher, the rest to discovery, health and the shell."""
    rest = shell(discovery)

    async def answer(call: Call) -> Response:
        if call.target.is_resource:
            return await resources(call)
        if is_health_path(call.path):
            return _passed_to(health, call)
        if call.method in ("GET", "HEAD") and call.path.startswith("/api") and (found := _document(discovery, call)):
            return found
        return _passed_to(rest, call)

    return answer


def _passed_to(app: ASGI, call: Call) -> Response:
    """The answer that an ASGI app gives by itself."""

    async def run(receive: Receive, send: Send) -> None:
        await app(call.scope, receive, send)

    return Response(stream=run)


def _document(discovery: Discovery, call: Call) -> Response | None:
    """A discovery document, None where there is none at the path."""
    query = call.scope.get("query_string", b"").decode("latin-1")
    found = discovery.respond(call.path, call.headers, query)
    if found is None:
        return None
    headers = {name.lower(): value for name, value in found.headers}
    content_type = headers.pop("content-type", "")
    headers.pop("cache-control", None)
    return Response(status=found.status, headers=list(headers.items()), content_type=content_type, body=found.body)

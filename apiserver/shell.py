"""What the server answers besides resources: health, metrics, version, OpenAPI, discovery, docs. FastAPI is the shell.

All of it lies behind the pipeline: who may see what is RBAC's to say (system:public-info-viewer, system:monitoring).
The documents that clients ask for are answered without FastAPI, which is imported when somebody opens /docs: its import
alone takes longer than everything else a server does before it is ready, and a third of its memory.
"""

import asyncio
from collections.abc import Awaitable, Callable

from apiserver.call import Call, Receive, Response, Send
from apiserver.discovery.state import Discovery
from apiserver.discovery.version import git_version
from apiserver.pipeline import ASGI
from apiserver.resources.api import Api
from serving.health import Check, is_health_path

#: How long a health check waits for the store.
_CHECK_SECONDS = 2.0


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
    shells: list[ASGI] = []

    async def answer(call: Call) -> Response:
        if call.target.is_resource:
            return await resources(call)
        if is_health_path(call.path):
            return _passed_to(health, call)
        if call.method in ("GET", "HEAD") and (found := await _document(discovery, call)):
            return found
        if call.path != "/docs" and not call.path.startswith("/docs/"):
            return Response(status=404, content_type="text/plain; charset=utf-8", body=b"404 page not found\n")
        if not shells:
            shells.append(await asyncio.to_thread(shell, discovery, health))
        return _passed_to(shells[0], call)

    return answer


def shell(discovery: Discovery, health: ASGI) -> ASGI:
    """The FastAPI application: everything that is no resource, with its own documentation."""
    from fastapi import FastAPI  # noqa: PLC0415 - see the module

    from apiserver.discovery import routes  # noqa: PLC0415

    app = FastAPI(
        title="PyKube API server",
        version=git_version(),
        openapi_url="/docs/openapi.json",
        docs_url="/docs",
        redoc_url=None,
    )
    app.include_router(routes.router(discovery))
    app.mount("/", health)
    return app


def _passed_to(app: ASGI, call: Call) -> Response:
    """The answer that an ASGI app gives by itself."""

    async def run(receive: Receive, send: Send) -> None:
        await app(call.scope, receive, send)

    return Response(stream=run)


async def _document(discovery: Discovery, call: Call) -> Response | None:
    """A discovery document, None where there is none at the path."""
    query = call.scope.get("query_string", b"").decode("latin-1")
    if call.path.startswith("/openapi/"):  # the first one takes a noticeable fraction of a second
        found = await asyncio.to_thread(discovery.respond, call.path, call.headers, query)
    else:
        found = discovery.respond(call.path, call.headers, query)
    if found is None:
        return None
    headers = {name.lower(): value for name, value in found.headers}
    content_type = headers.pop("content-type", "")
    headers.pop("cache-control", None)
    return Response(status=found.status, headers=list(headers.items()), content_type=content_type, body=found.body)

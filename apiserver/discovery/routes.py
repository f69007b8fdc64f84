"""The discovery documents as an ASGI application and as FastAPI routes.

Authentication and authorization happen before: whoever mounts this puts it behind the pipeline. OpenAPI documents are
built in a worker thread, since the first one takes a noticeable fraction of a second.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from fastapi import APIRouter, Request, Response

from apiserver.discovery.state import Discovery
from apiserver.discovery.state import Response as Answer

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

#: What a server routes here besides /api and /apis themselves.
PATHS = ("/", "/version", "/openapi/v2", "/openapi/v3", "/openapi/v3/{name:path}")


async def answer(state: Discovery, path: str, headers: Mapping[str, str], query: str = "") -> Answer | None:
    """The answer to a GET of any discovery path; None where no document is."""
    if path.startswith("/openapi/"):
        return await asyncio.to_thread(state.respond, path, headers, query)
    return state.respond(path, headers, query)


def router(state: Discovery) -> APIRouter:
    """Routes for the documents outside /api and /apis (and for the OIDC documents, where there are any)."""
    routes = APIRouter()

    async def serve(request: Request) -> Response:
        found = await answer(state, request.url.path, dict(request.headers), request.url.query)
        if found is None:
            return Response("404 page not found\n", 404, media_type="text/plain")
        return Response(found.body, found.status, dict(found.headers))

    for path in (*PATHS, *state.fixed):
        routes.add_api_route(path, serve, methods=["GET", "HEAD"], include_in_schema=False)
    return routes


def application(state: Discovery) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """All documents, those at /api and /apis too, as a bare ASGI application: anything else is a 404."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - a GET has no body
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        found = await answer(state, scope["path"], headers, scope.get("query_string", b"").decode("latin-1"))
        found = found or Answer(404, (("content-type", "text/plain"),), b"404 page not found\n")
        raw = [(name.encode(), value.encode()) for name, value in found.headers]
        raw.append((b"content-length", str(len(found.body)).encode()))
        await send({"type": "http.response.start", "status": found.status, "headers": raw})
        await send({"type": "http.response.body", "body": found.body})

    return app

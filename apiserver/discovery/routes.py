"""The discovery documents as FastAPI routes.

Authentication and authorization happen before: whoever includes this puts it behind the pipeline. OpenAPI documents are
built in a worker thread, since the first one takes a noticeable fraction of a second.
"""

import asyncio
from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from apimachinery.errors import path_not_found
from apiserver.discovery.state import Discovery
from apiserver.status_bodies import status_body

NOT_FOUND = "404 page not found\n"
#: Path -> what is found there. Each but OpenAPI's is answered with a slash at its end too, as upstream does.
PATHS: Mapping[str, str] = {
    "/": "The paths that there are",
    "/api": "Versions of the core group, or all its resources for clients that ask for aggregated discovery",
    "/api/{version}": "Resources of the core group",
    "/apis": "The named groups, or all their resources",
    "/apis/{group}": "One group and its versions",
    "/apis/{group}/{version}": "Resources of one group in one version",
    "/version": "The server's version",
    "/openapi/v2": "Schemas and operations of all resources (OpenAPI v2)",
    "/openapi/v3": "Where the OpenAPI v3 documents are",
    "/openapi/v3/{name:path}": "Schemas and operations of one group in one version (OpenAPI v3)",
}


def router(state: Discovery) -> APIRouter:
    """Routes for all documents, with those that others leave with `state` (OIDC)."""
    routes = APIRouter(tags=["discovery"])

    async def serve(request: Request) -> Response:
        path, headers, query = request.scope["path"], dict(request.headers), request.url.query
        if path.startswith("/openapi/"):
            found = await asyncio.to_thread(state.respond, path, headers, query)
        else:
            found = state.respond(path, headers, query)
        if found is None and state.is_near(path):
            body, media_type = status_body(path_not_found(), headers.get("accept", ""))
            return Response(body, 404, {"content-type": media_type})
        if found is None and path.startswith("/openapi/v3/"):
            return Response(status_code=404)
        if found is None:
            return Response(NOT_FOUND, 404, {"x-content-type-options": "nosniff"}, "text/plain")
        return Response(found.body, found.status, dict(found.headers))

    for path, summary in {**PATHS, **dict.fromkeys(state.fixed, "Service account tokens: issuer and keys")}.items():
        routes.add_api_route(path, serve, methods=["GET"], summary=summary)
        if path != "/" and not path.startswith("/openapi/"):
            routes.add_api_route(f"{path}/", serve, methods=["GET"], include_in_schema=False)
    return routes

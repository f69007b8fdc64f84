"""The end of the pipeline: which handler answers a resource request, and 404 or 405 where none does."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeAlias

from apimachinery import errors
from apimachinery.errors import ApiError
from apiserver import negotiation, watch
from apiserver.call import Call, Response
from apiserver.registry import Handler, Resource
from apiserver.request import CONNECTS
from apiserver.resources import deleting, listing, patching, reading, writing
from apiserver.resources.api import Api

ApiHandler: TypeAlias = Callable[[Api, Call, Resource], Awaitable[Response]]

#: What each verb does with an object or a collection, whatever its kind.
VERBS: Mapping[str, ApiHandler] = {
    "create": writing.create,
    "delete": deleting.delete,
    "deletecollection": deleting.delete_collection,
    "get": reading.get,
    "list": listing.list_objects,
    "patch": patching.patch_object,
    "update": writing.update,
    "watch": watch.watch,
}
#: What upstream's router says of a path that leads to no API group at all.
NOT_FOUND = b"404 page not found\n"
_TEXT = "text/plain; charset=utf-8"
#: Verbs that need the name of an object, and those that must not have one.
_NAMED = ("delete", "get", "patch", "update")
_UNNAMED = ("create",)
_READS_MANY = ("list", "watch")
_OF_MANY = ("list", "watch", "deletecollection")


class Dispatcher:
    """Finds the handler of a resource request."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._verbs = {verb: partial(handler, api) for verb, handler in VERBS.items()}

    async def __call__(self, call: Call) -> Response:
        """Answer a request for a resource. Raises 404, 405, 406."""
        info = call.target
        resource = self._api.registry.find(info.group, info.version, info.plural)
        if resource is None:
            await self._api.fresh()
            self._api.catch_up()
            resource = self._api.registry.find(info.group, info.version, info.plural)
        is_nowhere = resource is None and info.group and not self._api.registry.has_built_in(info.group)
        if is_nowhere or (resource is not None and not resource.is_typed and not _is_in_scope(resource, call)):
            headers = (("x-content-type-options", "nosniff"),)
            return Response(status=404, content_type=_TEXT, headers=headers, body=NOT_FOUND)
        if resource is None or not _fits(resource, call):
            raise errors.path_not_found()
        if not resource.is_typed:  # upstream looks for what there is of it after it has warned
            _warn(call, resource)
        handler = self._handler(resource, call)
        if call.method == "PATCH" and resource.warnings:
            negotiation.patch_type(call.headers.get("content-type", ""), negotiation.PATCH_TYPES)
        if not (info.verb in _READS_MANY and negotiation.passes_router(call.headers.get("accept", ""))):
            call.must_be_acceptable()  # of a list the handler asks, when it has looked at the parameters
        _warn(call, resource)
        return await handler(call, resource)

    def _handler(self, resource: Resource, call: Call) -> Handler:
        info = call.target
        if call.method == "HEAD" and resource.is_typed and info.subresource != "proxy":
            raise not_allowed()
        if info.subresource:
            verbs = resource.subresources.get(info.subresource)
            if verbs is None:
                raise errors.path_not_found() if resource.is_typed else resource.not_found(info.name)
            verb = "get" if call.method == "OPTIONS" and info.subresource == "proxy" else info.verb
            if verb not in verbs:
                raise _unsupported(resource, verb)
            if info.subresource in CONNECTS and resource.is_typed and "dryRun" in call.query:
                raise errors.bad_request("dryRun is not supported")
            return verbs[verb]
        if not info.verb:
            raise _unsupported(resource, "")
        if not resource.is_typed and not info.name and info.verb in _NAMED:
            raise _nameless(call)
        if info.verb not in resource.kind.verbs or info.verb not in self._verbs or not _has_right_path(resource, call):
            raise not_allowed()
        if resource.respond is not None:
            return partial(writing.respond, self._api)
        return resource.subresources.get("", {}).get(info.verb) or self._verbs[info.verb]


def _fits(resource: Resource, call: Call) -> bool:
    """Whether a path with a namespace can be one of this resource; `/namespaces/x` names the object itself."""
    info = call.target
    if resource.kind.namespaced:
        return bool(info.namespace) or not info.name or info.verb in _OF_MANY  # whose name is a field selector's
    return not info.namespace or info.plural == "namespaces"


def _has_right_path(resource: Resource, call: Call) -> bool:
    """Named verbs on a named path; objects of namespaced kinds in a namespace."""
    info = call.target
    if info.verb in _UNNAMED and info.name:
        return False
    needs_namespace = info.verb in (*_NAMED, *_UNNAMED, "deletecollection")
    if resource.kind.namespaced and needs_namespace and not info.namespace:
        if info.is_nameless and info.verb == "deletecollection":
            raise errors.bad_request("Namespace parameter required.")
        return info.is_nameless and info.verb in _UNNAMED  # which is then refused for want of a namespace
    return bool(info.name) or info.verb not in _NAMED


def _is_in_scope(resource: Resource, call: Call) -> bool:
    """Whether a custom resource's path has a namespace where it needs one: another is handed on, and found nowhere."""
    if resource.kind.namespaced:
        return bool(call.target.namespace) or call.target.is_nameless or call.target.verb in _READS_MANY
    return not call.target.namespace


def _nameless(call: Call) -> ApiError:
    """What the handlers of custom resources say, before which no router stands. Raises 415 for no patch."""
    if call.method == "PATCH":
        served = tuple(type_ for type_ in negotiation.PATCH_TYPES if type_ != negotiation.STRATEGIC_PATCH)
        negotiation.patch_type(call.headers.get("content-type", ""), served, custom=True)
    return errors.bad_request("name must be provided")


def _warn(call: Call, resource: Resource) -> None:
    for text in resource.warnings:
        call.warn(text)


def _unsupported(resource: Resource, verb: str) -> ApiError:
    """405 of the router, or of the handler of custom resources, which stands behind no router."""
    kind = resource.kind
    return not_allowed() if resource.is_typed else errors.method_not_allowed(kind.group, kind.plural, verb)


def not_allowed() -> ApiError:
    """405 as upstream's router says it."""
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

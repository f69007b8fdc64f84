"""`/scale`: an object's replica count as an autoscaling/v1 Scale. A write changes spec.replicas and nothing else.

Works for every kind with spec.replicas, spec.selector and status.replicas (deployments, replica sets, stateful sets,
replication controllers). Source: pkg/registry/apps/deployment/storage/storage.go (ScaleREST).
"""

from collections.abc import Callable

import msgspec

from apimachinery import errors, selectors
from apimachinery.errors import FieldError
from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver import negotiation
from apiserver.call import Call, Response
from apiserver.registry import Handler, Resource
from apiserver.resources import committing, decoding, fields, presenting, reading, writing
from apiserver.resources.api import Api
from apiserver.resources.options import write_options
from apiserver.resources.stages import Write

#: No resource of its own: it exists as a subresource only.
SCALE = Kind(group="autoscaling", kind="Scale", plural="scales", verbs=())
_META = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def handlers(api: Api) -> dict[str, Handler]:
    """The verbs of /scale."""

    async def get(call: Call, resource: Resource) -> Response:
        entry = await reading.find(api, call, resource, call.first("resourceVersion"))
        return _answer(call, entry.tree)

    async def update(call: Call, resource: Resource) -> Response:
        body = await fields.typed_body(call, SCALE)
        decoding.check_name(body, call.target.name)
        return await _write(api, call, resource, lambda _now: body)

    async def patch(call: Call, resource: Resource) -> Response:
        media_type = negotiation.patch_type(call.headers.get("content-type", ""), writing.SERVED_PATCHES)
        apply = writing.patcher(resource, media_type, await call.body())
        return await _write(api, call, resource, apply)

    return {"get": get, "update": update, "patch": patch}


def of(tree: Json) -> Json:
    """The Scale of an object."""
    spec, status = tree.get("spec") or {}, tree.get("status") or {}
    found: Json = {"replicas": status.get("replicas", 0)}
    if selector := _selector_text(spec.get("selector")):
        found["selector"] = selector
    return {
        "kind": SCALE.kind,
        "apiVersion": SCALE.api_version,
        "metadata": {name: tree["metadata"][name] for name in _META if name in tree["metadata"]},
        "spec": {"replicas": spec["replicas"]} if spec.get("replicas") else {},
        "status": found,
    }


def _selector_text(selector: Json | None) -> str:
    """A label selector in the form of a query parameter; replication controllers have a plain map."""
    if not selector:
        return ""
    if "matchLabels" in selector or "matchExpressions" in selector:
        return str(selectors.from_label_selector(selector))
    return str(selectors.from_labels(selector))


async def _write(api: Api, call: Call, resource: Resource, change: Callable[[Json], Json]) -> Response:
    def source(old: Json | None) -> Json:
        assert old is not None
        scale = change(of(old))
        decoding.metadata_of(scale)
        writing.check_version(resource, scale, old, is_needed=False)
        spec = scale.get("spec") or {}
        replicas = spec.get("replicas", 0) if isinstance(spec, dict) else None
        _check(replicas, old["metadata"]["name"])
        return {**old, "spec": {**old["spec"], "replicas": replicas}}

    options = write_options(call)
    write = Write(
        api=api,
        call=call,
        resource=resource,
        attributes=writing.attributes_of(call, dry_run=options.dry_run),
        options=options,
        source=source,
        subresource="scale",
        now=api.clock(),
    )
    committed = await committing.update(write, writing.key_of(call, resource))
    return _answer(call, committed.entry.tree)


def _check(replicas: object, name: str) -> None:
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise errors.bad_request(
            'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal into Go struct field '
            "ScaleSpec.spec.replicas of type int32"
        )
    if replicas < 0:
        problem = FieldError("spec.replicas", errors.INVALID, "must be greater than or equal to 0", replicas)
        raise errors.invalid(SCALE.group, SCALE.kind, name, [problem])


def _answer(call: Call, tree: Json) -> Response:
    return presenting.encoded(call, msgspec.json.encode(of(tree)))

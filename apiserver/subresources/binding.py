"""`pods/NAME/binding` (and a POST to `bindings`): a pod gets its node, once and for all.

Source: pkg/registry/core/pod/storage/storage.go (BindingREST), pkg/apis/core/validation (ValidatePodBinding).
"""

from functools import partial

from apimachinery import errors, times
from apimachinery.errors import FieldError
from apimachinery.kinds import BINDINGS, PODS
from apimachinery.types import Json
from apiserver.call import Call, Response
from apiserver.registry import Handler, Resource
from apiserver.resources import decoding, fields, presenting, raw, reviewing
from apiserver.resources.addressing import attributes_of
from apiserver.resources.api import Api
from apiserver.resources.options import write_options
from apiserver.resources.preconditions import failed_precondition

_SCHEDULED = "PodScheduled"


def handlers(api: Api) -> dict[str, Handler]:
    """The one verb of pods/binding."""

    async def create(call: Call, _resource: Resource) -> Response:
        return await bind(api, call, call.target.name)

    return {"create": create}


def collection_handler(api: Api) -> Handler:
    """POST to `bindings`: the pod is named by the body."""

    async def create(call: Call, _resource: Resource) -> Response:
        return await bind(api, call, "")

    return create


async def bind(api: Api, call: Call, pod: str) -> Response:
    """Give the pod the node that the body names."""
    options = write_options(call)
    binding = await fields.typed_body(call, BINDINGS)
    on_pod = call.target.subresource == "binding"
    subject = partial(
        reviewing.posted,
        call,
        api.registry.of(PODS if on_pod else BINDINGS),
        attributes_of(call, name=pod or str((binding.get("metadata") or {}).get("name") or "")),
        BINDINGS,
        options,
    )
    binding = await api.admission.review(subject, binding, call.warn)
    meta = decoding.place(binding, BINDINGS, call.target.namespace)["metadata"]
    name = str(meta.get("name") or "")
    if pod and name != pod:
        raise errors.bad_request("name in URL does not match name in Binding object")
    if problems := _problems(binding):
        raise errors.unconverted(errors.joined(problems))
    now = times.rfc3339(api.clock())
    resource = api.registry.of(PODS)
    key = PODS.storage_key(call.target.namespace, name)

    def change(pod: Json) -> Json:
        _check_meant(pod, binding, key, resource, dry_run=options.dry_run)
        return bound(pod, binding, now)

    await raw.modify(api, resource, key, change, dry_run=options.dry_run)
    return presenting.status(call, code=201)


def _problems(binding: Json) -> list[FieldError]:
    target = binding.get("target") or {}
    problems = []
    if target.get("kind") not in (None, "", "Node"):
        problems.append(errors.not_supported("target.kind", target["kind"], ("Node", "<empty>")))
    if not target.get("name"):
        problems.append(FieldError("target.name", errors.REQUIRED))
    return problems


def _check_meant(pod: Json, binding: Json, key: str, resource: Resource, *, dry_run: bool) -> None:
    """Raise 409 for another pod, or another version of it, than the binding names."""
    meta, wanted = pod["metadata"], binding["metadata"]
    for name, what in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        if wanted.get(name) and wanted[name] != meta[name]:
            why = failed_precondition(key, what, wanted[name], meta[name], dry_run=dry_run)
            raise resource.conflict(meta["name"], why)


def bound(pod: Json, binding: Json, now: str) -> Json:
    """The pod on its node. Raises 409 when it cannot be bound (any more)."""
    meta, wanted, spec = pod["metadata"], binding["metadata"], pod["spec"]
    node = binding["target"]["name"]
    if meta.get("deletionTimestamp"):
        raise _conflict(meta["name"], f"pod {meta['name']} is being deleted, cannot be assigned to a host")
    if spec.get("nodeName"):
        raise _conflict(meta["name"], f'pod {meta["name"]} is already assigned to node "{spec["nodeName"]}"')
    if spec.get("schedulingGates"):
        raise _conflict(meta["name"], f"pod {meta['name']} has non-empty .spec.schedulingGates")
    spec["nodeName"] = node
    for field in ("annotations", "labels"):
        if wanted.get(field):
            meta[field] = {**(meta.get(field) or {}), **wanted[field]}
    status = pod.setdefault("status", {})
    condition = {"type": _SCHEDULED, "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
    others = [c for c in status.get("conditions") or () if c.get("type") != _SCHEDULED]
    status["conditions"] = [*others, condition]
    return pod


def _conflict(name: str, why: str) -> errors.ApiError:
    return errors.conflict("", "pods/binding", name, why)

"""`pods/NAME/eviction`: a delete that asks the pod's PodDisruptionBudget first.

Source: pkg/registry/core/pod/storage/eviction.go.
"""

from dataclasses import dataclass, replace
from functools import partial

from apimachinery import errors, selectors, times
from apimachinery.errors import ApiError
from apimachinery.kinds import CREATE_ONLY, PODDISRUPTIONBUDGETS, PODS, Kind
from apimachinery.types import Json
from apiserver.call import Call, Response
from apiserver.registry import Handler, Resource
from apiserver.resources import committing, decoding, deleting, fields, presenting, raw, reviewing
from apiserver.resources.api import Api
from apiserver.resources.options import DeleteOptions, delete_options, write_options
from apiserver.resources.writing import attributes_of

EVICTION = Kind(group="policy", kind="Eviction", plural="evictions", verbs=CREATE_ONLY)
_RETRY_SECONDS = 10
_MOST_DISRUPTED = 2000
_VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."
_SEVERAL = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
_TARGET = "DisruptionTarget"


def handlers(api: Api) -> dict[str, Handler]:
    """The one verb of pods/eviction."""

    async def create(call: Call, resource: Resource) -> Response:
        return await evict(api, call, resource)

    return {"create": create}


async def evict(api: Api, call: Call, resource: Resource) -> Response:
    """Delete the pod if its budget allows. Raises 429 where it does not."""
    name, namespace = call.target.name, call.target.namespace
    body = await fields.typed_body(call, EVICTION, older="policy/v1beta1")
    subject = partial(reviewing.posted, call, resource, attributes_of(call), EVICTION, write_options(call))
    options = _options(call, await api.admission.review(subject, body, call.warn), name)
    key = PODS.storage_key(namespace, name)
    entry = await committing.read(api, key)
    if entry is None:
        raise resource.not_found(name)
    pod = entry.tree
    if not _ignores_budgets(pod):
        budgets = [b for b in api.lookup.list(PODDISRUPTIONBUDGETS, namespace) if _covers(b, pod)]
        if len(budgets) > 1:
            raise errors.internal(_SEVERAL)
        if budgets and _needs_permission(budgets[0], pod):
            await _take(api, budgets[0], name, dry_run=options.dry_run)
    now = times.rfc3339(api.clock())
    await raw.modify(api, resource, key, lambda tree: marked(tree, now), dry_run=options.dry_run)
    pinned = replace(options, uid=options.uid or pod["metadata"]["uid"])  # never a namesake that came later
    await deleting.remove(api, resource, key, pinned, attributes_of(call, verb="delete"), call=call)
    return presenting.status(call, code=201)


def _options(call: Call, eviction: Json, name: str) -> DeleteOptions:
    said = decoding.metadata_of(eviction).get("name")
    if said != name:
        raise errors.bad_request("name in URL does not match name in Eviction object")
    return delete_options(call, eviction.get("deleteOptions") or {})


def _ignores_budgets(pod: Json) -> bool:
    """Pods that do not run disturb nobody."""
    phase = (pod.get("status") or {}).get("phase")
    return bool(pod["metadata"].get("deletionTimestamp")) or phase in ("Succeeded", "Failed", "Pending")


def _covers(budget: Json, pod: Json) -> bool:
    selector = selectors.from_label_selector((budget.get("spec") or {}).get("selector"))
    return selector.matches(pod["metadata"].get("labels") or {})


def _needs_permission(budget: Json, pod: Json) -> bool:
    """Whether the pod counts: one that is not ready may go where enough others are healthy, or always."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    if any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions):
        return True
    if (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return False
    status = budget.get("status") or {}
    return not status.get("currentHealthy", 0) >= status.get("desiredHealthy", 0) > 0


@dataclass(frozen=True, slots=True)
class _Ticket:
    """One permission to disrupt, to be taken from a budget."""

    pod: str
    now: str

    def taken(self, budget: Json) -> Json:
        """The budget with one disruption less. Raises 429, 403."""
        name, status = budget["metadata"]["name"], budget.setdefault("status", {})
        allowed = status.get("disruptionsAllowed", 0)
        if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
            raise _too_many(f"The disruption budget {name} is still being processed by the server.")
        if allowed < 0:
            raise _forbidden(name, "pdb disruptions allowed is negative")
        if len(status.get("disruptedPods") or {}) > _MOST_DISRUPTED:
            raise _forbidden(name, "DisruptedPods map too big - too many evictions not confirmed by PDB controller")
        if allowed == 0:
            desired, current = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
            raise _too_many(f"The disruption budget {name} needs {desired} healthy pods and has {current} currently")
        status["disruptionsAllowed"] = allowed - 1
        status["disruptedPods"] = {**(status.get("disruptedPods") or {}), self.pod: self.now}
        return budget


async def _take(api: Api, budget: Json, pod: str, *, dry_run: bool) -> None:
    meta = budget["metadata"]
    key = PODDISRUPTIONBUDGETS.storage_key(meta["namespace"], meta["name"])
    ticket = _Ticket(pod, times.rfc3339(api.clock()))
    await raw.modify(api, api.registry.of(PODDISRUPTIONBUDGETS), key, ticket.taken, dry_run=dry_run)


def _too_many(cause: str) -> ApiError:
    error = errors.too_many_requests(_VIOLATES, _RETRY_SECONDS)
    error.details["causes"] = [{"reason": "DisruptionBudget", "message": cause}]
    return error


def _forbidden(name: str, why: str) -> ApiError:
    return errors.forbidden(PODDISRUPTIONBUDGETS.group, PODDISRUPTIONBUDGETS.plural, name, why)


def marked(pod: Json, now: str) -> Json:
    """The pod with the condition that says why it goes."""
    status = pod.setdefault("status", {})
    conditions = status.get("conditions") or []
    if any(c.get("type") == _TARGET and c.get("status") == "True" for c in conditions):
        return pod
    condition = {
        "type": _TARGET,
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": now,
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    status["conditions"] = [*[c for c in conditions if c.get("type") != _TARGET], condition]
    return pod

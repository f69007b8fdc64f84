"""`pods/NAME/eviction`: a delete that asks the pod's PodDisruptionBudget first.

Source: pkg/registry/core/pod/storage/eviction.go.
"""

from dataclasses import dataclass, replace
from functools import partial

from apimachinery import errors, selectors, times
from apimachinery.errors import ApiError, FieldError
from apimachinery.kinds import CREATE_ONLY, PODDISRUPTIONBUDGETS, PODS, Kind
from apimachinery.types import Json
from apiserver.call import Call, Response
from apiserver.registry import Handler, Resource
from apiserver.resources import committing, decoding, deleting, fields, presenting, raw, reviewing
from apiserver.resources.addressing import attributes_of
from apiserver.resources.api import Api
from apiserver.resources.options import DeleteOptions, delete_options, write_options

EVICTION = Kind(group="policy", kind="Eviction", plural="evictions", verbs=CREATE_ONLY)
_RETRY_SECONDS = 10
_MOST_DISRUPTED = 2000
_VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."
_SEVERAL = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
_TARGET = "DisruptionTarget"
_ALLOWED = "DisruptionAllowed"
_IGNORE_STORE = "ignoreStoreReadErrorWithClusterBreakingPotential"
_NOT_HERE = "can not be set for pod eviction, try after removing the option"


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
    pod, unready = entry.tree, ""
    if not _ignores_budgets(pod):
        await api.fresh()  # a budget may have been made just now
        budgets = [b for b in api.lookup.list(PODDISRUPTIONBUDGETS, namespace) if _covers(b, pod)]
        if len(budgets) > 1:
            raise ApiError(500, "", _SEVERAL)
        if budgets and _needs_permission(budgets[0], pod):
            await _take(api, budgets[0], name, dry_run=options.dry_run)
        elif budgets:
            unready = budgets[0]["metadata"]["name"]
    now = times.rfc3339(api.clock())

    def mark(tree: Json) -> Json:
        if unready and _is_ready(tree):
            raise _processed(unready)  # it has become ready since: now the budget counts it
        return marked(tree, now)

    await raw.modify(api, resource, key, mark, dry_run=options.dry_run)
    pinned = replace(options, uid=options.uid or pod["metadata"]["uid"])  # never a namesake that came later
    await deleting.remove(api, resource, key, pinned, attributes_of(call, verb="delete"), call=call)
    return presenting.status(call, code=201)


def _options(call: Call, eviction: Json, name: str) -> DeleteOptions:
    said = decoding.metadata_of(eviction).get("name")
    if said != name:
        raise errors.bad_request("name in URL does not match name in Eviction object")
    options = eviction.get("deleteOptions") or {}
    if options.get(_IGNORE_STORE):
        problem = FieldError(f"deleteOptions.{_IGNORE_STORE}", errors.INVALID, _NOT_HERE, value=True)
        raise errors.invalid(EVICTION.group, EVICTION.kind, name, [problem])
    asked = list(call.query.get("dryRun", ()))
    wanted = options.get("dryRun") or asked
    if asked and wanted != asked:
        why = "Non-matching dry-run options in request and content"
        raise errors.unconverted(f"{why}: {errors.go_value(asked)} and {errors.go_value(wanted)}")
    return delete_options(call, {**options, "dryRun": wanted})


def _ignores_budgets(pod: Json) -> bool:
    """Pods that do not run disturb nobody."""
    phase = (pod.get("status") or {}).get("phase")
    return bool(pod["metadata"].get("deletionTimestamp")) or phase in ("Succeeded", "Failed", "Pending")


def _covers(budget: Json, pod: Json) -> bool:
    selector = selectors.from_label_selector((budget.get("spec") or {}).get("selector"))
    return selector.matches(pod["metadata"].get("labels") or {})


def _needs_permission(budget: Json, pod: Json) -> bool:
    """Whether the pod counts: one that is not ready may go where enough others are healthy, or always."""
    if _is_ready(pod):
        return True
    if (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return False
    status = budget.get("status") or {}
    return not status.get("currentHealthy", 0) >= status.get("desiredHealthy", 0) > 0


def _is_ready(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


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
            raise _processed(name)
        if allowed < 0:
            raise _forbidden(name, "pdb disruptions allowed is negative")
        if len(status.get("disruptedPods") or {}) > _MOST_DISRUPTED:
            raise _forbidden(name, "DisruptedPods map too big - too many evictions not confirmed by PDB controller")
        if allowed == 0:
            desired, current = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
            raise _too_many(f"The disruption budget {name} needs {desired} healthy pods and has {current} currently")
        status["disruptionsAllowed"] = allowed - 1
        status["disruptedPods"] = {**(status.get("disruptedPods") or {}), self.pod: self.now}
        if allowed == 1:
            status["conditions"] = self._none_left(status)
        return budget

    def _none_left(self, status: Json) -> list[Json]:
        """The conditions, with that which says that no more may go."""
        said: Json = {}
        conditions = list(status.get("conditions") or ())
        for condition in conditions:
            if condition.get("type") == _ALLOWED:
                said = condition
        since = self.now if said.get("status") != "False" else said.get("lastTransitionTime")
        made: Json = {"type": _ALLOWED, "status": "False", "reason": "InsufficientPods", "message": ""}
        made |= {"lastTransitionTime": since, "observedGeneration": status.get("observedGeneration", 0)}
        return [made if each is said else each for each in conditions] if said else [*conditions, made]


async def _take(api: Api, budget: Json, pod: str, *, dry_run: bool) -> None:
    meta = budget["metadata"]
    key = PODDISRUPTIONBUDGETS.storage_key(meta["namespace"], meta["name"])
    ticket = _Ticket(pod, times.rfc3339(api.clock()))
    await raw.modify(api, api.registry.of(PODDISRUPTIONBUDGETS), key, ticket.taken, dry_run=dry_run)


def _processed(budget: str) -> ApiError:
    return _too_many(f"The disruption budget {budget} is still being processed by the server.", _RETRY_SECONDS)


def _too_many(cause: str, retry_after: int = 0) -> ApiError:
    """Without advice when to come back clients of themselves do not: the one who evicts is to decide."""
    error = errors.too_many_requests(_VIOLATES, retry_after)
    error.details["causes"] = [{"reason": "DisruptionBudget", "message": cause}]
    return error


def _forbidden(name: str, why: str) -> ApiError:
    return errors.forbidden(PODDISRUPTIONBUDGETS.group, "poddisruptionbudget", name, why)


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

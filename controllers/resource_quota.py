"""Keeps the accounts of ResourceQuotas: `status.hard` as the spec has it, and `status.used` as it is counted.

The API server charges quotas for what it lets in (apiserver/admission/quota_accounts); this controller makes the
account of a new quota, gives back what was deleted, ended or shrank, and counts anew now and then, which also takes
back what was charged for a write that failed after all. A count is asked from the server, not from a cache: one that
lags behind the accounts would give away room that is taken.
Source: pkg/controller/resourcequota/resource_quota_controller.go, resource_quota_monitor.go, pkg/quota/v1/install.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from apimachinery import quotas
from apimachinery.kinds import KINDS, PERSISTENTVOLUMECLAIMS, PODS, RESOURCEQUOTAS, SERVICES, Kind
from apimachinery.pod_resources import amounts
from apimachinery.quantity import ZERO, Quantity, from_int
from apimachinery.quotas import Evaluator
from apimachinery.types import Json
from client.client import Client
from client.discovery import discover
from client.plan import Key, Patch, Plan, View, Watch, itself, key_of
from controllers.views import (
    ResourceQuota,
)

RESYNC = 300.0  # upstream's --resource-quota-sync-period
_ENDED = ("Succeeded", "Failed")
_PLACED = ("NodePort", "LoadBalancer")


@dataclass(frozen=True, slots=True)
class Counted:
    """The objects of one resource in the namespace: all of them, or where they need not be read just their number."""

    evaluator: Evaluator
    objects: tuple[Json, ...] = ()
    number: int = 0


@dataclass(frozen=True, slots=True)
class QuotasOver:
    """The quotas of an object's namespace that count objects of its kind."""

    kind: Kind

    def __call__(self, item: Any, view: View) -> Iterable[Key]:
        counts = quotas.evaluator(self.kind.group, self.kind.plural)
        found: Sequence[ResourceQuota] = view.list(RESOURCEQUOTAS, item.metadata.namespace)
        return [key_of(quota) for quota in found if counts.names(quota.spec.get("hard") or {})]


def _is_unaccounted(old: ResourceQuota | None, new: ResourceQuota | None) -> bool:
    """A quota that is new, or whose account does not fit its spec. What admission charges is no reason to count."""
    if new is None:
        return False
    hard, status = new.spec.get("hard") or {}, new.status
    changed = old is None or old.spec != new.spec
    return changed or status.get("hard", {}) != hard or not (status.get("used") or {}).keys() <= hard.keys()


def _frees(old: Any, new: Any) -> bool:
    """Whether a pod that stays takes less than before, or is in other scopes."""
    if old is None or new is None:
        return False
    ended = new.status.phase in _ENDED and old.status.phase not in _ENDED
    return ended or old.metadata.generation != new.metadata.generation


def _changes_type(old: Any, new: Any) -> bool:
    if old is None or new is None:
        return False
    was, now = (each.spec.type if each.spec.type in _PLACED else "" for each in (old, new))
    return bool(was != now)


@dataclass(frozen=True)
class ResourceQuotaController:
    """The controller of quotas."""

    name: str = "resourcequota-controller"
    watches: Sequence[Watch] = (
        Watch(RESOURCEQUOTAS, itself, _is_unaccounted),
        Watch(PODS, QuotasOver(PODS), _frees),
        Watch(SERVICES, QuotasOver(SERVICES), _changes_type),
    )

    def keys_of_any(self, kind: Kind, old: Any, new: Any, view: View) -> Iterable[Key]:
        """Every deletion gives back; so may any change of a claim, whose amounts its metadata does not show."""
        is_claim = kind.resource == PERSISTENTVOLUMECLAIMS.resource
        if not kind.namespaced or old is None or (new is not None and not is_claim):
            return ()
        return QuotasOver(kind)(old, view)

    async def look(self, client: Client, key: Key, view: View) -> Sequence[Counted]:
        """The objects that the quota counts."""
        quota: ResourceQuota | None = view.get(RESOURCEQUOTAS, key)
        hard = (quota.spec.get("hard") or {}) if quota is not None else {}
        if not hard:
            return ()
        counted = _counting(KINDS, hard)
        named = {name for _, counts in counted for name in counts.names(hard)}
        if any(name.startswith("count/") for name in hard.keys() - named):
            counted = _counting((await discover(client)).kinds, hard)
        return [await _count(client, kind, counts, key.namespace) for kind, counts in counted]

    def plan(self, key: Key, view: View, now: float, seen: Sequence[Counted]) -> Plan:
        quota: ResourceQuota | None = view.get(RESOURCEQUOTAS, key)
        if quota is None:
            return Plan()
        hard: Mapping[str, Any] = quota.spec.get("hard") or {}
        used = {name: value for name, value in (quota.status.get("used") or {}).items() if name in hard}
        used |= {name: str(amount) for each in seen for name, amount in _used(quota.spec, each, now).items()}
        if _same(quota.status.get("hard"), hard) and _same(quota.status.get("used"), used):
            return Plan(again_in=RESYNC)
        status = {
            member: {**dict.fromkeys(quota.status.get(member) or {}), **values}
            for member, values in (("hard", hard), ("used", used))
        }
        meta = quota.metadata
        patch = Patch(
            RESOURCEQUOTAS,
            key,
            meta.uid,
            {"status": status},
            subresource="status",
            resource_version=meta.resource_version,  # what was charged meanwhile must be counted, too
        )
        return Plan([patch], RESYNC)


def _counting(kinds: Iterable[Kind], hard: Iterable[str]) -> list[tuple[Kind, Evaluator]]:
    """The kinds that these names of a quota are about, each once, and how they are counted."""
    found: dict[str, tuple[Kind, Evaluator]] = {}
    for kind in kinds:
        counts = quotas.evaluator(kind.group, kind.plural)
        is_kept = kind.namespaced and "list" in kind.verbs and (kind.group, kind.plural) not in quotas.IGNORED
        if is_kept and counts.names(hard):
            found.setdefault(kind.resource, (kind, counts))
    return list(found.values())


async def _count(client: Client, kind: Kind, counts: Evaluator, namespace: str) -> Counted:
    """One consistent list; of what counts by its number alone, only that number."""
    query = {"limit": 1} if counts.is_plain else {}
    answer = msgspec.json.decode((await client.request("GET", kind.path(namespace), query=query)).content)
    items = answer.get("items") or ()
    if counts.is_plain:
        return Counted(counts, number=len(items) + (answer["metadata"].get("remainingItemCount") or 0))
    return Counted(counts, tuple(items))


def _used(spec: Json, counted: Counted, now: float) -> dict[str, Quantity]:
    """What the objects in scope take, by those names of the quota that they can take."""
    counts = counted.evaluator
    total = dict.fromkeys(counts.names(spec["hard"]), ZERO)
    if counts.is_plain:
        number = 0 if quotas.terms_of(spec) else counted.number  # scopes are about pods and claims
        return dict.fromkeys(total, from_int(number))
    for tree in counted.objects:
        if counts.is_in_scope(spec, tree):
            for name, amount in counts.usage(tree, now).items():
                if name in total:
                    total[name] += amount
    return total


def _same(left: Mapping[str, Any] | None, right: Mapping[str, Any]) -> bool:
    return left is not None and amounts(left) == amounts(right)

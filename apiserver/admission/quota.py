"""ResourceQuota: a namespace takes no more than its quotas allow. The rules, purely.

A quota's account is its status: `hard` is what the controller found in its spec, `used` what is taken. A write that
takes something is let through with the accounts as they are after it; writing them down, by compare-and-swap, is
quota_accounts.py. So the accounts are right with any number of API servers. What becomes free, and what was charged for
a write that failed after all, is noticed by the controller, which counts anew.
Source: apiserver/pkg/admission/plugin/resourcequota/controller.go (CheckRequest), pkg/quota/v1/evaluator.
"""

from collections.abc import Iterable, Mapping, Sequence

from apimachinery import kinds, quotas
from apimachinery.pod_resources import amounts, has_pod_level
from apimachinery.quantity import Quantity, from_int
from apimachinery.quotas import Evaluator, Usage
from apimachinery.types import Json
from apiserver.admission.plugin import CREATE, UPDATE, Review

_ZERO = from_int(0)
#: Under a quota for one of these every container says how much it wants. No more may join: it was a mistake once.
_MUST_SPECIFY = frozenset(("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"))


def takes(review: Review) -> Evaluator | None:
    """How the write is counted; None when it can take nothing from any quota."""
    asked = review.attributes
    if not review.namespace or (asked.group, asked.plural) in quotas.IGNORED or review.new is None:
        return None
    return quotas.evaluator(asked.group, asked.plural) if _counts(review) else None


def _counts(review: Review) -> bool:
    """Whether this operation on this resource may change what is taken."""
    sub, operation = review.subresource, review.operation
    if review.is_about(kinds.PODS, subresource=sub):
        is_update = operation == UPDATE and review.old is not None
        if sub == "resize":
            return is_update
        changes_scope = is_update and quotas.is_terminating(review.tree) != quotas.is_terminating(review.old or {})
        return not sub and (operation == CREATE or changes_scope)
    if review.is_about(kinds.PERSISTENTVOLUMECLAIMS, subresource=sub) and sub == "status":
        return operation == UPDATE
    also_updates = any(map(review.is_about, (kinds.SERVICES, kinds.PERSISTENTVOLUMECLAIMS, kinds.RESOURCECLAIMS)))
    return not sub and (operation == CREATE or (operation == UPDATE and also_updates))


def charged(review: Review, evaluator: Evaluator, quota: Json, now: float) -> Json | None:
    """The quota as it is after the write, None where the write takes nothing from it. Raises 403 to refuse."""
    if not _is_concerned(review, evaluator, quota):
        return None
    usage = evaluator.usage(review.tree, now)
    negative = sorted(name for name, amount in usage.items() if amount < _ZERO)
    if negative:
        raise review.refuse(f"quota usage is negative for resource(s): {','.join(negative)}")
    return _charged(review, quota, _delta(review, evaluator, quota, usage, now))


def _is_concerned(review: Review, evaluator: Evaluator, quota: Json) -> bool:
    """Whether the object is in the quota's scope and of a kind that it counts. Raises 403 when it cannot be counted."""
    status = quota.get("status") or {}
    names = evaluator.names(status.get("hard") or {})
    if not names or not evaluator.is_in_scope(quota.get("spec") or {}, review.tree):
        return False
    name = quota["metadata"]["name"]
    if review.is_about(kinds.PODS, subresource=review.subresource):
        _must_specify(review, name, names)
    if not (status.get("used") or {}).keys() >= set(names):
        raise review.refuse(f"status unknown for quota: {name}, resources: {','.join(names)}")
    return True


def _delta(review: Review, evaluator: Evaluator, quota: Json, usage: Usage, now: float) -> dict[str, Quantity]:
    """What the write takes in addition: never less than nothing, and all of it where the object comes into scope."""
    old = review.old
    if review.operation == UPDATE and old is not None and evaluator.is_in_scope(quota.get("spec") or {}, old):
        before = evaluator.usage(old, now)
        usage = {name: amount - before.get(name, _ZERO) for name, amount in usage.items()}
    return {name: amount for name, amount in usage.items() if amount > _ZERO}


def _charged(review: Review, quota: Json, delta: Usage) -> Json | None:
    """The quota after the write, None where it takes nothing from it."""
    hard, used = (amounts(quota["status"][member]) for member in ("hard", "used"))
    taken = {name: amount for name, amount in delta.items() if name in hard}
    if not taken:
        return None
    after = {name: used[name] + amount for name, amount in taken.items()}
    over = sorted(name for name in after if after[name] > hard[name])
    if over and review.subresource != "status":
        raise review.refuse(
            f"exceeded quota: {quota['metadata']['name']}, requested: {_shown(taken, over)}, "
            f"used: {_shown(used, over)}, limited: {_shown(hard, over)}"
        )
    written = {**quota["status"]["used"], **{name: str(amount) for name, amount in after.items()}}
    return {**quota, "status": {**quota["status"], "used": written}}


def _shown(given: Mapping[str, Quantity], names: Iterable[str]) -> str:
    return ",".join(f"{name}={given[name]}" for name in names)


def _must_specify(review: Review, quota: str, names: Sequence[str]) -> None:
    spec = review.tree["spec"]
    needed = _MUST_SPECIFY.intersection(names)
    if not needed or has_pod_level(spec):
        return
    missing: dict[str, list[str]] = {}
    for container in (*spec["containers"], *(spec.get("initContainers") or ())):
        resources = container.get("resources") or {}
        given = quotas.compute(amounts(resources.get("requests")), amounts(resources.get("limits")))
        for name in needed - given.keys():
            missing.setdefault(name, []).append(container.get("name", ""))
    if missing:
        text = "; ".join(f"{name} for: {','.join(sorted(set(missing[name])))}" for name in sorted(missing))
        raise review.refuse(f"failed quota: {quota}: must specify {text}")

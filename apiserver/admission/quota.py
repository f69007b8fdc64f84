"""ResourceQuota: a namespace holds no more than its quotas allow. Source: plugin/pkg/admission/resourcequota.

What is used is counted from the objects themselves, not from `status.used`, and from those let through a moment ago
that the cache does not show yet: a burst of creates cannot pass a quota together. (Upstream takes from the status by
compare-and-swap; several API servers will need that.) Scopes: all but VolumeAttributesClass.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from apimachinery import kinds
from apimachinery.kinds import KINDS, Kind
from apimachinery.quantity import Quantity, from_int, parse
from apimachinery.types import Json
from apiserver.admission.limits import pod_totals
from apiserver.admission.plugin import CREATE, DELETE, UPDATE, Plugin, Review
from apiserver.strategies.pod.qos import qos_class

Usage = Mapping[str, Quantity]
_ONE = from_int(1)
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_ENDED = ("Succeeded", "Failed")
#: The older names of counts.
_COUNTED = ("pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps",
            "persistentvolumeclaims")  # fmt: skip


#: Seconds after which a create that has not shown up counts no more: it was a dry run, or failed.
_PENDING_SECONDS = 3.0


@dataclass(slots=True)
class Pending:
    """The objects let through and perhaps not in the cache yet, by uid: bounded by what 3 seconds bring."""

    clock: Callable[[], float]
    _passed: dict[str, tuple[float, Kind, str, Json]] = field(default_factory=dict)

    def add(self, kind: Kind, namespace: str, tree: Json) -> None:
        uid = tree["metadata"].get("uid", "")
        if uid:
            self._passed[uid] = (self.clock(), kind, namespace, tree)

    def drop(self, uid: str) -> None:
        self._passed.pop(uid, None)

    def unseen(self, kind: Kind, namespace: str, seen: Iterable[Json]) -> Sequence[Json]:
        """What was let through of a kind and is not among the objects seen; what is among them is forgotten."""
        oldest = self.clock() - _PENDING_SECONDS
        for tree in seen:
            self._passed.pop(tree["metadata"].get("uid", ""), None)
        for uid in [uid for uid, (since, *_) in self._passed.items() if since < oldest]:
            del self._passed[uid]
        return [tree for _, of, where, tree in self._passed.values() if (of, where) == (kind, namespace)]


def resource_quota(clock: Callable[[], float]) -> Plugin:
    """The plugin with a memory of its own: one for each server."""
    pending = Pending(clock)

    def validate(review: Review) -> None:
        _validate(review, pending)

    return Plugin("ResourceQuota", validate=validate)


def _validate(review: Review, pending: Pending) -> None:
    asked = review.attributes
    if review.operation == DELETE and not asked.subresource and review.old is not None:
        pending.drop(review.old["metadata"].get("uid", ""))
    if review.operation not in (CREATE, UPDATE) or asked.subresource or not review.namespace:
        return
    kind = next((k for k in KINDS if (k.group, k.plural) == (asked.group, asked.plural)), None)
    if kind is None or not kind.is_stored:
        return
    quotas = review.lookup.list(kinds.RESOURCEQUOTAS, review.namespace)
    for quota in quotas:
        _check(review, kind, quota, pending)
    if quotas and review.operation == CREATE:
        pending.add(kind, review.namespace, review.tree)


def _check(review: Review, kind: Kind, quota: Json, pending: Pending) -> None:
    spec = quota.get("spec") or {}
    if not _in_scope(kind, review.tree, spec):
        return
    hard = {name: parse(value) for name, value in (spec.get("hard") or {}).items()}
    wanted = {name: amount for name, amount in usage(kind, review.tree).items() if name in hard}
    name = quota["metadata"]["name"]
    _must_specify(review, kind, name, hard)
    before = usage(kind, review.old) if review.old is not None else {}
    delta = {n: amount - before[n] if n in before else amount for n, amount in wanted.items()}
    delta = {n: amount for n, amount in delta.items() if amount.nanos > 0}
    if not delta:
        return
    used = _used(review, kind, spec, pending)
    over = sorted(n for n in delta if used.get(n, from_int(0)) + delta[n] > hard[n])
    if over:
        used_text = {n: used.get(n, from_int(0)) for n in over}
        raise review.refuse(
            f"exceeded quota: {name}, requested: {_shown(delta, over)}, used: {_shown(used_text, over)}, "
            f"limited: {_shown(hard, over)}"
        )


def _shown(amounts: Usage, names: Sequence[str]) -> str:
    return ",".join(f"{name}={amounts[name]}" for name in names)


def _used(review: Review, kind: Kind, spec: Json, pending: Pending) -> dict[str, Quantity]:
    """What the objects of the kind use that are in the quota's scope; on an update also the one being written."""
    total: dict[str, Quantity] = {}
    seen = review.lookup.list(kind, review.namespace)
    for tree in (*seen, *pending.unseen(kind, review.namespace, seen)):
        if _in_scope(kind, tree, spec):
            for name, amount in usage(kind, tree).items():
                total[name] = total[name] + amount if name in total else amount
    return total


def _must_specify(review: Review, kind: Kind, quota: str, hard: Usage) -> None:
    """Under a quota for cpu every container says how much cpu it wants."""
    if kind is not kinds.PODS or review.operation != CREATE:
        return
    missing: dict[str, list[str]] = {}
    for container in (*(review.tree["spec"].get("initContainers") or ()), *(review.tree["spec"]["containers"])):
        resources = container.get("resources") or {}
        for name in hard:
            member, _, resource = name.partition(".") if "." in name else ("requests", "", name)
            if (
                member in ("requests", "limits")
                and resource in _COMPUTE
                and resource not in (resources.get(member) or {})
            ):
                missing.setdefault(name, []).append(container.get("name", ""))
    if missing:
        text = "; ".join(f"{name} for: {','.join(sorted(missing[name]))}" for name in sorted(missing))
        raise review.refuse(f"failed quota: {quota}: must specify {text}")


def usage(kind: Kind, tree: Json) -> dict[str, Quantity]:
    """What one object takes from quotas, by the names that quotas use."""
    found = {f"count/{kind.resource}": _ONE}
    if not kind.group and kind.plural in _COUNTED:
        found[kind.plural] = _ONE
    more = _USAGE.get(kind)
    if more is not None:
        if kind is kinds.PODS and _is_over(tree):
            return {f"count/{kind.resource}": _ONE}
        found |= more(tree)
    return found


def _is_over(pod: Json) -> bool:
    return (pod.get("status") or {}).get("phase") in _ENDED


def _pod_usage(pod: Json) -> dict[str, Quantity]:
    requests, limits = pod_totals(pod.get("spec") or {})
    found: dict[str, Quantity] = {}
    for name, amount in requests.items():
        found[f"requests.{name}"] = amount
        if name in _COMPUTE:
            found[name] = amount
    for name, amount in limits.items():
        if name in _COMPUTE:
            found[f"limits.{name}"] = amount
    return found


def _service_usage(service: Json) -> dict[str, Quantity]:
    spec = service.get("spec") or {}
    ports = len(spec.get("ports") or ())
    if spec.get("type") == "NodePort":
        return {"services.nodeports": from_int(ports)}
    if spec.get("type") == "LoadBalancer":
        balanced = {"services.loadbalancers": _ONE}
        return (
            balanced
            if spec.get("allocateLoadBalancerNodePorts") is False
            else {**balanced, "services.nodeports": from_int(ports)}
        )
    return {}


def _claim_usage(claim: Json) -> dict[str, Quantity]:
    spec = claim.get("spec") or {}
    text = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    found: dict[str, Quantity] = {"requests.storage": parse(text)} if text is not None else {}
    name = spec.get("storageClassName")
    if name:
        prefix = f"{name}.storageclass.storage.k8s.io"
        found = {**found, f"{prefix}/persistentvolumeclaims": _ONE}
        if text is not None:
            found[f"{prefix}/requests.storage"] = parse(text)
    return found


_USAGE: Mapping[Kind, Callable[[Json], dict[str, Quantity]]] = {
    kinds.PODS: _pod_usage,
    kinds.SERVICES: _service_usage,
    kinds.PERSISTENTVOLUMECLAIMS: _claim_usage,
}


def _in_scope(kind: Kind, tree: Json, spec: Json) -> bool:
    """Whether a quota is about this object: scopes are about pods."""
    terms = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    terms += (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    if not terms:
        return True
    return kind is kinds.PODS and all(_matches(term, tree.get("spec") or {}) for term in terms)


def _matches(term: Json, spec: Json) -> bool:
    name, operator, values = term.get("scopeName"), term.get("operator"), term.get("values") or ()
    if name == "PriorityClass":
        given = spec.get("priorityClassName", "")
        by_operator = {
            "Exists": bool(given),
            "DoesNotExist": not given,
            "In": given in values,
            "NotIn": given not in values,
        }
        return by_operator.get(str(operator), False)
    deadline = spec.get("activeDeadlineSeconds") is not None
    best_effort = qos_class(spec) == "BestEffort"
    facts = {
        "Terminating": deadline,
        "NotTerminating": not deadline,
        "BestEffort": best_effort,
        "NotBestEffort": not best_effort,
        "CrossNamespacePodAffinity": _crosses(spec.get("affinity") or {}),
    }
    return facts.get(str(name), False)


def _crosses(affinity: Json) -> bool:
    """Whether a pod's (anti-)affinity looks into other namespaces."""
    terms: list[Json] = []
    for name in ("podAffinity", "podAntiAffinity"):
        tree = affinity.get(name) or {}
        terms += tree.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        preferred = tree.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        terms += [term.get("podAffinityTerm") or {} for term in preferred]
    return any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms)

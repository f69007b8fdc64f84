"""What one object takes from a ResourceQuota, and which quotas are about it: the same for admission and the controller.

    evaluator(group, plural)   how objects of a resource are counted
    Evaluator.matches          whether a quota's resource name is counted by it
    Evaluator.usage            what one object takes, by resource names
    Evaluator.is_in_scope      whether a scope (`scopes`, `scopeSelector`) holds of an object

Every resource, custom ones too, counts as `count/PLURAL.GROUP`; pods, services and claims take more than a place.
Source: pkg/quota/v1/evaluator/core, apiserver/pkg/quota/v1/generic.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from apimachinery import quantity, times
from apimachinery.pod_resources import Amounts, amounts, total_limits, total_requests
from apimachinery.qos import qos_class
from apimachinery.quantity import Quantity, from_int
from apimachinery.types import Json

Usage = Amounts
_ONE = from_int(1)

#: Never counted: what is answered and forgotten, and events.
IGNORED = frozenset(
    (
        ("", "bindings"), ("", "componentstatuses"), ("", "events"), ("events.k8s.io", "events"),
        ("authentication.k8s.io", "tokenreviews"), ("authentication.k8s.io", "selfsubjectreviews"),
        ("authorization.k8s.io", "subjectaccessreviews"), ("authorization.k8s.io", "selfsubjectaccessreviews"),
        ("authorization.k8s.io", "localsubjectaccessreviews"), ("authorization.k8s.io", "selfsubjectrulesreviews"),
    )
)  # fmt: skip
#: The names of plain counts that are older than `count/`.
_ALIASES = ("configmaps", "resourcequotas", "replicationcontrollers", "secrets")

_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_HUGEPAGES = "hugepages-"
_REQUESTS = "requests."
_POD_NAMES = frozenset(
    ("count/pods", "pods", *_COMPUTE, *(f"{part}.{name}" for part in ("requests", "limits") for name in _COMPUTE))
)
_SERVICE_NAMES = frozenset(("count/services", "services", "services.nodeports", "services.loadbalancers"))
_CLAIM_NAMES = ("persistentvolumeclaims", "requests.storage")
_BY_CLASS = ".storageclass.storage.k8s.io/"
_BY_DEVICE_CLASS = ".deviceclass.resource.k8s.io/devices"
_OLD_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
#: The most devices that one claim can get (AllocationResultsMaxSize): what "all" may come to.
_ALL_DEVICES = 32
_ENDED = ("Succeeded", "Failed")


def _no_scope(_term: Json, _tree: Json) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Evaluator:
    """How the objects of one resource are counted."""

    matches: Callable[[str], bool]
    usage: Callable[[Json, float], dict[str, Quantity]]  # the object, and now in epoch seconds
    holds: Callable[[Json, Json], bool] = _no_scope  # a term of a scope selector, the object
    is_plain: bool = False  # a count: `usage` looks at nothing of the object

    def is_in_scope(self, spec: Json, tree: Json) -> bool:
        """Whether the object is one of those that the quota is about."""
        return all(self.holds(term, tree) for term in terms_of(spec))

    def names(self, hard: Iterable[str]) -> list[str]:
        """Those of a quota's names that are counted here, sorted."""
        return sorted(filter(self.matches, hard))


def terms_of(spec: Json) -> list[Json]:
    """A quota's scopes and scope selector as one list of terms that must all hold."""
    terms: list[Json] = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    return terms + list((spec.get("scopeSelector") or {}).get("matchExpressions") or ())


def evaluator(group: str, plural: str) -> Evaluator:
    """How objects of a resource are counted."""
    return _SPECIAL.get((group, plural)) or _counting(f"{plural}.{group}" if group else plural)


def _counting(resource: str) -> Evaluator:
    names = (f"count/{resource}", *(each for each in _ALIASES if each == resource))
    return Evaluator(matches=names.__contains__, usage=lambda _tree, _now: dict.fromkeys(names, _ONE), is_plain=True)


# ------------------------------------------------------------------------------------------------------ pods


def _counts_pod(name: str) -> bool:
    return name in _POD_NAMES or name.startswith((_HUGEPAGES, _REQUESTS + _HUGEPAGES)) or _is_extended_request(name)


def _is_native(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


def _is_extended_request(name: str) -> bool:
    return name.startswith(_REQUESTS) and not _is_native(name)


def _pod_usage(pod: Json, now: float) -> dict[str, Quantity]:
    """A pod that has ended, or should long be gone, keeps its place among the objects and nothing else."""
    found = {"count/pods": _ONE}
    if not counts(pod, now):
        return found
    return found | compute(total_requests(pod), total_limits(pod))


def counts(pod: Json, now: float) -> bool:
    """Whether a pod still takes what it asked for."""
    if (pod.get("status") or {}).get("phase") in _ENDED:
        return False
    meta = pod.get("metadata") or {}
    deleted, grace = meta.get("deletionTimestamp"), meta.get("deletionGracePeriodSeconds")
    return not deleted or grace is None or now <= times.parse(deleted) + grace


def compute(requests: Amounts, limits: Amounts) -> dict[str, Quantity]:
    """Requests and limits by the names that quotas use."""
    found = {"pods": _ONE}
    for name, amount in requests.items():
        if name in _COMPUTE or name.startswith(_HUGEPAGES):
            found[name] = found[_REQUESTS + name] = amount
        elif not _is_native(name) and not name.startswith(_REQUESTS):
            found[_REQUESTS + name] = amount
    for name in _COMPUTE:
        if name in limits:
            found[f"limits.{name}"] = limits[name]
    return found


def is_terminating(pod: Json) -> bool:
    """Whether a pod has a deadline: the scope Terminating."""
    return (pod.get("spec") or {}).get("activeDeadlineSeconds") is not None


def _pod_holds(term: Json, pod: Json) -> bool:
    spec, name = pod.get("spec") or {}, term.get("scopeName")
    if name == "PriorityClass":
        given = spec.get("priorityClassName")
        return _selects(term, [given] if given else [])
    if name in ("Terminating", "NotTerminating"):
        return is_terminating(pod) is (name == "Terminating")
    if name in ("BestEffort", "NotBestEffort"):
        return (qos_class(spec) == "BestEffort") is (name == "BestEffort")
    return bool(name == "CrossNamespacePodAffinity") and _crosses(spec.get("affinity") or {})


def _selects(term: Json, values: Collection[str]) -> bool:
    """A term over something of which an object may name none, or several where any will do."""
    operator, wanted = term.get("operator"), term.get("values") or ()
    match operator:
        case "Exists":
            return bool(values)
        case "DoesNotExist":
            return not values
        case "In":
            return any(each in wanted for each in values)
        case "NotIn":
            return not values or any(each not in wanted for each in values)
    return False


def _crosses(affinity: Json) -> bool:
    """Whether a pod's (anti-)affinity looks into other namespaces."""
    terms: list[Json] = []
    for name in ("podAffinity", "podAntiAffinity"):
        tree = affinity.get(name) or {}
        terms += tree.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        preferred = tree.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        terms += [term.get("podAffinityTerm") or {} for term in preferred]
    return any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms)


# -------------------------------------------------------------------------------------------- services, claims


def _service_usage(service: Json, _now: float) -> dict[str, Quantity]:
    spec = service.get("spec") or {}
    kind, ports = spec.get("type"), spec.get("ports") or ()
    node_ports = 0
    if kind in ("NodePort", "LoadBalancer"):
        is_spared = kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False
        node_ports = sum(bool(port.get("nodePort")) or not is_spared for port in ports)
    return {
        "count/services": _ONE,
        "services": _ONE,
        "services.loadbalancers": from_int(int(kind == "LoadBalancer")),
        "services.nodeports": from_int(node_ports),
    }


def _counts_claim(name: str) -> bool:
    plain = name == "count/persistentvolumeclaims" or name in _CLAIM_NAMES
    return plain or any(name.endswith(_BY_CLASS + each) for each in _CLAIM_NAMES)


def _claim_usage(claim: Json, _now: float) -> dict[str, Quantity]:
    found = {"persistentvolumeclaims": _ONE, "count/persistentvolumeclaims": _ONE}
    storage = _storage(claim)
    if storage is not None:
        found["requests.storage"] = storage
    annotations = (claim.get("metadata") or {}).get("annotations") or {}
    name = annotations.get(_OLD_CLASS_ANNOTATION) or (claim.get("spec") or {}).get("storageClassName")
    if name:
        found |= {name + _BY_CLASS + each: found[each] for each in _CLAIM_NAMES if each in found}
    return found


def _storage(claim: Json) -> Quantity | None:
    """What is asked for, or what an expansion that failed half-way still has: the larger, in whole bytes."""
    asked = amounts(((claim.get("spec") or {}).get("resources") or {}).get("requests")).get("storage")
    if asked is None:
        return None
    allocated = amounts((claim.get("status") or {}).get("allocatedResources")).get("storage", asked)
    larger = max(asked, allocated)
    return quantity.from_int(larger.value(), larger.format)


def _claim_holds(term: Json, claim: Json) -> bool:
    if term.get("scopeName") != "VolumeAttributesClass":
        return False
    spec, status = claim.get("spec") or {}, claim.get("status") or {}
    target = (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName")
    named = (spec.get("volumeAttributesClassName"), status.get("currentVolumeAttributesClassName"), target)
    return _selects(term, {each for each in named if each})


def _counts_devices(name: str) -> bool:
    return name == "count/resourceclaims.resource.k8s.io" or name.endswith(_BY_DEVICE_CLASS)


def _device_usage(claim: Json, _now: float) -> dict[str, Quantity]:
    """Of alternatives the worst of each class counts."""
    total: dict[str, int] = {}
    for request in ((claim.get("spec") or {}).get("devices") or {}).get("requests") or ():
        options = request.get("firstAvailable") or [request.get("exactly") or {}]
        worst: dict[str, int] = {}
        for option in options:
            name, number = option.get("deviceClassName"), _devices(option)
            if name and number is not None:
                worst[name] = max(worst.get(name, 0), number)
        for name, number in worst.items():
            total[name] = total.get(name, 0) + number
    return {
        "count/resourceclaims.resource.k8s.io": _ONE,
        **{name + _BY_DEVICE_CLASS: from_int(number) for name, number in total.items()},
    }


def _devices(request: Json) -> int | None:
    mode = request.get("allocationMode")
    return _ALL_DEVICES if mode == "All" else request.get("count") or 0 if mode == "ExactCount" else None


_SPECIAL: Mapping[tuple[str, str], Evaluator] = {
    ("", "pods"): Evaluator(_counts_pod, _pod_usage, _pod_holds),
    ("", "services"): Evaluator(_SERVICE_NAMES.__contains__, _service_usage),
    ("", "persistentvolumeclaims"): Evaluator(_counts_claim, _claim_usage, _claim_holds),
    ("resource.k8s.io", "resourceclaims"): Evaluator(_counts_devices, _device_usage),
}
SPECIAL = tuple(_SPECIAL)

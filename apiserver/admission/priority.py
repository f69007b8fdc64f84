"""Priority: the class named by a pod becomes a number, and the number cannot be brought along.

Source: plugin/pkg/admission/priority/admission.go.
"""

from collections.abc import Sequence

from apimachinery import kinds
from apimachinery.types import Json
from apiserver.admission.plugin import CREATE, UPDATE, Plugin, Review, resources

#: The two classes of the system, known even before they are stored.
SYSTEM: dict[str, int] = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
_PREEMPT = "PreemptLowerPriority"


def _mutate(review: Review) -> None:
    if review.is_about(kinds.PODS, CREATE):
        _admit(review)
    elif review.is_about(kinds.PODS, UPDATE):
        _keep(review)


def _keep(review: Review) -> None:
    """Clients older than a field leave it out: it stays."""
    spec, before = review.tree["spec"], (review.old or {}).get("spec") or {}
    for name in ("priority", "preemptionPolicy"):
        if spec.get(name) is None and before.get(name) is not None:
            spec[name] = before[name]


def _admit(review: Review) -> None:
    spec = review.tree["spec"]
    name = spec.get("priorityClassName", "")
    found = _named(review, name) if name else _default(review.lookup.list(kinds.PRIORITYCLASSES))
    value = int(found.get("value", 0))
    if not name and found:
        spec["priorityClassName"] = found["metadata"]["name"]
    if spec.get("priority") is not None and spec["priority"] != value:
        raise review.refuse(
            f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; "
            f"priority admission controller computed {value} from the given PriorityClass name"
        )
    spec["priority"] = value
    policy = found.get("preemptionPolicy") or _PREEMPT
    if spec.get("preemptionPolicy") is not None and spec["preemptionPolicy"] != policy:
        raise review.refuse(
            f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) must not be provided in pod spec; "
            f"priority admission controller computed {policy} from the given PriorityClass name"
        )
    spec["preemptionPolicy"] = policy


def _named(review: Review, name: str) -> Json:
    found = review.lookup.get(kinds.PRIORITYCLASSES, "", name)
    if found is not None:
        return found
    if name in SYSTEM:
        return {"metadata": {"name": name}, "value": SYSTEM[name]}
    raise review.refuse(f"no PriorityClass with name {name} was found")


def _default(classes: Sequence[Json]) -> Json:
    """The global default; of several (there should be one) the lowest."""
    return min((c for c in classes if c.get("globalDefault")), key=lambda c: c.get("value", 0), default={})


def _validate(review: Review) -> None:
    """Only one class is the default of all."""
    if not review.is_about(kinds.PRIORITYCLASSES, CREATE, UPDATE) or not review.tree.get("globalDefault"):
        return
    for other in review.lookup.list(kinds.PRIORITYCLASSES):
        name = other["metadata"]["name"]
        if other.get("globalDefault") and name != review.tree["metadata"].get("name"):
            raise review.refuse(f"PriorityClass {name} is already marked as default. Only one default can exist")


PRIORITY = Plugin("Priority", mutate=_mutate, validate=_validate, of=resources(kinds.PODS, kinds.PRIORITYCLASSES))

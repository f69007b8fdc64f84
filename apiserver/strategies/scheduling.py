"""PodDisruptionBudgets, PriorityClasses, RuntimeClasses. Source: pkg/apis/{policy,scheduling,node}/validation."""

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies import conditions, object_warnings
from apiserver.strategies.defaulting import fill
from apiserver.strategies.pod.placement import tolerations
from apiserver.strategies.pod.resources import requirements
from apiserver.strategies.problems import (
    Problems,
    at_most_100_percent,
    dns_label,
    forbidden,
    go_struct,
    immutable,
    int_or_percent,
    invalid,
    label_selector,
    labels,
    non_negative,
    one_of,
    required,
    shown_selector,
    supported,
)
from apiserver.strategies.strategy import Strategy, as_sent, never

HIGHEST_USER_PRIORITY = 1_000_000_000
_SYSTEM = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}


def check_budget(new: Json, _old: Json | None) -> list[FieldError]:
    return [*_budget(new.get("spec") or {})]


def _budget(spec: Json) -> Problems:
    low, high = spec.get("minAvailable"), spec.get("maxUnavailable")
    if low is not None and high is not None:
        shown = go_struct(
            MinAvailable=low,
            Selector=None if spec.get("selector") is None else shown_selector(spec["selector"]),
            MaxUnavailable=high,
            UnhealthyPodEvictionPolicy=spec.get("unhealthyPodEvictionPolicy"),
        )
        yield invalid("spec", shown, "minAvailable and maxUnavailable cannot be both set")
    for name, value in (("minAvailable", low), ("maxUnavailable", high)):
        if value is not None:
            yield from int_or_percent(f"spec.{name}", value)
            yield from at_most_100_percent(f"spec.{name}", value)
    yield from label_selector("spec.selector", spec.get("selector"))
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None:
        yield from supported("spec.unhealthyPodEvictionPolicy", policy, ("AlwaysAllow", "IfHealthyBudget"))


def check_budget_status(new: Json, _old: Json | None) -> list[FieldError]:
    """What is said of the pods that a budget is about: conditions, and how many there are."""
    status = new.get("status") or {}
    counts = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
    wrong = [problem for name in counts for problem in non_negative(f"status.{name}", status.get(name))]
    return [*conditions.check("status.conditions", status.get("conditions") or ()), *wrong]


def default_priority(tree: Json) -> Json:
    fill(tree, "preemptionPolicy", "PreemptLowerPriority")
    return tree


def check_priority(new: Json, old: Json | None) -> list[FieldError]:
    return [*_priority(new), *(_priority_changes(new, old) if old is not None else ())]


def _priority(tree: Json) -> Problems:
    name, value = (tree.get("metadata") or {}).get("name", ""), tree.get("value", 0)
    if name.startswith("system-"):
        if _SYSTEM.get(name) != value:
            detail = "priority class names with 'system-' prefix are reserved for system use only. error: "
            reason = (
                f"{name} is not a known system priority class"
                if name not in _SYSTEM
                else f"value of {name} must be {_SYSTEM[name]}"
            )
            yield forbidden("metadata.name", detail + reason)
    elif value > HIGHEST_USER_PRIORITY:
        detail = f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}"
        yield forbidden("value", detail)
    policy = tree.get("preemptionPolicy")
    if policy is not None:
        yield from one_of("preemptionPolicy", policy, ("PreemptLowerPriority", "Never"), in_order=True)


def _priority_changes(new: Json, old: Json) -> Problems:
    if new.get("value", 0) != old.get("value", 0):
        yield forbidden("value", "may not be changed in an update.")
    yield from immutable("preemptionPolicy", new.get("preemptionPolicy"), old.get("preemptionPolicy"))


def check_runtime(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*_runtime(new)]
    if old is not None:
        problems += immutable("handler", new.get("handler"), old.get("handler"))
    return problems


def _runtime(tree: Json) -> Problems:
    if not tree.get("handler"):
        yield required("handler") if "handler" not in tree else invalid("handler", "", names.dns_label("")[0])
    else:
        yield from dns_label("handler", tree["handler"])
    fixed = (tree.get("overhead") or {}).get("podFixed")
    if fixed:
        yield from requirements("overhead", {"limits": fixed})
    scheduling = tree.get("scheduling") or {}
    yield from labels("scheduling.nodeSelector", scheduling.get("nodeSelector"))
    yield from tolerations("scheduling.tolerations.tolerations", scheduling.get("tolerations") or ())


PODDISRUPTIONBUDGETS = Strategy(
    check=check_budget,
    check_status=check_budget_status,
    has_generation=True,
    allow_unconditional_update=False,
    any_finalizer=True,
    metadata_last=True,
    name=names.path_segment_name,
)
PRIORITYCLASSES = Strategy(
    default=default_priority, prepare=as_sent, check=check_priority, has_generation=True, raises_generation=never
)
RUNTIMECLASSES = Strategy(
    prepare=as_sent,
    check=check_runtime,
    allow_create_on_update=True,
    allow_unconditional_update=False,
    any_finalizer=True,
    warnings=object_warnings.runtime_class,
)

"""Deployments. Source: pkg/apis/apps/v1/defaults.go, pkg/registry/apps/deployment/strategy.go, apps/validation."""

from apimachinery.errors import FieldError, not_supported
from apimachinery.types import Json
from apiserver.strategies import go_structs
from apiserver.strategies.defaulting import fill, fill_absent, part
from apiserver.strategies.pod.defaults import pod_template
from apiserver.strategies.problems import Problems, at_most_100_percent, forbidden, invalid
from apiserver.strategies.strategy import Strategy, status_without
from apiserver.strategies.workloads import common


def default(tree: Json) -> Json:
    spec = part(tree, "spec")
    for name, value in (("replicas", 1), ("revisionHistoryLimit", 10), ("progressDeadlineSeconds", 600)):
        fill(spec, name, value)
    strategy = part(spec, "strategy")
    fill(strategy, "type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = part(strategy, "rollingUpdate")
        fill_absent(rolling, "maxUnavailable", "25%")
        fill_absent(rolling, "maxSurge", "25%")
    pod_template(part(spec, "template"))
    return tree


def check(new: Json, old: Json | None) -> list[FieldError]:
    return [*_check(new, old)]


def _check(new: Json, old: Json | None) -> Problems:
    spec = new["spec"]
    yield from common.counts(spec, "replicas")
    yield from common.selector_and_template(spec, "deployment", "ReplicaSet")
    yield from _strategy("spec.strategy", spec.get("strategy") or {})
    yield from common.counts(spec, "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    deadline, ready = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds", 0)
    if deadline is not None and deadline <= ready:
        yield invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")
    if old is not None:
        yield from common.selector_is_for_life(new, old)


def _strategy(path: str, tree: Json) -> Problems:
    kind, rolling = tree.get("type", ""), tree.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is not None:
            yield forbidden(f"{path}.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")
    elif kind == "RollingUpdate":
        yield from _rolling(f"{path}.rollingUpdate", rolling or {})
    else:
        shown = go_structs.shown("apps.DeploymentStrategy", tree)
        yield not_supported(path, shown, ("Recreate", "RollingUpdate"))


def _rolling(path: str, rolling: Json) -> Problems:
    surge, unavailable = rolling.get("maxSurge"), rolling.get("maxUnavailable")
    yield from common.rollout_bound(f"{path}.maxUnavailable", unavailable)
    yield from common.rollout_bound(f"{path}.maxSurge", surge)
    if common.is_zero(surge) and common.is_zero(unavailable):
        yield invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0")
    yield from at_most_100_percent(f"{path}.maxUnavailable", unavailable)


def check_status(new: Json, _old: Json | None) -> list[FieldError]:
    names = ("observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas",
             "unavailableReplicas", "collisionCount")  # fmt: skip
    return [
        *common.status_counts(new, *names),
        *common.parts_of_replicas(new, "updatedReplicas", "readyReplicas", "availableReplicas"),
        *common.available_are_ready(new),
    ]


def raises_generation(new: Json, old: Json) -> bool:
    """A Deployment's annotations count too: the controller copies them to its ReplicaSets."""
    annotations = [(tree.get("metadata") or {}).get("annotations") or {} for tree in (new, old)]
    return new.get("spec") != old.get("spec") or annotations[0] != annotations[1]


DEPLOYMENTS = Strategy(
    default=default,
    check=check,
    prepare_status=status_without("labels"),
    check_status=check_status,
    has_generation=True,
    raises_generation=raises_generation,
    warnings=common.template_warnings,
    blank=common.NO_REPLICAS,
)

"""DaemonSets. Source: pkg/apis/apps/validation ValidateDaemonSet, v1/defaults.go, pkg/registry/apps/daemonset."""

from apimachinery.annotation_numbers import int64
from apimachinery.errors import FieldError, not_supported
from apimachinery.types import Json
from apiserver.strategies import go_structs
from apiserver.strategies.defaulting import fill, fill_absent, part
from apiserver.strategies.pod import spec as pods
from apiserver.strategies.pod.defaults import pod_template
from apiserver.strategies.problems import (
    Problems,
    at_most_100_percent,
    invalid,
    is_empty_selector,
    label_selector,
    required,
)
from apiserver.strategies.strategy import Strategy, keep_status, only_status
from apiserver.strategies.workloads import common

GENERATION = "deprecated.daemonset.template.generation"
_STATUS = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady",
           "observedGeneration", "updatedNumberScheduled", "numberAvailable", "numberUnavailable",
           "collisionCount")  # fmt: skip


def default(tree: Json) -> Json:
    spec = part(tree, "spec")
    strategy = part(spec, "updateStrategy")
    fill(strategy, "type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        fill_absent(part(strategy, "rollingUpdate"), "maxUnavailable", 1)
        fill_absent(strategy["rollingUpdate"], "maxSurge", 0)
    elif strategy.get("rollingUpdate") is not None:  # not looked at, but upstream's internal type always has them
        for name in ("maxUnavailable", "maxSurge"):
            fill_absent(strategy["rollingUpdate"], name, 0)
    fill(spec, "revisionHistoryLimit", 10)
    pod_template(part(spec, "template"))
    part(part(tree, "metadata"), "annotations").setdefault(GENERATION, "0")  # so that it is in managedFields
    return tree


def prepare(new: Json, old: Json | None) -> Json:
    """The template's generation, from the times before ControllerRevisions: an annotation that upstream still keeps."""
    generation = 1
    if old is not None:
        generation = _template_generation(old) + (new["spec"].get("template") != old["spec"].get("template"))
    part(new["metadata"], "annotations")[GENERATION] = str(generation)
    return keep_status(new, old)


def _prepare_status(new: Json, old: Json | None) -> Json:
    """The template's generation is of the spec, wherever it is shown."""
    new = only_status(new, old)
    if old is not None:
        part(new["metadata"], "annotations")[GENERATION] = str(_template_generation(old))
    return new


def _template_generation(tree: Json) -> int:
    return int64((tree["metadata"].get("annotations") or {}).get(GENERATION, "")) or 0


def check(new: Json, old: Json | None) -> list[FieldError]:
    changes = common.selector_is_for_life(new, old) if old is not None else ()
    return [*changes, *_check(new["spec"])]


def _check(spec: Json) -> Problems:
    selector, template = spec.get("selector"), spec.get("template") or {}
    wrong = [*label_selector("spec.selector", selector)] if selector is not None else []
    yield from wrong
    if not wrong:  # no selector selects nothing, and upstream complains of no more than that
        yield from common.mismatch(selector, template)
    if selector is not None and is_empty_selector(selector):
        yield invalid("spec.selector", selector, "empty selector is invalid for daemonset")
    yield from pods.template("spec.template", template)
    yield from common.restart_policy("spec.template.spec.restartPolicy", template, "DaemonSet")
    yield from common.counts(spec, "minReadySeconds", "revisionHistoryLimit")
    strategy, path = spec.get("updateStrategy") or {}, "spec.updateStrategy"
    kind, rolling = strategy.get("type", ""), strategy.get("rollingUpdate")
    if kind == "RollingUpdate":
        if rolling is None:
            yield required(f"{path}.rollingUpdate")
        else:
            yield from _rolling(f"{path}.rollingUpdate", rolling)
    elif kind != "OnDelete":
        shown = go_structs.shown("apps.DaemonSetUpdateStrategy", strategy)
        yield not_supported(path, shown, ("RollingUpdate", "OnDelete"))


def _rolling(path: str, rolling: Json) -> Problems:
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    yield from common.rollout_bound(f"{path}.maxUnavailable", unavailable)
    yield from common.rollout_bound(f"{path}.maxSurge", surge)
    has_unavailable, has_surge = not common.is_zero(unavailable), not common.is_zero(surge)
    if has_unavailable and has_surge:
        yield invalid(f"{path}.maxSurge", surge, "may not be set when maxUnavailable is non-zero")
    elif not has_unavailable and not has_surge:
        yield required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0")
    yield from at_most_100_percent(f"{path}.maxUnavailable", unavailable)
    yield from at_most_100_percent(f"{path}.maxSurge", surge)


def check_status(new: Json, _old: Json | None) -> list[FieldError]:
    return common.status_counts(new, *_STATUS)


def _warnings(new: Json, old: Json | None) -> list[str]:
    """Of the template, when that is new or changed."""
    if old is not None and common.template_of(new) == common.template_of(old):
        return []
    return common.template_warnings(new, None)


DAEMONSETS = Strategy(
    default=default,
    prepare=prepare,
    prepare_status=_prepare_status,
    check=check,
    check_status=check_status,
    has_generation=True,
    field_annotations=(GENERATION,),
    blank={"metadata": {"annotations": {GENERATION: "0"}}},
    warnings=_warnings,
)

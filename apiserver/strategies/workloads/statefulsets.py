"""StatefulSets and ControllerRevisions. Source: pkg/apis/apps/validation ValidateStatefulSet, v1/defaults.go."""

from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies.claims import default_claim
from apiserver.strategies.defaulting import fill, items, part
from apiserver.strategies.pod.defaults import pod_template
from apiserver.strategies.problems import (
    Problems,
    at_most_100_percent,
    dns_subdomain,
    forbidden,
    immutable,
    invalid,
    one_of,
    required,
)
from apiserver.strategies.sameness import same
from apiserver.strategies.strategy import Strategy, as_sent
from apiserver.strategies.workloads import common

_MUTABLE = ("replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
            "persistentVolumeClaimRetentionPolicy", "minReadySeconds")  # fmt: skip
_FORBIDDEN = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


def default(tree: Json) -> Json:
    spec = part(tree, "spec")
    fill(spec, "podManagementPolicy", "OrderedReady")
    fill(part(spec, "updateStrategy"), "type", "RollingUpdate")
    if spec["updateStrategy"]["type"] == "RollingUpdate":
        fill(part(spec["updateStrategy"], "rollingUpdate"), "partition", 0)
    retention = part(spec, "persistentVolumeClaimRetentionPolicy")
    fill(retention, "whenDeleted", "Retain")
    fill(retention, "whenScaled", "Retain")
    fill(spec, "replicas", 1)
    fill(spec, "revisionHistoryLimit", 10)
    pod_template(part(spec, "template"))
    for claim in items(spec, "volumeClaimTemplates"):
        fill(claim, "apiVersion", "v1")
        fill(claim, "kind", "PersistentVolumeClaim")
        default_claim(claim)
        fill(part(claim, "status"), "phase", "Pending")
    return tree


def check(new: Json, old: Json | None) -> list[FieldError]:
    return [*_check(new["spec"]), *(_changes(new["spec"], old["spec"]) if old is not None else ())]


def _check(spec: Json) -> Problems:
    yield from one_of("spec.podManagementPolicy", spec.get("podManagementPolicy", ""), ("OrderedReady", "Parallel"))
    yield from _update_strategy("spec.updateStrategy", spec.get("updateStrategy") or {})
    retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    for name in ("whenDeleted", "whenScaled"):
        here = f"spec.persistentVolumeClaimRetentionPolicy.{name}"
        yield from one_of(here, retention.get(name, ""), ("Delete", "Retain"))
    yield from common.counts(spec, "replicas", "minReadySeconds", "revisionHistoryLimit")
    start = (spec.get("ordinals") or {}).get("start", 0)
    if start < 0:
        yield invalid("spec.ordinals.start", start, "must be greater than or equal to 0")
    yield from common.selector_and_template(spec, "statefulset")
    if spec.get("serviceName"):
        yield from dns_subdomain("spec.serviceName", spec["serviceName"])


def _update_strategy(path: str, tree: Json) -> Problems:
    kind, rolling = tree.get("type", ""), tree.get("rollingUpdate")
    if not kind:
        yield required(path)
    elif kind == "OnDelete":
        if rolling is not None:
            yield invalid(f"{path}.rollingUpdate", rolling, "only allowed for updateStrategy 'RollingUpdate'")
    elif kind == "RollingUpdate":
        partition = (rolling or {}).get("partition", 0)
        if partition < 0:
            yield invalid(f"{path}.rollingUpdate.partition", partition, "must be greater than or equal to 0")
        unavailable = (rolling or {}).get("maxUnavailable")
        if unavailable is not None:
            yield from common.rollout_bound(f"{path}.rollingUpdate.maxUnavailable", unavailable)
            if common.is_zero(unavailable):
                yield invalid(f"{path}.rollingUpdate.maxUnavailable", unavailable, "cannot be 0")
            yield from at_most_100_percent(f"{path}.rollingUpdate.maxUnavailable", unavailable)
    else:
        yield invalid(path, tree, "must be 'RollingUpdate' or 'OnDelete'")


def _changes(spec: Json, before: Json) -> Problems:
    rest = [{n: v for n, v in tree.items() if n not in _MUTABLE} for tree in (spec, before)]
    if not same(*rest):
        yield forbidden("spec", _FORBIDDEN)


def check_status(new: Json, _old: Json | None) -> list[FieldError]:
    names = ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas",
             "observedGeneration", "collisionCount")  # fmt: skip
    problems = common.status_counts(new, *names)
    status = new.get("status") or {}
    for name in ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"):
        if status.get(name, 0) > status.get("replicas", 0):
            problems.append(invalid(f"status.{name}", status[name], "cannot be greater than status.replicas"))
    return problems


def check_revision(new: Json, old: Json | None) -> list[FieldError]:
    """A ControllerRevision's data is for life."""
    problems = [] if new.get("data") is not None else [required("data", "data is mandatory")]
    if new.get("revision", 0) < 0:
        problems.append(invalid("revision", new["revision"], "must be greater than or equal to 0"))
    if old is not None:
        problems += immutable("data", new.get("data"), old.get("data"))
    return problems


STATEFULSETS = Strategy(
    default=default,
    check=check,
    check_status=check_status,
    has_generation=True,
    warnings=common.template_warnings,
)

CONTROLLERREVISIONS = Strategy(prepare=as_sent, check=check_revision)

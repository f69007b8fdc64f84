"""StatefulSets and ControllerRevisions. Source: pkg/apis/apps/validation ValidateStatefulSet, v1/defaults.go."""

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies.claims import claim_spec, default_claim
from apiserver.strategies.defaulting import fill, items, part
from apiserver.strategies.pod import spec as pods
from apiserver.strategies.pod.defaults import pod_template
from apiserver.strategies.problems import (
    IMMUTABLE,
    Problems,
    dns_label,
    forbidden,
    go_struct,
    invalid,
    is_empty_selector,
    label_selector,
    non_negative,
    required,
    shown_selector,
    supported,
)
from apiserver.strategies.sameness import same
from apiserver.strategies.strategy import Strategy, as_sent, keep_status
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
    update = part(spec, "updateStrategy")
    if not update.get("type"):
        update["type"] = "RollingUpdate"
        part(update, "rollingUpdate")
    if update["type"] == "RollingUpdate" and update.get("rollingUpdate") is not None:  # who says the type says it all
        fill(update["rollingUpdate"], "partition", 0)
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


def _rolling(tree: Json) -> Json:
    return (tree["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}


def prepare(new: Json, old: Json | None) -> Json:
    """`maxUnavailable` is alpha: it is dropped, unless it was there."""
    if old is None or "maxUnavailable" not in _rolling(old):
        _rolling(new).pop("maxUnavailable", None)
    return keep_status(new, old)


def check(new: Json, old: Json | None) -> list[FieldError]:
    if old is None:
        return [*_check(new["spec"]), *_names_of_others(new["spec"])]
    return [*_check(new["spec"]), *_changes(new["spec"], old["spec"])]


def _names_of_others(spec: Json) -> Problems:
    """What cannot change any more is looked at in the beginning only."""
    for i, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
        yield from claim_spec(f"spec.volumeClaimTemplates[{i}].spec", claim.get("spec") or {})
    if spec.get("serviceName"):
        yield from dns_label("spec.serviceName", spec["serviceName"])


def _check(spec: Json) -> Problems:
    management = spec.get("podManagementPolicy", "")
    if not management:
        yield required("spec.podManagementPolicy")
    elif management not in ("OrderedReady", "Parallel"):
        yield invalid("spec.podManagementPolicy", management, "must be 'OrderedReady' or 'Parallel'")
    yield from _update_strategy("spec.updateStrategy", spec.get("updateStrategy") or {})
    retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    for name in ("whenDeleted", "whenScaled"):
        yield from supported(
            f"spec.persistentVolumeClaimRetentionPolicy.{name}", retention.get(name, ""), ("Retain", "Delete")
        )
    yield from common.counts(spec, "replicas", "minReadySeconds")
    start = (spec.get("ordinals") or {}).get("start", 0)
    if start < 0:
        yield invalid("spec.ordinals.start", start, "must be greater than or equal to 0")
    yield from _selector(spec.get("selector"))
    if not [*label_selector("spec.selector", spec.get("selector"))]:
        yield from common.mismatch(spec.get("selector"), spec.get("template") or {})
        yield from pods.template("spec.template", _as_made(spec))
        metadata = (spec.get("template") or {}).get("metadata") or {}
        yield from names.check_labels(metadata.get("labels") or {}, "spec.template.labels")  # once more, as upstream
        yield from names.check_annotations(metadata.get("annotations") or {}, "spec.template.annotations")
    yield from common.restart_policy("spec.template.spec.restartPolicy", spec.get("template") or {}, "StatefulSet")


def _selector(selector: Json | None) -> Problems:
    if selector is None:
        yield required("spec.selector")
        return
    wrong = [*label_selector("spec.selector", selector)]
    yield from wrong
    if is_empty_selector(selector):
        yield invalid("spec.selector", selector, "empty selector is invalid for statefulset")
    if wrong:
        yield invalid("spec.selector", shown_selector(selector), "")


def _as_made(spec: Json) -> Json:
    """The template as pods are made from it: host name and subdomain are the controller's, claims become volumes."""
    template = spec.get("template") or {}
    pod = {name: value for name, value in (template.get("spec") or {}).items() if name not in ("hostname", "subdomain")}
    claimed = [(claim.get("metadata") or {}).get("name", "") for claim in spec.get("volumeClaimTemplates") or ()]
    own = [volume for volume in pod.get("volumes") or () if volume.get("name") not in claimed]
    made = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in dict.fromkeys(claimed)]
    return {**template, "spec": {**pod, "volumes": [*made, *own]}}


def _update_strategy(path: str, tree: Json) -> Problems:
    kind, rolling = tree.get("type", ""), tree.get("rollingUpdate")
    shown = None if rolling is None else go_struct(Partition=rolling.get("partition", 0), MaxUnavailable=None)
    if not kind:
        yield required(path)
    elif kind == "OnDelete":
        if rolling is not None:
            yield invalid(f"{path}.rollingUpdate", shown, "only allowed for updateStrategy 'RollingUpdate'")
    elif kind == "RollingUpdate":
        partition = (rolling or {}).get("partition", 0)
        if partition < 0:
            yield invalid(f"{path}.rollingUpdate.partition", partition, "must be greater than or equal to 0")
    else:
        shape = go_struct(Type=kind, RollingUpdate=shown)
        yield invalid(path, shape, "must be 'RollingUpdate' or 'OnDelete'")


def _changes(spec: Json, before: Json) -> Problems:
    rest = [{n: v for n, v in tree.items() if n not in _MUTABLE} for tree in (spec, before)]
    if not same(*rest):
        yield forbidden("spec", _FORBIDDEN)


def check_status(new: Json, old: Json | None) -> list[FieldError]:
    numbers = ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas",
               "observedGeneration", "collisionCount")  # fmt: skip
    parts = ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
    problems = [*common.status_counts(new, *numbers), *common.parts_of_replicas(new, *parts)]
    status, was = new.get("status") or {}, (old or {}).get("status") or {}
    if (available := status.get("availableReplicas") or 0) > (status.get("readyReplicas") or 0):
        problems.append(invalid("status.availableReplicas", available, "cannot be greater than status.readyReplicas"))
    if (count := status.get("collisionCount") or 0) < (was.get("collisionCount") or 0):
        problems.append(invalid("status.collisionCount", count, "cannot be decremented"))
    return problems


def check_revision(new: Json, old: Json | None) -> list[FieldError]:
    """A ControllerRevision's data is for life."""
    problems = [*non_negative("revision", new.get("revision", 0))]
    data = new.get("data")
    if old is not None:
        if data != old.get("data"):  # nothing is something else than an empty object
            problems.append(invalid("data", data, IMMUTABLE))
    elif not isinstance(data, dict):
        problems.append(required("data", "data is mandatory" if data is None else "data must be a valid JSON object"))
    return problems


def _warnings(new: Json, old: Json | None) -> list[str]:
    found = common.template_warnings(new, old)
    if (new["spec"].get("revisionHistoryLimit") or 0) < 0:
        found.append(
            "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"
        )
    return found


STATEFULSETS = Strategy(
    default=default,
    prepare=prepare,
    check=check,
    check_status=check_status,
    has_generation=True,
    warnings=_warnings,
    blank=common.NO_REPLICAS,
    name=names.label_name,
)

CONTROLLERREVISIONS = Strategy(prepare=as_sent, check=check_revision)

"""ReplicaSets and their ancestor, ReplicationControllers.

Source: pkg/registry/apps/replicaset, core/replicationcontroller.
"""

from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies.defaulting import fill, part
from apiserver.strategies.pod import spec as pods
from apiserver.strategies.pod import warnings
from apiserver.strategies.pod.defaults import pod_template
from apiserver.strategies.problems import Problems, invalid, required
from apiserver.strategies.strategy import Strategy
from apiserver.strategies.workloads import common

_STATUS = ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration")


def default(tree: Json) -> Json:
    spec = part(tree, "spec")
    fill(spec, "replicas", 1)
    pod_template(part(spec, "template"))
    return tree


def check(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*common.counts(new["spec"], "replicas", "minReadySeconds")]
    problems += common.selector_and_template(
        new["spec"], "deployment", "ReplicaSet"
    )  # upstream says "deployment" here too
    if old is not None:
        problems += common.selector_is_for_life(new, old)
    return problems


def check_status(new: Json, _old: Json | None) -> list[FieldError]:
    return [
        *common.status_counts(new, *_STATUS),
        *common.parts_of_replicas(new, "fullyLabeledReplicas", "readyReplicas", "availableReplicas"),
        *common.available_are_ready(new),
    ]


def default_controller(tree: Json) -> Json:
    """A ReplicationController takes selector and labels from its template where it has none."""
    spec = part(tree, "spec")
    fill(spec, "replicas", 1)
    if spec.get("template") is None:
        return tree
    labels = (part(spec["template"], "metadata")).get("labels")
    if labels:
        if not spec.get("selector"):
            spec["selector"] = dict(labels)
        if not part(tree, "metadata").get("labels"):
            tree["metadata"]["labels"] = dict(labels)
    pod_template(spec["template"])
    return tree


def check_controller(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*_check_controller(new["spec"])]
    return problems if old is None else [*problems, *problems]  # upstream looks twice


def _check_controller(spec: Json) -> Problems:
    yield from common.counts(spec, "minReadySeconds")
    selector, template = spec.get("selector") or {}, spec.get("template")
    if not selector:
        yield required("spec.selector")
    yield from common.counts(spec, "replicas")
    if template is None:
        yield required("spec.template")
        return
    labels = (template.get("metadata") or {}).get("labels")
    if any((labels or {}).get(key) != value for key, value in selector.items()):
        yield invalid("spec.template.metadata.labels", labels, common.MISMATCH)
    yield from pods.template("spec.template", template)
    yield from common.restart_policy("spec.template.spec.restartPolicy", template, "ReplicationController")


def _controller_warnings(new: Json, old: Json | None) -> list[str]:
    """Of an update, upstream looks at the template that there was."""
    if old is not None and common.is_of_generation(new, old):
        return []
    return warnings.template("spec.template", common.template_of(new if old is None else old))


REPLICASETS = Strategy(
    default=default,
    check=check,
    check_status=check_status,
    has_generation=True,
    blank=common.NO_REPLICAS,
    warnings=common.template_warnings,
)

REPLICATIONCONTROLLERS = Strategy(
    default=default_controller,
    check=check_controller,
    check_status=check_status,
    has_generation=True,
    orphans=True,
    warnings=_controller_warnings,
    fields=common.replica_fields,
    field_labels=("metadata.name", "metadata.namespace", "status.replicas"),
)

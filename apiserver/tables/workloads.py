"""The tables of what runs pods. Source: pkg/printers/internalversion/printers.go."""

from apimachinery import times
from apimachinery.types import Json
from apiserver.tables.ages import human, since
from apiserver.tables.table import (
    AGE,
    NONE,
    Cells,
    age,
    containers,
    is_true,
    labels,
    number,
    selector,
    spec_of,
    status_of,
    table,
    text,
    truth,
    wide,
)

_OF_TEMPLATE = (wide("Containers"), wide("Images"), wide("Selector"))


def _of_template(tree: Json) -> Cells:
    spec = spec_of(tree)
    return [*containers(spec.get("template")), selector(spec.get("selector"))]


def _deployment(tree: Json, now: float) -> Cells:
    spec, status = spec_of(tree), status_of(tree)
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}"
    numbers = [status.get("updatedReplicas", 0), status.get("availableReplicas", 0)]
    selected = "" if spec.get("selector") is None else selector(spec["selector"])
    return [ready, *numbers, age(tree, now), *containers(spec.get("template")), selected]


def _replicaset(tree: Json, now: float) -> Cells:
    spec, status = spec_of(tree), status_of(tree)
    numbers = [spec.get("replicas", 0), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [*numbers, age(tree, now), *_of_template(tree)]


def _controller(tree: Json, now: float) -> Cells:
    spec, status = spec_of(tree), status_of(tree)
    numbers = [spec.get("replicas", 0), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [*numbers, age(tree, now), *containers(spec.get("template")), labels(spec.get("selector"))]


def _statefulset(tree: Json, now: float) -> Cells:
    spec, status = spec_of(tree), status_of(tree)
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}"
    return [ready, age(tree, now), *containers(spec.get("template"))]


def _daemonset(tree: Json, now: float) -> Cells:
    status = status_of(tree)
    names = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled",
             "numberAvailable")  # fmt: skip
    nodes = ((spec_of(tree).get("template") or {}).get("spec") or {}).get("nodeSelector")
    return [*(status.get(name, 0) for name in names), labels(nodes), age(tree, now), *_of_template(tree)]


def _job(tree: Json, now: float) -> Cells:
    return [_job_status(tree), _completions(tree), _duration(status_of(tree), now), age(tree, now), *_of_template(tree)]


def _job_status(tree: Json) -> str:
    for kind in ("Complete", "Failed"):
        if is_true(tree, kind):
            return kind
    if tree["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return next((k for k in ("Suspended", "FailureTarget", "SuccessCriteriaMet") if is_true(tree, k)), "Running")


def _completions(tree: Json) -> str:
    spec, done = spec_of(tree), status_of(tree).get("succeeded", 0)
    if spec.get("completions") is not None:
        return f"{done}/{spec['completions']}"
    parallelism = spec.get("parallelism", 0) or 0
    return f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"


def _duration(status: Json, now: float) -> str:
    if not status.get("startTime"):
        return ""
    end = times.parse(status["completionTime"]) if status.get("completionTime") else now
    return human(end - times.parse(status["startTime"]))


def _cronjob(tree: Json, now: float) -> Cells:
    spec, status = spec_of(tree), status_of(tree)
    last = status.get("lastScheduleTime")
    template = ((spec.get("jobTemplate") or {}).get("spec") or {}).get("template")
    return [
        spec.get("schedule", ""),
        NONE if spec.get("timeZone") is None else spec["timeZone"],
        "True" if spec.get("suspend") else "False",
        len(status.get("active") or ()),
        since(last, now) if last else NONE,
        age(tree, now),
        *containers(template),
        selector(((spec.get("jobTemplate") or {}).get("spec") or {}).get("selector")),
    ]


def _autoscaler(tree: Json, now: float) -> Cells:
    spec, status = spec_of(tree), status_of(tree)
    target = spec.get("scaleTargetRef") or {}
    low = spec.get("minReplicas")
    return [
        f"{target.get('kind', '')}/{target.get('name', '')}",
        _metrics(spec, status),
        "<unset>" if low is None else str(low),
        spec.get("maxReplicas", 0),
        status.get("currentReplicas", 0),
        age(tree, now),
    ]


def _metrics(spec: Json, status: Json) -> str:
    """`cpu: 40%/80%, ...`: at most two metrics, then how many more."""
    metrics, current = spec.get("metrics") or (), status.get("currentMetrics") or ()
    if not metrics:
        return NONE
    shown = [_metric(metric, current[i] if i < len(current) else {}) for i, metric in enumerate(metrics)]
    more = f" + {len(shown) - 2} more..." if len(shown) > 2 else ""
    return ", ".join(shown[:2]) + more


def _metric(metric: Json, current: Json) -> str:
    member = metric.get("type", "")[:1].lower() + metric.get("type", "")[1:]
    source, now = metric.get(member) or {}, (current.get(member) or {}).get("current") or {}
    target = source.get("target") or {}
    head = f"{source['name']}: " if member in ("resource", "containerResource") and source.get("name") else ""
    if target.get("averageUtilization") is not None:
        used = now.get("averageUtilization")
        return f"{head}{'<unknown>' if used is None else f'{used}%'}/{target['averageUtilization']}%"
    if target.get("averageValue") is not None:
        note = "" if member in ("resource", "containerResource", "pods") else " (avg)"
        return f"{head}{now.get('averageValue') or '<unknown>'}/{target['averageValue']}{note}"
    return f"{head}{now.get('value') or '<unknown>'}/{target.get('value', '')}"


def _template(tree: Json, _now: float) -> Cells:
    template = tree.get("template") or {}
    return [*containers(template), labels((template.get("metadata") or {}).get("labels"))]


def _revision(tree: Json, now: float) -> Cells:
    owners = tree["metadata"].get("ownerReferences") or ()
    owner = next((o for o in owners if o.get("controller")), None)
    group = (owner or {}).get("apiVersion", "").partition("/")[0] if "/" in (owner or {}).get("apiVersion", "") else ""
    name = NONE
    if owner is not None:
        name = f"{owner['kind'].lower()}{f'.{group}' if group else ''}/{owner['name']}"
    return [name, tree.get("revision", 0), age(tree, now)]


DEPLOYMENTS = table(text("Ready"), text("Up-to-date"), text("Available"), AGE, *_OF_TEMPLATE, cells=_deployment)
REPLICASETS = table(number("Desired"), number("Current"), number("Ready"), AGE, *_OF_TEMPLATE, cells=_replicaset)
REPLICATIONCONTROLLERS = table(
    number("Desired"), number("Current"), number("Ready"), AGE, *_OF_TEMPLATE, cells=_controller
)
STATEFULSETS = table(text("Ready"), AGE, wide("Containers"), wide("Images"), cells=_statefulset)
DAEMONSETS = table(
    number("Desired"),
    number("Current"),
    number("Ready"),
    number("Up-to-date"),
    number("Available"),
    text("Node Selector"),
    AGE,
    *_OF_TEMPLATE,
    cells=_daemonset,
)
JOBS = table(text("Status"), text("Completions"), text("Duration"), AGE, *_OF_TEMPLATE, cells=_job)
CRONJOBS = table(
    text("Schedule"),
    text("Timezone"),
    truth("Suspend"),
    number("Active"),
    text("Last Schedule"),
    AGE,
    *_OF_TEMPLATE,
    cells=_cronjob,
)
HORIZONTALPODAUTOSCALERS = table(
    text("Reference"),
    text("Targets"),
    text("MinPods"),
    text("MaxPods"),
    text("Replicas"),
    AGE,
    cells=_autoscaler,
)
PODTEMPLATES = table(text("Containers"), text("Images"), text("Pod Labels"), cells=_template)
CONTROLLERREVISIONS = table(text("Controller"), text("Revision"), AGE, cells=_revision)

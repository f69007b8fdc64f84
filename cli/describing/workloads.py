"""`describe` for deployments, replica sets, stateful sets, daemon sets, jobs and cron jobs."""

from apimachinery import times
from apimachinery.kinds import PODS, REPLICASETS
from apimachinery.types import Json
from cli.describing.pod_parts import counts, template_lines
from cli.describing.writer import Writer, annotation_lines, boolean, controller, human, labels_lines, rfc1123
from cli.pods_of import selector_text
from cli.session import Session


async def _owned_pods(session: Session, tree: Json) -> list[Json]:
    query = {"labelSelector": selector_text(tree["spec"]["selector"])}
    items = (await session.get_json(PODS.path(tree["metadata"]["namespace"]), query))["items"]
    uid = tree["metadata"]["uid"]
    return [each for each in items if any(o["uid"] == uid for o in each["metadata"].get("ownerReferences") or ())]


def _pod_counts(writer: Writer, pods: list[Json]) -> None:
    running, waiting, succeeded, failed = counts(pods)
    writer.line(f"Pods Status:\t{running} Running / {waiting} Waiting / {succeeded} Succeeded / {failed} Failed")


def _conditions(writer: Writer, tree: Json) -> None:
    conditions = (tree.get("status") or {}).get("conditions")
    if conditions:
        writer.line("Conditions:\n  Type\tStatus\tReason\n  ----\t------\t------")
        for each in conditions:
            writer.write(1, f"{each['type']} \t{each['status']}\t{each.get('reason', '')}\n")


def _selector(writer: Writer, tree: Json) -> None:
    writer.line(f"Selector:\t{selector_text(tree['spec'].get('selector') or {})}")


async def deployment(session: Session, tree: Json, writer: Writer) -> bool:
    """A deployment with its replica sets."""
    metadata, spec, status = tree["metadata"], tree["spec"], tree.get("status") or {}
    writer.line(f"Name:\t{metadata['name']}")
    writer.line(f"Namespace:\t{metadata['namespace']}")
    writer.line(f"CreationTimestamp:\t{rfc1123(metadata['creationTimestamp'])}")
    labels_lines(writer, "Labels", metadata.get("labels"))
    annotation_lines(writer, "Annotations", metadata.get("annotations"))
    _selector(writer, tree)
    numbers = [
        status.get(key, 0) for key in ("updatedReplicas", "replicas", "availableReplicas", "unavailableReplicas")
    ]
    words = ("updated", "total", "available", "unavailable")
    rest = " | ".join(f"{number} {word}" for number, word in zip(numbers, words, strict=True))
    writer.line(f"Replicas:\t{spec.get('replicas', 1)} desired | {rest}")
    strategy = spec.get("strategy") or {}
    writer.line(f"StrategyType:\t{strategy.get('type', '')}")
    writer.line(f"MinReadySeconds:\t{spec.get('minReadySeconds', 0)}")
    if rolling := strategy.get("rollingUpdate"):
        text = f"{rolling.get('maxUnavailable')} max unavailable, {rolling.get('maxSurge')} max surge"
        writer.line(f"RollingUpdateStrategy:\t{text}")
    template_lines(writer, spec["template"])
    _conditions(writer, tree)
    old, new = await _replica_sets(session, tree)
    writer.line(f"OldReplicaSets:\t{_named(old)}")
    writer.line(f"NewReplicaSet:\t{_named([new] if new else [])}")
    return True


async def _replica_sets(session: Session, tree: Json) -> tuple[list[Json], Json | None]:
    """The old ones, and the one that has the deployment's template."""
    query = {"labelSelector": selector_text(tree["spec"]["selector"])}
    items = (await session.get_json(REPLICASETS.path(tree["metadata"]["namespace"]), query))["items"]
    uid = tree["metadata"]["uid"]
    mine = [each for each in items if any(o["uid"] == uid for o in each["metadata"].get("ownerReferences") or ())]
    mine.sort(key=lambda each: (each["metadata"]["creationTimestamp"], each["metadata"]["name"]))
    new = next((each for each in mine if _template(each) == _template(tree)), None)
    return [each for each in mine if each is not new], new


def _template(tree: Json) -> Json:
    template = tree["spec"]["template"]
    metadata = template.get("metadata") or {}
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != "pod-template-hash"}
    return {"spec": template["spec"], "labels": labels, "annotations": metadata.get("annotations") or {}}


def _named(sets: list[Json]) -> str:
    texts = [
        f"{each['metadata']['name']} ({(each.get('status') or {}).get('replicas', 0)}/{each['spec'].get('replicas', 1)} "  # noqa: E501  (one message on one line)
        "replicas created)"
        for each in sets
    ]
    return ", ".join(texts) or "<none>"


async def replica_set(session: Session, tree: Json, writer: Writer) -> bool:
    """A replica set."""
    metadata, spec, status = tree["metadata"], tree["spec"], tree.get("status") or {}
    writer.line(f"Name:\t{metadata['name']}")
    writer.line(f"Namespace:\t{metadata['namespace']}")
    _selector(writer, tree)
    labels_lines(writer, "Labels", metadata.get("labels"))
    annotation_lines(writer, "Annotations", metadata.get("annotations"))
    if owner := controller(tree):
        writer.line(f"Controlled By:\t{owner}")
    writer.line(f"Replicas:\t{status.get('replicas', 0)} current / {spec.get('replicas', 1)} desired")
    _pod_counts(writer, await _owned_pods(session, tree))
    template_lines(writer, spec["template"])
    _conditions(writer, tree)
    return True


async def stateful_set(session: Session, tree: Json, writer: Writer) -> bool:
    """A stateful set."""
    metadata, spec, status = tree["metadata"], tree["spec"], tree.get("status") or {}
    writer.line(f"Name:\t{metadata['name']}")
    writer.line(f"Namespace:\t{metadata['namespace']}")
    writer.line(f"CreationTimestamp:\t{rfc1123(metadata['creationTimestamp'])}")
    _selector(writer, tree)
    labels_lines(writer, "Labels", metadata.get("labels"))
    annotation_lines(writer, "Annotations", metadata.get("annotations"))
    writer.line(f"Replicas:\t{spec.get('replicas', 1)} desired | {status.get('replicas', 0)} total")
    strategy = spec.get("updateStrategy") or {}
    writer.line(f"Update Strategy:\t{strategy.get('type', '')}")
    partition = (strategy.get("rollingUpdate") or {}).get("partition")
    if partition is not None:
        writer.write(1, f"Partition:\t{partition}\n")
    _pod_counts(writer, await _owned_pods(session, tree))
    template_lines(writer, spec["template"])
    _claims(writer, spec.get("volumeClaimTemplates") or [])
    return True


def _claims(writer: Writer, claims: list[Json]) -> None:
    writer.line(f"Volume Claims:{'' if claims else chr(9) + '<none>'}")
    for claim in claims:
        metadata, spec = claim["metadata"], claim.get("spec") or {}
        writer.write(1, f"Name:\t{metadata['name']}\n")
        writer.write(1, f"StorageClass:\t{spec.get('storageClassName') or ''}\n")
        labels_lines(writer, "Labels", metadata.get("labels"), "  ")
        inner = Writer()
        annotation_lines(inner, "  Annotations", metadata.get("annotations"))
        writer.write(0, f"  Annotations:\t{'<none>' if not metadata.get('annotations') else ''}\n")
        writer.write(
            1, f"Capacity:\t{((spec.get('resources') or {}).get('requests') or {}).get('storage', '<default>')}\n"
        )
        modes = [_MODES.get(mode, mode) for mode in spec.get("accessModes") or ()]
        writer.write(1, f"Access Modes:\t[{' '.join(spec.get('accessModes') or modes)}]\n")


_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


async def daemon_set(session: Session, tree: Json, writer: Writer) -> bool:
    """A daemon set."""
    metadata, spec, status = tree["metadata"], tree["spec"], tree.get("status") or {}
    writer.line(f"Name:\t{metadata['name']}")
    writer.line(f"Namespace:\t{metadata['namespace']}")
    _selector(writer, tree)
    labels_lines(writer, "Node-Selector", spec["template"]["spec"].get("nodeSelector"))
    labels_lines(writer, "Labels", metadata.get("labels"))
    annotation_lines(writer, "Annotations", metadata.get("annotations"))
    for title, key in (
        ("Desired Number of Nodes Scheduled", "desiredNumberScheduled"),
        ("Current Number of Nodes Scheduled", "currentNumberScheduled"),
        ("Number of Nodes Scheduled with Up-to-date Pods", "updatedNumberScheduled"),
        ("Number of Nodes Scheduled with Available Pods", "numberAvailable"),
        ("Number of Nodes Misscheduled", "numberMisscheduled"),
    ):
        writer.line(f"{title}: {status.get(key, 0)}")
    _pod_counts(writer, await _owned_pods(session, tree))
    template_lines(writer, spec["template"])
    return True


async def job(_session: Session, tree: Json, writer: Writer) -> bool:
    """A job."""
    metadata, spec, status = tree["metadata"], tree["spec"], tree.get("status") or {}
    writer.line(f"Name:\t{metadata['name']}")
    writer.line(f"Namespace:\t{metadata['namespace']}")
    if spec.get("selector"):
        _selector(writer, tree)
    labels_lines(writer, "Labels", metadata.get("labels"))
    annotation_lines(writer, "Annotations", metadata.get("annotations"))
    if owner := controller(tree):
        writer.line(f"Controlled By:\t{owner}")
    if spec.get("parallelism") is not None:
        writer.line(f"Parallelism:\t{spec['parallelism']}")
    completions = spec.get("completions")
    writer.line(f"Completions:\t{'<unset>' if completions is None else completions}")
    if spec.get("completionMode"):
        writer.line(f"Completion Mode:\t{spec['completionMode']}")
    if spec.get("suspend") is not None:
        writer.line(f"Suspend:\t{boolean(spec['suspend'])}")
    if spec.get("backoffLimit") is not None:
        writer.line(f"Backoff Limit:\t{spec['backoffLimit']}")
    if spec.get("ttlSecondsAfterFinished") is not None:
        writer.line(f"TTL Seconds After Finished:\t{spec['ttlSecondsAfterFinished']}")
    started, ended = status.get("startTime"), status.get("completionTime")
    if started:
        writer.line(f"Start Time:\t{rfc1123(started)}")
    if ended:
        writer.line(f"Completed At:\t{rfc1123(ended)}")
    if started and ended:
        writer.line(f"Duration:\t{human(times.parse(ended) - times.parse(started))}")
    if spec.get("activeDeadlineSeconds") is not None:
        writer.line(f"Active Deadline Seconds:\t{spec['activeDeadlineSeconds']}s")
    active, done, failed = (status.get(key, 0) for key in ("active", "succeeded", "failed"))
    ready = f" ({status['ready']} Ready)" if status.get("ready") is not None else ""
    writer.line(f"Pods Statuses:\t{active} Active{ready} / {done} Succeeded / {failed} Failed")
    if spec.get("completionMode") == "Indexed":
        writer.line(f"Completed Indexes:\t{status.get('completedIndexes') or '<none>'}")
    template_lines(writer, spec["template"])
    return True


async def cron_job(_session: Session, tree: Json, writer: Writer) -> bool:
    """A cron job."""
    metadata, spec, status = tree["metadata"], tree["spec"], tree.get("status") or {}
    writer.line(f"Name:\t{metadata['name']}")
    writer.line(f"Namespace:\t{metadata['namespace']}")
    labels_lines(writer, "Labels", metadata.get("labels"))
    annotation_lines(writer, "Annotations", metadata.get("annotations"))
    writer.line(f"Schedule:\t{spec['schedule']}")
    writer.line(f"Concurrency Policy:\t{spec.get('concurrencyPolicy', '')}")
    writer.line(f"Suspend:\t{'True' if spec.get('suspend') else 'False'}")
    for title, key in (
        ("Successful Job History Limit", "successfulJobsHistoryLimit"),
        ("Failed Job History Limit", "failedJobsHistoryLimit"),
    ):
        writer.line(f"{title}:\t{spec.get(key, '<unset>')}")
    deadline = spec.get("startingDeadlineSeconds")
    writer.line(f"Starting Deadline Seconds:\t{'<unset>' if deadline is None else f'{deadline}s'}")
    inner = spec["jobTemplate"].get("spec") or {}
    writer.line(f"Selector:\t{selector_text(inner['selector']) if inner.get('selector') else '<unset>'}")
    writer.line(f"Parallelism:\t{inner.get('parallelism', '<unset>')}")
    writer.line(f"Completions:\t{inner.get('completions', '<unset>')}")
    if inner.get("activeDeadlineSeconds") is not None:
        writer.line(f"Active Deadline Seconds:\t{inner['activeDeadlineSeconds']}s")
    template_lines(writer, inner["template"])
    last = status.get("lastScheduleTime")
    writer.line(f"Last Schedule Time:\t{rfc1123(last) if last else '<unset>'}")
    active = ", ".join(each["name"] for each in status.get("active") or ())
    writer.line(f"Active Jobs:\t{active or '<none>'}")
    return True

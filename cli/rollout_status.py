"""`pykubectl rollout status`: waits for a rollout, saying how far it is. Source: polymorphichelpers/rollout_status.go.

`progress` is pure: an object in, a sentence and whether it is done out.
"""

import asyncio
from typing import Annotated

import typer

from apimachinery.kinds import Kind
from apimachinery.types import Json
from cli.durations import seconds
from cli.flags import UsageError
from cli.options import FileNames, LabelSelector, Words
from cli.pods_of import condition
from cli.rollout import REVISION, rollouts
from cli.session import Session, run


def progress(kind: Kind, tree: Json, revision: int) -> tuple[str, bool]:
    """(what to say, whether the rollout is done)."""
    if kind.kind == "Deployment":
        return _deployment(tree, revision)
    if kind.kind == "DaemonSet":
        return _daemon_set(tree)
    if kind.kind == "StatefulSet":
        return _stateful_set(tree)
    raise UsageError(f"no status viewer has been implemented for {kind.kind}")


def _observed(tree: Json) -> bool:
    return int(tree["metadata"].get("generation", 0)) <= int((tree.get("status") or {}).get("observedGeneration", 0))


def _deployment(tree: Json, revision: int) -> tuple[str, bool]:
    name, status = tree["metadata"]["name"], tree.get("status") or {}
    if revision:
        now = int((tree["metadata"].get("annotations") or {}).get(REVISION, 0))
        if now != revision:
            raise UsageError(f"desired revision ({revision}) is different from the running revision ({now})")
    if not _observed(tree):
        return "Waiting for deployment spec update to be observed...\n", False
    if condition(tree, "Progressing").get("reason") == "ProgressDeadlineExceeded":
        raise UsageError(f'deployment "{name}" exceeded its progress deadline')
    wanted = tree["spec"].get("replicas", 1)
    updated, total, available = (status.get(key, 0) for key in ("updatedReplicas", "replicas", "availableReplicas"))
    waiting = f'Waiting for deployment "{name}" rollout to finish: '
    if updated < wanted:
        return f"{waiting}{updated} out of {wanted} new replicas have been updated...\n", False
    if total > updated:
        return f"{waiting}{total - updated} old replicas are pending termination...\n", False
    if available < updated:
        return f"{waiting}{available} of {updated} updated replicas are available...\n", False
    return f'deployment "{name}" successfully rolled out\n', True


def _daemon_set(tree: Json) -> tuple[str, bool]:
    name, status = tree["metadata"]["name"], tree.get("status") or {}
    if (tree["spec"].get("updateStrategy") or {}).get("type") != "RollingUpdate":
        raise UsageError("rollout status is only available for RollingUpdate strategy type")
    if not _observed(tree):
        return "Waiting for daemon set spec update to be observed...\n", False
    updated, wanted = status.get("updatedNumberScheduled", 0), status.get("desiredNumberScheduled", 0)
    available = status.get("numberAvailable", 0)
    waiting = f'Waiting for daemon set "{name}" rollout to finish: '
    if updated < wanted:
        return f"{waiting}{updated} out of {wanted} new pods have been updated...\n", False
    if available < wanted:
        return f"{waiting}{available} of {wanted} updated pods are available...\n", False
    return f'daemon set "{name}" successfully rolled out\n', True


def _stateful_set(tree: Json) -> tuple[str, bool]:
    status, strategy = tree.get("status") or {}, tree["spec"].get("updateStrategy") or {}
    if strategy.get("type") != "RollingUpdate":
        raise UsageError("rollout status is only available for RollingUpdate strategy type")
    if not status.get("observedGeneration") or not _observed(tree):
        return "Waiting for statefulset spec update to be observed...\n", False
    wanted, updated = tree["spec"].get("replicas", 1), status.get("updatedReplicas", 0)
    if (missing := wanted - status.get("readyReplicas", 0)) > 0:
        return f"Waiting for {missing} pods to be ready...\n", False
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    if partition:
        if updated < wanted - partition:
            return (
                f"Waiting for partitioned roll out to finish: {updated} out of {wanted - partition} new pods have been updated...\n",  # noqa: E501  (one message on one line)
                False,
            )
        return f"partitioned roll out complete: {updated} new pods have been updated...\n", True
    if status.get("updateRevision") != status.get("currentRevision"):
        return (
            f"waiting for statefulset rolling update to complete {updated} pods at revision {status.get('updateRevision')}...\n",  # noqa: E501  (one message on one line)
            False,
        )
    return (
        f"statefulset rolling update complete {status.get('currentReplicas', 0)} pods at revision {status.get('currentRevision')}...\n",  # noqa: E501  (one message on one line)
        True,
    )


def status(
    words: Words = None,
    watch: Annotated[bool, typer.Option("--watch/--no-watch", "-w", help="Until it is done.")] = True,
    revision: Annotated[int, typer.Option(help="Only that revision.")] = 0,
    timeout: Annotated[str, typer.Option(help="How long at most, 0 for ever.")] = "0s",
    filename: FileNames = None,
    selector: LabelSelector = "",
) -> None:
    """Show how far a rollout is, until it is done."""

    async def work(session: Session) -> int:
        for kind, tree in await rollouts(session, words or [], filename, selector):
            try:
                async with asyncio.timeout(seconds(timeout) or None):
                    await _follow(session, kind, tree, revision, watch=watch)
            except TimeoutError:
                raise UsageError("timed out waiting for the condition") from None
        return 0

    run(work)


async def _follow(session: Session, kind: Kind, tree: Json, revision: int, *, watch: bool) -> None:
    namespace, name = tree["metadata"]["namespace"], tree["metadata"]["name"]
    while True:
        text, done = progress(kind, tree, revision)
        print(text, end="", flush=True)
        if done or not watch:
            return
        seen = tree["metadata"]["resourceVersion"]
        async for event, now in session.client.watch(
            kind, namespace, resource_version=seen, fields=f"metadata.name={name}", bookmarks=False, timeout=300
        ):
            if event == "DELETED":
                raise UsageError("object has been deleted")
            text, done = progress(kind, now, revision)
            print(text, end="", flush=True)
            if done:
                return
        tree = await session.get_json(kind.path(namespace, name))

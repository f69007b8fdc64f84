"""`pykubectl drain`: makes a node unschedulable and evicts its pods. Source: kubectl/pkg/drain.

`verdict` is pure: which pods go, which stay, what forbids it.
"""

import asyncio
import sys
from typing import Annotated

import msgspec
import typer

from apimachinery.errors import ApiError
from apimachinery.kinds import DAEMONSETS, NODES, PODS
from apimachinery.types import Json
from cli.changing import report, send_patch
from cli.durations import seconds
from cli.flags import UsageError
from cli.options import DryRun, LabelSelector, dry_run_suffix
from cli.session import Session, explain, run
from cli.usage import see

MIRROR = "kubernetes.io/config.mirror"
_RETRY = 5.0
_POLL = 0.2


def drain(
    nodes: Annotated[list[str] | None, typer.Argument(help="NODE")] = None,
    force: Annotated[bool, typer.Option("--force", help="Pods that nobody will replace, too.")] = False,
    ignore_daemonsets: Annotated[bool, typer.Option("--ignore-daemonsets", help="Leave pods of daemon sets.")] = False,
    delete_emptydir_data: Annotated[
        bool, typer.Option("--delete-emptydir-data", help="Pods with local data, too.")
    ] = False,
    disable_eviction: Annotated[bool, typer.Option("--disable-eviction", help="Delete instead of evicting.")] = False,
    grace_period: Annotated[int, typer.Option(help="Seconds given to end; -1 for the pod's own.")] = -1,
    timeout: Annotated[str, typer.Option(help="How long at most; 0 for ever.")] = "0s",
    selector: LabelSelector = "",
    pod_selector: Annotated[str, typer.Option(help="Only pods with these labels.")] = "",
    skip_wait: Annotated[  # noqa: ARG001  (accepted, as kubectl has it)
        int, typer.Option("--skip-wait-for-delete-timeout", help="Do not wait for pods deleted so many seconds ago.")
    ] = 0,
    chunk_size: Annotated[int, typer.Option(hidden=True)] = 500,  # noqa: ARG001  (accepted)
    dry_run: DryRun = "none",
) -> None:
    """Empty a node before it is taken away."""
    given = nodes or []
    if not given and not selector:
        raise UsageError("USAGE: drain NODE [flags]", see("drain"))
    if given and selector:
        raise UsageError("error: cannot specify both a node name and a --selector option")
    flags = (force, ignore_daemonsets, delete_emptydir_data)

    async def work(session: Session) -> int:
        found = [await session.get_json(NODES.path("", name)) for name in given]
        if selector:
            found = (await session.get_json(NODES.path(), {"labelSelector": selector}))["items"]
        failed = 0
        for node in found:
            await _cordon(session, node, dry_run)
        for node in found:
            name = node["metadata"]["name"]
            try:
                async with asyncio.timeout(seconds(timeout) or None):
                    await _empty(session, name, pod_selector, flags, grace_period, dry_run, evict=not disable_eviction)
                report(node, NODES, "drained", "", dry_run)
            except TimeoutError:
                failed = 1
                print(
                    f'error: unable to drain node "{name}" due to error: global timeout reached: {timeout}, continuing command...',  # noqa: E501  (one message on one line)
                    file=sys.stderr,
                )
            except UsageError as error:
                failed = 1
                print(
                    f'error: unable to drain node "{name}" due to error: {error}, continuing command...',
                    file=sys.stderr,
                )
                print(f"There are pending nodes to be drained:\n {name}\n{error}", file=sys.stderr)
        return failed

    run(work)


async def _cordon(session: Session, node: Json, dry_run: str) -> None:
    name = node["metadata"]["name"]
    if node["spec"].get("unschedulable"):
        report(node, NODES, "already cordoned", "", dry_run)
        return
    dry_run_suffix(dry_run)
    if dry_run == "none":
        await send_patch(session, NODES, "", name, {"spec": {"unschedulable": True}})
    report(node, NODES, "cordoned", "", dry_run)


def verdict(
    pod: Json, *, daemon_set_exists: bool, force: bool, ignore_daemonsets: bool, delete_data: bool
) -> tuple[bool, str, str]:
    """(whether it goes, a warning, an error) for one pod."""
    metadata = pod["metadata"]
    if MIRROR in (metadata.get("annotations") or {}):
        return False, "", ""
    ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    owner = next((each for each in metadata.get("ownerReferences") or () if each.get("controller")), None)
    if owner and owner["kind"] == "DaemonSet" and not ended:
        if not daemon_set_exists:
            return (
                (True, "daemonset not found", "")
                if force
                else (False, "", f'daemonsets.apps "{owner["name"]}" not found')
            )
        if ignore_daemonsets:
            return False, "ignoring DaemonSet-managed Pods", ""
        return False, "", "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)"
    local = any("emptyDir" in each for each in pod["spec"].get("volumes") or ())
    if local and not ended and not delete_data:
        return False, "", "cannot delete Pods with local storage (use --delete-emptydir-data to override)"
    if not owner and not ended:
        if not force:
            return False, "", "cannot delete Pods that declare no controller (use --force to override)"
        return True, "deleting Pods that declare no controller", ""
    return True, "", ""


async def _empty(
    session: Session, node: str, selector: str, flags: tuple[bool, bool, bool], grace: int, dry_run: str, *, evict: bool
) -> None:
    query = {"fieldSelector": f"spec.nodeName={node}"} | ({"labelSelector": selector} if selector else {})
    doomed, warnings, errors = [], {}, {}  # type: ignore[var-annotated]
    for pod in (await session.get_json(PODS.path(), query))["items"]:
        exists = await _daemon_set_exists(session, pod)
        force, ignore, data = flags
        goes, warning, error = verdict(
            pod, daemon_set_exists=exists, force=force, ignore_daemonsets=ignore, delete_data=data
        )
        name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        if warning:
            warnings.setdefault(warning, []).append(name)
        if error:
            errors.setdefault(error, []).append(name)
        if goes:
            doomed.append(pod)
    if errors:
        texts = [f"{text}: {', '.join(names)}" for text, names in errors.items()]
        raise UsageError(texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]")
    if warnings:
        texts = [f"{text}: {', '.join(names)}" for text, names in warnings.items()]
        print(f"Warning: {'; '.join(texts)}", file=sys.stderr)
    async with asyncio.TaskGroup() as tasks:
        for pod in doomed:
            tasks.create_task(_remove(session, pod, grace, dry_run, evict=evict))


async def _daemon_set_exists(session: Session, pod: Json) -> bool:
    for owner in pod["metadata"].get("ownerReferences") or ():
        if owner.get("controller") and owner["kind"] == "DaemonSet":
            try:
                await session.get_json(DAEMONSETS.path(pod["metadata"]["namespace"], owner["name"]))
            except ApiError as error:
                if error.reason != "NotFound":
                    raise
                return False
    return True


async def _remove(session: Session, pod: Json, grace: int, dry_run: str, *, evict: bool) -> None:
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    suffix = dry_run_suffix(dry_run)
    print(f"{'evicting' if evict else 'deleting'} pod {namespace}/{name}{suffix}", flush=True)
    if dry_run != "none":
        return
    options: Json = {"gracePeriodSeconds": grace} if grace >= 0 else {}
    path = PODS.path(namespace, name)
    body: Json = {"apiVersion": "v1", "kind": "DeleteOptions"} | options
    while True:
        try:
            if evict:
                eviction = {
                    "apiVersion": "policy/v1",
                    "kind": "Eviction",
                    "metadata": {"name": name, "namespace": namespace},
                    "deleteOptions": options,
                }
                await session.call("POST", f"{path}/eviction", body=msgspec.json.encode(eviction))
            else:
                await session.call("DELETE", path, body=msgspec.json.encode(body))
            break
        except ApiError as error:
            if error.reason == "NotFound":
                break
            if error.code != 429:
                raise
            text = explain(error).removeprefix("Error from server (TooManyRequests): ")
            print(f'error when evicting pods/"{name}" -n "{namespace}" (will retry after 5s): {text}', file=sys.stderr)
            await asyncio.sleep(_RETRY)
    await _gone(session, pod)
    print(f"pod/{name} {'evicted' if evict else 'deleted'}", flush=True)


async def _gone(session: Session, pod: Json) -> None:
    path = PODS.path(pod["metadata"]["namespace"], pod["metadata"]["name"])
    while True:
        try:
            now = await session.get_json(path)
        except ApiError as error:
            if error.reason == "NotFound":
                return
            raise
        if now["metadata"]["uid"] != pod["metadata"]["uid"]:
            return
        await asyncio.sleep(_POLL)

"""From `pod`, `TYPE/NAME` and friends to a pod and its container: what logs, exec, attach, port-forward and cp need.

Source: kubectl/pkg/polymorphichelpers (attachablepodforobject.go, logsforobject.go), podcmd (default container).
"""

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import Any

from apimachinery.kinds import PODS, Kind
from apimachinery.selectors import from_label_selector, parse_labels
from apimachinery.types import Json
from cli.durations import seconds
from cli.flags import UsageError
from cli.printing import object_name
from cli.resources import catalog
from cli.session import Session
from client.client import Client

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_POLL = 0.2


async def find(session: Session, word: str) -> tuple[Kind, Json]:
    """The object that `NAME` (a pod) or `TYPE/NAME` names."""
    kind, name = await kind_and_name(session, word)
    return kind, await session.get_json(kind.path(session.namespace, name))


async def kind_and_name(session: Session, word: str) -> tuple[Kind, str]:
    """`pod/web` or `web`: a kind and a name."""
    type_, slash, name = word.partition("/")
    if not slash:
        return PODS, word
    if type_ in ("po", "pod", "pods"):
        return PODS, name
    return (await catalog(session)).find(type_), name


def selector_of(kind: Kind, tree: Json) -> str:
    """The label selector of an object that has pods."""
    chosen = (tree.get("spec") or {}).get("selector")
    if not chosen:
        raise UsageError(f"cannot get the logs from {kind.kind}: selector is empty")
    if kind.kind in ("Service", "ReplicationController"):
        return ",".join(f"{key}={value}" for key, value in sorted(chosen.items()))
    return selector_text(chosen)


def selector_text(tree: Json) -> str:
    """A metav1.LabelSelector as text."""
    parts = [f"{key}={value}" for key, value in sorted((tree.get("matchLabels") or {}).items())]
    for row in tree.get("matchExpressions") or ():
        values = f"({','.join(row.get('values') or ())})"
        parts.append(
            {
                "In": f"{row['key']} in {values}",
                "NotIn": f"{row['key']} notin {values}",
                "Exists": row["key"],
                "DoesNotExist": f"!{row['key']}",
            }[row["operator"]]
        )
    return ",".join(parts)


async def pods_for(session: Session, kind: Kind, tree: Json, *, troubled_first: bool = False) -> list[Json]:
    """The pods of an object, the most useful first: among equals those that restarted least, or most (for logs)."""
    if kind.kind == "Pod":
        return [tree]
    if kind.kind == "CronJob":
        raise UsageError(f"selector for {kind.kind} not implemented")
    namespace = tree["metadata"].get("namespace") or session.namespace
    listing = await session.get_json(PODS.path(namespace), {"labelSelector": selector_of(kind, tree)})
    return sorted(listing["items"], key=lambda pod: usefulness(pod, troubled_first=troubled_first))


def usefulness(pod: Json, *, troubled_first: bool = False) -> tuple[Any, ...]:
    """Sorts running and ready pods first, of them those that have been ready for longest.

    Source: kubectl pkg/util/podutils, ByLogging and the reverse of ActivePods.
    """
    status = pod.get("status") or {}
    ready = condition(pod, "Ready")
    is_ready = ready.get("status") == "True"
    restarts = max((each.get("restartCount", 0) for each in status.get("containerStatuses") or ()), default=0)
    return (
        not pod.get("spec", {}).get("nodeName"),
        {"Running": 0, "Unknown": 1}.get(status.get("phase", ""), 2),
        not is_ready,
        ready.get("lastTransitionTime", "") if is_ready else "",
        -restarts if troubled_first else restarts,
        pod["metadata"].get("creationTimestamp", ""),
        pod["metadata"]["name"],
    )


def condition(tree: Json, name: str) -> Json:
    """One of the conditions in a status; empty when there is none of that type."""
    found = (each for each in (tree.get("status") or {}).get("conditions") or () if each.get("type") == name)
    return next(found, {})


async def pod_for(session: Session, word: str, timeout: str = "1m") -> Json:  # noqa: ASYNC109  (a duration as the flag has it)
    """The one pod that a word stands for; waits a while for the first pod of a workload."""
    kind, tree = await find(session, word)
    if kind.kind == "Pod":
        return tree
    if kind.kind != "Service" and not (tree.get("spec") or {}).get("selector"):
        raise UsageError(
            f"cannot attach to *unstructured.Unstructured: cannot extract pods from {object_name(tree, kind)}"
        )
    async with asyncio.timeout(seconds(timeout) or 60):
        while not (pods := await pods_for(session, kind, tree)):
            await asyncio.sleep(_POLL)
    return pods[0]


def containers(pod: Json) -> list[Json]:
    """Init, ordinary and ephemeral containers."""
    spec = pod["spec"]
    return [each for part in ("initContainers", "containers", "ephemeralContainers") for each in spec.get(part) or ()]


def container_of(pod: Json, asked: str, *, quiet: bool = False) -> str:
    """The container asked for, or the pod's default one, which is said on stderr when there are several."""
    name = pod["metadata"]["name"]
    if asked:
        if asked not in [each["name"] for each in containers(pod)]:
            raise UsageError(f"container {asked} not found in pod {name}")
        return asked
    default = (pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER, "")
    names = [each["name"] for each in pod["spec"]["containers"]]
    if default:
        if default in [each["name"] for each in containers(pod)]:
            return str(default)
        if not quiet:
            print(f'Default container name "{default}" not found in pod {name}', file=sys.stderr)
    if len(names) + len(pod["spec"].get("initContainers") or ()) > 1 and not quiet:
        print(f'Defaulted container "{names[0]}" out of: {all_containers(pod)}', file=sys.stderr)
    return str(names[0])


def all_containers(pod: Json) -> str:
    """`app, log (init), debug (ephem)`."""
    spec = pod["spec"]
    texts = [each["name"] for each in spec["containers"]]
    texts += [f"{each['name']} (init)" for each in spec.get("initContainers") or ()]
    texts += [f"{each['name']} (ephem)" for each in spec.get("ephemeralContainers") or ()]
    return ", ".join(texts)


async def until(client: Client, namespace: str, name: str, holds: Callable[[Json], bool]) -> Json:
    """The pod, as soon as `holds` is true of it; watches it meanwhile."""
    while True:
        pod = await client.get(PODS, namespace, name)
        if holds(pod):
            return pod
        revision = pod["metadata"]["resourceVersion"]
        async for kind, tree in client.watch(
            PODS, namespace, resource_version=revision, fields=f"metadata.name={name}", timeout=60
        ):
            if kind == "DELETED":
                raise UsageError(f"pod {name} was deleted")
            if kind != "BOOKMARK" and holds(tree):
                return tree


def matching(pods: Sequence[Json], selector: str) -> list[Json]:
    """The pods that a selector's text chooses."""
    wanted = parse_labels(selector)
    return [pod for pod in pods if wanted.matches(pod["metadata"].get("labels") or {})]


def selects(tree: Json, pod: Json) -> bool:
    """Whether a metav1.LabelSelector chooses a pod."""
    return from_label_selector(tree).matches(pod["metadata"].get("labels") or {})

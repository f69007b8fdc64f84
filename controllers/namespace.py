"""Empties a namespace that is being deleted, kind by kind with custom ones included, and then lets it go.

Pods go first and everything else when the last of them is gone, so that a pod never runs without the policies and
secrets of its namespace. What no cache holds must be asked for: this controller looks (`look`), then plans purely with
what it saw. Progress stands in the namespace's conditions.
Source: pkg/controller/namespace/deletion/namespaced_resources_deleter.go, status_condition_utils.go.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from apimachinery.errors import ApiError
from apimachinery.kinds import NAMESPACES, PODS, Kind
from apimachinery.times import rfc3339
from apimachinery.types import Json
from client.client import Client
from client.discovery import discover
from client.plan import DeleteAll, Key, Patch, Plan, Replace, View, Watch, Write, itself
from controllers.serviceaccount import is_gone, namespace_of
from controllers.views import (
    Condition,
    Meta,
    Namespace,
    Object,
    seconds,
)

FINALIZER = "kubernetes"
SOON, LATER = 0.2, 5.0


class _List(msgspec.Struct, frozen=True):
    items: tuple[Object, ...] | None = None


_decode_list = msgspec.json.Decoder(_List).decode


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a namespace, and what of that could not be found out."""

    namespace: Json
    objects: tuple[tuple[Kind, tuple[Meta, ...]], ...] = ()
    undiscovered: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class NamespaceController:
    """The controller of namespaces that are going away."""

    name: str = "namespace-controller"
    watches: Sequence[Watch] = (Watch(NAMESPACES, itself), Watch(PODS, namespace_of, is_gone))

    async def look(self, client: Client, key: Key, view: View) -> Contents | None:
        """Everything in the namespace; None where there is nothing to do."""
        known: Namespace | None = view.get(NAMESPACES, key)
        if known is None or known.metadata.deletion_timestamp is None:
            return None
        try:
            namespace = await client.get(NAMESPACES, "", key.name)
        except ApiError as error:
            if error.code == 404:
                return None
            raise
        found = await discover(client)
        objects, failures = [], []
        for kind in found.kinds:
            if kind.namespaced and "list" in kind.verbs and "delete" in kind.verbs:
                try:
                    answer = await client.request("GET", kind.path(key.name))
                    items = tuple(item.metadata for item in _decode_list(answer.content).items or ())
                except ApiError as error:
                    failures.append(f"{kind.resource}: {error}")
                    continue
                if items:
                    objects.append((kind, items))
        return Contents(namespace, tuple(objects), found.failed, tuple(failures))

    def plan(self, key: Key, view: View, now: float, seen: Contents | None) -> Plan:
        known: Namespace | None = view.get(NAMESPACES, key)
        if seen is None or known is None or not seen.namespace["metadata"].get("deletionTimestamp"):
            return Plan()
        writes: list[Write] = list(_conditions_patch(known, seen, now))
        if seen.undiscovered or seen.failures:
            return Plan([*_deletions(seen), *writes], LATER)
        if seen.objects:
            deletions = _deletions(seen)
            return Plan([*writes, *deletions], SOON if deletions else LATER)
        finalizers = seen.namespace.get("spec", {}).get("finalizers") or ()
        if FINALIZER not in finalizers:
            return Plan(writes)
        rest = [each for each in finalizers if each != FINALIZER]
        meta = {name: value for name, value in seen.namespace["metadata"].items() if name != "resourceVersion"}
        finalized = {**seen.namespace, "metadata": meta, "spec": {**seen.namespace["spec"], "finalizers": rest}}
        return Plan([*writes, Replace(NAMESPACES, finalized, subresource="finalize")])


def _deletions(seen: Contents) -> Sequence[DeleteAll]:
    """Delete what is not being deleted yet: pods, and once there are none, everything else."""
    name = seen.namespace["metadata"]["name"]
    pods = [each for each in seen.objects if each[0].resource == PODS.resource]
    return [
        DeleteAll(kind, name)
        for kind, items in pods or seen.objects
        if any(meta.deletion_timestamp is None for meta in items)
    ]


def _conditions_patch(known: Namespace, seen: Contents, now: float) -> Sequence[Patch]:
    old = {each.type: each for each in known.status.conditions}
    wanted = [_stamped(condition, old.get(condition["type"]), now) for condition in _conditions(seen)]
    current = [_tree(each) for each in known.status.conditions]
    is_worth_telling = old or seen.objects or seen.failures or seen.undiscovered
    if not is_worth_telling or sorted(wanted, key=str) == sorted(current, key=str):
        return ()
    body = {"status": {"conditions": wanted}}
    key = Key("", known.metadata.name)
    return (Patch(NAMESPACES, key, known.metadata.uid, body, subresource="status"),)


def _stamped(condition: Json, old: Condition | None, now: float) -> Json:
    is_same = old is not None and old.status == condition["status"]
    since = seconds(old.last_transition_time) if old is not None and is_same else now
    return {**condition, "lastTransitionTime": rfc3339(since)}


def _tree(each: Condition) -> Json:
    stamp = rfc3339(seconds(each.last_transition_time))
    texts = {"type": each.type, "status": each.status, "reason": each.reason, "message": each.message}
    return texts | {"lastTransitionTime": stamp}


def _conditions(seen: Contents) -> Sequence[Json]:
    """The five conditions, as upstream words them."""
    return [_discovery(seen), _PARSED, _deletion(seen), _content(seen), _finalizers(seen)]


#: We parse nothing that could fail.
_PARSED: Json = {
    "type": "NamespaceDeletionGroupVersionParsingFailure",
    "status": "False",
    "reason": "ParsedGroupVersions",
    "message": "All legacy kube types successfully parsed",
}


def _discovery(seen: Contents) -> Json:
    type, failed = "NamespaceDeletionDiscoveryFailure", seen.undiscovered
    if not failed:
        return _condition(type, "ResourcesDiscovered", "All resources successfully discovered", is_true=False)
    text = f"Discovery failed for some groups, {len(failed)} failing: "
    text += f"unable to retrieve the complete list of server APIs: {', '.join(failed)}"
    return _condition(type, "DiscoveryFailed", text, is_true=True)


def _deletion(seen: Contents) -> Json:
    type, failed = "NamespaceDeletionContentFailure", seen.failures
    if not failed:
        text = "All content successfully deleted, may be waiting on finalization"
        return _condition(type, "ContentDeleted", text, is_true=False)
    text = f"Failed to delete all resource types, {len(failed)} remaining: {', '.join(failed)}"
    return _condition(type, "ContentDeletionFailed", text, is_true=True)


def _content(seen: Contents) -> Json:
    remaining = [
        f"{kind.plural}.{kind.group} has {len(items)} resource instances" for kind, items in _by_resource(seen)
    ]
    type = "NamespaceContentRemaining"
    if not remaining:
        return _condition(type, "ContentRemoved", "All content successfully removed", is_true=False)
    text = "Some resources are remaining: " + ", ".join(remaining)
    return _condition(type, "SomeResourcesRemain", text, is_true=True)


def _finalizers(seen: Contents) -> Json:
    holding = Counter(finalizer for _, items in seen.objects for meta in items for finalizer in meta.finalizers)
    type = "NamespaceFinalizersRemaining"
    if not holding:
        text = "All content-preserving finalizers finished"
        return _condition(type, "ContentHasNoFinalizers", text, is_true=False)
    waiting = [f"{name} in {count} resource instances" for name, count in sorted(holding.items())]
    text = "Some content in the namespace has finalizers remaining: " + ", ".join(waiting)
    return _condition(type, "SomeFinalizersRemain", text, is_true=True)


def _by_resource(seen: Contents) -> Sequence[tuple[Kind, tuple[Meta, ...]]]:
    return sorted(seen.objects, key=lambda each: each[0].resource)


def _condition(type: str, reason: str, message: str, *, is_true: bool) -> Json:
    return {"type": type, "status": "True" if is_true else "False", "reason": reason, "message": message}

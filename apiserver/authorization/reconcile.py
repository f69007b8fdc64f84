"""Brings stored roles and bindings up to date with the bootstrap policy, without taking away what people added.

Missing objects are created, missing rules, subjects, labels and annotations added; nothing is removed. An object whose
annotation rbac.authorization.kubernetes.io/autoupdate is "false" is left alone. A binding that refers to another role
must be made anew, since roleRef cannot change. Pure: `reconcile` says what to write.
Source: component-helpers/auth/rbac/reconciliation.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from apimachinery.types import Json
from apiserver.authorization.aggregation import settled
from apiserver.authorization.policy import AUTOUPDATE
from apiserver.authorization.rules import uncovered

Key = tuple[str, str, str]  # kind, namespace, name
CREATE, UPDATE, RECREATE = "create", "update", "recreate"


@dataclass(frozen=True, slots=True)
class Step:
    """One write. `recreate` means: delete what is there, then create `tree`."""

    action: str
    tree: Json


def reconcile(existing: Iterable[Json], wanted: Iterable[Json]) -> list[Step]:
    """The writes that make `existing` hold everything in `wanted`, in the order of `wanted`.

    Aggregated roles are created complete, so that admin, edit and view work before any controller runs.
    """
    stored = {key(tree): tree for tree in existing}
    steps: list[Step] = []
    for tree in _complete(list(wanted)):
        current = stored.get(key(tree))
        if current is None:
            steps.append(Step(CREATE, tree))
        elif (step := _step(current, tree)) is not None:
            steps.append(step)
    return steps


def key(tree: Json) -> Key:
    """What identifies a role or binding."""
    metadata = tree["metadata"]
    return tree["kind"], metadata.get("namespace", ""), metadata["name"]


def _complete(wanted: list[Json]) -> list[Json]:
    roles = {key(role): role for role in settled([tree for tree in wanted if tree["kind"] == "ClusterRole"])}
    return [roles.get(key(tree), tree) for tree in wanted]


def _step(current: Json, tree: Json) -> Step | None:
    if (current["metadata"].get("annotations") or {}).get(AUTOUPDATE) == "false":
        return None
    if "roleRef" in tree and current.get("roleRef") != tree["roleRef"]:
        return Step(RECREATE, {**tree, "subjects": _with_missing(current.get("subjects"), tree.get("subjects"))})
    result = {**current, "metadata": _metadata(current["metadata"], tree["metadata"])}
    if "roleRef" in tree:
        subjects = _with_missing(current.get("subjects"), tree.get("subjects"))
        result |= {"subjects": subjects} if subjects else {}
    elif "aggregationRule" in tree:
        selectors = _selectors(current)
        result["aggregationRule"] = {"clusterRoleSelectors": _with_missing(selectors, _selectors(tree))}
    elif current.get("rules") == tree["rules"]:
        pass  # as at nearly every start
    elif missing := uncovered(current.get("rules") or (), tree["rules"]):
        result["rules"] = [*(current.get("rules") or ()), *_whole(tree["rules"], missing)]
    return Step(UPDATE, result) if result != current else None


def _selectors(role: Json) -> list[Json]:
    return (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or []


def _whole(rules: list[Json], missing: list[Json]) -> list[Json]:
    """The wanted rules to which missing permissions belong: whole rules read better than their fragments."""
    return [rule for rule in rules if len(uncovered([rule], missing)) < len(missing)]


def _metadata(current: Json, wanted: Json) -> Json:
    result = dict(current)
    for name in ("labels", "annotations"):
        if added := {k: v for k, v in (wanted.get(name) or {}).items() if k not in (current.get(name) or {})}:
            result[name] = {**(current.get(name) or {}), **added}
    return result


def _with_missing(current: list[Json] | None, wanted: list[Json] | None) -> list[Json]:
    held = list(current or ())
    return held + [item for item in wanted or () if item not in held]

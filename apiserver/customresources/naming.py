"""Which names a definition gets, and its conditions: NamesAccepted, Established, KubernetesAPIApprovalPolicyConformant.

A name belongs to the definition of a group that got it first; who asks for a taken one keeps what it has and says so.
Established is set only after this server answers for the resource, so there are two steps: `named`, `established`.
Source: apiextensions-apiserver/pkg/controller/{status/naming_controller,establish,apiapproval}.go.
"""

from collections.abc import Iterable, Sequence

from apimachinery import times
from apimachinery.trees import copied
from apimachinery.types import Json
from apiserver.customresources.definition import ESTABLISHED, NAMES_ACCEPTED, condition, is_true
from apiserver.strategies.definitions import approval
from apiserver.strategies.definitions.certificates import bundle_problem

_CONFORMANT = "KubernetesAPIApprovalPolicyConformant"
_RESOURCE_NAMES = ("plural", "singular")
_KIND_NAMES = ("kind", "listKind")
_REASONS = {
    "plural": "PluralConflict",
    "singular": "SingularConflict",
    "kind": "KindConflict",
    "listKind": "ListKindConflict",
}


def named(tree: Json, others: Iterable[Json], now: float) -> Json:
    """The definition with the names it may have; `others` are those of its group. The same tree if nothing changes."""
    status = tree.get("status") or {}
    accepted, wanted = status.get("acceptedNames") or {}, tree["spec"]["names"]
    if _same_names(wanted, accepted):
        return tree
    names, reason, message = _accepted(wanted, accepted, list(others))
    held = not reason
    made = {
        "type": NAMES_ACCEPTED,
        "status": "True" if held else "False",
        "reason": reason or "NoConflicts",
        "message": message or "no conflicts found",
    }
    if _same_names(names, accepted) and _is_equivalent(made, condition(tree, NAMES_ACCEPTED)):
        return tree
    new = copied(tree)
    new["status"] = {**status, "acceptedNames": names, "conditions": copied(status.get("conditions") or [])}
    new = with_condition(new, made, now)
    return with_condition(new, _before_established(new, held=held), now)


def _same_names(left: Json, right: Json) -> bool:
    """Equal, absent and empty being one."""
    members = left.keys() | right.keys()
    return all((left.get(member) or None) == (right.get(member) or None) for member in members)


def _accepted(wanted: Json, accepted: Json, others: Sequence[Json]) -> tuple[Json, str, str]:
    """The names to have, and why not all of those wanted."""
    resources, kinds = _taken(others)
    names, reason, message = dict(accepted), "", ""
    for member in _RESOURCE_NAMES:
        names, reason, message = _claim(names, wanted, accepted, resources, member, reason, message)
    if (wanted.get("shortNames") or []) != (accepted.get("shortNames") or []):
        mine = accepted.get("shortNames") or ()
        refused = [name for name in wanted.get("shortNames") or () if name not in mine and name in resources]
        if refused:
            texts = list(dict.fromkeys(f'"{name}" is already in use' for name in refused))
            reason, message = "ShortNamesConflict", texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
        else:
            names = _with(names, "shortNames", wanted.get("shortNames"))
    for member in _KIND_NAMES:
        names, reason, message = _claim(names, wanted, accepted, kinds, member, reason, message)
    return _with(names, "categories", wanted.get("categories")), reason, message


def _claim(
    names: Json, wanted: Json, accepted: Json, taken: set[str], member: str, reason: str, message: str
) -> tuple[Json, str, str]:
    name = wanted.get(member, "")
    if name != accepted.get(member, "") and name in taken:
        return names, _REASONS[member], f'"{name}" is already in use'
    return _with(names, member, name), reason, message


def _with(names: Json, member: str, value: object) -> Json:
    """The names with one set, or taken out where it is empty."""
    rest = {key: item for key, item in names.items() if key != member}
    return {**rest, member: value} if value or member in ("plural", "kind") else rest


def _taken(others: Iterable[Json]) -> tuple[set[str], set[str]]:
    """The names that other definitions of the group have: of resources, of kinds."""
    resources, kinds = set[str](), set[str]()
    for other in others:
        names = (other.get("status") or {}).get("acceptedNames") or {}
        resources |= {names.get("plural", ""), names.get("singular", ""), *(names.get("shortNames") or ())}
        kinds |= {names.get("kind", ""), names.get("listKind", "")}
    return resources - {""}, kinds - {""}


def _before_established(tree: Json, *, held: bool) -> Json:
    found = condition(tree, ESTABLISHED)
    if found is not None and found.get("status") == "True":
        return found
    if held:
        return {
            "type": ESTABLISHED,
            "status": "False",
            "reason": "Installing",
            "message": "the initial names have been accepted",
        }
    return found or {
        "type": ESTABLISHED,
        "status": "False",
        "reason": "NotAccepted",
        "message": "not all names are accepted",
    }


def established(tree: Json, now: float) -> Json:
    """The definition as Established, once it is served. The same tree when nothing changes."""
    if not is_true(tree, NAMES_ACCEPTED) or is_true(tree, ESTABLISHED):
        return tree
    if not _bundle_is_valid(tree):
        made = ("False", "InvalidCABundle", "The conversion webhook CABundle is invalid")
    else:
        made = ("True", "InitialNamesAccepted", "the initial names have been accepted")
    row = dict(zip(("status", "reason", "message"), made, strict=True))
    if _is_equivalent({"type": ESTABLISHED, **row}, condition(tree, ESTABLISHED)):
        return tree
    return with_condition(copied(tree), {"type": ESTABLISHED, **row}, now)


def _bundle_is_valid(tree: Json) -> bool:
    """Whether the conversion webhook's CA bundle, where there is one, can be used."""
    conversion = tree["spec"].get("conversion") or {}
    bundle = ((conversion.get("webhook") or {}).get("clientConfig") or {}).get("caBundle")
    return not bundle or not bundle_problem(bundle)


def approved(tree: Json, now: float) -> Json:
    """The definition with the condition about API approval, for Kubernetes' own groups; the same tree if it has it."""
    if not approval.is_protected(tree["spec"]["group"]):
        return tree
    state, message = approval.state_of((tree["metadata"].get("annotations") or {}).get(approval.ANNOTATION, ""))
    made = {
        "type": _CONFORMANT,
        "status": "True" if state == approval.APPROVED else "False",
        "reason": _APPROVAL_REASONS[state],
        "message": message,
    }
    if _is_equivalent(made, condition(tree, _CONFORMANT)):
        return tree
    return with_condition(copied(tree), made, now)


_APPROVAL_REASONS = {
    approval.INVALID: "InvalidAnnotation",
    approval.MISSING: "MissingAnnotation",
    approval.APPROVED: "ApprovedAnnotation",
    approval.BYPASSED: "UnapprovedAnnotation",
}


def _is_equivalent(made: Json, found: Json | None) -> bool:
    members = ("type", "status", "reason", "message")
    return found is not None and all(made.get(member) == found.get(member) for member in members)


def with_condition(tree: Json, made: Json, now: float) -> Json:
    """Set a condition in a tree of one's own; its time moves when its status does."""
    status = tree.setdefault("status", {})
    conditions = status["conditions"] = status.get("conditions") or []
    found = next((entry for entry in conditions if entry.get("type") == made["type"]), None)
    if found is None:
        conditions.append({**_ordered(made), "lastTransitionTime": times.rfc3339(now)})
        return tree
    if found.get("status") != made["status"] or not found.get("lastTransitionTime"):
        found["lastTransitionTime"] = times.rfc3339(now)
    found |= _ordered(made)
    return tree


def _ordered(made: Json) -> Json:
    return {member: made[member] for member in ("type", "status", "reason", "message")}

"""Nobody grants what they do not hold: checks on writes of roles and bindings.

A role may hold only what its writer holds, unless the writer may `escalate` it; a binding may refer only to a role
whose rules the writer holds, unless the writer may `bind` that role. system:masters may do both.
Source: pkg/registry/rbac/*/policybased/storage.go, pkg/registry/rbac/escalation_check.go.
"""

from apimachinery.errors import ApiError, forbidden, not_found, unconverted
from apimachinery.kinds import CLUSTERROLEBINDINGS, CLUSTERROLES, ROLEBINDINGS, ROLES, Kind
from apimachinery.types import Json
from apiserver.authorization.authorizer import Authorizer
from apiserver.authorization.rbac import aggregate
from apiserver.authorization.rules import compact, merged, quoted, uncovered
from apiserver.request import MASTERS, Attributes, User

_EVERYTHING = (
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    {"verbs": ["*"], "nonResourceURLs": ["*"]},
)


def check(authorizer: Authorizer, user: User, kind: Kind, new: Json, old: Json | None) -> None:
    """Raises ApiError 403 where a write of any kind would grant more than the user holds. `old` is None on create.

    Cheap for kinds that are no roles or bindings, so that it can be called for every write. Without the RBAC mode
    there is nothing to check against.
    """
    if kind.group != ROLES.group or authorizer.rbac is None or MASTERS in user.groups:
        return
    if kind in (ROLES, CLUSTERROLES):
        _check_role(authorizer, user, kind, new, old)
    elif kind in (ROLEBINDINGS, CLUSTERROLEBINDINGS):
        _check_binding(authorizer, user, kind, new, old)


def _check_role(authorizer: Authorizer, user: User, kind: Kind, new: Json, old: Json | None) -> None:
    if old is not None and _only_collected(new, old):
        return
    name, namespace = _name(new), new["metadata"].get("namespace", "")
    if _may(authorizer, user, "escalate", kind.plural, namespace, name):
        return
    if refusal := _missing(authorizer, user, namespace, new.get("rules") or []):
        raise _forbidden(kind, name, refusal)
    if (_aggregates(new) or _aggregates(old or {})) and _missing(authorizer, user, "", list(_EVERYTHING)):
        raise _forbidden(kind, name, "must have cluster-admin privileges to use the aggregationRule")


def _check_binding(authorizer: Authorizer, user: User, kind: Kind, new: Json, old: Json | None) -> None:
    if old is not None and _only_collected(new, old):
        return
    reference, namespace = new.get("roleRef") or {}, new["metadata"].get("namespace", "")
    role_kind, role_name = reference.get("kind", ""), reference.get("name", "")
    if role_kind not in (ROLES.kind, CLUSTERROLES.kind):
        raise unconverted(f'unsupported role reference kind: "{role_kind}"')
    plural = ROLES.plural if role_kind == ROLES.kind else CLUSTERROLES.plural
    if _may(authorizer, user, "bind", plural, namespace, role_name):
        return
    assert authorizer.rbac is not None
    role = authorizer.rbac.role(role_kind, namespace, role_name)
    if role is None:
        raise not_found(kind.group, kind.plural, role_name)  # named as what is written, like upstream's store does it
    refusal = _missing(authorizer, user, namespace, [rule.tree for rule in role.rules])
    if refusal:
        raise _forbidden(kind, _name(new), refusal)


def _only_collected(new: Json, old: Json) -> bool:
    """Whether only owners and finalizers change: the garbage collector, which holds no roles, must write these."""
    return _without_collected(new) == _without_collected(old)


def _without_collected(tree: Json) -> Json:
    passing = ("ownerReferences", "finalizers", "managedFields", "resourceVersion", "generation")
    return {**tree, "metadata": {key: value for key, value in tree["metadata"].items() if key not in passing}}


def _aggregates(role: Json) -> bool:
    return bool((role.get("aggregationRule") or {}).get("clusterRoleSelectors"))


def _missing(authorizer: Authorizer, user: User, namespace: str, wanted: list[Json]) -> str:
    """Upstream's account of the rules the user does not hold; empty when all are held."""
    owned, errors, _ = authorizer.rules(user, namespace)
    parts = uncovered(owned, wanted)
    if not parts:
        return ""
    shown = sorted({compact(rule) for rule in merged(parts)})
    text = (
        f'user "{user.name}" (groups={quoted(user.groups)}) is attempting to grant RBAC permissions not currently held'
    )
    resolution = f"; resolution errors: {aggregate(errors)}" if errors else ""
    return f"{text}:\n" + "\n".join(shown) + resolution


def _may(authorizer: Authorizer, user: User, verb: str, plural: str, namespace: str, name: str) -> bool:
    question = Attributes(
        user=user, verb=verb, group=ROLES.group, version="*", plural=plural, namespace=namespace, name=name
    )
    return authorizer.authorize(question).allowed


def _name(tree: Json) -> str:
    return str(tree["metadata"].get("name", ""))


def _forbidden(kind: Kind, name: str, why: str) -> ApiError:
    return forbidden(kind.group, kind.plural, name, why)

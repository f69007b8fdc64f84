"""Nobody grants what they do not hold: checks on writes of roles and bindings.

A role may hold only what its writer holds, unless the writer may `escalate` it; a binding may refer only to a role
whose rules the writer holds, unless the writer may `bind` that role. system:masters may do both.
Source: pkg/registry/rbac/*/policybased/storage.go, pkg/registry/rbac/escalation_check.go.
"""

from apimachinery.errors import ApiError, forbidden, not_found
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
    rules, rule = new.get("rules") or [], new.get("aggregationRule")
    if old is not None and rules == (old.get("rules") or []) and rule == old.get("aggregationRule"):
        return  # finalizers, owners, labels: the garbage collector must be able to write these
    name, namespace = _name(new), new["metadata"].get("namespace", "")
    if _may(authorizer, user, "escalate", kind.plural, namespace, name):
        return
    refusal = _missing(authorizer, user, namespace, rules)
    if refusal:
        raise _forbidden(kind, name, refusal)
    if rule and rule.get("clusterRoleSelectors") and _missing(authorizer, user, "", list(_EVERYTHING)):
        raise _forbidden(kind, name, "must have cluster-admin privileges to use the aggregationRule")


def _check_binding(authorizer: Authorizer, user: User, kind: Kind, new: Json, old: Json | None) -> None:
    if old is not None and new.get("roleRef") == old.get("roleRef") and new.get("subjects") == old.get("subjects"):
        return
    reference, namespace = new.get("roleRef") or {}, new["metadata"].get("namespace", "")
    role_kind, role_name = reference.get("kind", ""), reference.get("name", "")
    plural = ROLES.plural if role_kind == ROLES.kind else CLUSTERROLES.plural
    if _may(authorizer, user, "bind", plural, namespace, role_name):
        return
    assert authorizer.rbac is not None
    role = authorizer.rbac.role(role_kind, namespace, role_name)
    if role is None:
        raise not_found(kind.group, plural, role_name)
    refusal = _missing(authorizer, user, namespace, [rule.tree for rule in role.rules])
    if refusal:
        raise _forbidden(kind, _name(new), refusal)


def _missing(authorizer: Authorizer, user: User, namespace: str, wanted: list[Json]) -> str:
    """Upstream's account of the rules the user does not hold; empty when all are held."""
    owned, errors = authorizer.rules(user, namespace)
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

"""Subject -> what it was granted: an index over every Role, ClusterRole and binding.

Built whole from four lists; roles whose resourceVersion has not changed keep their compiled rules. A question then
costs one look-up for the user's name and one for each group, and the rules behind them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from apimachinery.kinds import CLUSTERROLES, ROLES
from apimachinery.types import Json
from apiserver.authentication.groups import service_account_name
from apiserver.authorization.rules import Rule, compiled
from apiserver.request import User

Subject = tuple[str, str]  # ("User" or "Group", name); service accounts by their user names
RoleKey = tuple[str, str, str]  # kind, namespace, name


@dataclass(frozen=True, slots=True)
class Role:
    """A role's rules at one resourceVersion."""

    version: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """One binding as it concerns one subject. `order` is its place among all; `error`: the role is missing."""

    order: int
    source: str
    rules: tuple[Rule, ...]
    error: str = ""


@dataclass(frozen=True, slots=True)
class Bindings:
    """The index. `everywhere` comes from ClusterRoleBindings, `within` from RoleBindings, by namespace."""

    everywhere: Mapping[Subject, Sequence[Grant]] = field(default_factory=dict)
    within: Mapping[str, Mapping[Subject, Sequence[Grant]]] = field(default_factory=dict)
    roles: Mapping[RoleKey, Role] = field(default_factory=dict)

    def grants(self, user: User, namespace: str) -> list[Grant]:
        """Everything granted to the user, cluster-wide bindings first, each binding once."""
        found = _of(self.everywhere, user)
        if local := self.within.get(namespace):
            found += _of(local, user)
        return found


def _of(grants: Mapping[Subject, Sequence[Grant]], user: User) -> list[Grant]:
    found = list(grants.get(("User", user.name), ()))
    for group in user.groups:
        found += grants.get(("Group", group), ())
    if len(found) < 2:
        return found
    by_order = {grant.order: grant for grant in reversed(found)}
    return [by_order[order] for order in sorted(by_order)]


def index(
    cluster_roles: Iterable[Json],
    roles: Iterable[Json],
    cluster_bindings: Iterable[Json],
    bindings: Iterable[Json],
    before: Bindings | None = None,
) -> Bindings:
    """The index of these objects. `before` lends compiled rules."""
    known = before.roles if before else {}
    compiled_roles: dict[RoleKey, Role] = {}
    for kind, trees in ((CLUSTERROLES.kind, cluster_roles), (ROLES.kind, roles)):
        for tree in trees:
            metadata = tree["metadata"]
            key = (kind, metadata.get("namespace", ""), metadata["name"])
            compiled_roles[key] = _role(tree, known.get(key))
    everywhere: dict[Subject, list[Grant]] = {}
    within: dict[str, dict[Subject, list[Grant]]] = {}
    for order, tree in enumerate(cluster_bindings):
        _add(everywhere, tree, "", compiled_roles, order)
    for order, tree in enumerate(bindings):
        namespace = tree["metadata"]["namespace"]
        _add(within.setdefault(namespace, {}), tree, namespace, compiled_roles, order)
    return Bindings(everywhere, within, compiled_roles)


def _role(tree: Json, known: Role | None) -> Role:
    version = tree["metadata"].get("resourceVersion", "")
    if known is not None and version and known.version == version:
        return known
    return Role(version, tuple(compiled(rule) for rule in tree.get("rules") or ()))


def _add(
    into: dict[Subject, list[Grant]], binding: Json, namespace: str, roles: Mapping[RoleKey, Role], order: int
) -> None:
    reference = binding["roleRef"]
    kind, name = reference["kind"], reference["name"]
    role = roles.get((kind, namespace if kind == ROLES.kind else "", name))
    error = "" if role else f'{kind.lower()}.rbac.authorization.k8s.io "{name}" not found'
    binding_name = binding["metadata"]["name"] + (f"/{namespace}" if namespace else "")
    source = f'{"RoleBinding" if namespace else "ClusterRoleBinding"} "{binding_name}" of {kind} "{name}" to '
    for subject in binding.get("subjects") or ():
        key, shown = _subject(subject, namespace)
        # A binding that names a subject twice concerns it once; grants() drops the second by its order.
        into.setdefault(key, []).append(Grant(order, source + shown, role.rules if role else (), error))


def _subject(subject: Json, namespace: str) -> tuple[Subject, str]:
    kind, name = subject["kind"], subject["name"]
    if kind == "ServiceAccount":
        where = subject.get("namespace") or namespace
        return ("User", service_account_name(where, name)), f'{kind} "{name}/{where}"'
    return (kind, name), f'{kind} "{name}"'

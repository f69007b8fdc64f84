"""RBAC: a request is allowed when any rule of any role bound to the user, or to a group of the user, allows it.

There is no deny. The index is rebuilt when `version()` changes, whatever number that is; between changes decisions
are kept (bounded). Source: plugin/pkg/auth/authorizer/rbac/rbac.go; reasons are upstream's.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from apimachinery.kinds import CLUSTERROLEBINDINGS, CLUSTERROLES, ROLEBINDINGS, ROLES
from apimachinery.types import Json
from apiserver.authorization.bindings import Bindings, Role, index
from apiserver.request import Attributes, Decision, Lookup, User

_KEPT = 8192
_Question = tuple[object, ...]


@dataclass(slots=True)
class RbacAuthorizer:
    """Decides by the roles and bindings that `lookup` shows. `version` must change whenever one of them does."""

    lookup: Lookup
    version: Callable[[], object]
    _seen: object = field(default=None, init=False)
    _bindings: Bindings = field(default_factory=Bindings, init=False)
    _decisions: dict[_Question, Decision] = field(default_factory=dict, init=False)

    def authorize(self, attributes: Attributes) -> Decision:
        """Whether RBAC allows the request, and by which binding; or which of the user's roles are missing."""
        bindings = self.bindings()
        question = _question(attributes)
        decision = self._decisions.get(question)
        if decision is None:
            if len(self._decisions) >= _KEPT:
                self._decisions.clear()
            decision = self._decisions[question] = decide(bindings, attributes)
        return decision

    def bindings(self) -> Bindings:
        """The index as of now."""
        version = self.version()
        if self._seen is None or version != self._seen:
            read = self.lookup.list
            self._bindings = index(
                read(CLUSTERROLES), read(ROLES), read(CLUSTERROLEBINDINGS), read(ROLEBINDINGS), self._bindings
            )
            self._decisions.clear()
            self._seen = version
        return self._bindings

    def rules(self, user: User, namespace: str) -> tuple[list[Json], list[str]]:
        """Every rule that the user holds in a namespace (empty: cluster-wide), and what could not be resolved."""
        grants = self.bindings().grants(user, namespace)
        trees = [rule.tree for grant in grants for rule in grant.rules]
        return trees, list(dict.fromkeys(grant.error for grant in grants if grant.error))

    def role(self, kind: str, namespace: str, name: str) -> Role | None:
        """A role or cluster role by the kind in a roleRef."""
        return self.bindings().roles.get((kind, namespace if kind == ROLES.kind else "", name))


def decide(bindings: Bindings, attributes: Attributes) -> Decision:
    """The decision by an index; pure."""
    errors: list[str] = []
    for grant in bindings.grants(attributes.user, attributes.namespace):
        if grant.error:
            errors.append(grant.error)
        for rule in grant.rules:
            if rule.allows(attributes):
                return Decision(allowed=True, reason=f"RBAC: allowed by {grant.source}")
    return Decision(allowed=False, reason=f"RBAC: {aggregate(errors)}" if errors else "")


def aggregate(errors: list[str]) -> str:
    """Several errors in one text, as upstream's aggregate prints them: `[a, b]`."""
    texts = list(dict.fromkeys(errors))
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _question(attributes: Attributes) -> _Question:
    user, what = attributes.user, (attributes.plural, attributes.subresource, attributes.path)
    where = (attributes.group, attributes.namespace, attributes.name)
    return (user.name, user.groups, attributes.verb, attributes.is_resource, *what, *where)

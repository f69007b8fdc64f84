"""The authorizer that the pipeline asks: system:masters, then the modes in order; the first that allows decides.

No mode denies for another: one that does not allow has no opinion, and its reason is shown only when nobody allows.
Source: apiserver/pkg/authorization/union, authorizerfactory/builtin.go.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from apimachinery.types import Json
from apiserver.authorization import policy
from apiserver.authorization.node import NodeAuthorizer, node_name
from apiserver.authorization.node_graph import PodGraph
from apiserver.authorization.rbac import RbacAuthorizer
from apiserver.authorization.rules import compiled
from apiserver.request import MASTERS, Attributes, Decision, Lookup, User

NODE, RBAC, ALWAYS_ALLOW, ALWAYS_DENY = "Node", "RBAC", "AlwaysAllow", "AlwaysDeny"


class Mode(Protocol):
    """One way to decide."""

    def authorize(self, attributes: Attributes) -> Decision: ...


@dataclass(frozen=True, slots=True)
class Always:
    """AlwaysAllow or AlwaysDeny."""

    decision: Decision

    def authorize(self, attributes: Attributes) -> Decision:  # noqa: ARG002 - the same for everything
        return self.decision


ALLOW_ALL = Always(Decision(allowed=True))
DENY_ALL = Always(Decision(allowed=False, reason="Everything is forbidden."))


@dataclass(frozen=True, slots=True)
class Authorizer:
    """The union of `modes`. `rbac` is the RBAC mode among them, None without: escalation checks ask it for rules."""

    modes: Sequence[Mode]
    rbac: RbacAuthorizer | None = None

    def authorize(self, attributes: Attributes) -> Decision:
        """The decision on one request, with upstream's reason."""
        if MASTERS in attributes.user.groups:
            return Decision(allowed=True)
        reasons: list[str] = []
        for mode in self.modes:
            decision = mode.authorize(attributes)
            if decision.allowed:
                return decision
            if decision.reason:
                reasons.append(decision.reason)
        return Decision(allowed=False, reason="\n".join(reasons))

    def rules(self, user: User, namespace: str) -> tuple[list[Json], list[str], bool]:
        """What the user may do in a namespace, as rules; what went wrong; and whether there may be more."""
        if ALLOW_ALL in self.modes:
            everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
            return [everything, {"verbs": ["*"], "nonResourceURLs": ["*"]}], [], False
        rules, errors = self.rbac.rules(user, namespace) if self.rbac else ([], [])
        is_node = node_name(user) is not None and any(isinstance(mode, NodeAuthorizer) for mode in self.modes)
        if is_node:
            errors = ["node authorizer does not support user rule resolution", *errors]
        return rules, errors, is_node


def create(
    lookup: Lookup,
    *,
    modes: Sequence[str] = (NODE, RBAC),
    rbac_version: Callable[[], object],
    pods: Callable[[PodGraph], None],
) -> Authorizer:
    """The authorizer of --authorization-mode.

    `rbac_version` changes whenever an RBAC object does; `pods` brings the Node mode's graph of pods up to date.
    """
    rbac = RbacAuthorizer(lookup, rbac_version) if RBAC in modes else None
    known: dict[str, Mode] = {ALWAYS_ALLOW: ALLOW_ALL, ALWAYS_DENY: DENY_ALL}
    if rbac is not None:
        known[RBAC] = rbac
    if NODE in modes:
        rules = tuple(compiled(rule) for rule in policy.node_rules())
        known[NODE] = NodeAuthorizer(lookup, PodGraph(lookup, pods), rules)
    if unknown := [mode for mode in modes if mode not in known]:
        message = (
            f'authorization-mode "{unknown[0]}" is not known: one of {NODE}, {RBAC}, {ALWAYS_ALLOW}, {ALWAYS_DENY}'
        )
        raise ValueError(message)
    return Authorizer([known[mode] for mode in modes], rbac)

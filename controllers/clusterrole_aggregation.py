"""Fills aggregated ClusterRoles (admin, edit, view) with the rules of all roles their selectors match.

Source: pkg/controller/clusterroleaggregation.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from apimachinery.kinds import CLUSTERROLES
from apimachinery.selectors import from_label_selector
from apimachinery.types import Json
from client.plan import Key, Patch, Plan, View, Watch, key_of
from controllers.views import (
    ClusterRole,
)


def _all_aggregated(_role: ClusterRole, view: View) -> Iterable[Key]:
    return [key_of(role) for role in view.list(CLUSTERROLES) if role.aggregation_rule is not None]


@dataclass(frozen=True)
class ClusterRoleAggregation:
    """The controller of aggregated ClusterRoles."""

    name: str = "clusterrole-aggregation-controller"
    watches: Sequence[Watch] = (Watch(CLUSTERROLES, _all_aggregated),)

    def plan(self, key: Key, view: View, now: float) -> Plan:  # noqa: ARG002 - every controller has it
        role: ClusterRole | None = view.get(CLUSTERROLES, key)
        if role is None or role.aggregation_rule is None or role.metadata.deletion_timestamp is not None:
            return Plan()
        rules: list[Json] = []
        others = sorted(view.list(CLUSTERROLES), key=lambda each: str(each.metadata.name))
        for selector in map(from_label_selector, role.aggregation_rule.cluster_role_selectors):
            for other in others:
                if other.metadata.uid != role.metadata.uid and selector.matches(other.metadata.labels):
                    rules += [rule for rule in other.rules or () if rule not in rules]
        if rules == list(role.rules or ()):
            return Plan()
        return Plan([Patch(CLUSTERROLES, key, role.metadata.uid, {"rules": rules})])

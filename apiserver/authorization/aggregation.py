"""ClusterRoles made of others: `aggregationRule` selects by label, the rules are the union of what is selected.

Pure; whoever runs it writes the roles it returns. Source: pkg/controller/clusterroleaggregation.
"""

from collections.abc import Iterable, Mapping, Sequence

from apimachinery.types import Json


def aggregated(roles: Sequence[Json]) -> list[Json]:
    """The aggregated roles whose rules are not what their selectors say, with the rules they should have.

    One pass: a role that aggregates aggregated roles (admin <- edit <- view) settles after as many as it is deep.
    """
    ordered = sorted(roles, key=lambda role: str(role["metadata"]["name"]))
    changed: list[Json] = []
    for role in ordered:
        if not role.get("aggregationRule"):
            continue
        rules = _union(role, ordered)
        if rules != (role.get("rules") or []):
            changed.append({**role, "rules": rules})
    return changed


def settled(roles: Sequence[Json]) -> list[Json]:
    """All the roles with every aggregated role complete: the fixed point of `aggregated`."""
    current = {role["metadata"]["name"]: role for role in roles}
    while changes := aggregated(list(current.values())):
        current |= {role["metadata"]["name"]: role for role in changes}
    return list(current.values())


def _union(role: Json, ordered: Iterable[Json]) -> list[Json]:
    rules: list[Json] = []
    for selector in role["aggregationRule"].get("clusterRoleSelectors") or ():
        for other in ordered:
            if other["metadata"]["name"] == role["metadata"]["name"]:
                continue
            if _selects(selector, other["metadata"].get("labels") or {}):
                rules += [rule for rule in other.get("rules") or () if rule not in rules]
    return rules


def _selects(selector: Json, labels: Mapping[str, str]) -> bool:
    """A metav1.LabelSelector; an empty one selects everything."""
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_meets(expression, labels) for expression in selector.get("matchExpressions") or ())


def _meets(expression: Json, labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False

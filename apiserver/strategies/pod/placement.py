"""Where a pod may run: node selector, affinity, tolerations, topology spread. Source: validation.go."""

from collections.abc import Callable, Sequence

from apimachinery import names
from apimachinery.errors import not_supported
from apimachinery.types import Json
from apiserver.strategies import problems
from apiserver.strategies.problems import (
    Problems,
    dns_subdomain,
    duplicate,
    forbidden,
    invalid,
    label_selector,
    named,
    required,
    supported,
)

_NO_SELECTOR = "must not be specified when labelSelector is not set"
EFFECTS = ("NoExecute", "NoSchedule", "PreferNoSchedule")
_NODE_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")


def placement(path: str, spec: Json) -> Problems:
    """What of a pod spec steers the scheduler, up to the pod's DNS."""
    if spec.get("affinity"):
        yield from affinity(f"{path}.affinity", spec["affinity"])


def gates_and_spread(path: str, spec: Json) -> Problems:
    """What of a pod spec steers the scheduler, behind the pod's DNS."""
    for i, gate in enumerate(spec.get("readinessGates") or ()):
        here = f"{path}.readinessGates[{i}].conditionType"
        yield from named(here, gate.get("conditionType", ""), names.qualified_name)
    if spec.get("schedulingGates"):
        yield from _gates(f"{path}.schedulingGates", spec["schedulingGates"])
    if spec.get("topologySpreadConstraints"):
        yield from _spread(f"{path}.topologySpreadConstraints", spec["topologySpreadConstraints"])


def affinity(path: str, tree: Json) -> Problems:
    node = tree.get("nodeAffinity") or {}
    needed = node.get("requiredDuringSchedulingIgnoredDuringExecution")
    here = f"{path}.nodeAffinity"
    if needed is not None:
        yield from node_selector(f"{here}.requiredDuringSchedulingIgnoredDuringExecution", needed)
    for i, term in enumerate(node.get("preferredDuringSchedulingIgnoredDuringExecution") or ()):
        at = f"{here}.preferredDuringSchedulingIgnoredDuringExecution[{i}]"
        yield from _weight(at, term)
        yield from node_selector_term(f"{at}.preference", term.get("preference") or {})
    for name in ("podAffinity", "podAntiAffinity"):
        yield from _pod_affinity(f"{path}.{name}", tree.get(name) or {})


def _weight(path: str, term: Json) -> Problems:
    weight = term.get("weight", 0)
    if not 1 <= weight <= 100:
        yield invalid(f"{path}.weight", weight, "must be in the range 1-100")


def node_selector(path: str, tree: Json) -> Problems:
    """A NodeSelector: at least one term, any of which may match."""
    if not tree.get("nodeSelectorTerms"):
        yield required(f"{path}.nodeSelectorTerms", "must have at least one node selector term")
    for i, term in enumerate(tree.get("nodeSelectorTerms") or ()):
        here = f"{path}.nodeSelectorTerms[{i}]"
        yield from node_selector_term(here, term, values=names.label_value)


def _anything(_value: str) -> list[str]:
    return []


def node_selector_term(path: str, term: Json, values: Callable[[str], list[str]] = _anything) -> Problems:
    """One term; what is only preferred may name values that no label can have."""
    for i, requirement in enumerate(term.get("matchExpressions") or ()):
        here = f"{path}.matchExpressions[{i}]"
        yield from _node_requirement(here, requirement)
        yield from named(f"{here}.key", requirement.get("key", ""), names.qualified_name)
        for j, value in enumerate(requirement.get("values") or ()):
            yield from named(f"{here}.values[{j}]", value, values)
    for i, requirement in enumerate(term.get("matchFields") or ()):
        yield from _node_field(f"{path}.matchFields[{i}]", requirement)


def _node_requirement(path: str, requirement: Json) -> Problems:
    operator, values = requirement.get("operator", ""), requirement.get("values") or ()
    if operator in ("In", "NotIn"):
        if not values:
            yield required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            yield forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    elif operator in ("Gt", "Lt"):
        if len(values) != 1:
            yield required(f"{path}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
    else:
        yield invalid(f"{path}.operator", operator, "not a valid selector operator")


def _node_field(path: str, requirement: Json) -> Problems:
    key, operator, values = requirement.get("key", ""), requirement.get("operator", ""), requirement.get("values") or ()
    if operator not in ("In", "NotIn"):
        yield invalid(f"{path}.operator", operator, "not a valid selector operator")
    elif len(values) != 1:
        yield required(
            f"{path}.values", "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        )
    if key != "metadata.name":
        yield invalid(f"{path}.key", key, "not a valid field selector key")
    else:
        for i, value in enumerate(values):
            yield from dns_subdomain(f"{path}.values[{i}]", value)


def _pod_affinity(path: str, tree: Json) -> Problems:
    for i, term in enumerate(tree.get("requiredDuringSchedulingIgnoredDuringExecution") or ()):
        yield from _pod_term(f"{path}.requiredDuringSchedulingIgnoredDuringExecution[{i}]", term)
    for i, weighted in enumerate(tree.get("preferredDuringSchedulingIgnoredDuringExecution") or ()):
        here = f"{path}.preferredDuringSchedulingIgnoredDuringExecution[{i}]"
        yield from _weight(here, weighted)
        yield from _pod_term(f"{here}.podAffinityTerm", weighted.get("podAffinityTerm") or {})


def _pod_term(path: str, term: Json) -> Problems:
    yield from label_selector(f"{path}.labelSelector", term.get("labelSelector"))
    yield from label_selector(f"{path}.namespaceSelector", term.get("namespaceSelector"))
    for namespace in term.get("namespaces") or ():
        yield from problems.dns_label(f"{path}.namespace", namespace)
    yield from _label_keys(path, term)
    if not term.get("topologyKey"):
        yield required(f"{path}.topologyKey", "can not be empty")
    yield from named(f"{path}.topologyKey", term.get("topologyKey", ""), names.qualified_name)


def _label_keys(path: str, term: Json) -> Problems:
    """MatchLabelKeys and mismatchLabelKeys: good keys, none in both, and none that the selector has another way.

    The selector of a new pod has what came of matchLabelKeys by now (`label_keys.merge`): a key once more is one twice.
    """
    match, mismatch, selector = term.get("matchLabelKeys") or (), term.get("mismatchLabelKeys") or (), "labelSelector"
    for name, keys in (("matchLabelKeys", match), ("mismatchLabelKeys", mismatch)):
        if keys and term.get(selector) is None:
            yield forbidden(f"{path}.{name}", _NO_SELECTOR)
            continue
        for i, key in enumerate(keys):
            yield from named(f"{path}.{name}[{i}]", key, names.qualified_name)
    if not match:
        return
    seen = set((term.get(selector) or {}).get("matchLabels") or ())
    for expression in (term.get(selector) or {}).get("matchExpressions") or ():
        key = expression.get("key", "")
        if key in seen and key in match:
            at = len(match) - 1 - match[::-1].index(key)
            yield invalid(f"{path}[{at}]", key, "exists in both matchLabelKeys and labelSelector")  # upstream's path
        seen.add(key)
    for i, key in enumerate(match):
        if key in mismatch:
            yield invalid(f"{path}.matchLabelKeys[{i}]", key, "exists in both matchLabelKeys and mismatchLabelKeys")


def tolerations(path: str, entries: Sequence[Json]) -> Problems:
    for i, toleration in enumerate(entries):
        here = f"{path}[{i}]"
        key, operator, effect = toleration.get("key", ""), toleration.get("operator", ""), toleration.get("effect", "")
        if key:
            for message in names.qualified_name(key):
                yield invalid(f"{here}.key", key, message)
        elif operator != "Exists":
            detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            yield invalid(f"{here}.operator", operator, detail)
        if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
            yield invalid(f"{here}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")
        yield from _toleration_value(here, toleration)
        if effect and effect not in EFFECTS:
            yield not_supported(f"{here}.effect", effect, ("NoSchedule", "PreferNoSchedule", "NoExecute"))


def _toleration_value(path: str, toleration: Json) -> Problems:
    operator, value = toleration.get("operator", ""), toleration.get("value", "")
    if operator in ("", "Equal"):
        yield from named(f"{path}.operator", value, names.label_value)
    elif operator == "Exists":
        if value:
            yield invalid(f"{path}.operator", value, "value must be empty when `operator` is 'Exists'")
    else:
        yield not_supported(f"{path}.operator", operator, ("Equal", "Exists"))


def _spread(path: str, constraints: Sequence[Json]) -> Problems:
    pairs = [(each.get("topologyKey", ""), each.get("whenUnsatisfiable", "")) for each in constraints]
    for i, constraint in enumerate(constraints):
        here = f"{path}[{i}]"
        skew, action = constraint.get("maxSkew", 0), constraint.get("whenUnsatisfiable", "")
        if skew <= 0:
            yield invalid(f"{here}.maxSkew", skew, "must be greater than zero")
        if not constraint.get("topologyKey"):
            yield required(f"{here}.topologyKey", "can not be empty")
        yield from supported(f"{here}.whenUnsatisfiable", action, ("DoNotSchedule", "ScheduleAnyway"))
        if pairs[i] in pairs[i + 1 :]:
            yield duplicate(f"{here}.{{topologyKey, whenUnsatisfiable}}", f"{{{pairs[i][0]}, {pairs[i][1]}}}")
        yield from _min_domains(here, constraint)
        for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            if constraint.get(name) is not None:
                yield from supported(f"{here}.{name}", constraint[name], ("Honor", "Ignore"))
        yield from _label_keys(here, constraint)
        yield from label_selector(f"{here}.labelSelector", constraint.get("labelSelector"))


def _min_domains(path: str, constraint: Json) -> Problems:
    count = constraint.get("minDomains")
    if count is None:
        return
    if count <= 0:
        yield invalid(f"{path}.minDomains", count, "must be greater than zero")
    if constraint.get("whenUnsatisfiable") != "DoNotSchedule":
        yield invalid(f"{path}.minDomains", count, "can only use minDomains if whenUnsatisfiable=DoNotSchedule, "
                      f"not {constraint.get('whenUnsatisfiable', '')}")  # fmt: skip


def _gates(path: str, gates: Sequence[Json]) -> Problems:
    seen: set[str] = set()
    for i, gate in enumerate(gates):
        name = gate.get("name", "")
        yield from problems.qualified_name(f"{path}[{i}]", name)
        if name in seen:
            yield duplicate(f"{path}[{i}]", name)
        seen.add(name)

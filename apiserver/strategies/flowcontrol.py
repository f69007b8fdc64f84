"""FlowSchemas and PriorityLevelConfigurations. Source: pkg/apis/flowcontrol/validation, v1/defaults.go."""

import math

from apimachinery import names
from apimachinery.errors import FieldError, not_supported
from apimachinery.trees import copied
from apimachinery.types import Json
from apiserver import flow_objects
from apiserver.strategies.defaulting import fill_zero, part
from apiserver.strategies.problems import (
    Problems,
    dns_label,
    dns_subdomain,
    duplicate,
    forbidden,
    go_struct,
    invalid,
    required,
)
from apiserver.strategies.sameness import same
from apiserver.strategies.strategy import Strategy, status_alone

_EXEMPT = "exempt"
EVERY = "*"
_METHODS = ("ByNamespace", "ByUser")
#: The kinds of subjects, and the member that says which.
_MEMBERS = {"ServiceAccount": "serviceAccount", "User": "user", "Group": "group"}
_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
_HIGHEST_PRECEDENCE, _MOST_QUEUES, _HASH_BITS = 10_000, 10_000_000, 60


def default_schema(tree: Json) -> Json:
    fill_zero(part(tree, "spec"), "matchingPrecedence", 1000)
    return tree


def default_level(tree: Json) -> Json:
    spec = part(tree, "spec")
    if spec.get("type") == "Exempt":
        exempt = part(spec, "exempt")
        for name in ("nominalConcurrencyShares", "lendablePercent"):
            if exempt.get(name) is None:
                exempt[name] = 0
        return tree
    limited = spec.get("limited")
    if limited is None:
        return tree
    if limited.get("nominalConcurrencyShares") is None:
        limited["nominalConcurrencyShares"] = 30
    if limited.get("lendablePercent") is None:
        limited["lendablePercent"] = 0
    queuing = (limited.get("limitResponse") or {}).get("queuing")
    if queuing is not None:
        for name, value in (("handSize", 8), ("queues", 64), ("queueLengthLimit", 50)):
            fill_zero(queuing, name, value)
    return tree


_FIXED_SCHEMAS = {
    tree["metadata"]["name"]: default_schema(tree)["spec"] for tree in copied(flow_objects.MANDATORY_SCHEMAS)
}
_FIXED_LEVELS = {
    tree["metadata"]["name"]: default_level(tree)["spec"] for tree in copied(flow_objects.MANDATORY_LEVELS)
}


def check_schema(new: Json, _old: Json | None) -> list[FieldError]:
    name, spec = (new.get("metadata") or {}).get("name", ""), new.get("spec") or {}
    problems = [*_schema(name, spec)]
    wanted = _FIXED_SCHEMAS.get(name)
    if wanted is not None and not same(spec, wanted):
        problems.append(invalid("spec", spec, f"spec of '{name}' must equal the fixed value"))
    return [*problems, *_conditions(new)]


def _schema(name: str, spec: Json) -> Problems:
    here, precedence = "spec.matchingPrecedence", spec.get("matchingPrecedence", 0)
    if precedence <= 0:
        yield invalid(here, precedence, "must be a positive value")
    if precedence > _HIGHEST_PRECEDENCE:
        yield invalid(here, precedence, f"must not be greater than {_HIGHEST_PRECEDENCE}")
    if precedence == 1 and name != _EXEMPT:
        yield invalid(here, precedence, "only the schema named 'exempt' may have matchingPrecedence 1")
    method = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in _METHODS:
        yield not_supported("spec.distinguisherMethod.type", go_struct(Type=method.get("type", "")), _METHODS)
    level = (spec.get("priorityLevelConfiguration") or {}).get("name", "")
    if level:
        yield from dns_subdomain("spec.priorityLevelConfiguration.name", level)
    else:
        yield required("spec.priorityLevelConfiguration.name", "must reference a priority level")
    for i, rule in enumerate(spec.get("rules") or ()):
        yield from _rule(f"spec.rules[{i}]", rule)


def _rule(path: str, rule: Json) -> Problems:
    subjects, of_resources, others = (
        rule.get(name) or () for name in ("subjects", "resourceRules", "nonResourceRules")
    )
    for i, subject in enumerate(subjects):
        yield from _subject(f"{path}.subjects[{i}]", subject)
    if not subjects:
        yield required(f"{path}.subjects", "subjects must contain at least one value")
    if not of_resources and not others:
        yield required(path, "at least one of resourceRules and nonResourceRules has to be non-empty")
    for i, resource_rule in enumerate(of_resources):
        yield from _resource_rule(f"{path}.resourceRules[{i}]", resource_rule)
    for i, other in enumerate(others):
        yield from _verbs(f"{path}.nonResourceRules[{i}].verbs", other.get("verbs") or [])
        yield from _paths(f"{path}.nonResourceRules[{i}].nonResourceURLs", other.get("nonResourceURLs") or [])


def _subject(path: str, subject: Json) -> Problems:
    """One of three unions: the member named by the kind, and no other."""
    kind = subject.get("kind", "")
    if kind not in _MEMBERS:
        yield not_supported(f"{path}.kind", kind, sorted(_MEMBERS))
        return
    member = _MEMBERS[kind]
    here, found = f"{path}.{member}", subject.get(member)
    if found is None:
        yield required(here, f"{member} is required when subject kind is '{kind}'")
    else:
        yield from _named_subject(here, found, kind)
    for other, name in _MEMBERS.items():
        if other != kind and subject.get(name) is not None:
            yield forbidden(f"{path}.{name}", f"{name} is forbidden when subject kind is not '{other}'")


def _named_subject(path: str, subject: Json, kind: str) -> Problems:
    name, namespace = subject.get("name", ""), subject.get("namespace", "")
    if not name:
        yield required(f"{path}.name")
    elif kind == "ServiceAccount" and name != EVERY:
        yield from dns_subdomain(f"{path}.name", name)
    if kind == "ServiceAccount":
        if namespace:
            yield from dns_label(f"{path}.namespace", namespace)
        else:
            yield required(f"{path}.namespace", "must specify namespace for service account")


def _verbs(path: str, verbs: list[str]) -> Problems:
    if not verbs:
        yield required(path, "verbs must contain at least one value")
    elif EVERY in verbs:
        yield from _alone(path, verbs, "verbs")
    elif not set(verbs) <= set(_VERBS):
        yield not_supported(path, verbs, _VERBS)


def _alone(path: str, values: list[str], what: str) -> Problems:
    """Who says `*` says no more."""
    if EVERY in values and len(values) > 1:
        yield invalid(path, values, f"if '*' is present, must not specify other {what}")


def _paths(path: str, urls: list[str]) -> Problems:
    if not urls:
        yield required(path, "nonResourceURLs must contain at least one value")
    elif EVERY in urls:
        yield from _alone(path, urls, "non-resource URLs")
    else:
        for i, url in enumerate(urls):
            if detail := _path_problem(url):
                yield invalid(f"{path}[{i}]", url, detail)


def _path_problem(url: str) -> str:
    if not url:
        return "must not be empty"
    if url == "/":
        return ""
    for is_wrong, detail in (
        (not url.startswith("/"), "must start with slash"),
        (" " in url, "must not contain white-space"),
        ("//" in url, "must not contain double slash"),
        (url.count(EVERY) > 1 or (EVERY in url and not url.endswith("/*")), "wildcard can only do suffix matching"),
    ):
        if is_wrong:
            return detail
    return ""


def _resource_rule(path: str, rule: Json) -> Problems:
    yield from _verbs(f"{path}.verbs", rule.get("verbs") or [])
    for name, one, several in (("apiGroups", "api group", "api groups"), ("resources", "resource", "resources")):
        values = rule.get(name) or []
        if not values:
            yield required(f"{path}.{name}", f"resource rules must supply at least one {one}")
        yield from _alone(f"{path}.{name}", values, several)
    namespaces, here = rule.get("namespaces") or [], f"{path}.namespaces"
    if not namespaces and not rule.get("clusterScope"):
        yield required(here, "resource rules that are not cluster scoped must supply at least one namespace")
    elif EVERY in namespaces:
        yield from _alone(here, namespaces, "namespaces")
    else:
        for i, name in enumerate(namespaces):
            for message in names.dns_label(name):
                detail = f"each member of this list must be '*' or a DNS-1123 label; {message}"
                yield invalid(f"{here}[{i}]", name, detail)


def check_level(new: Json, _old: Json | None) -> list[FieldError]:
    name, spec = (new.get("metadata") or {}).get("name", ""), new.get("spec") or {}
    return [*_level(name, spec), *_fixed_level(name, spec), *_conditions(new)]


def _fixed_level(name: str, spec: Json) -> Problems:
    """The mandatory levels stay; of `exempt` its own part may be changed."""
    wanted = _FIXED_LEVELS.get(name)
    if wanted is None:
        return
    if name == _EXEMPT:
        if not same({**spec, "exempt": None}, {**wanted, "exempt": None}):
            detail = f"spec of '{name}' except the 'spec.exempt' field must equal the fixed value"
            yield invalid("spec", spec, detail)
    elif not same(spec, wanted):
        yield invalid("spec", spec, f"spec of '{name}' must equal the fixed value")


def _level(name: str, spec: Json) -> Problems:
    kind, limited, exempt = spec.get("type", ""), spec.get("limited"), spec.get("exempt")
    if (name == _EXEMPT) != (kind == "Exempt"):
        yield invalid("spec.type", kind, "must be 'Exempt' if and only if `name` is 'exempt'")
    if kind == "Exempt":
        if limited is not None:
            yield forbidden("spec.limited", "must be nil if the type is not Limited")
        yield from _shares("spec.exempt", exempt or {})
    elif kind == "Limited":
        if exempt is not None:
            yield forbidden("spec.exempt", "must be nil if the type is Limited")
        if limited is None:
            yield required("spec.limited", "must not be empty when type is Limited")
        else:
            yield from _limited("spec.limited", limited)
    else:
        yield not_supported("spec.type", kind, ("Exempt", "Limited"))


def _shares(path: str, tree: Json) -> Problems:
    shares, lent = tree.get("nominalConcurrencyShares") or 0, tree.get("lendablePercent") or 0
    if shares < 0:
        yield invalid(f"{path}.nominalConcurrencyShares", shares, "must be a non-negative integer")
    if not 0 <= lent <= 100:
        yield invalid(f"{path}.lendablePercent", lent, "must be between 0 and 100, inclusive")


def _limited(path: str, limited: Json) -> Problems:
    for problem in _shares(path, limited):
        if problem.path.endswith("Shares"):
            yield problem
    response, here = limited.get("limitResponse") or {}, f"{path}.limitResponse"
    kind, queuing = response.get("type", ""), response.get("queuing")
    if kind == "Reject":
        if queuing is not None:
            yield forbidden(f"{here}.queuing", "must be nil if limited.limitResponse.type is not Limited")
    elif kind == "Queue":
        if queuing is None:
            yield required(f"{here}.queuing", "must not be empty if limited.limitResponse.type is Limited")
        else:
            yield from _queuing(f"{here}.queuing", queuing)
    else:
        yield not_supported(f"{here}.type", kind, ("Queue", "Reject"))
    for problem in _shares(path, limited):
        if problem.path.endswith("Percent"):
            yield problem
    borrowed = limited.get("borrowingLimitPercent") or 0
    if borrowed < 0:
        yield invalid(f"{path}.borrowingLimitPercent", borrowed, "if specified, must be a non-negative integer")


def _queuing(path: str, queuing: Json) -> Problems:
    length, queues, hand = (queuing.get(name, 0) for name in ("queueLengthLimit", "queues", "handSize"))
    if length <= 0:
        yield invalid(f"{path}.queueLengthLimit", length, "must be positive")
    if queues <= 0:
        yield invalid(f"{path}.queues", queues, "must be positive")
    elif queues > _MOST_QUEUES:
        yield invalid(f"{path}.queues", queues, f"must not be greater than {_MOST_QUEUES}")
    here = f"{path}.handSize"
    if hand <= 0:
        yield invalid(here, hand, "must be positive")
    elif hand > queues:
        yield invalid(here, hand, f"should not be greater than queues ({queues})")
    elif _entropy(queues, hand) > _HASH_BITS:
        detail = (
            f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {_HASH_BITS}"
        )
        yield invalid(here, hand, detail)


def _entropy(deck: int, hand: int) -> int:
    """How many bits of a hash it takes to deal a hand, roughly (shufflesharding.RequiredEntropyBits)."""
    return math.ceil(math.log2(deck) * hand)


def _conditions(tree: Json) -> Problems:
    seen: set[str] = set()
    for i, condition in enumerate((tree.get("status") or {}).get("conditions") or ()):
        here, kind = f"status.conditions[{i}].type", condition.get("type", "")
        if kind in seen:
            yield duplicate(here, kind)
        seen.add(kind)
        if not kind:
            yield required(here)


def _check_status(new: Json, _old: Json | None) -> list[FieldError]:
    return [*_conditions(new)]


FLOWSCHEMAS = Strategy(
    default=default_schema,
    check=check_schema,
    has_generation=True,
    prepare_status=status_alone,
    check_status=_check_status,
)
PRIORITYLEVELCONFIGURATIONS = Strategy(
    default=default_level,
    check=check_level,
    has_generation=True,
    prepare_status=status_alone,
    check_status=_check_status,
)

"""FlowSchemas and PriorityLevelConfigurations. Source: pkg/apis/flowcontrol/validation, v1/defaults.go."""

from collections.abc import Sequence

from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies.defaulting import fill_zero, part
from apiserver.strategies.problems import Problems, forbidden, invalid, one_of, required
from apiserver.strategies.strategy import Strategy, status_without

_EXEMPT = "exempt"


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


def check_schema(new: Json, _old: Json | None) -> list[FieldError]:
    return [*_schema((new.get("metadata") or {}).get("name", ""), new.get("spec") or {})]


def _schema(name: str, spec: Json) -> Problems:
    precedence = spec.get("matchingPrecedence", 0)
    if not 1 <= precedence <= 10000:
        detail = "must be a positive value" if precedence < 1 else "must not be greater than 10000"
        yield invalid("spec.matchingPrecedence", precedence, detail)
    if precedence == 1 and name != _EXEMPT:
        detail = "only the schema named 'exempt' may have matchingPrecedence 1"
        yield invalid("spec.matchingPrecedence", precedence, detail)
    if not (spec.get("priorityLevelConfiguration") or {}).get("name"):
        yield required("spec.priorityLevelConfiguration.name", "must reference a priority level")
    if spec.get("distinguisherMethod") is not None:
        kind = spec["distinguisherMethod"].get("type", "")
        yield from one_of("spec.distinguisherMethod.type", kind, ("ByNamespace", "ByUser"))
    for i, rule in enumerate(spec.get("rules") or ()):
        yield from _rule(f"spec.rules[{i}]", rule)


def _rule(path: str, rule: Json) -> Problems:
    if not rule.get("subjects"):
        yield required(f"{path}.subjects", "subjects must contain at least one value")
    for i, subject in enumerate(rule.get("subjects") or ()):
        yield from one_of(f"{path}.subjects[{i}].kind", subject.get("kind", ""), ("Group", "ServiceAccount", "User"))
    if not rule.get("resourceRules") and not rule.get("nonResourceRules"):
        detail = "at least one of resourceRules and nonResourceRules has to be non-empty"
        yield required(path, detail)
    yield from _needs(f"{path}.resourceRules", rule.get("resourceRules") or (), ("verbs", "apiGroups", "resources"))
    yield from _needs(f"{path}.nonResourceRules", rule.get("nonResourceRules") or (), ("verbs", "nonResourceURLs"))


def _needs(path: str, rules: Sequence[Json], members: Sequence[str]) -> Problems:
    for i, rule in enumerate(rules):
        for member in members:
            if not rule.get(member):
                yield required(f"{path}[{i}].{member}")


def check_level(new: Json, _old: Json | None) -> list[FieldError]:
    return [*_level(new.get("spec") or {})]


def _level(spec: Json) -> Problems:
    kind, limited = spec.get("type", ""), spec.get("limited")
    yield from one_of("spec.type", kind, ("Exempt", "Limited"))
    if kind == "Exempt" and limited is not None:
        yield forbidden("spec.limited", "must be nil if the type is not Limited")
    if kind == "Limited":
        if spec.get("exempt") is not None:
            yield forbidden("spec.exempt", "must be nil if the type is Limited")
        if limited is None:
            yield required("spec.limited", "must not be empty when type is Limited")
        else:
            yield from _limited("spec.limited", limited)


def _limited(path: str, limited: Json) -> Problems:
    if limited.get("nominalConcurrencyShares", 0) < 0:
        detail = "must be a non-negative integer"
        yield invalid(f"{path}.nominalConcurrencyShares", limited["nominalConcurrencyShares"], detail)
    response = limited.get("limitResponse") or {}
    kind = response.get("type", "")
    yield from one_of(f"{path}.limitResponse.type", kind, ("Queue", "Reject"))
    if kind == "Reject" and response.get("queuing") is not None:
        yield forbidden(f"{path}.limitResponse.queuing", "must be nil if limited.limitResponse.type is not Limited")
    if kind == "Queue" and response.get("queuing") is None:
        detail = "must not be empty if limited.limitResponse.type is Limited"
        yield required(f"{path}.limitResponse.queuing", detail)


FLOWSCHEMAS = Strategy(default=default_schema, check=check_schema, has_generation=True, prepare_status=status_without())
PRIORITYLEVELCONFIGURATIONS = Strategy(
    default=default_level, check=check_level, has_generation=True, prepare_status=status_without()
)

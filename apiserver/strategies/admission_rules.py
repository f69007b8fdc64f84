"""Rules, match resources and match conditions: what webhooks and admission policies have in common.

Source: pkg/apis/admissionregistration/validation/validation.go.
"""

from collections.abc import Sequence

from apimachinery import names
from apimachinery.errors import INTERNAL_FIELD, FieldError, not_supported
from apimachinery.types import Json
from apiserver.admission import expressions
from apiserver.cel import CompileError, InstantiationError
from apiserver.strategies.problems import (
    Problems,
    duplicate,
    invalid,
    label_selector,
    named,
    required,
    supported,
    too_many,
)

_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")
_MOST_CONDITIONS = 64
_WORDS = {"operations": "operations", "apiGroups": "API groups", "apiVersions": "API versions"}


def rule_with_operations(path: str, rule: Json) -> Problems:
    for member, word in _WORDS.items():
        values = rule.get(member) or ()
        if not values:
            yield required(f"{path}.{member}")
        if "*" in values and len(values) > 1:
            yield invalid(f"{path}.{member}", values, f"if '*' is present, must not specify other {word}")
        for i, operation in enumerate(values if member == "operations" else ()):
            if operation not in _OPERATIONS:
                yield not_supported(f"{path}.{member}[{i}]", operation, _OPERATIONS)
    for i, version in enumerate(rule.get("apiVersions") or ()):
        if not version:
            yield required(f"{path}.apiVersions[{i}]")
    yield from _resources(f"{path}.resources", rule.get("resources") or ())
    yield from supported(f"{path}.scope", rule.get("scope"), _SCOPES)


def _resources(path: str, resources: Sequence[str]) -> Problems:
    if not resources:
        yield required(path)
    every_part: set[str] = set()
    of_every: set[str] = set()
    for i, text in enumerate(resources):
        if not text:
            yield required(f"{path}[{i}]")
        resource, slash, part = text.partition("/")
        if not slash:
            continue
        if resource in every_part:
            yield invalid(f"{path}[{i}]", text, f"if '{resource}/*' is present, must not specify {text}")
        if part in of_every:
            yield invalid(f"{path}[{i}]", text, f"if '*/{part}' is present, must not specify {text}")
        if part == "*":
            every_part.add(resource)
        if resource == "*":
            of_every.add(part)
    if len(resources) > 1 and "*/*" in resources:
        yield invalid(path, resources, "if '*/*' is present, must not specify other resources")
    whole = [text for text in resources if text and "/" not in text]
    if "*" in whole and whole[-1] != "*":  # the last one decides, as upstream has it
        yield invalid(path, resources, "if '*' is present, must not specify other resources without subresources")


def match_resources(path: str, match: Json) -> Problems:
    """The matchConstraints of a policy, the matchResources of a binding."""
    yield from supported(f"{path}.matchPolicy", match.get("matchPolicy"), ("Equivalent", "Exact"))
    for name in ("namespaceSelector", "objectSelector"):
        if match.get(name) is None:
            yield required(f"{path}.{name}")
        else:
            yield from label_selector(f"{path}.{name}", match[name])
    for member in ("resourceRules", "excludeResourceRules"):
        for i, rule in enumerate(match.get(member) or ()):
            yield from _names(f"{path}.{member}[{i}].resourceNames", rule.get("resourceNames") or ())
            yield from rule_with_operations(f"{path}.{member}[{i}]", rule)


def _names(path: str, resource_names: Sequence[str]) -> Problems:
    for i, name in enumerate(resource_names):
        yield from named(f"{path}[{i}]", name, names.path_segment)
        if name in resource_names[:i]:
            yield duplicate(f"{path}[{i}]", name)


def match_conditions(path: str, conditions: Sequence[Json], *, params: bool = False) -> Problems:
    if len(conditions) > _MOST_CONDITIONS:
        yield too_many(path, len(conditions), _MOST_CONDITIONS)
    seen: set[str] = set()
    for i, condition in enumerate(conditions):
        yield from _condition(f"{path}[{i}]", condition, params=params)
        name = condition.get("name") or ""
        if name in seen:
            yield duplicate(f"{path}[{i}].name", name)
        if name:
            seen.add(name)


def _condition(path: str, condition: Json, *, params: bool) -> Problems:
    text, name = condition.get("expression", "").strip(), condition.get("name") or ""
    if not text:
        yield required(f"{path}.expression")
    else:
        try:
            expressions.condition(text, params=params)
        except CompileError as error:
            yield not_compiled(f"{path}.expression", text, error)
    if not name:
        yield required(f"{path}.name")
    else:
        yield from named(f"{path}.name", name, names.qualified_name)


def not_compiled(path: str, text: str, error: CompileError) -> FieldError:
    """An expression that does not compile, as a problem with its field."""
    if isinstance(error, InstantiationError):
        return FieldError(path, INTERNAL_FIELD, f"program instantiation failed: {error}")
    return invalid(path, text, str(error))

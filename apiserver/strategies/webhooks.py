"""Webhook configurations and ValidatingAdmissionPolicies.

Source: pkg/apis/admissionregistration/validation, v1/defaults.go.
"""

from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from apimachinery import names
from apimachinery.errors import FieldError, not_supported
from apimachinery.types import Json
from apiserver.strategies.defaulting import fill, items, part
from apiserver.strategies.problems import (
    Problems,
    duplicate,
    invalid,
    label_selector,
    named,
    one_of,
    port,
    required,
)
from apiserver.strategies.strategy import Strategy, as_sent, keep_status

_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_BOTH = (
    "must not contain both Deny and Warn (repeating the same validation failure information in the API response and "
    "headers serves no purpose)"
)
_SCOPES = ("*", "Cluster", "Namespaced")


def default(tree: Json) -> Json:
    for hook in items(tree, "webhooks"):
        for name, value in (("failurePolicy", "Fail"), ("matchPolicy", "Equivalent"), ("timeoutSeconds", 10)):
            fill(hook, name, value)
        part(hook, "namespaceSelector")
        part(hook, "objectSelector")
        _default_service((hook.get("clientConfig") or {}).get("service"))
        for rule in items(hook, "rules"):
            fill(rule, "scope", "*")
    return tree


def default_mutating(tree: Json) -> Json:
    for hook in items(default(tree), "webhooks"):
        fill(hook, "reinvocationPolicy", "Never")
    return tree


def _default_service(service: Json | None) -> None:
    if service is not None and service.get("port") is None:
        service["port"] = 443


def check(new: Json, _old: Json | None) -> list[FieldError]:
    return [*_webhooks(new.get("webhooks") or ())]


def _webhooks(hooks: Sequence[Json]) -> Problems:
    seen: set[str] = set()
    for i, hook in enumerate(hooks):
        here, name = f"webhooks[{i}]", hook.get("name", "")
        yield from qualified(f"{here}.name", name)
        if name in seen:
            yield duplicate(f"{here}.name", name)
        seen.add(name)
        yield from _webhook(here, hook)


def qualified(path: str, name: str) -> Problems:
    """A name with a domain: at least three labels."""
    if not name:
        yield required(path)
        return
    yield from named(path, name, names.dns_subdomain)
    if len(name.split(".")) < 3:
        yield invalid(path, name, "should be a domain with at least three segments separated by dots")


def _webhook(path: str, hook: Json) -> Problems:
    versions = hook.get("admissionReviewVersions") or ()
    if not versions:
        yield required(f"{path}.admissionReviewVersions", "must specify one of v1, v1beta1")
    elif not {"v1", "v1beta1"} & set(versions):
        yield invalid(f"{path}.admissionReviewVersions", versions, "must include at least one of v1, v1beta1")
    for i, rule in enumerate(hook.get("rules") or ()):
        yield from rule_with_operations(f"{path}.rules[{i}]", rule)
    yield from one_of(f"{path}.failurePolicy", hook.get("failurePolicy"), ("Fail", "Ignore"))
    yield from one_of(f"{path}.matchPolicy", hook.get("matchPolicy"), ("Equivalent", "Exact"))
    effects = hook.get("sideEffects")
    if effects is None:
        yield required(f"{path}.sideEffects", "must specify one of None, NoneOnDryRun")
    elif effects not in ("None", "NoneOnDryRun"):
        yield not_supported(f"{path}.sideEffects", effects, ("None", "NoneOnDryRun"))
    seconds = hook.get("timeoutSeconds", 10)
    if not 1 <= seconds <= 30:
        yield invalid(f"{path}.timeoutSeconds", seconds, "the timeout value must be between 1 and 30 seconds")
    for name in ("namespaceSelector", "objectSelector"):
        yield from label_selector(f"{path}.{name}", hook.get(name))
    if hook.get("reinvocationPolicy") is not None:
        yield from one_of(f"{path}.reinvocationPolicy", hook["reinvocationPolicy"], ("IfNeeded", "Never"))
    yield from _match_conditions(f"{path}.matchConditions", hook.get("matchConditions") or ())
    yield from client_config(f"{path}.clientConfig", hook.get("clientConfig") or {})


def _match_conditions(path: str, conditions: Sequence[Json]) -> Problems:
    for i, condition in enumerate(conditions):
        if not condition.get("name"):
            yield required(f"{path}[{i}].name")
        else:
            yield from named(f"{path}[{i}].name", condition["name"], names.qualified_name)
        if not condition.get("expression", "").strip():
            yield required(f"{path}[{i}].expression")


def rule_with_operations(path: str, rule: Json) -> Problems:
    for member in ("operations", "apiGroups", "apiVersions", "resources"):
        values = rule.get(member) or ()
        if not values:
            yield required(f"{path}.{member}")
        if "*" in values and len(values) > 1 and member != "resources":
            yield invalid(f"{path}.{member}", values, f"if '*' is present, must not specify other {_WORDS[member]}")
    for i, operation in enumerate(rule.get("operations") or ()):
        if operation not in _OPERATIONS:
            yield not_supported(f"{path}.operations[{i}]", operation, _OPERATIONS)
    if rule.get("scope") is not None:
        yield from one_of(f"{path}.scope", rule["scope"], _SCOPES)


_WORDS = {"operations": "operations", "apiGroups": "API groups", "apiVersions": "API versions"}


def client_config(path: str, config: Json) -> Problems:
    """Where a webhook listens: a URL or a Service, not both. Also that of CRD conversion."""
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        yield required(path, "exactly one of url or service is required")
    elif url is not None:
        yield from _url(f"{path}.url", url)
    else:
        yield from _service(path, service or {})


def _service(path: str, service: Json) -> Problems:
    for name in ("name", "namespace"):
        if not service.get(name):
            yield required(f"{path}.service.{name}", f"service {name} is required")
    yield from port(f"{path}.service.port", service.get("port", 443))


def _url(path: str, url: str) -> Problems:
    parts = urlsplit(url)
    form = "; desired format: https://host[/path]"
    if parts.scheme != "https":
        yield invalid(path, parts.scheme, f"'https' is the only allowed URL scheme{form}")
    if not parts.netloc:
        yield invalid(path, parts.netloc, f"host must be specified{form}")
    if parts.username is not None:
        yield invalid(path, parts.username, "user information is not permitted in the URL")
    for name, value in (("fragments", parts.fragment), ("query parameters", parts.query)):
        if value:
            yield invalid(path, value, f"{name} are not permitted in the URL")


def default_policy(tree: Json) -> Json:
    spec = part(tree, "spec")
    fill(spec, "failurePolicy", "Fail")
    if spec.get("matchConstraints") is not None:
        _default_match(spec["matchConstraints"])
    return tree


def _default_match(match: Json) -> None:
    fill(match, "matchPolicy", "Equivalent")
    part(match, "namespaceSelector")
    part(match, "objectSelector")
    for rule in items(match, "resourceRules", "excludeResourceRules"):
        fill(rule, "scope", "*")


def default_policy_binding(tree: Json) -> Json:
    if (tree.get("spec") or {}).get("matchResources") is not None:
        _default_match(tree["spec"]["matchResources"])
    return tree


def check_policy(new: Json, _old: Json | None) -> list[FieldError]:
    return [*_policy(new.get("spec") or {})]


def _policy(spec: Json) -> Problems:
    yield from one_of("spec.failurePolicy", spec.get("failurePolicy"), ("Fail", "Ignore"))
    match = spec.get("matchConstraints")
    if match is None:
        yield required("spec.matchConstraints")
    elif not match.get("resourceRules"):
        yield required("spec.matchConstraints.resourceRules")
    else:
        for i, rule in enumerate(match["resourceRules"]):
            yield from rule_with_operations(f"spec.matchConstraints.resourceRules[{i}]", rule)
    if not spec.get("validations") and not spec.get("auditAnnotations"):
        detail = "validations or auditAnnotations must contain at least one item"
        yield required("spec.validations", detail)
        yield required("spec.auditAnnotations", detail)
    for i, validation in enumerate(spec.get("validations") or ()):
        if not validation.get("expression", "").strip():
            yield required(f"spec.validations[{i}].expression", "expression is not specified")
    kind = spec.get("paramKind")
    if kind is not None:
        for name in ("apiVersion", "kind"):
            if not kind.get(name):
                yield required(f"spec.paramKind.{name}")
    yield from _match_conditions("spec.matchConditions", spec.get("matchConditions") or ())


def check_policy_binding(new: Json, _old: Json | None) -> list[FieldError]:
    return [*_policy_binding(new.get("spec") or {})]


def _policy_binding(spec: Json) -> Problems:
    if not spec.get("policyName"):
        yield required("spec.policyName")
    else:
        yield from named("spec.policyName", spec["policyName"], names.dns_subdomain)
    actions = spec.get("validationActions") or ()
    if not actions:
        yield required("spec.validationActions")
    for i, action in enumerate(actions):
        if action not in ("Audit", "Deny", "Warn"):
            yield not_supported(f"spec.validationActions[{i}]", action, ("Audit", "Deny", "Warn"))
    if {"Deny", "Warn"} <= set(actions):
        yield invalid("spec.validationActions", actions, _BOTH)


def hooks_changed(new: Json, old: Json) -> bool:
    return new.get("webhooks") != old.get("webhooks")


def _configuration(default_of: Callable[[Json], Json]) -> Strategy:
    return Strategy(
        default=default_of,
        prepare=as_sent,
        check=check,
        has_generation=True,
        raises_generation=hooks_changed,
        allow_unconditional_update=False,
    )


MUTATINGWEBHOOKCONFIGURATIONS = _configuration(default_mutating)
VALIDATINGWEBHOOKCONFIGURATIONS = _configuration(default)
VALIDATINGADMISSIONPOLICIES = Strategy(
    default=default_policy,
    prepare=keep_status,
    check=check_policy,
    has_generation=True,
    allow_unconditional_update=False,
)
VALIDATINGADMISSIONPOLICYBINDINGS = Strategy(
    default=default_policy_binding,
    prepare=as_sent,
    check=check_policy_binding,
    has_generation=True,
    allow_unconditional_update=False,
)

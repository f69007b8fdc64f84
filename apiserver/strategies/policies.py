"""ValidatingAdmissionPolicies and their bindings. Every expression is compiled, as it will be when it is evaluated.

Source: pkg/apis/admissionregistration/validation/validation.go, v1/defaults.go.
"""

import re
from collections.abc import Sequence

from apimachinery import names
from apimachinery.errors import INTERNAL_FIELD, FieldError, not_supported
from apimachinery.types import Json
from apiserver.admission.policy_programs import Compiler, Expression
from apiserver.cel.types import BOOL, NULL, STRING
from apiserver.strategies.admission_rules import match_conditions, match_resources
from apiserver.strategies.defaulting import fill, items, part
from apiserver.strategies.problems import (
    Problems,
    duplicate,
    forbidden,
    invalid,
    label_selector,
    named,
    one_of,
    required,
)
from apiserver.strategies.strategy import Strategy, as_sent, keep_status, status_without

_BOTH = (
    "must not contain both Deny and Warn (repeating the same validation failure information in the API response and "
    "headers serves no purpose)"
)
_ACTIONS = ("Audit", "Deny", "Warn")
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_MOST_ANNOTATIONS = 20
_LONGEST_ANNOTATION = 5 * 1024
_IDENTIFIER = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_RESERVED = frozenset(
    [
        *("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if"),
        *("import", "let", "loop", "package", "namespace", "return", "var", "void", "while"),
    ]
)


def default(tree: Json) -> Json:
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


def default_binding(tree: Json) -> Json:
    if (tree.get("spec") or {}).get("matchResources") is not None:
        _default_match(tree["spec"]["matchResources"])
    return tree


def check(new: Json, old: Json | None) -> list[FieldError]:
    return [*_policy(new, (old or {}).get("spec"))]


def _policy(tree: Json, old: Json | None) -> Problems:
    spec: Json = tree.get("spec") or {}
    kind, match = spec.get("paramKind"), spec.get("matchConstraints")
    yield from one_of("spec.failurePolicy", spec.get("failurePolicy"), ("Fail", "Ignore"))
    if kind is not None:
        yield from _param_kind("spec.paramKind", kind)
    if match is None:
        yield required("spec.matchConstraints")
    else:
        yield from match_resources("spec.matchConstraints", match)
        if not match.get("resourceRules"):
            yield required("spec.matchConstraints.resourceRules")
    if old is None or any(old.get(name) != spec.get(name) for name in ("paramKind", "matchConditions")):
        yield from match_conditions("spec.matchConditions", spec.get("matchConditions") or (), params=kind is not None)
    yield from _expressions(tree, spec, Compiler(params=kind is not None))


def _expressions(tree: Json, spec: Json, compiler: Compiler) -> Problems:
    for i, variable in enumerate(spec.get("variables") or ()):
        yield from _variable(f"spec.variables[{i}]", variable, compiler)
    if not spec.get("validations") and not spec.get("auditAnnotations"):
        detail = "validations or auditAnnotations must contain at least one item"
        yield required("spec.validations", detail)
        yield required("spec.auditAnnotations", detail)
        return
    for i, validation in enumerate(spec.get("validations") or ()):
        yield from _validation(f"spec.validations[{i}]", validation, compiler)
    yield from _annotations("spec.auditAnnotations", tree, spec.get("auditAnnotations") or (), compiler)


def _param_kind(path: str, kind: Json) -> Problems:
    version, name = kind.get("apiVersion") or "", kind.get("kind") or ""
    if not version:
        yield required(f"{path}.apiVersion")
    elif version.count("/") > 1:
        yield invalid(f"{path}.apiVersion", version, f"unexpected GroupVersion string: {version}")
    else:
        group, _, short = version.rpartition("/")
        if group and (wrong := names.dns_subdomain(group)):
            yield invalid(f"{path}.apiVersion", group, ",".join(wrong))
        if not short:
            yield invalid(f"{path}.apiVersion", version, "version must be specified")
        elif wrong := names.label_1035_name(short, False):
            yield invalid(f"{path}.apiVersion", short, ",".join(wrong))
    if not name:
        yield required(f"{path}.kind")
    elif wrong := names.label_1035_name(name.lower(), False):
        yield invalid(f"{path}.kind", name, "may have mixed case, but should otherwise match: " + ",".join(wrong))


def _variable(path: str, variable: Json, compiler: Compiler) -> Problems:
    name, text = variable.get("name") or "", variable.get("expression") or ""
    if not name.strip():
        yield required(f"{path}.name", "name is not specified")
    elif not _IDENTIFIER.fullmatch(name) or name in _RESERVED:
        yield invalid(f"{path}.name", name, "must be a valid CEL identifier")
    if not text.strip():
        yield required(f"{path}.expression", "expression is not specified")
    else:
        yield from _compiled(f"{path}.expression", compiler.variable(name, text))


def _compiled(path: str, expression: Expression) -> Problems:
    if not expression.error:
        return
    if expression.error.startswith("program instantiation failed"):
        yield FieldError(path, INTERNAL_FIELD, expression.error)
    else:
        yield invalid(path, expression.text, expression.error)


def _validation(path: str, validation: Json, compiler: Compiler) -> Problems:
    text, message = validation.get("expression") or "", validation.get("message") or ""
    made = validation.get("messageExpression") or ""
    if not text.strip():
        yield required(f"{path}.expression", "expression is not specified")
    else:
        yield from _compiled(f"{path}.expression", compiler.expression(text, BOOL))
    if made and not made.strip():
        yield invalid(f"{path}.messageExpression", made, "must be non-empty if specified")
    elif made:
        expression = compiler.expression(made, STRING, authorizer=False)
        yield from _compiled(f"{path}.messageExpression", expression)
    if message and not message.strip():
        yield invalid(f"{path}.message", message, "must be non-empty if specified")
    elif "\n" in message.strip() or "\r" in message.strip():
        yield invalid(f"{path}.message", message, "must not contain line breaks")
    reason = validation.get("reason")
    if reason is not None and reason not in _REASONS:
        yield not_supported(f"{path}.reason", reason, _REASONS)


def _annotations(path: str, tree: Json, annotations: Sequence[Json], compiler: Compiler) -> Problems:
    if len(annotations) > _MOST_ANNOTATIONS:
        yield invalid(path, annotations, f"must not have more than {_MOST_ANNOTATIONS} auditAnnotations")
    seen: set[str] = set()
    for i, annotation in enumerate(annotations):
        here, key = f"{path}[{i}]", annotation.get("key") or ""
        name = tree["metadata"].get("name")
        if name:
            yield from named(f"{here}.key", f"{name}/{key}", names.qualified_name)
        else:
            yield invalid(f"{here}.key", key, "requires metadata.name be non-empty")
        text = (annotation.get("valueExpression") or "").strip()
        if not text:
            yield required(f"{here}.valueExpression", "valueExpression is not specified")
        elif len(text.encode()) > _LONGEST_ANNOTATION:
            yield required(f"{here}.valueExpression", f"must not exceed {_LONGEST_ANNOTATION} bytes in length")
        else:
            yield from _compiled(f"{here}.valueExpression", compiler.expression(text, STRING, NULL))
        if key in seen:
            yield duplicate(f"{here}.key", key)
        seen.add(key)


def check_binding(new: Json, _old: Json | None) -> list[FieldError]:
    return [*_binding(new.get("spec") or {})]


def _binding(spec: Json) -> Problems:
    if not spec.get("policyName"):
        yield required("spec.policyName")
    else:
        yield from named("spec.policyName", spec["policyName"], names.dns_subdomain)
    if spec.get("paramRef") is not None:
        yield from _param_ref("spec.paramRef", spec["paramRef"])
    if spec.get("matchResources") is not None:
        yield from match_resources("spec.matchResources", spec["matchResources"])
    actions = spec.get("validationActions") or ()
    for i, action in enumerate(actions):
        if action not in _ACTIONS:
            yield not_supported(f"spec.validationActions[{i}]", action, _ACTIONS)
        if action in actions[:i]:
            yield duplicate(f"spec.validationActions[{i}]", action)
    if {"Deny", "Warn"} <= set(actions):
        yield invalid("spec.validationActions", actions, _BOTH)
    if not actions:
        yield required("spec.validationActions", "at least one validation action is required")


def _param_ref(path: str, ref: Json) -> Problems:
    name, selector = ref.get("name") or "", ref.get("selector")
    if name:
        yield from named(f"{path}.name", name, names.path_segment)
    if name and selector is not None:
        yield forbidden(f"{path}.name", "name and selector are mutually exclusive")
    if selector is not None:
        yield from label_selector(f"{path}.selector", selector)
        if name:
            yield forbidden(f"{path}.selector", "name and selector are mutually exclusive")
    if not name and selector is None:
        yield required(path, "one of name or selector must be specified")
    action = ref.get("parameterNotFoundAction")
    if not action:
        yield required(f"{path}.parameterNotFoundAction")
    elif action not in ("Deny", "Allow"):
        yield not_supported(f"{path}.parameterNotFoundAction", action, ("Deny", "Allow"))


VALIDATINGADMISSIONPOLICIES = Strategy(
    default=default,
    prepare=keep_status,
    prepare_status=status_without(),
    check=check,
    has_generation=True,
    allow_unconditional_update=False,
    any_finalizer=True,
)
VALIDATINGADMISSIONPOLICYBINDINGS = Strategy(
    default=default_binding,
    prepare=as_sent,
    check=check_binding,
    has_generation=True,
    allow_unconditional_update=False,
    any_finalizer=True,
)

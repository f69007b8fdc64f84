"""ValidatingAdmissionPolicies and their bindings. Every expression is compiled, as it will be when it is evaluated.

Source: pkg/apis/admissionregistration/validation/validation.go.
"""

from collections.abc import Sequence

from apimachinery import names
from apimachinery.errors import FieldError, not_supported
from apimachinery.types import Json
from apiserver.admission.policy_programs import Compiler
from apiserver.cel.types import BOOL, NULL, STRING
from apiserver.strategies import policy_parts as parts
from apiserver.strategies.admission_rules import match_conditions
from apiserver.strategies.policy_parts import not_compiled
from apiserver.strategies.problems import Problems, duplicate, invalid, named, required
from apiserver.strategies.strategy import Strategy, as_sent, keep_status, status_without

_BOTH = (
    "must not contain both Deny and Warn (repeating the same validation failure information in the API response and "
    "headers serves no purpose)"
)
_ACTIONS = ("Audit", "Deny", "Warn")
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_MOST_ANNOTATIONS = 20
_LONGEST_ANNOTATION = 5 * 1024


def check(new: Json, old: Json | None) -> list[FieldError]:
    return [*_policy(new, None if old is None else old.get("spec") or {})]


def _policy(tree: Json, old: Json | None) -> Problems:
    spec: Json = tree.get("spec") or {}
    has_params = spec.get("paramKind") is not None
    yield from parts.scope(spec)
    if parts.conditions_changed(spec, old):
        yield from match_conditions("spec.matchConditions", spec.get("matchConditions") or (), params=has_params)
    compiler = Compiler(params=has_params, composes=bool(spec.get("variables")))
    yield from _expressions(tree, spec, compiler)


def _expressions(tree: Json, spec: Json, compiler: Compiler) -> Problems:
    yield from parts.variables(spec, compiler)
    if not spec.get("validations") and not spec.get("auditAnnotations"):
        detail = "validations or auditAnnotations must contain at least one item"
        yield required("spec.validations", detail)
        yield required("spec.auditAnnotations", detail)
        return
    for i, validation in enumerate(spec.get("validations") or ()):
        yield from _validation(f"spec.validations[{i}]", validation, compiler)
    yield from _annotations("spec.auditAnnotations", tree, spec.get("auditAnnotations") or (), compiler)


def _validation(path: str, validation: Json, compiler: Compiler) -> Problems:
    text, message = validation.get("expression") or "", validation.get("message") or ""
    made = validation.get("messageExpression") or ""
    if not text.strip():
        yield required(f"{path}.expression", "expression is not specified")
    else:
        yield from not_compiled(f"{path}.expression", compiler.expression(text, BOOL))
    if made and not made.strip():
        yield invalid(f"{path}.messageExpression", made, "must be non-empty if specified")
    elif made:
        expression = compiler.expression(made, STRING, authorizer=False)
        yield from not_compiled(f"{path}.messageExpression", expression)
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
            yield from not_compiled(f"{here}.valueExpression", compiler.expression(text, STRING, NULL))
        if key in seen:
            yield duplicate(f"{here}.key", key)
        seen.add(key)


def check_binding(new: Json, _old: Json | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    return [*parts.binding(spec), *_actions(spec.get("validationActions") or ())]


def _actions(actions: Sequence[str]) -> Problems:
    for i, action in enumerate(actions):
        if action not in _ACTIONS:
            yield not_supported(f"spec.validationActions[{i}]", action, _ACTIONS)
        if action in actions[:i]:
            yield duplicate(f"spec.validationActions[{i}]", action)
    if {"Deny", "Warn"} <= set(actions):
        yield invalid("spec.validationActions", actions, _BOTH)
    if not actions:
        yield required("spec.validationActions", "at least one validation action is required")


VALIDATINGADMISSIONPOLICIES = Strategy(
    default=parts.default,
    prepare=keep_status,
    prepare_status=status_without(),
    check=check,
    has_generation=True,
    allow_unconditional_update=False,
    any_finalizer=True,
)
VALIDATINGADMISSIONPOLICYBINDINGS = Strategy(
    default=parts.default_binding,
    prepare=as_sent,
    check=check_binding,
    has_generation=True,
    allow_unconditional_update=False,
    any_finalizer=True,
)

"""What validating and mutating admission policies have in common: defaults, parameters, variables, expressions.

Source: pkg/apis/admissionregistration/validation/validation.go, v1/defaults.go.
"""

import re

from apimachinery import names
from apimachinery.errors import INTERNAL_FIELD, FieldError, not_supported
from apimachinery.types import Json
from apiserver.admission.policy_programs import Compiler, Expression
from apiserver.strategies.admission_rules import match_resources
from apiserver.strategies.defaulting import fill_absent, items, part
from apiserver.strategies.problems import Problems, forbidden, invalid, label_selector, named, required, supported

_IDENTIFIER = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_RESERVED = frozenset(
    [
        *("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if"),
        *("import", "let", "loop", "package", "namespace", "return", "var", "void", "while"),
    ]
)


def default(tree: Json) -> Json:
    """The defaults of a policy."""
    spec = part(tree, "spec")
    fill_absent(spec, "failurePolicy", "Fail")
    if spec.get("matchConstraints") is not None:
        _default_match(spec["matchConstraints"])
    return tree


def default_binding(tree: Json) -> Json:
    """The defaults of a binding."""
    if (tree.get("spec") or {}).get("matchResources") is not None:
        _default_match(tree["spec"]["matchResources"])
    return tree


def _default_match(match: Json) -> None:
    fill_absent(match, "matchPolicy", "Equivalent")
    part(match, "namespaceSelector")
    part(match, "objectSelector")
    for rule in items(match, "resourceRules", "excludeResourceRules"):
        fill_absent(rule, "scope", "*")


def scope(spec: Json) -> Problems:
    """What a policy is about, and what happens when it fails."""
    match = spec.get("matchConstraints")
    yield from supported("spec.failurePolicy", spec.get("failurePolicy"), ("Fail", "Ignore"))
    if spec.get("paramKind") is not None:
        yield from _param_kind("spec.paramKind", spec["paramKind"])
    if match is None:
        yield required("spec.matchConstraints")
        return
    yield from match_resources("spec.matchConstraints", match)
    if not match.get("resourceRules"):
        yield required("spec.matchConstraints.resourceRules")


def conditions_changed(spec: Json, old: Json | None) -> bool:
    """Whether match conditions have to be looked at again: what was stored once may stay."""
    return old is None or any(old.get(name) != spec.get(name) for name in ("paramKind", "matchConditions"))


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


def variables(spec: Json, compiler: Compiler) -> Problems:
    """The variables, in order: each may use those before it."""
    for i, row in enumerate(spec.get("variables") or ()):
        yield from _variable(f"spec.variables[{i}]", row, compiler)


def _variable(path: str, variable: Json, compiler: Compiler) -> Problems:
    name, text = variable.get("name") or "", variable.get("expression") or ""
    if not name.strip():
        yield required(f"{path}.name", "name is not specified")
    elif not _IDENTIFIER.fullmatch(name) or name in _RESERVED:
        yield invalid(f"{path}.name", name, "must be a valid CEL identifier")
    if not text.strip():
        yield required(f"{path}.expression", "expression is not specified")
    else:
        yield from not_compiled(f"{path}.expression", compiler.variable(name, text))


def not_compiled(path: str, expression: Expression) -> Problems:
    """Why an expression does not compile, if it does not."""
    if not expression.error:
        return
    if expression.error.startswith("program instantiation failed"):
        yield FieldError(path, INTERNAL_FIELD, expression.error)
    else:
        yield invalid(path, expression.text, expression.error)


def binding(spec: Json) -> Problems:
    """The policy, the parameters and the matching of a binding."""
    if not spec.get("policyName"):
        yield required("spec.policyName")
    else:
        yield from named("spec.policyName", spec["policyName"], names.dns_subdomain)
    if spec.get("paramRef") is not None:
        yield from _param_ref("spec.paramRef", spec["paramRef"])
    if spec.get("matchResources") is not None:
        yield from match_resources("spec.matchResources", spec["matchResources"])


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

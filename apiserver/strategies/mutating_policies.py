"""MutatingAdmissionPolicies and their bindings.

Source: pkg/apis/admissionregistration/validation/validation.go, v1alpha1/defaults.go, v1beta1/defaults.go.
"""

from apimachinery.errors import FieldError, not_supported
from apimachinery.types import Json
from apiserver.admission.mutating_programs import APPLY_CONFIGURATION, JSON_PATCH, expression
from apiserver.admission.policy_programs import Compiler
from apiserver.strategies import policy_parts as parts
from apiserver.strategies.admission_rules import match_conditions
from apiserver.strategies.defaulting import fill
from apiserver.strategies.problems import Problems, invalid, one_of, required
from apiserver.strategies.strategy import Strategy, as_sent

#: What a delete has is no object that could be changed.
_OPERATIONS = ("*", "CONNECT", "CREATE", "UPDATE")
_MEMBERS = {APPLY_CONFIGURATION: "applyConfiguration", JSON_PATCH: "jsonPatch"}


def default_binding(tree: Json) -> Json:
    """The defaults of a binding; only the older version has one for parameters that are not there."""
    ref = (tree.get("spec") or {}).get("paramRef")
    if ref is not None and tree.get("apiVersion", "").endswith("/v1alpha1"):
        fill(ref, "parameterNotFoundAction", "Deny")
    return parts.default_binding(tree)


def check(new: Json, old: Json | None) -> list[FieldError]:
    """What is wrong with a policy."""
    return [*_policy(new.get("spec") or {}, None if old is None else old.get("spec") or {})]


def _policy(spec: Json, old: Json | None) -> Problems:
    has_params = spec.get("paramKind") is not None
    yield from parts.scope(spec)
    yield from _operations("spec.matchConstraints", spec.get("matchConstraints"))
    if parts.conditions_changed(spec, old):
        yield from match_conditions("spec.matchConditions", spec.get("matchConditions") or (), params=has_params)
    compiler = Compiler(params=has_params)
    yield from parts.variables(spec, compiler)
    if not spec.get("mutations"):
        yield required("spec.mutations", "mutations must contain at least one item")
    for i, mutation in enumerate(spec.get("mutations") or ()):
        yield from _mutation(f"spec.mutations[{i}]", mutation, compiler)
    if not spec.get("reinvocationPolicy"):
        yield required("spec.reinvocationPolicy")
    else:
        yield from one_of("spec.reinvocationPolicy", spec["reinvocationPolicy"], ("IfNeeded", "Never"))


def _operations(path: str, match: Json | None) -> Problems:
    for rule in (match or {}).get("resourceRules") or ():
        for operation in rule.get("operations") or ():
            if operation not in _OPERATIONS:
                yield not_supported(f"{path}.resourceRules.operations", operation, _OPERATIONS)


def _mutation(path: str, mutation: Json, compiler: Compiler) -> Problems:
    kind = mutation.get("patchType") or ""
    if not kind:
        yield required(f"{path}.patchType")
        return
    if kind not in _MEMBERS:
        yield not_supported(f"{path}.patchType", kind, sorted(_MEMBERS))
        return
    given, here = mutation.get(_MEMBERS[kind]), f"{path}.{_MEMBERS[kind]}"
    if given is None:
        yield required(here, f"must be specified when patchType is {kind}")
    else:
        yield from _expression(f"{here}.expression", kind, given.get("expression") or "", compiler)
    for other, member in _MEMBERS.items():
        if other != kind and mutation.get(member) is not None:
            yield invalid(f"{path}.{member}", f"{{{member}}}", f"must not be specified when patchType is {kind}")


def _expression(path: str, kind: str, text: str, compiler: Compiler) -> Problems:
    if not text.strip():
        yield required(path)
    else:
        yield from parts.not_compiled(path, expression(compiler, kind, text.strip()))


def check_binding(new: Json, _old: Json | None) -> list[FieldError]:
    """What is wrong with a binding."""
    spec = new.get("spec") or {}
    return [*parts.binding(spec), *_operations("spec.matchResources", spec.get("matchResources"))]


MUTATINGADMISSIONPOLICIES = Strategy(
    default=parts.default, prepare=as_sent, check=check, has_generation=True, allow_unconditional_update=False
)
MUTATINGADMISSIONPOLICYBINDINGS = Strategy(
    default=default_binding, prepare=as_sent, check=check_binding, has_generation=True, allow_unconditional_update=False
)

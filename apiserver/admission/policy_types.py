"""Type checking of ValidatingAdmissionPolicies: what their expressions get wrong for the kinds they are about. Pure.

Only warnings come of it (status.typeChecking): a policy works on whatever it is given. Rules with wildcards are not
checked. Source: apiserver/pkg/admission/plugin/policy/validating/typechecking.go.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from apimachinery import schema
from apimachinery.types import Json
from apiserver.admission.policy_programs import Compiler
from apiserver.cel.schemas import typed
from apiserver.cel.types import DYN, Type

_MOST_TYPES = 10
_ANYTHING: Json = {"x-kubernetes-int-or-string": True}


@dataclass(frozen=True, slots=True, order=True)
class KindName:
    group: str
    version: str
    kind: str

    def __str__(self) -> str:
        return f"{self.group}/{self.version}, Kind={self.kind}"


#: The kind of a resource (group, version, plural); None where nothing is served there.
KindOf = Callable[[str, str, str], KindName | None]
#: The openAPIV3Schema of a custom resource's kind, None for others.
CustomSchema = Callable[[KindName], Json | None]


def warnings(policy: Json, kind_of: KindOf, custom: CustomSchema) -> list[Json]:
    """The expressionWarnings of a policy's status."""
    spec: Json = policy.get("spec") or {}
    kinds = [(kind, type) for kind in _kinds(spec, kind_of) if (type := _type(kind, custom)) is not None]
    param = spec.get("paramKind") or {}
    group, _, version = (param.get("apiVersion") or "").rpartition("/")
    params = _type(KindName(group, version, param["kind"]), custom) if param.get("kind") else None
    found: list[Json] = []
    for i, validation in enumerate(spec.get("validations") or ()):
        for field in ("expression", "messageExpression"):
            text = validation.get(field)
            told = _told(text, spec.get("variables") or (), kinds, params) if text else ""
            if told:
                found.append({"fieldRef": f"spec.validations[{i}].{field}", "warning": told})
    return found


def _told(text: str, variables: Sequence[Json], kinds: Sequence[tuple[KindName, Type]], params: Type | None) -> str:
    problems: list[str] = []
    for kind, type in kinds:
        base = {"object": type, "oldObject": type} | ({"params": params} if params is not None else {})
        compiler = Compiler(params=params is not None, base=base)
        for variable in variables:
            compiler.variable(variable["name"], variable["expression"])
        if error := compiler.expression(text, DYN).error:
            problems.append(f"{kind}: {error}\n")
    return "\n".join(problems)


def _kinds(spec: Json, kind_of: KindOf) -> list[KindName]:
    found: set[KindName] = set()
    for rule in (spec.get("matchConstraints") or {}).get("resourceRules") or ():
        for kind in _of_rule(rule, kind_of):
            found.add(kind)
            if len(found) == _MOST_TYPES:
                return sorted(found)
    return sorted(found)


def _of_rule(rule: Json, kind_of: KindOf) -> Iterator[KindName]:
    groups, versions = rule.get("apiGroups") or (), rule.get("apiVersions") or ()
    if any("*" in text for text in (*groups, *versions)):
        return
    for group in sorted(groups):
        for version in sorted(versions):
            for plural in sorted(rule.get("resources") or ()):
                kind = None if "*" in plural or "/" in plural else kind_of(group, version, plural)
                if kind is not None:
                    yield kind


def _type(kind: KindName, custom: CustomSchema) -> Type | None:
    name = schema.definition_of(kind.group, kind.version, kind.kind)
    own = custom(kind)
    if own is not None:
        found = typed(own, root=True, name=kind.kind)
        return _with_whole_metadata(found.type) if found is not None else None
    return _built_in(name, kind.kind) if name is not None else None


@cache
def _built_in(name: str, kind: str) -> Type | None:
    found = typed(_inlined(schema.DEFINITIONS[name], ()), name=kind)
    return found.type if found is not None else None


def _with_whole_metadata(type: Type) -> Type:
    """The published schema of a custom resource has all of ObjectMeta, whatever the definition says."""
    meta = _built_in(schema.OBJECT_META, "ObjectMeta")
    fields = dict(type.fields)
    if meta is not None and "metadata" in fields:
        fields["metadata"] = fields["metadata"]._replace(type=meta)
    return replace(type, fields=fields)


def _inlined(node: Json, within: tuple[str, ...]) -> Json:
    """A built-in definition as a structural schema: references resolved; one that contains itself is anything."""
    name = schema.target(node)
    if name is not None:
        return _ANYTHING if name in within else _inlined(schema.DEFINITIONS[name], (*within, name))
    if node.get("oneOf"):
        return _ANYTHING
    made = {key: value for key, value in node.items() if key in ("format", "x-kubernetes-preserve-unknown-fields")}
    kinds = node.get("type")
    made["type"] = next((k for k in kinds if k != "null"), "") if isinstance(kinds, list) else kinds
    if isinstance(node.get("items"), dict):
        made["items"] = _inlined(node["items"], within)
    if isinstance(node.get("additionalProperties"), dict):
        made["additionalProperties"] = _inlined(node["additionalProperties"], within)
    made["properties"] = {key: _inlined(value, within) for key, value in (node.get("properties") or {}).items()}
    return made

"""Roles and bindings. Source: pkg/apis/rbac/validation, pkg/apis/rbac/v1/defaults.go.

Whether the writer may grant what is written (escalation, bind) is a question to the authorizer, asked by the core.
"""

from collections.abc import Sequence

from apimachinery import names
from apimachinery.errors import FieldError, not_supported
from apimachinery.types import Json
from apiserver.strategies.defaulting import fill, items, part
from apiserver.strategies.problems import Problems, go_struct, invalid, label_selector, named, required
from apiserver.strategies.sameness import same
from apiserver.strategies.strategy import Strategy, as_sent

_GROUP = "rbac.authorization.k8s.io"


def _role(*, namespaced: bool) -> Strategy:
    def check(new: Json, old: Json | None) -> list[FieldError]:
        problems = [*_rules(new.get("rules") or (), namespaced=namespaced), *_aggregation(new)]
        return problems if old is None else [*problems, *problems]  # upstream looks twice

    return Strategy(prepare=as_sent, check=check, allow_create_on_update=True, name=names.path_segment_name)


def _rules(rules: Sequence[Json], *, namespaced: bool) -> Problems:
    for i, rule in enumerate(rules):
        here = f"rules[{i}]"
        if not rule.get("verbs"):
            yield required(f"{here}.verbs", "verbs must contain at least one value")
        if rule.get("nonResourceURLs"):
            if namespaced:
                detail = "namespaced rules cannot apply to non-resource URLs"
                yield invalid(f"{here}.nonResourceURLs", rule["nonResourceURLs"], detail)
            if any(rule.get(name) for name in ("apiGroups", "resources", "resourceNames")):
                detail = "rules cannot apply to both regular resources and non-resource URLs"
                yield invalid(f"{here}.nonResourceURLs", rule["nonResourceURLs"], detail)
            continue
        if not rule.get("apiGroups"):
            yield required(f"{here}.apiGroups", "resource rules must supply at least one api group")
        if not rule.get("resources"):
            yield required(f"{here}.resources", "resource rules must supply at least one resource")


def _aggregation(tree: Json) -> Problems:
    rule = tree.get("aggregationRule")
    if rule is None:
        return
    here = "aggregationRule.clusterRoleSelectors"
    if not rule.get("clusterRoleSelectors"):
        yield required(here, "at least one clusterRoleSelector required if aggregationRule is non-nil")
    for i, selector in enumerate(rule.get("clusterRoleSelectors") or ()):
        wrong = [*label_selector(f"{here}[{i}]", selector)]
        yield from wrong
        if wrong:
            yield invalid(f"{here}[{i}]", None, "invalid label selector.")


#: A reference as Go shows it.
_REFERENCE = (("APIGroup", "apiGroup"), ("Kind", "kind"), ("Name", "name"))


def default_binding(tree: Json) -> Json:
    fill(part(tree, "roleRef"), "apiGroup", _GROUP)
    for subject in items(tree, "subjects"):
        if subject.get("kind") in ("User", "Group"):
            fill(subject, "apiGroup", _GROUP)
    return tree


def _binding(*, namespaced: bool) -> Strategy:
    kinds = ("Role", "ClusterRole") if namespaced else ("ClusterRole",)

    def check(new: Json, old: Json | None) -> list[FieldError]:
        problems = [*_role_ref(new.get("roleRef") or {}, kinds)]
        for i, subject in enumerate(new.get("subjects") or ()):
            problems += _subject(f"subjects[{i}]", subject, namespaced=namespaced)
        if old is None:
            return problems
        problems += problems
        reference = new.get("roleRef") or {}
        if not same(reference, old.get("roleRef")):
            shown = {go: reference.get(name, "") for go, name in _REFERENCE}
            problems.append(invalid("roleRef", go_struct(**shown), "cannot change roleRef"))
        return problems

    return Strategy(
        default=default_binding,
        prepare=as_sent,
        check=check,
        allow_create_on_update=True,
        name=names.path_segment_name,
    )


def _role_ref(reference: Json, kinds: tuple[str, ...]) -> Problems:
    if reference.get("apiGroup", "") != _GROUP:
        yield not_supported("roleRef.apiGroup", reference.get("apiGroup", ""), (_GROUP,))
    if reference.get("kind", "") not in kinds:
        yield not_supported("roleRef.kind", reference.get("kind", ""), kinds)
    if not reference.get("name"):
        yield required("roleRef.name")
    else:
        yield from named("roleRef.name", reference["name"], names.path_segment)


def _subject(path: str, subject: Json, *, namespaced: bool) -> Problems:
    kind, name, group = subject.get("kind", ""), subject.get("name", ""), subject.get("apiGroup", "")
    if not name:
        yield required(f"{path}.name")
    if kind == "ServiceAccount":
        if name:
            yield from named(f"{path}.name", name, names.dns_subdomain)
        if group:
            yield not_supported(f"{path}.apiGroup", group, ("",))
        if not subject.get("namespace") and not namespaced:
            yield required(f"{path}.namespace")
    elif kind in ("User", "Group"):
        if group != _GROUP:
            yield not_supported(f"{path}.apiGroup", group, (_GROUP,))
    else:
        yield not_supported(f"{path}.kind", kind, ("ServiceAccount", "User", "Group"))


ROLES = _role(namespaced=True)
CLUSTERROLES = _role(namespaced=False)
ROLEBINDINGS = _binding(namespaced=True)
CLUSTERROLEBINDINGS = _binding(namespaced=False)

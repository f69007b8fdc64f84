"""SubjectAccessReview, SelfSubjectAccessReview, LocalSubjectAccessReview, SelfSubjectRulesReview.

Questions to the authorizer as objects: answered, never stored. Each function takes the object sent and returns the
object to answer with. Source: pkg/registry/authorization/*/rest.go, pkg/apis/authorization/validation.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from apimachinery import selectors
from apimachinery.errors import INVALID, REQUIRED, ApiError, FieldError, bad_request, invalid
from apimachinery.meta import in_order
from apimachinery.types import Json
from apiserver.authorization.authorizer import Authorizer
from apiserver.authorization.rbac import aggregate
from apiserver.request import Attributes, User
from apiserver.resolve import pinned_fields

_GROUP = "authorization.k8s.io"
_WHAT = "exactly one of nonResourceAttributes or resourceAttributes must be specified"


def _refused(problems: Sequence[FieldError]) -> ApiError:
    """A review that asks wrongly; upstream names no kind here."""
    return invalid(_GROUP, "", "", problems)


def subject_access_review(authorizer: Authorizer, body: Json) -> Json:
    """May the user or the groups of spec do it? Raises ApiError 422."""
    spec = body.get("spec") or {}
    problems = [*_attribute_problems(spec), *_subject_problems(spec), *_selector_problems(spec)]
    if problems := [*problems, *_metadata_problems(body)]:
        raise _refused(problems)
    return _answered("SubjectAccessReview", body, spec, authorizer, _spec_user(spec))


def local_subject_access_review(authorizer: Authorizer, body: Json, namespace: str) -> Json:
    """The same within one namespace, for those who may ask about theirs alone. Raises ApiError 400, 422."""
    spec = body.get("spec") or {}
    problems = [
        *_attribute_problems(spec),
        *_subject_problems(spec),
        *_selector_problems(spec),
        *_metadata_problems(body, " except for namespace"),
    ]
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and (wanted := resource.get("namespace") or "") != namespace:
        where = "spec.resourceAttributes.namespace"
        problems.append(FieldError(where, INVALID, "must match metadata.namespace", wanted))
    if path is not None:
        problems.append(_about_path(path, "disallowed on this kind of request"))
    if problems:
        raise _refused(problems)
    if not namespace:
        raise bad_request("namespace is required on this type: ")
    return _answered("LocalSubjectAccessReview", body, spec, authorizer, _spec_user(spec))


def self_subject_access_review(authorizer: Authorizer, user: User, body: Json) -> Json:
    """May the asker do it? `kubectl auth can-i`. Raises ApiError 422."""
    spec = body.get("spec") or {}
    if problems := [*_attribute_problems(spec), *_selector_problems(spec), *_metadata_problems(body)]:
        raise _refused(problems)
    return _answered("SelfSubjectAccessReview", body, spec, authorizer, user)


def self_subject_rules_review(authorizer: Authorizer, user: User, body: Json) -> Json:
    """Everything the asker may do in a namespace: `kubectl auth can-i --list`. Raises ApiError 400."""
    spec = body.get("spec") or {}
    namespace = spec.get("namespace") or ""
    if not namespace:
        raise bad_request("no namespace on request")
    rules, errors, is_incomplete = authorizer.rules(user, namespace)
    status: Json = {
        "resourceRules": [_resource_rule(rule) for rule in rules if rule.get("resources")],
        "nonResourceRules": [_path_rule(rule) for rule in rules if rule.get("nonResourceURLs")],
        "incomplete": is_incomplete,
    }
    if errors:
        status["evaluationError"] = aggregate(errors)
    return {**_envelope("SelfSubjectRulesReview", {}, {}), "status": status}


def attributes_of(spec: Json, user: User) -> Attributes:
    """The question in a review's spec, with upstream's defaults."""
    path = spec.get("nonResourceAttributes")
    if path is not None:
        return Attributes(user=user, verb=path.get("verb", ""), is_resource=False, path=path.get("path", ""))
    resource = spec.get("resourceAttributes") or {}
    return Attributes(
        user=user,
        verb=resource.get("verb", ""),
        group=resource.get("group", ""),
        version=resource.get("version", ""),
        plural=resource.get("resource", ""),
        subresource=resource.get("subresource", ""),
        namespace=resource.get("namespace", ""),
        name=resource.get("name", ""),
        field_selector=_pinned(resource.get("fieldSelector") or {}),
    )


def _pinned(selector: Json) -> tuple[tuple[str, str], ...]:
    """The fields that a review's selector gives exactly one value, however it is written."""
    if selector.get("rawSelector"):
        return pinned_fields(selector["rawSelector"])
    rows: list[Json] = selector.get("requirements") or []
    single = [row for row in rows if row.get("operator") == "In" and len(row.get("values") or ()) == 1]
    return tuple((row.get("key", ""), row["values"][0]) for row in single)


def _answered(kind: str, body: Json, spec: Json, authorizer: Authorizer, user: User) -> Json:
    decision = authorizer.authorize(attributes_of(spec, user))
    status: Json = {"allowed": decision.allowed}
    if decision.reason:
        status["reason"] = decision.reason
    if unread := "; ".join(_unread(spec.get("resourceAttributes") or {})):
        status["evaluationError"] = unread
    return {**_envelope(kind, body, spec), "status": status}


def _unread(resource: Json) -> Iterator[str]:
    """What of a question's selectors cannot be read, and does not count therefore."""
    for name, parse, read in (
        ("fieldSelector", selectors.parse_fields, _field_requirement),
        ("labelSelector", selectors.parse_labels, _label_requirement),
    ):
        selector = resource.get(name) or {}
        found = [_can(read, row) for row in selector.get("requirements") or ()]
        if raw := selector.get("rawSelector"):
            found = [_can(parse, raw)]
        if not all(found):
            yield f"spec.resourceAttributes.{name} {'partially ' if any(found) else ''}ignored due to parse error"


def _can(read: Callable[[Any], object], what: Any) -> bool:
    try:
        read(what)
    except ValueError:
        return False
    return True


def _field_requirement(row: Json) -> None:
    if row.get("operator") not in ("In", "NotIn") or len(row.get("values") or ()) != 1:
        raise ValueError("fieldSelectors know no other operator, and one value")


def _label_requirement(row: Json) -> None:
    selectors.from_label_selector({"matchExpressions": [row]})


def _envelope(kind: str, body: Json, spec: Json) -> Json:
    return {"kind": kind, "apiVersion": f"{_GROUP}/v1", "metadata": body.get("metadata") or {}, "spec": spec}


def _spec_user(spec: Json) -> User:
    """The user of a spec, as is: no group is added."""
    extra = {key: tuple(values or ()) for key, values in (spec.get("extra") or {}).items()}
    return User(spec.get("user") or "", tuple(spec.get("groups") or ()), spec.get("uid") or "", extra)


def _attribute_problems(spec: Json) -> list[FieldError]:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and path is not None:
        return [_about_path(path, "cannot be specified in combination with resourceAttributes")]
    if resource is None and path is None:
        return [FieldError("spec.resourceAttributes", INVALID, _WHAT, None)]
    return []


def _about_path(path: Json, why: str) -> FieldError:
    shown = {"Path": path.get("path") or "", "Verb": path.get("verb") or ""}  # as Go has it inside
    return FieldError("spec.nonResourceAttributes", INVALID, why, shown)


def _metadata_problems(body: Json, but: str = "") -> list[FieldError]:
    """Reviews have no metadata of their own, `but` what the path says; the server's own entries do not count."""
    meta: Json = body.get("metadata") or {}
    ours = ("managedFields", "creationTimestamp", *(("namespace",) if but else ()))
    if all(not value for key, value in meta.items() if key not in ours):
        return []
    return [FieldError("metadata", INVALID, f"must be empty{but}", in_order(meta))]


def _selector_problems(spec: Json) -> Iterator[FieldError]:
    for name, check in (("fieldSelector", _field_problems), ("labelSelector", _label_problems)):
        selector: Json | None = (spec.get("resourceAttributes") or {}).get(name)
        if selector is None:
            continue
        path = f"spec.resourceAttributes.{name}"
        raw, rows = selector.get("rawSelector") or "", selector.get("requirements") or []
        if raw and rows:
            why = "may not specified at the same time as requirements"
            yield FieldError(f"{path}.rawSelector", INVALID, why, raw)
        if not raw and not rows:
            why = f"when {path} is specified, requirements or rawSelector is required"
            yield FieldError(f"{path}.requirements", REQUIRED, why)
        for i, row in enumerate(rows):
            yield from check(row, f"{path}.requirements[{i}]")


def _label_problems(row: Json, path: str) -> list[FieldError]:
    return selectors.check_requirement(row, path, any_operator=True)


def _field_problems(row: Json, path: str) -> list[FieldError]:
    missing = [] if row.get("key") else [FieldError(f"{path}.key", REQUIRED, "must be specified")]
    return missing + selectors.check_operator(row, path, any_operator=True)


def _subject_problems(spec: Json) -> list[FieldError]:
    if spec.get("user") or spec.get("groups"):
        return []
    return [FieldError("spec.user", INVALID, "at least one of user or group must be specified", spec.get("user") or "")]


def _resource_rule(rule: Json) -> Json:
    names = {"resourceNames": rule["resourceNames"]} if rule.get("resourceNames") else {}
    groups = rule.get("apiGroups") or []
    return {"verbs": rule["verbs"], "apiGroups": groups, "resources": rule["resources"], **names}


def _path_rule(rule: Json) -> Json:
    return {"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]}

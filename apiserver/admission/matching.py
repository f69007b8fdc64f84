"""Which requests a webhook or a policy is about: rules, matchPolicy, selectors. Pure over a `Subject` and a lookup.

Source: apiserver/pkg/admission/plugin/webhook/predicates, generic/webhook.go (ShouldCallHook), policy/matching.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from apimachinery import errors
from apimachinery.kinds import NAMESPACES
from apimachinery.selectors import LabelSelector, from_label_selector
from apimachinery.types import Json
from apiserver.admission.subject import CREATE, UPDATE, Form, Subject
from apiserver.request import Lookup

_EVERYTHING = from_label_selector({})


@dataclass(frozen=True, slots=True)
class Criteria:
    """The matching part of a webhook, a policy or a binding."""

    rules: Sequence[Json]
    excluded: Sequence[Json] = ()
    equivalent: bool = True  #: matchPolicy
    namespaces: LabelSelector = _EVERYTHING
    objects: LabelSelector = _EVERYTHING
    #: Without rules everything matches (bindings), or nothing (webhooks).
    all_without_rules: bool = False

    def match(self, subject: Subject, new: Json | None, old: Json | None, lookup: Lookup) -> Form | None:
        """The form to show the object in, None where this is not about it. Raises ApiError: no such namespace."""
        wrong: errors.ApiError | None = None
        try:
            if not self._namespace_matches(subject, new, lookup):
                return None
        except errors.ApiError as error:
            wrong = error  # counts only if all else matches
        if not self.objects.is_everything and not (self._labelled(new) or self._labelled(old)):
            return None
        if self.excluded and self._by_rules(self.excluded, subject) is not None:
            return None
        form = subject.own if self.all_without_rules and not self.rules else self._by_rules(self.rules, subject)
        if form is not None and wrong is not None:
            raise wrong
        return form

    def _namespace_matches(self, subject: Subject, new: Json | None, lookup: Lookup) -> bool:
        if self.namespaces.is_everything or not (subject.namespace or subject.is_namespace):
            return True
        if subject.is_namespace and not subject.subresource and subject.operation in (CREATE, UPDATE):
            return self.namespaces.matches(labels_of(new))
        found = lookup.get(NAMESPACES, "", subject.namespace)
        if found is None:
            raise errors.not_found("", "namespaces", subject.namespace)
        return self.namespaces.matches(labels_of(found))

    def _labelled(self, tree: Json | None) -> bool:
        return tree is not None and "metadata" in tree and self.objects.matches(labels_of(tree))

    def _by_rules(self, rules: Sequence[Json], subject: Subject) -> Form | None:
        for rule in rules:
            if _applies(rule, subject, subject.own):
                return subject.own
        if not self.equivalent:
            return None
        others = [form for form in subject.equivalents() if form != subject.own] if rules else ()
        return next((form for rule in rules for form in others if _applies(rule, subject, form)), None)


def labels_of(tree: Json | None) -> dict[str, str]:
    """The labels of an object, none where there is none."""
    labels: dict[str, str] = ((tree or {}).get("metadata") or {}).get("labels") or {}
    return labels


def _applies(rule: Json, subject: Subject, form: Form) -> bool:
    return (
        _has(rule.get("operations"), subject.operation)
        and _has(rule.get("apiGroups"), form.group)
        and _has(rule.get("apiVersions"), form.version)
        and any(_names(text, form.plural, subject.subresource) for text in rule.get("resources") or ())
        and _in_scope(rule.get("scope") or "*", subject)
        and (not rule.get("resourceNames") or (subject.name or subject.attributes.name) in rule["resourceNames"])
    )


def _has(items: Sequence[str] | None, value: str) -> bool:
    return items is not None and ("*" in items or value in items)


def _names(text: str, plural: str, subresource: str) -> bool:
    """`pods`, `pods/exec`, `*/scale`, `pods/*`, `*/*`; a plain `*` is every resource, but no subresource."""
    resource, _, part = text.partition("/")
    return resource in ("*", plural) and part in ("*", subresource)


def _in_scope(scope: str, subject: Subject) -> bool:
    if scope == "*":
        return True
    namespaced = bool(subject.namespace) and not subject.is_namespace
    return namespaced == (scope == "Namespaced")


def selector(tree: Json | None) -> LabelSelector:
    """A label selector, compiled; one that is not there selects everything."""
    return from_label_selector(tree) if tree else _EVERYTHING

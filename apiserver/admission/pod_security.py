"""PodSecurity: the level that a namespace's labels ask for, enforced on pods, warned about on pods and templates.

The labels themselves are looked at as well.

Source: k8s.io/pod-security-admission/admission/admission.go. The levels' rules are in pod_security_checks.py.
"""

import re

from apimachinery import kinds
from apimachinery.errors import INVALID, FieldError, invalid
from apimachinery.types import Json
from apiserver.admission.plugin import CREATE, UPDATE, Plugin, Review, resources
from apiserver.admission.pod_security_checks import violations
from apiserver.metrics.security import evaluated
from apiserver.strategies.sameness import same

_LABEL = "pod-security.kubernetes.io/"
#: From the laxest to the strictest.
_LEVELS = ("privileged", "baseline", "restricted")
_VERSION = re.compile(r"latest|v1\.(\d|[1-9]\d*)", re.ASCII)
_ENFORCE = "enforce"
#: How many of a namespace's pods are looked at when its level changes.
_MOST_PODS = 3000
_TEMPLATES = {
    ("", "replicationcontrollers"): ("spec", "template"),
    ("", "podtemplates"): ("template",),
    ("apps", "deployments"): ("spec", "template"),
    ("apps", "replicasets"): ("spec", "template"),
    ("apps", "statefulsets"): ("spec", "template"),
    ("apps", "daemonsets"): ("spec", "template"),
    ("batch", "jobs"): ("spec", "template"),
    ("batch", "cronjobs"): ("spec", "jobTemplate", "spec", "template"),
}


def _labels(namespace: Json | None) -> Json:
    found: Json = ((namespace or {}).get("metadata") or {}).get("labels") or {}
    return found


def policy(labels: Json, mode: str) -> tuple[str, str]:
    """(level, version) that a namespace's labels ask for in a mode; privileged means nothing.

    Who enforces a level is warned by it, too. What is no level is the strictest to enforce, and else none.
    """
    asked = labels.get(f"{_LABEL}{mode}")
    level = "privileged" if asked is None else asked
    version = labels.get(f"{_LABEL}{mode}-version", "latest")
    if level not in _LEVELS:
        level = _LEVELS[-1] if mode == _ENFORCE else "privileged"
    enforced = labels.get(f"{_LABEL}{_ENFORCE}", "")
    if mode == "warn" and asked is None and enforced in _LEVELS:
        return enforced, labels.get(f"{_LABEL}warn-version") or labels.get(f"{_LABEL}{_ENFORCE}-version", "latest")
    return level, version if _VERSION.fullmatch(version) else "latest"


def _label_problems(labels: Json) -> list[FieldError]:
    """What of the labels is no level and no version."""
    problems = []
    for mode in (_ENFORCE, "audit", "warn"):
        for name, is_good, must in (
            (mode, _LEVELS.__contains__, f"must be one of {', '.join(_LEVELS)}"),
            (f"{mode}-version", _VERSION.fullmatch, 'must be "latest" or "v1.x"'),
        ):
            value = labels.get(_LABEL + name)
            if value is not None and not is_good(value):
                problems.append(FieldError(f"metadata.labels[{_LABEL}{name}]", INVALID, must, value))
    return problems


def _namespace(review: Review) -> None:
    """Labels that ask for a level are well formed; of pods that do not keep to a stricter one the client is told."""
    labels, before = _labels(review.tree), _labels(review.old)
    problems = _label_problems(labels)
    if problems and (review.old is None or problems != _label_problems(before)):
        raise invalid("", kinds.NAMESPACES.kind, review.name, problems)
    if review.old is None:
        return
    (level, version), (old_level, old_version) = policy(labels, _ENFORCE), policy(before, _ENFORCE)
    is_laxer = version == old_version and _LEVELS.index(level) <= _LEVELS.index(old_level)
    if not is_laxer and level != "privileged":
        for text in _of_pods(review, review.name, level, version):
            review.warn(text)


def _of_pods(review: Review, namespace: str, level: str, version: str) -> list[str]:
    """What the pods that there are do against a level, each sort of it once."""
    found: dict[str, list[str]] = {}
    pods = review.lookup.list(kinds.PODS, namespace)
    for pod in pods[:_MOST_PODS]:
        reasons = [text.partition(" (")[0] for text in violations(level, pod, version)]
        if reasons:
            found.setdefault(", ".join(reasons), []).append(str(pod["metadata"]["name"]))
    texts = []
    if len(pods) > _MOST_PODS:
        checked = f"the first {_MOST_PODS} of {len(pods)} existing pods"
        texts.append(f"new PodSecurity enforce level only checked against {checked}")
    if found:
        new = f'"{level}:{version}"'
        texts.append(f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level {new}')
    return texts + sorted(f"{_counted(names)}: {reason}" for reason, names in found.items())


def _counted(names: list[str]) -> str:
    others = len(names) - 1
    if not others:
        return names[0]
    return f"{min(names)} (and {others} other pod{'s' if others > 1 else ''})"


def _validate(review: Review) -> None:
    if review.operation not in (CREATE, UPDATE):
        return
    asked = review.attributes
    if review.is_about(kinds.NAMESPACES):
        _namespace(review)
    if not review.namespace:
        return
    if review.is_about(kinds.PODS) or review.is_about(kinds.PODS, subresource="ephemeralcontainers"):
        if review.old is None or _matters(review.tree, review.old):
            _evaluate(review, review.tree, enforce=True)
    elif (asked.group, asked.plural) in _TEMPLATES and not asked.subresource:
        template: Json = review.tree
        for name in _TEMPLATES[asked.group, asked.plural]:
            template = template.get(name) or {}
        _evaluate(review, template, enforce=False)


def _matters(new: Json, old: Json) -> bool:
    """An update that leaves the spec alone is not looked at again: such pods must stay deletable and labelable."""
    now, was = ({**(t.get("spec") or {}), "tolerations": None, "activeDeadlineSeconds": None} for t in (new, old))
    return not same(now, was)


def _evaluate(review: Review, pod: Json, *, enforce: bool) -> None:
    labels = _labels(review.lookup.get(kinds.NAMESPACES, "", review.namespace))
    if enforce:
        level, version = policy(labels, _ENFORCE)
        found = violations(level, pod, version)
        _count(review, level, version, _ENFORCE, allowed=not found)
        if found:
            raise review.refuse(f'violates PodSecurity "{level}:{version}": {", ".join(found)}')
    level, version = policy(labels, "warn")
    if found := violations(level, pod, version):
        _count(review, level, version, "warn", allowed=False)  # only those count, as upstream's
        review.warn(f'would violate PodSecurity "{level}:{version}": {", ".join(found)}')


def _count(review: Review, level: str, version: str, mode: str, *, allowed: bool) -> None:
    resource = "pod" if review.attributes.plural == "pods" else "controller"
    evaluated(level, version, mode, review.operation, resource, review.subresource, allowed=allowed)


POD_SECURITY = Plugin(
    "PodSecurity", validate=_validate, of=frozenset(_TEMPLATES) | resources(kinds.PODS, kinds.NAMESPACES)
)

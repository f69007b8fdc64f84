"""PodSecurity: the level that a namespace's labels ask for, enforced on pods, warned about on pods and templates.

Source: k8s.io/pod-security-admission/admission/admission.go. The levels' rules are in pod_security_checks.py.
"""

from apimachinery import kinds
from apimachinery.types import Json
from apiserver.admission.plugin import CREATE, UPDATE, Plugin, Review, resources
from apiserver.admission.pod_security_checks import violations
from apiserver.metrics.security import evaluated
from apiserver.strategies.sameness import same

_LABEL = "pod-security.kubernetes.io/"
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


def _policy(review: Review, mode: str) -> tuple[str, str]:
    """(level, version) that the namespace asks for in a mode; privileged means nothing."""
    namespace = review.lookup.get(kinds.NAMESPACES, "", review.namespace) or {}
    labels = (namespace.get("metadata") or {}).get("labels") or {}
    return labels.get(f"{_LABEL}{mode}", "privileged"), labels.get(f"{_LABEL}{mode}-version", "latest")


def _validate(review: Review) -> None:
    if review.operation not in (CREATE, UPDATE) or not review.namespace:
        return
    asked = review.attributes
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
    if enforce:
        level, version = _policy(review, "enforce")
        found = violations(level, pod)
        _count(review, level, version, "enforce", allowed=not found)
        if found:
            raise review.refuse(f'violates PodSecurity "{level}:{version}": {", ".join(found)}')
    level, version = _policy(review, "warn")
    found = violations(level, pod)
    if found:
        _count(review, level, version, "warn", allowed=False)  # only those count, as upstream's
        review.warn(f'would violate PodSecurity "{level}:{version}": {", ".join(found)}')


def _count(review: Review, level: str, version: str, mode: str, *, allowed: bool) -> None:
    resource = "pod" if review.attributes.plural == "pods" else "controller"
    evaluated(level, version, mode, review.operation, resource, review.subresource, allowed=allowed)


POD_SECURITY = Plugin("PodSecurity", validate=_validate, of=frozenset(_TEMPLATES) | resources(kinds.PODS))

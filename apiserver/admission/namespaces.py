"""NamespaceLifecycle: nothing is made in a namespace that is not there or on its way out; some never go.

Source: apiserver/pkg/admission/plugin/namespace/lifecycle/admission.go.
"""

from apimachinery import errors, kinds
from apiserver.admission.plugin import CREATE, DELETE, Plugin, Review

#: Clusters cannot do without these; kube-node-lease is made again by every API server.
_PROTECTED = ("default", "kube-public", "kube-system")
_REVIEWS = ("localsubjectaccessreviews", "selfsubjectrulesreviews")


def _lifecycle(review: Review) -> None:
    if review.is_about(kinds.NAMESPACES, DELETE) and review.name in _PROTECTED:
        raise review.refuse("this namespace may not be deleted")
    namespace = review.attributes.namespace
    if not namespace or review.operation == DELETE or review.attributes.plural in _REVIEWS:
        return
    if review.attributes.plural == kinds.NAMESPACES.plural and not review.attributes.group:
        return
    found = review.lookup.get(kinds.NAMESPACES, "", namespace)
    if found is None:
        raise errors.not_found("", "namespaces", namespace)
    if review.operation == CREATE and (found.get("status") or {}).get("phase") == "Terminating":
        error = review.refuse(f"unable to create new content in namespace {namespace} because it is being terminated")
        cause = {
            "reason": "NamespaceTerminating",
            "message": f"namespace {namespace} is being terminated",
            "field": "metadata.namespace",
        }
        error.details = {**error.details, "causes": [cause]}
        raise error


LIFECYCLE = Plugin("NamespaceLifecycle", validate=_lifecycle, mutate=_lifecycle)

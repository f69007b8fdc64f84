"""The metadata of templates for claims: labels and annotations, nothing else. Source: ValidateTemplateObjectMeta."""

from apimachinery import names
from apimachinery.types import Json
from apiserver.strategies.problems import Problems, forbidden

#: Everything else that metadata has, by the name that messages give it, in the order of the struct.
_OTHERS = (
    *("name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp"),
    *("deletionTimestamp", "deletionGracePeriodSeconds", "ownerReferences", "finalizers", "managedFields"),
)
#: Of which nothing is something else than zero.
_POINTER = "deletionGracePeriodSeconds"


def check(path: str, metadata: Json) -> Problems:
    yield from names.check_annotations(metadata.get("annotations") or {}, f"{path}.annotations")
    yield from names.check_labels(metadata.get("labels") or {}, f"{path}.labels")
    for name in _OTHERS:
        if metadata.get(name) or (name == _POINTER and metadata.get(name) is not None):
            yield forbidden(f"{path}.{'uID' if name == 'uid' else name}", "cannot be set")

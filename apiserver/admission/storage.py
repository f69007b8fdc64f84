"""Plugins about storage: the default class of a claim, protection of what is in use, growth only where it can be done.

Sources: plugin/pkg/admission/storage/{storageclass/setdefault,storageobjectinuseprotection,persistentvolume/resize}.
"""

from apimachinery import kinds, quantity
from apimachinery.types import Json
from apiserver.admission.defaults import is_marked, newest
from apiserver.admission.plugin import CREATE, UPDATE, Plugin, Review, resources

_DEFAULT = "storageclass.kubernetes.io/is-default-class"
_DEFAULT_BETA = "storageclass.beta.kubernetes.io/is-default-class"
_CLASS_BETA = "volume.beta.kubernetes.io/storage-class"
_PROTECTION = {kinds.PERSISTENTVOLUMES: "kubernetes.io/pv-protection",
               kinds.VOLUMEATTRIBUTESCLASSES: "kubernetes.io/vac-protection",
               kinds.PERSISTENTVOLUMECLAIMS: "kubernetes.io/pvc-protection"}  # fmt: skip
_NOT_RESIZABLE = (
    "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"
)


def _default_class(review: Review) -> None:
    if not review.is_about(kinds.PERSISTENTVOLUMECLAIMS, CREATE):
        return
    spec, metadata = review.tree["spec"], review.tree["metadata"]
    if spec.get("storageClassName") is not None or _CLASS_BETA in (metadata.get("annotations") or {}):
        return
    classes = review.lookup.list(kinds.STORAGECLASSES)
    found = [c for c in classes if is_marked(c, _DEFAULT) or is_marked(c, _DEFAULT_BETA)]
    if found:
        spec["storageClassName"] = newest(found)["metadata"]["name"]


def _protect(review: Review) -> None:
    for kind, finalizer in _PROTECTION.items():
        if review.is_about(kind, CREATE):
            finalizers = list(review.tree["metadata"].get("finalizers") or ())
            if finalizer not in finalizers:
                review.tree["metadata"]["finalizers"] = [*finalizers, finalizer]


def _resize(review: Review) -> None:
    if not review.is_about(kinds.PERSISTENTVOLUMECLAIMS, UPDATE) or review.old is None:
        return
    now, was = (_storage(tree["spec"]) for tree in (review.tree, review.old))
    if now is None or was is None or now <= was:
        return
    if (review.old.get("status") or {}).get("phase") != "Bound":
        raise review.refuse("Only bound persistent volume claims can be expanded")
    name = review.tree["spec"].get("storageClassName") or ""
    found = review.lookup.get(kinds.STORAGECLASSES, "", name) if name else None
    if found is None or not found.get("allowVolumeExpansion"):
        raise review.refuse(_NOT_RESIZABLE)


def _storage(spec: Json) -> quantity.Quantity | None:
    text = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    return quantity.parse(text) if text is not None else None


DEFAULT_STORAGE_CLASS = Plugin("DefaultStorageClass", mutate=_default_class, of=resources(kinds.PERSISTENTVOLUMECLAIMS))
IN_USE_PROTECTION = Plugin("StorageObjectInUseProtection", mutate=_protect, of=resources(*_PROTECTION))
CLAIM_RESIZE = Plugin("PersistentVolumeClaimResize", validate=_resize, of=resources(kinds.PERSISTENTVOLUMECLAIMS))

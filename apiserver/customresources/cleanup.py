"""The end of a definition: its objects are deleted, then it may go. Source: pkg/controller/finalizer."""

from apimachinery import times
from apimachinery.errors import ApiError
from apimachinery.trees import copied
from apimachinery.types import Json
from apiserver.customresources.definition import FINALIZER, TERMINATING
from apiserver.customresources.naming import with_condition
from apiserver.registry import Deletion, Resource
from apiserver.request import MASTERS, Attributes, User
from apiserver.resources import deleting
from apiserver.resources.api import Api
from apiserver.resources.options import DeleteOptions

_USER = User("system:apiserver", (MASTERS,))
_PENDING = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"


def _is_not_marked(tree: Json) -> bool:
    return not tree["metadata"].get("deletionTimestamp")


def _mark(tree: Json) -> Json:
    """The first delete of a definition: nothing goes before its objects have gone."""
    meta = tree["metadata"]
    meta.pop("deletionGracePeriodSeconds", None)
    if meta.get("generation", 0) > 1:
        meta["generation"] -= 1  # a mark is no change of what is wanted
    if FINALIZER not in (meta.get("finalizers") or ()):
        meta["finalizers"] = [*(meta.get("finalizers") or ()), FINALIZER]
    return terminating(tree, "True", "InstanceDeletionPending", _PENDING, times.parse(meta["deletionTimestamp"]))


#: How definitions are deleted.
DELETION = Deletion(holds=_is_not_marked, mark=_mark, is_own=True, propagates=False)


def needs(tree: Json) -> bool:
    """Whether a definition waits for its objects to be deleted."""
    meta = tree["metadata"]
    return bool(meta.get("deletionTimestamp")) and FINALIZER in (meta.get("finalizers") or ())


def terminating(tree: Json, status: str, reason: str, message: str, now: float) -> Json:
    """The definition with another Terminating condition."""
    made = {"type": TERMINATING, "status": status, "reason": reason, "message": message}
    own: Json = copied(tree)
    return with_condition(own, made, now)


def finished(tree: Json) -> Json:
    """The definition without its finalizer."""
    new: Json = copied(tree)
    kept = [name for name in new["metadata"].get("finalizers") or () if name != FINALIZER]
    new["metadata"].pop("finalizers", None)
    if kept:
        new["metadata"]["finalizers"] = kept
    return new


async def delete_objects(api: Api, resource: Resource) -> int:
    """Delete every object of a resource that is there now; how many are still left (finalizers). Raises ApiError."""
    await api.fresh()
    prefix = resource.stored.storage_prefix()
    for entry in api.cache.list(prefix):
        attributes = Attributes(
            user=_USER,
            verb="delete",
            group=resource.kind.group,
            version=resource.kind.version,
            plural=resource.kind.plural,
            namespace=entry.namespace,
            name=entry.name,
        )
        try:
            await deleting.remove(api, resource, entry.key, DeleteOptions(), attributes, admits=False)
        except ApiError as error:
            if error.code != 404:  # gone meanwhile: what was wanted
                raise
    await api.fresh()
    return len(api.cache.list(prefix))

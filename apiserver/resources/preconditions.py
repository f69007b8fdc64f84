"""What a write demands of the object that is stored: its version, its uid; and how it is told that they are others.

They are looked at inside the compare-and-swap loop, since they have to hold again after every lost race: the uid first,
the version when the new object has been made and admission has changed it. Source:
registry/generic/registry/store.go (Update), apiserver/storage/interfaces.go (Preconditions).
"""

from apimachinery import errors
from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.call import Call
from apiserver.registry import Resource
from apiserver.resources.addressing import key_of
from apiserver.resources.options import WriteOptions, no_revision


def demands_version(resource: Resource) -> bool:
    """Whether a change has to name the version it was made from."""
    return not resource.strategy.allow_unconditional_update


def check_version(resource: Resource, new: Json, old: Json, *, is_needed: bool) -> None:
    """Raise 409 when the object was changed since the client read it, 422 when a version is missing."""
    meta, before = new["metadata"], old["metadata"]
    name, version = before["name"], meta.get("resourceVersion") or ""
    if why := no_revision(version):
        raise errors.unconverted(why)
    if version in ("", "0") and is_needed:
        problem = FieldError("metadata.resourceVersion", errors.INVALID, "must be specified for an update", 0)
        raise errors.invalid(resource.kind.group, resource.kind.plural, name, [problem])
    if version not in ("", "0") and version != before["resourceVersion"]:
        raise resource.conflict(name)


def check_uid(call: Call, resource: Resource, options: WriteOptions, new: Json, old: Json | None) -> None:
    """Raise 409 when a body says another uid than the object has, or says one and there is none.

    In a patch it is no precondition, but a change of what cannot be changed: validation's business.
    """
    uid, found = new["metadata"].get("uid") or "", old["metadata"].get("uid", "") if old is not None else ""
    if uid and uid != found:
        raise uid_conflict(call, resource, options, uid, found)


def uid_conflict(call: Call, resource: Resource, options: WriteOptions, wanted: str, found: str) -> errors.ApiError:
    """409: the object is not the one that the client means."""
    why = failed_precondition(key_of(call, resource), "UID", wanted, found, dry_run=options.dry_run)
    return resource.conflict(call.target.name, why)


def failed_precondition(key: str, what: str, wanted: str, found: str, *, dry_run: bool) -> str:
    """What upstream's store says of another UID or ResourceVersion; in a dry run it does not know its own root."""
    return (
        f"StorageError: invalid object, Code: 4, Key: {key.removeprefix('/registry') if dry_run else key}, "
        "ResourceVersion: 0, AdditionalErrorMsg: "
        f"Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {found}"
    )

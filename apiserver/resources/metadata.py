"""ObjectMeta: what the server fills in and what it never stores. What is well-formed is apimachinery.meta's. Pure.

Source: apiserver/pkg/registry/rest/{create,update,meta}.go.
"""

from collections.abc import Callable, Sequence

from apimachinery.types import Json

#: Never stored: the revision is the key's own, the other is of the past.
_DROPPED = ("resourceVersion", "selfLink")


#: What a create cannot bring along.
_OWN = ("creationTimestamp", "uid", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")


def wipe(metadata: Json) -> None:
    """Take out what only the server says of a new object: of one that is posted, not of one that an update creates."""
    for name in _OWN:
        metadata.pop(name, None)


def deduplicate(metadata: Json, warn: Callable[[str], None], when: str = "") -> None:
    """Take repeated owners out, and say so."""
    owners = metadata.get("ownerReferences") or ()
    if len(owners) < 2:
        return
    metadata["ownerReferences"], doubled = deduplicated(owners)
    if doubled:
        warn(
            f".metadata.ownerReferences contains duplicate entries{when}; API server dedups owner references in 1.20+, "
            "and may reject such requests as early as 1.24; please fix your requests; "
            f"duplicate UID(s) observed: {', '.join(doubled)}"
        )


def deduplicated(owners: Sequence[Json]) -> tuple[list[Json], list[str]]:
    """Owners without repetitions, and the uids of those that stood there again."""
    found: list[Json] = []
    doubled: list[str] = []
    for owner in owners:
        if owner in found:
            doubled.append(str(owner.get("uid", "")))
        else:
            found.append(owner)
    return found, doubled


def stamp_new(metadata: Json, *, uid: str, now: str, has_generation: bool) -> None:
    """Fill what the server owns on create."""
    metadata["uid"] = uid
    metadata["creationTimestamp"] = now
    if has_generation:
        metadata["generation"] = 1


def stamp_update(metadata: Json, old: Json) -> None:
    """Carry over what the server owns, so that clients may leave it out. Generation is the caller's."""
    metadata["creationTimestamp"] = old.get("creationTimestamp")
    if not metadata.get("uid"):
        metadata["uid"] = old.get("uid")
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds"):
        if name in old and (name == "deletionTimestamp" or metadata.get(name) is None):
            metadata[name] = old[name]
    if "generation" in old:
        metadata["generation"] = old["generation"]
    else:
        metadata.pop("generation", None)


def stored_order(tree: Json) -> Json:
    """The tree as it is stored: kind, apiVersion and metadata first, without what only the wire has."""
    metadata = {name: value for name, value in tree["metadata"].items() if name not in _DROPPED and value is not None}
    rest = {name: value for name, value in tree.items() if name not in ("kind", "apiVersion", "metadata")}
    return {"kind": tree["kind"], "apiVersion": tree["apiVersion"], "metadata": metadata, **rest}

"""The ControllerRevisions of a StatefulSet or DaemonSet: each keeps a pod template, as a patch to bring it back. Pure.

A revision is recognised by its template, not by its name. The names of a StatefulSet's are upstream's (a hash of the
patch as Go writes it), so that its pods' labels stay as they are in a cluster taken over.
Source: pkg/controller/history/controller_history.go.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec

from apimachinery.kinds import CONTROLLERREVISIONS
from apimachinery.types import Json
from client.plan import Delete, Key, Patch, View, key_of
from controllers.revisions import SAFE_DIGITS, without_nothing
from controllers.views import (
    seconds,
)
from controllers.workload_views import (
    Revision,
)

REVISION_LABEL = "controller-revision-hash"
HASH_LABEL = "controller.kubernetes.io/hash"
_PREFIX = 223
_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def snapshot(template: Json) -> Json:
    """The data of the revision of a template, its keys in order: kubectl compares the bytes."""
    data: Json = msgspec.json.decode(msgspec.json.encode(_patch(template), order="deterministic"))
    return data


def _patch(template: Json) -> Json:
    return {"spec": {"template": {**without_nothing(template), "$patch": "replace"}}}


def template_of(revision: Revision) -> Json:
    """The pod template that a revision keeps."""
    template = revision.data["spec"]["template"]
    return {name: value for name, value in template.items() if name != "$patch"}


def is_of(revision: Revision, template: Json) -> bool:
    """Whether the revision keeps that very template."""
    return bool(without_nothing(revision.data) == _patch(template))


def order(revision: Revision) -> tuple[int, float, str]:
    """Sorts revisions from the first to the last."""
    meta = revision.metadata
    return revision.revision, seconds(meta.creation_timestamp), meta.name


def data_hash(data: Json, collisions: int) -> str:
    """Upstream's hash of a revision: FNV-1 of the data as Go writes it, and of the count of collisions."""
    text = msgspec.json.encode(data, order="deterministic").decode()
    for character, escaped in _ESCAPED.items():
        text = text.replace(character, escaped)
    value = 2166136261
    for byte in f"{text}{collisions}".encode():
        value = (value * 16777619 & 0xFFFFFFFF) ^ byte
    return "".join(SAFE_DIGITS[ord(digit) % len(SAFE_DIGITS)] for digit in str(value))


def name_for(owner: str, suffix: str) -> str:
    """A revision's name: the owner's, cut so that the suffix always fits."""
    return f"{owner[:_PREFIX]}-{suffix}"


def free_name(
    view: View, namespace: str, template: Json, collisions: int, name: Callable[[int], str]
) -> tuple[str, int, Revision | None]:
    """A name for a template's revision that no other template's has, the collisions so far, and who has it already."""
    while True:
        holder: Revision | None = view.get(CONTROLLERREVISIONS, Key(namespace, name(collisions)))
        if holder is None or is_of(holder, template):
            return name(collisions), collisions, holder
        collisions += 1


def renumber(revision: Revision, number: int) -> Patch:
    """The write that makes a revision the newest again, as a rollback does."""
    return Patch(CONTROLLERREVISIONS, key_of(revision), revision.metadata.uid, {"revision": number})


def surplus(revisions: Sequence[Revision], live: Collection[Any], limit: int) -> Sequence[Delete]:
    """Take away the first of the revisions whose names are not `live`, until `limit` are left."""
    spent = [each for each in sorted(revisions, key=order) if each.metadata.name not in live]
    doomed = spent[: max(0, len(spent) - limit)] if limit >= 0 else ()
    return [Delete(CONTROLLERREVISIONS, key_of(each), each.metadata.uid) for each in doomed]

"""The compare-and-swap loop: run the write stages against what is stored, write, start over after a lost race.

The first attempt takes the object from the watch cache, which saves a round trip and is nearly always right. Since
the cache may be behind, nothing is concluded from it: a refusal, a missing object, "nothing changed" are each looked
at again with the store's own answer; only a successful compare-and-swap counts at once.
A write that changes nothing writes nothing. A write that takes the last finalizer from an object marked for deletion
deletes it.
"""

from time import perf_counter

import msgspec

from apimachinery.apply.ownership import MANAGED_FIELDS, without_entries
from apimachinery.errors import ApiError, bad_request
from apimachinery.trees import same
from apimachinery.types import Json
from apiserver.authorization.messages import denied
from apiserver.metrics.requests import COMPARISONS
from apiserver.registry import Resource
from apiserver.resources import metadata, presenting
from apiserver.resources.api import Api
from apiserver.resources.stages import Write, written
from apiserver.storage.entry import Entry, entry
from apiserver.storage.protocol import ABSENT, Conflict, Full, Stored, TooLarge

#: How often another name is tried for generateName (registry/store.go, maxNameGenerationCreateAttempts).
NAME_ATTEMPTS = 8
_EQUAL, _UNEQUAL = COMPARISONS.of("equal_objects"), COMPARISONS.of("unequal_objects_slow")


class Committed(msgspec.Struct, frozen=True):
    """What a write came to. `entry` is the object as it is now stored, or was when it went."""

    entry: Entry
    created: bool = False


def as_entry(api: Api, stored: Stored) -> Entry:
    """A stored value ready for the wire."""
    return entry(stored.key, stored.value, stored.revision, api.decode)


async def read(api: Api, key: str) -> Entry | None:
    """The object as it is now, from the store."""
    stored = await api.storage.get(key)
    return as_entry(api, stored) if stored is not None else None


async def create(write: Write) -> Committed:
    """Store a new object. Raises 409 when the name is taken; a generated name is tried again with other letters."""
    attempts = NAME_ATTEMPTS if not write.name else 1
    while True:
        attempts -= 1
        new = await written(write, None)
        if not write.options.dry_run and _is_version(write.version):  # the store refuses it, after all others
            raise bad_request("resourceVersion should not be set on objects to be created")
        try:
            return Committed(await _insert(write, new), created=True)
        except ApiError as error:
            if error.reason != "AlreadyExists" or attempts <= 0:
                raise


def _is_version(text: str) -> bool:
    """Whether a resourceVersion stands for a revision: others do not count where an object is created."""
    return text.isdecimal() and len(text) <= 20 and int(text) != 0


async def _insert(write: Write, new: Json) -> Entry:
    key = key_of(write.resource, new)
    generated = "generateName" in new["metadata"]
    if write.options.dry_run and (current := await read(write.api, key)) is not None:
        raise taken(write.resource, current, generated=generated)
    try:
        return await _put(write, key, new, None, ABSENT)
    except Conflict as conflict:
        current = as_entry(write.api, conflict.current) if conflict.current is not None else None
        raise taken(write.resource, current, new["metadata"]["name"], generated=generated) from None


async def _put(write: Write, key: str, new: Json, old: Json | None, expect: int) -> Entry:
    """The storage write, with what the object needs from a shared stock taken before and settled after."""
    if write.resource.transforms is not None:
        new = await write.resource.transforms.stored(new)
    reserves, dry_run = write.resource.reserves, write.options.dry_run
    grant = await reserves.allocate(new, old, dry_run=dry_run) if reserves is not None else None
    value = msgspec.json.encode(new)
    if dry_run:
        return entry(key, value, expect) if expect else _imagined(key, new, write.version)
    try:
        stored = await _stored(write, key, new, value, expect)
    except (Conflict, Full, TooLarge):  # not where the write may have happened: then a repair has to find out
        if grant is not None:
            await grant.undo()
        raise
    if grant is not None:
        await grant.keep()
    if write.resource.is_obeyed:
        await write.api.follow(stored.revision)
        write.api.catch_up()
    return as_entry(write.api, stored)


def _imagined(key: str, new: Json, version: str) -> Entry:
    """What a dry run has not created: no revision is its own, one that was sent is told back."""
    metadata = {"resourceVersion": version, **new["metadata"]} if version else new["metadata"]
    value = msgspec.json.encode({**new, "metadata": metadata})
    return Entry(key, 0, value, len(value))


async def _stored(write: Write, key: str, new: Json, value: bytes, expect: int) -> Stored:
    """Store it; what is too large is tried again without managedFields, which can be large. An apply is for them."""
    storage, ttl = write.api.storage, write.resource.ttl
    try:
        return await storage.put(key, value, expect=expect, ttl=ttl)
    except TooLarge:
        if write.has_entries or MANAGED_FIELDS not in new["metadata"]:
            raise
    return await storage.put(key, msgspec.json.encode(without_entries(new)), expect=expect, ttl=ttl)


def taken(resource: Resource, current: Entry | None, name: str = "", *, generated: bool = False) -> ApiError:
    """409 AlreadyExists, saying so when the present holder is on its way out, or a name was to be `generated`."""
    error = resource.already_exists(name or (current.name if current is not None else ""))
    if current is not None and current.tree["metadata"].get("deletionTimestamp"):
        error.message = f"object is being deleted: {error.message}"
    if generated:
        error.message += ", the server was not able to generate a unique name for the object"
        error.details["retryAfterSeconds"] = 1
    return error


def key_of(resource: Resource, tree: Json) -> str:
    """Where an object is stored."""
    meta = tree["metadata"]
    return resource.stored.storage_key(meta.get("namespace", ""), meta["name"])


async def update(write: Write, key: str, *, may_create: bool = False) -> Committed:
    """Change the object at a key. Raises 404 when there is none, unless the kind may be created by an update."""
    api = write.api
    current, is_sure = api.cache.get(key), False
    while True:
        if current is None and not is_sure:
            current, is_sure = await read(api, key), True
        if current is None:
            if not may_create:
                raise write.resource.not_found(write.name)
            _check_may_create(write)
            try:
                return await create(write)
            except ApiError as error:
                if error.reason != "AlreadyExists" or (current := await read(api, key)) is None:
                    raise
            continue  # somebody else was faster: it is an update after all
        refused: ApiError | None = None
        try:
            done = await _attempt(write, current, is_sure=is_sure)
        except ApiError as error:
            if is_sure:
                raise
            done, refused = None, error
        except Conflict as conflict:
            current = as_entry(api, conflict.current) if conflict.current is not None else None
            is_sure = True
            continue
        if done is not None:
            return done
        seen, is_sure = current.revision, True
        current = await read(api, key)
        if current is not None and current.revision == seen:  # the cache was right, and so was what came of it
            if refused is not None:
                raise refused
            return Committed(current)


def _check_may_create(write: Write) -> None:
    """Raise 403 unless the user may create what an update turns out to create."""
    if write.api.authorize is None:
        return
    question = msgspec.structs.replace(write.attributes, verb="create")
    decision = write.api.authorize(question)
    if not decision.allowed:
        raise denied(question, decision.reason)


async def _attempt(write: Write, current: Entry, *, is_sure: bool) -> Committed | None:
    """One round of the loop. None: it would write nothing, but that has to be seen on the store's own object."""
    old = await presenting.loaded(write.resource, current)
    new = await written(write, old)
    before = metadata.stored_order(old)
    began = perf_counter()
    is_same = new == before
    (_EQUAL if is_same else _UNEQUAL).add(perf_counter() - began)
    if is_same and await _is_stored(write.resource, current, new):
        return Committed(current) if is_sure else None
    if finishes(write.resource, new, before):
        return Committed(await remove(write, current, new, before))
    return Committed(await _put(write, current.key, new, before, current.revision))


async def _is_stored(resource: Resource, current: Entry, new: Json) -> bool:
    """Whether this is what the store has. The old object went through the stages: a copy that did not is asked."""
    before = metadata.stored_order(await presenting.loaded(resource, current))
    if new != before or not same(new, before):  # for Python `true` is `1`, hence the second look
        return False
    if resource.transforms is None:
        return True
    # An object that did not change has to be written all the same where it is stored in another version.
    return await resource.transforms.stored(new) == metadata.stored_order(presenting.private(current))


def finishes(resource: Resource, new: Json, old: Json) -> bool:
    """Whether an update takes away the last thing that kept a deleted object (ShouldDeleteDuringUpdate)."""
    meta = old["metadata"]
    return (
        bool(meta.get("deletionTimestamp"))
        and not meta.get("deletionGracePeriodSeconds")
        and not new["metadata"].get("finalizers")
        and not resource.deletion.holds(new)
    )


async def remove(write: Write, current: Entry, new: Json, old: Json) -> Entry:
    """Delete in place of the update that finished the object; what the update would have stored is the answer.

    What the OLD object had goes back to the stock: the new one was never stored, and may name what others have.
    """
    revision = current.revision
    if not write.options.dry_run:
        revision = (await write.api.storage.delete(current.key, expect=current.revision)).revision
        if write.resource.is_obeyed:
            await write.api.follow(revision)
        if write.resource.reserves is not None:
            await write.resource.reserves.release(old)
    return entry(current.key, msgspec.json.encode(new), revision)

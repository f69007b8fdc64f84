"""What an admission plugin is: two pure functions over a `Review`. Those of the write path are in chain.py.

A plugin reads other objects through `lookup`, which may be behind: the chain runs a second time over a fresh cache
before a refusal counts, so plugins are idempotent. Time and randomness come in with the review.
"""

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass

import msgspec

from apimachinery import errors
from apimachinery.errors import ApiError
from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver.request import Attributes, Decision, Lookup, User

CREATE, UPDATE, DELETE, CONNECT = "create", "update", "delete", "connect"
_OPERATIONS = {"create": CREATE, "update": UPDATE, "patch": UPDATE, "delete": DELETE, "deletecollection": DELETE}


def _unheard(_text: str) -> None:
    return None


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """One write to look at. `new` is None on a delete, `old` on a create. `new` may be changed in place by `mutate`."""

    attributes: Attributes
    new: Json | None
    old: Json | None
    lookup: Lookup
    random: random.Random
    authorize: Callable[[Attributes], Decision] | None = None
    warn: Callable[[str], None] = _unheard

    @property
    def operation(self) -> str:
        """What happens to the object: a patch is an update, an update of nothing a create."""
        return operation_of(self.attributes.verb, self.new, self.old)

    @property
    def user(self) -> User:
        return self.attributes.user

    @property
    def subresource(self) -> str:
        return self.attributes.subresource

    def is_about(self, kind: Kind, *operations: str, subresource: str = "") -> bool:
        """Whether this is one of these operations on the kind itself (or on its subresource)."""
        asked = self.attributes
        return (
            (asked.group, asked.plural) == (kind.group, kind.plural)
            and asked.subresource == subresource
            and (not operations or self.operation in operations)
        )

    @property
    def tree(self) -> Json:
        """The object as written; asking for it on a delete is a mistake."""
        assert self.new is not None
        return self.new

    @property
    def namespace(self) -> str:
        tree = self.new or self.old or {}
        return self.attributes.namespace or str((tree.get("metadata") or {}).get("namespace", ""))

    @property
    def name(self) -> str:
        """How a refusal calls the object: its name, or what it is to be called after."""
        metadata = (self.new or self.old or {}).get("metadata") or {}
        return str(self.attributes.name or metadata.get("name") or metadata.get("generateName") or "Unknown")

    def refuse(self, why: str) -> ApiError:
        """403 as upstream's plugins word it: `pods "x" is forbidden: why`."""
        return errors.forbidden(self.attributes.group, self.attributes.plural, self.name, why)


def operation_of(verb: str, new: Json | None, old: Json | None) -> str:
    """What a request does to an object: a patch is an update, an update of nothing a create."""
    if new is None:
        return DELETE
    if old is None and verb in ("update", "patch"):
        return CREATE
    return _OPERATIONS.get(verb, verb)


Step = Callable[[Review], None]


def nothing(_review: Review) -> None:
    """The half of a plugin that has only the other."""


def resources(*kinds: Kind) -> frozenset[tuple[str, str]]:
    """The groups and plurals of kinds, as `Plugin.of` wants them."""
    return frozenset((kind.group, kind.plural) for kind in kinds)


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plugin. `mutate` changes `review.new` in place, `validate` only looks; both raise ApiError to refuse."""

    name: str
    mutate: Step = nothing
    validate: Step = nothing
    is_on: bool = True
    #: The groups and plurals that it has to do with, so that writes of others need not ask it; None for all.
    of: Collection[tuple[str, str]] | None = None

    def steps(self, group: str, plural: str) -> tuple[Step, Step]:
        """Both functions for writes of a resource."""
        return (self.mutate, self.validate) if self.of is None or (group, plural) in self.of else (nothing, nothing)

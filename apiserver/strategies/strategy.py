"""What differs between kinds on the write path: one frozen `Strategy` per kind.

The generic core owns the order (default, mutate, prepare, stamp, check, admit) and the metadata; a strategy owns
what upstream keeps in `pkg/registry/*/strategy.go`, `pkg/apis/*/v1/defaults.go` and `pkg/apis/*/validation`. All
functions are pure. The trees passed in are private to the call: they may be modified in place and must be returned.

    default         static defaults of v1.34; idempotent
    prepare         (new, old) -> new; server-owned fields reset on create, kept on update
    stamp           (new, old, context) -> new; what needs to know who asks and when (CSRs). Runs after `prepare`
    check           (new, old) -> every problem at once; metadata is checked by the core
    parts           the other subresources that are written through the object's own tree (status has its own fields)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.meta import CHANGES
from apimachinery.types import Json
from apiserver.request import User

Prepare = Callable[[Json, Json | None], Json]
Check = Callable[[Json, Json | None], list[FieldError]]

#: Fields of a status write that stay as stored: everything but these may not be changed through `/status`.
_STATUS_WRITES = ("status", "metadata")


def _told_nobody(_text: str) -> None:
    """For who writes without a client."""


@dataclass(frozen=True, slots=True)
class WriteContext:
    """Who writes and when: for the few kinds that record it. `now` is in epoch seconds."""

    user: User
    now: float
    subresource: str = ""
    warn: Callable[[str], None] = _told_nobody


@dataclass(frozen=True, slots=True)
class Part:
    """How one subresource changes the object's tree (`approval`, `finalize`, `ephemeralcontainers`, `resize`)."""

    prepare: Prepare
    check: Check


def unchanged(new: Json) -> Json:
    """Nothing to default."""
    return new


def already_complete(stored: Json, _primary: str) -> Json:
    """No field follows from others."""
    return stored


def keep_status(new: Json, old: Json | None) -> Json:
    """A spec write never touches the status: dropped on create, kept as stored on update."""
    new.pop("status", None)
    if old is not None and "status" in old:
        new["status"] = old["status"]
    return new


def as_sent(new: Json, _old: Json | None) -> Json:
    """Kinds without a status subresource are stored as sent."""
    return new


def only_status(new: Json, old: Json | None) -> Json:
    """A status write keeps everything but status and metadata as stored; of metadata, the deletion marks stay too."""
    if old is None:
        return new
    kept = {name: value for name, value in old.items() if name not in _STATUS_WRITES}
    kept["metadata"] = new.get("metadata", {})
    if "status" in new:
        kept["status"] = new["status"]
    return kept


#: What of the metadata a status write may not touch, for kinds of which upstream says so (ResetObjectMetaForStatus).
_METADATA_OF_THE_SPEC = ("labels", "annotations", "finalizers", "ownerReferences")


def status_without(*names: str) -> Prepare:
    """A status write that leaves these members of the metadata as they are, too; all of them where none is named."""

    def prepare(new: Json, old: Json | None) -> Json:
        kept = only_status(new, old)
        if old is None:
            return kept
        return {**kept, "metadata": carried(kept["metadata"], old["metadata"], names or _METADATA_OF_THE_SPEC)}

    return prepare


def status_alone(new: Json, old: Json | None) -> Json:
    """A status write that leaves all metadata as they are."""
    kept = only_status(new, old)
    return {**kept, "metadata": dict(old["metadata"])} if old is not None else kept


def carried(metadata: Json, old: Json, names: Sequence[str]) -> Json:
    """The metadata with these members as they were."""
    before = {name: old[name] for name in names if name in old}
    return {**{name: value for name, value in metadata.items() if name not in names}, **before}


def no_problems(_new: Json, _old: Json | None) -> list[FieldError]:
    """Nothing to check beyond schema and metadata."""
    return []


def no_warnings(_new: Json, _old: Json | None) -> list[str]:
    """Nothing to warn about."""
    return []


def spec_differs(new: Json, old: Json) -> bool:
    """The usual rule for `metadata.generation`: the desired state changed."""
    return new.get("spec") != old.get("spec")


def never(_new: Json, _old: Json) -> bool:
    """Kinds whose generation does not move."""
    return False


def unstamped(new: Json, _old: Json | None, _context: WriteContext) -> Json:
    """Most kinds do not record who writes them."""
    return new


def no_grace(_tree: Json, _asked: int | None) -> int:
    """Most kinds go at once."""
    return 0


def metadata_fields(tree: Json) -> Mapping[str, str]:
    """The selectable fields that every kind has."""
    metadata = tree.get("metadata", {})
    fields = {"metadata.name": metadata.get("name", "")}
    if "namespace" in metadata:
        fields["metadata.namespace"] = metadata["namespace"]
    return fields


_PLAIN_LABELS = ("metadata.name", "metadata.namespace")
_NOT_PLAIN = '"{}" is not a known field selector: only "metadata.name", "metadata.namespace"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One kind's rules. The defaults suit a kind with a spec and nothing peculiar."""

    default: Callable[[Json], Json] = unchanged
    #: (object, the cluster's first IP family) -> with the fields that it lacks because an older server stored it.
    complete: Callable[[Json, str], Json] = already_complete
    prepare: Prepare = keep_status
    stamp: Callable[[Json, Json | None, WriteContext], Json] = unstamped
    check: Check = no_problems
    raises_generation: Callable[[Json, Json], bool] = spec_differs  # (new, old)
    has_generation: bool = False
    #: The field of which a list or a map that was sent empty counts as changed: upstream compares it as Go does, and
    #: what is stored has none that are empty.
    empty_counts: str = ""
    prepare_status: Prepare = only_status
    check_status: Check = no_problems
    parts: Mapping[str, Part] = field(default_factory=dict)
    warnings: Callable[[Json, Json | None], list[str]] = no_warnings
    #: Annotations that are fields of upstream's internal type: its metadata alone does not have them.
    field_annotations: tuple[str, ...] = ()
    #: What an empty object has in this version because upstream's internal type always has it.
    blank: Mapping[str, Json] = field(default_factory=dict)
    #: The warning that goes with every answer about the kind.
    deprecated: str = ""
    fields: Callable[[Json], Mapping[str, str]] = metadata_fields
    #: Every selectable label, for the message about an unknown one (`fields` gives the values).
    field_labels: tuple[str, ...] = _PLAIN_LABELS
    #: What is said of any other, where the kind has words of its own; `{}` stands for the label.
    unknown_field: str = ""
    allow_create_on_update: bool = False
    allow_unconditional_update: bool = True
    graceful: bool = False
    #: A delete answers with the object in place of a Status (upstream's ReturnDeletedObject); graceful kinds always do.
    shows_deleted: bool = False
    #: A delete that asks for nothing leaves the dependents (upstream's DefaultGarbageCollectionPolicy), and what the
    #: client is then told.
    orphans: bool = False
    orphans_warning: str = ""
    #: Whether nobody can depend on an object (upstream's policy Unsupported): a delete leaves no finalizers.
    has_no_dependents: bool = False
    #: (object, seconds asked for or None) -> seconds to wait before the object goes; for `graceful` kinds.
    grace_period: Callable[[Json, int | None], int] = no_grace
    #: Finalizers need no domain: custom resources, their definitions, and kinds outside upstream's core validation.
    any_finalizer: bool = False
    #: Whether the metadata of a new object is looked at only when all else is well: its validation leaves them out.
    metadata_last: bool = False
    #: An object without a name gets a random one.
    has_own_name: bool = False
    #: How the kind's own validation of an update looks at the metadata, after what is done for all kinds.
    metadata_checks: tuple[str, ...] = (CHANGES,)
    #: The same of its validation of a status.
    status_metadata_checks: tuple[str, ...] = (CHANGES,)
    #: The rule for `metadata.name` (and, as a prefix, generateName).
    name: names.NameRule = names.subdomain_name

    def unknown_field_text(self, label: str) -> str:
        """Upstream's text for a field selector that the kind does not have (a 400)."""
        usual = _NOT_PLAIN if self.field_labels == _PLAIN_LABELS else "field label not supported: {}"
        return (self.unknown_field or usual).format(label)

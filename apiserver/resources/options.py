"""Query parameters and bodies that steer a verb: ListOptions, WriteOptions, DeleteOptions. Parsing and checks, pure.

Sources: apimachinery/pkg/apis/meta/v1/types.go, internalversion/validation/validation.go, validation/validation.go.
"""

import re
from dataclasses import dataclass, replace

import msgspec

from apimachinery import errors, selectors
from apimachinery.errors import FieldError
from apimachinery.meta import manager_problems
from apimachinery.types import Json
from apiserver.negotiation import APPLY_PATCH, media_type_of
from apiserver.request import Request

EXACT = "Exact"
NOT_OLDER_THAN = "NotOlderThan"
ORPHAN, BACKGROUND, FOREGROUND = "Orphan", "Background", "Foreground"
_META = "meta.k8s.io"
_INTEGER = re.compile(r"[+-]?[0-9]+")
#: A longer number is out of any range (and Python refuses to read very long ones).
_DIGITS = 40
_MOST_REVISION = 2**63 - 1  # etcd's
_FALSE = ("false", "0")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """What a list, watch or deletecollection asks for. Selectors are None when they select everything."""

    labels: selectors.LabelSelector | None = None
    fields: selectors.FieldSelector | None = None
    label_text: str = ""
    field_text: str = ""
    limit: int = 0
    token: str = ""  # continue
    resource_version: str = ""
    match: str = ""  # resourceVersionMatch
    timeout: int = 0
    bookmarks: bool = False
    initial_events: bool | None = None

    @property
    def revision(self) -> int:
        """The resourceVersion as a number, 0 when there is none."""
        return int(self.resource_version) if self.resource_version else 0


class WriteOptions(msgspec.Struct, frozen=True):
    """How a write is to be done."""

    dry_run: bool = False
    field_validation: str = "Warn"
    field_manager: str = ""
    force: bool = False


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """How an object is to go. `grace` None means the kind's default."""

    grace: int | None = None
    uid: str = ""
    resource_version: str = ""
    propagation: str = ""
    orphan: bool | None = None  # orphanDependents, deprecated
    dry_run: bool = False


def list_options(request: Request, *, may_begin: bool = True) -> ListOptions:
    """The options of a list or watch, which `may_begin` with what is there. Raises 400 or 422 with upstream's text.

    Whether a watch is meant says the parameter and not the path: upstream judges `/watch/` paths as lists. The revision
    is not looked at here: first comes whether the answer's form can be had, and the fields are known (`check_start`).
    """
    timeout, limit = _number(request, "timeoutSeconds"), _number(request, "limit")
    label_text, field_text = request.first("labelSelector"), request.first("fieldSelector")
    options = ListOptions(
        labels=_selector(label_text),
        fields=_fields(field_text),
        label_text=label_text,
        field_text=field_text,
        limit=limit,
        token=request.first("continue"),
        resource_version=request.first("resourceVersion"),
        match=request.first("resourceVersionMatch"),
        timeout=timeout,
        bookmarks=flag(request, "allowWatchBookmarks"),
        initial_events=flag(request, "sendInitialEvents") if "sendInitialEvents" in request.query else None,
    )
    watches = flag(request, "watch")
    problems = _watch_problems(options, may_begin=may_begin) if watches else _list_problems(options)
    if problems:
        raise errors.invalid(_META, "ListOptions", "", problems)
    if watches and may_begin and _begins(options):
        return replace(options, initial_events=True)
    return options


def check_start(options: ListOptions) -> None:
    """Raise 400 where a list cannot begin as it is asked to."""
    if options.token and options.resource_version not in ("", "0"):
        raise errors.bad_request("specifying resource version is not allowed when using continue")
    check_resource_version(options.resource_version, of_list=True)


def flag(request: Request, name: str) -> bool:
    """Whether a boolean parameter is set: to anything but false or 0 (conversion.go, Convert_Slice_string_To_bool)."""
    values = request.query.get(name)
    return values is not None and values[0].lower() not in _FALSE


def _selector(text: str) -> selectors.LabelSelector | None:
    if not text:
        return None
    try:
        return selectors.parse_labels(text)
    except ValueError as error:
        raise errors.bad_request(str(error)) from None


def _fields(text: str) -> selectors.FieldSelector | None:
    if not text:
        return None
    try:
        return selectors.parse_fields(text)
    except ValueError as error:
        raise errors.bad_request(str(error)) from None


def check_resource_version(text: str, *, of_list: bool = False) -> None:
    """Raise 400 unless it is empty or a number."""
    if why := no_revision(text):
        message = f'resourceVersion: Invalid value: "{text}": {why}'
        raise errors.bad_request(f"invalid resource version: {message}") if of_list else errors.unconverted(message)


def no_revision(text: str) -> str:
    """Why a text is no resourceVersion, in the words of Go's library; "" for one and for none."""
    if text and not (text.isascii() and text.isdigit()):
        return f'strconv.ParseUint: parsing "{text}": invalid syntax'
    if len(text) > _DIGITS or int(text or 0) > _MOST_REVISION:
        return f'strconv.ParseUint: parsing "{text}": value out of range'
    return ""


def _number(request: Request, name: str) -> int:
    if name not in request.query:
        return 0
    text = request.first(name)
    why = "" if _INTEGER.fullmatch(text) else "invalid syntax"
    value = 0 if why or len(text) > _DIGITS else int(text)
    if not why and (len(text) > _DIGITS or not -(2**63) <= value < 2**63):
        why = "value out of range"
    if why:
        raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": {why}')
    return max(value, 0) if name == "limit" else value  # upstream takes a negative one for none


def _list_problems(options: ListOptions) -> list[FieldError]:
    problems: list[FieldError] = []
    match, where = options.match, "resourceVersionMatch"
    if match:
        if not options.resource_version:
            problems.append(_forbidden(where, f"{where} is forbidden unless resourceVersion is provided"))
        if options.token:
            problems.append(_forbidden(where, f"{where} is forbidden when continue is provided"))
        if match not in (EXACT, NOT_OLDER_THAN):
            problems.append(errors.not_supported(where, match, (EXACT, NOT_OLDER_THAN, "")))
        if match == EXACT and options.resource_version == "0":
            problems.append(_forbidden(where, f'{where} "exact" is forbidden for resourceVersion "0"'))
    if options.initial_events is not None:
        problems.append(_forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return problems


def _watch_problems(options: ListOptions, *, may_begin: bool) -> list[FieldError]:
    problems: list[FieldError] = []
    match, where = options.match, "resourceVersionMatch"
    if options.initial_events is not None:
        if match != NOT_OLDER_THAN:
            problems.append(_forbidden(where, f"sendInitialEvents requires setting {where} to {NOT_OLDER_THAN}"))
        if not may_begin:
            problems.append(_forbidden("sendInitialEvents", _NOT_BEGUN))
    if match:
        if options.initial_events is None:
            problems.append(_forbidden(where, f"{where} is forbidden for watch unless sendInitialEvents is provided"))
        if match != NOT_OLDER_THAN:
            problems.append(errors.not_supported(where, match, (NOT_OLDER_THAN,)))
    if options.token and (match or (may_begin and _begins(options))):  # a watch from nowhere gets a match by itself
        problems.append(_forbidden(where, f"{where} is forbidden when continue is provided"))
    return problems


def _begins(options: ListOptions) -> bool:
    """Whether a watch from nowhere is one that begins with what is there, though it does not say so."""
    return options.initial_events is None and not options.match and options.resource_version in ("", "0")


_NOT_BEGUN = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"


def _forbidden(path: str, detail: str) -> FieldError:
    return FieldError(path, errors.FORBIDDEN_FIELD, detail)


def write_options(request: Request) -> WriteOptions:
    """The options of a create, update or patch."""
    validation = request.first("fieldValidation", "Warn") or "Warn"
    kind = {"POST": "CreateOptions", "PUT": "UpdateOptions"}.get(request.method, "PatchOptions")
    manager, dry_run = request.first("fieldManager"), list(request.query.get("dryRun", ()))
    problems = _manager_problems(request, manager, is_forced="force" in request.query) + _dry_run_problems(dry_run)
    if validation not in _VALIDATIONS:
        problems.append(errors.not_supported("fieldValidation", validation, _VALIDATIONS))
    if problems:
        raise errors.invalid(_META, kind, "", problems)
    return WriteOptions(
        dry_run=bool(dry_run),
        field_validation=validation,
        field_manager=manager,
        force=flag(request, "force"),
    )


_VALIDATIONS = ("", "Ignore", "Strict", "Warn")


def _manager_problems(request: Request, manager: str, *, is_forced: bool) -> list[FieldError]:
    problems: list[FieldError] = []
    if request.method == "PATCH":
        media_type = media_type_of(request.headers.get("content-type", ""))
        if media_type == APPLY_PATCH and not manager:
            problems.append(FieldError("fieldManager", errors.REQUIRED, "is required for apply patch"))
        elif media_type != APPLY_PATCH and is_forced:
            problems.append(_forbidden("force", "may not be specified for non-apply patch"))
    return problems + manager_problems(manager, "fieldManager") if manager else problems


def _dry_run_problems(values: list[str]) -> list[FieldError]:
    return [errors.not_supported("dryRun", values, ("All",))] if any(value != "All" for value in values) else []


def delete_options(request: Request, body: Json | None) -> DeleteOptions:
    """The options of a delete: those of the body, as decoded, where there is one, and then none of the query's."""
    tree = _deletion_query(request) if body is None else body
    preconditions = tree.get("preconditions") or {}
    orphan = tree.get("orphanDependents")
    propagation = tree.get("propagationPolicy")
    grace, dry_run = tree.get("gracePeriodSeconds"), list(tree.get("dryRun") or ())
    _check_delete(propagation, orphan, dry_run)
    return DeleteOptions(
        grace=grace,
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
        propagation=propagation or "",
        orphan=orphan,
        dry_run=bool(dry_run),
    )


def _deletion_query(request: Request) -> Json:
    """The query's parameters, as a body would say them."""
    tree: Json = {"dryRun": list(request.query.get("dryRun", ()))}
    if "orphanDependents" in request.query:
        tree["orphanDependents"] = flag(request, "orphanDependents")
    if "propagationPolicy" in request.query:
        tree["propagationPolicy"] = request.first("propagationPolicy")
    if "gracePeriodSeconds" in request.query:
        tree["gracePeriodSeconds"] = _number(request, "gracePeriodSeconds")
    return tree


def _check_delete(propagation: str | None, orphan: bool | None, dry_run: list[str]) -> None:  # noqa: FBT001
    problems: list[FieldError] = []
    if propagation is not None and orphan is not None:
        text = "orphanDependents and deletionPropagation cannot be both set"
        problems.append(FieldError("propagationPolicy", errors.INVALID, text, propagation))
    if propagation is not None and propagation not in (FOREGROUND, BACKGROUND, ORPHAN):
        problems.append(errors.not_supported("propagationPolicy", propagation, (FOREGROUND, BACKGROUND, ORPHAN, "nil")))
    problems += _dry_run_problems(dry_run)
    if problems:
        raise errors.invalid(_META, "DeleteOptions", "", problems)

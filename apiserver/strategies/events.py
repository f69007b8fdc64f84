"""Events, in both of their groups. Source: pkg/apis/core/validation/events.go, pkg/registry/core/event/strategy.go."""

from collections.abc import Mapping
from typing import Any

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies.defaulting import part
from apiserver.strategies.problems import (
    IMMUTABLE,
    Problems,
    go_struct,
    immutable,
    invalid,
    kept,
    named,
    qualified_name,
    required,
)
from apiserver.strategies.sameness import same
from apiserver.strategies.strategy import Strategy, as_sent, metadata_fields

_OBJECT = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_NO_OBJECT = dict.fromkeys(_OBJECT, "")
_GO_NAMES = {"uid": "UID", "apiVersion": "APIVersion", "resourceVersion": "ResourceVersion", "fieldPath": "FieldPath"}
#: What of an event does not change, the path by which upstream names it, and how nothing is shown.
_FOR_LIFE: tuple[tuple[str, str, Any], ...] = (
    ("reason", "reason", ""),
    ("message", "message", ""),
    ("source", "source", {}),
    ("firstTimestamp", "firstTimestamp", None),
    ("lastTimestamp", "lastTimestamp", None),
    ("count", "count", 0),
    ("reason", "reason", ""),
    ("type", "type", ""),
    ("eventTime", "eventTime", None),
    ("action", "action", ""),
    ("related", "related", None),
    ("reportingComponent", "reportingController", ""),
    ("reportingInstance", "reportingInstance", ""),
)


def default(tree: Json) -> Json:
    """The core group's events always show these two; those of events.k8s.io have other names for them."""
    if tree.get("apiVersion", "v1") != "v1":
        return tree
    part(tree, "involvedObject")
    part(tree, "source")
    return tree


def check(new: Json, _old: Json | None) -> list[FieldError]:
    return [*_check(new, "reportingComponent")]


def check_v1(new: Json, old: Json | None) -> list[FieldError]:
    """The rules of events.k8s.io, stricter than those of the core group; as both, they look at the event as stored."""
    problems = [*_check(new, "reportingController")]
    if old is None:
        return [*problems, *_series(new), *_only_new_fields(new)]
    if not same(new.get("series"), old.get("series")):
        problems += _series(new)
    about, before = ({**_NO_OBJECT, **(it.get("involvedObject") or {})} for it in (new, old))
    shown = go_struct(**{_GO_NAMES.get(name, name.capitalize()): about[name] for name in _OBJECT})
    problems += [invalid("involvedObject", shown, IMMUTABLE)] if about != before else []
    for name, path, blank in _FOR_LIFE:
        if type_ := _STRUCTS.get(name):
            problems += kept(path, type_, new.get(name), old.get(name))
        else:
            problems += immutable(path, new.get(name) or blank, old.get(name) or blank)
    return problems


_STRUCTS = {"source": "core.EventSource", "related": "*core.ObjectReference"}


def _check(event: Json, reporter: str) -> Problems:
    """What holds for events of either group; `reporter` is the group's name for who reports."""
    namespace = (event.get("metadata") or {}).get("namespace", "")
    yield from _beside(namespace, (event.get("involvedObject") or {}).get("namespace", ""), event.get("eventTime"))
    if event.get("eventTime"):
        yield from _of_today(event, reporter)
    yield from named("namespace", namespace, names.dns_subdomain)


def _beside(namespace: str, about: str, time: Any) -> Problems:
    """An event lives beside what it is about; that of a cluster-wide object in `default`."""
    if time:
        fits = bool(about) or namespace in ("default", "kube-system")
    else:
        fits = about == namespace if about else namespace in ("", "default")
    if not fits:
        yield invalid("involvedObject.namespace", about, "does not match event.namespace")


def _of_today(event: Json, reporter: str) -> Problems:
    """An event with an eventTime says who reports it, and what was done."""
    who = event.get("reportingComponent") or ""
    if not who:
        yield required(reporter)
    yield from qualified_name(reporter, who)
    for name, limit in (("reportingInstance", 128), ("action", 128), ("reason", 128), ("message", 1024)):
        value = event.get(name) or ""
        if not value and name != "message":
            yield required(name)
        if len(value.encode()) > limit:
            yield invalid(name, "", f"can have at most {limit} characters")


def _series(event: Json) -> Problems:
    series = event.get("series")
    if series is None:
        return
    if series.get("count", 0) < 2:
        yield invalid("series.count", "", "should be at least 2")
    if not series.get("lastObservedTime"):
        yield required("series.lastObservedTime")


def _only_new_fields(event: Json) -> Problems:
    """What is created through events.k8s.io has a time and a type, and none of the fields of old."""
    if not event.get("eventTime"):
        yield required("eventTime")
    if event.get("type") not in ("Normal", "Warning"):
        yield invalid("type", "", f"has invalid value: {event.get('type') or ''}")
    for name in ("firstTimestamp", "lastTimestamp", "count"):
        if event.get(name):
            yield invalid(name, "", "needs to be unset")
    source = event.get("source") or {}
    if source.get("component") or source.get("host"):
        yield invalid("source", "", "needs to be unset")


def fields(tree: Json) -> Mapping[str, str]:
    """Either group's event, by the core group's labels."""
    about: Mapping[str, Any] = tree.get("involvedObject") or tree.get("regarding") or {}
    source = (tree.get("source") or tree.get("deprecatedSource") or {}).get("component", "")
    reporter = tree.get("reportingComponent") or tree.get("reportingController") or ""
    named = {f"involvedObject.{name}": about.get(name, "") for name in _OBJECT}
    return {
        **metadata_fields(tree),
        **named,
        "reason": tree.get("reason", ""),
        "reportingComponent": reporter,
        "source": source or reporter,
        "type": tree.get("type", ""),
    }


def fields_v1(tree: Json) -> Mapping[str, str]:
    renamed = {"involvedObject.": "regarding.", "reportingComponent": "reportingController"}
    found = {}
    for name, value in fields(tree).items():
        for old, new in renamed.items():
            name = name.replace(old, new)  # noqa: PLW2901 - the label under its other name
        found[name] = value
    return found


EVENTS = Strategy(
    has_no_dependents=True,
    any_finalizer=True,
    metadata_last=True,
    name=names.path_segment_name,
    default=default,
    prepare=as_sent,
    check=check,
    fields=fields,
    field_labels=tuple(fields({"metadata": {"namespace": ""}})),
    allow_create_on_update=True,
)
EVENTS_V1 = Strategy(
    has_no_dependents=True,
    prepare=as_sent,
    check=check_v1,
    fields=fields_v1,
    field_labels=tuple(fields_v1({"metadata": {"namespace": ""}})),
    allow_create_on_update=True,
)

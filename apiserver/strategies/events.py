"""Events, in both of their groups. Source: pkg/apis/core/validation/events.go, pkg/registry/core/event/strategy.go."""

from collections.abc import Mapping
from typing import Any

from apimachinery import conversion, names
from apimachinery.errors import FieldError
from apimachinery.kinds import EVENTS_V1 as EVENTS_KIND
from apimachinery.types import Json
from apiserver.strategies.defaulting import part
from apiserver.strategies.problems import Problems, immutable, invalid, one_of, qualified_name, required
from apiserver.strategies.strategy import Strategy, as_sent, metadata_fields

_OBJECT = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_FOR_LIFE = ("involvedObject", "reason", "action", "related", "reportingComponent", "reportingInstance", "type")


def default(tree: Json) -> Json:
    """The core group's events always show these two; those of events.k8s.io have other names for them."""
    if tree.get("apiVersion", "v1") != "v1":
        return tree
    part(tree, "involvedObject")
    part(tree, "source")
    return tree


def check(new: Json, _old: Json | None) -> list[FieldError]:
    return [*_namespaces("involvedObject.namespace", new.get("involvedObject") or {}, new)]


def _namespaces(path: str, regarding: Json, event: Json) -> Problems:
    """An event lives beside what it is about; that of a cluster-wide object in `default`."""
    namespace = (event.get("metadata") or {}).get("namespace", "")
    about = regarding.get("namespace", "")
    if not about:
        if namespace not in ("", "default", "kube-system"):
            yield invalid(path, about, "does not match event.namespace")
    elif about != namespace:
        yield invalid(path, about, "does not match event.namespace")


def check_v1(new: Json, old: Json | None) -> list[FieldError]:
    """The rules of events.k8s.io, stricter than those of the core group, for an event as it is stored."""
    new = conversion.convert(new, EVENTS_KIND)
    old = conversion.convert(old, EVENTS_KIND) if old is not None else None
    problems = [*_namespaces("regarding.namespace", new.get("regarding") or {}, new), *_v1(new)]
    if old is not None:
        for name in ("regarding", *_FOR_LIFE[1:]):
            problems += immutable(name, new.get(name), old.get(name))
    return problems


def _v1(tree: Json) -> Problems:
    if not tree.get("eventTime"):
        yield required("eventTime")
    for name, limit in (("reportingController", 0), ("reportingInstance", 128), ("action", 128), ("reason", 128)):
        value = tree.get(name, "")
        if not value:
            yield required(name)
        elif limit and len(value) > limit:
            yield invalid(name, value, f"can have at most {limit} characters")
    if tree.get("reportingController"):
        yield from qualified_name("reportingController", tree["reportingController"])
    if len(tree.get("note") or "") > 1024:
        yield invalid("note", "", "can have at most 1024 characters")
    yield from one_of("type", tree.get("type", ""), ("Normal", "Warning"))


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
    any_finalizer=True,
    name=names.path_segment_name,
    prepare=as_sent,
    check=check_v1,
    fields=fields_v1,
    field_labels=tuple(fields_v1({"metadata": {"namespace": ""}})),
    allow_create_on_update=True,
)

"""Annotations of pods that mean something: mirrors, the cost of a deletion, profiles of old.

Source: validation.go ValidatePodSpecificAnnotations, ValidatePodSpecificAnnotationUpdates, and what compares the
annotations with the fields that came after them.
"""

import re
from collections.abc import Iterator

from apimachinery.types import Json
from apiserver.strategies.pod.app_armor import PREFIX as APP_ARMOR
from apiserver.strategies.pod.volumes import local_descending_path
from apiserver.strategies.problems import Problems, forbidden, invalid

MIRROR = "kubernetes.io/config.mirror"
_COST = "controller.kubernetes.io/pod-deletion-cost"
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP = "container.seccomp.security.alpha.kubernetes.io/"
_LOCAL = "localhost/"
_PATH = "metadata.annotations"
_NUMBER = re.compile(r"0|[1-9][0-9]*|-[0-9]+", re.ASCII)
_MOST_DIGITS = 10
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
#: What the annotation says where the field says a type.
_SECCOMP_TEXTS = {"Unconfined": ("unconfined",), "RuntimeDefault": ("runtime/default", "docker/default")}
_APP_ARMOR_TEXTS = {"Unconfined": ("unconfined",), "RuntimeDefault": ("runtime/default",)}


def of(pod: Json) -> Problems:
    """What each annotation says by itself."""
    annotations, spec = pod["metadata"].get("annotations") or {}, pod.get("spec") or {}
    if not annotations:
        return
    if MIRROR in annotations and not spec.get("nodeName"):
        why = "must set spec.nodeName if mirror pod annotation is set"
        yield invalid(f"{_PATH}[{MIRROR}]", annotations[MIRROR], why)
    cost = annotations.get(_COST)
    if cost is not None and not _is_int32(cost):
        yield invalid(f"{_PATH}[{_COST}]", cost, "must be a 32bit integer")
    for key, value in annotations.items():
        if key == _SECCOMP_POD or key.startswith(_SECCOMP):
            yield from _seccomp(f"{_PATH}.{key}", value)
    for key, value in annotations.items():
        if key.startswith(APP_ARMOR):
            yield from _app_armor(f"{_PATH}[{key}]", key.removeprefix(APP_ARMOR), value, spec)


def _is_int32(text: str) -> bool:
    digits = text.lstrip("-0")
    if not _NUMBER.fullmatch(text) or len(digits) > _MOST_DIGITS:  # Python reads no number of thousands of digits
        return False
    value = int(digits or 0)
    return value <= 2**31 if text.startswith("-") else value < 2**31


def _seccomp(path: str, value: str) -> Problems:
    if value.startswith(_LOCAL):
        yield from local_descending_path(path, value.removeprefix(_LOCAL))
    elif value not in ("runtime/default", "docker/default", "unconfined"):
        yield invalid(path, value, "must be a valid seccomp profile")


def _app_armor(path: str, container: str, value: str, spec: Json) -> Problems:
    if container not in (each.get("name") for each in _containers(spec)):
        yield invalid(path, container, "container not found")
    if value not in ("", "runtime/default", "unconfined") and not value.startswith(_LOCAL):
        yield invalid(path, value, f'invalid AppArmor profile name: "{value}"')


def changes(new: Json, old: Json) -> Problems:
    """What stays as it was once the pod is there."""
    now, was = (tree["metadata"].get("annotations") or {} for tree in (new, old))
    for key in was:
        if now.get(key) != was[key]:
            yield from _kept(key, "remove or update")
    for key in now:
        if key not in was:
            yield from _kept(key, "add")
    yield from of(new)


def _kept(key: str, what: str) -> Problems:
    if key.startswith(APP_ARMOR):
        yield forbidden(f"{_PATH}[{key}]", f"may not {what} AppArmor annotations")
    if key == MIRROR:
        yield forbidden(f"{_PATH}[{key}]", f"may not {what} mirror pod annotation")


def fields(pod: Json) -> Problems:
    """A new pod's annotations say what its fields say."""
    annotations, spec = pod["metadata"].get("annotations") or {}, pod.get("spec") or {}
    if not annotations:
        return
    context = spec.get("securityContext") or {}
    yield from _alike("spec", context, annotations.get(_SECCOMP_POD), "seccomp")
    for path, container in _with_paths(spec):
        text = annotations.get(f"{_SECCOMP}{container.get('name', '')}")
        yield from _alike(path, container.get("securityContext") or {}, text, "seccomp")
    if (spec.get("os") or {}).get("name") == "windows":
        return
    for path, container in _with_paths(spec):
        own = container.get("securityContext") or {}
        found = own if own.get("appArmorProfile") is not None else context
        yield from _alike(path, found, annotations.get(f"{APP_ARMOR}{container.get('name', '')}"), "apparmor")


def _alike(path: str, context: Json, text: str | None, what: str) -> Problems:
    name, texts = ("seccompProfile", _SECCOMP_TEXTS) if what == "seccomp" else ("appArmorProfile", _APP_ARMOR_TEXTS)
    profile, here = context.get(name), f"{path}.securityContext.{name}"
    if profile is None or text is None:
        return
    kind = profile.get("type")
    if (kind in texts and text not in texts[kind]) or (kind == "Localhost" and not text.startswith(_LOCAL)):
        yield forbidden(f"{here}.type", f"{what} type in annotation and field must match")
    elif kind == "Localhost" and text.removeprefix(_LOCAL) != profile.get("localhostProfile"):
        yield forbidden(f"{here}.localhostProfile", f"{what} profile in annotation and field must match")


def _containers(spec: Json) -> Iterator[Json]:
    return (container for name in _CONTAINERS for container in spec.get(name) or ())


def _with_paths(spec: Json) -> Iterator[tuple[str, Json]]:
    for name in _CONTAINERS:
        for i, container in enumerate(spec.get(name) or ()):
            yield f"spec.{name}[{i}]", container

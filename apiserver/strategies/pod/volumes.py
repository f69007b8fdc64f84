"""Volumes of a pod and how containers mount them. Source: validation.go ValidateVolumes, ValidateVolumeMounts."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies.pod import volume_sources
from apiserver.strategies.problems import (
    Problems,
    duplicate,
    forbidden,
    invalid,
    not_found,
    required,
    supported,
)

_PROPAGATION = ("Bidirectional", "HostToContainer", "None")


def volumes(path: str, entries: Sequence[Json], pod: str = "") -> Iterator[tuple[int, FieldError]]:
    """Every volume: a unique name and exactly one source, which is well formed; problems with the volume's number.

    `pod` is the name of the pod, if they are one's: claims get it in theirs.
    """
    seen: set[str] = set()
    for i, volume in enumerate(entries):
        problems = [*_volume(f"{path}[{i}]", volume, seen, pod)]
        yield from ((i, problem) for problem in problems)
        if not problems:
            seen.add(volume.get("name", ""))


def _volume(path: str, volume: Json, seen: Collection[str], pod: str) -> Problems:
    name = volume.get("name", "")
    yield from volume_sources.source(path, volume, pod)
    if not name:
        yield required(f"{path}.name")
    else:
        for message in names.dns_label(name):
            yield invalid(f"{path}.name", name, message)
    if name in seen:
        yield duplicate(f"{path}.name", name)


@dataclass(frozen=True, slots=True)
class MountContext:
    """What a pod offers to mount: each volume's name, whether it is a claim."""

    names: frozenset[str]
    claims: frozenset[str]

    @classmethod
    def of(cls, spec: Json, broken: Collection[int] = ()) -> "MountContext":
        """Those of a pod, but for volumes that are wrong themselves: upstream does not know these by name."""
        entries = [volume for i, volume in enumerate(spec.get("volumes") or ()) if i not in broken]
        claims = (v for v in entries if v.get("persistentVolumeClaim") is not None or v.get("ephemeral") is not None)
        return cls(frozenset(v.get("name", "") for v in entries), frozenset(v.get("name", "") for v in claims))


def mounts(path: str, container: Json, context: MountContext) -> Problems:
    """`volumeMounts`: each names a volume of the pod, and no two share a path."""
    seen: set[str] = set()
    raw = container.get("volumeDevices") or ()
    taken, as_devices = ({device.get(member) for device in raw} for member in ("devicePath", "name"))
    for i, mount in enumerate(container.get("volumeMounts") or ()):
        here, name, where = f"{path}[{i}]", mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            yield required(f"{here}.name")
        if name not in context.names:
            yield not_found(f"{here}.name", name)
        if not where:
            yield required(f"{here}.mountPath")
        if where in seen:
            yield invalid(f"{here}.mountPath", where, "must be unique")
        seen.add(where)
        if name in as_devices:
            yield invalid(f"{here}.name", name, "must not already exist in volumeDevices")
        if where in taken:
            yield invalid(f"{here}.mountPath", where, "must not already exist as a path in volumeDevices")
        if mount.get("subPath") or mount.get("subPathExpr"):
            yield from _sub_path(path, here, mount)
        if mount.get("mountPropagation") is not None:
            yield from _propagation(path, mount, container)
        if mount.get("recursiveReadOnly") is not None:
            yield from _recursive_read_only(path, mount)


def _sub_path(path: str, here: str, mount: Json) -> Problems:
    """Upstream's paths are mostly those of the list."""
    sub, expression = mount.get("subPath", ""), mount.get("subPathExpr", "")
    if sub:
        yield from local_descending_path(f"{path}.subPath", sub)
    if expression:
        if sub:
            yield invalid(f"{here}.subPathExpr", expression, "subPathExpr and subPath are mutually exclusive")
        yield from local_descending_path(f"{path}.subPathExpr", expression)


def _propagation(path: str, mount: Json, container: Json) -> Problems:
    mode = mount["mountPropagation"]
    yield from supported(f"{path}.mountPropagation", mode, _PROPAGATION)
    privileged = (container.get("securityContext") or {}).get("privileged")
    if mode == "Bidirectional" and not privileged:
        yield forbidden(
            f"{path}.mountPropagation", "Bidirectional mount propagation is available only to privileged containers"
        )


def _recursive_read_only(path: str, mount: Json) -> Problems:
    mode = mount["recursiveReadOnly"]
    if mode == "Disabled":
        return
    here = f"{path}.recursiveReadOnly"
    if mode not in ("Enabled", "IfPossible"):
        yield from supported(here, mode, ("Disabled", "Enabled", "IfPossible"))
        return
    if not mount.get("readOnly"):
        yield forbidden(here, "may only be specified when readOnly is true")
    if mount.get("mountPropagation") not in (None, "None"):
        yield forbidden(here, "may only be specified when mountPropagation is None or not specified")


def devices(path: str, container: Json, context: MountContext) -> Problems:
    """`volumeDevices`: raw block devices of claims."""
    mounts = container.get("volumeMounts") or ()
    names, paths = ({mount.get(key) for mount in mounts} for key in ("name", "mountPath"))
    known, places = set[str](), set[str]()
    for i, device in enumerate(container.get("volumeDevices") or ()):
        here, name, where = f"{path}[{i}]", device.get("name", ""), device.get("devicePath", "")
        yield from _device_name(f"{here}.name", name, known, context)
        yield from _device_path(f"{here}.devicePath", where, places)
        if name in names:
            yield invalid(f"{here}.name", name, "must not already exist in volumeMounts")
        if where in paths:
            yield invalid(f"{here}.devicePath", where, "must not already exist as a path in volumeMounts")
        known.add(name)


def _device_name(path: str, name: str, known: Collection[str], context: MountContext) -> Problems:
    if not name:
        yield required(path)
    elif name in known:
        yield invalid(path, name, "must be unique")
    if name not in context.names:
        yield not_found(path, name)
    elif name not in context.claims:
        yield invalid(
            path, name, "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
        )


def _device_path(path: str, where: str, places: set[str]) -> Problems:
    """Where the device is; a path that cannot be is not in the way of another."""
    if not where:
        yield required(path)
    if where in places:
        yield invalid(path, where, "must be unique")
    if ".." in where.split("/"):
        yield invalid(path, where, "can not contain backsteps ('..')")
    else:
        places.add(where)


def local_descending_path(path: str, value: str) -> Problems:
    """A relative path that stays below where it starts."""
    if value.startswith("/"):
        yield invalid(path, value, "must be a relative path")
    yield from no_backsteps(path, value)


def no_backsteps(path: str, value: str) -> Problems:
    if ".." in re.split("/", value):
        yield invalid(path, value, "must not contain '..'")

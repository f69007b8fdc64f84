"""Static pods: manifests in a folder of the node, which run whether or not there is an API server.

A pod's uid is a hash of what its file says, of where it lies and of the node: whoever changes the file makes another
pod of the same name. They may need nothing that only the API has. Source: pkg/kubelet/config/{file,common}.go.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import structlog
import yaml

from apimachinery import times
from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import Pod
from apimachinery.types import Json

log = structlog.get_logger("kubelet.static_pods")

HASH, SOURCE, SEEN, MIRROR = (f"kubernetes.io/config.{name}" for name in ("hash", "source", "seen", "mirror"))
_LOOK = 1.0  # seconds between looks at the folder: a few calls of the system each
_TOLERATION = {"operator": "Exists", "effect": "NoExecute"}
_OF_THE_API = {
    "secret": "secrets",
    "configMap": "configmaps",
    "persistentVolumeClaim": "persistentvolumeclaims",
    "ephemeral": "persistentvolumeclaims",
    "csi": "csidrivers",
}
_DEFAULTS = {"restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst"}


class BadManifest(ValueError):
    """The file is no static pod; the message says why."""


def is_mirror(pod: Pod) -> bool:
    """Whether a pod of the API only shows a static one."""
    return MIRROR in pod.metadata.annotations


def manifest(text: str, *, file: str, node: str, seen: float) -> Pod:
    """The pod of one file."""
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadManifest(f"couldn't parse as pod: {error}") from error
    if not isinstance(tree, dict) or (tree.get("apiVersion"), tree.get("kind")) != ("v1", "Pod"):
        raise BadManifest("invalid pod: the file holds no Pod of v1")
    meta, spec = tree.get("metadata") or {}, tree.get("spec") or {}
    if not meta.get("name"):
        raise BadManifest("invalid pod: name is needed for the pod")
    made = {**tree, "metadata": _metadata(meta, tree, file, node, seen), "spec": _spec(spec, node)}
    made["status"] = {"phase": "Pending"}
    try:
        pod = view(made, Pod)
    except (msgspec.ValidationError, TypeError, AttributeError) as error:
        raise BadManifest(f"invalid pod: {error}") from error
    for problem in _problems(pod, spec):
        raise BadManifest(problem)
    return pod


def _metadata(meta: Mapping[str, Any], tree: Json, file: str, node: str, seen: float) -> Json:
    said = json.dumps(tree, sort_keys=True, default=str)
    uid = meta.get("uid") or hashlib.md5(f"{said}host:{node}file:{file}".encode(), usedforsecurity=False).hexdigest()
    notes = {**(meta.get("annotations") or {}), HASH: uid, SOURCE: "file", SEEN: times.rfc3339_micro(seen)}
    kept = {key: value for key, value in meta.items() if key in ("labels", "annotations", "generateName")}
    name = f"{meta['name']!s}-{node}".lower()
    return kept | {"name": name, "namespace": meta.get("namespace") or "default", "uid": uid, "annotations": notes}


def _spec(spec: Mapping[str, Any], node: str) -> Json:
    others = [t for t in spec.get("tolerations") or [] if t != _TOLERATION]
    return {**_DEFAULTS, **spec, "nodeName": node, "tolerations": [*others, _TOLERATION]}


def _problems(pod: Pod, spec: Mapping[str, Any]) -> Iterator[str]:
    if not pod.spec.containers:
        yield "invalid pod: spec.containers: Required value"
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        if not container.name or not container.image:
            yield "invalid pod: spec.containers[].name and image: Required value"
        if any(s.config_map_ref or s.secret_ref for s in container.env_from):
            yield "static pods may not reference configmaps or secrets"
        for source in (v.value_from for v in container.env if v.value_from is not None):
            if source.config_map_key_ref or source.secret_key_ref:
                yield "static pods may not reference configmaps or secrets"
    if pod.spec.service_account_name:
        yield "static pods may not reference serviceaccounts"
    if pod.spec.image_pull_secrets:
        yield "static pods may not reference secrets"
    for volume in spec.get("volumes") or ():
        for field, resource in _OF_THE_API.items():
            if field in volume:
                yield f"static pods may not reference {resource}"
        for source in (volume.get("projected") or {}).get("sources") or ():
            if "downwardAPI" not in source:
                yield f"static pods may not reference {next(iter(source))}"


def read(folder: Path, *, node: str, now: float, known: Mapping[str, Pod]) -> dict[str, Pod]:
    """Every static pod of the folder (or single file), by uid. Files that begin with a dot are no manifests.

    A pod that is `known` stays what it was; a file that cannot be used is told of and left out.
    """
    found: dict[str, Pod] = {}
    names: set[tuple[str, str]] = set()
    for file in _files(folder):
        try:
            pod = manifest(file.read_text(), file=str(file), node=node, seen=now)
        except (OSError, UnicodeDecodeError, BadManifest) as error:
            log.warning("not a static pod", file=str(file), error=str(error))
            continue
        name = (pod.metadata.namespace, pod.metadata.name)
        if name in names:
            log.warning("two manifests of one name", file=str(file), pod="/".join(name))
            continue
        names.add(name)
        found[pod.metadata.uid] = known.get(pod.metadata.uid, pod)
    return found


def _files(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))


def _signature(folder: Path) -> list[tuple[str, int, int]]:
    found = []
    for file in _files(folder):
        try:
            stat = file.stat()
        except OSError:
            continue
        found.append((file.name, stat.st_mtime_ns, stat.st_size))
    return found


async def changes(folder: Path, *, every: float = _LOOK) -> AsyncIterator[None]:
    """Once at first, and whenever the folder is not what it was."""
    last: list[tuple[str, int, int]] | None = None
    while True:
        now = await asyncio.to_thread(_signature, folder)
        if now != last:
            last = now
            yield
        await asyncio.sleep(every)

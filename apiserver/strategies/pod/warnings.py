"""What a pod's author should hear about without being refused. Source: pkg/api/pod/warnings.go (the common ones)."""

from collections.abc import Iterator

from apimachinery import names
from apimachinery.types import Json
from apiserver.strategies.defaulting import items
from apiserver.strategies.object_warnings import OLD_LABELS
from apiserver.strategies.pod import placement_warnings

_CRITICAL = "scheduler.alpha.kubernetes.io/critical-pod"


def pod(new: Json, old: Json | None) -> list[str]:
    """Warnings of a new pod. Updates are of machines, which nobody needs to warn."""
    if old is not None:
        return []
    wrong = names.dns_label(new["metadata"].get("name", ""))
    why = "this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended"
    return [*([f"metadata.name: {why}: [{' '.join(wrong)}]"] if wrong else ()), *template("", new)]


def template(prefix: str, tree: Json) -> list[str]:
    """Warnings of a pod or template that stands at `prefix` (`spec.template`)."""
    at = f"{prefix}." if prefix else ""
    return [*_spec(f"{at}spec", tree.get("spec") or {}), *_annotations(at, tree.get("metadata") or {})]


def _annotations(at: str, metadata: Json) -> Iterator[str]:
    for name in metadata.get("annotations") or {}:
        if name == _CRITICAL:
            use = 'use the "priorityClassName" field instead'
            yield f"{at}metadata.annotations[{name}]: non-functional in v1.16+; {use}"
        if name.startswith("seccomp.security.alpha.kubernetes.io/pod"):
            yield f'{at}metadata.annotations[{name}]: non-functional in v1.27+; use the "seccompProfile" field instead'
        if name.startswith("container.seccomp.security.alpha.kubernetes.io/"):
            yield f'{at}metadata.annotations[{name}]: non-functional in v1.27+; use the "seccompProfile" field instead'


def _spec(path: str, spec: Json) -> Iterator[str]:
    for name in spec.get("nodeSelector") or {}:
        if name in OLD_LABELS:
            yield f"{path}.nodeSelector[{name}]: {OLD_LABELS[name]}"
    yield from placement_warnings.nodes(path, spec)
    for i, volume in enumerate(spec.get("volumes") or ()):
        if volume.get("gitRepo") is not None:
            yield f"{path}.volumes[{i}].gitRepo: deprecated in v1.11"
        if volume.get("glusterfs") is not None:
            yield f"{path}.volumes[{i}].glusterfs: deprecated in v1.25, this feature will be removed soon"
    yield from _pull_secrets(path, spec)
    for list_name in ("initContainers", "containers"):
        for i, container in enumerate(spec.get(list_name) or ()):
            yield from _container(f"{path}.{list_name}[{i}]", container)
    yield from _duplicate_ports(path, spec)
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        words = "must be >= 0; negative values are invalid and will be treated as 1"
        yield f"{path}.terminationGracePeriodSeconds: {words}"
    yield from placement_warnings.pods(path, spec)


def _pull_secrets(path: str, spec: Json) -> Iterator[str]:
    seen: set[str] = set()
    for i, secret in enumerate(spec.get("imagePullSecrets") or ()):
        name = secret.get("name", "")
        if not name:
            yield f'{path}.imagePullSecrets[{i}].name: invalid empty name ""'
        elif name in seen:
            yield f'{path}.imagePullSecrets[{i}].name: duplicate name "{name}"'
        seen.add(name)


def _container(path: str, container: Json) -> Iterator[str]:
    resources = container.get("resources") or {}
    for kind in ("limits", "requests"):
        for name, value in (resources.get(kind) or {}).items():
            if name in ("memory", "ephemeral-storage") and isinstance(value, str) and value.endswith("m"):
                yield f'{path}.resources.{kind}[{name}]: fractional byte value "{value}" is invalid, must be an integer'
    variables = container.get("env") or ()
    if len({variable.get("name", "") for variable in variables}) == len(variables):
        return
    seen: set[str] = set()
    for i, variable in enumerate(variables):
        name = variable.get("name", "")
        if name in seen:
            yield f'{path}.env[{i}]: hides previous definition of "{name}", which may be dropped when using apply'
        seen.add(name)


def _duplicate_ports(path: str, spec: Json) -> Iterator[str]:
    seen: dict[tuple[int, str], str] = {}
    for i, container in enumerate(items(spec, "containers")):
        for j, entry in enumerate(container.get("ports") or ()):
            here = f"{path}.containers[{i}].ports[{j}]"
            key = (entry.get("containerPort", 0), entry.get("protocol", "TCP"))
            if key in seen:
                yield f"{here}: duplicate port definition with {seen[key]}"
            else:
                seen[key] = here

"""What a pod's author should hear about without being refused. Source: pkg/api/pod/warnings.go."""

from collections.abc import Iterator, Sequence
from itertools import islice

from apimachinery import names
from apimachinery.errors import go_quoted
from apimachinery.types import Json
from apiserver.strategies import address_warnings
from apiserver.strategies.object_warnings import OLD_LABELS
from apiserver.strategies.pod import app_armor, placement_warnings, port_warnings, volume_warnings

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_OLD_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": (
        'non-functional in v1.16+; use the "priorityClassName" field instead'
    ),
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
}
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP = "container.seccomp.security.alpha.kubernetes.io/"
_USE_SECCOMP = 'non-functional in v1.27+; use the "seccompProfile" field instead'
_MOST = 4096  # more than the headers of an answer hold, while a pod can have millions
#: How a canonical quantity ends that is no whole number.
_SMALL = ("m", "u", "n")


def pod(new: Json, old: Json | None) -> list[str]:
    """Warnings of a new pod. Updates are of machines, which nobody needs to warn."""
    if old is not None:
        return []
    wrong = names.dns_label(new["metadata"].get("name", ""))
    why = "this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended"
    return [*([f"metadata.name: {why}: [{' '.join(wrong)}]"] if wrong else ()), *template("", new)]


def template(prefix: str, tree: Json) -> list[str]:
    """Warnings of a pod ("") or template that stands at `prefix` (`spec.template`), in upstream's order."""
    at, metadata, spec = f"{prefix}." if prefix else "", tree.get("metadata") or {}, tree.get("spec") or {}
    return [*islice(_found(at, metadata.get("annotations") or {}, spec), _MOST)]


def _found(at: str, annotations: Json, spec: Json) -> Iterator[str]:
    path = f"{at}spec"
    for name in spec.get("nodeSelector") or {}:
        if name in OLD_LABELS:
            yield f"{path}.nodeSelector[{name}]: {OLD_LABELS[name]}"
    yield from placement_warnings.nodes(path, spec)
    yield from _annotations(at, annotations)
    yield from volume_warnings.of_volumes(f"{path}.volumes", spec.get("volumes") or ())
    yield from _doubled(f"{path}.hostAliases", spec.get("hostAliases") or (), "ip")
    yield from _doubled(f"{path}.imagePullSecrets", spec.get("imagePullSecrets") or (), "name")
    for i, secret in enumerate(spec.get("imagePullSecrets") or ()):
        if not secret.get("name"):
            yield f'{path}.imagePullSecrets[{i}].name: invalid empty name ""'
    yield from _fractions(f"{path}.overhead", spec.get("overhead") or {})
    if _SECCOMP_POD in annotations and (spec.get("securityContext") or {}).get("seccompProfile") is None:
        yield f"{at}metadata.annotations[{_SECCOMP_POD}]: {_USE_SECCOMP}"
    containers = [
        (f"{path}.{name}[{i}]", container) for name in _CONTAINERS for i, container in enumerate(spec.get(name) or ())
    ]
    for here, container in containers:
        if annotations:
            yield from _profiles(at, annotations, container, spec)
        yield from _container(here, container)
    yield from port_warnings.of_ports(containers)
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        words = "must be >= 0; negative values are invalid and will be treated as 1"
        yield f"{path}.terminationGracePeriodSeconds: {words}"
    yield from placement_warnings.pods(path, spec)
    for i, server in enumerate((spec.get("dnsConfig") or {}).get("nameservers") or ()):
        yield from address_warnings.of_address(f"{path}.dnsConfig.nameservers[{i}]", server)
    for i, alias in enumerate(spec.get("hostAliases") or ()):
        yield from address_warnings.of_address(f"{path}.hostAliases[{i}].ip", alias.get("ip", ""))


def _annotations(at: str, annotations: Json) -> Iterator[str]:
    for name, text in _OLD_ANNOTATIONS.items():
        if name in annotations:
            yield f"{at}metadata.annotations[{name}]: {text}"


def _doubled(path: str, entries: Sequence[Json], key: str) -> Iterator[str]:
    seen: set[str] = set()
    for i, entry in enumerate(entries):
        value = entry.get(key, "")
        if value in seen:
            yield f"{path}[{i}].{key}: duplicate {key} {go_quoted(value)}"
        seen.add(value)


def _profiles(at: str, annotations: Json, container: Json, spec: Json) -> Iterator[str]:
    """Profiles that a container has by annotation only. For AppArmor a pod's are told of where they become fields."""
    context, name = container.get("securityContext") or {}, container.get("name", "")
    key = f"{_SECCOMP}{name}"
    if key in annotations and context.get("seccompProfile") is None:
        yield f"{at}metadata.annotations[{key}]: {_USE_SECCOMP}"
    key = f"{app_armor.PREFIX}{name}"
    if at and key in annotations and context.get("appArmorProfile") is None:
        of_pod = (spec.get("securityContext") or {}).get("appArmorProfile")
        if of_pod is None or of_pod != app_armor.profile_of(annotations[key]):
            yield f'{at}metadata.annotations[{key}]: deprecated since v1.30; use the "appArmorProfile" field instead'


def _fractions(path: str, amounts: Json) -> Iterator[str]:
    for name in ("memory", "ephemeral-storage"):
        value = amounts.get(name)
        if isinstance(value, str) and value.endswith(_SMALL):
            yield f'{path}[{name}]: fractional byte value "{value}" is invalid, must be an integer'


def _container(path: str, container: Json) -> Iterator[str]:
    resources = container.get("resources") or {}
    for name in ("memory", "ephemeral-storage"):
        for kind in ("limits", "requests"):
            amounts = resources.get(kind) or {}
            yield from _fractions(f"{path}.resources.{kind}", {name: amounts[name]} if name in amounts else {})
    variables = container.get("env") or ()
    if len({variable.get("name", "") for variable in variables}) == len(variables):
        return
    seen: set[str] = set()
    for i, variable in enumerate(variables):
        name, value = variable.get("name", ""), variable.get("value", "")
        before = f"$({name})"
        is_hidden = variable.get("valueFrom") is not None or value == before or before not in value
        if name in seen and is_hidden:
            hidden = f"hides previous definition of {go_quoted(name)}, which may be dropped when using apply"
            yield f"{path}.env[{i}]: {hidden}"
        seen.add(name)

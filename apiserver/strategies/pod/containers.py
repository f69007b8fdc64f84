"""Containers, init containers and ephemeral containers. Source: validation.go validateContainers and its callees."""

from collections.abc import Sequence

from apimachinery import names
from apimachinery.errors import FieldError, not_supported
from apimachinery.types import Json
from apiserver.strategies.pod import env, handlers, resources, security, volumes
from apiserver.strategies.problems import (
    Problems,
    duplicate,
    forbidden,
    invalid,
    not_found,
    one_of,
    port,
    required,
)

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
PROTOCOLS = ("SCTP", "TCP", "UDP")
_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
#: In the order of the struct.
_NOT_IN_EPHEMERAL = ("ports", "resources", "resizePolicy", "livenessProbe", "readinessProbe", "startupProbe",
                     "lifecycle")  # fmt: skip


def claim_names(spec: Json) -> frozenset[str]:
    """The names of a pod's resource claims."""
    return frozenset(filter(None, (claim.get("name") for claim in spec.get("resourceClaims") or ())))


def all_of(path: str, spec: Json, context: volumes.MountContext) -> Problems:
    """Every container of a pod spec; names are unique over all three lists."""
    claims = claim_names(spec)
    if not spec.get("containers"):
        yield required(f"{path}.containers")
    seen: set[str] = set()
    for list_name in ("containers", "initContainers", "ephemeralContainers"):
        for i, container in enumerate(spec.get(list_name) or ()):
            here, name = f"{path}.{list_name}[{i}]", container.get("name", "")
            yield from _name(f"{here}.name", name)
            yield from _common(here, container, spec, context, claims)
            yield from _BY_LIST[list_name](here, container, spec, _only_once(f"{here}.name", name, seen))
            if name or list_name != "initContainers":
                seen.add(name)
        if list_name == "containers":
            yield from _port_clashes(f"{path}.{list_name}", spec.get(list_name) or ())


def _name(path: str, name: str) -> Problems:
    if not name:
        yield required(path)
    for message in names.dns_label(name) if name else ():
        yield invalid(path, name, message)


def _only_once(path: str, name: str, seen: set[str]) -> Sequence[FieldError]:
    return (duplicate(path, name),) if name in seen else ()


def _common(path: str, container: Json, spec: Json, context: volumes.MountContext, claims: frozenset[str]) -> Problems:
    if not container.get("image"):
        yield required(f"{path}.image")
    if (policy := container.get("terminationMessagePolicy", "")) not in _MESSAGE_POLICIES:
        yield from one_of(f"{path}.terminationMessagePolicy", policy, _MESSAGE_POLICIES, in_order=True)
    if container.get("ports"):
        yield from ports(f"{path}.ports", container["ports"])
    if container.get("env"):
        yield from env.variables(f"{path}.env", container["env"])
    if container.get("envFrom"):
        yield from env.sources(f"{path}.envFrom", container["envFrom"])
    if container.get("volumeMounts"):
        yield from volumes.mounts(f"{path}.volumeMounts", container, context)
    if container.get("volumeDevices"):
        yield from volumes.devices(f"{path}.volumeDevices", container, context)
    if (policy := container.get("imagePullPolicy", "")) not in PULL_POLICIES:
        yield from one_of(f"{path}.imagePullPolicy", policy, PULL_POLICIES)
    if container.get("resources"):
        yield from resources.requirements(f"{path}.resources", container["resources"], claims)
    if container.get("resizePolicy"):
        yield from _resize_policy(f"{path}.resizePolicy", container["resizePolicy"], spec)
    if container.get("securityContext") is not None:
        yield from security.container_context(f"{path}.securityContext", container["securityContext"], spec)


def only_in_pods(path: str, spec: Json) -> Problems:
    """What holds for pods and not for templates, for which that would have come too late."""
    for name in ("containers", "initContainers"):
        for i, container in enumerate(spec.get(name) or ()):
            yield from _no_padding(f"{path}.{name}[{i}].image", container.get("image", ""))


def image(path: str, name: str) -> Problems:
    """An image is named, without spaces around it."""
    if not name:
        yield required(path)
    yield from _no_padding(path, name)


def _no_padding(path: str, name: str) -> Problems:
    if name != name.strip():
        yield invalid(path, name, "must not have leading or trailing whitespace")


def ports(path: str, entries: Sequence[Json]) -> Problems:
    """The ports of one container."""
    seen: set[str] = set()
    for i, entry in enumerate(entries):
        here, name = f"{path}[{i}]", entry.get("name", "")
        if name:
            if wrong := names.port_name(name):
                for message in wrong:
                    yield invalid(f"{here}.name", name, message)
            elif name in seen:
                yield duplicate(f"{here}.name", name)
            else:
                seen.add(name)
        if not (number := entry.get("containerPort")):
            yield required(f"{here}.containerPort")
        else:
            yield from port(f"{here}.containerPort", number)
        if entry.get("hostPort"):
            yield from port(f"{here}.hostPort", entry["hostPort"])
        if not entry.get("protocol"):
            yield required(f"{here}.protocol")
        elif entry["protocol"] not in PROTOCOLS:
            yield not_supported(f"{here}.protocol", entry["protocol"], PROTOCOLS)


def _port_clashes(path: str, containers: Sequence[Json], first: int = 0) -> Problems:
    """Two containers that run together cannot hold one host port."""
    seen: set[str] = set()
    for i, container in enumerate(containers, first):
        for j, entry in enumerate(container.get("ports") or ()):
            if not entry.get("hostPort"):
                continue
            key = f"{entry.get('protocol', '')}/{entry.get('hostIP', '')}/{entry['hostPort']}"
            if key in seen:
                yield duplicate(f"{path}[{i}].ports[{j}].hostPort", key)
            seen.add(key)


def _regular(path: str, container: Json, spec: Json, doubled: Sequence[FieldError]) -> Problems:
    yield from doubled
    yield from _probes_and_hooks(path, container, spec)


def _init(path: str, container: Json, spec: Json, doubled: Sequence[FieldError]) -> Problems:
    yield from doubled
    # Init containers run one by one. Upstream says of each that it was the first.
    yield from _port_clashes(path.rpartition("[")[0], (container,))
    if container.get("restartPolicy") == "Always":  # a sidecar: runs beside the others, so it may be probed
        yield from _probes_and_hooks(path, container, spec)
        return
    for name in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(name) is not None:
            yield forbidden(f"{path}.{name}", "may not be set for init containers without restartPolicy=Always")


def _ephemeral(path: str, container: Json, spec: Json, doubled: Sequence[FieldError]) -> Problems:
    yield from _no_padding(f"{path}.image", container.get("image", ""))
    yield from doubled
    target = container.get("targetContainerName", "")
    others = (*(spec.get("containers") or ()), *(spec.get("initContainers") or ()))
    if target and target not in {each.get("name") for each in others}:
        yield not_found(f"{path}.targetContainerName", target)
    for name in _NOT_IN_EPHEMERAL:
        value = container.get(name)
        if any((value or {}).values()) if name == "resources" else value is not None:
            yield forbidden(f"{path}.{name}", "cannot be set for an Ephemeral Container")
    for i, mount in enumerate(container.get("volumeMounts") or ()):
        for name in ("subPath", "subPathExpr"):
            if mount.get(name):
                yield forbidden(f"{path}.volumeMounts[{i}].{name}", "cannot be set for an Ephemeral Container")


def _probes_and_hooks(path: str, container: Json, spec: Json) -> Problems:
    if container.get("lifecycle"):
        grace = spec.get("terminationGracePeriodSeconds")
        yield from handlers.lifecycle(f"{path}.lifecycle", container["lifecycle"], grace)
    if (probe := container.get("livenessProbe")) is not None:
        yield from _probe(f"{path}.livenessProbe", probe)
    if container.get("readinessProbe") is not None:
        yield from handlers.readiness(f"{path}.readinessProbe", container["readinessProbe"])
    if (probe := container.get("startupProbe")) is not None:
        yield from _probe(f"{path}.startupProbe", probe)


def _probe(path: str, probe: Json) -> Problems:
    yield from handlers.probe(path, probe)
    yield from handlers.only_one_success(path, probe)


def _resize_policy(path: str, entries: Sequence[Json], spec: Json) -> Problems:
    seen: set[str] = set()
    for i, entry in enumerate(entries):
        name, policy = entry.get("resourceName", ""), entry.get("restartPolicy", "")
        if name in seen:
            yield duplicate(f"{path}[{i}]", name)
        seen.add(name)
        yield from one_of(path, name, ("cpu", "memory"))
        yield from one_of(path, policy, ("NotRequired", "RestartContainer"))
        if spec.get("restartPolicy") == "Never" and policy != "NotRequired":
            yield invalid(path, policy, "must be 'NotRequired' when `restartPolicy` is 'Never'")


_BY_LIST = {"containers": _regular, "initContainers": _init, "ephemeralContainers": _ephemeral}

"""Containers, init containers and ephemeral containers. Source: validation.go validateContainers and its callees."""

from collections.abc import Sequence

from apimachinery import names
from apimachinery.errors import not_supported
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
_NOT_IN_EPHEMERAL = ("ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resizePolicy",
                     "restartPolicy", "restartPolicyRules")  # fmt: skip


def all_of(path: str, spec: Json, context: volumes.MountContext) -> Problems:
    """Every container of a pod spec; names are unique over all three lists."""
    seen: set[str] = set()
    claims = frozenset(claim.get("name", "") for claim in spec.get("resourceClaims") or ())
    if not spec.get("containers"):
        yield required(f"{path}.containers")
    for list_name in ("containers", "initContainers", "ephemeralContainers"):
        for i, container in enumerate(spec.get(list_name) or ()):
            here = f"{path}.{list_name}[{i}]"
            yield from _name(f"{here}.name", container.get("name", ""))
            yield from _common(here, container, spec, context, claims)
            yield from _only_once(f"{here}.name", container.get("name", ""), seen)
            yield from _BY_LIST[list_name](here, container, spec)
    yield from _port_clashes(path, spec)


def _name(path: str, name: str) -> Problems:
    if not name:
        yield required(path)
    for message in names.dns_label(name) if name else ():
        yield invalid(path, name, message)


def _only_once(path: str, name: str, seen: set[str]) -> Problems:
    if name in seen:
        yield duplicate(path, name)
    seen.add(name)


def _common(path: str, container: Json, spec: Json, context: volumes.MountContext, claims: frozenset[str]) -> Problems:
    yield from image(f"{path}.image", container.get("image", ""))
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
    if container.get("securityContext") is not None:
        yield from security.container_context(f"{path}.securityContext", container["securityContext"], spec)
    if container.get("resizePolicy"):
        yield from _resize_policy(f"{path}.resizePolicy", container["resizePolicy"])


def image(path: str, name: str) -> Problems:
    """An image is named, without spaces around it."""
    if not name:
        yield required(path)
    elif name != name.strip():
        yield invalid(path, name, "must not have leading or trailing whitespace")


def ports(path: str, entries: Sequence[Json]) -> Problems:
    """The ports of one container."""
    seen: set[str] = set()
    for i, entry in enumerate(entries):
        here, name = f"{path}[{i}]", entry.get("name", "")
        if name:
            for message in names.port_name(name):
                yield invalid(f"{here}.name", name, message)
            if name in seen:
                yield duplicate(f"{here}.name", name)
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


def _port_clashes(path: str, spec: Json) -> Problems:
    """Two containers of a pod cannot hold one host port."""
    seen: set[tuple[str, str, int]] = set()
    for i, container in enumerate(spec.get("containers") or ()):
        for j, entry in enumerate(container.get("ports") or ()):
            if not entry.get("hostPort"):
                continue
            key = (entry.get("protocol", ""), entry.get("hostIP", ""), entry["hostPort"])
            if key in seen:
                at = f"{path}.containers[{i}].ports[{j}].hostPort"
                yield duplicate(at, f"{key[0]}/{key[1]}/{key[2]}" if key[1] else f"{key[0]}//{key[2]}")
            seen.add(key)


def _regular(path: str, container: Json, spec: Json) -> Problems:
    yield from _probes_and_hooks(path, container, spec)
    if container.get("restartPolicy") is not None and not container.get("restartPolicyRules"):
        yield from one_of(f"{path}.restartPolicy", container["restartPolicy"], ("Always", "Never", "OnFailure"))


def _init(path: str, container: Json, spec: Json) -> Problems:
    policy = container.get("restartPolicy")
    if policy == "Always":  # a sidecar: runs beside the others, so it may be probed
        yield from _probes_and_hooks(path, container, spec)
        return
    if policy is not None:
        yield from one_of(f"{path}.restartPolicy", policy, ("Always", "Never", "OnFailure"))
    if container.get("lifecycle") is not None:
        yield forbidden(f"{path}.lifecycle", "may not be set for init containers without restartPolicy=Always")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(name) is not None:
            yield forbidden(f"{path}.{name}", "may not be set for init containers without restartPolicy=Always")


def _ephemeral(path: str, container: Json, spec: Json) -> Problems:
    for name in _NOT_IN_EPHEMERAL:
        if container.get(name) is not None:
            yield forbidden(f"{path}.{name}", "cannot be set for an Ephemeral Container")
    if any((container.get("resources") or {}).values()):
        yield forbidden(f"{path}.resources", "cannot be set for an Ephemeral Container")
    target = container.get("targetContainerName", "")
    if target and target not in {c.get("name") for c in spec.get("containers") or ()}:
        yield not_found(f"{path}.targetContainerName", target)
    for i, mount in enumerate(container.get("volumeMounts") or ()):
        for name in ("subPath", "subPathExpr"):
            if mount.get(name):
                yield forbidden(f"{path}.volumeMounts[{i}].{name}", "cannot be set for an Ephemeral Container")


def _probes_and_hooks(path: str, container: Json, spec: Json) -> Problems:
    if container.get("lifecycle"):
        grace = spec.get("terminationGracePeriodSeconds")
        yield from handlers.lifecycle(f"{path}.lifecycle", container["lifecycle"], grace)
    for name in ("livenessProbe", "startupProbe"):
        if (probe := container.get(name)) is not None:
            yield from handlers.probe(f"{path}.{name}", probe)
            yield from handlers.only_one_success(f"{path}.{name}", probe)
    if container.get("readinessProbe") is not None:
        yield from handlers.readiness(f"{path}.readinessProbe", container["readinessProbe"])


def _resize_policy(path: str, entries: Sequence[Json]) -> Problems:
    seen: set[str] = set()
    for entry in entries:
        name, policy = entry.get("resourceName", ""), entry.get("restartPolicy", "")
        if name in seen:
            yield duplicate(path, name)
        seen.add(name)
        yield from one_of(path, name, ("cpu", "memory"))
        yield from one_of(path, policy, ("NotRequired", "RestartContainer"))


_BY_LIST = {"containers": _regular, "initContainers": _init, "ephemeralContainers": _ephemeral}

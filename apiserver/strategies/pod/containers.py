"""Containers, init containers and ephemeral containers. Source: validation.go validateContainers and its callees."""

from collections.abc import Iterable, Sequence

from apimachinery.errors import not_supported
from apimachinery.types import Json
from apiserver.strategies.pod import env, handlers, resources, security, volumes
from apiserver.strategies.problems import (
    Problems,
    dns_label,
    duplicate,
    forbidden,
    invalid,
    not_found,
    one_of,
    port,
    port_name,
    required,
)

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
PROTOCOLS = ("SCTP", "TCP", "UDP")
_MESSAGE_POLICIES = ("FallbackToLogsOnError", "File")
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
            yield from _name(here, container, seen)
            yield from _common(here, container, spec, context, claims)
            yield from _BY_LIST[list_name](here, container, spec)
    yield from _port_clashes(path, spec)


def _name(path: str, container: Json, seen: set[str]) -> Problems:
    name = container.get("name", "")
    if not name:
        yield required(f"{path}.name")
        return
    yield from dns_label(f"{path}.name", name)
    if name in seen:
        yield duplicate(f"{path}.name", name)
    seen.add(name)


def _common(path: str, container: Json, spec: Json, context: volumes.MountContext, claims: frozenset[str]) -> Problems:
    yield from image(f"{path}.image", container.get("image", ""))
    policy = container.get("terminationMessagePolicy", "")
    yield from one_of(f"{path}.terminationMessagePolicy", policy, ("File", "FallbackToLogsOnError"), in_order=True)
    yield from ports(f"{path}.ports", container.get("ports") or ())
    yield from env.variables(f"{path}.env", container.get("env") or ())
    yield from env.sources(f"{path}.envFrom", container.get("envFrom") or ())
    yield from volumes.mounts(f"{path}.volumeMounts", container, context)
    yield from volumes.devices(f"{path}.volumeDevices", container, context)
    yield from one_of(f"{path}.imagePullPolicy", container.get("imagePullPolicy", ""), PULL_POLICIES)
    yield from resources.requirements(f"{path}.resources", container.get("resources"), claims)
    yield from security.container_context(f"{path}.securityContext", container.get("securityContext"), spec)
    yield from _resize_policy(f"{path}.resizePolicy", container.get("resizePolicy") or ())


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
            yield from port_name(f"{here}.name", name)
            if name in seen:
                yield duplicate(f"{here}.name", name)
            seen.add(name)
        if not entry.get("containerPort"):
            yield required(f"{here}.containerPort")
        else:
            yield from port(f"{here}.containerPort", entry["containerPort"])
        if entry.get("hostPort"):
            yield from port(f"{here}.hostPort", entry["hostPort"])
        if not entry.get("protocol"):
            yield required(f"{here}.protocol")
        elif entry["protocol"] not in PROTOCOLS:
            yield not_supported(f"{here}.protocol", entry["protocol"], PROTOCOLS)


def _port_clashes(path: str, spec: Json) -> Problems:
    """Two containers of a pod cannot hold one host port."""
    seen: set[tuple[str, str, int]] = set()
    for at, entry in _all_ports(path, spec):
        if not entry.get("hostPort"):
            continue
        key = (entry.get("protocol", ""), entry.get("hostIP", ""), entry["hostPort"])
        if key in seen:
            yield duplicate(f"{at}.hostPort", f"{key[0]}/{key[1]}/{key[2]}" if key[1] else f"{key[0]}//{key[2]}")
        seen.add(key)


def _all_ports(path: str, spec: Json) -> Iterable[tuple[str, Json]]:
    for i, container in enumerate(spec.get("containers") or ()):
        for j, entry in enumerate(container.get("ports") or ()):
            yield f"{path}.containers[{i}].ports[{j}]", entry


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
    grace = spec.get("terminationGracePeriodSeconds")
    yield from handlers.lifecycle(f"{path}.lifecycle", container.get("lifecycle"), grace)
    for name in ("livenessProbe", "startupProbe"):
        yield from handlers.probe(f"{path}.{name}", container.get(name))
        yield from handlers.only_one_success(f"{path}.{name}", container.get(name))
    yield from handlers.readiness(f"{path}.readinessProbe", container.get("readinessProbe"))


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

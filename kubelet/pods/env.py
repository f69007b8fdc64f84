"""A container's environment, from all its sources. Pure: what the API holds has been fetched before.

Order, as upstream has it: the services of the namespace first, then envFrom, then env, each overriding what came
before; a value may refer to what stands above it. Source: pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables),
pkg/kubelet/envvars/envvars.go.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from apimachinery.objects import core_v1
from apimachinery.objects.core_v1 import ConfigMap, Pod, Secret, Service
from kubelet.pods.expansion import expand
from kubelet.pods.fields import Facts, FieldProblem, pod_field, resource_field

_MASTER_SERVICES = ("kubernetes",)  # of the default namespace; every pod sees it, links or not


class ConfigProblem(Exception):
    """The container cannot be configured (CreateContainerConfigError); the message is upstream's."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The objects that a pod refers to, by name; a name that is missing here does not exist."""

    configmaps: Mapping[str, ConfigMap] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)


def references(containers: Sequence[core_v1.Container | core_v1.EphemeralContainer]) -> tuple[set[str], set[str]]:
    """The names of the config maps and of the secrets that the environments need."""
    configmaps, secrets = set[str](), set[str]()
    for container in containers:
        for source in container.env_from:
            if source.config_map_ref:
                configmaps.add(source.config_map_ref.name)
            if source.secret_ref:
                secrets.add(source.secret_ref.name)
        for variable in container.env:
            given = variable.value_from
            if given and given.config_map_key_ref:
                configmaps.add(given.config_map_key_ref.name)
            if given and given.secret_key_ref:
                secrets.add(given.secret_key_ref.name)
    return configmaps, secrets


def environment(
    pod: Pod,
    container: core_v1.Container | core_v1.EphemeralContainer,
    *,
    fetched: Fetched,
    services: Sequence[Service],
    facts: Facts,
) -> list[tuple[str, str]]:
    """Names and values, in order; raises ConfigProblem."""
    linked = pod.spec.enable_service_links is None or pod.spec.enable_service_links
    found = service_variables(visible(services, pod.metadata.namespace, linked=linked))
    result: dict[str, str] = {}
    for source in container.env_from:
        result |= _from(pod, source, fetched)
    for variable in container.env:
        value = _value(pod, container, variable, {**found, **result}, fetched, facts)
        if value is not None:
            result[variable.name] = value
    return list({**found, **result}.items())


def visible(services: Sequence[Service], namespace: str, *, linked: bool) -> list[Service]:
    """The services whose addresses a pod is told, the master's first."""
    own = [s for s in services if s.metadata.namespace == namespace and linked]
    masters = [s for s in services if s.metadata.namespace == "default" and s.metadata.name in _MASTER_SERVICES]
    chosen = {s.metadata.name: s for s in [*masters, *own]}
    return [s for _, s in sorted(chosen.items()) if s.spec.cluster_ip not in ("", "None")]


def service_variables(services: Sequence[Service]) -> dict[str, str]:
    """NAME_SERVICE_HOST and its company, in Docker's old way too."""
    found: dict[str, str] = {}
    for service in services:
        name, host = _screaming(service.metadata.name), service.spec.cluster_ip
        ports = service.spec.ports
        if not ports:
            continue
        found[f"{name}_SERVICE_HOST"] = host
        found[f"{name}_SERVICE_PORT"] = str(ports[0].port)
        for port in ports:
            if port.name:
                found[f"{name}_SERVICE_PORT_{_screaming(port.name)}"] = str(port.port)
        for index, port in enumerate(ports):
            found |= _links(name, host, port, first=index == 0)
    return found


def _links(name: str, host: str, port: core_v1.ServicePort, *, first: bool) -> Iterator[tuple[str, str]]:
    protocol = port.protocol or "TCP"
    shown = f"[{host}]" if ":" in host else host
    url = f"{protocol.lower()}://{shown}:{port.port}"
    if first:
        yield f"{name}_PORT", url
    prefix = f"{name}_PORT_{port.port}_{protocol}"
    yield prefix, url
    yield f"{prefix}_PROTO", protocol.lower()
    yield f"{prefix}_PORT", str(port.port)
    yield f"{prefix}_ADDR", host


def _screaming(name: str) -> str:
    return name.upper().replace("-", "_")


def _from(pod: Pod, source: core_v1.EnvFromSource, fetched: Fetched) -> dict[str, str]:
    if source.config_map_ref:
        name = source.config_map_ref.name
        configmap = fetched.configmaps.get(name)
        if configmap is None:
            _missing(f'configmap "{name}" not found', optional=source.config_map_ref.optional)
            return {}
        data = dict(configmap.data)
    elif source.secret_ref:
        name = source.secret_ref.name
        secret = fetched.secrets.get(name)
        if secret is None:
            _missing(f'secret "{name}" not found', optional=source.secret_ref.optional)
            return {}
        data = {key: value.decode(errors="surrogateescape") for key, value in secret.data.items()}
    else:
        raise ConfigProblem(f"envFrom of pod {pod.metadata.name} has no source")
    return {source.prefix + key: value for key, value in data.items()}  # since v1.34 every key is a good name


def _missing(message: str, *, optional: bool | None) -> None:
    if not optional:
        raise ConfigProblem(message)


def _value(
    pod: Pod,
    container: core_v1.Container | core_v1.EphemeralContainer,
    variable: core_v1.EnvVar,
    known: Mapping[str, str],
    fetched: Fetched,
    facts: Facts,
) -> str | None:
    """One variable's value; None where it is optional and not there."""
    given = variable.value_from
    if given is None:
        return expand(variable.value, known)
    try:
        if given.field_ref:
            return pod_field(pod, given.field_ref.field_path, facts)
        if given.resource_field_ref:
            return resource_field(pod, container.name, given.resource_field_ref, facts.allocatable)
    except FieldProblem as problem:
        raise ConfigProblem(str(problem)) from problem
    if given.config_map_key_ref:
        return _key(pod, "ConfigMap", given.config_map_key_ref, {n: m.data for n, m in fetched.configmaps.items()})
    if given.secret_key_ref:
        texts = {
            name: {key: value.decode(errors="surrogateescape") for key, value in secret.data.items()}
            for name, secret in fetched.secrets.items()
        }
        return _key(pod, "Secret", given.secret_key_ref, texts)
    raise ConfigProblem(f"environment variable {variable.name} has no source")


def _key(
    pod: Pod,
    kind: str,
    ref: core_v1.ConfigMapKeySelector | core_v1.SecretKeySelector,
    objects: Mapping[str, Mapping[str, str]],
) -> str | None:
    data = objects.get(ref.name)
    if data is None:
        _missing(f'{kind.lower()} "{ref.name}" not found', optional=ref.optional)
        return None
    if ref.key not in data:
        _missing(f"couldn't find key {ref.key} in {kind} {pod.metadata.namespace}/{ref.name}", optional=ref.optional)
        return None
    return data[ref.key]

"""What the files of a volume hold: config maps, secrets, the downward API and projections of all. Pure.

The objects have been fetched before. Sources: pkg/volume/{configmap,secret,downwardapi,projected}.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from apimachinery.objects import core_v1
from apimachinery.objects.core_v1 import ConfigMap, Pod, Secret
from kubelet.pods.fields import FieldProblem, pod_field, resource_field
from kubelet.volumes.atomic import File

DEFAULT_MODE = 0o644


class PayloadProblem(Exception):
    """Something the volume needs is not there; the message is upstream's."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What was fetched for one volume. A name that is missing does not exist."""

    configmaps: Mapping[str, ConfigMap] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    tokens: Mapping[str, str] = field(default_factory=dict)  # by the path of the token's file
    allocatable: Mapping[str, str] = field(default_factory=dict)


def references(volume: core_v1.Volume) -> tuple[set[str], set[str]]:
    """The config maps and secrets that a volume's files come from."""
    configmaps, secrets = set[str](), set[str]()
    if volume.config_map:
        configmaps.add(volume.config_map.name)
    if volume.secret:
        secrets.add(volume.secret.secret_name)
    for source in volume.projected.sources if volume.projected else ():
        if source.config_map:
            configmaps.add(source.config_map.name)
        if source.secret:
            secrets.add(source.secret.name)
    return configmaps, secrets


def tokens(volume: core_v1.Volume) -> Sequence[core_v1.ServiceAccountTokenProjection]:
    """The service-account tokens that a volume asks for."""
    sources = volume.projected.sources if volume.projected else ()
    return [source.service_account_token for source in sources if source.service_account_token]


def files(pod: Pod, volume: core_v1.Volume, found: Sources) -> dict[str, File]:
    """The volume's files by path; raises PayloadProblem."""
    if volume.config_map:
        source = volume.config_map
        mode = _mode(source.default_mode)
        return _configmap(source.name, source.items, found, mode=mode, optional=source.optional)
    if volume.secret:
        secret = volume.secret
        mode = _mode(secret.default_mode)
        return _secret(secret.secret_name, secret.items, found, mode=mode, optional=secret.optional)
    if volume.downward_api:
        return _downward(pod, volume.downward_api.items, found, _mode(volume.downward_api.default_mode))
    if volume.projected:
        return _projected(pod, volume.projected, found)
    raise PayloadProblem(f"volume {volume.name} has no files")


def _mode(given: int | None) -> int:
    return DEFAULT_MODE if given is None else given


def _configmap(
    name: str, items: Sequence[core_v1.KeyToPath], found: Sources, *, mode: int, optional: bool | None
) -> dict[str, File]:
    configmap = found.configmaps.get(name)
    if configmap is None:
        return _absent(f'configmap "{name}" not found', optional=optional)
    data = {key: text.encode() for key, text in configmap.data.items()} | dict(configmap.binary_data)
    return _picked(data, items, mode, "configmap references non-existent config key: {key}", optional=optional)


def _secret(
    name: str, items: Sequence[core_v1.KeyToPath], found: Sources, *, mode: int, optional: bool | None
) -> dict[str, File]:
    secret = found.secrets.get(name)
    if secret is None:
        return _absent(f'secret "{name}" not found', optional=optional)
    return _picked(secret.data, items, mode, "references non-existent secret key: {key}", optional=optional)


def _absent(message: str, *, optional: bool | None) -> dict[str, File]:
    if optional:
        return {}
    raise PayloadProblem(message)


def _picked(
    data: Mapping[str, bytes], items: Sequence[core_v1.KeyToPath], mode: int, problem: str, *, optional: bool | None
) -> dict[str, File]:
    """All keys as files, or those of `items` under their paths."""
    if not items:
        return {key: File(value, mode) for key, value in data.items()}
    picked = {}
    for item in items:
        if item.key in data:
            picked[item.path] = File(data[item.key], mode if item.mode is None else item.mode)
        elif not optional:
            raise PayloadProblem(problem.format(key=item.key))
    return picked


def _downward(pod: Pod, items: Sequence[core_v1.DownwardAPIVolumeFile], found: Sources, mode: int) -> dict[str, File]:
    made = {}
    for item in items:
        try:
            if item.field_ref:
                text = pod_field(pod, item.field_ref.field_path)
            elif item.resource_field_ref:
                text = resource_field(pod, "", item.resource_field_ref, found.allocatable)
            else:
                continue
        except FieldProblem as problem:
            raise PayloadProblem(str(problem)) from problem
        made[item.path] = File(text.encode(), mode if item.mode is None else item.mode)
    return made


def _projected(pod: Pod, projected: core_v1.ProjectedVolumeSource, found: Sources) -> dict[str, File]:
    mode, made = _mode(projected.default_mode), dict[str, File]()
    for source in projected.sources:
        if source.config_map:
            given = source.config_map
            made |= _configmap(given.name, given.items, found, mode=mode, optional=given.optional)
        elif source.secret:
            own = source.secret
            made |= _secret(own.name, own.items, found, mode=mode, optional=own.optional)
        elif source.downward_api:
            made |= _downward(pod, source.downward_api.items, found, mode)
        elif source.service_account_token:
            made[source.service_account_token.path] = _token(pod, source.service_account_token.path, found, mode)
        else:
            raise PayloadProblem("this projected volume source is not supported by PyKube")
    return made


def _token(pod: Pod, path: str, found: Sources, mode: int) -> File:
    """Readable for the pod's user alone, where there is one for all containers or a group of the pod's."""
    owner = _one_user(pod)
    context = pod.spec.security_context
    private = owner is not None or (context is not None and context.fs_group is not None)
    return File(found.tokens[path].encode(), 0o600 if private else mode, owner)


def _one_user(pod: Pod) -> int | None:
    shared = pod.spec.security_context.run_as_user if pod.spec.security_context else None
    users = set()
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        own = container.security_context.run_as_user if container.security_context else None
        users.add(shared if own is None else own)
    return users.pop() if len(users) == 1 else None

"""A container's and a pod's security context, as the runtime is told of it. Pure.

Sources: pkg/securitycontext/util.go, pkg/kubelet/kuberuntime/security_context.go, pkg/kubelet/dockershim (the last
version that had it) for Docker's words.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from apimachinery.objects import core_v1
from apimachinery.objects.core_v1 import Pod
from kubelet.pods.env import ConfigProblem
from kubelet.runtime.protocol import Security


@dataclass(frozen=True, slots=True)
class Powers:
    """What this machine lets us give away."""

    sys_resource: bool = True  # without it Docker's --privileged fails, and scores below our own cannot be set
    lowest_oom_score: int = -1000
    seccomp_root: str = "/var/lib/kubelet/seccomp"
    seccomp_default: bool = False  # who names no seccomp profile has the runtime's


def security(
    pod: Pod,
    container: core_v1.Container | core_v1.EphemeralContainer,
    *,
    powers: Powers,
    image_user: str = "",
    profiles: dict[str, str] | None = None,
) -> Security:
    """The container's own settings over the pod's. `profiles`: the texts of localhost seccomp profiles, by path."""
    own = container.security_context or core_v1.SecurityContext()
    shared = pod.spec.security_context or core_v1.PodSecurityContext()
    user = own.run_as_user if own.run_as_user is not None else shared.run_as_user
    group = own.run_as_group if own.run_as_group is not None else shared.run_as_group
    non_root = own.run_as_non_root if own.run_as_non_root is not None else shared.run_as_non_root
    if non_root:
        _refuse_root(pod, container.name, user, image_user)
    privileged = bool(own.privileged)
    asked = own.capabilities or core_v1.Capabilities()
    add, drop = _capabilities(asked.add), _capabilities(asked.drop)
    real = privileged and powers.sys_resource
    profile = own.seccomp_profile or shared.seccomp_profile
    if profile is None and powers.seccomp_default:
        profile = core_v1.SeccompProfile(type="RuntimeDefault")
    imitated = privileged and not real
    if imitated:
        add, drop = ("ALL",), (*drop, "SYS_RESOURCE")
    return Security(
        user=_user(user, group, image_user),
        groups=tuple(shared.supplemental_groups) + ((shared.fs_group,) if shared.fs_group is not None else ()),
        add=add,
        drop=drop,
        privileged=real,
        read_only_root=bool(own.read_only_root_filesystem),
        no_new_privileges=own.allow_privilege_escalation is False,
        seccomp="unconfined" if privileged else _seccomp(profile, profiles or {}),
        apparmor=_apparmor(own.app_armor_profile or shared.app_armor_profile),
        unmasked=own.proc_mount == "Unmasked" or imitated,
        all_devices=imitated,
    )


def _user(user: int | None, group: int | None, image_user: str) -> str:
    if user is None and group is None:
        return ""
    name = str(user) if user is not None else (image_user.partition(":")[0] or "0")
    return name if group is None else f"{name}:{group}"


def _refuse_root(pod: Pod, name: str, user: int | None, image_user: str) -> None:
    """`runAsNonRoot` is checked here, with the image's user where the spec names none."""
    where = f'(pod: "{pod.metadata.name}_{pod.metadata.namespace}({pod.metadata.uid})", container: {name})'
    if user == 0:
        raise ConfigProblem(f"container's runAsUser breaks non-root policy {where}")
    if user is None:
        name_or_id = image_user.partition(":")[0]
        if name_or_id in ("", "0", "root"):
            raise ConfigProblem(f"container has runAsNonRoot and image will run as root {where}")
        if not name_or_id.isdigit():
            raise ConfigProblem(
                f"container has runAsNonRoot and image has non-numeric user ({name_or_id}),"
                f" cannot verify user is non-root {where}"
            )


def _capabilities(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name.removeprefix("CAP_") for name in names)


def _seccomp(profile: core_v1.SeccompProfile | None, profiles: dict[str, str]) -> str:
    if profile is None or profile.type == "Unconfined":
        return "unconfined"
    if profile.type == "RuntimeDefault":
        return ""
    text = profiles.get(profile.localhost_profile)
    if text is None:
        raise ConfigProblem(f"cannot load seccomp profile {profile.localhost_profile}: no such file")
    return text


def _apparmor(profile: core_v1.AppArmorProfile | None) -> str:
    if profile is None or profile.type == "RuntimeDefault":
        return ""
    return "unconfined" if profile.type == "Unconfined" else profile.localhost_profile

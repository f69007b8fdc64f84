"""Security contexts of pods and containers.

Source: validation.go validatePodSpecSecurityContext, ValidateSecurityContext.
"""

import re

from apimachinery.errors import FieldError, not_supported
from apimachinery.types import Json
from apiserver.strategies import go_structs
from apiserver.strategies.pod import windows
from apiserver.strategies.pod.volumes import local_descending_path
from apiserver.strategies.problems import (
    Problems,
    duplicate,
    forbidden,
    go_struct,
    invalid,
    required,
    supported,
    too_long,
)

_ID = "must be between 0 and 2147483647, inclusive"
_MAX_ID = 2**31 - 1
_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
_LONGEST_PROFILE = 4095
_SYSCTL = re.compile(r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?")
_OF_IPC = ("kernel.shm", "kernel.msg", "fs.mqueue.")
_SWAPPED = str.maketrans("./", "/.")


def pod_context(path: str, spec: Json) -> Problems:
    """`spec.securityContext`."""
    tree = spec.get("securityContext") or {}
    for name in ("fsGroup", "runAsUser", "runAsGroup"):
        yield from _identity(f"{path}.{name}", tree.get(name))
    for i, group in enumerate(tree.get("supplementalGroups") or ()):
        yield from _identity(f"{path}.supplementalGroups[{i}]", group)
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        yield invalid(f"{path}.shareProcessNamespace", True, "ShareProcessNamespace and HostPID cannot both be enabled")
    yield from _sysctls(f"{path}.sysctls", tree, spec)
    policy = tree.get("fsGroupChangePolicy")
    yield from supported(f"{path}.fsGroupChangePolicy", policy, ("Always", "OnRootMismatch"))
    yield from _profile(f"{path}.seccompProfile", tree.get("seccompProfile"), "seccomp")
    yield from windows.options(f"{path}.windowsOptions", tree.get("windowsOptions"))
    yield from _profile(f"{path}.appArmorProfile", tree.get("appArmorProfile"), "AppArmor")
    policy = tree.get("supplementalGroupsPolicy")
    yield from supported(f"{path}.supplementalGroupsPolicy", policy, ("Merge", "Strict"))
    yield from supported(f"{path}.seLinuxChangePolicy", tree.get("seLinuxChangePolicy"), ("Recursive",))


def own_users(path: str, spec: Json) -> Problems:
    """A pod with users of its own (`hostUsers: false`) shares nothing else with the host. The paths are upstream's."""
    for name, shown in (("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")):
        if spec.get(name):
            yield forbidden(f"{path}.{shown}", "when `hostUsers` is false")
    for name in ("initContainers", "containers", "ephemeralContainers"):
        for i, container in enumerate(spec.get(name) or ()):
            if container.get("volumeDevices"):
                yield forbidden(f"{path}.{name}[{i}].volumeDevices", "when `hostUsers` is false")


def _sysctls(path: str, tree: Json, spec: Json) -> Problems:
    seen: set[str] = set()
    for i, entry in enumerate(tree.get("sysctls") or ()):
        name, here = entry.get("name", ""), f"{path}[{i}].name"
        if not name:
            yield required(here)
        elif len(name) > 253 or not _SYSCTL.fullmatch(name):
            yield invalid(here, name, f"must have at most 253 characters and match regex ^{_SYSCTL.pattern}$")
        elif name in seen:
            yield duplicate(here, name)
        plain = _dotted(name)
        if spec.get("hostNetwork") and plain.startswith("net."):
            yield invalid(here, name, "may not be specified when 'hostNetwork' is true")
        elif spec.get("hostIPC") and (plain == "kernel.sem" or plain.startswith(_OF_IPC)):
            yield invalid(here, name, "may not be specified when 'hostIPC' is true")
        seen.add(name)


def _dotted(name: str) -> str:
    """A setting's name with dots; the first separator says which of both they are."""
    first = re.search(r"[./]", name)
    return name if first is None or first[0] == "." else name.translate(_SWAPPED)


def _identity(path: str, value: int | None) -> Problems:
    if value is not None and not 0 <= value <= _MAX_ID:
        yield invalid(path, value, _ID)


def container_context(path: str, tree: Json | None, spec: Json) -> Problems:
    """`securityContext` of a container."""
    if tree is None:
        return
    for name in ("runAsUser", "runAsGroup"):
        yield from _identity(f"{path}.{name}", tree.get(name))
    if tree.get("procMount") is not None:
        yield from supported(f"{path}.procMount", tree["procMount"], ("Default", "Unmasked"))
        if tree["procMount"] == "Unmasked" and spec.get("hostUsers") is not False:
            yield invalid(f"{path}.procMount", "Unmasked", "`hostUsers` must be false to use `Unmasked`")
    yield from _profile(f"{path}.seccompProfile", tree.get("seccompProfile"), "seccomp")
    if tree.get("allowPrivilegeEscalation") is False:
        yield from _escalation(path, tree)
    yield from windows.options(f"{path}.windowsOptions", tree.get("windowsOptions"))
    yield from _profile(f"{path}.appArmorProfile", tree.get("appArmorProfile"), "AppArmor")


def _escalation(path: str, tree: Json) -> Problems:
    """Who may not come to more rights has not all of them already."""
    shown = go_structs.shown("core.SecurityContext", tree)
    if tree.get("privileged"):
        yield invalid(path, shown, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")
    for added in (tree.get("capabilities") or {}).get("add") or ():
        if added == "CAP_SYS_ADMIN":
            detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            yield invalid(path, shown, detail)


def app_armor_profile(path: str, profile: Json) -> Problems:
    yield from _profile(path, profile, "AppArmor")


def _profile(path: str, profile: Json | None, what: str) -> Problems:
    """Where a seccomp or AppArmor profile comes from; a local one is named."""
    if profile is None:
        return
    kind, local = profile.get("type", ""), profile.get("localhostProfile")
    if not kind:
        yield required(f"{path}.type", f"type is required when {path.rpartition('.')[2]} is set")
    elif kind not in _PROFILES:
        yield not_supported(f"{path}.type", kind, _PROFILES)
    if kind == "Localhost":
        yield from _local(f"{path}.localhostProfile", local, what)
    elif local is not None and (what == "seccomp" or kind in _PROFILES):
        yield _out_of_place(path, profile, what)


def _local(path: str, name: str | None, what: str) -> Problems:
    if what == "AppArmor" and name and name != name.strip():
        yield invalid(path, name, "must not be padded with whitespace")
    elif not name:
        yield required(path, f"must be set when {what} type is Localhost")
    elif what == "seccomp":
        yield from local_descending_path(path, name)
    if what == "AppArmor" and len((name or "").encode()) > _LONGEST_PROFILE:
        yield too_long(path, _LONGEST_PROFILE)


def _out_of_place(path: str, profile: Json, what: str) -> FieldError:
    """A local profile where none is used. Upstream shows the whole profile for seccomp, the name for AppArmor."""
    local = profile["localhostProfile"]
    shown = go_struct(Type=profile.get("type", ""), LocalhostProfile=local) if what == "seccomp" else local
    return invalid(f"{path}.localhostProfile", shown, f"can only be set when {what} type is Localhost")

"""What a pod says of Windows, in its security contexts. No node runs it, but the objects are judged.

Source: validation.go validateWindowsSecurityContextOptions, validateWindowsHostProcessPod, validateLinux and
validateWindows.
"""

import re
from collections.abc import Iterator

from apimachinery import names
from apimachinery.types import Json
from apiserver.strategies.problems import Problems, forbidden, invalid

_SPECIFICATION_KIB, _LONGEST_DOMAIN, _LONGEST_USER = 64, 256, 104
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NET_BIOS = re.compile(r'[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}')
_DNS = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?", re.ASCII)
_DOTS = re.compile(r"[. ]+")
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
#: What only Linux has, in upstream's order: of a pod's context, or ("") of the spec itself.
_OF_LINUX_PODS = (
    ("securityContext.", "appArmorProfile"), ("securityContext.", "seLinuxOptions"), ("", "hostUsers"), ("", "hostPID"),
    ("", "hostIPC"), ("securityContext.", "seccompProfile"), ("securityContext.", "fsGroup"),
    ("securityContext.", "fsGroupChangePolicy"), ("securityContext.", "sysctls"), ("", "shareProcessNamespace"),
    ("securityContext.", "runAsUser"), ("securityContext.", "runAsGroup"), ("securityContext.", "supplementalGroups"),
    ("securityContext.", "supplementalGroupsPolicy"), ("securityContext.", "seLinuxChangePolicy"),
)  # fmt: skip
_OF_LINUX_CONTAINERS = (
    "appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem", "privileged",
    "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup",
)  # fmt: skip
#: What says nothing when it is false, and a list that says nothing when it is empty.
_PLAIN = ("hostPID", "hostIPC", "sysctls")
_NOT_IN_USERS = re.compile(r'["/\\:;|=,+*?<>@\[\]]')


def options(path: str, tree: Json | None) -> Problems:
    """`windowsOptions` of a pod or container."""
    if tree is None:
        return
    name, text, user = (
        tree.get(member) for member in ("gmsaCredentialSpecName", "gmsaCredentialSpec", "runAsUserName")
    )
    if name is not None:
        for message in names.dns_subdomain(name):
            yield invalid(f"{path}.gmsaCredentialSpecName", name, message)
    if text == "":
        yield invalid(f"{path}.gmsaCredentialSpec", text, "gmsaCredentialSpec cannot be an empty string")
    elif text is not None and len(text.encode()) > _SPECIFICATION_KIB * 1024:
        detail = f"gmsaCredentialSpec size must be under {_SPECIFICATION_KIB} KiB"
        yield invalid(f"{path}.gmsaCredentialSpec", text, detail)
    for detail in _user(user) if user is not None else ():
        yield invalid(f"{path}.runAsUserName", user, f"runAsUserName{detail}")


def _user(whole: str) -> list[str]:
    """What is wrong with a user, before whose name a domain and a backslash may stand."""
    if not whole:
        return [" cannot be an empty string"]
    if _CONTROL.search(whole):
        return [" cannot contain control characters"]
    if whole.count("\\") > 1:
        return [" cannot contain more than one backslash"]
    domain, has_domain, user = whole.rpartition("\\")
    length, user_length = len(domain.encode()), len(user.encode())
    found = (
        (length >= _LONGEST_DOMAIN, f"'s Domain length must be under {_LONGEST_DOMAIN} characters"),
        (
            has_domain and not _NET_BIOS.fullmatch(domain) and not _DNS.fullmatch(domain),
            "'s Domain doesn't match the NetBios nor the DNS format",
        ),
        (not user, "'s User cannot be empty"),
        (user_length > _LONGEST_USER, f"'s User length must not be longer than {_LONGEST_USER} characters"),
        (_DOTS.fullmatch(user), "'s User cannot contain only periods or spaces"),
        (_NOT_IN_USERS.search(user), "'s User cannot contain the following characters: \"/\\:;|=,+*?<>@[]"),
    )
    return [detail for is_wrong, detail in found if is_wrong]


def _each(path: str, spec: Json) -> Iterator[tuple[str, Json]]:
    """The security context of each container, and where it is."""
    for name in _CONTAINERS:
        for i, container in enumerate(spec.get(name) or ()):
            yield f"{path}.{name}[{i}].securityContext", container.get("securityContext") or {}


def host_process(path: str, spec: Json) -> Problems:
    """Containers that are processes of the host: all of them or none, and on the host's network."""
    of_pod = ((spec.get("securityContext") or {}).get("windowsOptions") or {}).get("hostProcess")
    found = []
    for here, context in _each(path, spec):
        own = (context.get("windowsOptions") or {}).get("hostProcess")
        if None not in (of_pod, own) and own != of_pod:
            shown = str(of_pod).lower()
            why = f"pod hostProcess value must be identical if both are specified, was {shown}"
            yield invalid(f"{here}.windowsOptions.hostProcess", own, why)
        found.append(bool(of_pod if own is None else own))
    if not any(found):
        return
    if not all(found):
        why = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
        yield invalid(path, "", why)
    if not spec.get("hostNetwork"):
        why = "hostNetwork must be true if pod contains any hostProcess containers"
        yield invalid(f"{path}.hostNetwork", False, why)


def operating_system(path: str, spec: Json) -> Problems:
    """A pod of one operating system says nothing that only the other knows."""
    is_linux, why = spec["os"].get("name") == "linux", "cannot be set for a windows pod"
    context = spec.get("securityContext") or {}
    if is_linux:
        why = "windows options cannot be set for a linux pod"
        if context.get("windowsOptions") is not None:
            yield forbidden(f"{path}.securityContext.windowsOptions", why)
    else:
        for where, name in _OF_LINUX_PODS:
            value = (context if where else spec).get(name)
            if value if name in _PLAIN else value is not None:
                yield forbidden(f"{path}.{where}{name}", why)
    for here, own in _each(path, spec):
        for name in ("windowsOptions",) if is_linux else _OF_LINUX_CONTAINERS:
            if own.get(name) is not None:
                yield forbidden(f"{here}.{name}", why)

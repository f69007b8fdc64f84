"""The Pod Security Standards, baseline and restricted, as a table of checks over a pod (or a template).

Each check gives `reason (detail)` in upstream's words, or nothing. Some have been made, or were stricter, only since a
minor version: a namespace may pin the standards of an older one.
Source: k8s.io/pod-security-admission/policy/check_*.go.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

from apimachinery.errors import go_quoted
from apimachinery.types import Json

_DEFAULT_CAPABILITIES = frozenset(
    (
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    )
)  # fmt: skip
#: Since which version a sysctl may be set.
_SYSCTLS = {
    "kernel.shm_rmid_forced": 0, "net.ipv4.ip_local_port_range": 0, "net.ipv4.tcp_syncookies": 0,
    "net.ipv4.ping_group_range": 0, "net.ipv4.ip_unprivileged_port_start": 0, "net.ipv4.ip_local_reserved_ports": 27,
    "net.ipv4.tcp_keepalive_time": 29, "net.ipv4.tcp_fin_timeout": 29, "net.ipv4.tcp_keepalive_intvl": 29,
    "net.ipv4.tcp_keepalive_probes": 29, "net.ipv4.tcp_rmem": 32, "net.ipv4.tcp_wmem": 32,
}  # fmt: skip
_VOLUMES = frozenset(
    (
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
        "image",
    )
)
#: Since which version a type of SELinux may be set.
_SELINUX = {"": 0, "container_t": 0, "container_init_t": 0, "container_kvm_t": 0, "container_engine_t": 31}
#: Since then Windows pods need not set what is Linux's.
_WINDOWS_SINCE = 25
_NEWEST = 10_000
#: Before that, the profiles of seccomp were annotations.
_SECCOMP_FIELDS_SINCE = 19
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
_PROFILES = ("RuntimeDefault", "Localhost")


def _containers(spec: Json) -> list[Json]:
    lists = ("initContainers", "containers", "ephemeralContainers")
    return [container for name in lists for container in spec.get(name) or ()]


def _spec(pod: Json) -> Json:
    return pod.get("spec") or {}


def _context(tree: Json) -> Json:
    return tree.get("securityContext") or {}


def _named(containers: Iterable[Json]) -> str:
    """`container "a"` or `containers "a", "b"`."""
    names = [f'"{container.get("name", "")}"' for container in containers]
    return f"container{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _quoted(values: Iterable[str]) -> str:
    return ", ".join(f'"{value}"' for value in values)


def _host_namespaces(pod: Json, _minor: int) -> str:
    spec = _spec(pod)
    shared = [f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    return f"host namespaces ({', '.join(shared)})" if shared else ""


def _privileged(pod: Json, _minor: int) -> str:
    spec = _spec(pod)
    bad = [c for c in _containers(spec) if _context(c).get("privileged")]
    must = "must not set securityContext.privileged=true"
    return f"privileged ({_named(bad)} {must})" if bad else ""


def _added_capabilities(pod: Json, _minor: int) -> str:
    spec = _spec(pod)
    bad, names = [], set[str]()
    for container in _containers(spec):
        added = set((_context(container).get("capabilities") or {}).get("add") or ()) - _DEFAULT_CAPABILITIES
        if added:
            bad.append(container)
            names |= added
    if not bad:
        return ""
    listed = _quoted(sorted(names))
    return f"non-default capabilities ({_named(bad)} must not include {listed} in securityContext.capabilities.add)"


def _host_paths(pod: Json, _minor: int) -> str:
    spec = _spec(pod)
    bad = [volume.get("name", "") for volume in spec.get("volumes") or () if volume.get("hostPath") is not None]
    return f"hostPath volumes (volume{'s' if len(bad) > 1 else ''} {_quoted(bad)})" if bad else ""


def _host_ports(pod: Json, _minor: int) -> str:
    spec = _spec(pod)
    bad, numbers = [], set[int]()
    for container in _containers(spec):
        ports = {entry["hostPort"] for entry in container.get("ports") or () if entry.get("hostPort")}
        if ports:
            bad.append(container)
            numbers |= ports
    if not bad:
        return ""
    word = "hostPorts" if len(numbers) > 1 else "hostPort"
    return f"hostPort ({_named(bad)} use{'' if len(bad) > 1 else 's'} {word} {', '.join(map(str, sorted(numbers)))})"


def _selinux(pod: Json, minor: int) -> str:
    spec = _spec(pod)
    who = ["pod"] if _wrong_selinux(spec, minor) else []
    bad = [container for container in _containers(spec) if _wrong_selinux(container, minor)]
    if bad:
        who.append(_named(bad))
    if not who:
        return ""
    options = [_context(tree).get("seLinuxOptions") or {} for tree in (spec, *_containers(spec))]
    kinds = sorted({kind for each in options if _is_later(_SELINUX, kind := each.get("type", ""), minor)})
    details = [f"type{'s' if len(kinds) > 1 else ''} {_quoted(kinds)}"] if kinds else []
    details += [f"{name} may not be set" for name in ("user", "role") if any(each.get(name) for each in options)]
    return f"seLinuxOptions ({' and '.join(who)} set forbidden securityContext.seLinuxOptions: {'; '.join(details)})"


def _is_later(since: Mapping[str, int], value: str, minor: int) -> bool:
    """Whether a value is not allowed, or not yet."""
    return since.get(value, _NEWEST + 1) > minor


def _wrong_selinux(tree: Json, minor: int) -> bool:
    options = _context(tree).get("seLinuxOptions") or {}
    return _is_later(_SELINUX, options.get("type", ""), minor) or bool(options.get("user") or options.get("role"))


def _probed_hosts(pod: Json, _minor: int) -> str:
    spec = _spec(pod)
    bad: list[Json] = []
    hosts = set[str]()
    for container in _containers(spec):
        hooks = container.get("lifecycle") or {}
        handlers = [container.get(name) for name in ("livenessProbe", "readinessProbe", "startupProbe")]
        handlers += [hooks.get("postStart"), hooks.get("preStop")]
        actions = [(h or {}).get(way) or {} for h in handlers for way in ("httpGet", "tcpSocket")]
        found = {action["host"] for action in actions if action.get("host")}
        if found:
            bad.append(container)
            hosts |= found
    if not bad:
        return ""
    bad.sort(key=lambda container: str(container.get("name", "")))
    uses, s = "use" if len(bad) > 1 else "uses", "s" if len(hosts) > 1 else ""
    return f"probe or lifecycle host ({_named(bad)} {uses} probe or lifecycle host{s} {_quoted(sorted(hosts))})"


def _proc_mount(pod: Json, _minor: int) -> str:
    spec = _spec(pod)
    bad = [c for c in _containers(spec) if _context(c).get("procMount") not in (None, "Default")]
    if not bad:
        return ""
    return f'procMount ({_named(bad)} must not set securityContext.procMount to "Unmasked")'


def _unconfined(pod: Json, minor: int) -> str:
    if minor < _SECCOMP_FIELDS_SINCE:
        return _unconfined_by_annotation(pod)
    spec = _spec(pod)
    who = []
    if (_context(spec).get("seccompProfile") or {}).get("type") == "Unconfined":
        who.append("pod")
    bad = [c for c in _containers(spec) if (_context(c).get("seccompProfile") or {}).get("type") == "Unconfined"]
    if bad:
        who.append(_named(bad))
    if not who:
        return ""
    return f'seccompProfile ({" and ".join(who)} must not set securityContext.seccompProfile.type to "Unconfined")'


def _unconfined_by_annotation(pod: Json) -> str:
    annotations: Json = (pod.get("metadata") or {}).get("annotations") or {}
    keys = [_SECCOMP_POD, *(_SECCOMP_CONTAINER + container.get("name", "") for container in _containers(_spec(pod)))]
    bad = sorted(
        f"{key}={go_quoted(value)}"
        for key in set(keys)
        if (value := annotations.get(key)) is not None
        and not (value in ("runtime/default", "docker/default") or value.startswith("localhost/"))
    )
    return f"seccompProfile (forbidden annotation{'s' if len(bad) > 1 else ''} {', '.join(bad)})" if bad else ""


def _app_armor(pod: Json, _minor: int) -> str:
    """AppArmor profiles, which may be asked for by annotations as well."""
    spec = _spec(pod)
    who = ["pod"] if _wrong_profile(spec) else []
    bad = [container for container in _containers(spec) if _wrong_profile(container)]
    wrong = [tree for tree in (spec, *bad) if _wrong_profile(tree)]
    values = sorted({_context(tree)["appArmorProfile"].get("type", "") for tree in wrong})
    if bad:
        who.append(_named(bad))
    annotations: Json = (pod.get("metadata") or {}).get("annotations") or {}
    noted = sorted(f'{key}="{value}"' for key, value in annotations.items() if _is_unconfined(key, str(value)))
    if noted:
        who.append("annotations" if len(noted) > 1 else "annotation")
        values += noted
    if not who:
        return ""
    reason = f"forbidden AppArmor profile{'s' if len(values) > 1 else ''}"
    return f"{reason} ({' and '.join(who)} must not set AppArmor profile type to {_quoted(values)})"


def _wrong_profile(tree: Json) -> bool:
    profile = _context(tree).get("appArmorProfile")
    return profile is not None and profile.get("type") not in _PROFILES


def _is_unconfined(key: str, value: str) -> bool:
    allowed = not value or value == "runtime/default" or value.startswith("localhost/")
    return key.startswith("container.apparmor.security.beta.kubernetes.io/") and not allowed


def _sysctls(pod: Json, minor: int) -> str:
    spec = _spec(pod)
    names = [entry.get("name", "") for entry in _context(spec).get("sysctls") or ()]
    bad = [name for name in names if _is_later(_SYSCTLS, name, minor)]
    return f"forbidden sysctls ({', '.join(bad)})" if bad else ""


def _host_process(pod: Json, _minor: int) -> str:
    spec = _spec(pod)
    who = ["pod"] if _is_host_process(spec) else []
    if bad := [container for container in _containers(spec) if _is_host_process(container)]:
        who.append(_named(bad))
    must = "must not set securityContext.windowsOptions.hostProcess=true"
    return f"hostProcess ({' and '.join(who)} {must})" if who else ""


def _is_host_process(tree: Json) -> bool:
    return bool((_context(tree).get("windowsOptions") or {}).get("hostProcess"))


def _volume_types(pod: Json, _minor: int) -> str:
    spec = _spec(pod)
    bad, kinds = [], set[str]()
    for volume in spec.get("volumes") or ():
        found = {name for name in volume if name != "name" and volume[name] is not None} - _VOLUMES
        if found:
            bad.append(volume.get("name", ""))
            kinds |= found
    if not bad:
        return ""
    s = "s" if len(bad) > 1 else ""
    word = f"restricted volume type{'s' if len(kinds) > 1 else ''}"
    return f"restricted volume types (volume{s} {_quoted(bad)} use{'' if s else 's'} {word} {_quoted(sorted(kinds))})"


def _escalation(pod: Json, minor: int) -> str:
    spec = _spec(pod)
    if minor >= _WINDOWS_SINCE and _is_windows(spec):
        return ""
    bad = [c for c in _containers(spec) if _context(c).get("allowPrivilegeEscalation") is not False]
    must = "must set securityContext.allowPrivilegeEscalation=false"
    return f"allowPrivilegeEscalation != false ({_named(bad)} {must})" if bad else ""


def _dropped_capabilities(pod: Json, minor: int) -> str:
    spec = _spec(pod)
    if minor >= _WINDOWS_SINCE and _is_windows(spec):
        return ""
    kept, adding, names = [], [], set[str]()
    for container in _containers(spec):
        capabilities = _context(container).get("capabilities") or {}
        if "ALL" not in (capabilities.get("drop") or ()):
            kept.append(container)
        added = set(capabilities.get("add") or ()) - {"NET_BIND_SERVICE"}
        if added:
            adding.append(container)
            names |= added
    details = []
    if kept:
        details.append(f'{_named(kept)} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        listed = _quoted(sorted(names))
        details.append(f"{_named(adding)} must not include {listed} in securityContext.capabilities.add")
    return f"unrestricted capabilities ({'; '.join(details)})" if details else ""


def _not_root(pod: Json, _minor: int) -> str:
    spec = _spec(pod)
    own = _context(spec).get("runAsNonRoot")
    explicit = [c for c in _containers(spec) if _context(c).get("runAsNonRoot") is False]
    silent = [c for c in _containers(spec) if _context(c).get("runAsNonRoot") is None]
    if explicit:
        return f"runAsNonRoot != true ({_named(explicit)} must not set securityContext.runAsNonRoot=false)"
    if own is False:
        return "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)"
    if own or not silent:
        return ""
    return f"runAsNonRoot != true (pod or {_named(silent)} must set securityContext.runAsNonRoot=true)"


def _not_uid_0(pod: Json, _minor: int) -> str:
    spec = _spec(pod)
    who = ["pod"] if _context(spec).get("runAsUser") == 0 else []
    bad = [c for c in _containers(spec) if _context(c).get("runAsUser") == 0]
    if bad:
        who.append(_named(bad))
    return f"runAsUser=0 ({' and '.join(who)} must not set runAsUser=0)" if who else ""


def _profile(pod: Json, minor: int) -> str:
    spec = _spec(pod)
    if minor >= _WINDOWS_SINCE and _is_windows(spec):
        return ""
    own = (_context(spec).get("seccompProfile") or {}).get("type")
    types = {id(c): (_context(c).get("seccompProfile") or {}).get("type") for c in _containers(spec)}
    silent = [c for c in _containers(spec) if types[id(c)] is None]
    bad = [c for c in _containers(spec) if types[id(c)] is not None and types[id(c)] not in _PROFILES]
    who, values = ([], set[str]()) if own is None or own in _PROFILES else (["pod"], {own})
    if bad:
        who.append(_named(bad))
        values |= {types[id(c)] for c in bad}
    if who:
        must = f"must not set securityContext.seccompProfile.type to {_quoted(sorted(values))}"
        return f"seccompProfile ({' and '.join(who)} {must})"
    if own in _PROFILES or not silent:
        return ""
    must = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return f"seccompProfile (pod or {_named(silent)} {must})"


def _is_windows(spec: Json) -> bool:
    return (spec.get("os") or {}).get("name") == "windows"


Check = Callable[[Json, int], str]
#: In upstream's order, with the version since which it is made.
_BASELINE: Sequence[tuple[Check, int]] = (
    (_app_armor, 0), (_added_capabilities, 0), (_host_namespaces, 0), (_host_paths, 0), (_host_ports, 0),
    (_probed_hosts, 34), (_privileged, 0), (_proc_mount, 0), (_selinux, 0), (_unconfined, 0), (_sysctls, 0),
    (_host_process, 0),
)  # fmt: skip
#: What the restricted level has beside them.
_RESTRICTED: Sequence[tuple[Check, int]] = (
    (_escalation, 8), (_dropped_capabilities, 22), (_volume_types, 0), (_not_root, 0), (_not_uid_0, 23), (_profile, 19),
)  # fmt: skip
#: The stricter form that the restricted level has of a check.
_STRICTER: dict[Check, Check] = {
    _added_capabilities: _dropped_capabilities,
    _host_paths: _volume_types,
    _unconfined: _profile,
}


def violations(level: str, pod: Json, version: str = "latest") -> list[str]:
    """What a pod does that its level forbids; nothing for privileged. An unknown level counts as restricted."""
    if level == "privileged":
        return []
    minor = int(version[3:]) if version.startswith("v1.") and version[3:].isdigit() else _NEWEST
    return [text for check in _checks(level, minor) if (text := check(pod, minor))]


@lru_cache(maxsize=128)
def _checks(level: str, minor: int) -> tuple[Check, ...]:
    baseline = [check for check, since in _BASELINE if minor >= since]
    if level == "baseline":
        return tuple(baseline)
    restricted = [check for check, since in _RESTRICTED if minor >= since]
    return (*(check for check in baseline if _STRICTER.get(check) not in restricted), *restricted)

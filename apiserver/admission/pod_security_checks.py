"""The Pod Security Standards, baseline and restricted, as a table of checks over a pod (or a template).

Each check gives `reason (detail)` in upstream's words, or nothing.
Source: k8s.io/pod-security-admission/policy/check_*.go.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from apimachinery.types import Json

_DEFAULT_CAPABILITIES = frozenset(
    (
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    )
)  # fmt: skip
_SYSCTLS = frozenset(
    (
        "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
    )
)  # fmt: skip
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
_SELINUX = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_PROFILES = ("RuntimeDefault", "Localhost")


def _containers(spec: Json) -> list[Json]:
    lists = ("initContainers", "containers", "ephemeralContainers")
    return [container for name in lists for container in spec.get(name) or ()]


def _context(tree: Json) -> Json:
    return tree.get("securityContext") or {}


def _named(containers: Iterable[Json]) -> str:
    """`container "a"` or `containers "a", "b"`."""
    names = [f'"{container.get("name", "")}"' for container in containers]
    return f"container{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _quoted(values: Iterable[str]) -> str:
    return ", ".join(f'"{value}"' for value in values)


def _host_namespaces(spec: Json) -> str:
    shared = [f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    return f"host namespaces ({', '.join(shared)})" if shared else ""


def _privileged(spec: Json) -> str:
    bad = [c for c in _containers(spec) if _context(c).get("privileged")]
    must = "must not set securityContext.privileged=true"
    return f"privileged ({_named(bad)} {must})" if bad else ""


def _added_capabilities(spec: Json) -> str:
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


def _host_paths(spec: Json) -> str:
    bad = [volume.get("name", "") for volume in spec.get("volumes") or () if volume.get("hostPath") is not None]
    return f"hostPath volumes (volume{'s' if len(bad) > 1 else ''} {_quoted(bad)})" if bad else ""


def _host_ports(spec: Json) -> str:
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


def _selinux(spec: Json) -> str:
    kinds: list[str] = []
    fixed = False
    for tree in (spec, *_containers(spec)):
        options = _context(tree).get("seLinuxOptions") or {}
        if options.get("type", "") not in _SELINUX:
            kinds.append(options["type"])
        fixed = fixed or bool(options.get("user") or options.get("role"))
    details = []
    if kinds:
        details.append(f"type{'s' if len(kinds) > 1 else ''} {_quoted(sorted(set(kinds)))}")
    if fixed:
        details.append("user or role may not be set")
    return f"seLinuxOptions ({'; '.join(details)})" if details else ""


def _proc_mount(spec: Json) -> str:
    bad = [c for c in _containers(spec) if _context(c).get("procMount") not in (None, "Default")]
    if not bad or spec.get("hostUsers") is False:
        return ""
    return f'procMount ({_named(bad)} must not set securityContext.procMount to "Unmasked")'


def _unconfined(spec: Json) -> str:
    who = []
    if (_context(spec).get("seccompProfile") or {}).get("type") == "Unconfined":
        who.append("pod")
    bad = [c for c in _containers(spec) if (_context(c).get("seccompProfile") or {}).get("type") == "Unconfined"]
    if bad:
        who.append(_named(bad))
    if not who:
        return ""
    return f'seccompProfile ({" and ".join(who)} must not set securityContext.seccompProfile.type to "Unconfined")'


def _app_armor(spec: Json) -> str:
    trees = (spec, *_containers(spec))
    bad = [t for t in trees if (_context(t).get("appArmorProfile") or {}).get("type") == "Unconfined"]
    return 'forbidden AppArmor profile ("Unconfined")' if bad else ""


def _sysctls(spec: Json) -> str:
    names = [entry.get("name", "") for entry in _context(spec).get("sysctls") or ()]
    bad = [name for name in names if name not in _SYSCTLS]
    return f"forbidden sysctls ({', '.join(bad)})" if bad else ""


def _host_process(spec: Json) -> str:
    trees = (spec, *_containers(spec))
    bad = [t for t in trees if (_context(t).get("windowsOptions") or {}).get("hostProcess")]
    return "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)" if bad else ""


def _volume_types(spec: Json) -> str:
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


def _escalation(spec: Json) -> str:
    if _is_windows(spec):
        return ""
    bad = [c for c in _containers(spec) if _context(c).get("allowPrivilegeEscalation") is not False]
    must = "must set securityContext.allowPrivilegeEscalation=false"
    return f"allowPrivilegeEscalation != false ({_named(bad)} {must})" if bad else ""


def _dropped_capabilities(spec: Json) -> str:
    if _is_windows(spec):
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


def _not_root(spec: Json) -> str:
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


def _not_uid_0(spec: Json) -> str:
    who = ["pod"] if _context(spec).get("runAsUser") == 0 else []
    bad = [c for c in _containers(spec) if _context(c).get("runAsUser") == 0]
    if bad:
        who.append(_named(bad))
    return f"runAsUser=0 ({' and '.join(who)} must not set runAsUser=0)" if who else ""


def _profile(spec: Json) -> str:
    if _is_windows(spec):
        return ""
    own = (_context(spec).get("seccompProfile") or {}).get("type")
    silent, bad = [], []
    for container in _containers(spec):
        kind = (_context(container).get("seccompProfile") or {}).get("type")
        if kind is None:
            silent.append(container)
        elif kind not in _PROFILES:
            bad.append(container)
    if bad:
        return f'seccompProfile ({_named(bad)} must not set securityContext.seccompProfile.type to "Unconfined")'
    if own in _PROFILES or not silent:
        return ""
    must = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return f"seccompProfile (pod or {_named(silent)} {must})"


def _is_windows(spec: Json) -> bool:
    return (spec.get("os") or {}).get("name") == "windows"


Check = Callable[[Json], str]
_BASELINE: Sequence[Check] = (
    _app_armor, _added_capabilities, _host_namespaces, _host_paths, _host_ports, _privileged, _proc_mount, _unconfined,
    _selinux, _sysctls, _host_process,
)  # fmt: skip
#: The restricted level has stricter forms of two of the baseline's, and some of its own.
_RESTRICTED: Sequence[Check] = (
    _app_armor, _host_namespaces, _host_ports, _privileged, _proc_mount, _selinux, _sysctls, _host_process,
    _escalation, _dropped_capabilities, _volume_types, _not_root, _not_uid_0, _profile,
)  # fmt: skip
_LEVELS: dict[str, Sequence[Check]] = {"baseline": _BASELINE, "restricted": _RESTRICTED}


def violations(level: str, pod: Json) -> list[str]:
    """What a pod does that its level forbids; nothing for privileged. An unknown level counts as restricted."""
    if level == "privileged":
        return []
    return [*_found(_LEVELS.get(level, _RESTRICTED), pod.get("spec") or {})]


def _found(checks: Sequence[Check], spec: Json) -> Iterator[str]:
    return (text for check in checks if (text := check(spec)))

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
    who = ["pod"] if _wrong_selinux(spec) else []
    bad = [container for container in _containers(spec) if _wrong_selinux(container)]
    if bad:
        who.append(_named(bad))
    if not who:
        return ""
    options = [_context(tree).get("seLinuxOptions") or {} for tree in (spec, *_containers(spec))]
    kinds = sorted({kind for each in options if (kind := each.get("type", "")) not in _SELINUX})
    details = [f"type{'s' if len(kinds) > 1 else ''} {_quoted(kinds)}"] if kinds else []
    details += [f"{name} may not be set" for name in ("user", "role") if any(each.get(name) for each in options)]
    return f"seLinuxOptions ({' and '.join(who)} set forbidden securityContext.seLinuxOptions: {'; '.join(details)})"


def _wrong_selinux(tree: Json) -> bool:
    options = _context(tree).get("seLinuxOptions") or {}
    return options.get("type", "") not in _SELINUX or bool(options.get("user") or options.get("role"))


def _probed_hosts(spec: Json) -> str:
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


def _app_armor(pod: Json) -> str:
    """AppArmor profiles, which may be asked for by annotations as well."""
    spec = pod.get("spec") or {}
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


Check = Callable[[Json], str]
#: In upstream's order. AppArmor's stands before them all.
_BASELINE: Sequence[Check] = (
    _added_capabilities, _host_namespaces, _host_paths, _host_ports, _probed_hosts, _privileged, _proc_mount, _selinux,
    _unconfined, _sysctls, _host_process,
)  # fmt: skip
#: The restricted level has stricter forms of three of the baseline's, and some of its own.
_RESTRICTED: Sequence[Check] = (
    _host_namespaces, _host_ports, _probed_hosts, _privileged, _proc_mount, _selinux, _sysctls, _host_process,
    _escalation, _dropped_capabilities, _volume_types, _not_root, _not_uid_0, _profile,
)  # fmt: skip
_LEVELS: dict[str, Sequence[Check]] = {"baseline": _BASELINE, "restricted": _RESTRICTED}
#: The minor versions since which a check is made.
_SINCE: dict[Check, int] = {_probed_hosts: 34}


def violations(level: str, pod: Json, version: str = "latest") -> list[str]:
    """What a pod does that its level forbids; nothing for privileged. An unknown level counts as restricted."""
    if level == "privileged":
        return []
    minor = int(version[3:]) if version.startswith("v1.") and version[3:].isdigit() else None
    return [*_found(level, pod, minor)]


def _found(level: str, pod: Json, minor: int | None) -> Iterator[str]:
    if text := _app_armor(pod):
        yield text
    for check in _LEVELS.get(level, _RESTRICTED):
        if (minor is None or minor >= _SINCE.get(check, 0)) and (text := check(pod.get("spec") or {})):
            yield text

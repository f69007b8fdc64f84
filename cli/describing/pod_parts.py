"""Containers, volumes, tolerations: what pods and pod templates have in common. Source: kubectl/pkg/describe."""

from collections.abc import Callable, Sequence

from apimachinery.types import Json
from cli.describing.volumes import volume_lines
from cli.describing.writer import Writer, annotation_lines, boolean, labels_lines, rfc1123

Resolve = Callable[[Json, Json], str]


def container_lines(
    writer: Writer,
    title: str,
    containers: Sequence[Json],
    statuses: Sequence[Json] = (),
    space: str = "",
    resolve: Resolve = lambda _container, _source: "",
) -> None:
    """`Containers:` with everything in them."""
    by_name = {status["name"]: status for status in statuses}
    writer.line(f"{space}{title}:{'' if containers else ' <none>'}")
    for container in containers:
        status = by_name.get(container["name"])
        _basics(writer, container, status, space)
        for key, title_ in (("command", "Command"), ("args", "Args")):
            if container.get(key):
                writer.write(2, f"{title_}:\n")
                for word in container[key]:
                    for part in word.split("\n"):
                        writer.write(3, f"{part}\n")
        if status:
            _state_lines(writer, status)
        resource_lines(writer, container.get("resources") or {}, 2)
        for key in ("liveness", "readiness", "startup"):
            if probe := container.get(f"{key}Probe"):
                writer.write(2, f"{key.capitalize()}:\t{probe_text(probe)}\n")
        _environment(writer, container, resolve)
        _mounts(writer, container)


def _basics(writer: Writer, container: Json, status: Json | None, space: str) -> None:
    writer.write(1, f"{' ' if space else ''}{container['name']}:\n")
    if status:
        writer.write(2, f"Container ID:\t{status.get('containerID', '')}\n")
    writer.write(2, f"Image:\t{container.get('image', '')}\n")
    if status:
        writer.write(2, f"Image ID:\t{status.get('imageID', '')}\n")
    ports = container.get("ports") or []
    for title, key in (("Port", "containerPort"), ("Host Port", "hostPort")):
        text = ", ".join(f"{port.get(key, 0)}/{port.get('protocol', 'TCP')}" for port in ports)
        writer.write(2, f"{title}s:\t{text}\n" if "," in text else f"{title}:\t{text or '<none>'}\n")
    seccomp = (container.get("securityContext") or {}).get("seccompProfile")
    if seccomp:
        writer.write(2, f"SeccompProfile:\t{seccomp['type']}\n")
        if seccomp["type"] == "Localhost":
            writer.write(3, f"LocalhostProfile:\t{seccomp.get('localhostProfile', '')}\n")


def _state_lines(writer: Writer, status: Json) -> None:
    _one_state(writer, "State", status.get("state") or {})
    if (status.get("lastState") or {}).get("terminated"):
        _one_state(writer, "Last State", status["lastState"])
    writer.write(2, f"Ready:\t{bool(status.get('ready'))}\n")
    writer.write(2, f"Restart Count:\t{status.get('restartCount', 0)}\n")


def _one_state(writer: Writer, title: str, state: Json) -> None:
    if running := state.get("running"):
        writer.write(2, f"{title}:\tRunning\n")
        writer.write(3, f"Started:\t{rfc1123(running.get('startedAt'))}\n")
    elif ended := state.get("terminated"):
        writer.write(2, f"{title}:\tTerminated\n")
        for key in ("reason", "message"):
            if ended.get(key):
                writer.write(3, f"{key.capitalize()}:\t{ended[key]}\n")
        writer.write(3, f"Exit Code:\t{ended.get('exitCode', 0)}\n")
        if ended.get("signal"):
            writer.write(3, f"Signal:\t{ended['signal']}\n")
        writer.write(3, f"Started:\t{rfc1123(ended.get('startedAt'))}\n")
        writer.write(3, f"Finished:\t{rfc1123(ended.get('finishedAt'))}\n")
    else:
        writer.write(2, f"{title}:\tWaiting\n")
        if reason := (state.get("waiting") or {}).get("reason"):
            writer.write(3, f"Reason:\t{reason}\n")


def resource_lines(writer: Writer, resources: Json, level: int) -> None:
    """`Limits:` and `Requests:`."""
    for title in ("Limits", "Requests"):
        values = resources.get(title.lower())
        if values:
            writer.write(level, f"{title}:\n")
            for name in sorted(values):
                writer.write(level + 1, f"{name}:\t{values[name]}\n")


def probe_text(probe: Json) -> str:
    """`http-get http://:80/ delay=0s timeout=1s period=10s #success=1 #failure=3`."""
    rest = (
        f"delay={probe.get('initialDelaySeconds', 0)}s timeout={probe.get('timeoutSeconds', 0)}s "
        f"period={probe.get('periodSeconds', 0)}s #success={probe.get('successThreshold', 0)} "
        f"#failure={probe.get('failureThreshold', 0)}"
    )
    return f"{handler_text(probe)} {rest}"


def handler_text(probe: Json) -> str:
    """What a probe does."""
    if action := probe.get("exec"):
        return f"exec [{' '.join(action.get('command') or ())}]"
    if action := probe.get("httpGet"):
        host, path = action.get("host", ""), action.get("path", "")
        port = str(action.get("port", ""))
        where = f"{host}:{port}" if port else host
        return (
            f"http-get {action.get('scheme', 'HTTP').lower()}://{where}{path if path.startswith('/') else f'/{path}'}"
        )
    if action := probe.get("tcpSocket"):
        return f"tcp-socket {action.get('host', '')}:{action.get('port')}"
    if action := probe.get("grpc"):
        return f"grpc <pod>:{action.get('port')} {action.get('service') or ''}"
    return "unknown"


def _environment(writer: Writer, container: Json, resolve: Resolve) -> None:
    if container.get("envFrom"):
        writer.write(2, "Environment Variables from:\n")
        for source in container["envFrom"]:
            ref = source.get("configMapRef") or source.get("secretRef") or {}
            kind = "ConfigMap" if source.get("configMapRef") else "Secret"
            prefix = f" with prefix '{source['prefix']}'" if source.get("prefix") else ""
            writer.write(3, f"{ref.get('name')}\t{kind}{prefix}\tOptional: {boolean(ref.get('optional'))}\n")
    writer.write(2, f"Environment:{'' if container.get('env') else chr(9) + '<none>'}\n")
    for each in container.get("env") or ():
        source = each.get("valueFrom")
        if not source:
            for i, part in enumerate(each.get("value", "").split("\n")):
                writer.write(3, f"{each['name']}:\t{part}\n" if i == 0 else f"\t{part}\n")
        else:
            writer.write(3, f"{each['name']}:\t{_source_text(container, source, resolve)}\n")


def _source_text(container: Json, source: Json, resolve: Resolve) -> str:
    if ref := source.get("fieldRef"):
        return f"{resolve(container, source)} ({ref.get('apiVersion', 'v1')}:{ref['fieldPath']})"
    if ref := source.get("resourceFieldRef"):
        return f"{resolve(container, source)} ({ref['resource']})"
    if ref := source.get("secretKeyRef"):
        return f"<set to the key '{ref['key']}' in secret '{ref['name']}'>\tOptional: {boolean(ref.get('optional'))}"
    ref = source.get("configMapKeyRef") or {}
    key, name = ref.get("key"), ref.get("name")
    return f"<set to the key '{key}' of config map '{name}'>\tOptional: {boolean(ref.get('optional'))}"


def _mounts(writer: Writer, container: Json) -> None:
    mounts = container.get("volumeMounts") or []
    writer.write(2, f"Mounts:{'' if mounts else chr(9) + '<none>'}\n")
    for mount in sorted(mounts, key=lambda each: str(each["mountPath"])):
        flags = ["ro" if mount.get("readOnly") else "rw"]
        if mount.get("subPath"):
            flags.append(f'path="{mount["subPath"]}"')
        writer.write(3, f"{mount['mountPath']} from {mount['name']} ({','.join(flags)})\n")
    devices = container.get("volumeDevices") or []
    if devices:
        writer.write(2, "Devices:\n")
        for device in sorted(devices, key=lambda each: str(each["devicePath"])):
            writer.write(3, f"{device['devicePath']} from {device['name']}\n")


def toleration_lines(writer: Writer, tolerations: Sequence[Json] | None, space: str = "") -> None:
    """`Tolerations:  key=value:Effect op=Exists for 300s`."""
    lines = [_toleration(each) for each in sorted(tolerations or (), key=lambda each: each.get("key", ""))]
    for i, line in enumerate(lines or ["<none>"]):
        writer.line(f"{space}Tolerations:\t{line}" if i == 0 else f"{space}\t{line}")


def _toleration(each: Json) -> str:
    text = str(each.get("key", ""))
    text += f"={each['value']}" if each.get("value") else ""
    text += f":{each['effect']}" if each.get("effect") else ""
    if each.get("operator") == "Exists" and not each.get("value"):
        text += " op=Exists" if text else "op=Exists"
    seconds = each.get("tolerationSeconds")
    return text + (f" for {seconds}s" if seconds is not None else "")


def spread_lines(writer: Writer, constraints: Sequence[Json] | None, space: str = "") -> None:
    """`Topology Spread Constraints:`, where there are any."""
    from cli.pods_of import selector_text  # noqa: PLC0415  (pods_of imports much)

    for i, each in enumerate(sorted(constraints or (), key=lambda each: str(each["topologyKey"]))):
        head = f"{space}Topology Spread Constraints:\t" if i == 0 else f"{space}\t"
        skew = f"{each['topologyKey']}:{each['whenUnsatisfiable']} when max skew {each['maxSkew']} is exceeded"
        selector = each.get("labelSelector")
        writer.line(f"{head}{skew}{f' for selector {selector_text(selector)}' if selector else ''}")


def template_lines(writer: Writer, template: Json) -> None:
    """`Pod Template:` and what is in it."""
    writer.line("Pod Template:")
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    labels_lines(writer, "  Labels", metadata.get("labels"))
    if metadata.get("annotations"):
        annotation_lines(writer, "  Annotations", metadata["annotations"])
    if spec.get("serviceAccountName"):
        writer.line(f"  Service Account:\t{spec['serviceAccountName']}")
    if spec.get("initContainers"):
        container_lines(writer, "Init Containers", spec["initContainers"], space="  ")
    container_lines(writer, "Containers", spec.get("containers") or [], space="  ")
    volume_lines(writer, spec.get("volumes") or [], "  ")
    spread_lines(writer, spec.get("topologySpreadConstraints"), "  ")
    if spec.get("priorityClassName"):
        writer.line(f"  Priority Class Name:\t{spec['priorityClassName']}")
    labels_lines(writer, "  Node-Selectors", spec.get("nodeSelector"))
    toleration_lines(writer, spec.get("tolerations"), "  ")


def template_text(template: Json) -> str:
    """A pod template alone, as `rollout history --revision` shows it: kubectl does not align it."""
    writer = Writer()
    template_lines(writer, template)
    return writer.raw()


def statuses_of(pod: Json, key: str) -> Sequence[Json]:
    """Container statuses under a key of the pod's status."""
    found: Sequence[Json] = (pod.get("status") or {}).get(key) or ()
    return found


def counts(pods: Sequence[Json]) -> tuple[int, int, int, int]:
    """How many run, wait, have succeeded, have failed."""
    phases = [(pod.get("status") or {}).get("phase") for pod in pods]
    return tuple(phases.count(each) for each in ("Running", "Pending", "Succeeded", "Failed"))  # type: ignore[return-value]

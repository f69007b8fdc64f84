"""`describe pod`."""

from apimachinery.types import Json
from cli.describing.pod_parts import container_lines, spread_lines, statuses_of, toleration_lines
from cli.describing.volumes import volume_lines
from cli.describing.writer import Writer, age, annotation_lines, controller, labels_lines, rfc1123
from cli.session import Session


async def pod(_session: Session, tree: Json, writer: Writer) -> bool:
    """A pod with its containers, conditions and volumes."""
    spec, status = tree["spec"], tree.get("status") or {}
    _head(tree, writer)
    for title, key, statuses in (
        ("Init Containers", "initContainers", "initContainerStatuses"),
        ("Containers", "containers", "containerStatuses"),
        ("Ephemeral Containers", "ephemeralContainers", "ephemeralContainerStatuses"),
    ):
        if spec.get(key) or key == "containers":
            container_lines(
                writer,
                title,
                spec.get(key) or [],
                statuses_of(tree, statuses),
                resolve=lambda container, source: _resolved(tree, container, source),
            )
    if spec.get("readinessGates"):
        _gates(writer, spec["readinessGates"], status.get("conditions") or [])
    if status.get("conditions"):
        writer.line("Conditions:\n  Type\tStatus")
        for each in status["conditions"]:
            writer.write(1, f"{each['type']} \t{each['status']} \n")
    volume_lines(writer, spec.get("volumes") or [])
    writer.line(f"QoS Class:\t{status.get('qosClass', '')}")
    labels_lines(writer, "Node-Selectors", spec.get("nodeSelector"))
    toleration_lines(writer, spec.get("tolerations"))
    spread_lines(writer, spec.get("topologySpreadConstraints"))
    return True


def _head(tree: Json, writer: Writer) -> None:
    metadata, spec, status = tree["metadata"], tree["spec"], tree.get("status") or {}
    writer.line(f"Name:\t{metadata['name']}")
    writer.line(f"Namespace:\t{metadata['namespace']}")
    if spec.get("priority") is not None:
        writer.line(f"Priority:\t{spec['priority']}")
    for title, key in (
        ("Priority Class Name", "priorityClassName"),
        ("Runtime Class Name", "runtimeClassName"),
        ("Service Account", "serviceAccountName"),
    ):
        if spec.get(key):
            writer.line(f"{title}:\t{spec[key]}")
    node = spec.get("nodeName")
    writer.line(f"Node:\t{node}/{status.get('hostIP', '')}" if node else "Node:\t<none>")
    if status.get("startTime"):
        writer.line(f"Start Time:\t{rfc1123(status['startTime'])}")
    labels_lines(writer, "Labels", metadata.get("labels"))
    annotation_lines(writer, "Annotations", metadata.get("annotations"))
    if metadata.get("deletionTimestamp") and status.get("reason") != "NodeLost":
        writer.line(f"Status:\tTerminating (lasts {age(metadata['deletionTimestamp'])})")
        writer.line(f"Termination Grace Period:\t{metadata.get('deletionGracePeriodSeconds')}s")
    else:
        writer.line(f"Status:\t{status.get('phase', '')}")
    for title in ("Reason", "Message"):
        if status.get(title.lower()):
            writer.line(f"{title}:\t{status[title.lower()]}")
    seccomp = (spec.get("securityContext") or {}).get("seccompProfile")
    if seccomp:
        writer.line(f"SeccompProfile:\t{seccomp['type']}")
        if seccomp["type"] == "Localhost":
            writer.line(f"LocalhostProfile:\t{seccomp.get('localhostProfile', '')}")
    writer.line(f"IP:\t{status.get('podIP', '')}")
    writer.line("IPs:" if status.get("podIPs") else "IPs:\t<none>")
    for each in status.get("podIPs") or ():
        writer.write(1, f"IP:\t{each['ip']}\n")
    if owner := controller(tree):
        writer.line(f"Controlled By:\t{owner}")
    if status.get("nominatedNodeName"):
        writer.line(f"NominatedNodeName:\t{status['nominatedNodeName']}")


def _gates(writer: Writer, gates: list[Json], conditions: list[Json]) -> None:
    writer.line("Readiness Gates:\n  Type\tStatus")
    for gate in gates:
        type_ = gate["conditionType"]
        state = next((each["status"] for each in conditions if each["type"] == type_), "<none>")
        writer.write(1, f"{type_} \t{state} \n")


def _resolved(pod: Json, container: Json, source: Json) -> str:
    """The value of a downward reference; empty where it is known to the kubelet only."""
    if ref := source.get("resourceFieldRef"):
        part, _, name = ref["resource"].partition(".")
        values = (container.get("resources") or {}).get(part) or {}
        return str(values.get(name, "node allocatable" if part == "limits" else "0"))
    path = (source.get("fieldRef") or {}).get("fieldPath", "")
    metadata = pod["metadata"]
    for kind in ("labels", "annotations"):
        if path.startswith(f"metadata.{kind}['"):
            return str((metadata.get(kind) or {}).get(path.split("'")[1], ""))
    known = {
        "metadata.name": metadata.get("name", ""),
        "metadata.namespace": metadata.get("namespace", ""),
        "metadata.uid": metadata.get("uid", ""),
    }
    # kubectl has no conversion of the pod's other fields: spec.* and status.* stay empty there
    return str(known.get(path, ""))

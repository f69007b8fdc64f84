"""`describe` for persistent volumes, claims and storage classes."""

from apimachinery.kinds import PODS
from apimachinery.types import Json
from cli.describing.configs import head
from cli.describing.volumes import source_lines
from cli.describing.writer import Writer, annotation_lines, boolean, labels_lines
from cli.session import Session

_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _modes(spec: Json) -> str:
    return ",".join(_MODES.get(mode, mode) for mode in dict.fromkeys(spec.get("accessModes") or ()))


async def persistent_volume(_session: Session, tree: Json, writer: Writer) -> bool:
    """A persistent volume."""
    metadata, spec, status = tree["metadata"], tree["spec"], tree.get("status") or {}
    head(writer, tree, namespace=False)
    writer.line(f"Finalizers:\t[{' '.join(metadata.get('finalizers') or ())}]")
    writer.line(f"StorageClass:\t{spec.get('storageClassName', '')}")
    deleting = metadata.get("deletionTimestamp")
    writer.line(f"Status:\t{'Terminating' if deleting else status.get('phase', '')}")
    claim = spec.get("claimRef")
    writer.line(f"Claim:\t{claim['namespace']}/{claim['name']}" if claim else "Claim:\t")
    writer.line(f"Reclaim Policy:\t{spec.get('persistentVolumeReclaimPolicy', '')}")
    writer.line(f"Access Modes:\t{_modes(spec)}")
    writer.line(f"VolumeMode:\t{spec.get('volumeMode', '')}")
    writer.line(f"Capacity:\t{(spec.get('capacity') or {}).get('storage', '')}")
    _affinity(writer, spec.get("nodeAffinity"))
    writer.line(f"Message:\t{status.get('message', '')}")
    writer.line("Source:")
    source_lines(writer, spec)
    return True


def _affinity(writer: Writer, affinity: Json | None) -> None:
    writer.line(f"Node Affinity:\t{'' if affinity else '<none>'}")
    if not affinity:
        return
    required = affinity.get("required")
    writer.write(1, f"Required Terms:\t{'' if required else '<none>'}\n")
    for i, term in enumerate((required or {}).get("nodeSelectorTerms") or ()):
        rows = term.get("matchExpressions") or []
        for j, row in enumerate(rows):
            values = f" [{', '.join(row.get('values') or ())}]" if row.get("values") else ""
            head_text = f"Term {i}:\t" if j == 0 else "\t"
            writer.write(2, f"{head_text}{row['key']} {row['operator'].lower()}{values}\n")


async def persistent_volume_claim(session: Session, tree: Json, writer: Writer) -> bool:
    """A claim and the pods that use it."""
    metadata, spec, status = tree["metadata"], tree["spec"], tree.get("status") or {}
    writer.line(f"Name:\t{metadata['name']}")
    writer.line(f"Namespace:\t{metadata['namespace']}")
    writer.line(f"StorageClass:\t{spec.get('storageClassName') or ''}")
    writer.line(f"Status:\t{'Terminating' if metadata.get('deletionTimestamp') else status.get('phase', '')}")
    writer.line(f"Volume:\t{spec.get('volumeName', '')}")
    labels_lines(writer, "Labels", metadata.get("labels"))
    annotation_lines(writer, "Annotations", metadata.get("annotations"))
    writer.line(f"Finalizers:\t[{' '.join(metadata.get('finalizers') or ())}]")
    bound = bool(spec.get("volumeName"))
    writer.line(f"Capacity:\t{(status.get('capacity') or {}).get('storage', '') if bound else ''}")
    writer.line(f"Access Modes:\t{_modes(status) if bound else ''}")
    writer.line(f"VolumeMode:\t{spec.get('volumeMode', '')}")
    pods = (await session.get_json(PODS.path(metadata["namespace"])))["items"]
    users = [each["metadata"]["name"] for each in pods if _uses(each, metadata["name"])]
    for i, name in enumerate(users or ["<none>"]):
        writer.line(f"{'Used By:' if i == 0 else ''}\t{name}")
    return True


def _uses(pod: Json, claim: str) -> bool:
    volumes = pod["spec"].get("volumes") or ()
    return any((each.get("persistentVolumeClaim") or {}).get("claimName") == claim for each in volumes)


async def storage_class(_session: Session, tree: Json, writer: Writer) -> bool:
    """A storage class."""
    annotations = tree["metadata"].get("annotations") or {}
    writer.line(f"Name:\t{tree['metadata']['name']}")
    default = annotations.get("storageclass.kubernetes.io/is-default-class") == "true"
    writer.line(f"IsDefaultClass:\t{'Yes' if default else 'No'}")
    shown = ",".join(f"{key}={value}" for key, value in sorted(annotations.items()))
    writer.line(f"Annotations:\t{shown or '<none>'}")
    writer.line(f"Provisioner:\t{tree['provisioner']}")
    parameters = ",".join(f"{key}={value}" for key, value in sorted((tree.get("parameters") or {}).items()))
    writer.line(f"Parameters:\t{parameters or '<none>'}")
    expansion = tree.get("allowVolumeExpansion")
    writer.line(f"AllowVolumeExpansion:\t{'<unset>' if expansion is None else boolean(expansion).capitalize()}")
    options = tree.get("mountOptions")
    if not options:
        writer.line("MountOptions:\t<none>")
    else:
        writer.line("MountOptions:")
        for each in options:
            writer.line(f"  {each}")
    if tree.get("reclaimPolicy"):
        writer.line(f"ReclaimPolicy:\t{tree['reclaimPolicy']}")
    if tree.get("volumeBindingMode"):
        writer.line(f"VolumeBindingMode:\t{tree['volumeBindingMode']}")
    return True

"""Volumes of pods and the sources of persistent volumes. Source: kubectl/pkg/describe (describeVolumes)."""

from collections.abc import Sequence

from apimachinery.types import Json
from cli.describing.writer import Writer, boolean

#: source field -> (its Type line, (title, field, default, ...) of the rest)
_SOURCES: dict[str, tuple[str, Sequence[tuple[str, str, str]]]] = {
    "hostPath": (
        "HostPath (bare host directory volume)",
        (("Path", "path", ""), ("HostPathType", "type", "")),
    ),
    "emptyDir": (
        "EmptyDir (a temporary directory that shares a pod's lifetime)",
        (("Medium", "medium", ""), ("SizeLimit", "sizeLimit", "<unset>")),
    ),
    "secret": (
        "Secret (a volume populated by a Secret)",
        (("SecretName", "secretName", ""), ("Optional", "optional", "false")),
    ),
    "configMap": (
        "ConfigMap (a volume populated by a ConfigMap)",
        (("Name", "name", ""), ("Optional", "optional", "false")),
    ),
    "persistentVolumeClaim": (
        "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
        (("ClaimName", "claimName", ""), ("ReadOnly", "readOnly", "false")),
    ),
    "nfs": (
        "NFS (an NFS mount that lasts the lifetime of a pod)",
        (("Server", "server", ""), ("Path", "path", ""), ("ReadOnly", "readOnly", "false")),
    ),
    "local": ("LocalVolume (a persistent volume backed by local storage on a node)", (("Path", "path", ""),)),
    "csi": (
        "CSI (a Container Storage Interface (CSI) volume source)",
        (
            ("Driver", "driver", ""),
            ("FSType", "fsType", ""),
            ("VolumeHandle", "volumeHandle", ""),
            ("ReadOnly", "readOnly", "false"),
        ),
    ),
    "image": (
        "Image (a container image or OCI artifact)",
        (("Reference", "reference", ""), ("PullPolicy", "pullPolicy", "")),
    ),
}


def volume_lines(writer: Writer, volumes: Sequence[Json], space: str = "") -> None:
    """`Volumes:` with the source of each."""
    if not volumes:
        writer.line(f"{space}Volumes:\t<none>")
        return
    writer.line(f"{space}Volumes:")
    for volume in volumes:
        writer.write(1, f"{' ' if space else ''}{volume['name']}:\n")
        source_lines(writer, volume)


def source_lines(writer: Writer, volume: Json) -> None:
    """One volume's source, whatever it is."""
    for key, (type_, rows) in _SOURCES.items():
        if key in volume:
            writer.write(2, f"Type:\t{type_}\n")
            for title, field, default in rows:
                value = (volume[key] or {}).get(field, default)
                writer.write(2, f"{title}:\t{boolean(value) if isinstance(value, bool) else value}\n")
            return
    if "projected" in volume:
        _projected(writer, volume["projected"])
    elif "downwardAPI" in volume:
        writer.write(2, "Type:\tDownwardAPI (a volume populated by information about the pod)\n    Items:\n")
        for item in volume["downwardAPI"].get("items") or ():
            ref = item.get("fieldRef") or item.get("resourceFieldRef") or {}
            writer.write(3, f"{ref.get('fieldPath') or ref.get('resource')} -> {item['path']}\n")
    else:
        writer.write(2, "<unknown>\n")


def _projected(writer: Writer, projected: Json) -> None:
    writer.write(2, "Type:\tProjected (a volume that contains injected data from multiple sources)\n")
    for source in projected.get("sources") or ():
        if secret := source.get("secret"):
            writer.write(2, f"SecretName:\t{secret.get('name')}\n")
            writer.write(2, f"SecretOptionalName:\t{_pointer(secret.get('optional'))}\n")
        elif "downwardAPI" in source:
            writer.write(2, "DownwardAPI:\ttrue\n")
        elif config := source.get("configMap"):
            writer.write(2, f"ConfigMapName:\t{config.get('name')}\n")
            writer.write(2, f"ConfigMapOptional:\t{_pointer(config.get('optional'))}\n")
        elif token := source.get("serviceAccountToken"):
            writer.write(2, f"TokenExpirationSeconds:\t{token.get('expirationSeconds', 3600)}\n")


def _pointer(value: bool | None) -> str:
    return "<nil>" if value is None else boolean(value)

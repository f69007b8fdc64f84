"""The sources of a volume that lie elsewhere: network file systems, disks of clouds, storage drivers.

Most have no code behind them any more, but still their objects are judged. Source: validation.go, the functions that
validateVolumeSource calls.
"""

import re
from collections.abc import Callable

from apimachinery import names
from apimachinery.errors import not_supported
from apimachinery.types import Json
from apiserver.strategies.problems import Problems, dns_label, invalid, required, supported, too_long

_LUN = "must be between 0 and 255, inclusive"
_QUOBYTE = "must be a host:port pair or multiple pairs separated by commas"
_BLOB_URI = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"
_MANAGED_URI = (
    "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
)  # fmt: skip
_INITIATORS = {
    "iqn": re.compile(r"iqn\.\d{4}-\d{2}\.[a-z0-9.-]+:[^,;*&$|\s]+", re.ASCII | re.IGNORECASE),
    "eui": re.compile(r"eui.[a-zA-Z0-9]{16}"),
    "naa": re.compile(r"naa.[a-zA-Z0-9]{32}"),
}
_LONGEST_DRIVER = 63


def csi_driver(path: str, name: str) -> Problems:
    """The name of a CSI driver, where another object names it: ValidateCSIDriverName."""
    if not name:
        yield required(path)
    if len(name.encode()) > _LONGEST_DRIVER:
        yield too_long(path, _LONGEST_DRIVER)
    for message in names.dns_subdomain(name.lower()):
        yield invalid(path, name, message)


def _csi(path: str, tree: Json) -> Problems:
    yield from csi_driver(f"{path}.driver", tree.get("driver", ""))
    secret = tree.get("nodePublishSecretRef")
    if secret is not None and not secret.get("name"):
        yield required(f"{path}.nodePublishSecretRef.name")
    elif secret is not None:
        for message in names.dns_subdomain(secret["name"]):
            yield invalid(f"{path}.name", secret["name"], message)  # upstream's path


def _nfs(path: str, tree: Json) -> Problems:
    if not tree.get("path", "").startswith("/"):
        yield invalid(f"{path}.path", tree.get("path", ""), "must be an absolute path")


def _iscsi(path: str, tree: Json) -> Problems:
    if tree.get("iqn"):
        yield from initiator(f"{path}.iqn", tree["iqn"])
    if not 0 <= tree.get("lun", 0) <= 255:
        yield invalid(f"{path}.lun", tree["lun"], _LUN)
    if (tree.get("chapAuthDiscovery") or tree.get("chapAuthSession")) and tree.get("secretRef") is None:
        yield required(f"{path}.secretRef")
    if tree.get("initiatorName") is not None:
        yield from initiator(f"{path}.initiatorname", tree["initiatorName"])


def initiator(path: str, name: str, unknown: str = "must be valid format starting with iqn, eui, or naa") -> Problems:
    """The name of who begins, or of what is begun with."""
    pattern = _INITIATORS.get(name[:3])
    if pattern is None:
        yield invalid(path, name, unknown)
    elif not pattern.fullmatch(name):  # from its start, so that no long name takes long
        yield invalid(path, name, "must be valid format")


def _fibre_channel(path: str, tree: Json) -> Problems:
    targets, lun, here = tree.get("targetWWNs") or [], tree.get("lun"), f"{path}.targetWWNs"
    if not targets and not tree.get("wwids"):
        yield required(here, "must specify either targetWWNs or wwids, but not both")
    if targets and tree.get("wwids"):
        yield invalid(here, targets, "targetWWNs and wwids can not be specified simultaneously")
    if targets and lun is None:
        yield required(f"{path}.lun", "lun is required if targetWWNs is specified")
    elif targets and lun is not None and not 0 <= lun <= 255:
        yield invalid(f"{path}.lun", lun, _LUN)


def _quobyte(path: str, tree: Json) -> Problems:
    registry = tree.get("registry", "")
    if not registry:
        yield required(f"{path}.registry", _QUOBYTE)
    elif len(tree.get("tenant", "")) >= 65:
        yield required(f"{path}.tenant", "must be a UUID and may not exceed a length of 64 characters")
    elif not all(re.fullmatch(r"[^:]+:[^:]+", pair) for pair in registry.split(",")):
        yield invalid(f"{path}.registry", registry, _QUOBYTE)
    if not tree.get("volume"):
        yield required(f"{path}.volume")


def _flocker(path: str, tree: Json) -> Problems:
    if not tree.get("datasetName") and not tree.get("datasetUUID"):
        yield required(path, "one of datasetName and datasetUUID is required")
    if tree.get("datasetName") and tree.get("datasetUUID"):
        yield invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously")
    if "/" in tree.get("datasetName", ""):
        yield invalid(f"{path}.datasetName", tree["datasetName"], "must not contain '/'")


def _aws_disk(path: str, tree: Json) -> Problems:
    if not 0 <= tree.get("partition", 0) <= 255:
        yield invalid(f"{path}.partition", tree["partition"], "must be between 1 and 255, inclusive")


def _cinder(path: str, tree: Json) -> Problems:
    yield from _secret_name(path, tree)


def _secret_name(path: str, tree: Json) -> Problems:
    if tree.get("secretRef") is not None and not tree["secretRef"].get("name"):
        yield required(f"{path}.secretRef.name")


def _storageos(path: str, tree: Json) -> Problems:
    yield from storageos_names(path, tree)
    yield from _secret_name(path, tree)


def storageos_names(path: str, tree: Json) -> Problems:
    """The names of a StorageOS volume, wherever one is named."""
    if tree.get("volumeName"):
        yield from dns_label(f"{path}.volumeName", tree["volumeName"])
    else:
        yield required(f"{path}.volumeName")
    if tree.get("volumeNamespace"):
        yield from dns_label(f"{path}.volumeNamespace", tree["volumeNamespace"])


def options(path: str, values: Json) -> Problems:
    """What is told to a driver: not in the name of Kubernetes."""
    for key in values:
        space = f".{key.partition('/')[0].lower()}"
        if space.endswith((".kubernetes.io", ".k8s.io")):
            yield invalid(f"{path}[{key}]", key, "kubernetes.io and k8s.io namespaces are reserved")


def _flex(path: str, tree: Json) -> Problems:
    yield from options(f"{path}.options", tree.get("options") or {})


def _azure_disk(path: str, tree: Json) -> Problems:
    uri, kind = tree.get("diskURI", ""), tree.get("kind")
    yield from supported(f"{path}.cachingMode", tree.get("cachingMode"), ("None", "ReadOnly", "ReadWrite"))
    yield from supported(f"{path}.kind", kind, ("Dedicated", "Managed", "Shared"))
    if kind == "Managed" and not uri.startswith("/subscriptions/"):
        yield not_supported(f"{path}.diskURI", uri, (_MANAGED_URI,))
    if kind not in (None, "Managed") and not uri.startswith("https://"):
        yield not_supported(f"{path}.diskURI", uri, (_BLOB_URI,))


CHECKS: dict[str, Callable[[str, Json], Problems]] = {
    "awsElasticBlockStore": _aws_disk,
    "csi": _csi,
    "nfs": _nfs,
    "iscsi": _iscsi,
    "fc": _fibre_channel,
    "quobyte": _quobyte,
    "flexVolume": _flex,
    "flocker": _flocker,
    "cinder": _cinder,
    "storageos": _storageos,
    "azureDisk": _azure_disk,
}

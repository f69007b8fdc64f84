"""Where a PersistentVolume lies: its one source, which may name secrets of another namespace.

Source: validation.go ValidatePersistentVolumeSpec and the functions that it calls.
"""

from collections.abc import Callable

from apimachinery import names
from apimachinery.types import Json
from apiserver.strategies.pod.remote_sources import csi_driver, initiator, options, storageos_names
from apiserver.strategies.pod.volume_sources import one_source
from apiserver.strategies.pod.volumes import no_backsteps
from apiserver.strategies.problems import Problems, dns_label, dns_subdomain, forbidden, invalid, required

#: In the order in which upstream looks for one.
_ORDER = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "flocker", "nfs", "rbd", "quobyte", "cephfs",
    "iscsi", "cinder", "fc", "flexVolume", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume",
    "azureDisk", "scaleIO", "local", "storageos", "csi",
)  # fmt: skip
_SHOWN = {"cephfs": "cephFS"}
_SECRETS = ("controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef")
_LONGEST_TARGET = 64


def one(path: str, spec: Json, name: str) -> Problems:
    """Exactly one source; `name` is that of the volume. A flexVolume may stand beside another, for upstream."""
    found = [source for source in _ORDER if spec.get(source) is not None]
    if not found:
        yield required(path, "must specify a volume type")
    for i, source in enumerate(found):
        if i and source != "flexVolume":
            yield forbidden(f"{path}.{_SHOWN.get(source, source)}", "may not specify more than 1 volume type")
            continue
        yield from _source(f"{path}.{source}", source, spec[source], name)
        if source == "local" and spec.get("nodeAffinity") is None:
            yield required(f"{path}.nodeAffinity", "Local volume requires node affinity")


def _source(path: str, source: str, tree: Json, name: str) -> Problems:
    if source == "iscsi":
        yield from _iscsi(path, tree, name)
    elif source in _OWN:
        yield from _OWN[source](path, tree)
    else:
        yield from one_source(path, source, tree)


def _csi(path: str, tree: Json) -> Problems:
    yield from csi_driver(f"{path}.driver", tree.get("driver", ""))
    if not tree.get("volumeHandle"):
        yield required(f"{path}.volumeHandle")
    for name in _SECRETS:
        if tree.get(name) is not None:
            yield from _secret(f"{path}.{name}", tree[name])


def _secret(path: str, reference: Json) -> Problems:
    if reference.get("name"):
        yield from dns_subdomain(f"{path}.name", reference["name"])
    else:
        yield required(f"{path}.name")
    if reference.get("namespace"):
        yield from dns_label(f"{path}.namespace", reference["namespace"])
    else:
        yield required(f"{path}.namespace")


def _both_named(path: str, reference: Json | None) -> Problems:
    for name in ("name", "namespace") if reference is not None else ():
        if not (reference or {}).get(name):
            yield required(f"{path}.{name}")


def _storageos(path: str, tree: Json) -> Problems:
    yield from storageos_names(path, tree)
    yield from _both_named(f"{path}.secretRef", tree.get("secretRef"))


def _cinder(path: str, tree: Json) -> Problems:
    if not tree.get("volumeID"):
        yield required(f"{path}.volumeID")
    yield from _both_named(f"{path}.secretRef", tree.get("secretRef"))


def _glusterfs(path: str, tree: Json) -> Problems:
    for member in ("endpoints", "path"):
        if not tree.get(member):
            yield required(f"{path}.{member}")
    namespace = tree.get("endpointsNamespace")
    if namespace == "":
        why = "if the endpointnamespace is set, it must be a valid namespace name"
        yield invalid(f"{path}.endpointsNamespace", namespace, why)
    elif namespace is not None:
        for message in names.dns_label(namespace):
            yield invalid(f"{path}.endpointsNamespace", namespace, message)


def _azure_file(path: str, tree: Json) -> Problems:
    for member in ("secretName", "shareName"):
        if not tree.get(member):
            yield required(f"{path}.{member}")
    if tree.get("secretNamespace") == "":
        yield required(f"{path}.secretNamespace")


def _local(path: str, tree: Json) -> Problems:
    if tree.get("path"):
        yield from no_backsteps(f"{path}.path", tree["path"])
    else:
        yield required(f"{path}.path")


def _flex(path: str, tree: Json) -> Problems:
    if not tree.get("driver"):
        yield required(f"{path}.driver")
    yield from options(f"{path}.options", tree.get("options") or {})


def _iscsi(path: str, tree: Json, name: str) -> Problems:
    portal, starter = tree.get("targetPortal", ""), tree.get("initiatorName")
    if not portal:
        yield required(f"{path}.targetPortal")
    if starter is not None and len(f"{name}:{portal}".encode()) > _LONGEST_TARGET:
        why = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is"
        yield invalid(f"{path}.targetportal", portal, f"{why} specified.")
    if not tree.get("iqn"):
        yield required(f"{path}.iqn")
    else:
        yield from initiator(f"{path}.iqn", tree["iqn"], "must be valid format")
    if not 0 <= tree.get("lun", 0) <= 255:
        yield invalid(f"{path}.lun", tree["lun"], "must be between 0 and 255, inclusive")
    secret = tree.get("secretRef")
    if (tree.get("chapAuthDiscovery") or tree.get("chapAuthSession")) and secret is None:
        yield required(f"{path}.secretRef")
    if secret is not None and not secret.get("name"):
        yield required(f"{path}.secretRef.name")
    if starter is not None:
        yield from initiator(f"{path}.initiatorname", starter, "must be valid format")


_OWN: dict[str, Callable[[str, Json], Problems]] = {
    "azureFile": _azure_file,
    "cinder": _cinder,
    "csi": _csi,
    "flexVolume": _flex,
    "glusterfs": _glusterfs,
    "local": _local,
    "storageos": _storageos,
}

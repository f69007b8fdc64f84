"""The sources of a volume. Source: validation.go validateVolumeSource and the functions it calls.

A source of a kind that only the kubelet can judge (cloud disks) is checked for its required fields alone.
"""

from collections.abc import Callable, Sequence

from apimachinery import names, quantity
from apimachinery.types import Json
from apiserver.strategies.claims import claim_spec
from apiserver.strategies.pod import env, remote_sources
from apiserver.strategies.problems import (
    Problems,
    forbidden,
    invalid,
    labels,
    one_of,
    required,
)

_HOST_PATH_TYPES = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
_ITEM_MODE = "must be a number between 0 and 0777 (octal), both inclusive"


def source(path: str, volume: Json, pod_name: str = "") -> Problems:
    """Exactly one source, and that one well formed. Of several, upstream looks into the first of its own order."""
    chosen = [name for name in _ORDER if volume.get(name) is not None]
    if not chosen:
        yield required(path, "must specify a volume type")
        return
    yield from one_source(f"{path}.{chosen[0]}", chosen[0], volume[chosen[0]])
    if chosen[0] == "ephemeral" and pod_name and volume.get("name"):
        claim = f"{pod_name}-{volume['name']}"
        for message in names.dns_subdomain(claim):
            yield invalid(f"{path}.name", volume["name"], f'PVC name "{claim}": {message}')
    for name in chosen[1:]:
        yield forbidden(f"{path}.{_FORBIDDEN_AS.get(name, name)}", "may not specify more than 1 volume type")


def one_source(path: str, name: str, tree: Json) -> Problems:
    """The members of one source."""
    path = path.removesuffix(name) + _SAID_AS.get(name, name)
    for member in _REQUIRED.get(name, ()):
        if not tree.get(member):
            yield required(f"{path}.{member}")
    if name in _CHECKS:
        yield from _CHECKS[name](path, tree)


def _empty_dir(path: str, tree: Json) -> Problems:
    if tree.get("sizeLimit") is not None:
        try:
            if quantity.parse(tree["sizeLimit"]).value() < 0:
                yield forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")
        except ValueError as error:
            yield invalid(f"{path}.sizeLimit", tree["sizeLimit"], str(error))


def _host_path(path: str, tree: Json) -> Problems:
    if not tree.get("path"):
        return
    if ".." in tree.get("path", "").split("/"):
        yield invalid(f"{path}.path", tree["path"], "must not contain '..'")
    yield from one_of(f"{path}.type", tree.get("type", ""), _HOST_PATH_TYPES, needed=False)


def _mode(path: str, tree: Json) -> Problems:
    mode = tree.get("defaultMode")
    if mode is not None and not 0 <= mode <= 0o777:
        yield invalid(f"{path}.defaultMode", mode, _MODE)


def _keys(path: str, items: Sequence[Json]) -> Problems:
    for i, item in enumerate(items):
        yield from _key(f"{path}[{i}]", item)


def _key(path: str, item: Json) -> Problems:
    if not item.get("key"):
        yield required(f"{path}.key")
    yield from _item_path(path, item)


def _item_path(path: str, item: Json) -> Problems:
    where = item.get("path", "")
    if not where:
        yield required(f"{path}.path")
    else:
        yield from _inside(f"{path}.path", where)
    if item.get("mode") is not None and not 0 <= item["mode"] <= 0o777:
        yield invalid(f"{path}.mode", item["mode"], _ITEM_MODE)


def _inside(path: str, where: str) -> Problems:
    """Relative, below its start, and not of the kubelet's own `..data` names."""
    if where.startswith("/"):
        yield invalid(path, where, "must be a relative path")
    if ".." in where.split("/"):
        yield invalid(path, where, "must not contain '..'")
    elif where.startswith(".."):
        yield invalid(path, where, "must not start with '..'")


def _secret(path: str, tree: Json) -> Problems:
    yield from _mode(path, tree)
    yield from _keys(f"{path}.items", tree.get("items") or ())


def _downward(path: str, tree: Json) -> Problems:
    yield from _mode(path, tree)
    yield from _downward_items(path, tree.get("items") or ())


def _downward_items(here: str, items: Sequence[Json]) -> Problems:
    """Upstream's paths have no index here."""
    for item in items:
        yield from _item_path(here, item)
        field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
        if field is not None:
            yield from env.field_ref(f"{here}.fieldRef", field, env.VOLUME_FIELDS)
            if resource is not None:
                yield invalid(here, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
        elif resource is not None:
            yield from env.resource_field_ref(f"{here}.resourceFieldRef", resource, in_volume=True)
        else:
            yield required(here, "one of fieldRef and resourceFieldRef is required")


def _projected(path: str, tree: Json) -> Problems:
    yield from _mode(path, tree)
    paths: set[str] = set()
    for i, part in enumerate(tree.get("sources") or ()):
        here = f"{path}.sources[{i}]"
        chosen = [name for name in _PROJECTED if part.get(name) is not None]
        for name in chosen:
            yield from _projection(f"{here}.{name}", name, part[name], path, paths)
        if len(chosen) > 1:
            yield forbidden(here, "may not specify more than 1 volume type per source")


def _projection(path: str, name: str, part: Json, whole: str, taken: set[str]) -> Problems:
    if name == "serviceAccountToken":
        yield from _token(path, part, f"{whole}.path")
        return
    if name != "downwardAPI" and not part.get("name"):
        yield required(f"{path}.name")
    for i, item in enumerate(part.get("items") or ()):
        if name == "downwardAPI":
            yield from _downward_items(path, (item,))
        else:
            yield from _key(f"{path}.items[{i}]", item)
        file = item.get("path", "")
        if file and file in taken:  # upstream names the ConfigMap, or the file
            shown = file if name == "downwardAPI" else part.get("name", "")
            yield invalid(whole, shown, "conflicting duplicate paths")
        taken.add(file)


def _token(path: str, part: Json, where: str) -> Problems:
    seconds = part.get("expirationSeconds", 3600)
    if seconds < 600:
        yield invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
    if seconds > 1 << 32:
        yield invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
    if not part.get("path"):
        yield required(where)
    else:
        yield from _inside(where, part["path"])


def _image(path: str, tree: Json) -> Problems:
    yield from one_of(f"{path}.pullPolicy", tree.get("pullPolicy"), ("Always", "IfNotPresent", "Never"), needed=False)


def _ephemeral(path: str, tree: Json) -> Problems:
    template = tree.get("volumeClaimTemplate")
    if template is None:
        yield required(f"{path}.volumeClaimTemplate")
    else:
        here = f"{path}.volumeClaimTemplate"
        yield from only_labels_and_annotations(f"{here}.metadata", template.get("metadata") or {})
        yield from claim_spec(f"{here}.spec", template.get("spec") or {})


def only_labels_and_annotations(path: str, metadata: Json) -> Problems:
    """The metadata of what is made under a name of its own: all else would mean nothing."""
    yield from names.check_annotations(metadata.get("annotations") or {}, f"{path}.annotations")
    yield from labels(f"{path}.labels", metadata.get("labels"))
    for name in _META:
        if metadata.get(name) not in (None, "", 0):
            shown = "uID" if name == "uid" else name
            yield forbidden(f"{path}.{shown}", "cannot be set")


def _gce_disk(path: str, tree: Json) -> Problems:
    partition = tree.get("partition", 0)
    if not 0 <= partition <= 255:
        yield invalid(f"{path}.partition", partition, "must be between 1 and 255, inclusive")


def _git_repo(path: str, tree: Json) -> Problems:
    where, here = tree.get("directory", ""), f"{path}.directory"
    if where.startswith("/"):
        yield invalid(here, where, "must be a relative path")
    if ".." in where.split("/"):
        yield invalid(here, where, "must not contain '..'")


#: Where messages about members name a source otherwise than it is called.
_SAID_AS = {"gcePersistentDisk": "persistentDisk"}
_FORBIDDEN_AS = {"cephfs": "cephFS", "downwardAPI": "downwarAPI"}
_ORDER = (
    "emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi",
    "glusterfs", "flocker", "persistentVolumeClaim", "rbd", "cinder", "cephfs", "quobyte", "downwardAPI", "fc",
    "flexVolume", "configMap", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk",
    "storageos", "projected", "scaleIO", "csi", "ephemeral", "image",
)  # fmt: skip
_PROJECTED = ("secret", "configMap", "downwardAPI", "serviceAccountToken")
_META = (
    "name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp",
    "deletionTimestamp", "deletionGracePeriodSeconds", "ownerReferences", "finalizers", "managedFields",
)  # fmt: skip
_CHECKS: dict[str, Callable[[str, Json], Problems]] = {
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "secret": _secret,
    "configMap": _secret,
    "downwardAPI": _downward,
    "projected": _projected,
    "ephemeral": _ephemeral,
    "gcePersistentDisk": _gce_disk,
    "gitRepo": _git_repo,
    "image": _image,
    **remote_sources.CHECKS,
}

_REQUIRED: dict[str, tuple[str, ...]] = {
    "hostPath": ("path",),
    "secret": ("secretName",),
    "configMap": ("name",),
    "persistentVolumeClaim": ("claimName",),
    "nfs": ("server", "path"),
    "iscsi": ("targetPortal", "iqn"),
    "gcePersistentDisk": ("pdName",),
    "awsElasticBlockStore": ("volumeID",),
    "gitRepo": ("repository",),
    "glusterfs": ("endpoints", "path"),
    "rbd": ("monitors", "image"),
    "cinder": ("volumeID",),
    "cephfs": ("monitors",),
    "azureFile": ("secretName", "shareName"),
    "azureDisk": ("diskName", "diskURI"),
    "vsphereVolume": ("volumePath",),
    "portworxVolume": ("volumeID",),
    "scaleIO": ("gateway", "system", "volumeName"),
    "photonPersistentDisk": ("pdID",),
    "flexVolume": ("driver",),
}

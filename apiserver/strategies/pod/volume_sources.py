"""The sources of a volume. Source: validation.go validateVolumeSource and the functions it calls.

A source of a kind that only the kubelet can judge (cloud disks) is checked for its required fields alone.
"""

from collections.abc import Callable, Sequence

from apimachinery import quantity
from apimachinery.types import Json
from apiserver.strategies.claims import claim_spec
from apiserver.strategies.pod import env, remote_sources
from apiserver.strategies.problems import (
    Problems,
    forbidden,
    invalid,
    one_of,
    required,
)

_HOST_PATH_TYPES = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
_ITEM_MODE = "must be a number between 0 and 0777 (octal), both inclusive"


def source(path: str, volume: Json) -> Problems:
    """Exactly one source, and that one well formed."""
    chosen = [name for name in volume if name != "name" and volume[name] is not None]
    if not chosen:
        yield required(path, "must specify a volume type")
    for name in chosen[1:]:
        yield forbidden(f"{path}.{name}", "may not specify more than 1 volume type")
    if chosen:
        yield from one_source(f"{path}.{chosen[0]}", chosen[0], volume[chosen[0]])


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
        here = f"{path}[{i}]"
        if not item.get("key"):
            yield required(f"{here}.key")
        yield from _item_path(here, item)


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
        chosen = [name for name in part if part[name] is not None]
        for name in chosen[1:]:
            yield forbidden(f"{here}.{name}", "may not specify more than 1 volume type per source")
        if chosen:
            yield from _projection(f"{here}.{chosen[0]}", chosen[0], part[chosen[0]], path)
            yield from _conflicts(path, chosen[0], part[chosen[0]], paths)


def _projection(path: str, name: str, part: Json, whole: str) -> Problems:
    if name in ("secret", "configMap"):
        if not part.get("name"):
            yield required(f"{path}.name")
        yield from _keys(f"{path}.items", part.get("items") or ())
    elif name == "downwardAPI":
        yield from _downward_items(path, part.get("items") or ())
    elif name == "serviceAccountToken":
        yield from _token(path, part, f"{whole}.path")


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


def _conflicts(path: str, name: str, part: Json, taken: set[str]) -> Problems:
    """Two sources of one projected volume cannot write one file. Upstream names the ConfigMap, or the file."""
    for file in filter(None, (item.get("path", "") for item in part.get("items") or ())):
        if file in taken:
            yield invalid(path, file if name == "downwardAPI" else part.get("name", ""), "conflicting duplicate paths")
        taken.add(file)


def _image(path: str, tree: Json) -> Problems:
    yield from one_of(f"{path}.pullPolicy", tree.get("pullPolicy"), ("Always", "IfNotPresent", "Never"), needed=False)


def _ephemeral(path: str, tree: Json) -> Problems:
    template = tree.get("volumeClaimTemplate")
    if template is None:
        yield required(f"{path}.volumeClaimTemplate")
    else:
        yield from claim_spec(f"{path}.volumeClaimTemplate.spec", template.get("spec") or {})


def _gce_disk(path: str, tree: Json) -> Problems:
    partition = tree.get("partition", 0)
    if not 0 <= partition <= 255:
        yield invalid(f"{path}.partition", partition, "must be between 1 and 255, inclusive")


def _git_repo(path: str, tree: Json) -> Problems:
    yield from _inside(f"{path}.directory", tree.get("directory", ""))


#: Where messages about members name a source otherwise than it is called.
_SAID_AS = {"gcePersistentDisk": "persistentDisk"}
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

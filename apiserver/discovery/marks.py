"""What v1.34's OpenAPI says of fields beyond their types: the enums that `kubectl explain` prints, and defaults.

Most defaults are the zeros of Go's types (go_zeros); here are those that differ from them. Facts of upstream's served
documents; definitions are named as in apimachinery/go_types.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

_DEFAULTS = """
autoscaling.v1.ScaleSpec: replicas=0
core.v1.AzureDiskVolumeSource: cachingMode="ReadWrite" fsType="ext4" kind="Shared" readOnly=false
core.v1.ConfigMapEnvSource: name=""
core.v1.ConfigMapKeySelector: name=""
core.v1.ConfigMapProjection: name=""
core.v1.ConfigMapVolumeSource: name=""
core.v1.ContainerPort: protocol="TCP"
core.v1.FileKeySelector: optional=false
core.v1.GRPCAction: service=""
core.v1.ISCSIPersistentVolumeSource: iscsiInterface="default"
core.v1.ISCSIVolumeSource: iscsiInterface="default"
core.v1.LocalObjectReference: name=""
core.v1.RBDPersistentVolumeSource: keyring="/etc/ceph/keyring" pool="rbd" user="admin"
core.v1.RBDVolumeSource: keyring="/etc/ceph/keyring" pool="rbd" user="admin"
core.v1.ReplicationControllerSpec: minReadySeconds=0 replicas=1
core.v1.ScaleIOPersistentVolumeSource: fsType="xfs" storageMode="ThinProvisioned"
core.v1.ScaleIOVolumeSource: fsType="xfs" storageMode="ThinProvisioned"
core.v1.SecretEnvSource: name=""
core.v1.SecretKeySelector: name=""
core.v1.SecretProjection: name=""
core.v1.ServicePort: protocol="TCP"
meta.v1.APIResource: kind="" name="" namespaced=false singularName=""
meta.v1.APIResourceList: groupVersion=""
meta.v1.WatchEvent: type=""
pkg.version.Info: buildDate="" compiler="" gitCommit="" gitTreeState="" gitVersion="" goVersion="" major=""
    minor="" platform=""
resource.v1.DeviceToleration: operator="Equal"
"""


#: Fields whose descriptions end with an empty line before their values are told.
SPACED = (
    "resource.v1.DeviceTaint.effect",
    "resource.v1.DeviceToleration.effect",
    "resource.v1.DeviceToleration.operator",
)


@cache
def scalars() -> Mapping[str, str]:
    """What is said of Quantity and IntOrString, by the definitions' names."""
    found: Mapping[str, str] = yaml.load(
        files(__package__).joinpath("scalars.yaml").read_text(), Loader=yaml.CSafeLoader
    )
    return found


def _rows(text: str) -> list[tuple[str, list[tuple[str, str]]]]:
    lines = (line.split(": ", 1) for line in text.strip().replace("\n    ", " ").split("\n"))
    return [(name, [_pair(pair) for pair in rest.split()]) for name, rest in lines]


def _pair(text: str) -> tuple[str, str]:
    """`~` stands for a space."""
    field, _, value = text.partition("=")
    return field, value.replace("~", " ")


@cache
def enums() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Definition: field: its values, and what is said of each."""
    text = files(__package__).joinpath("enums.yaml").read_text()
    found: dict[str, dict[str, Mapping[str, str]]] = {}
    for row in yaml.load(text, Loader=yaml.CSafeLoader):
        for field in row["fields"]:
            definition, _, name = field.rpartition(".")
            found.setdefault(definition, {})[name] = row["values"]
    return found


#: Definition: field: its default.
DEFAULTS: dict[str, dict[str, Any]] = {
    name: {field: json.loads(value) for field, value in fields} for name, fields in _rows(_DEFAULTS)
}

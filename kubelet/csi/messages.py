"""The messages of CSI 1.9 and of plugin registration that a node speaks, as data: what a generated module would hold.

A field is NAME: (number, type); `*` before a type means repeated, `map` is string to string, a message is named by its
name. Everything else that a peer sends is kept as unknown fields, as protobuf does.
Sources: container-storage-interface/spec csi.proto, k8s.io/kubelet pkg/apis/pluginregistration/v1/api.proto.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PB: Any = descriptor_pb2  # its classes are made at run time
Fields = Mapping[str, tuple[int, str]]

_CSI: Mapping[str, Fields] = {
    "Empty": {},
    "BoolValue": {"value": (1, "bool")},
    "GetPluginInfoResponse": {"name": (1, "string"), "vendor_version": (2, "string"), "manifest": (3, "map")},
    "ProbeResponse": {"ready": (1, "BoolValue")},
    "Topology": {"segments": (1, "map")},
    "NodeGetInfoResponse": {
        "node_id": (1, "string"),
        "max_volumes_per_node": (2, "int64"),
        "accessible_topology": (3, "Topology"),
    },
    "Rpc": {"type": (1, "int32")},
    "NodeServiceCapability": {"rpc": (1, "Rpc")},
    "NodeGetCapabilitiesResponse": {"capabilities": (1, "*NodeServiceCapability")},
    "MountVolume": {"fs_type": (1, "string"), "mount_flags": (2, "*string"), "volume_mount_group": (3, "string")},
    "AccessMode": {"mode": (1, "int32")},
    "VolumeCapability": {"block": (1, "Empty"), "mount": (2, "MountVolume"), "access_mode": (3, "AccessMode")},
    "NodeStageVolumeRequest": {
        "volume_id": (1, "string"),
        "publish_context": (2, "map"),
        "staging_target_path": (3, "string"),
        "volume_capability": (4, "VolumeCapability"),
        "secrets": (5, "map"),
        "volume_context": (6, "map"),
    },
    "NodeUnstageVolumeRequest": {"volume_id": (1, "string"), "staging_target_path": (2, "string")},
    "NodePublishVolumeRequest": {
        "volume_id": (1, "string"),
        "publish_context": (2, "map"),
        "staging_target_path": (3, "string"),
        "target_path": (4, "string"),
        "volume_capability": (5, "VolumeCapability"),
        "readonly": (6, "bool"),
        "secrets": (7, "map"),
        "volume_context": (8, "map"),
    },
    "NodeUnpublishVolumeRequest": {"volume_id": (1, "string"), "target_path": (2, "string")},
    "CapacityRange": {"required_bytes": (1, "int64"), "limit_bytes": (2, "int64")},
    "NodeExpandVolumeRequest": {
        "volume_id": (1, "string"),
        "volume_path": (2, "string"),
        "capacity_range": (3, "CapacityRange"),
        "staging_target_path": (4, "string"),
        "volume_capability": (5, "VolumeCapability"),
        "secrets": (6, "map"),
    },
    "NodeExpandVolumeResponse": {"capacity_bytes": (1, "int64")},
    "NodeGetVolumeStatsRequest": {
        "volume_id": (1, "string"),
        "volume_path": (2, "string"),
        "staging_target_path": (3, "string"),
    },
    "VolumeUsage": {"available": (1, "int64"), "total": (2, "int64"), "used": (3, "int64"), "unit": (4, "int32")},
    "NodeGetVolumeStatsResponse": {"usage": (1, "*VolumeUsage")},
}
_REGISTRATION: Mapping[str, Fields] = {
    "InfoRequest": {},
    "PluginInfo": {
        "type": (1, "string"),
        "name": (2, "string"),
        "endpoint": (3, "string"),
        "supported_versions": (4, "*string"),
    },
    "RegistrationStatus": {"plugin_registered": (1, "bool"), "error": (2, "string")},
    "RegistrationStatusResponse": {},
}
_PLAIN = {
    "string": _PB.FieldDescriptorProto.TYPE_STRING,
    "bool": _PB.FieldDescriptorProto.TYPE_BOOL,
    "int32": _PB.FieldDescriptorProto.TYPE_INT32,
    "int64": _PB.FieldDescriptorProto.TYPE_INT64,
}
_FIELD = _PB.FieldDescriptorProto


def _classes(package: str, table: Mapping[str, Fields]) -> dict[str, Any]:
    file = _PB.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for name, fields in table.items():
        message = file.message_type.add(name=name)
        for field, (number, type) in fields.items():
            _add(message, package, field, number, type)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in table}


def _add(message: Any, package: str, field: str, number: int, type: str) -> None:
    added = message.field.add(name=field, number=number, label=_FIELD.LABEL_OPTIONAL)
    word = type.removeprefix("*")
    if type.startswith("*") or type == "map":
        added.label = _FIELD.LABEL_REPEATED
    if type == "map":
        entry = message.nested_type.add(name=f"{field.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        for at, name in enumerate(("key", "value"), start=1):
            entry.field.add(name=name, number=at, label=_FIELD.LABEL_OPTIONAL, type=_FIELD.TYPE_STRING)
        added.type, added.type_name = _FIELD.TYPE_MESSAGE, f".{package}.{message.name}.{entry.name}"
    elif word in _PLAIN:
        added.type = _PLAIN[word]
    else:
        added.type, added.type_name = _FIELD.TYPE_MESSAGE, f".{package}.{word}"


#: The classes by name.
CSI = _classes("csi.v1", _CSI)
REGISTRATION = _classes("pluginregistration", _REGISTRATION)

#: Method -> the names of its request and its answer.
NODE = {
    "NodeGetInfo": ("Empty", "NodeGetInfoResponse"),
    "NodeGetCapabilities": ("Empty", "NodeGetCapabilitiesResponse"),
    "NodeStageVolume": ("NodeStageVolumeRequest", "Empty"),
    "NodeUnstageVolume": ("NodeUnstageVolumeRequest", "Empty"),
    "NodePublishVolume": ("NodePublishVolumeRequest", "Empty"),
    "NodeUnpublishVolume": ("NodeUnpublishVolumeRequest", "Empty"),
    "NodeExpandVolume": ("NodeExpandVolumeRequest", "NodeExpandVolumeResponse"),
    "NodeGetVolumeStats": ("NodeGetVolumeStatsRequest", "NodeGetVolumeStatsResponse"),
}
REGISTRAR = {
    "GetInfo": ("InfoRequest", "PluginInfo"),
    "NotifyRegistrationStatus": ("RegistrationStatus", "RegistrationStatusResponse"),
}

#: Capabilities of a node service.
STAGE, GET_STATS, EXPAND, MULTI_WRITER, MOUNT_GROUP = 1, 2, 3, 5, 6
#: Units of a volume's usage.
BYTES, INODES = 1, 2

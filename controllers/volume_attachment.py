"""Attaches CSI volumes to the nodes of the pods that use them, and detaches what no pod there uses any more.

A VolumeAttachment asks the driver's external attacher; the node's status lists what is attached, and its kubelet says
what it still has mounted (volumesInUse), which is never detached. Keys are nodes. A driver whose CSIDriver says
`attachRequired: false` needs none of it; other kinds of volumes are not attached in PyKube.
Source: pkg/controller/volume/attachdetach, pkg/volume/csi/csi_attacher.go (names).
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from apimachinery.kinds import CSIDRIVERS, NODES, PERSISTENTVOLUMECLAIMS, PERSISTENTVOLUMES, PODS, VOLUMEATTACHMENTS
from client.plan import Create, Delete, Event, Key, Patch, Plan, View, Watch, Write
from controllers import pods
from controllers.views import (
    CLAIM,
    NODE,
    Claim,
    Driver,
    Node,
    Pod,
    Volume,
    VolumeAttachment,
    claim_name,
)


def attachment_name(handle: str, driver: str, node: str) -> str:
    """`csi-` and a hash, as the kubelet computes it too."""
    return "csi-" + hashlib.sha256(f"{handle}{driver}{node}".encode()).hexdigest()


def unique_name(driver: str, handle: str) -> str:
    """What a node's status calls the volume."""
    return f"kubernetes.io/csi/{driver}^{handle}"


def _node_of_pod(pod: Pod, _view: View) -> Iterable[Key]:
    if pod.spec.node_name and any(claim_name(pod, volume) for volume in pod.spec.volumes):
        yield Key("", pod.spec.node_name)


def _nodes_of_claim(claim: Claim, view: View) -> Iterable[Key]:
    users = view.by(PODS, CLAIM, f"{claim.metadata.namespace}/{claim.metadata.name}")
    return {Key("", pod.spec.node_name) for pod in users if pod.spec.node_name}


def _node_of_attachment(item: VolumeAttachment, _view: View) -> Iterable[Key]:
    yield Key("", item.spec.node_name)


def _in_use_changed(old: Node | None, new: Node | None) -> bool:
    if old is None or new is None:
        return True
    return (old.status.volumes_in_use, old.status.volumes_attached) != (
        new.status.volumes_in_use,
        new.status.volumes_attached,
    )


@dataclass(frozen=True)
class AttachDetach:
    """The controller of attachments."""

    name: str = "persistentvolume-attach-detach-controller"
    watches: Sequence[Watch] = (
        Watch(PODS, _node_of_pod),
        Watch(PERSISTENTVOLUMECLAIMS, _nodes_of_claim),
        Watch(VOLUMEATTACHMENTS, _node_of_attachment),
        Watch(NODES, lambda node, _view: (Key("", node.metadata.name),), _in_use_changed),
        Watch(CSIDRIVERS, lambda _driver, view: [Key("", node.metadata.name) for node in view.list(NODES)]),
        Watch(PERSISTENTVOLUMES, lambda _volume, _view: ()),
    )

    def plan(self, key: Key, view: View, now: float) -> Plan:  # noqa: ARG002 - every controller has it
        wanted = _wanted(key.name, view)
        mine = [each for each in view.list(VOLUMEATTACHMENTS) if each.spec.node_name == key.name]
        there = {each.metadata.name for each in mine}
        node: Node | None = view.get(NODES, key)
        steps: list[Write | Event] = []
        if node is not None:
            steps += [
                _create(name, volume, key.name) for name, (volume, _) in sorted(wanted.items()) if name not in there
            ]
            steps += _attached(node, wanted, mine)
        in_use = set(node.status.volumes_in_use) if node is not None else set()
        for each in mine:
            if each.metadata.name not in wanted and _is_ours(each, key.name, view, in_use):
                steps.append(Delete(VOLUMEATTACHMENTS, Key("", each.metadata.name), each.metadata.uid))
        return Plan(steps)


Wanted = dict[str, tuple[Volume, Pod]]


def _wanted(node: str, view: View) -> Wanted:
    """The attachments that the node's pods need, by name."""
    found: Wanted = {}
    for pod in view.by(PODS, NODE, node):
        if pods.is_terminal(pod):
            continue
        for each in pod.spec.volumes:
            name = claim_name(pod, each)
            volume = _volume(view, pod.metadata.namespace, name) if name else None
            if volume is not None and volume.spec.csi is not None and _is_attachable(volume.spec.csi.driver, view):
                csi = volume.spec.csi
                found[attachment_name(csi.volume_handle, csi.driver, node)] = (volume, pod)
    return found


def _volume(view: View, namespace: str, name: str) -> Volume | None:
    claim: Claim | None = view.get(PERSISTENTVOLUMECLAIMS, Key(namespace, name))
    if claim is None or claim.status.phase != "Bound" or not claim.spec.volume_name:
        return None
    volume: Volume | None = view.get(PERSISTENTVOLUMES, Key("", claim.spec.volume_name))
    return volume


def _is_attachable(driver: str, view: View) -> bool:
    found: Driver | None = view.get(CSIDRIVERS, Key("", driver))
    return found is None or found.spec.attach_required is not False


def _create(name: str, volume: Volume, node: str) -> Create:
    csi = volume.spec.csi
    assert csi is not None
    spec = {"attacher": csi.driver, "nodeName": node, "source": {"persistentVolumeName": volume.metadata.name}}
    return Create(VOLUMEATTACHMENTS, "", {"metadata": {"name": name}, "spec": spec})


def _attached(node: Node, wanted: Wanted, mine: Sequence[VolumeAttachment]) -> Sequence[Write]:
    """The node's status lists what is attached and wanted; what is about to be detached leaves it first."""
    names = []
    for each in mine:
        csi = wanted[each.metadata.name][0].spec.csi if each.metadata.name in wanted else None
        if each.status.attached and csi is not None and each.metadata.deletion_timestamp is None:
            names.append(unique_name(csi.driver, csi.volume_handle))
    if sorted(names) == sorted(each.name for each in node.status.volumes_attached):
        return ()
    listed = [{"name": name, "devicePath": ""} for name in sorted(names)]
    body = {"status": {"volumesAttached": listed or None}}
    return (Patch(NODES, Key("", node.metadata.name), node.metadata.uid, body, subresource="status"),)


def _is_ours(each: VolumeAttachment, node: str, view: View, in_use: set[str]) -> bool:
    """Whether it is one this controller makes, and its node has let go. Others' attachments are left alone."""
    source = each.spec.source
    name = source.persistent_volume_name if source is not None else ""
    volume: Volume | None = view.get(PERSISTENTVOLUMES, Key("", name)) if name else None
    csi = volume.spec.csi if volume is not None else None
    if csi is None or each.metadata.deletion_timestamp is not None:
        return False
    ours = each.metadata.name == attachment_name(csi.volume_handle, csi.driver, node)
    return ours and unique_name(csi.driver, csi.volume_handle) not in in_use

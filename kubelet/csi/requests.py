"""What goes into calls to a storage driver: out of the API, the registry, and the volume's own spec.

Sources: pkg/volume/csi/csi_mounter.go, csi_attacher.go, csi_util.go, expander.go.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from apimachinery import quantity
from apimachinery.errors import ApiError
from apimachinery.objects.core_v1 import CSIPersistentVolumeSource, PersistentVolume, Pod, SecretReference
from apimachinery.objects.storage_v1 import CSIDriver
from apimachinery.types import Json
from kubelet.csi.api import CsiApi
from kubelet.csi.messages import EXPAND, MULTI_WRITER
from kubelet.csi.registry import Driver, Registry
from kubelet.volumes import mounts
from kubelet.volumes.protocol import CsiProblem

DATA = "vol_data.json"
PLUGIN = "kubernetes.io/csi"
_RESIZE_PENDING = "FileSystemResizePending"
_MODES = {"ReadWriteOnce": 1, "ReadOnlyMany": 3, "ReadWriteMany": 5, "ReadWriteOncePod": 1}
_MODES_OF_NEWER = {**_MODES, "ReadWriteOnce": 7, "ReadWriteOncePod": 6}


def attachment_name(handle: str, driver: str, node: str) -> str:
    return "csi-" + hashlib.sha256(f"{handle}{driver}{node}".encode()).hexdigest()


def device_name(driver: str, handle: str) -> str:
    """How the node's status names a volume."""
    return f"{PLUGIN}/{driver}^{handle}"


def mounted(driver: Driver, fs_type: str, modes: Sequence[str], options: Sequence[str], group: str) -> Json:
    """The capability of a volume with a file system."""
    return {
        "mount": {"fs_type": fs_type, "mount_flags": list(options), "volume_mount_group": group},
        "access_mode": {"mode": _mode(driver, modes)},
    }


def raw(driver: Driver, modes: Sequence[str]) -> Json:
    """The capability of a block device."""
    return {"block": {}, "access_mode": {"mode": _mode(driver, modes)}}


def _mode(driver: Driver, modes: Sequence[str]) -> int:
    words = _MODES_OF_NEWER if MULTI_WRITER in driver.capabilities else _MODES
    return words.get(modes[0] if modes else "ReadWriteOnce", 0)  # upstream looks at the first alone


def check_mode(about: CSIDriver | None, name: str, mode: str) -> None:
    prefix = "kubernetes.io/csi: mounter.SetupAt failed to check volume lifecycle mode:"
    if about is None:
        if mode == "Ephemeral":
            raise CsiProblem(f'{prefix} volume mode "{mode}" not supported by driver {name} (no CSIDriver object)')
        return
    modes = about.spec.volume_lifecycle_modes or ("Persistent",)
    if mode not in modes:
        only = "[" + " ".join(f'"{each}"' for each in modes) + "]"
        raise CsiProblem(f'{prefix} volume mode "{mode}" not supported by driver {name} (only supports {only})')


class Requests:
    """Asks the API for what a call needs. Refusals are CsiProblems."""

    def __init__(self, node: str, registry: Registry, api: CsiApi) -> None:
        self.node, self.api, self._registry = node, api, registry

    def registered(self, name: str) -> Driver:
        return self._registry.find(name)

    def driver(self, name: str, step: str, doing: str) -> Driver:
        try:
            return self._registry.find(name)
        except CsiProblem as error:
            raise CsiProblem(f"kubernetes.io/csi: {doing}: {error}", step) from error

    async def attached(self, source: CSIPersistentVolumeSource, about: CSIDriver | None, step: str) -> dict[str, str]:
        """What the attacher left for the node; raises CsiProblem until it has attached."""
        if about is not None and about.spec.attach_required is False:
            return {}
        name = attachment_name(source.volume_handle, source.driver, self.node)
        found = await self.api.attachment(name)
        if found is None or not found.status.attached:
            raise CsiProblem(f"volume {source.volume_handle} is not attached for volume attachment {name}", step)
        return dict(found.status.attachment_metadata)

    async def secret(self, ref: SecretReference | None, what: str) -> dict[str, str]:
        try:
            return await self.api.secret(ref)
        except ApiError as error:
            assert ref is not None, "without a reference nothing is fetched"
            raise CsiProblem(f"fetching {what} {ref.namespace}/{ref.name} failed: {error}") from error

    async def context(self, pod: Pod, about: CSIDriver | None, *, ephemeral: bool) -> dict[str, str]:
        """What a driver that asks for it is told of the pod."""
        if about is None:
            return {}
        found, meta = {}, pod.metadata
        if about.spec.pod_info_on_mount:
            found = {
                "csi.storage.k8s.io/pod.name": meta.name,
                "csi.storage.k8s.io/pod.namespace": meta.namespace,
                "csi.storage.k8s.io/pod.uid": meta.uid,
                "csi.storage.k8s.io/serviceAccount.name": pod.spec.service_account_name,
                "csi.storage.k8s.io/ephemeral": str(ephemeral).lower(),
            }
        if about.spec.token_requests:
            statuses = {
                asked.audience: await self.api.token(pod, asked.audience, asked.expiration_seconds)
                for asked in about.spec.token_requests
            }
            tokens = {
                audience: {"token": status["token"], "expirationTimestamp": status["expirationTimestamp"]}
                for audience, status in statuses.items()
            }
            found["csi.storage.k8s.io/serviceAccount.tokens"] = json.dumps(tokens)
        return found

    async def stage(
        self,
        driver: Driver,
        source: CSIPersistentVolumeSource,
        target: Path,
        capability: Mapping[str, Json],
        context: Mapping[str, str],
    ) -> None:
        await driver.socket.call(
            "NodeStageVolume",
            volume_id=source.volume_handle,
            publish_context=context,
            staging_target_path=str(target),
            volume_capability=capability,
            secrets=await self.secret(source.node_stage_secret_ref, "NodeStageSecretRef"),
            volume_context=dict(source.volume_attributes),
        )

    async def expand(
        self, driver: Driver, held: PersistentVolume, *, path: Path, staged: str, capability: Mapping[str, Json]
    ) -> None:
        """The node's half of growing, where the controller's half is done and the claim waits for it."""
        ref, source = held.spec.claim_ref, held.spec.csi
        if EXPAND not in driver.capabilities or ref is None or source is None:
            return
        claim = await self.api.claim(ref.namespace, ref.name)
        if not any(each.type == _RESIZE_PENDING and each.status == "True" for each in claim.status.conditions):
            return
        await driver.socket.call(
            "NodeExpandVolume",
            volume_id=source.volume_handle,
            volume_path=str(path),
            capacity_range={"required_bytes": quantity.parse(held.spec.capacity.get("storage", "0")).value()},
            staging_target_path=staged,
            volume_capability=capability,
            secrets=await self.secret(source.node_expand_secret_ref, "NodeExpandSecretRef"),
        )
        await self.api.resized(claim, held.spec.capacity)


# The files beside a volume: what a kubelet needs to take it back


def prepare(folder: Path, file: Path, data: Json) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps(data))
    draft.rename(file)


def listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def read(file: Path) -> Json:
    try:
        found: Json = json.loads(file.read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return found


def clear(target: Path) -> None:
    """What a driver may have left of a path, never its content: rmdir refuses that."""
    mounts.unmount_below(target)
    if target.is_dir() and not target.is_symlink():
        target.rmdir()
    target.unlink(missing_ok=True)

"""Makes the claims of generic ephemeral volumes: one a volume, owned by its pod and so gone with it.

Source: pkg/controller/volume/ephemeral/controller.go, component-helpers/storage/ephemeral.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from apimachinery.kinds import PERSISTENTVOLUMECLAIMS, PODS
from apimachinery.types import Json
from client.plan import Create, Event, Key, Plan, View, Watch, Write, itself
from controllers import pods
from controllers.views import (
    Claim,
    Pod,
    PodVolume,
    claim_name,
)


def _owner(claim: Claim, _view: View) -> Iterable[Key]:
    return [Key(claim.metadata.namespace, o.name) for o in claim.metadata.owner_references if o.kind == PODS.kind]


def _is_gone(_old: Claim | None, new: Claim | None) -> bool:
    return new is None


def _has_ephemeral(_old: Pod | None, new: Pod | None) -> bool:
    return new is not None and any(volume.ephemeral is not None for volume in new.spec.volumes)


@dataclass(frozen=True)
class EphemeralVolumes:
    """The controller of pods with ephemeral volumes."""

    name: str = "ephemeral-volume-controller"
    watches: Sequence[Watch] = (Watch(PODS, itself, _has_ephemeral), Watch(PERSISTENTVOLUMECLAIMS, _owner, _is_gone))

    def plan(self, key: Key, view: View, now: float) -> Plan:  # noqa: ARG002 - every controller has it
        pod: Pod | None = view.get(PODS, key)
        if pod is None or pod.metadata.deletion_timestamp is not None:
            return Plan()
        steps: list[Write | Event] = []
        for volume in pod.spec.volumes:
            if volume.ephemeral is None:
                continue
            name = claim_name(pod, volume)
            claim: Claim | None = view.get(PERSISTENTVOLUMECLAIMS, Key(key.namespace, name))
            if claim is None:
                steps.append(_create(pod, volume, name))
            elif not _is_of(claim, pod):
                why = f"PVC {key.namespace}/{name} was not created for pod {pod.metadata.namespace}/{key.name}"
                why += " (pod is not owner)"
                return Plan([*steps, _failed(pod, volume, why)], 10.0)
        return Plan(steps)


def _is_of(claim: Claim, pod: Pod) -> bool:
    return any(owner.controller and owner.uid == pod.metadata.uid for owner in claim.metadata.owner_references)


def _create(pod: Pod, volume: PodVolume, name: str) -> Create:
    template: Json = (volume.ephemeral or {}).get("volumeClaimTemplate") or {}
    given = template.get("metadata") or {}
    owner = {
        "apiVersion": "v1",
        "kind": "Pod",
        "name": pod.metadata.name,
        "uid": pod.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    kept = {part: given[part] for part in ("labels", "annotations") if given.get(part)}
    body = {"metadata": {"name": name, "ownerReferences": [owner], **kept}, "spec": template.get("spec") or {}}
    failed = _failed(pod, volume, f"create PVC {name}: {{error}}")
    return Create(PERSISTENTVOLUMECLAIMS, pod.metadata.namespace, body, failed=failed)


def _failed(pod: Pod, volume: PodVolume, why: str) -> Event:
    return Event(pods.reference(pod), "Warning", "FailedBinding", f"ephemeral volume {volume.name}: {why}")

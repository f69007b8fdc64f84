"""All controllers by name, and `Controllers`: a selection of them as one running thing over shared caches.

Names are upstream's (`--controllers=deployment-controller,-podgc...`). Used by main, and by the simulated cluster with
another clock. Source: cmd/kube-controller-manager/names/controller_names.go.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apimachinery.kinds import Kind
from client.client import Client
from client.events import EventRecorder
from client.plan import Controller, Looking
from client.runtime import Caches, Runtime
from controllers.bootstrap_tokens import BootstrapSigner, TokenCleaner
from controllers.cached import (
    CACHED,
)
from controllers.certificate_approver import CertificateApprover
from controllers.certificates import Authority, CertificateCleaner, CertificateSigner
from controllers.clusterrole_aggregation import ClusterRoleAggregation
from controllers.cronjob import CronJobController
from controllers.daemonset import DaemonSetController
from controllers.deployment import DeploymentController
from controllers.disruption import DisruptionController
from controllers.endpoints import EndpointsController
from controllers.endpointslice import EndpointSliceController
from controllers.endpointslice_mirroring import EndpointSliceMirroring
from controllers.ephemeral_volume import EphemeralVolumes
from controllers.every_kind import EveryKind
from controllers.garbage_collector import GarbageCollector
from controllers.job import JobController
from controllers.namespace import NamespaceController
from controllers.node_ipam import NodeIPAM
from controllers.node_lifecycle import GRACE, NodeLifecycle
from controllers.node_ttl import NodeTTL
from controllers.persistentvolume_binder import PersistentVolumeBinder
from controllers.podgc import PodGC
from controllers.replicaset import REPLICASET, REPLICATIONCONTROLLER
from controllers.resource_quota import ResourceQuotaController
from controllers.root_ca import RootCAPublisher
from controllers.serviceaccount import ServiceAccountController
from controllers.statefulset import StatefulSetController
from controllers.taint_eviction import TaintEviction
from controllers.ttl_after_finished import TTLAfterFinished
from controllers.volume_attachment import AttachDetach
from controllers.volume_expander import VolumeExpander
from controllers.volume_protection import AttributesClassProtection, ClaimProtection, VolumeProtection


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What differs between clusters."""

    cluster_cidr: str = "10.244.0.0/16"
    node_mask: int = 24
    root_ca: str = ""  # PEM text; without one nothing is published
    signing: Authority | None = None  # without one nothing is signed
    node_grace: float = GRACE
    terminated_threshold: int = 12500


#: Made anew for every run: some remember when they saw things first.
CONTROLLERS: Mapping[str, Callable[[Settings], Controller | Looking | None]] = {
    "bootstrap-signer-controller": lambda _settings: BootstrapSigner(),
    "certificatesigningrequest-approving-controller": lambda _settings: CertificateApprover(),
    "certificatesigningrequest-cleaner-controller": lambda _settings: CertificateCleaner(),
    "certificatesigningrequest-signing-controller": lambda settings: (
        CertificateSigner(settings.signing) if settings.signing else None
    ),
    "clusterrole-aggregation-controller": lambda _settings: ClusterRoleAggregation(),
    "cronjob-controller": lambda _settings: CronJobController(),
    "daemonset-controller": lambda _settings: DaemonSetController(),
    "deployment-controller": lambda _settings: DeploymentController(),
    "disruption-controller": lambda _settings: DisruptionController(),
    "endpoints-controller": lambda _settings: EndpointsController(),
    "endpointslice-controller": lambda _settings: EndpointSliceController(),
    "endpointslice-mirroring-controller": lambda _settings: EndpointSliceMirroring(),
    "ephemeral-volume-controller": lambda _settings: EphemeralVolumes(),
    "job-controller": lambda _settings: JobController(),
    "namespace-controller": lambda _settings: NamespaceController(),
    "node-ipam-controller": lambda settings: NodeIPAM(settings.cluster_cidr, settings.node_mask),
    "node-lifecycle-controller": lambda settings: NodeLifecycle(settings.node_grace),
    "persistentvolume-attach-detach-controller": lambda _settings: AttachDetach(),
    "persistentvolume-binder-controller": lambda _settings: PersistentVolumeBinder(),
    "persistentvolume-expander-controller": lambda _settings: VolumeExpander(),
    "persistentvolume-protection-controller": lambda _settings: VolumeProtection(),
    "persistentvolumeclaim-protection-controller": lambda _settings: ClaimProtection(),
    "pod-garbage-collector-controller": lambda settings: PodGC(settings.terminated_threshold),
    "replicaset-controller": lambda _settings: REPLICASET,
    "replicationcontroller-controller": lambda _settings: REPLICATIONCONTROLLER,
    "resourcequota-controller": lambda _settings: ResourceQuotaController(),
    "root-ca-certificate-publisher-controller": lambda settings: (
        RootCAPublisher(settings.root_ca) if settings.root_ca else None
    ),
    "serviceaccount-controller": lambda _settings: ServiceAccountController(),
    "statefulset-controller": lambda _settings: StatefulSetController(),
    "taint-eviction-controller": lambda _settings: TaintEviction(),
    "token-cleaner-controller": lambda _settings: TokenCleaner(),
    "ttl-after-finished-controller": lambda _settings: TTLAfterFinished(),
    "ttl-controller": lambda _settings: NodeTTL(),
    "volumeattributesclass-protection-controller": lambda _settings: AttributesClassProtection(),
}
COLLECTOR = GarbageCollector.name
NAMES = (*CONTROLLERS, COLLECTOR)


def select(wanted: Sequence[str]) -> Sequence[str]:
    """The controllers that a `--controllers` list means: `*` for all, a name for one, `-name` for all but that.

    Raises ValueError for a name nobody has.
    """
    for each in wanted:
        if each.removeprefix("-") not in (*NAMES, "*"):
            raise ValueError(f'"{each.removeprefix("-")}" is not in the list of known controllers')
    return [name for name in NAMES if f"-{name}" not in wanted and (name in wanted or "*" in wanted)]


class Controllers:
    """A selection of controllers with their caches. Make a new one for each run."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        names: Sequence[str] = NAMES,
        *,
        clock: Callable[[], float] = time.time,
        random: Callable[[], float] = random.random,
    ) -> None:
        made = [each for name in names if name in CONTROLLERS and (each := CONTROLLERS[name](settings)) is not None]
        self._recorders: dict[str, EventRecorder] = {}
        self._client, self._clock = client, clock
        read = {kind for each in made for kind in _kinds_of(each)}
        self.caches = Caches(client, [row for row in CACHED if row.kind in read], random=random)
        self.every = EveryKind(client, self.caches, random=random)
        self.runtime = Runtime(
            client, self.caches, made, recorder=self._recorder, clock=clock, everything=self.every.subscribe
        )
        self.collector = GarbageCollector(client, self.every, self._recorder(COLLECTOR)) if COLLECTOR in names else None
        self._watches_all = self.collector is not None or any(hasattr(each, "keys_of_any") for each in made)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.caches.run())
            for recorder in self._recorders.values():
                tasks.create_task(recorder.run())
            await self.caches.wait_synced()
            if self._watches_all:
                tasks.create_task(self.every.run())
            tasks.create_task(self.runtime.run())
            if self.collector is not None:
                tasks.create_task(self.collector.run())

    @property
    def idle(self) -> bool:
        """Whether no controller has work; what is delayed does not count."""
        is_told = all(recorder.idle for recorder in self._recorders.values())
        return self.runtime.idle and is_told and (self.collector is None or self.collector.idle)

    def validate(self) -> None:
        """The invariants of all queues and graphs."""
        self.runtime.validate()
        if self.collector is not None:
            self.collector.graph.validate()

    def _recorder(self, name: str) -> EventRecorder:
        return self._recorders.setdefault(name, EventRecorder(self._client, name, clock=self._clock))


def _kinds_of(controller: Any) -> Sequence[Kind]:
    """The kinds a controller reads: those it watches, and those it says it reads besides."""
    return [*(watch.kind for watch in controller.watches), *getattr(controller, "reads", ())]

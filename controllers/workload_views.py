"""What the controllers read of workloads: trimmed, frozen views (see `views`)."""

from datetime import datetime
from typing import Any

import msgspec

from apimachinery.objects.apps_v1 import (
    DaemonSetUpdateStrategy,
    DeploymentStrategy,
    StatefulSetOrdinals,
    StatefulSetPersistentVolumeClaimRetentionPolicy,
    StatefulSetUpdateStrategy,
)
from apimachinery.objects.batch_v1 import JobCondition, PodFailurePolicy, SuccessPolicy, UncountedTerminatedPods
from apimachinery.objects.core_v1 import (
    ObjectReference,
)
from apimachinery.types import Json
from controllers.views import Condition, Object


class ReplicaSetSpec(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    replicas: int = 1
    min_ready_seconds: int = 0
    selector: Json = {}
    template: Json = {}


class ReplicaSetStatus(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    replicas: int = 0
    fully_labeled_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()


class ReplicaSet(Object, frozen=True):
    """A ReplicaSet or a ReplicationController: they differ in the form of the selector only."""

    spec: ReplicaSetSpec = ReplicaSetSpec()
    status: ReplicaSetStatus = ReplicaSetStatus()


class DeploymentSpec(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    replicas: int = 1
    paused: bool = False
    min_ready_seconds: int = 0
    progress_deadline_seconds: int | None = None
    revision_history_limit: int | None = None
    selector: Json = {}
    strategy: DeploymentStrategy = DeploymentStrategy()
    template: Json = {}


class DeploymentStatus(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    unavailable_replicas: int = 0
    observed_generation: int = 0
    collision_count: int | None = None
    conditions: tuple[Condition, ...] = ()


class Deployment(Object, frozen=True):
    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()


class JobSpec(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    parallelism: int = 1
    completions: int | None = None
    completion_mode: str = "NonIndexed"
    backoff_limit: int = 6
    backoff_limit_per_index: int | None = None
    max_failed_indexes: int | None = None
    active_deadline_seconds: int | None = None
    ttl_seconds_after_finished: int | None = None
    suspend: bool = False
    managed_by: str = ""
    pod_replacement_policy: str = ""
    pod_failure_policy: PodFailurePolicy | None = None
    success_policy: SuccessPolicy | None = None
    selector: Json = {}
    template: Json = {}


class JobStatus(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    active: int = 0
    ready: int | None = None
    terminating: int | None = None
    succeeded: int = 0
    failed: int = 0
    completed_indexes: str = ""
    failed_indexes: str | None = None
    start_time: datetime | None = None
    completion_time: datetime | None = None
    uncounted_terminated_pods: UncountedTerminatedPods | None = None
    conditions: tuple[JobCondition, ...] = ()


class Job(Object, frozen=True):
    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()


class CronJobSpec(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    schedule: str = ""
    time_zone: str | None = None
    suspend: bool = False
    concurrency_policy: str = "Allow"
    starting_deadline_seconds: int | None = None
    successful_jobs_history_limit: int | None = None
    failed_jobs_history_limit: int | None = None
    job_template: Json = {}


class CronJobStatus(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    active: tuple[ObjectReference, ...] = ()
    last_schedule_time: datetime | None = None
    last_successful_time: datetime | None = None


class CronJob(Object, frozen=True):
    spec: CronJobSpec = CronJobSpec()
    status: CronJobStatus = CronJobStatus()


class StatefulSetSpec(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    replicas: int = 1
    min_ready_seconds: int = 0
    ordinals: StatefulSetOrdinals | None = None
    persistent_volume_claim_retention_policy: StatefulSetPersistentVolumeClaimRetentionPolicy | None = None
    pod_management_policy: str = ""
    revision_history_limit: int = 10
    selector: Json = {}
    service_name: str = ""
    template: Json = {}
    update_strategy: StatefulSetUpdateStrategy = StatefulSetUpdateStrategy()
    volume_claim_templates: tuple[Json, ...] = ()


class StatefulSetStatus(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    current_replicas: int = 0
    updated_replicas: int = 0
    current_revision: str = ""
    update_revision: str = ""
    observed_generation: int = 0
    collision_count: int | None = None


class StatefulSet(Object, frozen=True):
    spec: StatefulSetSpec = StatefulSetSpec()
    status: StatefulSetStatus = StatefulSetStatus()


class DaemonSetSpec(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    min_ready_seconds: int = 0
    revision_history_limit: int = 10
    selector: Json = {}
    template: Json = {}
    update_strategy: DaemonSetUpdateStrategy = DaemonSetUpdateStrategy()


class DaemonSetStatus(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    desired_number_scheduled: int = 0
    current_number_scheduled: int = 0
    number_misscheduled: int = 0
    number_ready: int = 0
    updated_number_scheduled: int = 0
    number_available: int = 0
    number_unavailable: int = 0
    observed_generation: int = 0
    collision_count: int | None = None


class DaemonSet(Object, frozen=True):
    spec: DaemonSetSpec = DaemonSetSpec()
    status: DaemonSetStatus = DaemonSetStatus()


class Revision(Object, frozen=True):
    """A ControllerRevision."""

    revision: int = 0
    data: Any = None  # kept raw: a template that pods are made from

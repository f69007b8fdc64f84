"""The metrics of scheduler, kubelet and kube-proxy, held to upstream's list: names, types, labels, buckets, stability."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from kubelet import metrics as kubelet
from kubelet.runtime.fake import FakeRuntime
from kubelet.runtime.protocol import RuntimeError_
from kubelet.runtime.timed import TimedRuntime
from kubeproxy import metrics as kubeproxy
from scheduler import metrics as scheduler
from serving.exposition import PROCESS, Families

UPSTREAM = msgspec.json.decode((Path(__file__).parents[1] / "golden" / "metric_names.json").read_bytes())["documented"]
#: What kubernetes-mixin's rules and dashboards ask of these components, beside rest_client_*, workqueue_*, process_*.
ASKED_FOR = {
    "kubelet_cgroup_manager_duration_seconds", "kubelet_evictions", "kubelet_node_name",
    "kubelet_pleg_relist_duration_seconds", "kubelet_pleg_relist_interval_seconds",
    "kubelet_pod_start_duration_seconds", "kubelet_running_containers", "kubelet_running_pods",
    "kubelet_runtime_operations_duration_seconds", "kubelet_runtime_operations_errors_total",
    "kubelet_runtime_operations_total", "kubelet_volume_stats_available_bytes",
    "kubelet_volume_stats_capacity_bytes", "kubelet_volume_stats_inodes", "kubelet_volume_stats_inodes_free",
    "kubelet_volume_stats_inodes_used", "kubelet_volume_stats_used_bytes",
    "kubeproxy_network_programming_duration_seconds", "kubeproxy_sync_proxy_rules_duration_seconds",
    "scheduler_pod_scheduling_sli_duration_seconds", "scheduler_scheduling_algorithm_duration_seconds",
    "scheduler_scheduling_attempt_duration_seconds",
}  # fmt: skip
#: Asked for as well, and not there: what would have to be counted is in files that change hands now.
NOT_YET = {
    "kubelet_certificate_manager_client_expiration_renew_errors": "the kubelet's certificates are the supervisor's",
    "kubelet_certificate_manager_client_ttl_seconds": "the kubelet's certificates are the supervisor's",
    "kubelet_certificate_manager_server_ttl_seconds": "the kubelet's certificates are the supervisor's",
    "kubelet_pod_worker_duration_seconds": "one pass of a pod's worker is not told from the next",
    "kubelet_server_expiration_renew_errors": "the kubelet's certificates are the supervisor's",
    "storage_operation_duration_seconds": "mounts are not timed",
    "volume_manager_total_volumes": "no desired state apart from the pods is kept",
}


@pytest.fixture
def families():
    """Those of all three components, by name."""
    read = Families(about_itself=False)
    kubelet.watch(lambda: (), lambda: (0, 0), families=read)
    kubelet.watch_claims(lambda: (), families=read)
    scheduler.watch(dict, dict, families=read)
    assert kubeproxy.SYNC in set(PROCESS)
    prefixes = ("kubelet_", "kubeproxy_", "scheduler_")
    return {family.name: family for family in (*PROCESS, *read) if family.name.startswith(prefixes)}


def test_every_family_is_upstreams(families):
    differ = {}
    for name, family in families.items():
        ours = {"type": family.type, "labels": sorted(family.labels), "stability": family.stability}
        ours["buckets"] = [float(limit) for limit in family.limits]
        theirs = UPSTREAM.get(name, {})
        buckets = ours.pop("buckets")
        if any(theirs.get(key, []) != ours[key] for key in ours) or buckets != pytest.approx(theirs.get("buckets", [])):
            differ[name] = (ours, theirs)
    assert differ == {}


def test_what_dashboards_ask_for_is_there(families):
    assert set(families) >= ASKED_FOR
    assert not set(families) & set(NOT_YET)
    assert set(UPSTREAM) >= {*ASKED_FOR, *NOT_YET}


async def test_calls_to_the_runtime_are_counted_and_so_are_those_that_fail_or_are_given_up():
    operation, runtime = "pull_image", FakeRuntime()
    runtime.pullable.add("there")
    counted = (kubelet.OPERATIONS.of(operation), kubelet.OPERATION_ERRORS.of(operation))
    seconds = kubelet.OPERATION_SECONDS.of(operation)
    before = (*(each.value for each in counted), sum(seconds.counts))
    await TimedRuntime(runtime).pull("there")
    with pytest.raises(RuntimeError_):
        await TimedRuntime(runtime).pull("nowhere")
    with pytest.raises(asyncio.CancelledError):
        await TimedRuntime(GivenUp()).pull("there")
    after = (*(each.value for each in counted), sum(seconds.counts))
    assert [now - then for now, then in zip(after, before, strict=True)] == [3, 2, 3]


class GivenUp(FakeRuntime):
    async def pull(self, *_):
        raise asyncio.CancelledError

"""The KubeletConfiguration in force, as /configz shows it: upstream's defaults, the file over them, flags over both.

Fields that are empty are left out where upstream's type leaves them out; kind and version never stand there.
Sources: pkg/kubelet/apis/config/v1beta1/defaults.go, cmd/kubelet/app/server.go (setConfigz).
"""

from collections.abc import Mapping
from typing import Any

from apimachinery.types import Json
from kubelet.configuration import Configuration
from kubelet.pods.backoff import spoken as go_duration

#: What no field of `Configuration` holds, since it is as upstream has it or changes nothing here.
_DEFAULTS: Mapping[str, Any] = {
    "enableServer": True,
    "podLogsDir": "/var/log/pods",
    "syncFrequency": "1m0s",
    "fileCheckFrequency": "20s",
    "httpCheckFrequency": "20s",
    "authentication": {"x509": {}, "webhook": {"enabled": True, "cacheTTL": "2m0s"}, "anonymous": {"enabled": False}},
    "authorization": {"mode": "Webhook", "webhook": {"cacheAuthorizedTTL": "5m0s", "cacheUnauthorizedTTL": "30s"}},
    "registryPullQPS": 5,
    "registryBurst": 10,
    "eventRecordQPS": 50,
    "eventBurst": 100,
    "enableDebuggingHandlers": True,
    "oomScoreAdj": -999,
    "streamingConnectionIdleTimeout": "4h0m0s",
    "imageMinimumGCAge": "2m0s",
    "imageMaximumGCAge": "0s",
    "volumeStatsAggPeriod": "1m0s",
    "cgroupsPerQOS": True,
    "cpuManagerPolicy": "none",
    "cpuManagerReconcilePeriod": "10s",
    "memoryManagerPolicy": "None",
    "topologyManagerPolicy": "none",
    "topologyManagerScope": "container",
    "runtimeRequestTimeout": "2m0s",
    "hairpinMode": "promiscuous-bridge",
    "cpuCFSQuota": True,
    "cpuCFSQuotaPeriod": "100ms",
    "nodeStatusMaxImages": 50,
    "maxOpenFiles": 1000000,
    "contentType": "application/vnd.kubernetes.protobuf",
    "kubeAPIQPS": 50,
    "kubeAPIBurst": 100,
    "mergeDefaultEvictionSettings": False,
    "enableControllerAttachDetach": True,
    "makeIPTablesUtilChains": True,
    "iptablesMasqueradeBit": 14,
    "iptablesDropBit": 15,
    "containerLogMaxWorkers": 1,
    "containerLogMonitorInterval": "10s",
    "configMapAndSecretChangeDetectionStrategy": "Watch",
    "volumePluginDir": "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/",
    "logging": {
        "format": "text",
        "flushFrequency": "5s",
        "verbosity": 0,
        "options": {"text": {"infoBufferSize": "0"}, "json": {"infoBufferSize": "0"}},
    },
    "enableSystemLogQuery": False,
    "crashLoopBackOff": {},
    "enableProfilingHandler": True,
    "enableDebugFlagsHandler": True,
    "localStorageCapacityIsolation": True,
    "failCgroupV1": False,
}
#: Shown although it is empty.
_ALWAYS = ("memorySwap", "crashLoopBackOff", "logging", "authentication", "authorization")
_NO_FIELDS = ("kind", "apiVersion")
#: What leaves a field of the file to its default.
_UNSET: tuple[Any, ...] = (None, "", "0s", [], {})


def served(configuration: Configuration) -> Json:
    """The value of `kubeletconfig`."""
    given = {k: v for k, v in configuration.raw.items() if k not in _NO_FIELDS and v not in _UNSET}
    found = {**_DEFAULTS, **given, **_in_force(configuration)}
    return {name: value for name, value in found.items() if name in _ALWAYS or value not in (None, "", [], {})}


def _in_force(c: Configuration) -> Json:
    x509 = {"clientCAFile": c.client_ca_file} if c.client_ca_file else {}
    return {
        "address": c.address,
        "port": c.port,
        "healthzPort": c.healthz_port,
        "healthzBindAddress": c.healthz_bind_address,
        "clusterDomain": c.cluster_domain,
        "clusterDNS": list(c.cluster_dns),
        "cgroupDriver": c.cgroup_driver,
        "cgroupRoot": c.cgroup_root or "/",
        "maxPods": c.max_pods,
        "podPidsLimit": c.pod_pids_limit,
        "resolvConf": c.resolv_conf,
        "staticPodPath": c.static_pod_path,
        "registerNode": c.register_node,
        "registerWithTaints": list(c.register_with_taints),
        "systemReserved": dict(c.system_reserved),
        "kubeReserved": dict(c.kube_reserved),
        "enforceNodeAllocatable": list(c.enforce_node_allocatable),
        "evictionHard": dict(c.eviction_hard),
        "evictionSoft": dict(c.eviction_soft),
        "evictionPressureTransitionPeriod": go_duration(c.eviction_pressure_transition_period),
        "nodeStatusUpdateFrequency": go_duration(c.node_status_update_frequency),
        "nodeStatusReportFrequency": go_duration(c.node_status_report_frequency),
        "nodeLeaseDurationSeconds": c.node_lease_duration_seconds,
        "shutdownGracePeriod": go_duration(c.shutdown_grace_period),
        "shutdownGracePeriodCriticalPods": go_duration(c.shutdown_grace_period_critical_pods),
        "seccompDefault": c.seccomp_default,
        "enableSystemLogHandler": c.system_log_handler,
        "memorySwap": {"swapBehavior": c.swap_behavior} if c.swap_behavior else {},
        "failSwapOn": c.fail_swap_on,
        "memoryThrottlingFactor": c.memory_throttling_factor,
        "serializeImagePulls": c.pulls_are_serial,
        "maxParallelImagePulls": c.max_parallel_image_pulls or None,
        "containerLogMaxSize": c.raw.get("containerLogMaxSize") or "10Mi",
        "containerLogMaxFiles": c.log_max_files,
        "imageGCHighThresholdPercent": c.image_gc_high,
        "imageGCLowThresholdPercent": c.image_gc_low,
        "authentication": _merged("authentication", c) | {"x509": x509},
        "authorization": _merged("authorization", c),
    }


def _merged(name: str, configuration: Configuration) -> Json:
    """The defaults of a field with fields, and what the file says of each."""
    given = configuration.raw.get(name) or {}
    found: Json = _DEFAULTS[name]
    return {
        key: {**value, **_set(given.get(key) or {})} if isinstance(value, dict) else given.get(key) or value
        for key, value in found.items()
    }


def _set(fields: Mapping[str, Any]) -> Json:
    return {name: value for name, value in fields.items() if value not in _UNSET}

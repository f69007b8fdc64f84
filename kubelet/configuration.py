"""The KubeletConfiguration file (`--config`), kubelet.config.k8s.io/v1beta1: read strictly. Pure.

What this kubelet does not do is accepted where the file asks for no more than upstream's default, and refused where it
asks for something else: nobody has to find out later that a setting had no effect. A flag counts before the file.
Source: k8s.io/kubelet/config/v1beta1/types.go and pkg/kubelet/apis/config/v1beta1/defaults.go.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from apimachinery import quantity
from apimachinery.types import Json
from kubelet.eviction.thresholds import DEFAULT_HARD, parse_signals
from kubelet.image_gc import HIGH, LOW

KIND, API_VERSION = "KubeletConfiguration", "kubelet.config.k8s.io/v1beta1"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|µs|ns|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


class BadConfiguration(ValueError):
    """The file cannot be used; the message says which field and why."""


@dataclass(frozen=True, slots=True)
class Grace:
    """Pods of this priority, or a higher one below the next entry, have so many seconds when the node shuts down."""

    priority: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What of a KubeletConfiguration is honoured. Durations are seconds."""

    address: str = "0.0.0.0"  # noqa: S104 - upstream's default
    port: int = 10250
    healthz_port: int = 10248
    healthz_bind_address: str = "127.0.0.1"
    tls_cert_file: str = ""
    tls_private_key_file: str = ""
    client_ca_file: str = ""
    cluster_dns: Sequence[str] = ()
    cluster_domain: str = ""
    cgroup_driver: str = ""
    cgroup_root: str = ""
    max_pods: int = 110
    pod_pids_limit: int = -1
    resolv_conf: str = "/etc/resolv.conf"
    allowed_unsafe_sysctls: Sequence[str] = ()
    register_node: bool = True
    register_with_taints: Sequence[Json] = ()
    static_pod_path: str = ""
    node_status_update_frequency: float = 10.0
    node_status_report_frequency: float = 300.0
    node_lease_duration_seconds: int = 40
    node_status_max_images: int = 50
    provider_id: str = ""
    seccomp_default: bool = False
    system_log_handler: bool = True
    system_reserved: Mapping[str, str] = field(default_factory=dict)
    kube_reserved: Mapping[str, str] = field(default_factory=dict)
    enforce_node_allocatable: Sequence[str] = ("pods",)
    eviction_hard: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_HARD))
    eviction_soft: Mapping[str, str] = field(default_factory=dict)
    eviction_soft_grace_period: Mapping[str, float] = field(default_factory=dict)
    eviction_max_pod_grace_period: int = 0
    eviction_minimum_reclaim: Mapping[str, str] = field(default_factory=dict)
    eviction_pressure_transition_period: float = 300.0
    shutdown_grace_period: float = 0.0
    shutdown_grace_period_critical_pods: float = 0.0
    shutdown_by_priority: Sequence[Grace] = ()
    serialize_image_pulls: bool | None = None  # None: unless the next says how many
    max_parallel_image_pulls: int = 0  # 0: any number
    image_gc_high: int = HIGH
    image_gc_low: int = LOW
    log_max_size: int = 10 << 20  # bytes of one file of a container's log; below 0 it grows without end
    log_max_files: int = 5
    swap_behavior: str = ""  # "" and NoSwap are one
    fail_swap_on: bool = True
    single_process_oom_kill: bool | None = None  # None: as the version of cgroups has it
    memory_qos: bool = False
    memory_throttling_factor: float = 0.9
    raw: Mapping[str, Any] = field(default_factory=dict)  # the file itself, for whoever knows more of it

    @property
    def pulls_are_serial(self) -> bool:
        given = self.serialize_image_pulls
        return self.max_parallel_image_pulls < 2 if given is None else given


def parse_duration(text: Any) -> float:
    """Go's `1m30s`; a bare 0 is allowed."""
    if text in (0, "0", "", None):
        return 0.0
    found = _DURATION.findall(str(text))
    if not found or "".join(number + unit for number, unit in found) != str(text):
        raise ValueError(f"time: invalid duration {text!r}")
    return sum(float(number) * _SECONDS[unit] for number, unit in found)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is no integer")
    return value


def _size(value: Any) -> int:
    try:
        return quantity.parse(str(value)).value()
    except ValueError as error:
        raise ValueError(f"failed to parse container log max size {value!r}: {error}") from error


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no string")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return tuple(_text(item) for item in value)


def _reserved(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is no map")
    for name, amount in value.items():
        if name not in ("cpu", "memory", "ephemeral-storage", "pid"):
            raise ValueError(f"cannot reserve {name!r} resource")
        quantity.parse(str(amount))
    return {name: str(amount) for name, amount in value.items()}


def _signals(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is no map")
    found = {str(name): str(amount) for name, amount in value.items()}
    parse_signals(found)
    return found


def _durations(value: Any) -> dict[str, float]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is no map")
    return {str(name): parse_duration(amount) for name, amount in value.items()}


def _taints(value: Any) -> tuple[Json, ...]:
    if not isinstance(value, list) or not all(isinstance(taint, dict) for taint in value):
        raise TypeError(f"{value!r} is no list of taints")
    return tuple(value)


def _graces(value: Any) -> tuple[Grace, ...]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    found = [Grace(_whole(row["priority"]), float(_whole(row["shutdownGracePeriodSeconds"]))) for row in value]
    return tuple(sorted(found, key=lambda grace: grace.priority))


def _swap(value: Any) -> str:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is no map")
    behavior = _text(value.get("swapBehavior", ""))
    if behavior not in ("", "NoSwap", "LimitedSwap"):
        what = f'memorySwap.swapBehavior "{behavior}" must be one of: "", "LimitedSwap" or "NoSwap"'
        raise ValueError(f"invalid configuration: {what}")
    return behavior


def _gates(value: Any) -> bool:
    """Whether MemoryQoS is on: the one gate that can be set."""
    if not isinstance(value, dict) or value.keys() - {"MemoryQoS"}:
        raise ValueError(f"{value!r} is not supported, only MemoryQoS")
    return _flag(value["MemoryQoS"])


def _factor(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise ValueError(f"memoryThrottlingFactor {value} must be greater than 0 and less than or equal to 1.0")
    return float(value)


#: The file's field -> ours, and how it is read. A value of zero or "" means the default, as in upstream's defaulting.
_HONOURED: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "address": ("address", _text),
    "port": ("port", _whole),
    "healthzPort": ("healthz_port", _whole),
    "healthzBindAddress": ("healthz_bind_address", _text),
    "tlsCertFile": ("tls_cert_file", _text),
    "tlsPrivateKeyFile": ("tls_private_key_file", _text),
    "clusterDNS": ("cluster_dns", _texts),
    "clusterDomain": ("cluster_domain", _text),
    "cgroupDriver": ("cgroup_driver", _text),
    "cgroupRoot": ("cgroup_root", _text),
    "maxPods": ("max_pods", _whole),
    "podPidsLimit": ("pod_pids_limit", _whole),
    "resolvConf": ("resolv_conf", _text),
    "allowedUnsafeSysctls": ("allowed_unsafe_sysctls", _texts),
    "registerNode": ("register_node", _flag),
    "registerWithTaints": ("register_with_taints", _taints),
    "staticPodPath": ("static_pod_path", _text),
    "nodeStatusUpdateFrequency": ("node_status_update_frequency", parse_duration),
    "nodeStatusReportFrequency": ("node_status_report_frequency", parse_duration),
    "nodeLeaseDurationSeconds": ("node_lease_duration_seconds", _whole),
    "nodeStatusMaxImages": ("node_status_max_images", _whole),
    "providerID": ("provider_id", _text),
    "seccompDefault": ("seccomp_default", _flag),
    "enableSystemLogHandler": ("system_log_handler", _flag),
    "systemReserved": ("system_reserved", _reserved),
    "kubeReserved": ("kube_reserved", _reserved),
    "enforceNodeAllocatable": ("enforce_node_allocatable", _texts),
    "evictionHard": ("eviction_hard", _signals),
    "evictionSoft": ("eviction_soft", _signals),
    "evictionSoftGracePeriod": ("eviction_soft_grace_period", _durations),
    "evictionMaxPodGracePeriod": ("eviction_max_pod_grace_period", _whole),
    "evictionMinimumReclaim": ("eviction_minimum_reclaim", _signals),
    "evictionPressureTransitionPeriod": ("eviction_pressure_transition_period", parse_duration),
    "serializeImagePulls": ("serialize_image_pulls", _flag),
    "maxParallelImagePulls": ("max_parallel_image_pulls", _whole),
    "containerLogMaxSize": ("log_max_size", _size),
    "containerLogMaxFiles": ("log_max_files", _whole),
    "imageGCHighThresholdPercent": ("image_gc_high", _whole),
    "imageGCLowThresholdPercent": ("image_gc_low", _whole),
    "memorySwap": ("swap_behavior", _swap),
    "failSwapOn": ("fail_swap_on", _flag),
    "singleProcessOOMKill": ("single_process_oom_kill", _flag),
    "featureGates": ("memory_qos", _gates),
    "memoryThrottlingFactor": ("memory_throttling_factor", _factor),
    "shutdownGracePeriod": ("shutdown_grace_period", parse_duration),
    "shutdownGracePeriodCriticalPods": ("shutdown_grace_period_critical_pods", parse_duration),
    "shutdownGracePeriodByPodPriority": ("shutdown_by_priority", _graces),
}

#: What another part of the kubelet reads from `raw`, or what changes nothing that anybody can see.
_FREE_TEXT = """
fileCheckFrequency containerLogMaxWorkers containerLogMonitorInterval
containerRuntimeEndpoint imageServiceEndpoint contentType kubeAPIQPS kubeAPIBurst eventRecordQPS eventBurst
registryPullQPS registryBurst
volumeStatsAggPeriod syncFrequency httpCheckFrequency runtimeRequestTimeout
streamingConnectionIdleTimeout maxOpenFiles oomScoreAdj rotateCertificates logging enableContentionProfiling
configMapAndSecretChangeDetectionStrategy makeIPTablesUtilChains iptablesMasqueradeBit iptablesDropBit
cpuManagerReconcilePeriod hairpinMode
kernelMemcgNotification enableProfilingHandler enableDebugFlagsHandler
showHiddenMetricsForVersion podCIDR kubeletCgroups
systemCgroups failCgroupV1
"""
_FREE = frozenset(_FREE_TEXT.split())

#: What we do in upstream's default way only.
_FIXED: Mapping[str, tuple[Any, ...]] = {
    "enableServer": (True,),
    "enableDebuggingHandlers": (True,),
    "enableControllerAttachDetach": (True,),
    "localStorageCapacityIsolation": (True,),
    "cgroupsPerQOS": (True,),
    "cpuManagerPolicy": ("none",),
    "memoryManagerPolicy": ("None",),
    "topologyManagerPolicy": ("none",),
    "topologyManagerScope": ("container",),
    "cpuCFSQuota": (True,),
    "cpuCFSQuotaPeriod": ("100ms",),
    "tlsMinVersion": ("VersionTLS12",),
    "protectKernelDefaults": (False,),
    "imageMinimumGCAge": ("2m", "2m0s"),
    "imagePullCredentialsVerificationPolicy": ("NeverVerifyPreloadedImages", "NeverVerify"),
    "podLogsDir": ("/var/log/pods",),
    "serverTLSBootstrap": (False,),
    "mergeDefaultEvictionSettings": (False,),
    "enableSystemLogQuery": (False,),
    "runOnce": (False,),
}
_FIXED_EMPTY_TEXT = """
readOnlyPort tlsCipherSuites imageMaximumGCAge preloadedImagesVerificationAllowlist volumePluginDir
staticPodURL staticPodURLHeader qosReserved podsPerCore systemReservedCgroup kubeReservedCgroup
reservedSystemCPUs reservedMemory tracing userNamespaces cpuManagerPolicyOptions topologyManagerPolicyOptions
"""
_FIXED_EMPTY = frozenset(_FIXED_EMPTY_TEXT.split())


def parse(text: str) -> Configuration:
    """The file's text (YAML or JSON)."""
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadConfiguration(f"error decoding KubeletConfiguration: {error}") from error
    if not isinstance(tree, dict) or (tree.get("apiVersion"), tree.get("kind")) != (API_VERSION, KIND):
        raise BadConfiguration(f"the file holds no {KIND} of {API_VERSION}")
    found: dict[str, Any] = {"raw": tree}
    for name, value in tree.items():
        if name in ("apiVersion", "kind") or (_is_nothing(value) and (name not in _POINTERS or value is None)):
            continue
        try:
            found |= _one(name, value)
        except (ValueError, KeyError, TypeError) as error:
            raise BadConfiguration(f"{name}: {error}") from error
    made = Configuration(**found)
    check(made)
    return made


#: Fields in which zero is a choice, and a bad one.
_POINTERS = ("maxParallelImagePulls",)


def _is_nothing(value: Any) -> bool:
    """What the field's default takes the place of. False is a choice."""
    return value in (None, "", 0, "0s", {}, []) and value is not False


def _one(name: str, value: Any) -> dict[str, Any]:
    if name in _HONOURED:
        own, read = _HONOURED[name]
        return {own: read(value)}
    if name == "authentication":
        return _authentication(value)
    if name == "authorization":
        if value.get("mode", "Webhook") != "Webhook":
            raise ValueError(f"mode {value['mode']!r} is not supported, only Webhook")
        return {}
    if name == "crashLoopBackOff":
        if any(not _is_nothing(inner) for inner in value.values()):
            why = "FeatureGate KubeletCrashLoopBackOffMax not enabled"
            raise ValueError(f"{why}, CrashLoopBackOff.MaxContainerRestartPeriod must not be set")
        return {}
    if name in _FREE:
        return {}
    if name in _FIXED or name in _FIXED_EMPTY:
        if value not in _FIXED.get(name, ()):
            allowed = " or ".join(map(repr, _FIXED.get(name, ()))) or "the default"
            raise ValueError(f"{value!r} is not supported, only {allowed}")
        return {}
    raise ValueError(f'strict decoding error: unknown field "{name}"')


def _authentication(value: Mapping[str, Any]) -> dict[str, Any]:
    known = {"x509", "webhook", "anonymous"}
    if value.keys() - known:
        raise ValueError(f'strict decoding error: unknown field "{min(value.keys() - known)}"')
    if (value.get("anonymous") or {}).get("enabled"):
        raise ValueError("anonymous.enabled true is not supported: nothing is anonymous here")
    if not (value.get("webhook") or {}).get("enabled", True):
        raise ValueError("webhook.enabled false is not supported")
    file = (value.get("x509") or {}).get("clientCAFile", "")
    return {"client_ca_file": file} if file else {}


def check(made: Configuration) -> None:
    """What goes together, as upstream's validation has it."""
    if made.shutdown_grace_period_critical_pods > made.shutdown_grace_period:
        raise BadConfiguration("invalid configuration: shutdownGracePeriodCriticalPods must be <= shutdownGracePeriod")
    if made.shutdown_by_priority and (made.shutdown_grace_period or made.shutdown_grace_period_critical_pods):
        raise BadConfiguration(
            "invalid configuration: Cannot specify both shutdownGracePeriodByPodPriority and shutdownGracePeriod at the"
            " same time"
        )
    if made.max_parallel_image_pulls < (1 if made.raw.get("maxParallelImagePulls") is not None else 0):
        number = made.max_parallel_image_pulls
        raise BadConfiguration(f"invalid configuration: maxParallelImagePulls {number} must be a positive number")
    if made.pulls_are_serial and made.max_parallel_image_pulls > 1:
        raise BadConfiguration(
            "invalid configuration: maxParallelImagePulls cannot be larger than 1 unless SerializeImagePulls"
            " (--serialize-image-pulls) is set to false"
        )
    if made.log_max_files <= 1:
        raise BadConfiguration(f"containerLogMaxFiles: invalid MaxFiles {made.log_max_files}, must be > 1")
    missing = [name for name in made.eviction_soft if name not in made.eviction_soft_grace_period]
    if missing:
        raise BadConfiguration(f"grace period must be specified for the soft eviction threshold {missing[0]}")
    if made.node_lease_duration_seconds < 0:
        raise BadConfiguration("invalid configuration: nodeLeaseDurationSeconds must be greater than 0")
    wrong = [name for name in made.enforce_node_allocatable if name not in ("pods", "none")]
    if wrong:
        raise BadConfiguration(f"enforceNodeAllocatable: {wrong[0]!r} is not supported, only pods or none")

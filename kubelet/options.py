"""The kubelet's settings, checked. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from apimachinery import quantity
from apimachinery.types import Json
from kubelet.configuration import API_VERSION, KIND, Configuration, check, parse
from kubelet.credential_plugins import Provider
from kubelet.eviction.thresholds import reserved as hard
from kubelet.pods.backoff import spoken as go_duration

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the flags say that no configuration file does; their meaning stands in main.py."""

    kubeconfig: str
    network_kubeconfig: str
    local_path_kubeconfig: str
    node_name: str
    node_ip: str
    root_dir: Path
    log_dir: Path
    cluster_cidr: str
    docker_endpoint: str
    bridge: str
    chain_prefix: str
    cluster_name: str
    credential_providers: Sequence[Provider]
    credential_bin_dir: str
    labels: Mapping[str, str]
    configuration: Configuration


def configured(text: str, flags: Mapping[str, Any]) -> Configuration:
    """The file's settings (`text` is "" where there is none), with those of the flags that were given over them."""
    found = parse(text) if text else Configuration()
    made = replace(found, **{name: value for name, value in flags.items() if value is not None})
    check(made)
    return made


def served(configuration: Configuration) -> Json:
    """The KubeletConfiguration in force (`/configz`)."""
    c = configuration
    return {**c.raw} | {
        "kind": KIND,
        "apiVersion": API_VERSION,
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
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}},
        "authorization": {"mode": "Webhook"},
    }


def reserved(configuration: Configuration, capacity: Mapping[str, int]) -> dict[str, str]:
    """What pods may not have: the two reservations, and what the hard eviction thresholds keep."""
    rows = [configuration.system_reserved, configuration.kube_reserved]
    rows.append({name: str(amount) for name, amount in hard(configuration.eviction_hard, capacity).items()})
    return _sum(rows)


def withheld(configuration: Configuration) -> dict[str, str]:
    """The reservations alone: what the kernel keeps all pods together from."""
    enforced = "pods" in configuration.enforce_node_allocatable
    return _sum([configuration.system_reserved, configuration.kube_reserved]) if enforced else {}


def _sum(rows: Sequence[Mapping[str, str]]) -> dict[str, str]:
    found: dict[str, quantity.Quantity] = {}
    for row in rows:
        for name, amount in row.items():
            found[name] = found[name] + quantity.parse(amount) if name in found else quantity.parse(amount)
    return {name: str(amount) for name, amount in found.items()}


def parse_labels(text: str) -> dict[str, str]:
    """`a=b,c=d`."""
    found = {}
    for part in filter(None, text.split(",")):
        key, equals, value = part.partition("=")
        if not key or not equals:
            raise ValueError(f"{part!r} is not KEY=VALUE")
        found[key] = value
    return found


def parse_taints(text: str) -> list[Json]:
    """`key=value:NoSchedule,key:NoExecute`."""
    found = []
    for part in filter(None, text.split(",")):
        pair, _, effect = part.rpartition(":")
        key, equals, value = pair.partition("=")
        if not key or effect not in _EFFECTS:
            raise ValueError(f"{part!r} is not KEY[=VALUE]:EFFECT with an effect of {', '.join(_EFFECTS)}")
        found.append({"key": key, "effect": effect} | ({"value": value} if equals else {}))
    return found


def parse_pairs(text: str) -> dict[str, str]:
    """`cpu=100m,memory=1Gi`, or `memory.available<100Mi`."""
    found = {}
    for part in filter(None, text.split(",")):
        key, separator, value = part.partition("<" if "<" in part else "=")
        if not key or not value:
            raise ValueError(f"{part!r} is not NAME{separator or '='}AMOUNT")
        found[key] = value
    return found

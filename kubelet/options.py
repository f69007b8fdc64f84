"""The kubelet's settings, checked. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from apimachinery.types import Json

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the flags say; their meaning stands in main.py."""

    kubeconfig: str
    network_kubeconfig: str
    local_path_kubeconfig: str
    node_name: str
    node_ip: str
    root_dir: Path
    log_dir: Path
    port: int
    tls_cert_file: str
    tls_private_key_file: str
    client_ca_file: str
    cluster_dns: Sequence[str]
    cluster_domain: str
    cluster_cidr: str
    resolv_conf: str
    docker_endpoint: str
    cgroup_parent: str
    cgroup_driver: str
    bridge: str
    chain_prefix: str
    cluster_name: str
    max_pods: int
    serialize_image_pulls: bool
    max_parallel_image_pulls: int
    image_gc_high: int
    image_gc_low: int
    credential_config: str
    credential_bin_dir: str
    unsafe_sysctls: Sequence[str]
    taints: Sequence[Json]
    labels: Mapping[str, str]

    def configuration(self) -> Json:
        """The part of a KubeletConfiguration that these settings are (`/configz`)."""
        return {
            "kind": "KubeletConfiguration",
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "port": self.port,
            "clusterDomain": self.cluster_domain,
            "clusterDNS": list(self.cluster_dns),
            "cgroupDriver": self.cgroup_driver,
            "cgroupRoot": self.cgroup_parent or "/",
            "maxPods": self.max_pods,
            "serializeImagePulls": self.serialize_image_pulls,
            "maxParallelImagePulls": None if self.serialize_image_pulls else self.max_parallel_image_pulls,
            "imageGCHighThresholdPercent": self.image_gc_high,
            "imageGCLowThresholdPercent": self.image_gc_low,
            "resolvConf": self.resolv_conf,
            "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}},
            "authorization": {"mode": "Webhook"},
        }


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

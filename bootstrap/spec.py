"""What one cluster on this machine is: its name, addresses, ports and folders, as one frozen value.

Everything that two clusters on one machine must not share is here, so that every other module takes a `ClusterSpec`
and reads no default of its own. The value is written to `cluster.json` before anything is started; `down` and a second
`up` read it back, so that they mend what an earlier version or other flags have made.
"""

import hashlib
import ipaddress
import os
import re
import socket
from base64 import b32encode
from pathlib import Path
from typing import Any

import msgspec

DEFAULT_NAME = "pykube"
DEFAULT_HOME = "/var/lib/pykube"


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """Where the processes listen. Upstream's ports, moved as a whole by `offset` for a second cluster."""

    etcd_client: int = 2379
    etcd_peer: int = 2380
    apiserver: int = 6443
    kubelet: int = 10250
    kubelet_health: int = 10248
    controllers: int = 10257
    scheduler: int = 10259
    proxy_health: int = 10256
    proxy_metrics: int = 10249
    dns_health: int = 8181

    @classmethod
    def shifted(cls, offset: int) -> "Ports":
        """The default ports, each `offset` higher."""
        return cls(**{field.name: field.default + offset for field in msgspec.structs.fields(cls)})


class ClusterSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One cluster on this machine. Folders and the names of devices and chains follow from `name` and `home`."""

    name: str = DEFAULT_NAME
    home: str = DEFAULT_HOME
    node_name: str = ""
    node_ip: str = ""
    ports: Ports = Ports()
    service_cidr: str = "10.96.0.0/16"
    pod_cidr: str = "10.244.0.0/16"
    node_port_range: str = "30000-32767"
    cluster_domain: str = "cluster.local"
    docker_endpoint: str = "unix:///var/run/docker.sock"
    etcd_quota_bytes: int = 4 * 1024**3
    kubelet_configuration: dict[str, Any] = {}  # what the user wants changed of ours
    image_credential_provider_config: str = ""  # a file: programs of the machine's that know registries' passwords
    image_credential_provider_bin_dir: str = ""

    @property
    def root(self) -> Path:
        """The folder that holds all of this cluster's state."""
        return Path(self.home) / self.name

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def node_dir(self) -> Path:
        """The kubelet's root folder."""
        return self.root / "nodes" / self.node_name

    @property
    def kubelet_config(self) -> Path:
        """The file that the kubelet is configured by (bootstrap/kubelet_configuration.py)."""
        return self.root / "kubelet-config.yaml"

    @property
    def pod_log_dir(self) -> Path:
        """The parent of `pods/` and `containers/`: /var/log for the main cluster, where log collectors look."""
        return Path("/var/log") if self.name == DEFAULT_NAME else self.logs

    @property
    def context(self) -> str:
        """The name in the kubeconfig."""
        return DEFAULT_NAME if self.name == DEFAULT_NAME else f"{DEFAULT_NAME}-{self.name}"

    @property
    def server(self) -> str:
        """The API server's URL, as the components and the kubeconfig use it."""
        return f"https://127.0.0.1:{self.ports.apiserver}"

    @property
    def etcd(self) -> str:
        return f"https://127.0.0.1:{self.ports.etcd_client}"

    @property
    def api_service_ip(self) -> str:
        """The first address of the service CIDR: the `kubernetes` Service."""
        return str(ipaddress.ip_network(self.service_cidr)[1])

    @property
    def dns_ip(self) -> str:
        """The tenth address of the service CIDR, as kubeadm chooses it."""
        return str(ipaddress.ip_network(self.service_cidr)[10])

    @property
    def tag(self) -> str:
        """Four characters that stand for the name where names are short (devices, chains)."""
        return b32encode(hashlib.sha256(self.name.encode()).digest()).decode()[:4]

    @property
    def bridge(self) -> str:
        return "pykube0" if self.name == DEFAULT_NAME else f"pk{self.tag.lower()}"

    @property
    def chain_prefix(self) -> str:
        """What the names of our iptables chains begin with: upstream's KUBE for the main cluster."""
        return "KUBE" if self.name == DEFAULT_NAME else f"K{self.tag}"

    @property
    def cgroup_parent(self) -> str:
        return "/kubepods" if self.name == DEFAULT_NAME else f"/kubepods-{self.name}"

    def save(self) -> None:
        """Writes `cluster.json`; atomic, so that a kill leaves the old one or the new one."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        target = self.root / "cluster.json"
        temporary = target.with_suffix(".tmp")
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2))
        temporary.rename(target)


def load(name: str, home: str) -> ClusterSpec | None:
    """The cluster as an earlier `up` described it; None where there is none."""
    try:
        return msgspec.json.decode((Path(home) / name / "cluster.json").read_bytes(), type=ClusterSpec)
    except FileNotFoundError:
        return None


def default_home() -> str:
    """$PYKUBE_HOME, else /var/lib/pykube."""
    return os.environ.get("PYKUBE_HOME", DEFAULT_HOME)


def host_name() -> str:
    """The machine's name as a node name: lower case, only what RFC 1123 allows."""
    name = re.sub(r"[^a-z0-9.-]+", "-", socket.gethostname().lower()).strip("-.")
    return name or "node"


def host_address() -> str:
    """The address other machines would reach this one at: that of the interface with the default route.

    A connected UDP socket asks the routing table and sends nothing. Without a route it is the loopback address.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])

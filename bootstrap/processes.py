"""Which processes a cluster consists of: a pure function from the spec to command lines.

The order is the order of starting. Each could start at once, since each waits for what it needs and says so in its log;
but the clients of the API server would only take its processor time, and then sleep in their back-off. `health` is what
tells that a process serves.
"""

import sys
from pathlib import Path

import msgspec

from bootstrap import kubeconfig
from bootstrap.spec import ClusterSpec


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One process to keep running. `health` is a URL answering 200 when it serves ("" where there is none).

    `after` is the process without which it can do nothing: it is started when that one serves.
    """

    name: str
    argv: tuple[str, ...]
    health: str = ""
    after: str = ""
    nice: int = 0


def processes(spec: ClusterSpec, etcd_binary: str) -> tuple[Process, ...]:
    """Every process of a one-node cluster."""
    return (
        _etcd(spec, etcd_binary),
        _apiserver(spec),
        _controllers(spec),
        _scheduler(spec),
        _kubelet(spec),
        _proxy(spec),
        _dns(spec),
    )


def _program(name: str) -> str:
    """A program of ours: beside the interpreter that runs us, so that a virtual environment need not be active."""
    return str(Path(sys.executable).parent / name)


def _flags(**flags: object) -> tuple[str, ...]:
    return tuple(f"--{name.replace('_', '-')}={value}" for name, value in flags.items())


def _etcd(spec: ClusterSpec, binary: str) -> Process:
    peer = f"https://127.0.0.1:{spec.ports.etcd_peer}"
    pki = spec.pki / "etcd"
    flags = _flags(
        name=spec.node_name,
        data_dir=spec.root / "etcd",
        listen_client_urls=spec.etcd,
        advertise_client_urls=spec.etcd,
        listen_peer_urls=peer,
        initial_advertise_peer_urls=peer,
        initial_cluster=f"{spec.node_name}={peer}",
        cert_file=pki / "server.crt",
        key_file=pki / "server.key",
        trusted_ca_file=pki / "ca.crt",
        peer_cert_file=pki / "peer.crt",
        peer_key_file=pki / "peer.key",
        peer_trusted_ca_file=pki / "ca.crt",
        client_cert_auth="true",
        peer_client_cert_auth="true",
        snapshot_count=10000,
        quota_backend_bytes=spec.etcd_quota_bytes,
        logger="zap",
    )
    return Process(name="etcd", argv=(binary, *flags))


def _apiserver(spec: ClusterSpec) -> Process:
    pki = spec.pki
    flags = _flags(
        etcd_servers=spec.etcd,
        etcd_cafile=pki / "etcd/ca.crt",
        etcd_certfile=pki / "apiserver-etcd-client.crt",
        etcd_keyfile=pki / "apiserver-etcd-client.key",
        secure_port=spec.ports.apiserver,
        bind_address="0.0.0.0",
        advertise_address=spec.node_ip,
        tls_cert_file=pki / "apiserver.crt",
        tls_private_key_file=pki / "apiserver.key",
        client_ca_file=pki / "ca.crt",
        service_account_key_file=pki / "sa.pub",
        service_account_signing_key_file=pki / "sa.key",
        service_account_issuer=f"https://kubernetes.default.svc.{spec.cluster_domain}",
        service_cluster_ip_range=spec.service_cidr,
        service_node_port_range=spec.node_port_range,
        kubelet_client_certificate=pki / "apiserver-kubelet-client.crt",
        kubelet_client_key=pki / "apiserver-kubelet-client.key",
        kubelet_certificate_authority=pki / "ca.crt",
        proxy_client_cert_file=pki / "front-proxy-client.crt",
        proxy_client_key_file=pki / "front-proxy-client.key",
        requestheader_client_ca_file=pki / "front-proxy-ca.crt",
        requestheader_allowed_names="front-proxy-client",
        authorization_mode="Node,RBAC",
    )
    return Process(name="apiserver", argv=(_program("pykube-apiserver"), *flags), health=f"{spec.server}/readyz")


def _controllers(spec: ClusterSpec) -> Process:
    flags = _flags(
        kubeconfig=kubeconfig.path(spec, "controller-manager"),
        cluster_cidr=spec.pod_cidr,
        root_ca_file=spec.pki / "ca.crt",
        cluster_signing_cert_file=spec.pki / "ca.crt",
        cluster_signing_key_file=spec.pki / "ca.key",
        leader_elect_identity=spec.node_name,
        secure_port=spec.ports.controllers,
        tls_cert_file=spec.pki / "controller-manager.crt",
        tls_private_key_file=spec.pki / "controller-manager.key",
    )
    argv = (_program("pykube-controller-manager"), *flags)
    return Process(name="controllers", argv=argv, health=_health(spec.ports.controllers), after="apiserver")


def _scheduler(spec: ClusterSpec) -> Process:
    flags = _flags(
        kubeconfig=kubeconfig.path(spec, "scheduler"),
        leader_elect_identity=spec.node_name,
        secure_port=spec.ports.scheduler,
        tls_cert_file=spec.pki / "scheduler.crt",
        tls_private_key_file=spec.pki / "scheduler.key",
    )
    argv = (_program("pykube-scheduler"), *flags)
    return Process(name="scheduler", argv=argv, health=_health(spec.ports.scheduler), after="apiserver")


def _kubelet(spec: ClusterSpec) -> Process:
    flags = _flags(
        kubeconfig=kubeconfig.path(spec, f"node-{spec.node_name}"),
        config=spec.kubelet_config,  # what has a place there is no flag: a flag would count before the user's word
        node_name=spec.node_name,
        node_ip=spec.node_ip,
        root_dir=spec.node_dir,
        docker_endpoint=spec.docker_endpoint,
        bridge=spec.bridge,
        chain_prefix=spec.chain_prefix,
        cluster_name=spec.name,
        cluster_cidr=spec.pod_cidr,
        log_dir=spec.pod_log_dir,
        network_kubeconfig=kubeconfig.path(spec, "proxy"),
        local_path_kubeconfig=kubeconfig.path(spec, "local-path"),
    )
    if spec.image_credential_provider_config:
        flags += _flags(
            image_credential_provider_config=spec.image_credential_provider_config,
            image_credential_provider_bin_dir=spec.image_credential_provider_bin_dir,
        )
    argv = (_program("pykube-kubelet"), *flags)
    health = f"http://127.0.0.1:{spec.ports.kubelet_health}/healthz"
    return Process(name="kubelet", argv=argv, health=health, after="apiserver")


def _proxy(spec: ClusterSpec) -> Process:
    flags = _flags(
        kubeconfig=kubeconfig.path(spec, "proxy"),
        hostname_override=spec.node_name,
        cluster_cidr=spec.pod_cidr,
        service_cidr=spec.service_cidr,
        chain_prefix=spec.chain_prefix,
        healthz_port=spec.ports.proxy_health,
        metrics_port=spec.ports.proxy_metrics,
        sysctl_record=spec.run / "sysctl.json",
    )
    argv = (_program("pykube-proxy"), *flags)
    return Process(
        name="proxy", argv=argv, health=f"http://127.0.0.1:{spec.ports.proxy_health}/healthz", after="apiserver"
    )


def _dns(spec: ClusterSpec) -> Process:
    flags = _flags(
        kubeconfig=kubeconfig.path(spec, "dns"),
        address=spec.dns_ip,
        cluster_domain=spec.cluster_domain,
        service_cidr=spec.service_cidr,
        pod_cidr=spec.pod_cidr,
        health_port=spec.ports.dns_health,
    )
    argv = (_program("pykube-dns"), *flags)
    return Process(name="dns", argv=argv, health=f"http://127.0.0.1:{spec.ports.dns_health}/readyz", after="apiserver")


def _health(port: int) -> str:
    return f"https://127.0.0.1:{port}/healthz"

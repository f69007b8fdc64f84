"""`pykube-kubelet`: the command and its flags; what it runs is put together in kubelet/wiring.py."""

import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from kubelet.bounds import check
from kubelet.configuration import BadConfiguration, Configuration
from kubelet.credential_plugins import read_file as read_providers
from kubelet.eviction.thresholds import parse_signals
from kubelet.node_status import machine
from kubelet.options import Options, configured, parse_labels, parse_pairs, parse_taints
from kubelet.pods.cgroups import is_unified
from kubelet.wiring import kubelet
from serving import logs
from serving.process import run

T = TypeVar("T")

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def _default_ip() -> str:
    """The address from which the default route is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


@app.command(epilog="Example: pykube-kubelet --kubeconfig /etc/kubernetes/kubelet.conf --cluster-dns 10.96.0.10")
def command(
    kubeconfig: Annotated[str, typer.Option(help="How to reach the API server, and as whom.")] = "",
    config: Annotated[Path | None, typer.Option(help="A KubeletConfiguration file; flags count before it.")] = None,
    network_kubeconfig: Annotated[
        str, typer.Option(help="Who may list nodes, for routes between them; none: no routes.")
    ] = "",
    local_path_kubeconfig: Annotated[
        str, typer.Option(help="Who may make volumes out of this node's folders; none: none are made.")
    ] = "",
    node_name: Annotated[str, typer.Option("--node-name", "--hostname-override", help="Default: the host name.")] = "",
    node_ip: Annotated[str, typer.Option(help="Default: the address of the default route.")] = "",
    root_dir: Annotated[Path, typer.Option(help="Volumes and other state.")] = Path("/var/lib/kubelet"),
    log_dir: Annotated[Path, typer.Option(help="pods/ and containers/ lie here.")] = Path("/var/log"),
    port: Annotated[int | None, typer.Option(help="The kubelet's HTTPS API.", show_default="10250")] = None,
    healthz_port: Annotated[int | None, typer.Option(help="/healthz, 0: nowhere.", show_default="10248")] = None,
    tls_cert_file: Annotated[str | None, typer.Option(help="Its certificate.")] = None,
    tls_private_key_file: Annotated[str | None, typer.Option(help="Its key.")] = None,
    client_ca_file: Annotated[str | None, typer.Option(help="Whose clients' certificates are trusted.")] = None,
    cluster_dns: Annotated[str | None, typer.Option(help="DNS addresses for pods, with commas.")] = None,
    cluster_domain: Annotated[str | None, typer.Option(help="The cluster's domain.")] = None,
    cluster_cidr: Annotated[str, typer.Option(help="All pods' addresses: they see one another's own.")] = "",
    resolv_conf: Annotated[str | None, typer.Option(help="The node's resolver.")] = None,
    docker_endpoint: Annotated[str, typer.Option(help="The Docker Engine.")] = "unix:///var/run/docker.sock",
    cgroup_parent: Annotated[
        str | None, typer.Option("--cgroup-parent", "--cgroup-root", help="Over all pods' cgroups.")
    ] = None,
    cgroup_driver: Annotated[str | None, typer.Option(help="auto, cgroupfs or systemd.")] = None,
    bridge: Annotated[str, typer.Option(help="The bridge's name.")] = "pykube0",
    chain_prefix: Annotated[str, typer.Option(help="How our iptables chains begin.")] = "PYKUBE",
    cluster_name: Annotated[str, typer.Option(help="Marks our containers in a shared Docker.")] = "pykube",
    max_pods: Annotated[int | None, typer.Option(help="The node's capacity.", show_default="110")] = None,
    serialize_image_pulls: Annotated[bool | None, typer.Option(help="One image after the other.")] = None,
    max_parallel_image_pulls: Annotated[int | None, typer.Option(min=1, help="How many images side by side.")] = None,
    image_gc_high_threshold: Annotated[
        int | None,
        typer.Option(min=0, max=100, help="How full the images' disk may be, in percent, before images go."),
    ] = None,
    image_gc_low_threshold: Annotated[
        int | None, typer.Option(min=0, max=100, help="How full it is to be then.")
    ] = None,
    image_credential_provider_config: Annotated[
        str, typer.Option(help="A CredentialProviderConfig: programs that know registries' passwords.")
    ] = "",
    image_credential_provider_bin_dir: Annotated[str, typer.Option(help="Where these programs are.")] = "",
    pod_max_pids: Annotated[int | None, typer.Option(help="Processes of a pod at most.")] = None,
    pod_manifest_path: Annotated[str | None, typer.Option(help="Where manifests of static pods lie.")] = None,
    system_reserved: Annotated[str | None, typer.Option(help="Kept from pods: cpu=100m,memory=1Gi.")] = None,
    kube_reserved: Annotated[str | None, typer.Option(help="Kept from pods as well.")] = None,
    eviction_hard: Annotated[str | None, typer.Option(help="memory.available<100Mi and so on.")] = None,
    allowed_unsafe_sysctls: Annotated[
        str | None, typer.Option(help="Names, or prefixes that end in *, with commas.")
    ] = None,
    fail_swap_on: Annotated[
        bool | None, typer.Option(help="Whether a machine that swaps is refused.", show_default="yes")
    ] = None,
    register_node: Annotated[bool | None, typer.Option(help="Whether to make the Node object.")] = None,
    register_with_taints: Annotated[str | None, typer.Option(help="KEY=VALUE:EFFECT, with commas.")] = None,
    node_labels: Annotated[str, typer.Option(help="KEY=VALUE, with commas.")] = "",
) -> None:
    """Runs the pods of one node as Docker containers."""
    logs.configure("kubelet")
    flags = {
        "port": port,
        "healthz_port": healthz_port,
        "tls_cert_file": tls_cert_file,
        "tls_private_key_file": tls_private_key_file,
        "client_ca_file": client_ca_file,
        "cluster_dns": _listed(cluster_dns),
        "cluster_domain": cluster_domain,
        "resolv_conf": resolv_conf,
        "cgroup_root": cgroup_parent,
        "cgroup_driver": cgroup_driver,
        "max_pods": max_pods,
        "serialize_image_pulls": serialize_image_pulls,
        "max_parallel_image_pulls": max_parallel_image_pulls,
        "image_gc_high": image_gc_high_threshold,
        "image_gc_low": image_gc_low_threshold,
        "pod_pids_limit": pod_max_pids,
        "static_pod_path": pod_manifest_path,
        "system_reserved": _given(parse_pairs, system_reserved, "--system-reserved"),
        "kube_reserved": _given(parse_pairs, kube_reserved, "--kube-reserved"),
        "eviction_hard": _given(parse_thresholds, eviction_hard, "--eviction-hard"),
        "allowed_unsafe_sysctls": _listed(allowed_unsafe_sysctls),
        "fail_swap_on": fail_swap_on,
        "register_node": register_node,
        "register_with_taints": _given(parse_taints, register_with_taints, "--register-with-taints"),
    }
    options = Options(
        kubeconfig=kubeconfig,
        network_kubeconfig=network_kubeconfig,
        local_path_kubeconfig=local_path_kubeconfig,
        node_name=(node_name or socket.gethostname()).lower(),
        node_ip=node_ip or _default_ip(),
        root_dir=root_dir.absolute(),
        log_dir=log_dir.absolute(),
        cluster_cidr=cluster_cidr,
        docker_endpoint=docker_endpoint,
        bridge=bridge,
        chain_prefix=chain_prefix,
        cluster_name=cluster_name,
        credential_providers=_parsed(
            read_providers, image_credential_provider_config, "--image-credential-provider-config"
        ),
        credential_bin_dir=image_credential_provider_bin_dir,
        labels=_parsed(parse_labels, node_labels, "--node-labels"),
        configuration=_configured(config, flags),
    )
    try:
        check(options.configuration, machine(Path("/")), unified=is_unified())
    except BadConfiguration as error:
        raise typer.BadParameter(str(error), param_hint="--config") from error
    run(lambda stop: kubelet(options, stop))


def parse_thresholds(text: str) -> dict[str, str]:
    found = parse_pairs(text)
    parse_signals(found)
    return found


def _listed(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(part for part in text.split(",") if part)


def _given(parse: Callable[[str], T], text: str | None, option: str) -> T | None:
    return None if text is None else _parsed(parse, text, option)


def _configured(file: Path | None, flags: Mapping[str, object]) -> Configuration:
    try:
        found = configured(file.read_text() if file is not None else "", flags)
    except (OSError, BadConfiguration) as error:
        raise typer.BadParameter(
            f"failed to load kubelet config file {file}: {error}", param_hint="--config"
        ) from error
    return found if found.cluster_domain else replace(found, cluster_domain="cluster.local")


def _parsed(parse: Callable[[str], T], text: str, option: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def main() -> None:
    app()


if __name__ == "__main__":
    main()

"""The file that the kubelet is configured by: ours, with what the user's says of it merged over.

`pykubeadm up --kubelet-config=FILE` takes a KubeletConfiguration, as kubeadm and kind do. It is read as a merge patch
(RFC 7386) of what PyKube writes: a list takes the place of a list, null takes a setting away. What other parts of the
cluster go by (ports, certificates, cgroups) stays ours and is refused. The user's file is kept in `cluster.json`, so
that a later `up` without the flag changes nothing; one with another file has the kubelet started anew, which no
container notices.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from apimachinery.patch import merge_patch
from apimachinery.types import Json
from bootstrap.spec import ClusterSpec

KIND, API_VERSION = "KubeletConfiguration", "kubelet.config.k8s.io/v1beta1"
#: What is not the user's to set, and why.
OURS: Mapping[tuple[str, ...], str] = {
    ("port",): "the API server's way to the kubelet; --port-offset moves it",
    ("healthzPort",): "'pykubeadm status' asks there; --port-offset moves it",
    ("cgroupRoot",): "it follows from --name, and 'pykubeadm down' removes it",
    ("tlsCertFile",): "it is signed by the cluster's own authority",
    ("tlsPrivateKeyFile",): "it belongs to the cluster's own certificate",
    ("authentication", "x509", "clientCAFile"): "it is the cluster's own authority",
    ("clusterDomain",): "the cluster's certificates and its DNS go by it",
}


def given(file: Path) -> Json:
    """The user's file. Raises ValueError or OSError; whether it goes with ours is for `check` to say."""
    try:
        tree = yaml.safe_load(file.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: error decoding KubeletConfiguration: {error}") from error
    if not isinstance(tree, dict) or (tree.get("apiVersion"), tree.get("kind")) != (API_VERSION, KIND):
        raise ValueError(f"{file} holds no {KIND} of {API_VERSION}")
    return tree


def ours(spec: ClusterSpec) -> Json:
    """What a kubelet of this cluster is by itself."""
    serving = spec.pki / f"kubelet-{spec.node_name}"
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "port": spec.ports.kubelet,
        "healthzPort": spec.ports.kubelet_health,
        "tlsCertFile": f"{serving}.crt",
        "tlsPrivateKeyFile": f"{serving}.key",
        "authentication": {"x509": {"clientCAFile": str(spec.pki / "ca.crt")}},
        "clusterDNS": [spec.dns_ip],
        "clusterDomain": spec.cluster_domain,
        "cgroupRoot": spec.cgroup_parent,
        "staticPodPath": str(spec.root / "manifests"),
        "failSwapOn": False,  # whoever tries it out need not change the machine
    }


def merged(spec: ClusterSpec) -> Json:
    """What the kubelet is told."""
    whole: Json = merge_patch(ours(spec), spec.kubelet_configuration)
    return whole


def check(spec: ClusterSpec) -> None:
    """Raises ValueError where the kubelet could not start with that on this machine, or the cluster not go on."""
    _check_providers(spec)
    if not spec.kubelet_configuration:
        return
    from kubelet import bounds, configuration, node_status  # noqa: PLC0415 - half of what `up` loads; ours is good
    from kubelet.pods.cgroups import is_unified  # noqa: PLC0415

    own, whole = ours(spec), merged(spec)
    for path, why in OURS.items():
        mine, theirs = _at(own, path), _at(whole, path)
        if theirs != mine:
            raise ValueError(f"kubelet configuration: {'.'.join(path)} must be {mine!r}, not {theirs!r}: {why}")
    try:
        asked = configuration.parse(yaml.safe_dump(whole))
        bounds.check(asked, node_status.machine(Path("/")), unified=is_unified())
    except configuration.BadConfiguration as error:
        raise ValueError(f"kubelet configuration: {error}") from error


def _check_providers(spec: ClusterSpec) -> None:
    given = (spec.image_credential_provider_config, spec.image_credential_provider_bin_dir)
    if not any(given):
        return
    if not all(given):
        raise ValueError(
            "--image-credential-provider-config and --image-credential-provider-bin-dir go together: one is missing"
        )
    from kubelet.credential_plugins import read_file  # noqa: PLC0415 - as above

    try:
        found = read_file(spec.image_credential_provider_config)
    except ValueError as error:
        raise ValueError(f"{spec.image_credential_provider_config}: {error}") from error
    for provider in found:
        program = Path(spec.image_credential_provider_bin_dir, provider.name)
        if not os.access(program, os.X_OK):
            raise ValueError(f"credential provider {provider.name}: there is no program {program}")


def _at(tree: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def write(spec: ClusterSpec) -> None:
    """Writes the file, whole or not at all; one that says the same already stays untouched (its age is looked at)."""
    text = yaml.safe_dump(merged(spec), sort_keys=False)
    file = spec.kubelet_config
    if file.exists() and file.read_text() == text:
        return
    temporary = file.with_suffix(".tmp")
    temporary.write_text(text)
    temporary.rename(file)


def is_news(spec: ClusterSpec) -> bool:
    """Whether the kubelet that runs was started before the file was written."""
    started = spec.run / "kubelet.json"
    return started.exists() and started.stat().st_mtime_ns < spec.kubelet_config.stat().st_mtime_ns

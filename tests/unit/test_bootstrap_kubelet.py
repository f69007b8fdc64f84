"""How the kubelet is configured by `pykubeadm up`: our settings with the user's over them, refused before anything starts."""

import os

import pytest
import yaml

from bootstrap import kubelet_configuration
from bootstrap.processes import processes
from bootstrap.spec import ClusterSpec, Ports, load
from kubelet.configuration import API_VERSION, KIND, parse
from kubelet.options import configured

HEAD = {"apiVersion": API_VERSION, "kind": KIND}


def spec(tmp_path, **own):
    return ClusterSpec(
        home=str(tmp_path), node_name="n1", node_ip="192.0.2.2", kubelet_configuration={**HEAD, **own} if own else {}
    )


def written(cluster):
    cluster.root.mkdir(parents=True, exist_ok=True)
    kubelet_configuration.write(cluster)
    return parse(cluster.kubelet_config.read_text())


def test_ours_alone_is_a_whole_configuration(tmp_path):
    cluster = spec(tmp_path)
    found = written(cluster)
    assert (found.port, found.healthz_port, found.cluster_dns) == (10250, 10248, ("10.96.0.10",))
    assert found.static_pod_path == f"{cluster.root}/manifests"
    assert not found.fail_swap_on


def test_the_users_settings_are_merged_over_ours(tmp_path):
    found = written(spec(tmp_path, shutdownGracePeriod="30s", clusterDNS=["169.254.20.10"], staticPodPath=None))
    assert (found.shutdown_grace_period, found.cluster_dns, found.static_pod_path) == (30.0, ("169.254.20.10",), "")
    assert found.port == 10250


def test_no_flag_counts_before_the_users_file(tmp_path):
    (kubelet,) = (p for p in processes(spec(tmp_path), "etcd") if p.name == "kubelet")
    given = {flag.partition("=")[0].removeprefix("--").replace("-", "_") for flag in kubelet.argv[1:]}
    as_flags = set(configured("", {}).__dataclass_fields__) | {"pod_manifest_path", "cgroup_parent", "fail_swap_on"}
    assert not given & as_flags


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"maxPods": "many"}, "maxPods: 'many' is no integer"),
        ({"maxPod": 5}, 'strict decoding error: unknown field "maxPod"'),
        ({"shutdownGracePeriodCriticalPods": "10s"}, "shutdownGracePeriodCriticalPods must be <= shutdownGracePeriod"),
        ({"port": 1}, "port must be 10250, not 1: the API server's way to the kubelet; --port-offset moves it"),
        ({"authentication": {"x509": {"clientCAFile": "/x"}}}, "authentication.x509.clientCAFile must be "),
        ({"authentication": 3}, "authentication.x509.clientCAFile must be "),
    ],
)
def test_a_bad_one_is_refused(tmp_path, own, words):
    with pytest.raises(ValueError, match="kubelet configuration: ") as refusal:
        kubelet_configuration.check(spec(tmp_path, **own))
    assert words in str(refusal.value)


@pytest.mark.parametrize("text", ["a: [", "kind: Pod", "", "- 1"])
def test_what_is_no_kubelet_configuration_is_refused(tmp_path, text):
    file = tmp_path / "file"
    file.write_text(text)
    with pytest.raises(ValueError, match="KubeletConfiguration"):
        kubelet_configuration.given(file)


def test_it_survives_its_cluster_and_is_news_only_where_it_changed(tmp_path):
    cluster = spec(tmp_path, maxPods=20)
    cluster.save()
    assert load("pykube", str(tmp_path)) == cluster
    kubelet_configuration.write(cluster)
    assert not kubelet_configuration.is_news(cluster)  # no kubelet runs
    cluster.run.mkdir()
    (cluster.run / "kubelet.json").touch()
    later = cluster.kubelet_config.stat().st_mtime_ns + 10**9
    os.utime(cluster.run / "kubelet.json", ns=(later, later))
    kubelet_configuration.write(cluster)
    assert not kubelet_configuration.is_news(cluster)
    os.utime(cluster.run / "kubelet.json", ns=(0, 0))
    assert kubelet_configuration.is_news(cluster)


def test_a_second_cluster_has_its_own_health_port():
    assert Ports.shifted(100).kubelet_health == 10348


def test_what_the_kubelet_serves_of_it_can_be_given_back(tmp_path):
    tree = kubelet_configuration.merged(spec(tmp_path, maxPods=20))
    again = spec(tmp_path, **yaml.safe_load(yaml.safe_dump(tree)))
    kubelet_configuration.check(again)
    assert kubelet_configuration.merged(again) == tree


def test_credential_providers_are_programs_in_a_folder(tmp_path):
    file, program = tmp_path / "providers.yaml", tmp_path / "knows"
    provider = {"name": "knows", "apiVersion": "credentialprovider.kubelet.k8s.io/v1", "matchImages": ["x.test"]}
    both = {"image_credential_provider_config": str(file), "image_credential_provider_bin_dir": str(tmp_path)}

    def refusal(**own):
        with pytest.raises(ValueError, match=r".") as refused:
            kubelet_configuration.check(ClusterSpec(home=str(tmp_path), **own))
        return str(refused.value)

    assert "go together: one is missing" in refusal(image_credential_provider_config=str(file))
    file.write_text("kind: Pod")
    assert refusal(**both) == f"{file}: not a CredentialProviderConfig"
    file.write_text(yaml.safe_dump({"kind": "CredentialProviderConfig", "providers": [provider]}))
    assert refusal(**both) == f"credential provider knows: there is no program {program}"
    program.touch(mode=0o755)
    kubelet_configuration.check(ClusterSpec(home=str(tmp_path), **both))
    (kubelet,) = (p for p in processes(ClusterSpec(home=str(tmp_path), node_ip="192.0.2.2", **both), "etcd") if p.name == "kubelet")  # fmt: skip
    assert kubelet.argv[-2:] == (f"--image-credential-provider-config={file}", f"--image-credential-provider-bin-dir={tmp_path}")  # fmt: skip

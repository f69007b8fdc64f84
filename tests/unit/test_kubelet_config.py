"""From a container of the spec to what Docker is told."""

from pathlib import Path

import pytest

from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import Pod
from kubelet.pods.container_config import Machine, Prepared, container_config
from kubelet.pods.env import ConfigProblem
from kubelet.pods.security import Powers
from kubelet.runtime.docker_json import Owner, container_body
from kubelet.runtime.protocol import Image
from kubelet.starting import _subpaths
from kubelet.volumes.hostpath import PathProblem
from kubelet.volumes.local import _memory

MACHINE = Machine(powers=Powers(), memory=2**30, cgroup_parent="", systemd_cgroups=False, log_root=Path("/logs"))


def given(container=None, **spec):
    main = {"name": "main", "image": "i", **(container or {})}
    return view(
        {"metadata": {"name": "web", "namespace": "ns", "uid": "u"}, "spec": {"containers": [main], **spec}}, Pod
    )


def body(pod, **prepared):
    volumes = {v.name: Path("/v") / v.name for v in pod.spec.volumes}
    found = {"image": Image(id="i"), "env": (), "volumes": volumes, "subpaths": {}, "files": (), "profiles": {}}
    config = container_config(
        pod, pod.spec.containers[0], attempt=0, prepared=Prepared(**found | prepared), machine=MACHINE
    )
    return container_body(config, Owner("c", "n"), "box")


@pytest.mark.parametrize(
    ("volume", "read_only"),
    [
        ({"configMap": {"name": "x"}}, True),
        ({"secret": {"secretName": "x"}}, True),
        ({"downwardAPI": {"items": []}}, True),
        ({"projected": {"sources": []}}, True),
        ({"emptyDir": {}}, False),
        ({"hostPath": {"path": "/x"}}, False),
    ],
)
def test_what_the_kubelet_writes_no_container_may_change(volume, read_only):
    pod = given({"volumeMounts": [{"name": "v", "mountPath": "/v"}]}, volumes=[{"name": "v", **volume}])
    (mount,) = body(pod)["HostConfig"]["Mounts"]
    assert mount["ReadOnly"] is read_only


@pytest.mark.parametrize(
    ("spec", "target", "mode"),
    [
        ({}, "", ""),
        ({}, "other", "container:other"),
        ({"shareProcessNamespace": True}, "other", "container:box"),
        ({"hostPID": True}, "other", "host"),
    ],
)
def test_whose_processes_a_container_sees(spec, target, mode):
    assert body(given(**spec), target=target)["HostConfig"]["PidMode"] == mode


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("$(GOOD)/x", ""),
        ("$(NONE)-$(EMPTY)", "missing value for EMPTY, NONE"),
        ("$(ABSOLUTE)", "error SubPath `/tmp` must not be an absolute path"),
        ("$(UP)", "unable to provision SubPath `..`: must not contain '..'"),
    ],
)
def test_a_subpath_from_variables(tmp_path, expression, problem):
    pod = given({"volumeMounts": [{"name": "v", "mountPath": "/v", "subPathExpr": expression}]})
    env = {"GOOD": "a", "EMPTY": "", "ABSOLUTE": "/tmp", "UP": ".."}
    if not problem:
        assert _subpaths(pod.spec.containers[0], {"v": tmp_path}, env) == {"/v": tmp_path / "a/x"}
        return
    with pytest.raises((ConfigProblem, PathProblem)) as refused:
        _subpaths(pod.spec.containers[0], {"v": tmp_path}, env)
    assert str(refused.value) == problem


@pytest.mark.parametrize(("limits", "size"), [({}, 2**30), ({"memory": "64Mi"}, 2**26), ({"memory": "4Gi"}, 2**30)])
def test_memory_for_a_volume_is_bounded_by_the_pods_own(limits, size):
    assert _memory(given({"resources": {"limits": limits}}), {"memory": "1Gi"}) == size

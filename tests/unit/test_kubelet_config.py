"""From a container of the spec to what Docker is told."""

from dataclasses import replace
from pathlib import Path

import pytest

from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import Pod
from kubelet.pods.container_config import Machine, Prepared, container_config
from kubelet.pods.env import ConfigProblem
from kubelet.pods.security import Powers
from kubelet.runtime.docker_json import Owner, container_body
from kubelet.runtime.protocol import Image
from kubelet.starting import subpath_of
from kubelet.volumes.hostpath import PathProblem

MACHINE = Machine(powers=Powers(), memory=2**30, cgroup_parent="", systemd_cgroups=False, log_root=Path("/logs"))


def given(container=None, **spec):
    main = {"name": "main", "image": "i", **(container or {})}
    return view(
        {"metadata": {"name": "web", "namespace": "ns", "uid": "u"}, "spec": {"containers": [main], **spec}}, Pod
    )


def body(pod, machine=MACHINE, **prepared):
    volumes = {v.name: Path("/v") / v.name for v in pod.spec.volumes}
    found = {"image": Image(id="i"), "env": (), "volumes": volumes, "subpaths": {}, "files": (), "profiles": {}}
    config = container_config(
        pod, pod.spec.containers[0], attempt=0, prepared=Prepared(**found | prepared), machine=machine
    )
    return container_body(config, Owner("c", "n"), "box")


@pytest.mark.parametrize(
    ("volume", "read_only"),
    [
        ({"configMap": {"name": "x"}}, True),
        ({"secret": {"secretName": "x"}}, True),
        ({"downwardAPI": {"items": []}}, True),
        ({"projected": {"sources": []}}, True),
        ({"persistentVolumeClaim": {"claimName": "c", "readOnly": True}}, True),
        ({"persistentVolumeClaim": {"claimName": "c"}}, False),
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
def test_a_subpath_from_variables(expression, problem):
    (mount,) = (
        given({"volumeMounts": [{"name": "v", "mountPath": "/v", "subPathExpr": expression}]})
        .spec.containers[0]
        .volume_mounts
    )
    env = {"GOOD": "a", "EMPTY": "", "ABSOLUTE": "/tmp", "UP": ".."}
    if not problem:
        assert subpath_of(mount, env) == "a/x"
        return
    with pytest.raises((ConfigProblem, PathProblem)) as refused:
        subpath_of(mount, env)
    assert str(refused.value) == problem


@pytest.mark.parametrize(
    ("mount", "problem"),
    [
        ({"readOnly": True, "recursiveReadOnly": "IfPossible"}, ""),
        ({"recursiveReadOnly": "Disabled"}, ""),
        ({"readOnly": True, "recursiveReadOnly": "Enabled"}, "but it is not supported by the runtime"),
        ({"recursiveReadOnly": "IfPossible"}, "but it is not read-only"),
    ],
)
def test_read_only_all_the_way_down(mount, problem):
    pod = given({"volumeMounts": [{"name": "v", "mountPath": "/v", **mount}]}, volumes=[{"name": "v", "emptyDir": {}}])
    if not problem:
        assert body(pod)["HostConfig"]["Mounts"]
        return
    with pytest.raises(ConfigProblem) as refused:
        body(pod)
    asked = 'volume "v" requested recursive read-only mode'
    assert str(refused.value) == f"failed to resolve recursive read-only mode: {asked}, {problem}"


def test_a_block_volume_is_a_device():
    pod = given(
        {"volumeDevices": [{"name": "v", "devicePath": "/dev/x"}]},
        volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}],
    )
    assert body(pod)["HostConfig"]["Devices"] == [
        {"PathOnHost": "/v/v", "PathInContainer": "/dev/x", "CgroupPermissions": "mrw"}
    ]
    fixed = given(
        {"volumeDevices": [{"name": "v", "devicePath": "/dev/x"}]},
        volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "c", "readOnly": True}}],
    )
    assert body(fixed)["HostConfig"]["Devices"][0]["CgroupPermissions"] == "r"
    with pytest.raises(ConfigProblem, match='cannot find volume "v" to pass into container "main"'):
        body(pod, volumes={})


@pytest.mark.parametrize(
    ("propagation", "expected"),
    [
        ("", None),
        ("None", None),
        ("HostToContainer", {"Propagation": "rslave"}),
        ("Bidirectional", {"Propagation": "rshared"}),
    ],
)
def test_only_what_is_asked_for_is_said_of_propagation(propagation, expected):
    mount = {"name": "v", "mountPath": "/v", "mountPropagation": propagation}
    pod = given({"volumeMounts": [mount]}, volumes=[{"name": "v", "hostPath": {"path": "/"}}])
    (found,) = body(pod)["HostConfig"]["Mounts"]
    assert found.get("BindOptions") == expected


def test_a_privileged_container_has_every_device_where_docker_cannot_give_it_all():
    weak = replace(MACHINE, powers=Powers(sys_resource=False))
    host = body(given({"securityContext": {"privileged": True}}), machine=weak)["HostConfig"]
    assert not host["Privileged"]
    assert host["DeviceCgroupRules"] == ["a *:* rwm"]
    assert host["Devices"] == [{"PathOnHost": "/dev", "PathInContainer": "/dev", "CgroupPermissions": "mrw"}]
    host = body(given(), machine=weak)["HostConfig"]
    assert "Devices" not in host
    assert "DeviceCgroupRules" not in host

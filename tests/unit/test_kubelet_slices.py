"""Cgroups under systemd: names of slices, what systemd is told; kills for memory that Docker missed."""

from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from kubelet.pods import cgroups, slices
from kubelet.pods.container_config import Machine, cgroup_parent
from kubelet.pods.security import Powers
from kubelet.runtime.ooms import OomKills
from kubelet.runtime.protocol import EXITED, RUNNING, Container, PodRef
from tests.unit.kubelet_builders import pod

MACHINE = Machine(
    powers=Powers(), memory=2**30, cgroup_parent="kubepods_two.slice", systemd_cgroups=True, log_root=Path("/logs")
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/kubepods", "kubepods.slice"), ("/kubepods-two", "kubepods_two.slice"), ("/a/b-c", "a-b_c.slice"), ("/", "")],
)
def test_the_slice_of_a_path(path, expected):
    assert slices.of_path(path) == expected


def test_where_a_slice_is():
    assert slices.folder("a-b-pod1_2.slice") == "a.slice/a-b.slice/a-b-pod1_2.slice"
    assert cgroups.folder("a.slice", Path("/r")) == Path("/r/a.slice")
    assert cgroups.folder("/kubepods/podx", Path("/r")) == Path("/r/kubepods/podx")


@pytest.mark.parametrize(
    ("resources", "middle"),
    [({}, "-besteffort"), ({"requests": {"cpu": "1"}}, "-burstable"), ({"limits": {"cpu": "1", "memory": "1Mi"}}, "")],
)
def test_the_slice_of_a_pod(resources, middle):
    one = pod(containers=[{"name": "a", "image": "i", "resources": resources}])
    name = cgroup_parent(structs.replace(one, metadata=structs.replace(one.metadata, uid="11-22")), MACHINE)
    assert name == f"kubepods_two{middle}-pod11_22.slice"
    assert slices.pod_uid(name) == "11-22"
    assert slices.pod_uid("kubepods_two-burstable.slice") == ""


def test_what_systemd_is_told():
    rows = cgroups.settings(cgroups.Limits(1000, 250, 4096, 64, 10), unified=True)
    assert dict(slices.properties(rows)) == {
        "CPUWeight": ("t", 39),
        "CPUQuotaPerSecUSec": ("t", 250_000),
        "MemoryMax": ("t", 4096),
        "MemorySwapMax": ("t", 10),
        "MemoryMin": ("t", 0),
        "TasksMax": ("t", 64),
    }
    free = dict(slices.properties(cgroups.settings(cgroups.Limits(), unified=False)))
    assert free == {
        "CPUShares": ("t", 2),
        "CPUQuotaPerSecUSec": ("t", slices.NO_LIMIT),
        "MemoryLimit": ("t", slices.NO_LIMIT),
        "TasksMax": ("t", slices.NO_LIMIT),
    }


def test_the_pods_that_have_a_slice(tmp_path):
    (tmp_path / "cgroup.controllers").touch()
    top = tmp_path / "kubepods_two.slice"
    for name in ("kubepods_two-pod1_a.slice", "kubepods_two-burstable.slice/kubepods_two-burstable-pod2_b.slice"):
        (top / name).mkdir(parents=True)
    assert cgroups.pods(MACHINE, tmp_path) == {"1-a", "2-b"}
    assert cgroups.remove("3-c", MACHINE, tmp_path)


def test_a_slice_in_which_a_process_is_stays(tmp_path, monkeypatch):
    (tmp_path / "cgroup.controllers").touch()
    folder = tmp_path / "kubepods_two.slice/kubepods_two-pod1.slice"
    (folder / "docker-1.scope").mkdir(parents=True)
    procs = folder / "docker-1.scope/cgroup.procs"
    procs.write_text("17\n")
    stopped = []
    monkeypatch.setattr("kubelet.systemd.stop_slice", stopped.append)
    assert not cgroups.remove("1", MACHINE, tmp_path, pauses=[0.0])
    assert stopped == []
    procs.write_text("")
    assert not cgroups.remove("1", MACHINE, tmp_path, pauses=[0.0])  # systemd is asked; it is it that removes it
    assert stopped == ["kubepods_two-pod1.slice"]


def ended(**changes):
    ref = PodRef("ns", "p", "u")
    return replace(Container(id="c", pod=ref, name="m", attempt=0, state=EXITED, exit_code=137), **changes)


@pytest.mark.parametrize(
    ("container", "before", "after", "expected"),
    [
        (ended(), 0, 1, True),
        (ended(), 1, 1, False),
        (ended(oom_killed=True), 0, 0, True),
        (ended(exit_code=1), 0, 1, False),
        (ended(state=RUNNING, exit_code=0), 0, 1, False),
        (ended(), None, 1, False),  # not ours to tell: it had begun before us
        (ended(), 0, None, False),
    ],
)
def test_a_kill_that_docker_missed(container, before, after, expected):
    counts = {"/pod": before}
    ooms = OomKills(counts.get)
    ooms.begin("/pod")
    counts["/pod"] = after
    assert ooms.told(container, "/pod").oom_killed == expected
    again = ooms.told(ended(), "/pod").oom_killed
    assert not (expected and again)  # one kill is one container's


def test_counts_go_with_their_cgroups():
    counts = {"/pod": 0}
    ooms = OomKills(counts.get)
    ooms.begin("/pod")
    counts.clear()
    ooms.forget()
    counts["/pod"] = 5
    assert not ooms.told(ended(), "/pod").oom_killed

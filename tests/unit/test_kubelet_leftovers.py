"""What a killed kubelet left: taken away when it is old and leads nowhere, and only then."""

import os
from pathlib import Path

import pytest

from kubelet.leftovers import sweep_logs
from kubelet.pods import cgroups
from kubelet.pods.container_config import Machine
from kubelet.pods.security import Powers

OLD, NEW = 1000.0, 1990.0
NOW = 2000.0


def aged(path, when):
    os.utime(path, (when, when), follow_symlinks=False)


def logged(root, uid, *, target, when=OLD):
    folder = root / "pods" / f"default_web_{uid}"
    (folder / "main").mkdir(parents=True)
    (folder / "main" / "0.log").symlink_to(target)
    aged(folder, when)


def test_logs(tmp_path):
    real = tmp_path / "real.log"
    real.touch()
    logged(tmp_path, "gone", target="/nowhere")
    logged(tmp_path, "new", target="/nowhere", when=NEW)
    logged(tmp_path, "here", target="/nowhere")
    logged(tmp_path, "other-nodes", target=real)
    links = tmp_path / "containers"
    links.mkdir()
    (links / "broken.log").symlink_to("/nowhere")
    (links / "whole.log").symlink_to(real)
    for link in links.iterdir():
        aged(link, OLD)
    assert sweep_logs(tmp_path / "pods", links, {"here"}, NOW) == ["default_web_gone"]
    assert {p.name.rpartition("_")[2] for p in (tmp_path / "pods").iterdir()} == {"new", "here", "other-nodes"}
    assert [p.name for p in links.iterdir()] == ["whole.log"]
    assert sweep_logs(tmp_path / "none", tmp_path / "none", set(), NOW) == []


MACHINE = Machine(powers=Powers(), memory=1, cgroup_parent="/kube", systemd_cgroups=False, log_root=Path())


@pytest.mark.parametrize("folder", ["podgone", "burstable/podgone", "besteffort/podgone"])
def test_a_pods_cgroup_goes_whatever_its_class_was(tmp_path, folder):
    for controller in ("cpu", "memory"):
        for name in (folder + "/container", "podhere"):
            (tmp_path / controller / "kube" / name).mkdir(parents=True)
    assert cgroups.pods(MACHINE, tmp_path) == {"gone", "here"}
    assert cgroups.remove("gone", MACHINE, tmp_path)
    assert cgroups.pods(MACHINE, tmp_path) == {"here"}


def test_what_is_still_in_use_is_tried_again_and_then_told(tmp_path):
    busy = tmp_path / "cpu/kube/podgone"
    busy.mkdir(parents=True)
    (busy / "process").touch()

    def pauses():
        yield 0.0
        (busy / "process").unlink()
        yield 0.0
        yield 0.0

    assert not cgroups.remove("gone", MACHINE, tmp_path, pauses=[0.0])
    assert cgroups.remove("gone", MACHINE, tmp_path, pauses=pauses())

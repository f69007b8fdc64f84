"""Disks that are mounted once for all pods of a node: who waits for whom, and what a failing one does to the others."""

import errno
import subprocess
import threading

import pytest

from kubelet.volumes import disks, mounts
from kubelet.volumes.disks import PLUGIN, Disks
from kubelet.volumes.hostpath import PathProblem

PATIENCE = 5
BROKEN = "broken"


@pytest.fixture
def mounted(monkeypatch):
    """What is mounted: the disks of a machine that is only thought of."""
    there = set()

    def unmount(target):
        if target.name == BROKEN:
            raise OSError(errno.EIO, "Input/output error", str(target))
        there.discard(target)

    monkeypatch.setattr(mounts, "is_mounted", there.__contains__)
    monkeypatch.setattr(mounts, "unmount", unmount)
    monkeypatch.setattr(disks, "_mount", lambda _device, target, *_rest: there.add(target))
    return there


def where(root, name):
    return root / "plugins/kubernetes.io" / PLUGIN / "mounts" / name


def take(root, pod, name):
    (root / f"pods/{pod}/volumes/kubernetes.io~{PLUGIN}/{name}").mkdir(parents=True)


def leave(root, pod, name):
    (root / f"pods/{pod}/volumes/kubernetes.io~{PLUGIN}/{name}").rmdir()


def bind(ours, root, pod, name):
    ours.bind(name, "/dev/x", "", [], lambda target: take(root, pod, name))


def test_a_disk_stays_for_as_long_as_a_pod_has_it(tmp_path, mounted):
    ours = Disks(tmp_path)
    for pod in ("p", "q"):
        bind(ours, tmp_path, pod, "a")
    leave(tmp_path, "p", "a")
    ours.release()
    assert mounted == {where(tmp_path, "a")}
    leave(tmp_path, "q", "a")
    ours.release()
    assert (mounted, where(tmp_path, "a").exists()) == (set(), False)


def test_a_pod_that_ends_does_not_wait_for_a_disk_that_is_made_ready(tmp_path, mounted, monkeypatch):
    ours, begun, go_on = Disks(tmp_path), threading.Event(), threading.Event()
    bind(ours, tmp_path, "p", "a")

    def slow(_device, target, *_rest):
        begun.set()
        assert go_on.wait(PATIENCE)
        mounted.add(target)

    monkeypatch.setattr(disks, "_mount", slow)
    other = threading.Thread(target=bind, args=(ours, tmp_path, "q", "b"))
    other.start()
    assert begun.wait(PATIENCE)
    leave(tmp_path, "p", "a")
    ending = threading.Thread(target=ours.release)
    ending.start()
    ending.join(1)
    waited = ending.is_alive()
    go_on.set()
    for thread in (other, ending):
        thread.join(PATIENCE)
    assert not waited
    assert mounted == {where(tmp_path, "b")}  # whoever was at work has given the other one back


def test_a_disk_that_does_not_let_go_keeps_nobody(tmp_path, mounted):
    ours = Disks(tmp_path)
    for name in ("a", BROKEN, "c"):
        bind(ours, tmp_path, "p", name)
        leave(tmp_path, "p", name)
    where(tmp_path, "full").mkdir()
    (where(tmp_path, "full") / "somebodys").touch()
    ours.release()
    assert mounted == {where(tmp_path, BROKEN)}
    assert {path.name for path in where(tmp_path, "").iterdir()} == {BROKEN, "full"}


@pytest.mark.parametrize("name", ["a", BROKEN])
def test_why_a_disk_cannot_be_mounted_is_said_whatever_is_left(tmp_path, mounted, monkeypatch, name):
    def refused(_device, target, *_rest):
        mounted.add(target)
        (target / "somebodys").touch()
        raise PathProblem("wrong fs type", "")

    monkeypatch.setattr(disks, "_mount", refused)
    with pytest.raises(PathProblem, match=r"failed to mount device /dev/x .* error wrong fs type"):
        bind(Disks(tmp_path), tmp_path, "p", name)
    assert (where(tmp_path, name) in mounted) == (name == BROKEN)


def test_a_disk_that_does_not_answer_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(mounts, "is_mounted", lambda target: False)

    def run(command, *, timeout=None, **more):
        raise subprocess.TimeoutExpired(command, timeout) if timeout else AssertionError("waits forever")

    monkeypatch.setattr(disks.shutil, "which", lambda program, path: f"/sbin/{program}")
    monkeypatch.setattr(disks.subprocess, "run", run)
    with pytest.raises(PathProblem, match="timed out after 30 seconds"):
        bind(Disks(tmp_path), tmp_path, "p", "a")
    assert not where(tmp_path, "a").exists()

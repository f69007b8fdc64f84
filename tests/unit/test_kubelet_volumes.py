"""What the files of volumes hold, and how they change."""

import base64
import os
import re
import shutil
import stat
from pathlib import Path

import pytest

from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import ConfigMap, EmptyDirVolumeSource, HostPathVolumeSource, Pod, Secret, Volume
from kubelet.pods import termination
from kubelet.volumes import emptydir, hostpath, ownership, payload, subpaths
from kubelet.volumes.atomic import BadPath, File, write
from kubelet.volumes.payload import PayloadProblem, Sources

POD = view({"metadata": {"name": "web", "labels": {"a": "b"}}, "spec": {"containers": [{"name": "c"}]}}, Pod)
FOUND = Sources(
    configmaps={
        "cm": view({"data": {"a": "1", "b": "2"}, "binaryData": {"c": base64.b64encode(b"\x00").decode()}}, ConfigMap)
    },
    secrets={"s": view({"data": {"pw": base64.b64encode(b"x").decode()}}, Secret)},
    tokens={"token": "t0k"},
)


def files(**volume):
    return payload.files(POD, view({"name": "v", **volume}, Volume), FOUND)


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        pytest.param({"configMap": {"name": "cm"}}, {"a": b"1", "b": b"2", "c": b"\x00"}, id="all keys"),
        pytest.param({"configMap": {"name": "cm", "items": [{"key": "a", "path": "x/y"}]}}, {"x/y": b"1"}, id="items"),
        pytest.param({"configMap": {"name": "gone", "optional": True}}, {}, id="optional"),
        pytest.param({"secret": {"secretName": "s"}}, {"pw": b"x"}, id="secret"),
        pytest.param(
            {"downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
            {"l": b'a="b"'},
            id="downward API",
        ),
        pytest.param(
            {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}, {"secret": {"name": "s"}}]}},
            {"token": b"t0k", "pw": b"x"},
            id="projected",
        ),
    ],
)
def test_payload(volume, expected):
    assert {path: file.data for path, file in files(**volume).items()} == expected


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ({"configMap": {"name": "gone"}}, 'configmap "gone" not found'),
        ({"secret": {"secretName": "gone"}}, 'secret "gone" not found'),
        ({"configMap": {"name": "cm", "items": [{"key": "z", "path": "z"}]}}, "references non-existent config key: z"),
    ],
)
def test_what_is_missing_is_named(volume, message):
    with pytest.raises(PayloadProblem, match=message):
        files(**volume)


def test_modes():
    given = {
        "name": "cm",
        "defaultMode": 0o400,
        "items": [{"key": "a", "path": "a"}, {"key": "b", "path": "b", "mode": 0o777}],
    }
    assert {path: file.mode for path, file in files(configMap=given).items()} == {"a": 0o400, "b": 0o777}


def test_a_token_is_private_where_the_pod_has_one_user():
    one = view({"metadata": {}, "spec": {"containers": [{"name": "c"}], "securityContext": {"runAsUser": 7}}}, Pod)
    volume = view({"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}, Volume)
    assert payload.files(one, volume, FOUND)["token"] == File(b"t0k", 0o600, 7)


def test_files_change_all_at_once_and_only_when_they_differ(tmp_path):
    first = {"a": File(b"1", 0o644), "d/b": File(b"2", 0o600)}
    assert write(tmp_path, first)
    data = (tmp_path / "..data").resolve()
    assert not write(tmp_path, first)
    assert (tmp_path / "..data").resolve() == data
    assert write(tmp_path, {"a": File(b"3", 0o644)})
    assert (tmp_path / "a").read_text() == "3"
    assert not (tmp_path / "d").exists()
    assert not data.exists()
    assert [entry.name for entry in tmp_path.iterdir() if not entry.name.startswith("..")] == ["a"]


def test_a_group_may_read_what_it_is_given(tmp_path):
    write(tmp_path, {"a": File(b"1", 0o400)}, group=0)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o440


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../../x", "..data"])
def test_no_file_leaves_its_volume(tmp_path, path):
    with pytest.raises(BadPath):
        write(tmp_path, {path: File(b"", 0o644)})


def opened(volume, wanted):
    descriptor = subpaths.opened(volume, wanted)
    try:
        return str(Path(f"/proc/self/fd/{descriptor}").readlink())
    finally:
        os.close(descriptor)


def test_a_subpath_stays_in_its_volume(tmp_path):
    volume = tmp_path / "v"
    volume.mkdir(mode=0o700)
    volume.chmod(0o2775)
    (volume / "out").symlink_to(tmp_path)
    assert opened(volume, "a/b") == str(volume / "a/b")
    assert stat.S_IMODE((volume / "a").stat().st_mode) == 0o2775
    write(volume / "files", {"x": File(b"1", 0o644)})
    assert opened(volume / "files", "x") == str((volume / "files" / "x").resolve())
    for bad in ("out", "out/x", "../x", "/etc"):
        with pytest.raises(hostpath.PathProblem):
            subpaths.opened(volume, bad)


def test_a_link_that_appears_while_a_subpath_is_opened_is_not_followed(tmp_path, monkeypatch):
    volume, outside = tmp_path / "v", tmp_path / "outside"
    (volume / "a" / "b").mkdir(parents=True)
    (outside / "b").mkdir(parents=True)
    real = os.path.realpath

    def swap(path):
        found = real(path)
        if str(path).endswith("a/b"):
            shutil.rmtree(volume / "a")
            (volume / "a").symlink_to(outside)
        return found

    monkeypatch.setattr(os.path, "realpath", swap)
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        subpaths.opened(volume, "a/b")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("/tmp", "error SubPath `/tmp` must not be an absolute path"),
        ("a/../b", "unable to provision SubPath `a/../b`: must not contain '..'"),
    ],
)
def test_a_subpath_is_told_wrong_in_upstreams_words(wanted, message):
    with pytest.raises(hostpath.PathProblem, match=re.escape(message)):
        subpaths.check(wanted)


def test_ownership_adds_the_group_and_its_bits(tmp_path):
    root = tmp_path / "v"
    (root / "sub").mkdir(parents=True, mode=0o700)
    (root / "sub" / "file").touch(mode=0o600)
    (root / "link").symlink_to(tmp_path)
    before = tmp_path.stat()
    ownership.own(root, os.getgid())
    modes = {p.name: stat.S_IMODE(p.lstat().st_mode) for p in (root / "sub", root / "sub" / "file")}
    assert modes == {"sub": 0o2770, "file": 0o660}
    assert not ownership.is_mismatched(root, os.getgid())
    assert ownership.is_mismatched(root, os.getgid() + 1)
    assert (tmp_path.stat().st_mode, tmp_path.stat().st_gid) == (before.st_mode, before.st_gid)
    (root / "sub" / "file").chmod(0o600)
    ownership.own(root, os.getgid(), policy="OnRootMismatch")
    assert stat.S_IMODE((root / "sub" / "file").stat().st_mode) == 0o600
    ownership.own(root, os.getgid(), read_only=True)
    assert stat.S_IMODE((root / "sub" / "file").stat().st_mode) == 0o640


def test_a_write_that_was_cut_short_is_finished(tmp_path):
    files = {"a": File(b"1", 0o644)}
    write(tmp_path, files)
    (tmp_path / "a").unlink()
    (tmp_path / "..2020_01_01_00_00_00.dead").mkdir()
    (tmp_path / "..data_tmp").symlink_to("nowhere")
    assert not write(tmp_path, files)
    assert (tmp_path / "a").read_text() == "1"
    assert not (tmp_path / "..2020_01_01_00_00_00.dead").exists()
    assert write(tmp_path, {"b": File(b"2", 0o644)})
    assert sorted(p.name for p in tmp_path.iterdir() if p.name[:2] != "..") == ["b"]


@pytest.mark.parametrize(
    ("limits", "whole", "asked", "expected"),
    [
        pytest.param(["1Mi", "1Mi"], "", "", 2 * 2**20, id="what its containers may take"),
        pytest.param(["1Mi", ""], "", "", 2**30, id="one without a limit: the node's"),
        pytest.param(["1Mi"], "", "512Ki", 2**19, id="its own limit"),
        pytest.param(["1Mi"], "", "5Mi", 2**20, id="no more than the pod's"),
        pytest.param([""], "3Mi", "", 3 * 2**20, id="a limit of the whole pod"),
    ],
)
def test_how_large_a_volume_in_memory_is(limits, whole, asked, expected):
    containers = [{"name": str(i), "resources": {"limits": {"memory": m} if m else {}}} for i, m in enumerate(limits)]
    spec = {"containers": containers} | ({"resources": {"limits": {"memory": whole}}} if whole else {})
    most = emptydir.memory(view({"spec": spec}, Pod), {"memory": "1Gi"})
    assert emptydir.size(EmptyDirVolumeSource(medium="Memory", size_limit=asked), most) == expected


@pytest.mark.parametrize(
    ("type", "name", "good"),
    [
        ("Directory", "dir", True),
        ("Directory", "file", False),
        ("Directory", "none", False),
        ("File", "file", True),
        ("File", "none", False),
        ("DirectoryOrCreate", "new/deep", True),
        ("FileOrCreate", "fresh", True),
        ("Socket", "file", False),
        ("", "any", True),
    ],
)
def test_host_paths_are_what_they_say(tmp_path, type, name, good):
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").touch()
    source = HostPathVolumeSource(path=str(tmp_path / name), type=type)
    if good:
        assert hostpath.prepare(source).exists()
    else:
        with pytest.raises(hostpath.PathProblem, match="hostPath type check failed"):
            hostpath.prepare(source)


@pytest.mark.parametrize(
    ("words", "policy", "code", "expected"),
    [
        ("said", "File", 1, "said"),
        ("", "File", 1, ""),
        ("", "FallbackToLogsOnError", 1, "b\n"),
        ("", "FallbackToLogsOnError", 0, ""),
    ],
)
def test_last_words(tmp_path, words, policy, code, expected):
    file, log = tmp_path / "words", tmp_path / "log"
    file.write_text(words)
    log.write_text('oken"}\n{"log":"b\\n","stream":"stdout","time":"t"}\n')
    assert termination.message(file, policy, log, code) == expected

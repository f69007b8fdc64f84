"""What the files of volumes hold, and how they change."""

import base64
import stat

import pytest

from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import ConfigMap, HostPathVolumeSource, Pod, Secret, Volume
from kubelet.pods import termination
from kubelet.volumes import hostpath, payload
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


def test_a_subpath_stays_in_its_volume(tmp_path):
    volume = tmp_path / "v"
    volume.mkdir()
    (volume / "out").symlink_to(tmp_path)
    assert hostpath.subpath(volume, "a/b") == volume / "a/b"
    for bad in ("out", "out/x", "../x", "/etc"):
        with pytest.raises(hostpath.PathProblem):
            hostpath.subpath(volume, bad)


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

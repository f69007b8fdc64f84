"""Parts of a pod few people write but upstream judges: label keys of affinity, Windows, volumes that are broken."""

import pytest

from tests.unit.test_strategies_pod import complaints, container, pod

_TERM = "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0]"
_NO_SELECTOR = "Forbidden: must not be specified when labelSelector is not set"
_WINDOWS = "spec.containers[0].securityContext.windowsOptions"


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ({"labelSelector": {"matchLabels": {"a": "1"}}, "matchLabelKeys": ["b"], "mismatchLabelKeys": ["c"]}, []),
        (
            {"labelSelector": {"matchLabels": {"a": "1"}}, "matchLabelKeys": ["b", "c"], "mismatchLabelKeys": ["c"]},
            ['.matchLabelKeys[1]: Invalid value: "c": exists in both matchLabelKeys and mismatchLabelKeys'],
        ),
        (
            {
                "labelSelector": {
                    "matchLabels": {"a": "1"},
                    "matchExpressions": [{"key": "a", "operator": "Exists"}],
                },
                "matchLabelKeys": ["a"],
            },
            ['[0]: Invalid value: "a": exists in both matchLabelKeys and labelSelector'],
        ),
        (
            {"matchLabelKeys": ["a"], "mismatchLabelKeys": ["b!"]},
            [f".matchLabelKeys: {_NO_SELECTOR}", f".mismatchLabelKeys: {_NO_SELECTOR}"],
        ),
    ],
)
def test_no_label_key_is_meant_two_ways(term, expected):
    affinity = {
        "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone", **term}]}
    }
    assert complaints(pod(affinity=affinity)) == [_TERM + text for text in expected]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"runAsUserName": "DOM\\me"}, []),
        ({"runAsUserName": ""}, ['.runAsUserName: Invalid value: "": runAsUserName cannot be an empty string']),
        (
            {"runAsUserName": "a*b\\..", "gmsaCredentialSpec": ""},
            [
                '.gmsaCredentialSpec: Invalid value: "": gmsaCredentialSpec cannot be an empty string',
                (
                    ".runAsUserName: Invalid value: \"a*b\\\\..\": runAsUserName's Domain doesn't match the NetBios nor "
                    "the DNS format"
                ),
                '.runAsUserName: Invalid value: "a*b\\\\..": runAsUserName\'s User cannot contain only periods or spaces',
            ],
        ),
    ],
)
def test_windows_users_are_judged_though_no_node_runs_them(options, expected):
    found = complaints(container(securityContext={"windowsOptions": options}))
    assert found == [_WINDOWS + text for text in expected]


def test_a_broken_volume_cannot_be_mounted():
    volumes = [{"name": "v"}, {"name": "w", "nfs": {"server": "s", "path": "x"}}]
    mounts = [{"name": "v", "mountPath": "/a"}, {"name": "w", "mountPath": "/b"}, {"name": "v", "mountPath": "/a"}]
    containers = [{"name": "c", "image": "i", "volumeMounts": mounts}]
    assert complaints(pod(volumes=volumes, containers=containers)) == [
        'spec.volumes[1].nfs.path: Invalid value: "x": must be an absolute path',
        'spec.containers[0].volumeMounts[1].name: Not found: "w"',
        'spec.containers[0].volumeMounts[2].mountPath: Invalid value: "/a": must be unique',
    ]


@pytest.mark.parametrize(
    ("name", "is_good"),
    [
        ("iqn.2015-02.example.com:test", True),
        ("iqn.2015-02.example.com", False),
        ("eui.0123456789abcdef", True),
        ("eui.0123456789abcdef\n", False),
        ("naa." + "0" * 32, True),
        ("iqn.2000-01." * 50_000 + "!", False),  # at once: it is looked at from its start alone
    ],
)
def test_names_of_iscsi(name, is_good):
    volume = {"name": "v", "iscsi": {"targetPortal": "p", "iqn": name, "lun": 1}}
    found = complaints(pod(volumes=[volume]))
    assert (found == []) is is_good, found

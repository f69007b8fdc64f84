"""What storage drivers, volumes and claims are refused for, and how a change of one is shown. Words: a v1.34 server's."""

import copy

import pytest

from apimachinery import kinds as k
from apiserver.strategies import strategy_of
from tests.unit.test_strategies_kinds import complaints, made

_CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
_NOT_QUALIFIED = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric"
    " character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)

WRONG = [
    (
        k.CSIDRIVERS,
        {"spec": {"tokenRequests": [{"audience": "a", "expirationSeconds": 599}, {"audience": "a"}]}},
        [
            "spec.tokenRequests[0].expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes",
            'spec.tokenRequests[1].audience: Duplicate value: "a"',
        ],
    ),
    (
        k.CSIDRIVERS,
        {"spec": {"fsGroupPolicy": ""}},
        ['spec.fsGroupPolicy: Unsupported value: "": supported values: "File", "None", "ReadWriteOnceWithFSType"'],
    ),
    (
        k.CSINODES,
        {"spec": {"drivers": [{"name": "d", "nodeID": "n", "topologyKeys": ["a", "a", "b!"]}, {"name": "d"}]}},
        [
            'spec.drivers[0]: Duplicate value: "a"',
            f'spec.drivers[0]: Invalid value: "b!": {_NOT_QUALIFIED}',
            "spec.drivers[1].nodeID: Required value",
            'spec.drivers[1].name: Duplicate value: "d"',
        ],
    ),
    (
        k.VOLUMEATTACHMENTS,
        {"spec": {"attacher": "a", "nodeName": "n", "source": {}}},
        ["spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName"],
    ),
    (
        k.VOLUMEATTACHMENTS,
        {"spec": {"attacher": "a", "nodeName": "n", "source": {"persistentVolumeName": ""}}},
        ["spec.source.persistentVolumeName: Required value: must specify non empty persistentVolumeName"],
    ),
    (
        k.VOLUMEATTRIBUTESCLASSES,
        {"driverName": "d", "parameters": None},
        ["parameters: Required value: must contain at least one key/value pair"],
    ),
    (
        k.PERSISTENTVOLUMES,
        {"spec": {"capacity": {"storage": "1"}, "accessModes": ["ReadWriteOnce"], "hostPath": None}},
        ["spec: Required value: must specify a volume type"],
    ),
]


@pytest.mark.parametrize(("kind", "body", "expected"), WRONG)
def test_wrong_objects_of_storage_are_told_all_at_once(kind, body, expected):
    found = complaints(kind, made(kind, **body))
    assert [text for text in found if not text.startswith("metadata")][: len(expected)] == expected


VOLUMES = [
    ({"nfs": {"server": "s", "path": "x"}}, 'nfs.path: Invalid value: "x": must be an absolute path'),
    (
        {"iscsi": {"targetPortal": "p", "iqn": "abc", "lun": 1}},
        'iscsi.iqn: Invalid value: "abc": must be valid format starting with iqn, eui, or naa',
    ),
    (
        {"fc": {"targetWWNs": ["a"]}},
        "fc.lun: Required value: lun is required if targetWWNs is specified",
    ),
    (
        {"quobyte": {"registry": "r", "volume": "v"}},
        'quobyte.registry: Invalid value: "r": must be a host:port pair or multiple pairs separated by commas',
    ),
    ({"flocker": {"datasetName": "a/b"}}, "flocker.datasetName: Invalid value: \"a/b\": must not contain '/'"),
    ({"csi": {"driver": ""}}, "csi.driver: Required value"),
]


@pytest.mark.parametrize(("source", "expected"), VOLUMES)
def test_sources_of_volumes_elsewhere_are_judged(source, expected):
    spec = {"containers": [{"name": "c", "image": "i"}], "volumes": [{"name": "v", **source}]}
    assert f"spec.volumes[0].{expected}" in complaints(k.PODS, made(k.PODS, spec=spec))


def test_a_drivers_generation_counts_the_changes_of_its_spec():
    strategy = strategy_of(k.CSIDRIVERS)
    old = made(k.CSIDRIVERS, spec={})
    assert "generation" not in old["metadata"]
    for changes, generation in (({}, None), ({"podInfoOnMount": True}, 1)):
        new = copy.deepcopy(old)
        new["spec"] |= changes
        assert strategy.stamp(new, old, None)["metadata"].get("generation") == generation


def test_a_claims_change_is_shown_in_the_lines_that_differ():
    old = made(k.PERSISTENTVOLUMECLAIMS, spec=copy.deepcopy(_CLAIM))
    new = copy.deepcopy(old)
    new["spec"]["accessModes"] = ["ReadOnlyMany"]
    (text,) = complaints(k.PERSISTENTVOLUMECLAIMS, new, old)
    assert text == (
        "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for"
        ' bound claims\n@@ -1,6 +1,6 @@\n {\n  "AccessModes": [\n-  "ReadWriteOnce"\n+  "ReadOnlyMany"\n  ],\n'
        '  "Selector": null,\n  "Resources": {\n'
    )

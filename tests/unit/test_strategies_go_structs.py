"""Values in the form of upstream's internal Go types: what messages show, and what counts as a change."""

import time

import pytest

from apiserver.strategies import go_structs


def text(type_, tree):
    return bytes(go_structs.shown(type_, tree)).decode()


def test_every_field_is_shown_by_gos_name_in_gos_order():
    spec = {"resources": {"requests": {"storage": "1Gi"}}, "accessModes": ["ReadWriteOnce"], "volumeName": "v"}
    assert text("core.PersistentVolumeClaimSpec", spec) == (
        '{"AccessModes":["ReadWriteOnce"],"Selector":null,"Resources":{"Limits":null,"Requests":{"storage":"1Gi"}},'
        '"VolumeName":"v","StorageClassName":null,"VolumeMode":null,"DataSource":null,"DataSourceRef":null,'
        '"VolumeAttributesClassName":null}'
    )


def test_types_of_the_machinery_keep_their_json_names_and_leave_out_what_is_empty():
    assert text("metav1.LabelSelector", {"matchLabels": {"b": "2", "a": "1"}, "matchExpressions": []}) == (
        '{"matchLabels":{"a":"1","b":"2"}}'
    )


def test_what_a_pod_shares_with_its_host_lies_in_the_security_context():
    shared = go_structs.difference("core.PodSpec", {"hostNetwork": False}, {"hostNetwork": True})
    assert '-  "HostNetwork": false,\n+  "HostNetwork": true,\n' in shared
    assert '"SecurityContext": {' in shared


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ({}, {"volumes": []}, True),
        ({"priority": None}, {}, True),
        ({"priority": 0}, {}, False),
        ({}, {"affinity": {}}, False),
        ({}, {"nodeSelector": {}}, True),
        ({"restartPolicy": ""}, {}, True),
    ],
)
def test_sameness_is_gos(one, other, is_same):
    assert go_structs.equal("core.PodSpec", one, other) is is_same


def test_an_empty_list_is_shown_as_one():
    old, new = ({"accessModes": modes} for modes in (["ReadWriteOnce"], []))
    assert '+ "AccessModes": [],\n' in go_structs.difference("core.PersistentVolumeClaimSpec", old, new)
    assert '+ "AccessModes": null,\n' in go_structs.difference("core.PersistentVolumeClaimSpec", old, {})


def test_large_values_are_not_matched_line_by_line():
    old, new = (
        {"containers": [{"name": "c", "env": [{"name": f"A{i}", "value": value} for i in range(20_000)]}]}
        for value in ("x", "y")
    )
    began = time.process_time()
    shown = go_structs.difference("core.PodSpec", old, new)
    assert time.process_time() - began < 10  # else minutes
    assert shown.count('\n-     "Value": "x"') == shown.count('\n+     "Value": "y"') == 20_000

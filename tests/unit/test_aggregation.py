"""Aggregation's pure parts: which APIServices there are, whether a Service can be used, documents put together."""

import pytest

from apimachinery.kinds import KINDS
from apiserver.aggregation import availability, registration, resolving
from apiserver.aggregation.learning import from_resource_list
from apiserver.aggregation.remote import identity_headers
from apiserver.aggregation.resolving import Unresolved
from apiserver.discovery import merging
from apiserver.discovery.served import Foreign, by_group, listed
from apiserver.request import User


def crd(group="example.com", **versions):
    rows = [{"name": name, "served": served} for name, served in versions.items()]
    return {"spec": {"group": group, "versions": rows}}


def stored(name, managed="", spec=None, **more):
    labels = {registration.LABEL: managed} if managed else {}
    return {"metadata": {"name": name, "labels": labels, "uid": "u"}, "spec": spec or {"group": "x"}, **more}


WANTED = registration.desired(KINDS, [crd(v1=True, v2=False)])


def test_every_built_in_group_version_and_every_served_custom_one_is_wanted():
    assert {"v1.", "v1.apps", "v1.events.k8s.io", "v1.example.com"} <= set(WANTED)
    assert "v2.example.com" not in WANTED
    assert "v1.apiregistration.k8s.io" not in WANTED


START, ALWAYS = "onstart", "true"
CUSTOM = stored("v1.example.com", ALWAYS, WANTED["v1.example.com"]["spec"])


@pytest.mark.parametrize(
    ("existing", "starting", "expected"),
    [
        pytest.param([], True, ({*WANTED}, set(), set()), id="from nothing"),
        pytest.param([], False, ({"v1.example.com"}, set(), set()), id="later only custom resources'"),
        pytest.param([stored("v1.apps")], True, ({*WANTED} - {"v1.apps"}, set(), set()), id="a user's is left alone"),
        pytest.param(
            [CUSTOM, stored("v1.gone.io", ALWAYS)], False, (set(), set(), {"v1.gone.io"}), id="no definition any more"
        ),
        pytest.param([CUSTOM, stored("v1.gone.io", START)], False, (set(), set(), set()), id="goes at a start only"),
        pytest.param(
            [stored("v1.gone.io", START)], True, ({*WANTED}, set(), {"v1.gone.io"}), id="a kind is not built in now"
        ),
        pytest.param([stored("v1.example.com", ALWAYS)], False, (set(), {"v1.example.com"}, set()), id="changed back"),
    ],
)
def test_what_is_written(existing, starting, expected):
    writes = registration.plan(WANTED, existing, starting=starting)
    found = (writes.creates, writes.updates, writes.deletes)
    assert tuple({tree["metadata"]["name"] for tree in trees} for trees in found) == expected


def test_a_synced_state_rests():
    there = list(WANTED.values())
    for starting in (True, False):
        assert registration.plan(WANTED, there, starting=starting) == registration.Writes()


def service(kind="ClusterIP", ip="10.96.0.9", port=443, name="https", **more):
    spec = {"type": kind, "clusterIP": ip, "ports": [{"port": port, "name": name}], **more}
    return {"metadata": {"name": "s"}, "spec": spec}


def piece(*addresses, ready=True, port=6443, name="https", family="IPv4"):
    endpoints = [{"addresses": [address], "conditions": {"ready": ready}} for address in addresses]
    return {"addressType": family, "ports": [{"name": name, "port": port}], "endpoints": endpoints}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param(service(), "10.96.0.9:443", id="the ClusterIP"),
        pytest.param(service("NodePort"), "10.96.0.9:443", id="a node port's too"),
        pytest.param(service(ip="fd00::9"), "[fd00::9]:443", id="IPv6"),
        pytest.param(service("ExternalName", externalName="a.b"), "a.b:443", id="a name"),
        pytest.param(service(ip="None"), 'cannot route to service with ClusterIP "None"', id="headless"),
        pytest.param(service(port=80), 'no service port 443 found for service "s"', id="no such port"),
    ],
)
def test_where_a_service_is(target, expected):
    assert outcome(lambda: resolving.cluster_address(target, 443)) == expected


@pytest.mark.parametrize(
    ("slices", "expected"),
    [
        pytest.param([piece("10.1.0.1")], "10.1.0.1:6443", id="its endpoint"),
        pytest.param([piece("10.1.0.1", ready=False), piece("10.1.0.2")], "10.1.0.2:6443", id="a ready one"),
        pytest.param([piece("fd00::1", family="IPv6"), piece("10.1.0.2")], "10.1.0.2:6443", id="its first family"),
        pytest.param([piece("fd00::1", family="IPv6")], "[fd00::1]:6443", id="else the other"),
        pytest.param([piece("10.1.0.1", name="x")], 'no endpoints available for service "s"', id="another port"),
        pytest.param([], 'no endpoints available for service "s"', id="none"),
    ],
)
def test_which_endpoint_is_taken(slices, expected):
    assert outcome(lambda: resolving.endpoint_address(service(), slices, 443, lambda found: found[0])) == expected


def outcome(function):
    try:
        return function()
    except Unresolved as error:
        return str(error)


def test_a_condition_keeps_its_time_while_its_status_stays():
    tree = stored("v1.x")
    first = availability.conditions(tree, availability.failed_discovery("a"), "t1")
    tree["status"] = {"conditions": [{"type": "Other"}, *first]}
    assert availability.conditions(tree, availability.failed_discovery("a"), "t2") is None
    second = availability.conditions(tree, availability.failed_discovery("b"), "t2")
    assert second[0] == {"type": "Other"}
    assert (second[1]["message"], second[1]["lastTransitionTime"]) == ("b", "t1")
    third = availability.conditions(tree, availability.PASSED, "t3")
    assert (third[1]["status"], third[1]["lastTransitionTime"]) == ("True", "t3")


def test_extra_keys_are_escaped_in_header_names():
    user = User("u", ("g1", "g2"), "7", {"a/b": ("x", "y")})
    assert list(identity_headers(user)) == [
        ("X-Remote-User", "u"),
        ("X-Remote-Uid", "7"),
        ("X-Remote-Group", "g1"),
        ("X-Remote-Group", "g2"),
        ("X-Remote-Extra-a%2Fb", "x"),
        ("X-Remote-Extra-a%2Fb", "y"),
    ]


def test_groups_of_others_stand_where_their_priority_puts_them():
    high = Foreign(group="a.io", version="v1", priority=(17790, 10))
    low = Foreign(group="b.io", version="v1", priority=(500, 10))
    twice = [Foreign(group="c.io", version=v, priority=(100, p)) for v, p in (("v1alpha1", 5), ("v2", 5), ("v1", 9))]
    found = listed(by_group(KINDS), [low, high, *twice])
    names = list(found)
    assert names.index("apps") < names.index("a.io") < names.index("events.k8s.io")
    assert names[-2:] == ["b.io", "c.io"]
    assert list(found["c.io"]) == ["v1", "v2", "v1alpha1"]


def test_subresources_are_hung_under_their_resource():
    rows = [{"name": "pods/log", "kind": "Pod", "namespaced": True, "verbs": ["get"]},
            {"name": "pods", "singularName": "pod", "kind": "Pod", "namespaced": True, "verbs": ["list"]}]  # fmt: skip
    (found,) = from_resource_list({"resources": rows})
    assert found["verbs"] == ["list"]
    assert found["subresources"][0]["subresource"] == "log"


def test_definitions_of_one_name_that_differ_are_both_kept():
    ours = {"paths": {"/a": 1}, "definitions": {"X": {"type": "object"}, "Same": {"type": "string"}}}
    reference = {"$ref": "#/definitions/X"}
    theirs = {"paths": {"/a": 2, "/b": reference}, "parameters": {},
              "definitions": {"X": {"type": "array"}, "Same": {"type": "string"}, "Y": reference}}  # fmt: skip
    merged = merging.merge_v2(ours, [theirs])
    assert merged["paths"] == {"/a": 1, "/b": {"$ref": "#/definitions/X_v2"}}
    assert merged["definitions"]["X"] == {"type": "object"}
    assert merged["definitions"]["X_v2"] == {"type": "array"}
    assert merged["definitions"]["Y"] == {"$ref": "#/definitions/X_v2"}
    assert set(merged["definitions"]) == {"X", "X_v2", "Same", "Y"}

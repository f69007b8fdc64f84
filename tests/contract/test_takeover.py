"""PyKube on an etcd that upstream wrote: each stored value (protobuf, JSON) is served as upstream serves it.

The fixture holds upstream v1.34.1's own values and answers; upstream_objects.py made it.
"""

import msgspec
import pytest

from apiserver import protobuf
from apiserver.resources import foreign
from apiserver.storage.entry import SUPERSEDED, entry
from apiserver.storage.memory import MemoryStorage
from apiserver.storage.protocol import ABSENT
from tests.contract import upstream_objects
from tests.contract.api_server import MERGE, running

#: Bootstrap objects that a server brings up to date when it starts.
KEPT_UP = (
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Service",
    "ServiceCIDR",
    "IPAddress",
    "ConfigMap",
)
#: Kinds whose status the server itself keeps.
OWN_STATUS = (
    "APIService",
    "CustomResourceDefinition",
    "FlowSchema",
    "PriorityLevelConfiguration",
    "ValidatingAdmissionPolicy",
)


@pytest.fixture(scope="module")
def made():
    return upstream_objects.load()


async def filled(made):
    storage = MemoryStorage()
    for one in made:
        await storage.put(one.key, one.value, expect=ABSENT)
    return storage


def comparable(tree):
    owned = tree["kind"] in OWN_STATUS
    dropped = ("resourceVersion", "managedFields") if owned else ("resourceVersion",)
    metadata = {name: value for name, value in tree["metadata"].items() if name not in dropped}
    rest = {name: value for name, value in tree.items() if not (owned and name == "status")}
    return {**rest, "metadata": metadata}


async def test_every_object_is_served_as_upstream_serves_it(made):
    async with running(await filled(made)) as api:
        for one in made:
            if one.tree["kind"] not in KEPT_UP:
                tree = await api.must("GET", one.path)
                assert comparable(tree) == comparable(one.tree)


async def test_every_object_can_be_written_again(made):
    async with running(await filled(made)) as api:
        for one in made:
            before = await api.must("GET", one.path)
            patch = {"metadata": {"labels": {"seen": "yes"}}}
            after = await api.must("PATCH", one.path, patch, type=MERGE)
            assert after["metadata"]["labels"]["seen"] == "yes"
            before, after = comparable(before), comparable(after)
            for tree in (before, after):
                for name in ("labels", "resourceVersion", "generation", "managedFields"):
                    tree["metadata"].pop(name, None)
            assert after == before


def test_our_bytes_are_those_that_upstream_stored(made):
    for one in made:
        if one.value.startswith(b"k8s\0"):
            assert protobuf.encode(protobuf.decode(one.value)) == one.value


def test_upstreams_json_in_an_older_version_is_decoded():
    value = b'{"kind":"VolumeAttributesClass","apiVersion":"storage.k8s.io/v1beta1","metadata":{"name":"a"},"driverName":"d"}\n'
    assert "storage.k8s.io/v1beta1" in SUPERSEDED
    held = entry("/registry/volumeattributesclasses/a", value, 7, foreign.decode)
    assert held.tree["apiVersion"] == "storage.k8s.io/v1"
    assert held.tree["metadata"]["resourceVersion"] == "7"


NEW = {"sessionAffinity": "None", "type": "ClusterIP", "internalTrafficPolicy": "Cluster"}
ADDRESS = {
    "clusterIP": "10.96.3.3",
    "clusterIPs": ["10.96.3.3"],
    "ipFamilies": ["IPv4"],
    "ipFamilyPolicy": "SingleStack",
}
HEADLESS = {"clusterIP": "None", "clusterIPs": ["None"]}
SOURCE = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "x"}
CLAIM = {"resources": {}, "volumeMode": "Filesystem"}
OUTSIDE = {"type": "ExternalName", "externalName": "a.b"}


@pytest.mark.parametrize("form", ["protobuf", "json"])
@pytest.mark.parametrize(
    ("kind", "stored", "shown"),
    [
        ("Service", {"clusterIP": "10.96.3.3"}, {**NEW, **ADDRESS}),
        ("Service", {"clusterIP": "fd00::1"}, {**NEW, "clusterIP": "fd00::1", "clusterIPs": ["fd00::1"],
                                               "ipFamilies": ["IPv6"], "ipFamilyPolicy": "SingleStack"}),
        ("Service", {"clusterIP": "None", "selector": {"a": "b"}}, {**NEW, **HEADLESS, "selector": {"a": "b"},
                                                                    "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}),
        ("Service", {"clusterIP": "None"}, {**NEW, **HEADLESS, "ipFamilies": ["IPv4", "IPv6"],
                                            "ipFamilyPolicy": "RequireDualStack"}),
        ("Service", {**OUTSIDE, "internalTrafficPolicy": "Cluster"}, {**OUTSIDE, "sessionAffinity": "None"}),
        ("Service", {}, NEW),
        ("PersistentVolumeClaim", {"dataSource": SOURCE}, {**CLAIM, "dataSource": SOURCE, "dataSourceRef": SOURCE}),
        ("PersistentVolumeClaim", {"dataSourceRef": SOURCE}, {**CLAIM, "dataSource": SOURCE, "dataSourceRef": SOURCE}),
        ("PersistentVolumeClaim", {}, CLAIM),
    ],
)  # fmt: skip
def test_fields_that_an_older_server_did_not_know_are_filled_in(kind, stored, shown, form):
    tree = {"kind": kind, "apiVersion": "v1", "metadata": {"name": "a", "namespace": "d"}, "spec": stored}
    value = protobuf.encode(tree) if form == "protobuf" else msgspec.json.encode(tree) + b"\n"
    held = entry("/registry/any/d/a", value, 7, foreign.decode)
    assert held.tree["spec"] == shown


def test_a_headless_service_of_an_older_server_has_the_clusters_first_family():
    value = b'{"kind":"Service","apiVersion":"v1","metadata":{"name":"a"},"spec":{"clusterIP":"None"}}'
    assert foreign.decode(value, primary="IPv6")["spec"]["ipFamilies"] == ["IPv6", "IPv4"]


def test_device_requests_of_older_servers():
    claim = {
        "kind": "ResourceClaim",
        "apiVersion": "resource.k8s.io/v1beta1",
        "metadata": {"name": "a", "namespace": "default"},
        "spec": {"devices": {"requests": [{"name": "r", "deviceClassName": "c"}]}},
    }
    tree = foreign.decode(msgspec.json.encode(claim))
    assert tree["apiVersion"] == "resource.k8s.io/v1"
    assert tree["spec"]["devices"]["requests"][0]["exactly"]["deviceClassName"] == "c"


def test_a_custom_resource_definition_of_several_versions():
    spec = {
        "group": "example.com",
        "version": "v1",
        "names": {"plural": "things", "kind": "Thing"},
        "scope": "Namespaced",
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}},
            {"name": "v2", "served": True, "storage": False, "schema": {"openAPIV3Schema": {"type": "string"}}},
        ],
        "additionalPrinterColumns": [{"name": "Age", "type": "date", "JSONPath": ".metadata.creationTimestamp"}],
        "conversion": {"strategy": "Webhook", "webhookClientConfig": {"url": "u"}, "conversionReviewVersions": ["v1"]},
        "preserveUnknownFields": False,
    }
    head = {"kind": "CustomResourceDefinition", "apiVersion": "apiextensions.k8s.io/v1beta1", "metadata": {"name": "x"}}
    found = foreign.decode(msgspec.json.encode({**head, "spec": spec}))["spec"]
    assert [version["schema"]["openAPIV3Schema"]["type"] for version in found["versions"]] == ["object", "string"]
    column = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
    assert [version["additionalPrinterColumns"] for version in found["versions"]] == [[column], [column]]
    assert found["conversion"]["webhook"] == {"clientConfig": {"url": "u"}, "conversionReviewVersions": ["v1"]}
    assert "preserveUnknownFields" not in found
    assert "version" not in found


def test_what_cannot_be_converted_says_so():
    with pytest.raises(ValueError, match="no conversion from networking"):
        foreign.decode(b'{"kind":"Ingress","apiVersion":"networking.k8s.io/v1beta1","metadata":{"name":"a"}}')

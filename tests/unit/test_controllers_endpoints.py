"""Endpoints and EndpointSlices: which pods, in which state, and how little is written."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apimachinery.kinds import ENDPOINTS, ENDPOINTSLICES, NODES, PODS, SERVICES
from client.plan import Create, Delete, Patch
from controllers.endpoints import EndpointsController
from controllers.endpointslice import CAPACITY, EndpointSliceController
from controllers.endpointslice_mirroring import EndpointSliceMirroring
from tests.unit.controllers_view import KEY, NOW, FakeView, meta, pod

NODE = {"metadata": meta("n1", "", labels={"topology.kubernetes.io/zone": "z1"})}


def service(*ports, selector=None, **spec):
    ports = ports or ({"port": 80, "targetPort": 8080, "protocol": "TCP"},)
    selector = {"app": "web"} if selector is None else selector
    return {
        "metadata": meta("web"),
        "spec": {"selector": selector, "clusterIP": "10.96.0.9", "ports": list(ports)} | spec,
    }


def view(svc, pods, **more):
    return FakeView({SERVICES: [svc] if svc else [], PODS: pods, NODES: [NODE], **more})


def slices_of(svc, *pods):
    known = view(svc, list(pods))
    known.apply(EndpointSliceController().plan(KEY, known, NOW))
    return known.raw(ENDPOINTSLICES)


def endpoints_of(svc, *pods):
    known = view(svc, list(pods))
    known.apply(EndpointsController().plan(KEY, known, NOW))
    return known.raw(ENDPOINTS)


def test_what_a_slice_says_of_a_pod():
    (made,) = slices_of(service(), pod("a", ip="10.0.0.1"))
    assert made["endpoints"] == [
        {
            "addresses": ["10.0.0.1"],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "targetRef": {"kind": "Pod", "namespace": "d", "name": "a", "uid": "uid-a"},
            "nodeName": "n1",
            "zone": "z1",
        }
    ]
    assert made["ports"] == [{"name": "", "port": 8080, "protocol": "TCP"}]
    assert made["metadata"]["labels"] == {
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert made["metadata"]["ownerReferences"][0]["kind"] == "Service"
    assert made["metadata"]["generateName"] == "web-"


@pytest.mark.parametrize(
    ("state", "publish", "expected"),
    [
        pytest.param({}, False, (True, True, False), id="ready"),
        pytest.param({"ready": False}, False, (False, False, False), id="not ready"),
        pytest.param({"deleting": True}, False, (False, True, True), id="terminating still serves"),
        pytest.param({"ready": False, "deleting": True}, True, (True, False, True), id="published anyhow"),
    ],
)
def test_conditions_of_an_endpoint(state, publish, expected):
    (made,) = slices_of(service(publishNotReadyAddresses=publish), pod("a", ip="10.0.0.1", **state))
    assert tuple(made["endpoints"][0]["conditions"].values()) == expected


@pytest.mark.parametrize(
    "absent",
    [
        pytest.param(pod("a"), id="without an address"),
        pytest.param(pod("a", "Failed", ip="10.0.0.1"), id="finished"),
        pytest.param(pod("a", ip="10.0.0.1", node="gone"), id="on a node that is gone"),
    ],
)
def test_pods_that_are_no_endpoints_leave_an_empty_slice(absent):
    (made,) = slices_of(service(), absent)
    assert (made["endpoints"], made["ports"]) == ([], [])


@pytest.mark.parametrize("spec", [{"selector": {}}, {"type": "ExternalName"}])
def test_services_without_selector_get_nothing(spec):
    assert slices_of(service(**spec), pod("a", ip="10.0.0.1")) == []
    assert endpoints_of(service(**spec), pod("a", ip="10.0.0.1")) == []


def with_port(name, number, ip):
    tree = pod(name, ip=ip)
    tree["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": number}]
    return tree


def test_pods_that_differ_in_a_named_port_lie_in_slices_of_their_own():
    named = service({"name": "w", "port": 80, "targetPort": "http", "protocol": "TCP", "appProtocol": "http"})
    pods = [with_port("a", 8080, "10.0.0.1"), with_port("b", 9090, "10.0.0.2"), pod("c", ip="10.0.0.3")]
    made = slices_of(named, *pods)
    assert sorted((each["ports"][0]["port"], len(each["endpoints"])) for each in made) == [(8080, 1), (9090, 1)]
    assert made[0]["ports"][0]["appProtocol"] == "http"
    (older,) = endpoints_of(named, *pods)
    assert sorted(subset["ports"][0]["port"] for subset in older["subsets"]) == [8080, 9090]


def test_a_headless_service_without_ports_names_its_pods():
    headless = service(clusterIP="None", ports=[])
    named = pod("a", ip="10.0.0.1")
    named["spec"] |= {"hostname": "first", "subdomain": "web"}
    (made,) = slices_of(headless, named)
    assert (made["ports"], made["endpoints"][0]["hostname"]) == ([], "first")
    assert made["metadata"]["labels"]["service.kubernetes.io/headless"] == ""
    (older,) = endpoints_of(headless, named)
    assert older["subsets"][0]["addresses"][0]["hostname"] == "first"
    assert "ports" not in older["subsets"][0] or older["subsets"][0]["ports"] == []


def test_families_have_slices_of_their_own():
    both = pod("a", ip="10.0.0.1")
    both["status"]["podIPs"].append({"ip": "fd00::1"})
    made = slices_of(service(ipFamilies=["IPv4", "IPv6"]), both)
    assert {each["addressType"]: each["endpoints"][0]["addresses"] for each in made} == {
        "IPv4": ["10.0.0.1"],
        "IPv6": ["fd00::1"],
    }


def test_endpoints_are_ready_or_not():
    (made,) = endpoints_of(
        service(), pod("a", ip="10.0.0.1"), pod("b", ip="10.0.0.2", ready=False), pod("c", ip="10.0.0.3", deleting=True)
    )
    (subset,) = made["subsets"]
    assert [each["ip"] for each in subset["addresses"]] == ["10.0.0.1"]
    assert [each["ip"] for each in subset["notReadyAddresses"]] == ["10.0.0.2"]
    assert subset["ports"] == [{"port": 8080, "protocol": "TCP"}]
    assert made["metadata"]["labels"]["endpoints.kubernetes.io/managed-by"] == "endpoint-controller"


def test_endpoints_have_the_labels_of_their_service_and_not_its_annotations():
    """`kubectl apply --prune` takes what has the annotation of an apply for its own."""
    svc = service()
    svc["metadata"] |= {"labels": {"a": "b"}, "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}
    (made,) = endpoints_of(svc, pod("a", ip="10.0.0.1"))
    assert made["metadata"]["labels"]["a"] == "b"
    assert "kubectl.kubernetes.io/last-applied-configuration" not in made["metadata"].get("annotations", {})


def test_endpoints_hold_a_thousand_addresses_and_say_that_there_were_more():
    (made,) = endpoints_of(
        service(), *[pod(f"p{n}", ip=f"10.0.{n // 250}.{n % 250}", ready=n % 2 == 0) for n in range(1500)]
    )
    (subset,) = made["subsets"]
    assert (len(subset["addresses"]), len(subset["notReadyAddresses"])) == (750, 250)
    assert made["metadata"]["annotations"]["endpoints.kubernetes.io/over-capacity"] == "truncated"


def test_endpoints_go_with_their_service_unless_they_are_someone_elses():
    ours = {"metadata": meta("web", labels={"endpoints.kubernetes.io/managed-by": "endpoint-controller"})}
    known = view(None, [])
    known.trees[ENDPOINTS] = {("d", "web"): ours}
    assert isinstance(EndpointsController().plan(KEY, known, NOW).writes[0], Delete)
    known.trees[ENDPOINTS] = {("d", "web"): {"metadata": meta("web")}}
    assert not EndpointsController().plan(KEY, known, NOW).writes


def test_a_change_of_one_pod_writes_one_slice():
    pods = [pod(f"p{n:03}", ip=f"10.0.0.{n}") for n in range(250)]
    known = view(service(), pods)
    controller = EndpointSliceController()
    known.apply(controller.plan(KEY, known, NOW))
    assert sorted(len(each["endpoints"]) for each in known.raw(ENDPOINTSLICES)) == [50, 100, 100]
    assert not controller.plan(KEY, known, NOW).writes
    del known.trees[PODS]["d", "p007"]
    (write,) = controller.plan(KEY, known, NOW).writes
    assert isinstance(write, Patch)
    known.apply(controller.plan(KEY, known, NOW))
    known.trees[PODS]["d", "new"] = pod("new", ip="10.0.1.1")
    (write,) = controller.plan(KEY, known, NOW).writes
    assert isinstance(write, Patch)
    assert len(write.body["endpoints"]) == 100  # the fullest one that has room


def test_an_endpoint_in_two_slices_stays_in_one():
    known = view(service(), [pod("a", ip="10.0.0.1")])
    controller = EndpointSliceController()
    known.apply(controller.plan(KEY, known, NOW))
    (made,) = known.raw(ENDPOINTSLICES)
    twin = {**made, "metadata": {**made["metadata"], "name": "web-twin", "uid": "uid-twin"}}
    known.trees[ENDPOINTSLICES]["d", "web-twin"] = twin
    known.apply(controller.plan(KEY, known, NOW))
    assert [len(each["endpoints"]) for each in known.raw(ENDPOINTSLICES)] == [1]


STATES = st.dictionaries(st.integers(0, 300), st.sampled_from([{}, {"ready": False}, {"deleting": True}]), max_size=60)


@settings(max_examples=60, deadline=None)
@given(st.lists(STATES, min_size=1, max_size=4), st.booleans())
def test_slices_hold_each_pod_once_whatever_happens(worlds, named):
    known = view(service(), [])
    controller = EndpointSliceController()
    for world in worlds:
        known.trees[PODS] = {
            ("d", f"p{n}"): pod(f"p{n}", ip=f"10.0.{n // 250}.{n % 250}", **state) for n, state in world.items()
        }
        known.apply(controller.plan(KEY, known, NOW))
        assert not controller.plan(KEY, known, NOW).writes
        made = known.raw(ENDPOINTSLICES)
        uids = sorted(endpoint["targetRef"]["uid"] for each in made for endpoint in each["endpoints"])
        assert uids == sorted(f"uid-p{n}" for n in world)
        assert all(len(each["endpoints"]) <= CAPACITY for each in made)
        assert made


def test_nothing_is_made_for_a_service_that_goes_away():
    leaving = service()
    leaving["metadata"]["deletionTimestamp"] = "2023-11-14T00:00:00Z"
    writes = EndpointSliceController().plan(KEY, view(leaving, [pod("a", ip="10.0.0.1")]), NOW).writes
    assert not [write for write in writes if isinstance(write, Create)]


def written(*subsets, **more):
    return {"metadata": meta("web", **more), "subsets": list(subsets)}


def mirrored(known):
    known.apply(EndpointSliceMirroring().plan(KEY, known, NOW))
    assert EndpointSliceMirroring().plan(KEY, known, NOW).writes == []
    return known.raw(ENDPOINTSLICES)


SUBSET = {
    "addresses": [{"ip": "10.0.0.1", "nodeName": "n1"}],
    "notReadyAddresses": [{"ip": "10.0.0.2"}],
    "ports": [{"name": "a", "port": 80, "protocol": "TCP"}],
}


def test_endpoints_written_by_hand_are_mirrored_and_followed():
    known = view(service(selector={}), [])
    known.trees[ENDPOINTS] = {("d", "web"): written(SUBSET, {"addresses": [{"ip": "fd00::1"}]}, labels={"x": "y"})}
    made = {each["addressType"]: each for each in mirrored(known)}
    assert made["IPv4"]["endpoints"] == [
        {"addresses": ["10.0.0.1"], "conditions": {"ready": True}, "nodeName": "n1"},
        {"addresses": ["10.0.0.2"], "conditions": {"ready": False}},
    ]
    assert made["IPv4"]["ports"] == SUBSET["ports"]
    assert made["IPv6"]["ports"] == []
    assert made["IPv4"]["metadata"]["labels"]["x"] == "y"
    known.trees[ENDPOINTS]["d", "web"]["subsets"] = [{**SUBSET, "addresses": [{"ip": "10.0.0.9"}]}]
    (left,) = mirrored(known)
    assert [each["addresses"] for each in left["endpoints"]] == [["10.0.0.9"], ["10.0.0.2"]]
    del known.trees[ENDPOINTS]["d", "web"]
    assert mirrored(known) == []


@pytest.mark.parametrize(
    ("selector", "more"),
    [
        ({"app": "web"}, {}),
        ({}, {"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}}),
        ({}, {"annotations": {"control-plane.alpha.kubernetes.io/leader": "{}"}}),
    ],
)
def test_what_is_not_mirrored(selector, more):
    known = view(service(selector=selector), [])
    known.trees[ENDPOINTS] = {("d", "web"): written(SUBSET, **more)}
    assert mirrored(known) == []

"""Quotas: what an object takes, which quotas are about it, and what admission charges or refuses, in upstream's words."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery import kinds as k
from apimachinery import quotas
from apimachinery.errors import ApiError
from apimachinery.pod_resources import total_limits, total_requests
from apiserver.admission import quota
from apiserver.admission.plugin import Review
from apiserver.request import Attributes, User

NOW = 1_700_000_000.0


def pod(*containers, init=(), meta=(), status=(), **spec):
    return {
        "metadata": {"name": "x", "namespace": "d", **dict(meta)},
        "spec": {"containers": list(containers), "initContainers": list(init), **spec},
        "status": dict(status),
    }


def box(name="c", requests=None, limits=None, **more):
    return {"name": name, "resources": {"requests": requests or {}, "limits": limits or {}}, **more}


def shown(amounts):
    return {name: str(amount) for name, amount in amounts.items()}


def usage(kind, tree):
    return shown(quotas.evaluator(kind.group, kind.plural).usage(tree, NOW))


def test_a_pod_asks_for_the_most_it_needs_at_once():
    sidecar = box("s", {"cpu": "1"}, restartPolicy="Always")
    greedy = box("i", {"cpu": "5", "memory": "1Gi"})
    tree = pod(box("a", {"cpu": "2"}), box("b", {"cpu": "2"}), init=[sidecar, greedy], overhead={"cpu": "100m"})
    assert shown(total_requests(tree)) == {"cpu": "6100m", "memory": "1Gi"}
    assert shown(total_limits(pod(box(limits={"cpu": "1"}), overhead={"cpu": "1", "memory": "1"}))) == {"cpu": "2"}
    whole = pod(box(requests={"cpu": "2", "x/y": "1"}), resources={"requests": {"cpu": "3"}})
    assert shown(total_requests(whole)) == {"cpu": "3", "x/y": "1"}


def test_a_resized_container_counts_by_the_larger_of_wish_and_fact():
    had = {"name": "c", "resources": {"requests": {"cpu": "2"}}, "allocatedResources": {"cpu": "3"}}
    tree = pod(box(requests={"cpu": "1"}), status={"containerStatuses": [had]})
    assert shown(total_requests(tree)) == {"cpu": "3"}
    assert shown(total_requests(tree, with_status=False)) == {"cpu": "1"}
    tree["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "9"
    tree["status"]["conditions"] = [{"type": "PodResizePending", "reason": "Infeasible"}]
    assert shown(total_requests(tree)) == {"cpu": "3"}


def test_what_a_pod_takes():
    asked = {"cpu": "1", "ephemeral-storage": "1Gi", "hugepages-2Mi": "2Mi", "example.com/gpu": "1"}
    assert usage(k.PODS, pod(box(requests=asked, limits={"memory": "2Gi"}))) == {
        "count/pods": "1",
        "pods": "1",
        "cpu": "1",
        "requests.cpu": "1",
        "limits.memory": "2Gi",
        "ephemeral-storage": "1Gi",
        "requests.ephemeral-storage": "1Gi",
        "hugepages-2Mi": "2Mi",
        "requests.hugepages-2Mi": "2Mi",
        "requests.example.com/gpu": "1",
    }
    assert usage(k.PODS, pod(status={"phase": "Failed"})) == {"count/pods": "1"}
    stuck = {"deletionTimestamp": "2023-11-14T22:00:00Z", "deletionGracePeriodSeconds": 30}
    assert usage(k.PODS, pod(meta=stuck)) == {"count/pods": "1"}


def test_what_other_objects_take():
    spared = {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False, "ports": [{"nodePort": 3}, {}]}
    assert usage(k.SERVICES, {"spec": spared})["services.nodeports"] == "1"
    claim = {
        "metadata": {"annotations": {"volume.beta.kubernetes.io/storage-class": "gold"}},
        "spec": {"resources": {"requests": {"storage": "1500m"}}, "storageClassName": "tin"},
    }
    assert usage(k.PERSISTENTVOLUMECLAIMS, claim)["gold.storageclass.storage.k8s.io/requests.storage"] == "2"
    claim["status"] = {"allocatedResources": {"storage": "1Gi"}}
    assert usage(k.PERSISTENTVOLUMECLAIMS, claim)["requests.storage"] == "1Gi"
    exact = {"exactly": {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 2}}
    options = [{"deviceClassName": "gpu", "allocationMode": "All"}, {"deviceClassName": "gpu"}]
    devices = {"spec": {"devices": {"requests": [exact, {"firstAvailable": options}]}}}
    assert usage(k.RESOURCECLAIMS, devices)["gpu.deviceclass.resource.k8s.io/devices"] == "34"
    assert usage(k.SECRETS, {}) == {"count/secrets": "1", "secrets": "1"}
    assert usage(k.DEPLOYMENTS, {}) == {"count/deployments.apps": "1"}
    assert shown(quotas.evaluator("x.io", "things").usage({}, NOW)) == {"count/things.x.io": "1"}


def scope(name, operator="Exists", *values):
    return {"scopeSelector": {"matchExpressions": [{"scopeName": name, "operator": operator, "values": values}]}}


HIGH = pod(priorityClassName="high")
CROSSING = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"namespaces": ["other"]}]}}


@pytest.mark.parametrize(
    ("spec", "tree", "expected"),
    [
        ({}, pod(), True),
        ({"scopes": ["Terminating"]}, pod(activeDeadlineSeconds=0), True),
        ({"scopes": ["NotTerminating"]}, pod(activeDeadlineSeconds=0), False),
        ({"scopes": ["BestEffort", "NotTerminating"]}, pod(box()), True),
        ({"scopes": ["BestEffort"]}, pod(box(requests={"cpu": "1"})), False),
        (scope("PriorityClass"), HIGH, True),
        (scope("PriorityClass"), pod(), False),
        (scope("PriorityClass", "In", "high", "low"), HIGH, True),
        (scope("PriorityClass", "NotIn", "high"), HIGH, False),
        (scope("PriorityClass", "NotIn", "high"), pod(), True),
        (scope("PriorityClass", "DoesNotExist"), pod(), True),
        (scope("CrossNamespacePodAffinity"), pod(affinity=CROSSING), True),
        (scope("CrossNamespacePodAffinity"), pod(), False),
        (scope("VolumeAttributesClass", "In", "a"), pod(), False),
    ],
)
def test_scopes_of_pods(spec, tree, expected):
    assert quotas.evaluator("", "pods").is_in_scope(spec, tree) is expected


def test_scopes_of_other_kinds():
    claims = quotas.evaluator("", "persistentvolumeclaims")
    changing = {"spec": {"volumeAttributesClassName": "b"}, "status": {"currentVolumeAttributesClassName": "a"}}
    assert claims.is_in_scope(scope("VolumeAttributesClass", "In", "a"), changing)
    assert not claims.is_in_scope({"scopes": ["BestEffort"]}, changing)
    assert not quotas.evaluator("", "secrets").is_in_scope({"scopes": ["NotBestEffort"]}, {})


# ------------------------------------------------------------------------------------------------- admission


def account(hard, used=None, name="q", **spec):
    used = {**dict.fromkeys(hard, "0"), **(used or {})}
    return {"metadata": {"name": name, "namespace": "d"}, "spec": spec, "status": {"hard": hard, "used": used}}


def charged(kind, new, *, old=None, against, subresource=""):
    """What the account says after the write, None when nothing changes, or the refusal's message."""
    verb = "create" if old is None else "update"
    attributes = Attributes(
        user=User("u"), verb=verb, group=kind.group, version=kind.version, plural=kind.plural, namespace="d", name="x",
        subresource=subresource,
    )  # fmt: skip
    review = Review(attributes=attributes, new=new, old=old, lookup=None, random=random.Random(1))
    evaluator = quota.takes(review)
    if evaluator is None:
        return "not counted"
    try:
        after = quota.charged(review, evaluator, against, NOW)
    except ApiError as error:
        return error.message
    return after and after["status"]["used"]


def test_a_create_is_charged_or_refused():
    hard = {"requests.cpu": "2", "pods": "5"}
    one = pod(box(requests={"cpu": "1500m"}))
    assert charged(k.PODS, one, against=account(hard)) == {"requests.cpu": "1500m", "pods": "1"}
    assert charged(k.PODS, one, against=account(hard, {"requests.cpu": "1", "pods": "5"})) == (
        'pods "x" is forbidden: exceeded quota: q, requested: pods=1,requests.cpu=1500m, used: pods=5,requests.cpu=1, '
        "limited: pods=5,requests.cpu=2"
    )
    assert charged(k.PODS, pod(box("a"), box("b")), against=account({"limits.memory": "1", "cpu": "1"})) == (
        'pods "x" is forbidden: failed quota: q: must specify cpu for: a,b; limits.memory for: a,b'
    )
    assert charged(k.PODS, pod(box(), resources={"requests": {"cpu": "1"}}), against=account({"cpu": "1"})) == {
        "cpu": "1"
    }
    assert charged(k.PODS, pod(box()), against=account({"requests.ephemeral-storage": "1"})) is None
    assert charged(k.SECRETS, {"metadata": {}}, against=account(hard)) is None
    unknown = {**account({"pods": "1"}), "status": {"hard": {"pods": "1", "count/pods": "1"}, "used": {}}}
    assert charged(k.PODS, pod(), against=unknown) == (
        'pods "x" is forbidden: status unknown for quota: q, resources: count/pods,pods'
    )


def test_an_update_is_charged_for_what_it_adds():
    small, large = pod(box(requests={"cpu": "1"})), pod(box(requests={"cpu": "3"}))
    against = account({"cpu": "4"}, {"cpu": "1"})
    assert charged(k.PODS, large, old=small, against=against) == "not counted"
    assert charged(k.PODS, large, old=small, against=against, subresource="resize") == {"cpu": "3"}
    assert charged(k.PODS, small, old=large, against=against, subresource="resize") is None
    ended = pod(box(requests={"cpu": "1"}), activeDeadlineSeconds=5)
    scoped = account({"pods": "1"}, scopes=["Terminating"])
    assert charged(k.PODS, ended, old=small, against=scoped) == {"pods": "1"}
    node_port = {"metadata": {}, "spec": {"type": "NodePort", "ports": [{"port": 1}]}}
    plain = {"metadata": {}, "spec": {"type": "ClusterIP", "ports": [{"port": 1}]}}
    ports = account({"services": "1", "services.nodeports": "1"}, {"services": "1"})
    assert charged(k.SERVICES, node_port, old=plain, against=ports) == {"services": "1", "services.nodeports": "1"}


def test_a_claim_that_grew_behind_the_scenes_is_charged_and_never_refused():
    old = {"metadata": {}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}
    new = {**old, "status": {"allocatedResources": {"storage": "3Gi"}}}
    against = account({"requests.storage": "2Gi"}, {"requests.storage": "1Gi"})
    kind = k.PERSISTENTVOLUMECLAIMS
    assert charged(kind, new, old=old, against=against, subresource="status") == {"requests.storage": "3Gi"}


@given(st.lists(st.integers(1, 9), max_size=20), st.integers(0, 30))
def test_no_sequence_of_creates_passes_a_quota(wishes, limit):
    now = account({"requests.cpu": str(limit)})
    for wish in wishes:
        after = charged(k.PODS, pod(box(requests={"cpu": str(wish)})), against=now)
        if isinstance(after, dict):
            now = account({"requests.cpu": str(limit)}, after)
        else:
            assert int(now["status"]["used"]["requests.cpu"]) + wish > limit
    assert int(now["status"]["used"]["requests.cpu"]) <= limit

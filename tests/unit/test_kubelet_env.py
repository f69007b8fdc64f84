"""Environments, the downward API, references in commands, back-offs, probes' thresholds, images: the small pure rules."""

import base64

import pytest

from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import ConfigMap, Container, Pod, Probe, Secret, Service
from kubelet.pods import qos
from kubelet.pods.backoff import Backoff, advance, ready_at, spoken
from kubelet.pods.env import ConfigProblem, Fetched, environment, references, service_variables, visible
from kubelet.pods.expansion import expand
from kubelet.pods.fields import Facts, FieldProblem, pod_field
from kubelet.pods.images import policy, valid
from kubelet.pods.probes import Tally, count
from kubelet.pods.security import Powers, security

FACTS = Facts("n1", ["192.0.2.2"], ["10.0.0.2"], {"cpu": "2", "memory": "1Gi"})
META = {"name": "web", "namespace": "ns", "uid": "u1", "labels": {"b": "2", "a": 'x"y'}, "annotations": {"k": "v"}}


def made(container=None, **spec):
    one = {"name": "main", "image": "i", **(container or {})}
    tree = {"metadata": META, "spec": {"containers": [one], "nodeName": "n1", "serviceAccountName": "sa", **spec}}
    pod = view(tree, Pod)
    return pod, pod.spec.containers[0]


def env(container, *, configmaps=None, secrets=None, services=(), **spec):
    pod, main = made(container, **spec)
    fetched = Fetched(
        {name: view({"data": data}, ConfigMap) for name, data in (configmaps or {}).items()},
        {name: view({"data": data}, Secret) for name, data in (secrets or {}).items()},
    )
    return dict(environment(pod, main, fetched=fetched, services=services, facts=FACTS))


def from_(**source):
    return {"env": [{"name": "X", "valueFrom": source}]}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"fieldRef": {"fieldPath": "metadata.name"}}, "web"),
        ({"fieldRef": {"fieldPath": "metadata.labels['b']"}}, "2"),
        ({"fieldRef": {"fieldPath": "metadata.annotations['none']"}}, ""),
        ({"fieldRef": {"fieldPath": "spec.nodeName"}}, "n1"),
        ({"fieldRef": {"fieldPath": "spec.serviceAccountName"}}, "sa"),
        ({"fieldRef": {"fieldPath": "status.podIP"}}, "10.0.0.2"),
        ({"fieldRef": {"fieldPath": "status.hostIP"}}, "192.0.2.2"),
        ({"resourceFieldRef": {"resource": "limits.cpu"}}, "2"),
        ({"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}, "1024"),
        ({"resourceFieldRef": {"resource": "requests.cpu"}}, "0"),
        ({"configMapKeyRef": {"name": "cm", "key": "k"}}, "v"),
        ({"secretKeyRef": {"name": "s", "key": "k"}}, "geheim"),
    ],
)
def test_sources_of_a_value(source, expected):
    secrets = {"s": {"k": base64.b64encode(b"geheim").decode()}}
    assert env(from_(**source), configmaps={"cm": {"k": "v"}}, secrets=secrets)["X"] == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMapKeyRef": {"name": "cm", "key": "none"}}, "couldn't find key none in ConfigMap ns/cm"),
        ({"configMapKeyRef": {"name": "gone", "key": "k"}}, 'configmap "gone" not found'),
        ({"secretKeyRef": {"name": "gone", "key": "k"}}, 'secret "gone" not found'),
        ({"fieldRef": {"fieldPath": "status.phase"}}, "unsupported fieldPath: status.phase"),
        ({"resourceFieldRef": {"resource": "limits.cpu", "containerName": "z"}}, "container z not found"),
    ],
)
def test_what_is_missing_is_named(source, message):
    with pytest.raises(ConfigProblem, match=message):
        env(from_(**source), configmaps={"cm": {"k": "v"}})


def test_what_is_optional_may_be_missing():
    assert "X" not in env(from_(configMapKeyRef={"name": "gone", "key": "k", "optional": True}))
    assert env({"envFrom": [{"secretRef": {"name": "gone", "optional": True}}]}) == {}


def test_later_sources_override_and_may_refer_to_earlier_ones():
    given = {
        "envFrom": [{"configMapRef": {"name": "cm"}, "prefix": "P_"}, {"configMapRef": {"name": "cm"}}],
        "env": [{"name": "A", "value": "mine"}, {"name": "B", "value": "$(A)-$(P_A)-$(NONE)-$$(A)"}],
    }
    found = env(given, configmaps={"cm": {"A": "theirs", "1bad": "x"}})
    assert found == {"P_A": "theirs", "P_1bad": "x", "A": "mine", "1bad": "x", "B": "mine-theirs-$(NONE)-$(A)"}


def test_references_are_collected_from_all_sources():
    _, main = made({"envFrom": [{"secretRef": {"name": "a"}}], **from_(configMapKeyRef={"name": "b", "key": "k"})})
    assert references([main]) == ({"b"}, {"a"})


def service(name, namespace="ns", ip="10.96.0.9", ports=({"name": "http", "port": 80},)):
    tree = {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": ip, "ports": list(ports)}}
    return view(tree, Service)


def test_service_variables():
    assert service_variables([service("my-web")]) == {
        "MY_WEB_SERVICE_HOST": "10.96.0.9",
        "MY_WEB_SERVICE_PORT": "80",
        "MY_WEB_SERVICE_PORT_HTTP": "80",
        "MY_WEB_PORT": "tcp://10.96.0.9:80",
        "MY_WEB_PORT_80_TCP": "tcp://10.96.0.9:80",
        "MY_WEB_PORT_80_TCP_PROTO": "tcp",
        "MY_WEB_PORT_80_TCP_PORT": "80",
        "MY_WEB_PORT_80_TCP_ADDR": "10.96.0.9",
    }


@pytest.mark.parametrize(("linked", "expected"), [(True, ["kubernetes", "own"]), (False, ["kubernetes"])])
def test_which_services_a_pod_is_told(linked, expected):
    every = [service("own"), service("headless", ip="None"), service("other", "x"), service("kubernetes", "default")]
    assert [s.metadata.name for s in visible(every, "ns", linked=linked)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("$(A)", "1"), ("a$(A)b", "a1b"), ("$(B)", "$(B)"), ("$$(A)", "$(A)"), ("$A", "$A"), ("$(A", "$(A"), ("$", "$")],
)
def test_expansion(text, expected):
    assert expand(text, {"A": "1"}) == expected


def test_labels_are_quoted_line_by_line():
    assert pod_field(made()[0], "metadata.labels") == 'a="x\\"y"\nb="2"'
    with pytest.raises(FieldProblem):
        pod_field(made()[0], "status.podIP")


def test_backoff_doubles_to_five_minutes_and_is_forgotten():
    memory, delays = None, []
    for _ in range(7):
        memory = advance(memory, 0, 0)
        delays.append(memory.delay)
    assert delays == [10, 20, 40, 80, 160, 300, 300]
    assert ready_at(memory, 500) == 800
    assert ready_at(memory, 601) == 601
    assert advance(memory, 601, 601) == Backoff(10, 601)


@pytest.mark.parametrize(("seconds", "text"), [(10, "10s"), (160, "2m40s"), (300, "5m0s")])
def test_delays_are_spoken_as_go_does(seconds, text):
    assert spoken(seconds) == text


@pytest.mark.parametrize(
    ("results", "settled"),
    [("ff", True), ("fff", False), ("ffpff", True), ("fffp", False), ("fffpp", True), ("fffpfpp", True)],
)
def test_thresholds(results, settled):
    probe, tally = Probe(failure_threshold=3, success_threshold=2), Tally(settled=True)
    for result in results:
        tally = count(tally, probe, passed=result == "p")
    assert tally.settled is settled


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("a", "Always"),
        ("a:latest", "Always"),
        ("a:1", "IfNotPresent"),
        ("r:5000/a", "Always"),
        ("a@sha256:" + "0" * 64, "IfNotPresent"),
    ],
)
def test_the_pull_policy_follows_the_tag(image, expected):
    assert policy(Container(image=image)) == expected


@pytest.mark.parametrize(
    ("image", "good"),
    [
        ("a", True),
        ("docker.io/library/a:1.2", True),
        ("localhost:5000/a/b", True),
        ("A", False),
        ("a b", False),
        ("", False),
    ],
)
def test_image_names(image, good):
    assert valid(image) is good


@pytest.mark.parametrize(
    ("resources", "quality", "score"),
    [
        ({}, "BestEffort", 1000),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed", -997),
        ({"requests": {"memory": "1Gi"}}, "Burstable", 750),
        ({"requests": {"cpu": "10m"}}, "Burstable", 999),
    ],
)
def test_quality_of_service(resources, quality, score):
    pod, main = made({"resources": resources})
    assert qos.qos_class(pod) == quality
    assert qos.container_resources(pod, main, capacity=4 << 30).oom_score_adj == score


def test_resources_as_cgroups_know_them():
    pod, main = made({"resources": {"limits": {"cpu": "500m", "memory": "64Mi"}, "requests": {"cpu": "250m"}}})
    found = qos.container_resources(pod, main, capacity=1 << 30, lowest=0)
    assert (found.cpu_shares, found.cpu_quota, found.memory) == (256, 50_000, 64 << 20)
    assert qos.container_resources(*made(), capacity=1).cpu_shares == 2


def secured(own, shared=None, *, powers=None, image_user=""):
    pod, main = made({"securityContext": own}, securityContext=shared or {})
    return security(pod, main, powers=powers or Powers(), image_user=image_user)


def test_security_of_the_container_goes_before_the_pods():
    found = secured({"runAsUser": 5}, {"runAsUser": 1, "runAsGroup": 2, "fsGroup": 3, "supplementalGroups": [4]})
    assert (found.user, found.groups) == ("5:2", (4, 3))


def test_privileged_without_the_power_for_it_gets_all_the_rest():
    found = secured({"privileged": True}, powers=Powers(sys_resource=False))
    assert (found.privileged, found.add, found.drop, found.unmasked) == (False, ("ALL",), ("SYS_RESOURCE",), True)
    assert found.all_devices
    assert secured({"privileged": True}).privileged


@pytest.mark.parametrize(
    ("own", "image_user", "message"),
    [
        ({"runAsUser": 0}, "", "runAsUser breaks non-root policy"),
        ({}, "", "image will run as root"),
        ({}, "www", "non-numeric user"),
        ({"runAsUser": 7}, "", ""),
        ({}, "7:7", ""),
    ],
)
def test_non_root_is_checked(own, image_user, message):
    if not message:
        assert secured({**own, "runAsNonRoot": True}, image_user=image_user)
        return
    with pytest.raises(ConfigProblem, match=message):
        secured({**own, "runAsNonRoot": True}, image_user=image_user)


@pytest.mark.parametrize(
    ("profile", "expected"),
    [(None, "unconfined"), ({"type": "RuntimeDefault"}, ""), ({"type": "Unconfined"}, "unconfined")],
)
def test_seccomp(profile, expected):
    assert secured({"seccompProfile": profile} if profile else {}).seccomp == expected

"""What the node says of itself, and what the HTTPS API shows of its pods."""

import msgspec
import pytest

from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import Node, Pod
from kubelet import node_status
from kubelet.configuration import Configuration, parse
from kubelet.node_status import NodeFacts
from kubelet.options import reserved
from kubelet.plain import plain
from kubelet.runtime.protocol import Image

HEAD = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
MACHINE = node_status.Machine(
    cpus=2,
    memory=4 << 30,
    disk=100 << 30,
    architecture="amd64",
    kernel="6.1",
    os_image="Debian",
    machine_id="m",
    system_uuid="s",
    boot_id="b",
)


def facts(**more):
    given = {"name": "n1", "addresses": ["192.0.2.2"], "machine": MACHINE, "port": 10250, "max_pods": 110}
    return NodeFacts(**given | {"runtime": "docker://20.10"} | more)


def ready(status):
    return next((c["status"], c["reason"], c["message"]) for c in status["conditions"] if c["type"] == "Ready")


@pytest.mark.parametrize(
    ("problems", "expected"),
    [
        ([], ("True", "KubeletReady", "kubelet is posting ready status")),
        (["no network"], ("False", "KubeletNotReady", "no network")),
    ],
)
def test_ready_unless_there_is_a_problem(problems, expected):
    assert ready(node_status.status(facts(problems=problems), None, 0)) == expected


def test_allocatable_keeps_back_what_is_reserved_and_what_eviction_needs():
    configuration = parse(HEAD + "systemReserved: {cpu: 200m}\nkubeReserved: {cpu: 300m, memory: 1Gi}")
    kept = reserved(configuration, {"memory": MACHINE.memory, "ephemeral-storage": MACHINE.disk})
    found = node_status.status(facts(reserved=kept), None, 0)["allocatable"]
    assert (found["cpu"], found["memory"]) == ("1500m", "3043328Ki")


def test_what_others_give_the_node_may_be_had():
    before = view({"metadata": {"name": "n1"}, "status": {"capacity": {"cpu": "9", "example.com/gpu": "3"}}}, Node)
    found = node_status.status(facts(), before, 0)["allocatable"]
    assert (found["example.com/gpu"], found["cpu"]) == ("3", "2")


def test_a_shortage_is_a_condition_with_an_event():
    before, now = node_status.status(facts(), None, 0), node_status.status(facts(pressure={"DiskPressure"}), None, 0)
    (found,) = [c for c in now["conditions"] if c["type"] == "DiskPressure"]
    assert (found["status"], found["reason"], found["message"]) == (
        "True",
        "KubeletHasDiskPressure",
        "kubelet has disk pressure",
    )
    assert node_status.transitions(before, now) == ["NodeHasDiskPressure"]


def test_allocatable_keeps_back_what_eviction_needs():
    kept = reserved(Configuration(), {"memory": MACHINE.memory, "ephemeral-storage": MACHINE.disk})
    found = node_status.status(facts(reserved=kept), None, 0)
    assert (found["capacity"]["memory"], found["allocatable"]["memory"]) == ("4194304Ki", "4091904Ki")
    assert found["allocatable"]["pods"] == "110"


def test_the_largest_images_are_named_first():
    images = [Image(id="a", tags=("a:1",), size=1), Image(id="b", tags=("b:1",), size=2), Image(id="c", size=9)]
    names = [image["names"] for image in node_status.status(facts(images=images), None, 0)["images"]]
    assert names == [["b:1"], ["a:1"]]


def test_a_registration_carries_labels_and_taints():
    body = node_status.node(facts(labels={"zone": "a"}, taints=[{"key": "k", "effect": "NoSchedule"}]), 0)
    assert {"kubernetes.io/hostname": "n1", "zone": "a"}.items() <= body["metadata"]["labels"].items()
    assert body["spec"]["taints"] == [{"key": "k", "effect": "NoSchedule"}]


def test_a_heartbeat_is_no_news_but_a_problem_is():
    first = node_status.status(facts(), None, 100)
    known = view({"metadata": {"name": "n1"}, "status": first}, Node)
    later = node_status.status(facts(), known, 200)
    worse = node_status.status(facts(problems=["x"]), known, 200)
    assert not node_status.differs(first, later)
    assert node_status.differs(first, worse)
    assert node_status.transitions(first, worse) == ["NodeNotReady"]
    assert len(node_status.transitions(None, first)) == 4


def test_a_pod_is_shown_as_the_api_has_it():
    tree = {
        "metadata": {"name": "web", "labels": {"empty": ""}, "creationTimestamp": "2024-01-01T00:00:00Z"},
        "spec": {"containers": [{"name": "c", "tty": False}], "volumes": [{"name": "v", "emptyDir": {}}]},
        "status": {},
    }
    assert msgspec.json.decode(msgspec.json.encode(plain(view(tree, Pod)))) == tree

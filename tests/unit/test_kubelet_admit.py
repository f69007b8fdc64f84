"""Which pods a node refuses, and in which words."""

import pytest

from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import Pod, Taint
from kubelet.pods.admit import SAFE_SYSCTLS, Terms, admit, requested
from kubelet.pods.status import Host, patch, status
from tests.unit.kubelet_builders import pod, world

ALLOCATABLE = {"cpu": "2", "memory": "4Gi", "pods": "3"}


def container(cpu="", memory="", port=0, **more):
    requests = {name: text for name, text in (("cpu", cpu), ("memory", memory)) if text}
    ports = [{"containerPort": port, "hostPort": port}] if port else []
    return {"name": "main", "image": "i", "resources": {"requests": requests}, "ports": ports, **more}


def needing(*, labels=None, annotations=None, name="web", **spec):
    meta = {"name": name, "uid": name, "labels": labels or {}, "annotations": annotations or {}}
    return view({"metadata": meta, "spec": {"containers": [container()], **spec}}, Pod)


def sysctls(*names, **spec):
    return needing(securityContext={"sysctls": [{"name": name, "value": "1"} for name in names]}, **spec)


def affinity(**term):
    terms = {"nodeSelectorTerms": [term]}
    return needing(affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}})


SSD = [{"key": "disk", "operator": "In", "values": ["ssd"]}]
TERMS = Terms(name="n1", labels={"disk": "hdd", "cores": "4"}, allocatable=ALLOCATABLE, apparmor=False)


@pytest.mark.parametrize(
    ("given", "reason", "message"),
    [
        pytest.param(needing(), "", "", id="asks for nothing"),
        pytest.param(
            needing(securityContext={"supplementalGroupsPolicy": "Strict"}),
            "SupplementalGroupsPolicyNotSupported",
            "SupplementalGroupsPolicy=Strict is not supported in this node",
            id="strict groups",
        ),
        pytest.param(
            needing(containers=[container(securityContext={"appArmorProfile": {"type": "RuntimeDefault"}})]),
            "AppArmor",
            "Cannot enforce AppArmor: AppArmor is not enabled on the host",
            id="AppArmor",
        ),
        pytest.param(
            needing(securityContext={"appArmorProfile": {"type": "Unconfined"}}), "", "", id="AppArmor is not asked for"
        ),
        pytest.param(
            needing(containers=[{**container(), "resources": {"limits": {"example.com/gpu": "1"}}}]),
            "",
            "",
            id="an extended resource that the node knows nothing of",
        ),
        pytest.param(
            needing(containers=[container(cpu="3")]),
            "OutOfcpu",
            "Node didn't have enough resource: cpu, requested: 3000, used: 1500, capacity: 2000",
            id="more than there is",
        ),
        pytest.param(needing(containers=[container(cpu="600m")]), "OutOfcpu", "used: 1500", id="more than is left"),
        pytest.param(needing(containers=[container(cpu="500m")]), "", "", id="what is left"),
        pytest.param(needing(containers=[container(memory="5Gi")]), "OutOfmemory", "used: 0", id="memory"),
        pytest.param(
            needing(nodeSelector={"disk": "ssd"}), "NodeAffinity", "Predicate NodeAffinity failed: node", id="selector"
        ),
        pytest.param(affinity(matchExpressions=SSD), "NodeAffinity", "", id="affinity"),
        pytest.param(affinity(), "NodeAffinity", "", id="an empty term selects nothing"),
        pytest.param(
            affinity(matchExpressions=[{"key": "cores", "operator": "Gt", "values": ["3"]}]), "", "", id="greater than"
        ),
        pytest.param(
            affinity(matchFields=[{"key": "metadata.name", "operator": "In", "values": ["n1"]}]), "", "", id="by name"
        ),
        pytest.param(needing(containers=[container(port=80)]), "NodePorts", "free ports", id="port"),
        pytest.param(needing(os={"name": "windows"}), "PodOSNotSupported", "OS field", id="windows"),
        pytest.param(
            needing(labels={"kubernetes.io/os": "windows"}, os={"name": "windows"}),
            "PodOSSelectorNodeLabelDoesNotMatch",
            "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
            id="labelled as windows",
        ),
        pytest.param(
            needing(nodeSelector={"kubernetes.io/os": "windows"}), "NodeAffinity", "", id="a selector is no label"
        ),
        pytest.param(
            needing(containers=[{**container(), "resources": {"requests": {"hugepages-2Mi": "4Mi"}}}]),
            "OutOfhugepages-2Mi",
            "Node didn't have enough resource: hugepages-2Mi, requested: 4194304, used: 0, capacity: 0",
            id="huge pages where there are none",
        ),
        pytest.param(
            needing(containers=[container(memory="5Gi", cpu="3")]), "OutOfcpu", "", id="cpu is looked at first"
        ),
        pytest.param(sysctls("kernel.shm_rmid_forced", "net/ipv4/tcp_syncookies"), "", "", id="safe sysctls"),
        pytest.param(
            sysctls("kernel.msgmax"),
            "SysctlForbidden",
            'forbidden sysctl: "kernel.msgmax" not allowlisted',
            id="unsafe",
        ),
        pytest.param(sysctls("vm.swappiness"), "SysctlForbidden", "", id="not a pod's own"),
        pytest.param(
            sysctls("net.ipv4.tcp_syncookies", hostNetwork=True),
            "SysctlForbidden",
            "host net enabled",
            id="the node's own",
        ),
    ],
)
def test_who_is_refused(given, reason, message):
    verdict = admit(given, [needing(containers=[container(cpu="1500m", port=80)])], TERMS)
    assert (verdict.reason if verdict else "") == reason
    assert not message or message in verdict.message


def test_the_node_is_full_by_number():
    verdict = admit(needing(), [needing()] * 3, TERMS)
    assert verdict.message == "Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3"


def test_a_taint_that_evicts_refuses_whoever_does_not_tolerate_it():
    terms = Terms(
        name="n1", labels={}, allocatable=ALLOCATABLE, taints=[view({"key": "k", "effect": "NoExecute"}, Taint)]
    )
    assert admit(needing(), [], terms).reason == "TaintToleration"
    assert admit(needing(tolerations=[{"operator": "Exists"}]), [], terms) is None
    assert admit(needing(annotations={"kubernetes.io/config.source": "file"}), [], terms) is None


def test_sysctls_can_be_allowed_by_prefix():
    terms = Terms(name="n1", allocatable=ALLOCATABLE, sysctls=(*SAFE_SYSCTLS, "net.core.*"))
    assert admit(sysctls("net.core.somaxconn"), [], terms) is None


def test_requests_are_the_sum_or_the_greediest_init_container():
    side = container(cpu="100m", restartPolicy="Always")
    spec = {"initContainers": [side, container(cpu="700m")], "containers": [container(cpu="300m")] * 2}
    assert requested(needing(**spec)) == {"cpu": 800}
    assert requested(needing(**spec, overhead={"cpu": "50m"})) == {"cpu": 850}


def test_a_refused_pod_has_failed_and_says_nothing_of_its_containers():
    given = pod()
    verdict = admit(given, [], Terms(name="n1", allocatable={}))
    told = status(world(given, verdict=verdict), Host(["192.0.2.2"]), ending=True, waiting={})
    assert told == {
        "phase": "Failed",
        "reason": "OutOfpods",
        "message": "Pod was rejected: Node didn't have enough resource: pods, requested: 1, used: 0, capacity: 0",
        "conditions": [],
        "qosClass": "BestEffort",
        "startTime": "1970-01-12T13:46:40Z",
    }
    assert patch(given, told)["status"]["phase"] == "Failed"

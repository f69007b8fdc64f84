"""The tables of `kubectl get`: columns and cells as kubectl users know them."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery import kinds as k
from apiserver import tables
from apiserver.strategies import strategy_of
from apiserver.tables.ages import human, since
from tests.unit.strategies_samples import SAMPLES, SELECTOR, TEMPLATE

NOW = 1_700_000_000.0
BORN = "2023-11-14T22:10:00Z"  # 200 s before


def shown(kind, tree):
    """The row as a mapping from column to cell."""
    tree = {
        **tree,
        "metadata": {"name": "x", "namespace": "default", "creationTimestamp": BORN, **tree.get("metadata", {})},
    }
    return dict(zip([c["name"] for c in tables.columns(kind)], tables.row(kind, tree, NOW), strict=False))


@pytest.mark.parametrize("kind", k.KINDS, ids=lambda kind: kind.resource)
def test_every_kind_has_as_many_cells_as_columns(kind):
    tree = copy.deepcopy(SAMPLES.get(kind, {}))
    bare = {"metadata": {"name": "x"}}
    hidden = kind is k.IPADDRESSES  # upstream's rows have an age, its columns have not
    assert len(tables.row(kind, bare, NOW)) == len(tables.columns(kind)) + hidden
    full = strategy_of(kind).default({**tree, "metadata": {"name": "x", "creationTimestamp": BORN}})
    assert len(tables.row(kind, full, NOW)) == len(tables.columns(kind)) + hidden


@pytest.mark.parametrize(
    ("kind", "usual", "wide"),
    [
        (
            k.PODS,
            "Name,Ready,Status,Restarts,Age",
            "IP,Node,Nominated Node,Readiness Gates",
        ),
        (
            k.NODES,
            "Name,Status,Roles,Age,Version",
            "Internal-IP,External-IP,OS-Image,Kernel-Version,Container-Runtime",
        ),
        (k.SERVICES, "Name,Type,Cluster-IP,External-IP,Port(s),Age", "Selector"),
        (k.DEPLOYMENTS, "Name,Ready,Up-to-date,Available,Age", "Containers,Images,Selector"),
        (k.NAMESPACES, "Name,Status,Age", ""),
        (k.EVENTS, "Last Seen,Type,Reason,Object,Message", "Subobject,Source,First Seen,Count,Name"),
        (k.CLUSTERROLES, "Name,Created At", ""),
    ],
)
def test_columns(kind, usual, wide):
    columns = tables.columns(kind)
    assert ",".join(c["name"] for c in columns if c["priority"] == 0) == usual
    assert ",".join(c["name"] for c in columns if c["priority"] == 1) == wide
    assert set(columns[0]) == {"name", "type", "format", "description", "priority"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-0.5, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (200, "3m20s"),
        (600, "10m"),
        (10799, "179m"),
        (10800, "3h"),
        (18120, "5h2m"),
        (28800, "8h"),
        (172799, "47h"),
        (172800, "2d"),
        (270000, "3d3h"),
        (691200, "8d"),
        (63072000, "2y"),
        (63072000 + 86400 * 10, "2y10d"),
        (365 * 86400 * 8, "8y"),
    ],
)
def test_ages(seconds, text):
    assert human(seconds) == text


@given(st.floats(0, 1e10))
def test_an_age_is_short(seconds):
    assert 0 < len(human(seconds)) <= 7


def test_no_time_is_unknown():
    assert since(None, NOW) == "<unknown>"


def pod(*states, init=(), phase="Running", specs=None, **more):
    """A pod whose containers are in these states."""
    names = [f"c{i}" for i in range(len(states))]
    init_specs = specs or [{"name": f"i{i}"} for i in range(len(init))]
    status = {
        "phase": phase,
        "containerStatuses": [{"name": n, **s} for n, s in zip(names, states, strict=True)],
        "initContainerStatuses": [{"name": f"i{i}", **s} for i, s in enumerate(init)],
        **more.pop("status", {}),
    }
    return {
        "spec": {"containers": [{"name": n} for n in names], "initContainers": init_specs},
        "status": status,
        **more,
    }


UP = {"ready": True, "state": {"running": {}}}
DONE = {"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
WAITING = {"state": {"waiting": {"reason": "PodInitializing"}}}


def ended(code=1, **more):
    return {"state": {"terminated": {"exitCode": code, **more}}}


@pytest.mark.parametrize(
    ("tree", "ready", "status", "restarts"),
    [
        (pod(UP), "1/1", "Running", "0"),
        (pod(UP, DONE), "1/2", "NotReady", "0"),
        (
            pod(UP, DONE, status={"conditions": [{"type": "Ready", "status": "True"}]}),
            "1/2",
            "Running",
            "0",
        ),
        (pod(DONE, phase="Succeeded"), "0/1", "Completed", "0"),
        (pod(ended(reason="Error"), phase="Failed"), "0/1", "Error", "0"),
        (pod(ended(3)), "0/1", "ExitCode:3", "0"),
        (pod(ended(signal=9)), "0/1", "Signal:9", "0"),
        (
            pod(
                {
                    "restartCount": 3,
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                    "lastState": {"terminated": {"exitCode": 1, "finishedAt": "2023-11-14T22:11:20Z"}},
                }
            ),
            "0/1",
            "CrashLoopBackOff",
            "3 (2m ago)",
        ),
        (pod(WAITING, init=[DONE, {"state": {"running": {}}}], phase="Pending"), "0/1", "Init:1/2", "0"),
        (pod(WAITING, init=[ended(reason="Error")], phase="Pending"), "0/1", "Init:Error", "0"),
        (pod(WAITING, init=[ended(4)], phase="Pending"), "0/1", "Init:ExitCode:4", "0"),
        (
            pod(WAITING, init=[{"state": {"waiting": {"reason": "ImagePullBackOff"}}}], phase="Pending"),
            "0/1",
            "Init:ImagePullBackOff",
            "0",
        ),
        (
            pod(UP, init=[{**UP, "started": True}], specs=[{"name": "i0", "restartPolicy": "Always"}]),
            "2/2",
            "Running",
            "0",
        ),
        (pod(UP, init=[{**DONE, "restartCount": 2}]), "1/1", "Running", "0"),
        (pod(UP, metadata={"deletionTimestamp": BORN}), "1/1", "Terminating", "0"),
        (pod(UP, metadata={"deletionTimestamp": BORN}, status={"reason": "NodeLost"}), "1/1", "Unknown", "0"),
        (pod(phase="Failed", status={"reason": "Evicted"}), "0/0", "Evicted", "0"),
        (
            pod(
                phase="Pending",
                status={"conditions": [{"type": "PodScheduled", "reason": "SchedulingGated", "status": "False"}]},
            ),
            "0/0",
            "SchedulingGated",
            "0",
        ),
    ],
)
def test_what_a_pod_is_doing(tree, ready, status, restarts):
    found = shown(k.PODS, tree)
    assert (found["Ready"], found["Status"], found["Restarts"]) == (ready, status, restarts)
    assert found["Age"] == "3m20s"


def test_pods_wide():
    tree = pod(UP, status={"podIPs": [{"ip": "10.0.0.1"}], "conditions": [{"type": "g", "status": "True"}]})
    tree["spec"] |= {"nodeName": "n1", "readinessGates": [{"conditionType": "g"}, {"conditionType": "h"}]}
    found = shown(k.PODS, tree)
    assert [found[name] for name in ("IP", "Node", "Nominated Node", "Readiness Gates")] == [
        "10.0.0.1",
        "n1",
        "<none>",
        "1/2",
    ]


def test_nodes():
    node = {
        "metadata": {"labels": {"node-role.kubernetes.io/control-plane": "", "node-role.kubernetes.io/a": ""}},
        "spec": {"unschedulable": True},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": "192.0.2.2"}],
            "nodeInfo": {"kubeletVersion": "v1.34.0", "containerRuntimeVersion": "docker://20.10"},
        },
    }
    found = shown(k.NODES, node)
    assert (found["Status"], found["Roles"]) == ("Ready,SchedulingDisabled", "a,control-plane")
    assert (found["Internal-IP"], found["External-IP"], found["OS-Image"]) == ("192.0.2.2", "<none>", "<unknown>")
    assert shown(k.NODES, {})["Status"] == "Unknown"


@pytest.mark.parametrize(
    ("spec", "status", "cells"),
    [
        (
            {"type": "ClusterIP", "clusterIPs": ["10.0.0.1"], "ports": [{"port": 80, "protocol": "TCP"}]},
            {},
            ["ClusterIP", "10.0.0.1", "<none>", "80/TCP"],
        ),
        (
            {
                "type": "NodePort",
                "clusterIPs": ["10.0.0.1"],
                "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}, {"port": 53, "protocol": "UDP"}],
                "externalIPs": ["1.2.3.4"],
            },
            {},
            ["NodePort", "10.0.0.1", "1.2.3.4", "80:30080/TCP,53/UDP"],
        ),
        (
            {"type": "LoadBalancer", "clusterIPs": ["10.0.0.1"], "ports": []},
            {},
            ["LoadBalancer", "10.0.0.1", "<pending>", "<none>"],
        ),
        (
            {"type": "LoadBalancer", "clusterIPs": ["10.0.0.1"], "ports": []},
            {"loadBalancer": {"ingress": [{"hostname": "a-very-long-name.example.com"}]}},
            ["LoadBalancer", "10.0.0.1", "a-very-long-name.example.com", "<none>"],
        ),
        ({"type": "ExternalName", "externalName": "a.b"}, {}, ["ExternalName", "<none>", "a.b", "<none>"]),
    ],
)
def test_services(spec, status, cells):
    found = shown(k.SERVICES, {"spec": spec, "status": status})
    assert [found[name] for name in ("Type", "Cluster-IP", "External-IP", "Port(s)")] == cells


def test_workloads():
    spec = {"replicas": 3, "selector": SELECTOR, "template": TEMPLATE}
    found = shown(k.DEPLOYMENTS, {"spec": spec, "status": {"readyReplicas": 2, "updatedReplicas": 3}})
    assert list(found.values()) == ["x", "2/3", 3, 0, "3m20s", "c", "nginx:1", "app=web"]
    found = shown(k.REPLICASETS, {"spec": spec, "status": {"replicas": 3}})
    assert list(found.values()) == ["x", 3, 3, 0, "3m20s", "c", "nginx:1", "app=web"]
    job = {"spec": {"completions": 2}, "status": {"succeeded": 1, "startTime": BORN}}
    found = shown(k.JOBS, job)
    assert (found["Status"], found["Completions"], found["Duration"]) == ("Running", "1/2", "3m20s")


def test_an_event():
    event = {
        "type": "Warning",
        "reason": "BackOff",
        "message": "back-off\n",
        "involvedObject": {"kind": "Pod", "name": "p", "fieldPath": "spec.containers{c}"},
        "source": {"component": "kubelet", "host": "n1"},
        "firstTimestamp": BORN,
        "lastTimestamp": "2023-11-14T22:13:00Z",
        "count": 4,
    }
    assert list(shown(k.EVENTS, event).values()) == [
        "20s",
        "Warning",
        "BackOff",
        "pod/p",
        "spec.containers{c}",
        "kubelet, n1",
        "back-off",
        "3m20s",
        4,
        "x",
    ]


@pytest.mark.parametrize(
    ("kind", "tree", "column", "cell"),
    [
        (k.ENDPOINTS, SAMPLES[k.ENDPOINTS], "Endpoints", "10.0.0.1:80"),
        (k.CONFIGMAPS, {"data": {"a": "b"}, "binaryData": {"c": "d"}}, "Data", 2),
        (k.STORAGECLASSES, {"metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}, "Name", "x (default)"),
        (k.PERSISTENTVOLUMES, {"spec": {"accessModes": ["ReadWriteMany", "ReadWriteOnce"]}}, "Access Modes", "RWO,RWX"),
        (k.INGRESSES, SAMPLES[k.INGRESSES], "Hosts", "a.example.com"),
        (k.CERTIFICATESIGNINGREQUESTS, {"status": {"conditions": [{"type": "Approved", "status": "True"}], "certificate": "x"}}, "Condition", "Approved,Issued"),
        (k.ROLEBINDINGS, {**SAMPLES[k.ROLEBINDINGS]}, "Role", "Role/r"),
        (k.RESOURCEQUOTAS, {"status": {"hard": {"pods": "2"}, "used": {"pods": "1"}}}, "Request", "pods: 1/2"),
        (k.CRONJOBS, {"spec": {"schedule": "@daily"}}, "Last Schedule", "<none>"),
        (k.HORIZONTALPODAUTOSCALERS, {"spec": {"maxReplicas": 3, "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}}]}}, "Targets", "cpu: <unknown>/80%"),
        (k.CLUSTERROLES, {}, "Created At", BORN),
        (k.ENDPOINTS, {"subsets": [{"ports": [{"port": 1}, {"port": 2}], "addresses": [{"ip": "1.1.1.1"}, {"ip": "1.1.1.2"}]}]}, "Endpoints", "1.1.1.1:1,1.1.1.2:1,1.1.1.1:2 + 1 more..."),
        (k.ENDPOINTS, {"subsets": [{"notReadyAddresses": [{"ip": "1.1.1.1"}]}]}, "Endpoints", ""),
        (k.ENDPOINTSLICES, {"ports": [{"name": "web"}, {}]}, "Ports", "web,*"),
        (k.EVENTS, {"involvedObject": {"kind": "Pod"}, "firstTimestamp": BORN}, "Object", "pod"),
        (k.EVENTS, {"firstTimestamp": BORN}, "Last Seen", "3m20s"),
        (k.PERSISTENTVOLUMECLAIMS, {"metadata": {"annotations": {"volume.beta.kubernetes.io/storage-class": "old"}}}, "StorageClass", "old"),
        (k.CSIDRIVERS, {"spec": {"tokenRequests": [{"audience": ""}]}}, "TokenRequests", ""),
        (k.PRIORITYLEVELCONFIGURATIONS, {"spec": {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0}}}, "NominalConcurrencyShares", "<none>"),
        (k.RESOURCECLAIMS, {"status": {"reservedFor": [{}]}}, "State", "pending"),
        (k.IPADDRESSES, {"spec": {"parentRef": {"resource": "Services", "name": "a"}}}, "ParentRef", "services/a"),
    ],
)  # fmt: skip
def test_single_cells(kind, tree, column, cell):
    assert shown(kind, tree)[column] == cell


def test_a_pod_that_has_ended_says_so_of_its_row():
    conditions = tables.conditions(k.PODS)
    assert not conditions({"status": {"phase": "Running"}})
    assert [(c["type"], c["reason"]) for c in conditions({"status": {"phase": "Failed"}})] == [("Completed", "Failed")]


def test_flow_schemas_stand_in_the_order_in_which_they_match():
    rows = [
        {"metadata": {"name": name}, "spec": {"matchingPrecedence": n}} for name, n in (("b", 2), ("a", 2), ("z", 1))
    ]
    assert [tree["metadata"]["name"] for tree in sorted(rows, key=tables.order(k.FLOWSCHEMAS))] == ["z", "a", "b"]

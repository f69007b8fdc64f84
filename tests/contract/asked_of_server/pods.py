"""A pod's subresources (logs, streams, bindings, evictions), and scales."""

from tests.contract.asked_of_kinds import APPLY, JSON_PATCH, MERGE, PARTIAL, PROTOBUF, STRATEGIC, TABLE, ask
from tests.contract.asked_of_server.things import DEPLOYMENT, DEPLOYMENTS, PLACE, POD, PODS


def pods():
    yield ask("POST", PODS, POD)
    yield ask(
        "POST",
        f"{PODS}?dryRun=All",
        {**POD, "metadata": {"generateName": "x-"}, "spec": {**POD["spec"], "nodeName": "n", "priority": 5}},
    )
    yield ask("POST", f"{PODS}?dryRun=All", {"metadata": {"name": "x"}, "spec": {"containers": []}})
    yield ask(
        "POST",
        f"{PODS}?dryRun=All",
        {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "c"}, {"name": "c", "image": ""}]}},
    )
    yield ask(
        "PUT",
        f"{PODS}/p?dryRun=All",
        {**POD, "spec": {"containers": [{"name": "c", "image": "other"}, {"name": "d", "image": "x"}]}},
    )
    yield ask(
        "PATCH", f"{PODS}/p?dryRun=All", {"spec": {"containers": [{"name": "c", "image": "new"}]}}, type=STRATEGIC
    )
    yield ask("PATCH", f"{PODS}/p?dryRun=All", {"spec": {"nodeName": "x"}}, type=STRATEGIC)
    yield ask("PATCH", f"{PODS}/p?dryRun=All", {"spec": {"activeDeadlineSeconds": -5}}, type=STRATEGIC)
    yield ask(
        "PATCH", f"{PODS}/p?dryRun=All", {"spec": {"tolerations": [{"key": "k", "operator": "Exists"}]}}, type=MERGE
    )
    yield ask(
        "PATCH",
        f"{PODS}/p/ephemeralcontainers",
        {"spec": {"ephemeralContainers": [{"name": "e", "image": "busybox"}]}},
        type=STRATEGIC,
    )
    yield ask(
        "PATCH",
        f"{PODS}/p/ephemeralcontainers",
        {"spec": {"ephemeralContainers": [{"name": "c", "image": "busybox"}]}},
        type=STRATEGIC,
    )
    yield ask("PATCH", f"{PODS}/p/ephemeralcontainers", {"spec": {"ephemeralContainers": []}}, type=MERGE)
    yield ask(
        "PATCH",
        f"{PODS}/p/resize",
        {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]}},
        type=STRATEGIC,
    )
    yield ask("PATCH", f"{PODS}/p/resize", {"spec": {"containers": [{"name": "c", "image": "x"}]}}, type=STRATEGIC)
    for path in (
        "log",
        "exec?command=x",
        "exec",
        "attach",
        "portforward",
        "proxy/",
        "log?container=none",
        "log?tailLines=-1",
        "log?sinceSeconds=0",
        "log?limitBytes=0",
        "log?sinceTime=x",
        "log?follow=x",
        "log?stream=Nonsense",
        "exec?container=none&command=x&stdout=1",
    ):
        yield ask("GET", f"{PODS}/p/{path}")
    for body in (
        {},
        {"target": {}},
        {"target": {"name": "n"}},
        {"target": {"name": "n", "kind": "Pod"}},
        {"metadata": {"name": "other"}, "target": {"name": "n"}},
        {"target": {"name": "n"}, "metadata": {"name": "p", "uid": "x"}},
    ):
        yield ask("POST", f"{PODS}/p/binding?dryRun=All", body)
    yield ask("POST", f"{PLACE}/bindings?dryRun=All", {"metadata": {"name": "p"}, "target": {"name": "n"}})
    yield ask("POST", f"{PODS}/nobody/binding", {"metadata": {"name": "nobody"}, "target": {"name": "n"}})
    yield ask("POST", f"{PODS}/p/binding", {"metadata": {"name": "p"}, "target": {"name": "n", "kind": "Node"}})
    yield ask("POST", f"{PODS}/p/binding", {"metadata": {"name": "p"}, "target": {"name": "n", "kind": "Node"}})
    for path in ("log", "exec?command=x&stdout=1", "attach", "portforward"):
        yield ask("GET", f"{PODS}/p/{path}")
    for body in ({}, {"metadata": {"name": "other"}}, {"metadata": {"name": "p"}, "deleteOptions": {"dryRun": ["All"]}}, {"metadata": {"name": "p"}, "deleteOptions": {"preconditions": {"uid": "x"}}},
                 {"metadata": {"name": "p"}, "apiVersion": "policy/v1beta1", "kind": "Eviction"}, {"metadata": {"name": "p"}, "apiVersion": "policy/v1", "kind": "Eviction", "deleteOptions": {"dryRun": ["x"]}}):  # fmt: skip
        yield ask("POST", f"{PODS}/p/eviction?dryRun=All", body)
    yield ask(
        "POST",
        "/apis/policy/v1/namespaces/s/poddisruptionbudgets",
        {"metadata": {"name": "all"}, "spec": {"minAvailable": 1, "selector": {}}},
    )
    yield ask("POST", f"{PODS}/p/eviction", {"metadata": {"name": "p"}})
    yield ask("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 5})
    yield ask("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 3})
    yield ask("GET", f"{PODS}/p")
    yield ask("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 0, "preconditions": {"uid": "x"}})
    yield ask("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 0})


def scales():
    scale = f"{DEPLOYMENTS}/d/scale"
    for body in ({}, {"spec": {"replicas": 1}}, {"metadata": {"name": "d"}, "spec": {"replicas": 1}}, {"metadata": {"name": "d", "namespace": "s"}, "spec": {"replicas": 1}}, {"metadata": {"name": "d", "namespace": "s", "resourceVersion": "1"}, "spec": {"replicas": 1}},
                 {"metadata": {"name": "d", "namespace": "s"}, "spec": {"replicas": -1}}, {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {"name": "d", "namespace": "s"}, "spec": {"replicas": 3}}, {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "d", "namespace": "s"}},
                 {"metadata": {"name": "d", "namespace": "s", "uid": "x"}, "spec": {"replicas": 1}}, {"metadata": {"name": "d", "namespace": "s"}}):  # fmt: skip
        yield ask("PUT", f"{scale}?dryRun=All", body)
    for patch, type in (({"spec": {"replicas": 4}}, MERGE), ({"spec": {"replicas": 4}}, STRATEGIC), ([{"op": "replace", "path": "/spec/replicas", "value": 5}], JSON_PATCH), ({"spec": {"replicas": "x"}}, MERGE), ({"metadata": {"name": "x"}}, MERGE),
                        ({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "d"}, "spec": {"replicas": 6}}, APPLY)):  # fmt: skip
        yield ask("PATCH", f"{scale}?dryRun=All&fieldManager=m", patch, type=type)
    yield ask("GET", scale)
    yield ask("GET", scale, accept=PROTOBUF)
    yield ask("GET", scale, accept=PARTIAL)
    yield ask("PATCH", f"{DEPLOYMENTS}/d/status", {"status": {"replicas": 2}}, type=MERGE)
    yield ask(
        "PATCH", f"{DEPLOYMENTS}/d/status?dryRun=All", {"status": {"replicas": -2}, "spec": {"replicas": 9}}, type=MERGE
    )
    yield ask("PUT", f"{DEPLOYMENTS}/d/status?dryRun=All", DEPLOYMENT)
    yield ask("GET", f"{DEPLOYMENTS}/d", accept=TABLE)

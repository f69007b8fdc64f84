"""Requests to compare two servers with: what was found of the groups beside core by writes made by chance.

Lists and maps that are sent empty, what is said of a body before its version is looked at, statuses that do not fit
together, values shown as upstream's internal types, and bad input that upstream answers with a 500. Knows no answers.
"""

from tests.contract.asked_of_kinds import APPLY, MERGE, STRATEGIC, ask

PLACE = "groups"
_NETWORKING = f"/apis/networking.k8s.io/v1/namespaces/{PLACE}"
_BATCH = f"/apis/batch/v1/namespaces/{PLACE}"
_APPS = f"/apis/apps/v1/namespaces/{PLACE}"
_MAPS = f"/api/v1/namespaces/{PLACE}/configmaps"


def everything():
    """All of them."""
    yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": PLACE}})
    yield from _empty()
    yield from _decoded_first()
    yield from _jobs()
    yield from _kept()
    yield from _checked()
    yield from _mistaken()


def _empty():
    """What upstream does not store empty, but sees."""
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{PLACE}/endpointslices"
    yield ask("POST", slices, {"metadata": {"name": "e"}, "addressType": "IPv4", "endpoints": [], "ports": []})
    yield ask("GET", f"{slices}/e")
    roles = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{PLACE}/roles"
    for rules in ({}, {"rules": []}, {"rules": None}, {"rules": []}):
        yield ask("PUT", f"{roles}/r", {"metadata": {"name": "r"}, **rules})
    policies = f"{_NETWORKING}/networkpolicies"
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": []}
    yield ask("POST", policies, {"metadata": {"name": "n"}, "spec": spec})
    for change in ({}, {"ingress": [{"from": []}]}, {"ingress": [{}]}, {"policyTypes": []}):
        yield ask("PUT", f"{policies}/n", {"metadata": {"name": "n"}, "spec": {**spec, **change}})
    yield ask("PATCH", f"{policies}/n", {"spec": {"podSelector": {"matchLabels": {}}}}, type=MERGE)
    yield ask("PATCH", f"{policies}/n", {"metadata": {"labels": {}}}, type=MERGE)
    hooks = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
    yield ask("POST", hooks, {"metadata": {"name": PLACE}, "webhooks": []})
    applied = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration"}
    yield ask(
        "PATCH", f"{hooks}/{PLACE}?fieldManager=m", {**applied, "metadata": {"name": PLACE}, "webhooks": []}, APPLY
    )
    yield ask("PATCH", f"{hooks}/{PLACE}", {"webhooks": []}, type=MERGE)
    yield ask("PATCH", f"{hooks}/{PLACE}", {"webhooks": None}, type=MERGE)
    yield ask("DELETE", f"{hooks}/{PLACE}")


def _decoded_first():
    """A body is decoded, and told of, before anything else is looked at."""
    yield ask("POST", _MAPS, {"metadata": {"name": "a"}})
    odd = {"metadata": {"name": "a", "resourceVersion": "1"}, "odd": 1}
    for validation in ("", "&fieldValidation=Strict"):
        yield ask("PUT", f"{_MAPS}/a?dryRun=All{validation}", odd)
        yield ask("PUT", f"{_MAPS}/nobody?dryRun=All{validation}", {**odd, "metadata": {"name": "nobody", "uid": "x"}})
        yield ask("PUT", f"{_MAPS}/other?dryRun=All{validation}", odd)
        yield ask("POST", f"{_MAPS}?dryRun=All{validation}", {"metadata": {"name": "b", "namespace": "x"}, "odd": 1})
        yield ask("PATCH", f"{_MAPS}/a?dryRun=All{validation}", odd, type=MERGE)
    yield ask("PUT", f"{_MAPS}/a?dryRun=All", {"metadata": {"name": "a", "resourceVersion": 5}})


def _jobs():
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
    spec = {"template": template, "completions": 3, "completionMode": "Indexed", "backoffLimitPerIndex": 1}
    yield ask("POST", f"{_BATCH}/jobs", {"metadata": {"name": "j"}, "spec": spec})
    begun = {"startTime": "2024-01-01T00:00:00Z", "active": 2}
    yield ask("PATCH", f"{_BATCH}/jobs/j/status", {"status": begun}, type=MERGE)
    met, done, failed = ({"type": t, "status": "True"} for t in ("SuccessCriteriaMet", "Complete", "Failed"))
    ended = {"completionTime": "2024-01-02T00:00:00Z", "active": 0}
    for status in (
        {"startTime": None}, {"ready": 3}, {"terminating": -1}, {"completedIndexes": "1,7"},
        {"completedIndexes": "0-1-2"}, {"completedIndexes": "b"}, {"completedIndexes": "1,0"},
        {"completedIndexes": "0-1", "failedIndexes": "1"}, {"failedIndexes": "2-1"}, {"conditions": [done]},
        {"conditions": [failed]}, {"conditions": [met, done]}, {**ended, "conditions": [met, failed]}, ended,
        {**ended, "conditions": [done]}, {**ended, "completionTime": "2023-01-01T00:00:00Z", "conditions": [met, done]},
        {"uncountedTerminatedPods": {"succeeded": ["a", ""], "failed": ["a"]}},
        {**ended, "conditions": [met, done], "uncountedTerminatedPods": {"failed": ["a"]}},
    ):  # fmt: skip
        yield ask("PATCH", f"{_BATCH}/jobs/j/status?dryRun=All", {"status": status}, type=MERGE)
    yield ask("PATCH", f"{_BATCH}/jobs/j/status", {"status": {**ended, "conditions": [met, done]}}, type=MERGE)
    for status in (
        {"conditions": []},
        {"conditions": [met]},
        {"completionTime": "2024-01-03T00:00:00Z"},
        {"active": 1},
    ):
        yield ask("PATCH", f"{_BATCH}/jobs/j/status?dryRun=All", {"status": status}, type=MERGE)


def _kept():
    """What stays as it was, shown as upstream's internal types."""
    nodes, attachments = "/apis/storage.k8s.io/v1/csinodes", "/apis/storage.k8s.io/v1/volumeattachments"
    driver = {"name": "d", "nodeID": "n", "topologyKeys": ["a"]}
    yield ask("POST", nodes, {"metadata": {"name": PLACE}, "spec": {"drivers": [driver]}})
    for change in ({"nodeID": "m"}, {"allocatable": {"count": 3}}):
        yield ask("PATCH", f"{nodes}/{PLACE}?dryRun=All", {"spec": {"drivers": [{**driver, **change}]}}, type=MERGE)
    spec = {"attacher": "a", "nodeName": "n", "source": {"persistentVolumeName": "v"}}
    yield ask("POST", attachments, {"metadata": {"name": PLACE}, "spec": spec})
    yield ask("PATCH", f"{attachments}/{PLACE}?dryRun=All", {"spec": {"nodeName": "m"}}, type=MERGE)
    events = f"/apis/events.k8s.io/v1/namespaces/{PLACE}/events"
    event = {"eventTime": "2024-01-01T00:00:00.000000Z", "reportingController": "a.b/c", "reportingInstance": "i",
             "action": "A", "reason": "R", "type": "Normal", "regarding": {"kind": "Pod", "namespace": PLACE, "name": "x"}}  # fmt: skip
    yield ask("POST", events, {"metadata": {"name": "e"}, **event})
    for change in ({"deprecatedSource": {"host": "h"}}, {"related": {"kind": "Node", "name": "n"}}):
        yield ask("PATCH", f"{events}/e?dryRun=All", change, type=MERGE)
    scalers = f"/apis/autoscaling/v1/namespaces/{PLACE}/horizontalpodautoscalers"
    scaled = {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}}
    yield ask("POST", scalers, {"metadata": {"name": "h"}, "spec": scaled})
    yield ask("PATCH", f"{scalers}/h/status", {"status": {"currentCPUUtilizationPercentage": 5}}, type=MERGE)


def _checked():
    """What is looked at, and in which order."""
    classes = "/apis/networking.k8s.io/v1/ingressclasses?dryRun=All"
    for spec in ({"controller": "/abs"}, {"controller": "a.b/"}, {"controller": "a.b/c", "parameters": {"name": "x/y", "kind": "a%", "apiGroup": "a:b"}}):  # fmt: skip
        yield ask("POST", classes, {"metadata": {"name": "c"}, "spec": spec})
    tls = {"tls": [{"secretName": "a b"}], "defaultBackend": {"service": {"name": "s", "port": {"number": 1}}}}
    yield ask("POST", f"{_NETWORKING}/ingresses?dryRun=All", {"metadata": {"name": "i"}, "spec": tls})
    ports = [
        {"port": 65536, "endPort": 65535},
        {"port": "50%", "endPort": 1},
        {"endPort": -1},
        {"port": 1, "endPort": 0},
    ]
    policy = {"podSelector": {}, "ingress": [{"ports": ports}]}
    yield ask("POST", f"{_NETWORKING}/networkpolicies?dryRun=All", {"metadata": {"name": "p"}, "spec": policy})
    template = {"metadata": {"labels": {"a": "b", "a b": "c"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    selector = {"matchLabels": {"a": "b"}}
    workload = {"metadata": {"name": "w"}, "spec": {"selector": selector, "template": template}}
    yield ask("POST", f"{_APPS}/statefulsets?dryRun=All", workload)
    template = {**template, "metadata": {"labels": {"a": "b"}}}
    workload["spec"] = {**workload["spec"], "template": template}
    yield ask("POST", f"{_APPS}/statefulsets", workload)
    yield ask(
        "PATCH", f"{_APPS}/statefulsets/w/status", {"status": {"replicas": 2, "availableReplicas": 1}}, type=MERGE
    )
    yield ask("PATCH", f"{_APPS}/statefulsets/w/status", {"status": {"replicas": 2, "collisionCount": 2}}, type=MERGE)
    yield ask("PATCH", f"{_APPS}/statefulsets/w/status", {"status": {"collisionCount": 1}}, type=MERGE)
    update = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "A_B"}}}
    yield ask("POST", f"{_APPS}/daemonsets?dryRun=All", {**workload, "spec": {**workload["spec"], **update}})
    hook = {"name": "a.b.c", "clientConfig": {"url": "https://x"}, "sideEffects": "None", "admissionReviewVersions": ["."],
            "rules": [{"operations": ["x"]}], "matchConditions": [{"name": "a", "expression": "("}]}  # fmt: skip
    hooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations?dryRun=All"
    yield ask("POST", hooks, {"metadata": {"name": "v"}, "webhooks": [hook, {**hook, "name": "b.c.d"}]})
    claims = f"/apis/resource.k8s.io/v1/namespaces/{PLACE}/resourceclaimtemplates?dryRun=All"
    claim = {"metadata": {"deletionGracePeriodSeconds": 0, "finalizers": ["a/b"]}, "spec": {"devices": {}}}
    yield ask("POST", claims, {"metadata": {"name": "t"}, "spec": claim})


def _mistaken():
    """Bad input that upstream lets out unconverted."""
    for body in ({"kind": "Pod", "apiVersion": "v1"}, {"apiVersion": "a/b/c"}, {"kind": 5}, {"dryRun": [5]}, {"gracePeriodSeconds": 1.5}, {"preconditions": {"uid": 5}}, [], "{"):  # fmt: skip
        yield ask("DELETE", f"{_MAPS}/a?dryRun=All", body)
    for version in ("x", "-1", "1.5", "99999999999999999999999"):
        yield ask("PUT", f"{_MAPS}/a?dryRun=All", {"metadata": {"name": "a", "resourceVersion": version}})
        yield ask("PATCH", f"{_MAPS}/a?dryRun=All", {"metadata": {"resourceVersion": version}}, type=MERGE)
    yield ask(
        "PATCH", f"{_APPS}/statefulsets/w?dryRun=All", {"spec": {"template": {"spec": {"containers": [{}]}}}}, STRATEGIC
    )
    yield ask("POST", f"/api/v1/namespaces/{PLACE}/bindings", {"target": {"kind": "X"}})
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    for options in ({"dryRun": ["x"]}, {"dryRun": ["All"]}, {"dryRun": []}):
        yield ask(
            "POST", f"/api/v1/namespaces/{PLACE}/pods/p/eviction?dryRun=All", {**eviction, "deleteOptions": options}
        )

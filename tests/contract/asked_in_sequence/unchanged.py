"""What of an object may not change once it is there, and how that is told."""

from tests.contract.asked_of_kinds import JSON_PATCH, MERGE, STRATEGIC, ask

PLACE = "/api/v1/namespaces/fixed"


def everything():
    yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": "fixed"}})
    yield from _configuration()
    yield from _workloads()
    yield from _pods()
    yield from _storage()
    yield from _names()


def _configuration():
    yield ask("POST", f"{PLACE}/configmaps", {"metadata": {"name": "i"}, "immutable": True, "data": {"a": "1"}})
    yield ask("POST", f"{PLACE}/secrets", {"metadata": {"name": "i"}, "immutable": True, "stringData": {"a": "1"}})
    for plural, value in (("configmaps", "2"), ("secrets", "Mg==")):
        for patch in ({"data": {"a": value}}, {"immutable": False}, {"immutable": None}, {"metadata": {"labels": {"a": "b"}}}, {"type": "other"}, {"data": None}):  # fmt: skip
            yield ask("PATCH", f"{PLACE}/{plural}/i?dryRun=All", patch, type=MERGE)
    for tree in ({"type": "kubernetes.io/tls"}, {"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": "{"}}, {"type": "kubernetes.io/basic-auth"}, {"type": "kubernetes.io/ssh-auth"}, {"type": "kubernetes.io/service-account-token"}, {"type": "kubernetes.io/service-account-token", "metadata": {"annotations": {"kubernetes.io/service-account.name": "x"}}}, {"type": "bootstrap.kubernetes.io/token"}, {"data": {"a": "!"}}):  # fmt: skip
        metadata = {"name": "x", **tree.get("metadata", {})}
        yield ask("POST", f"{PLACE}/secrets?dryRun=All", {**tree, "metadata": metadata})


def _workloads():
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    selector = {"matchLabels": {"a": "b"}}
    apps, batch = "/apis/apps/v1/namespaces/fixed", "/apis/batch/v1/namespaces/fixed"
    claim = {
        "metadata": {"name": "v"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    yield ask(
        "POST", f"{apps}/deployments", {"metadata": {"name": "x"}, "spec": {"selector": selector, "template": template}}
    )
    yield ask("POST", f"{apps}/statefulsets", {"metadata": {"name": "x"}, "spec": {"selector": selector, "template": template, "serviceName": "s", "volumeClaimTemplates": [claim]}})  # fmt: skip
    yield ask(
        "POST", f"{apps}/daemonsets", {"metadata": {"name": "x"}, "spec": {"selector": selector, "template": template}}
    )
    yield ask(
        "POST", f"{apps}/replicasets", {"metadata": {"name": "x"}, "spec": {"selector": selector, "template": template}}
    )
    never = {"spec": {**template["spec"], "restartPolicy": "Never"}}
    yield ask("POST", f"{batch}/jobs", {"metadata": {"name": "x"}, "spec": {"template": never, "completions": 2}})
    yield ask("POST", f"{batch}/cronjobs", {"metadata": {"name": "x"}, "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": never}}}})  # fmt: skip
    for plural in ("deployments", "statefulsets", "daemonsets", "replicasets"):
        for spec in ({"selector": {"matchLabels": {"a": "c"}}}, {"template": {"metadata": {"labels": {"a": "c"}}}}, {"replicas": -1}, {"minReadySeconds": -1}, {"revisionHistoryLimit": -1}, {"serviceName": "t"}, {"podManagementPolicy": "Parallel"}, {"volumeClaimTemplates": []}, {"updateStrategy": {"type": "x"}}, {"strategy": {"type": "x"}}, {"template": {"spec": {"restartPolicy": "Never"}}}, {"progressDeadlineSeconds": 0}, {"ordinals": {"start": -1}}, {"template": {"spec": {"containers": []}}}):  # fmt: skip
            yield ask("PATCH", f"{apps}/{plural}/x?dryRun=All", {"spec": spec}, type=MERGE)
    for spec in ({"completions": 3}, {"parallelism": 3}, {"parallelism": -1}, {"selector": {"matchLabels": {"x": "y"}}}, {"template": {"spec": {"containers": [{"name": "c", "image": "j"}]}}}, {"completionMode": "Indexed"}, {"backoffLimit": -1}, {"backoffLimit": 2}, {"suspend": True}, {"ttlSecondsAfterFinished": 5}, {"podFailurePolicy": {"rules": []}}, {"manualSelector": True}, {"managedBy": "x.y/z"}):  # fmt: skip
        yield ask("PATCH", f"{batch}/jobs/x?dryRun=All", {"spec": spec}, type=MERGE)
    for spec in ({"schedule": "x"}, {"schedule": ""}, {"schedule": "TZ=UTC * * * * *"}, {"timeZone": "x"}, {"timeZone": "Europe/Berlin"}, {"concurrencyPolicy": "x"}, {"startingDeadlineSeconds": -1}, {"successfulJobsHistoryLimit": -1}, {"jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Always"}}}}}):  # fmt: skip
        yield ask("PATCH", f"{batch}/cronjobs/x?dryRun=All", {"spec": spec}, type=MERGE)


def _pods():
    spec = {
        "containers": [{"name": "c", "image": "i"}],
        "tolerations": [{"key": "k", "operator": "Exists"}],
        "activeDeadlineSeconds": 100,
    }
    yield ask("POST", f"{PLACE}/pods", {"metadata": {"name": "p"}, "spec": spec})
    yield ask(
        "POST",
        f"{PLACE}/pods",
        {"metadata": {"name": "gated"}, "spec": {**spec, "schedulingGates": [{"name": "a.b/c"}]}},
    )
    for patch in ({"activeDeadlineSeconds": 50}, {"activeDeadlineSeconds": 200}, {"activeDeadlineSeconds": None}, {"tolerations": [{"key": "j", "operator": "Exists"}]}, {"containers": [{"name": "c", "image": ""}]}, {"containers": [{"name": "c", "image": " x"}]}, {"containers": [{"name": "d", "image": "x"}]}, {"initContainers": [{"name": "n", "image": "x"}]}, {"ephemeralContainers": [{"name": "n", "image": "x"}]}, {"schedulingGates": [{"name": "x.y/z"}]}):  # fmt: skip
        yield ask("PATCH", f"{PLACE}/pods/p?dryRun=All", {"spec": patch}, type=STRATEGIC)
    for patch in ({"nodeSelector": {"a": "b"}}, {"schedulingGates": []}, {"schedulingGates": [{"name": "new.b/c"}]}):
        yield ask("PATCH", f"{PLACE}/pods/gated?dryRun=All", {"spec": patch}, type=MERGE)
    yield ask(
        "POST", f"{PLACE}/pods/gated/binding?dryRun=All", {"metadata": {"name": "gated"}, "target": {"name": "n"}}
    )
    for status in ({"phase": "x"}, {"conditions": [{"type": "Ready", "status": "x"}]}, {"podIP": "x"}, {"podIPs": [{"ip": "1.2.3.4"}, {"ip": "5.6.7.8"}]}, {"qosClass": "Guaranteed"}, {"containerStatuses": [{"name": "c", "state": {}}]}, {"nominatedNodeName": "Bad_"}, {"phase": "Running", "startTime": "x"}):  # fmt: skip
        yield ask("PATCH", f"{PLACE}/pods/p/status?dryRun=All", {"status": status}, type=STRATEGIC)
    for patch in ([{"op": "replace", "path": "/spec/containers/0/image", "value": "j"}], [{"op": "add", "path": "/spec/containers/-", "value": {"name": "d", "image": "x"}}], [{"op": "remove", "path": "/spec/tolerations"}], [{"op": "remove", "path": "/spec"}]):  # fmt: skip
        yield ask("PATCH", f"{PLACE}/pods/p?dryRun=All", patch, type=JSON_PATCH)


def _storage():
    claims = f"{PLACE}/persistentvolumeclaims"
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}, "storageClassName": "x"}
    yield ask("POST", claims, {"metadata": {"name": "v"}, "spec": spec})
    for patch in ({"resources": {"requests": {"storage": "1Gi"}}}, {"resources": {"requests": {"storage": "3Gi"}}}, {"accessModes": ["ReadOnlyMany"]}, {"storageClassName": "y"}, {"volumeName": "vol"}, {"volumeMode": "Block"}, {"selector": {"matchLabels": {"a": "b"}}}, {"volumeAttributesClassName": "x"}):  # fmt: skip
        yield ask("PATCH", f"{claims}/v?dryRun=All", {"spec": patch}, type=MERGE)
    volumes = "/api/v1/persistentvolumes"
    volume = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}
    yield ask("POST", volumes, {"metadata": {"name": "fixed"}, "spec": volume})
    for patch in ({"hostPath": {"path": "/y"}}, {"capacity": {"storage": "2Gi"}}, {"volumeMode": "Block"}, {"nfs": {"server": "s", "path": "/"}}, {"persistentVolumeReclaimPolicy": "x"}, {"nodeAffinity": {"required": {"nodeSelectorTerms": []}}}):  # fmt: skip
        yield ask("PATCH", f"{volumes}/fixed?dryRun=All", {"spec": patch}, type=MERGE)
    classes = "/apis/storage.k8s.io/v1/storageclasses"
    yield ask(
        "POST", classes, {"metadata": {"name": "fixed"}, "provisioner": "p.example.com", "parameters": {"a": "b"}}
    )
    for patch in ({"provisioner": "q.example.com"}, {"parameters": {"a": "c"}}, {"reclaimPolicy": "Retain"}, {"volumeBindingMode": "WaitForFirstConsumer"}, {"allowVolumeExpansion": True}):  # fmt: skip
        yield ask("PATCH", f"{classes}/fixed?dryRun=All", patch, type=MERGE)


def _names():
    for plural, version in (("pods", "api/v1"), ("services", "api/v1"), ("configmaps", "api/v1"), ("deployments", "apis/apps/v1"), ("statefulsets", "apis/apps/v1"), ("cronjobs", "apis/batch/v1"), ("roles", "apis/rbac.authorization.k8s.io/v1"), ("ingresses", "apis/networking.k8s.io/v1")):  # fmt: skip
        for name in ("Bad", "a_b", "-a", "a" * 64, "a" * 260, "1a", "a.b", "a:b", "a/b", ".", ".."):
            yield ask("POST", f"/{version}/namespaces/fixed/{plural}?dryRun=All", {"metadata": {"name": name}})
    yield ask("GET", f"{PLACE}/configmaps/Bad")
    yield ask("GET", f"{PLACE}/configmaps/a%2Fb")
    yield ask("DELETE", f"{PLACE}/configmaps/Bad_")

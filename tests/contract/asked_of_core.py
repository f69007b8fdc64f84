"""Requests to compare two servers with: objects of the core group and budgets, with much that is wrong or odd in each.

Found by chance (objects changed at random, sent to both servers); these are the telling ones. All but the first of an
object are dry runs, so that each finds what was made first.
"""

from tests.contract.asked_of_kinds import MERGE, ask

_PLACE = "/api/v1/namespaces/core"
_PODS, _SERVICES = f"{_PLACE}/pods", f"{_PLACE}/services"
_CONTAINER = {"name": "c", "image": "busybox"}
_BOTH = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def everything():
    """All of them, in an order in which each finds what it needs."""
    yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": "core"}})
    yield from _pods_made()
    yield from _pods_changed()
    yield from _services()
    yield from _nodes()
    yield from _volumes()
    yield from _claims()
    yield from _small_ones()


def _pod(*containers, status=None, metadata=None, **spec):
    tree = {"metadata": metadata or {"name": "x"}, "spec": {"containers": list(containers) or [_CONTAINER], **spec}}
    return tree if status is None else {**tree, "status": status}


def _made(*containers, **spec):
    return ask("POST", f"{_PODS}?dryRun=All", _pod(*containers, **spec))


def _pods_made():
    limited, gpu = {"limits": {"cpu": "2"}}, {"requests": {"example.com/gpu": "1500m", "hugepages-2Mi": "3Mi"}}
    yield _made({**_CONTAINER, "resources": {"requests": {"cpu": "1"}}}, resources={"limits": {"memory": "1Gi"}})
    yield _made({**_CONTAINER, "resources": limited}, resources={"limits": {"cpu": "1", "hugepages-2Mi": "2Mi"}})
    yield _made(resources={"claims": [{"name": "r"}], "requests": {"pods": "1", "storage": "-1", "hugepages-x": "1"}})
    yield _made(resources={"limits": {"cpu": "1"}}, os={"name": "windows"})
    yield _made({**_CONTAINER, "resources": {**gpu, "claims": [{"name": "r", "request": "A"}, {"name": "r"}, {}]}})
    yield _made({**_CONTAINER, "resources": {"claims": [{"name": "z"}, {"name": "z"}]}}, resourceClaims=[{"name": "r"}])
    yield _made({**_CONTAINER, "image": " Bad"}, {"name": "c", "image": "a:latest@sha256:" + "0" * 64}, {"name": "d"})
    yield _made({**_CONTAINER, "ports": [{"name": "a_b", "containerPort": 0, "hostIP": "1.2.3.4"}]}, hostNetwork=True)
    yield _made(
        {
            **_CONTAINER,
            "ports": [{"containerPort": 5, "hostPort": 6}, {"containerPort": 5}, {"containerPort": 5}],
            "env": [{"name": "A", "value": "x"}, {"name": "A", "value": "$(A)y"}, {"name": "A", "value": "z"}],
            "resources": {"requests": {"memory": "0.0001", "ephemeral-storage": "100m"}},
        },
        volumes=[{"name": "v", "configMap": {"name": "m", "items": [{"key": "k", "path": "a/b"}, {"key": "l", "path": "a"}]}}],
        hostAliases=[{"ip": "::1"}, {"ip": "::1"}, {"ip": "0:0::2"}],
        imagePullSecrets=[{}, {"name": "s"}, {"name": "s"}],
    )  # fmt: skip
    profiles = {"windowsOptions": {"hostProcess": True}, "allowPrivilegeEscalation": False, "privileged": True}
    yield _made({**_CONTAINER, "securityContext": profiles}, {"name": "d", "image": "x"}, os={"name": "linux"})
    yield _made(os={"name": "windows"}, hostPID=True, securityContext={"fsGroup": 1, "runAsUser": -1}, hostUsers=False)
    sysctls = [{"name": name, "value": "1"} for name in ("net.x", "kernel.shm", "net.x", "Bad Name", "")]
    yield _made(securityContext={"sysctls": sysctls}, hostNetwork=True, hostIPC=True, hostUsers=False)
    policies = [{"resourceName": "cpu", "restartPolicy": ""}, {"resourceName": "cpu", "restartPolicy": "NotRequired"}]
    yield _made({**_CONTAINER, "resizePolicy": policies, "restartPolicy": "Always"}, restartPolicy="Never")
    lifecycle = {"postStart": {"exec": {}, "sleep": {"seconds": 9000}}, "stopSignal": "SIGTERM"}
    yield _made({**_CONTAINER, "lifecycle": lifecycle, "startupProbe": {}}, terminationGracePeriodSeconds=-5)
    divisor = {"resource": "limits.cpu", "divisor": "2"}
    both = {"resourceFieldRef": divisor, "configMapKeyRef": {"name": "B", "key": "k"}}
    yield _made({**_CONTAINER, "env": [{"name": "A", "valueFrom": both}]}, dnsConfig={"searches": ["a_b", "-"]})
    template = {"metadata": {"name": "n", "finalizers": ["x"]}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    yield _made(volumes=[{"name": "v", "rbd": {}, "nfs": {}, "hostPath": {"path": "/x"}}, {"name": "w", "ephemeral": {"volumeClaimTemplate": template}}])  # fmt: skip
    sources = [{"secret": {"items": [{"path": "a"}]}, "configMap": {"name": "m", "items": [{"key": "k", "path": "a"}]}}]
    yield _made(volumes=[{"name": "v", "projected": {"sources": sources, "defaultMode": 4096}}])
    spread = [{"maxSkew": 0, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}] * 2
    yield _made(topologySpreadConstraints=spread, schedulingGates=[{"name": "a"}, {"name": "a"}], nodeName="n")
    devices = [
        {"name": "v", "devicePath": "/a/.."},
        {"name": "v", "devicePath": ""},
        {"name": "no", "devicePath": "/b"},
    ]
    yield _made({**_CONTAINER, "volumeDevices": devices}, hostUsers=False, volumes=[{"name": "v", "emptyDir": {}}])
    annotations = {
        "kubernetes.io/config.mirror": "x",
        "controller.kubernetes.io/pod-deletion-cost": "+5",
        "seccomp.security.alpha.kubernetes.io/pod": "odd",
        "container.apparmor.security.beta.kubernetes.io/none": "odd",
    }
    yield _made(metadata={"name": "x.y", "annotations": annotations}, resourceClaims=[{"name": "r"}])
    yield _made(metadata={"name": "x.y"}, status={"qosClass": "Guaranteed", "phase": "Running"})


def _pods_changed():
    gates = [{"name": "g"}]
    term = {"matchExpressions": [{"key": "a", "operator": "Exists"}]}
    affinity = {"nodeAffinity": {_REQUIRED: {"nodeSelectorTerms": [term]}}}
    yield ask("POST", _PODS, _pod(metadata={"name": "gated"}, schedulingGates=gates, affinity=affinity, nodeSelector={"a": "b"}))  # fmt: skip
    gated = f"{_PODS}/gated?dryRun=All"
    for spec in (
        {"nodeSelector": {"a": "b", "c": "d"}},
        {"nodeSelector": {"a": "c"}},
        {"affinity": {"nodeAffinity": {_REQUIRED: {"nodeSelectorTerms": [term, term]}}}},
        {
            "affinity": {
                "nodeAffinity": {
                    _REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [{"key": "b", "operator": "Exists"}]}]}
                }
            }
        },
        {"affinity": {"podAffinity": {_REQUIRED: [{"topologyKey": "z", "labelSelector": {}}]}}},
        {"schedulingGates": [{"name": "other"}], "activeDeadlineSeconds": 5},
        {"tolerations": [{"key": "k", "operator": "Exists", "tolerationSeconds": 5}]},
    ):
        yield ask("PATCH", gated, {"spec": spec}, type=MERGE)
    yield ask("POST", _PODS, _pod({**_CONTAINER, "resources": _BOTH}, metadata={"name": "sized"}, restartPolicy="OnFailure"))  # fmt: skip
    resized = f"{_PODS}/sized/resize?dryRun=All"
    for resources in (
        {"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "1Gi"}},
        {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "1Gi"}},
        {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}},
        {**_BOTH, "requests": {**_BOTH["requests"], "ephemeral-storage": "1"}},
    ):
        changed = [{**_CONTAINER, "image": "kept", "resources": resources}]
        yield ask("PATCH", resized, {"spec": {"containers": changed}}, type=MERGE)
    yield ask("PATCH", resized, {"spec": {"containers": [{"name": "d", "image": "x"}]}}, type=MERGE)
    ended = {"name": "c", "image": "x", "imageID": "", "state": {"terminated": {"exitCode": 0}}}
    yield ask("PATCH", f"{_PODS}/sized/status", {"status": {"podIP": "10.1.0.1", "containerStatuses": [ended]}}, type=MERGE)  # fmt: skip
    for status in (
        {"containerStatuses": [{**ended, "state": {}, "user": {"linux": {"uid": -1, "gid": 0}}}]},
        {"podIPs": [{"ip": "x"}, {"ip": "10.1.0.2"}], "hostIPs": [{"ip": "1.1.1.1"}]},
        {"qosClass": "BestEffort", "nominatedNodeName": "A", "observedGeneration": -1},
        {"conditions": [{"type": "a b", "status": "x"}], "resourceClaimStatuses": [{"name": "r"}, {"name": "r"}]},
    ):
        yield ask("PATCH", f"{_PODS}/sized/status?dryRun=All", {"status": status}, type=MERGE)
    yield ask("PATCH", f"{_PODS}/sized?dryRun=All", {"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}}, type=MERGE)  # fmt: skip


def _services():
    port = {"port": 80}
    made = f"{_SERVICES}?dryRun=All"
    for spec in (
        {"ports": [port], "clusterIPs": ["10.96.0.9"]},
        {"ports": [port], "clusterIP": "10.96.0.9", "clusterIPs": ["fd00::1", "None", "x"]},
        {"ports": [port], "clusterIP": "None", "clusterIPs": ["None", "x"], "ipFamilyPolicy": "x"},
        {"ports": [port], "ipFamilies": ["IPv6", "IPv6"], "type": "Odd"},
        {"ports": [port], "ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6"]},
        {"type": "ExternalName", "externalName": "", "ipFamilies": ["IPv4"], "clusterIP": "None", "ports": [port]},
        {"ports": [{"port": 0}, {"port": 0, "name": "A", "protocol": "x", "targetPort": "1"}], "trafficDistribution": "x",
         "loadBalancerClass": "x", "loadBalancerSourceRanges": ["x"], "allocateLoadBalancerNodePorts": True},
        {"type": "LoadBalancer", "clusterIP": "None", "healthCheckNodePort": 5, "externalTrafficPolicy": "x",
         "sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 0}}},
    ):  # fmt: skip
        yield ask("POST", made, {"metadata": {"name": "x"}, "spec": spec})
    yield ask("POST", _SERVICES, {"metadata": {"name": "s"}, "spec": {"type": "LoadBalancer", "loadBalancerClass": "a/b", "ports": [port], "externalTrafficPolicy": "Local", "selector": {"a": "b"}}})  # fmt: skip
    one = f"{_SERVICES}/s?dryRun=All"
    for spec in (
        {"type": "ClusterIP"},
        {"type": "ExternalName", "externalName": "x.y."},
        {"loadBalancerClass": None},
        {"loadBalancerClass": "Odd Name", "type": "NodePort"},
        {"clusterIP": "10.96.3.3"},
        {"clusterIP": "", "clusterIPs": []},
        {"ipFamilies": ["IPv6"]},
        {"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "PreferDualStack"},
        {"externalIPs": ["127.0.0.1", "x"], "internalTrafficPolicy": "x"},
        {"ports": [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}, {"port": 81}]},
    ):
        yield ask("PATCH", one, {"spec": spec}, type=MERGE)
    for ingress in ([{"ip": "x", "ipMode": "x"}, {"hostname": "10.0.0.1", "ipMode": "VIP"}], [{"ip": "10.0.0.1"}]):
        status = {"status": {"loadBalancer": {"ingress": ingress}}}
        yield ask("PATCH", f"{_SERVICES}/s/status?dryRun=All", status, type=MERGE)


def _nodes():
    taint = {"key": "a b", "value": "x y" + "z" * 64, "effect": "NoSchedule"}
    spec = {"taints": [taint, taint], "podCIDR": "10.0.0.0/24", "podCIDRs": ["x", "10.0.0.0/24"], "externalID": "x"}
    spec["configSource"] = {"configMap": {"name": "x"}}
    status = {"capacity": {"example.com/x": "-0.0001"}, "nodeInfo": {"swap": {"capacity": 0}}}
    yield ask("POST", "/api/v1/nodes?dryRun=All", {"metadata": {"name": "x"}, "spec": spec, "status": status})
    yield ask("POST", "/api/v1/nodes?dryRun=All", {"metadata": {"name": "x"}, "spec": {"podCIDRs": ["x", "y"]}})
    yield ask("POST", "/api/v1/nodes", {"metadata": {"name": "core"}, "spec": {"podCIDR": "10.0.0.0/24"}})
    changed = {"spec": {"podCIDRs": ["10.0.1.0/24", "10.0.2.0/24"], "podCIDR": "10.0.1.0/24", "externalID": "x"}}
    yield ask("PATCH", "/api/v1/nodes/core?dryRun=All", changed, type=MERGE)
    yield ask("DELETE", "/api/v1/nodes/core")


def _volumes():
    base = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}
    for source in (
        {"storageos": {"secretRef": {}}, "csi": {"driver": "A", "controllerExpandSecretRef": {"name": "A"}}},
        {"iscsi": {"targetPortal": "x" * 64, "iqn": "x", "initiatorName": "iqn.x", "chapAuthSession": True}},
        {"glusterfs": {"endpointsNamespace": ""}, "flexVolume": {"options": {"a.k8s.io/b": "c"}}},
        {"cinder": {"secretRef": {"name": "x"}}, "capacity": {"storage": "-1", "cpu": "1"}},
        {"local": {"path": "/a/.."}, "nodeAffinity": {}},
        {"azureFile": {"secretNamespace": ""}, "volumeMode": "x", "volumeAttributesClassName": ""},
    ):
        yield ask(
            "POST", "/api/v1/persistentvolumes?dryRun=All", {"metadata": {"name": "x"}, "spec": {**base, **source}}
        )
    term = {"matchExpressions": [{"key": "failure-domain.beta.kubernetes.io/zone", "operator": "Exists"}]}
    affinity = {"required": {"nodeSelectorTerms": [term]}}
    spec = {**base, "local": {"path": "/x"}, "nodeAffinity": affinity}
    yield ask("POST", "/api/v1/persistentvolumes", {"metadata": {"name": "core"}, "spec": spec})
    for key in ("topology.kubernetes.io/zone", "other"):
        moved = {"required": {"nodeSelectorTerms": [{"matchExpressions": [{"key": key, "operator": "Exists"}]}]}}
        changed = {"spec": {"nodeAffinity": moved}}
        yield ask("PATCH", "/api/v1/persistentvolumes/core?dryRun=All", changed, type=MERGE)


def _claims():
    where = f"{_PLACE}/persistentvolumeclaims"
    storage = {"requests": {"storage": "1Gi"}}
    reference = {"kind": "Pod", "name": "x", "apiGroup": "example.com"}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": storage, "dataSourceRef": reference}
    yield ask("POST", where, {"metadata": {"name": "c"}, "spec": spec})
    for changed in (
        {"dataSource": {**reference, "name": "y"}, "resources": {"requests": {"storage": "100m"}}},
        {"dataSourceRef": {**reference, "namespace": "A b"}, "accessModes": ["ReadOnlyMany"]},
        {"volumeName": "v", "volumeMode": "Block", "storageClassName": "fast"},
    ):
        yield ask("PATCH", f"{where}/c?dryRun=All", {"spec": changed}, type=MERGE)
    status = {"allocatedResourceStatuses": {"a": "x", "a b": "NodeResizePending"}, "capacity": {"storage": "-1"}}
    yield ask("PATCH", f"{where}/c/status?dryRun=All", {"status": status}, type=MERGE)


def _small_ones():
    for plural, tree in (
        ("limitranges", {"spec": {"limits": []}}),
        ("limitranges", {"spec": {"limits": [{"type": "Pod", "default": {"x": "1"}, "min": {"cpu": "2"}, "max": {"cpu": "1"}}, {"type": "PersistentVolumeClaim", "maxLimitRequestRatio": {"a b": "0.5"}}]}}),
        ("resourcequotas", {"spec": {"hard": {"storage": "1", "a b": "-1", "pods": "0.5"}, "scopes": ["Odd", "BestEffort", "NotBestEffort"]}}),
        ("resourcequotas", {"spec": {"hard": {"cpu": "1"}, "scopeSelector": {"matchExpressions": [{"scopeName": "VolumeAttributesClass", "operator": "x"}]}}}),
        ("endpoints", {"subsets": [{"addresses": [{"ip": "x", "hostname": "a.b", "nodeName": "A"}, {"ip": "127.0.0.1"}], "ports": [{"port": 0}, {"port": 1}]}]}),
        ("serviceaccounts", {"secrets": [{"name": "s", "namespace": "n", "uid": "u", "fieldPath": "f"}, {}]}),
        ("secrets", {"type": "kubernetes.io/ssh-auth", "data": {"ssh-privatekey": "", "a b": "eA=="}}),
        ("podtemplates", {"template": {"spec": {"containers": [{**_CONTAINER, "image": " x", "ports": [{"containerPort": 5}]}], "hostNetwork": True, "terminationGracePeriodSeconds": -1}}}),
        ("replicationcontrollers", {"spec": {"template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{**_CONTAINER, "lifecycle": {"stopSignal": "SIGHUP"}, "restartPolicyRules": []}], "initContainers": [{"name": "i", "image": "x", "restartPolicy": "Never"}]}}}}),
    ):  # fmt: skip
        yield ask("POST", f"{_PLACE}/{plural}?dryRun=All", {"metadata": {"name": "x"}, **tree})
    for data in ({"data": {"a": "b"}}, {"binaryData": {"a b": "eA=="}}, {"immutable": False}):
        if "data" in data:
            yield ask("POST", f"{_PLACE}/configmaps", {"metadata": {"name": "still"}, "immutable": True, **data})
        yield ask("PATCH", f"{_PLACE}/configmaps/still?dryRun=All", data, type=MERGE)
    budgets = "/apis/policy/v1/namespaces/core/poddisruptionbudgets"
    wrong = {"minAvailable": "200%", "maxUnavailable": -1, "selector": {"matchLabels": {"a b": "c"}}}
    yield ask("POST", f"{budgets}?dryRun=All", {"metadata": {}, "spec": wrong})
    yield ask("POST", budgets, {"metadata": {"name": "b"}, "spec": {"minAvailable": 1}})
    status = {"currentHealthy": -1, "conditions": [{"type": "a b", "status": "x", "reason": "-"}] * 2}
    yield ask("PATCH", f"{budgets}/b/status?dryRun=All", {"status": status}, type=MERGE)

"""What admission refuses or warns of: quotas, limits and their defaults, pod security, priority, allocation."""

from tests.contract.asked_of_kinds import MERGE, ask

HELD, LIMITED = "/api/v1/namespaces/held", "/api/v1/namespaces/limited"


def everything():
    for name in ("held", "limited"):
        yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    yield from _quotas()
    yield from _limits()
    yield from _security()
    yield from _priorities()
    yield from _services()


def pod(name, *containers, **spec):
    found = list(containers) or [container()]
    return {"metadata": {"name": name}, "spec": {"containers": found, **spec}}


def container(name="c", **more):
    return {"name": name, "image": "busybox", **more}


def resources(requests=None, limits=None):
    return {"resources": {key: value for key, value in (("requests", requests), ("limits", limits)) if value}}


def _quotas():
    hard = {"pods": "2", "requests.cpu": "1", "limits.memory": "1Gi", "configmaps": "2", "count/deployments.apps": "1"}
    quotas = f"{HELD}/resourcequotas"
    yield ask("POST", quotas, {"metadata": {"name": "all"}, "spec": {"hard": hard}})
    yield ask("POST", f"{HELD}/configmaps", {"metadata": {"name": "early"}})
    yield ask("PUT", f"{quotas}/all/status", {"metadata": {"name": "all"}, "status": {"hard": hard, "used": dict.fromkeys(hard, "0")}})  # fmt: skip
    yield ask("UNTIL", f"{quotas}/all")
    enough = resources({"cpu": "400m"}, {"cpu": "400m", "memory": "100Mi"})
    yield ask("POST", f"{HELD}/pods", pod("without"))
    yield ask("POST", f"{HELD}/pods", pod("half", container(**resources({"cpu": "100m"}))))
    yield ask("POST", f"{HELD}/pods", pod("big", container(**resources({"cpu": "2"}, {"cpu": "2", "memory": "2Gi"}))))
    yield ask("POST", f"{HELD}/pods?dryRun=All", pod("dry", container(**enough)))
    for name in ("one", "two", "three"):
        yield ask("POST", f"{HELD}/pods", pod(name, container(**enough)))
    yield ask("GET", f"{quotas}/all")
    for name in ("a", "b", "c"):
        yield ask("POST", f"{HELD}/configmaps", {"metadata": {"name": name}})
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container()]}}
    for name in ("a", "b"):
        yield ask("POST", "/apis/apps/v1/namespaces/held/deployments", {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}})  # fmt: skip
    yield ask("DELETE", f"{HELD}/pods/one", {"gracePeriodSeconds": 0})
    yield ask("GET", f"{quotas}/all")
    for spec in ({"hard": {"nonsense": "1"}}, {"hard": {"pods": "-1"}}, {"hard": {"pods": "x"}}, {"hard": {"pods": "1.5"}}, {"hard": {"pods": "1"}, "scopes": ["Nonsense"]}, {"hard": {"configmaps": "1"}, "scopes": ["BestEffort"]}, {"hard": {"pods": "1"}, "scopes": ["BestEffort", "NotBestEffort"]}, {"hard": {"pods": "1"}, "scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In"}]}},
                 {"hard": {"pods": "1"}, "scopeSelector": {"matchExpressions": [{"scopeName": "x", "operator": "y", "values": ["z"]}]}}, {"hard": {"requests.example.com/gpu": "1", "example.com/x": "1"}}, {"hard": {"count/x": "1"}}):  # fmt: skip
        yield ask("POST", f"{quotas}?dryRun=All", {"metadata": {"name": "x"}, "spec": spec})
    yield ask("PATCH", f"{quotas}/all", {"spec": {"scopes": ["BestEffort"]}}, type=MERGE)


def _limits():
    limits = [
        {"type": "Container", "default": {"cpu": "200m", "memory": "64Mi"}, "defaultRequest": {"cpu": "100m"}, "min": {"cpu": "50m", "memory": "10Mi"}, "max": {"cpu": "1", "memory": "1Gi"}, "maxLimitRequestRatio": {"cpu": "4"}},
        {"type": "Pod", "max": {"cpu": "1500m"}},
        {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "2Gi"}},
    ]  # fmt: skip
    yield ask("POST", f"{LIMITED}/limitranges", {"metadata": {"name": "all"}, "spec": {"limits": limits}})
    yield ask("UNTIL", f"{LIMITED}/limitranges/all")
    yield ask("POST", f"{LIMITED}/pods", pod("defaults"))
    for each in (resources({"cpu": "10m"}), resources({"cpu": "2"}), resources({"cpu": "100m"}, {"cpu": "800m"}), resources({"memory": "1Mi"}), resources(None, {"cpu": "2", "memory": "2Gi"}), resources({"cpu": "300m"}), resources({"cpu": "0"}), resources({"nonsense": "1"}), resources({"cpu": "x"})):  # fmt: skip
        yield ask("POST", f"{LIMITED}/pods?dryRun=All", pod("x", container(**each)))
    yield ask("POST", f"{LIMITED}/pods?dryRun=All", pod("x", container("a", **resources({"cpu": "900m"}, {"cpu": "900m"})), container("b", **resources({"cpu": "900m"}, {"cpu": "900m"}))))  # fmt: skip
    yield ask(
        "POST", f"{LIMITED}/pods?dryRun=All", pod("x", initContainers=[container("i", **resources(None, {"cpu": "2"}))])
    )
    for size in ("500Mi", "1Gi", "3Gi", "x"):
        claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
        yield ask("POST", f"{LIMITED}/persistentvolumeclaims?dryRun=All", {"metadata": {"name": "x"}, "spec": claim})
    for bad in ({"type": ""}, {"type": "Nonsense"}, {"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "1"}}, {"type": "Container", "default": {"cpu": "2"}, "max": {"cpu": "1"}}, {"type": "Container", "defaultRequest": {"cpu": "2"}, "default": {"cpu": "1"}}, {"type": "Pod", "default": {"cpu": "1"}}, {"type": "Container", "maxLimitRequestRatio": {"cpu": "0.5"}}, {"type": "PersistentVolumeClaim"}):  # fmt: skip
        yield ask("POST", f"{LIMITED}/limitranges?dryRun=All", {"metadata": {"name": "x"}, "spec": {"limits": [bad]}})


def _security():
    label = "pod-security.kubernetes.io"
    for level in ("privileged", "baseline", "restricted"):
        labels = {f"{label}/enforce": level, f"{label}/warn": "restricted", f"{label}/audit": "baseline"}
        yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": f"ps-{level}", "labels": labels}})
        pods = f"/api/v1/namespaces/ps-{level}/pods?dryRun=All"
        safe = {
            "allowPrivilegeEscalation": False,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        for each in (pod("x"), pod("x", container(securityContext=safe)), pod("x", container(securityContext={"privileged": True})), pod("x", hostNetwork=True, hostPID=True), pod("x", container(ports=[{"containerPort": 80, "hostPort": 80}])), pod("x", volumes=[{"name": "v", "hostPath": {"path": "/"}}]), pod("x", container(securityContext={"capabilities": {"add": ["NET_ADMIN", "CHOWN"]}})),
                     pod("x", container(securityContext={**safe, "runAsUser": 0})), pod("x", container(securityContext={"procMount": "Unmasked"})), pod("x", container(securityContext={"seLinuxOptions": {"type": "x", "user": "y"}})), pod("x", securityContext={"sysctls": [{"name": "kernel.x", "value": "1"}]}), pod("x", container("a", securityContext=safe), container("b")), pod("x", initContainers=[container("i", securityContext={"privileged": True})]),
                     {**pod("x"), "metadata": {"name": "x", "annotations": {"container.apparmor.security.beta.kubernetes.io/c": "unconfined"}}}, pod("x", securityContext={"seccompProfile": {"type": "Unconfined"}}), pod("x", container(livenessProbe={"httpGet": {"port": 80, "host": "other"}}))):  # fmt: skip
            yield ask("POST", pods, each)
        template = {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [container(securityContext={"privileged": True})]},
        }
        yield ask("POST", f"/apis/apps/v1/namespaces/ps-{level}/deployments?dryRun=All", {"metadata": {"name": "x"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}})  # fmt: skip
        yield ask("POST", f"/apis/batch/v1/namespaces/ps-{level}/jobs?dryRun=All", {"metadata": {"name": "x"}, "spec": {"template": {"spec": {**template["spec"], "restartPolicy": "Never"}}}})  # fmt: skip
    yield ask(
        "POST", "/api/v1/namespaces/ps-privileged/pods", pod("bad", container(securityContext={"privileged": True}))
    )
    yield ask("PATCH", "/api/v1/namespaces/ps-privileged?dryRun=All", {"metadata": {"labels": {f"{label}/enforce": "restricted"}}}, type=MERGE)  # fmt: skip
    for value in ("nonsense", ""):
        yield ask("PATCH", "/api/v1/namespaces/ps-privileged?dryRun=All", {"metadata": {"labels": {f"{label}/enforce": value}}}, type=MERGE)  # fmt: skip
        yield ask("PATCH", "/api/v1/namespaces/ps-privileged?dryRun=All", {"metadata": {"labels": {f"{label}/warn-version": value}}}, type=MERGE)  # fmt: skip


def _priorities():
    classes = "/apis/scheduling.k8s.io/v1/priorityclasses"
    yield ask("POST", classes, {"metadata": {"name": "high"}, "value": 1000, "preemptionPolicy": "Never"})
    yield ask("UNTIL", f"{classes}/high")
    for spec in ({"priorityClassName": "high"}, {"priorityClassName": "nobody"}, {"priorityClassName": "high", "priority": 5}, {"priority": 5}, {"priorityClassName": "system-node-critical"}, {"priorityClassName": "high", "preemptionPolicy": "PreemptLowerPriority"}, {"priority": 0}, {"runtimeClassName": "nobody"}, {"nodeName": "nobody"}):  # fmt: skip
        yield ask("POST", "/api/v1/namespaces/default/pods?dryRun=All", pod("x", **spec))
    for tree in ({"metadata": {"name": "system-x"}, "value": 1}, {"metadata": {"name": "x"}, "value": 2000000000}, {"metadata": {"name": "x"}, "value": 1, "preemptionPolicy": "x"}, {"metadata": {"name": "x"}, "value": 1, "globalDefault": True}):  # fmt: skip
        yield ask("POST", f"{classes}?dryRun=All", tree)
    yield ask("PATCH", f"{classes}/high", {"value": 5}, type=MERGE)
    yield ask("PATCH", f"{classes}/high", {"preemptionPolicy": None}, type=MERGE)


def _services():
    services = "/api/v1/namespaces/default/services"
    port = {"port": 80}
    yield ask("POST", services, {"metadata": {"name": "fixed"}, "spec": {"clusterIP": "10.96.5.5", "ports": [port]}})
    yield ask(
        "POST",
        services,
        {"metadata": {"name": "node"}, "spec": {"type": "NodePort", "ports": [{**port, "nodePort": 31555}]}},
    )
    for spec in ({"clusterIP": "10.96.5.5", "ports": [port]}, {"clusterIP": "1.2.3.4", "ports": [port]}, {"clusterIP": "x", "ports": [port]}, {"type": "NodePort", "ports": [{**port, "nodePort": 31555}]}, {"type": "NodePort", "ports": [{**port, "nodePort": 80}]}, {"ports": [{**port, "nodePort": 31000}]}, {"ports": []}, {"ports": [{"port": 0}]}, {"ports": [port, {"port": 81}]}, {"type": "ExternalName"},
                 {"type": "ExternalName", "externalName": "Bad_"}, {"type": "Nonsense", "ports": [port]}, {"clusterIP": "None"}, {"ports": [port], "externalIPs": ["127.0.0.1"]}, {"ports": [port], "sessionAffinity": "x"}, {"ports": [port], "ipFamilies": ["IPv6"]}, {"ports": [port], "ipFamilyPolicy": "RequireDualStack"}, {"ports": [port], "externalTrafficPolicy": "Local"}, {"ports": [{**port, "protocol": "x"}]}, {"ports": [{**port, "targetPort": "Bad_"}]}):  # fmt: skip
        yield ask("POST", f"{services}?dryRun=All", {"metadata": {"name": "x"}, "spec": spec})
    for spec in (
        {"clusterIP": "10.96.5.6"},
        {"clusterIP": ""},
        {"type": "ExternalName", "externalName": "x.example.com"},
        {"ipFamilies": ["IPv6"]},
        {"ports": []},
    ):
        yield ask("PATCH", f"{services}/fixed?dryRun=All", {"spec": spec}, type=MERGE)

"""Server-side apply: several managers, conflicts and force, lists with keys, what is taken away, subresources."""

from tests.contract.asked_of_kinds import APPLY, JSON_PATCH, MERGE, STRATEGIC, ask

PLACE = "/api/v1/namespaces/applied"
MAPS = f"{PLACE}/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/applied/deployments"
SERVICES = f"{PLACE}/services"


def everything():
    yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": "applied"}})
    yield from _maps()
    yield from _deployments()
    yield from _containers()
    yield from _services()
    yield from _resets()
    yield from _subresources()
    yield from _bad()


def apply(path, tree, manager, **query):
    more = "".join(f"&{name}={value}" for name, value in query.items())
    return ask("PATCH", f"{path}?fieldManager={manager}{more}", tree, type=APPLY)


def config_map(name, data=None, **metadata):
    tree = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}
    return tree if data is None else {**tree, "data": data}


def _maps():
    one = f"{MAPS}/one"
    yield apply(one, config_map("one", {"a": "1", "b": "1"}, labels={"l": "1"}), "m1")
    yield apply(one, config_map("one", {"b": "1", "c": "1"}), "m2")
    yield apply(one, config_map("one", {"b": "2", "c": "1", "a": "2"}), "m2")
    yield apply(one, config_map("one", {"b": "2"}), "m3")
    yield apply(one, config_map("one", {"b": "2"}), "m2", force="true")
    yield apply(one, config_map("one", {"a": "1", "b": "1"}), "m1")
    yield apply(one, config_map("one", {"a": "1"}), "m1")
    yield apply(one, config_map("one"), "m2")
    yield ask("PATCH", f"{one}?fieldManager=m1", {"data": {"a": "3", "z": "9"}}, type=MERGE)
    yield apply(one, config_map("one", {"a": "4"}), "m1")
    yield apply(one, config_map("one", {"z": "4"}), "m1")
    yield ask("PUT", f"{one}?fieldManager=u", {"metadata": {"name": "one"}, "data": {"z": "5"}})
    yield apply(one, config_map("one", {"z": "6"}, annotations={"x": "y"}, finalizers=["a.b/c"]), "m1", force="true")
    yield apply(one, config_map("one", {}, finalizers=["a.b/d"]), "m2")
    yield apply(one, config_map("one", {}, finalizers=[]), "m1")
    yield apply(one, config_map("one", {}), "m2")
    yield ask("PATCH", f"{one}?fieldManager=m1", [{"op": "add", "path": "/data", "value": {"j": "1"}}], type=JSON_PATCH)
    yield ask("GET", one)
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u1"}
    yield apply(one, config_map("one", ownerReferences=[owner]), "m4")
    yield apply(one, config_map("one", ownerReferences=[{**owner, "uid": "u2"}]), "m5")
    yield apply(one, config_map("one", ownerReferences=[{**owner, "name": "q"}]), "m5")
    yield apply(one, config_map("one", ownerReferences=[owner, owner]), "m5")
    yield ask("DELETE", one)
    yield apply(one, config_map("one", {"late": "1"}), "m6")
    yield apply(f"{MAPS}/two", config_map("two", {"a": "1"}), "m1", dryRun="All")
    yield ask("GET", f"{MAPS}/two")
    yield apply(f"{MAPS}/two", config_map("two", {"a": "1"}, uid="x"), "m1")
    yield apply(f"{MAPS}/two", config_map("two", {"a": "1"}, resourceVersion="1"), "m1")
    yield apply(f"{MAPS}/two", config_map("two", {"a": "1"}), "m1")
    yield apply(f"{MAPS}/two", config_map("two", {"a": "2"}, resourceVersion="1"), "m1")


def deployment(name, **spec):
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def template(*containers, **spec):
    return {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": list(containers), **spec}}


SELECTOR = {"matchLabels": {"a": "b"}}


def _deployments():
    d = f"{DEPLOYMENTS}/d"
    c = {"name": "c", "image": "one"}
    yield apply(d, deployment("d", selector=SELECTOR), "m1")
    yield apply(d, deployment("d", selector=SELECTOR, replicas=2, template=template(c)), "m1")
    yield apply(d, deployment("d", template={"spec": {"containers": [{"name": "c", "image": "two"}]}}), "m2")
    yield apply(
        d, deployment("d", template={"spec": {"containers": [{"name": "c", "image": "two"}]}}), "m2", force="true"
    )
    yield apply(d, deployment("d", selector=SELECTOR, replicas=2, template=template({"name": "c"})), "m1")
    yield apply(d, deployment("d", replicas=3), "m3")
    yield apply(d, deployment("d", replicas=3), "m3", force="true")
    yield apply(d, deployment("d", selector=SELECTOR, template=template({"name": "c"})), "m1")
    yield apply(d, deployment("d", strategy={"rollingUpdate": {"maxSurge": "50%"}}), "m4")
    yield apply(d, deployment("d", strategy={"type": "Recreate"}), "m4")
    yield apply(d, deployment("d", strategy={"type": "Recreate", "rollingUpdate": None}), "m4")
    yield apply(d, deployment("d"), "m4")
    yield apply(d, deployment("d", selector={"matchLabels": {"x": "y"}}), "m5", force="true")
    yield apply(d, deployment("d", template={"spec": {"tolerations": [{"key": "k"}]}}), "m5")
    yield apply(d, deployment("d", template={"spec": {"tolerations": [{"key": "j"}]}}), "m6")
    yield ask("PATCH", f"{d}?fieldManager=p", {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "three"}]}}}}, type=STRATEGIC)  # fmt: skip
    yield apply(d, deployment("d", template={"spec": {"containers": [{"name": "c", "image": "two"}]}}), "m2")
    yield ask("GET", d)


def _containers():
    d = f"{DEPLOYMENTS}/e"
    c = {"name": "c", "image": "one", "command": ["a"], "args": ["x"]}
    ports = [{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP", "name": "u"}]
    mounts = [{"name": "v", "mountPath": "/v"}]
    volumes = [{"name": "v", "emptyDir": {}}]
    full = {**c, "ports": ports, "volumeMounts": mounts, "env": [{"name": "E", "value": "1"}]}
    yield apply(d, deployment("e", selector=SELECTOR, template=template(full, volumes=volumes)), "m1")
    side = {
        "name": "s",
        "image": "side",
        "env": [{"name": "S", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    }
    yield apply(d, deployment("e", template={"spec": {"containers": [side]}}), "m2")
    yield apply(d, deployment("e", template={"spec": {"containers": [{"name": "c", "ports": [{"containerPort": 80, "name": "web"}]}]}}), "m2")  # fmt: skip
    yield apply(d, deployment("e", template={"spec": {"containers": [{"name": "c", "ports": [{"containerPort": 80, "protocol": "TCP", "name": "web"}]}]}}), "m3")  # fmt: skip
    yield apply(d, deployment("e", template={"spec": {"containers": [{"name": "c", "env": [{"name": "E", "value": "2"}]}]}}), "m3")  # fmt: skip
    yield apply(d, deployment("e", template={"spec": {"containers": [{"name": "c", "command": ["b"]}]}}), "m3", force="true")  # fmt: skip
    yield apply(d, deployment("e", template={"spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "1000m"}}}]}}), "m3")  # fmt: skip
    yield apply(d, deployment("e", template={"spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "1"}}}]}}), "m4")  # fmt: skip
    yield apply(d, deployment("e", template={"spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "2"}}}]}}), "m4")  # fmt: skip
    yield apply(d, deployment("e", selector=SELECTOR, template=template(c)), "m1")
    yield apply(d, deployment("e", template={"spec": {"containers": [{"name": "c"}, {"name": "c"}]}}), "m5")
    yield apply(d, deployment("e", template={"spec": {"containers": [{"image": "x"}]}}), "m5")
    yield apply(d, deployment("e", template={"spec": {"containers": [{"name": "n"}]}}), "m5")
    yield apply(d, deployment("e", template={"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]}}), "m5")
    yield apply(d, deployment("e", template={"spec": {"containers": "x"}}), "m5")
    yield apply(d, deployment("e", template={"spec": {"containers": [5]}}), "m5")
    yield apply(d, deployment("e", replicas="x"), "m5")
    yield apply(d, deployment("e", nonsense=1), "m5")
    yield apply(d, deployment("e", template=None), "m2")
    yield ask("GET", d)


def service(name, **spec):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def _services():
    s = f"{SERVICES}/s"
    yield apply(s, service("s", ports=[{"port": 80, "name": "a"}], selector={"a": "b"}), "m1")
    yield apply(s, service("s", ports=[{"port": 81, "name": "b", "protocol": "TCP"}]), "m2")
    yield apply(s, service("s", ports=[{"port": 80, "protocol": "TCP", "name": "c"}]), "m2")
    yield apply(s, service("s", ports=[{"port": 80, "protocol": "TCP", "targetPort": 8080}]), "m2", force="true")
    yield apply(s, service("s", ports=[{"port": 80, "name": "a"}], type="NodePort", selector={"a": "b"}), "m1")
    yield apply(s, service("s", ports=[{"port": 80, "name": "a"}], selector={"a": "b"}), "m1")
    yield apply(s, service("s", clusterIP="None"), "m3", force="true")
    yield ask("GET", s)


def _resets():
    one = f"{MAPS}/reset"
    yield ask("POST", f"{MAPS}?fieldManager=c", config_map("reset", {"a": "1", "b": "1"}))
    yield ask("PATCH", f"{one}?fieldManager=r", {"metadata": {"managedFields": [{}]}}, type=MERGE)
    yield apply(one, config_map("reset", {"a": "1"}), "m1")
    yield apply(one, config_map("reset", {"a": "2", "b": "2"}), "m1")
    yield apply(one, config_map("reset", {"a": "2", "b": "2"}), "m1", force="true")
    yield ask("PATCH", f"{one}?fieldManager=r", {"metadata": {"managedFields": []}}, type=MERGE)
    yield ask("PATCH", f"{one}?fieldManager=r", {"data": {"z": "1"}}, type=MERGE)
    yield apply(one, config_map("reset", {"a": "3"}), "m1")
    yield ask("PATCH", f"{one}?fieldManager=r", {"metadata": {"managedFields": None}}, type=MERGE)
    yield ask("PATCH", f"{one}?fieldManager=r", [{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}], type=JSON_PATCH)  # fmt: skip
    yield apply(one, config_map("reset", {"a": "3"}), "kubectl")
    entry = {"manager": "h", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1"}
    for fields in ({"f:data": {"f:a": {}}}, {"f:nonsense": {}}, {"x": {}}, {"f:data": 5}, {}):
        more = {**entry, "time": "2024-01-01T00:00:00Z", "fieldsV1": fields}
        yield ask("PATCH", f"{one}?fieldManager=r", {"metadata": {"managedFields": [more]}}, type=MERGE)
    for bad in (
        {"apiVersion": "nonsense/v9"},
        {"operation": ""},
        {"fieldsType": ""},
        {"manager": ""},
        {"subresource": "status"},
    ):
        more = {**entry, "fieldsV1": {"f:data": {}}, **bad}
        yield ask("PATCH", f"{one}?fieldManager=r", {"metadata": {"managedFields": [more]}}, type=MERGE)
    yield ask("PUT", f"{one}?fieldManager=w", config_map("reset", {"a": "9"}, managedFields=[]))
    yield ask("GET", one)


def _subresources():
    d = f"{DEPLOYMENTS}/f"
    yield apply(d, deployment("f", selector=SELECTOR, replicas=1, template=template({"name": "c", "image": "i"})), "m1")
    status = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "f"}}
    condition = {"type": "Available", "status": "True", "reason": "r"}
    yield apply(f"{d}/status", {**status, "status": {"replicas": 1, "conditions": [condition]}}, "s1")
    yield apply(f"{d}/status", {**status, "status": {"conditions": [{**condition, "status": "False"}]}}, "s2")
    yield apply(f"{d}/status", {**status, "status": {"conditions": [{"type": "Progressing", "status": "True"}]}}, "s2")
    yield apply(f"{d}/status", {**status, "status": {"replicas": 1}}, "s1")
    yield apply(f"{d}/status", {**status, "spec": {"replicas": 7}}, "s3")
    yield apply(f"{d}/status", {**status, "metadata": {"name": "f", "labels": {"x": "y"}}}, "s3")
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "f"}, "spec": {"replicas": 4}}
    yield apply(f"{d}/scale", scale, "m9")
    yield apply(f"{d}/scale", scale, "m9", force="true")
    yield apply(d, deployment("f", selector=SELECTOR, replicas=1, template=template({"name": "c", "image": "i"})), "m1")
    yield ask("PUT", f"{d}/scale?fieldManager=u", {**scale, "metadata": {"name": "f", "namespace": "applied"}, "spec": {"replicas": 5}})  # fmt: skip
    yield ask("PATCH", f"{d}/scale?fieldManager=v", {"spec": {"replicas": 6}}, type=MERGE)
    yield apply(f"{d}/scale", {**scale, "kind": "Nonsense"}, "m9")
    yield apply(f"{d}/scale", {**scale, "metadata": {"name": "g"}}, "m9")
    yield apply(f"{d}/scale", {**scale, "spec": {"replicas": -1}}, "m9", force="true")
    yield apply(f"{DEPLOYMENTS}/nobody/status", {**status, "metadata": {"name": "nobody"}}, "s1")
    yield apply(f"{DEPLOYMENTS}/nobody/scale", {**scale, "metadata": {"name": "nobody"}}, "s1")
    yield ask("GET", d)
    yield ask("GET", f"{d}/scale")


def _bad():
    one = f"{MAPS}/bad"
    good = config_map("bad", {"a": "1"})
    for tree in ({**good, "metadata": {"name": "bad", "managedFields": [{"manager": "x"}]}}, {**good, "metadata": {"name": "bad", "managedFields": []}}, {**good, "apiVersion": "v9"}, {**good, "kind": "Nonsense"}, {"apiVersion": "v1", "metadata": {"name": "bad"}}, {"kind": "ConfigMap"},
                 {**good, "metadata": {"name": "Bad_"}}, {**good, "metadata": {"generateName": "x-"}}, {**good, "metadata": "x"}, {**good, "data": "x"}, {**good, "data": {"a": 1}}, {**good, "data": {"a": None}}, {**good, "immutable": "x"}, {**good, "metadata": {"name": "bad", "labels": {"a": 5}}},
                 {**good, "metadata": {"name": "bad", "labels": {"a b": "x"}}}, {**good, "data": {"a b": "x"}}, {**good, "unknown": {"x": 1}}, {**good, "metadata": {"name": "bad", "nonsense": 1}}):  # fmt: skip
        yield apply(one, tree, "m", dryRun="All")
        yield apply(one, tree, "m", dryRun="All", fieldValidation="Strict")
        yield apply(one, tree, "m", dryRun="All", fieldValidation="Ignore")
    for query in (
        "",
        "?force=true",
        "?fieldManager=",
        "?fieldManager=m&force=false",
        "?fieldManager=m&force=",
        "?fieldManager=m&fieldValidation=x",
    ):
        yield ask("PATCH", f"{one}{query}", good, type=APPLY)

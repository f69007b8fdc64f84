"""Requests to compare two servers with: what is not about one kind. Odd headers and parameters, discovery, reviews."""

from apimachinery.kinds import KINDS
from tests.contract.asked_of_kinds import (
    APPLY,
    JSON_PATCH,
    MERGE,
    PARTIAL,
    PARTIAL_LIST,
    PROTOBUF,
    STRATEGIC,
    TABLE,
    YAML,
    ask,
)

PLACE = "/api/v1/namespaces/s"
MAPS = f"{PLACE}/configmaps"
PODS = f"{PLACE}/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/s/deployments"
CBOR = "application/cbor"
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}
DEPLOYMENT = {
    "metadata": {"name": "d"},
    "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}},
             "template": {"metadata": {"labels": {"a": "b"}}, "spec": POD["spec"]}},
}  # fmt: skip


def everything():
    """All of them, in an order in which each finds what it needs."""
    yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": "s"}})
    yield from _objects()
    yield from _lists()
    yield from _watches()
    yield from _bodies()
    yield from _patches()
    yield from _documents()
    yield from _paths()
    yield from _reviews()
    yield from _pods()
    yield from _tokens()
    yield from _impersonated()
    yield from _scales()
    yield from _collections()
    yield from _namespaces()


def _objects():
    for name in ("a", "b", "c"):
        yield ask("POST", MAPS, {"metadata": {"name": name, "labels": {"n": name}}, "data": {"k": "v"}})
    for accept in ("", "*/*", "application/*", "text/html", "text/html,application/json;q=0.9", "application/json;q=0.1,application/yaml",
                   CBOR, f"{CBOR},application/json", "application/json;as=Nonsense;v=v1;g=meta.k8s.io", "application/json;as=Table;v=v2;g=meta.k8s.io",
                   f"{PROTOBUF};as=Table;v=v1;g=meta.k8s.io", f"{PROTOBUF};as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
                   "application/json;pretty=1", "application/json;stream=watch", "application/json;charset=utf-8", "application/json;v=v1",
                   "application/yaml;as=Table;v=v1;g=meta.k8s.io", "image/png", "application/json;profile=nominal", "text/plain"):  # fmt: skip
        for path in (
            f"{MAPS}/a",
            f"{MAPS}?fieldSelector=metadata.name%3Da",
            f"{MAPS}/none",
            "/version",
            "/api",
            "/apis",
            "/apis/apps",
            "/api/v1",
            "/openapi/v3",
            "/healthz",
        ):
            if path in ("/version", "/openapi/v3", "/healthz", "/api/v1") and ("as=" in accept or "q=" in accept):
                continue
            yield ask("GET", path, accept=accept)
    for agent in ("curl/8.0", "Wget/1", "Mozilla/5.0 (x)", "kubectl/v1.30"):
        yield ask("GET", f"{MAPS}/a", user_agent=agent)
    for pretty in ("1", "true", "false", "0", "", "x"):
        yield ask("GET", f"{MAPS}/a?pretty={pretty}", user_agent="curl/8.0")
    for include in ("None", "Metadata", "Object", "x", ""):
        yield ask("GET", f"{MAPS}/a?includeObject={include}", accept=TABLE)
    for method in ("HEAD", "OPTIONS", "TRACE", "PROPFIND"):
        for path in (f"{MAPS}/a", MAPS, "/version", "/api", "/nonsense", "/healthz"):
            yield ask(method, path)


def _lists():
    for query in ("limit=x", "limit=-1", "limit=0", "timeoutSeconds=x", "timeoutSeconds=-1", "continue=x", "resourceVersion=x", "resourceVersion=-1",
                  "resourceVersion=99999999", "resourceVersion=0", "resourceVersion=1&resourceVersionMatch=Exact", "resourceVersionMatch=Exact",
                  "resourceVersionMatch=x", "resourceVersion=0&resourceVersionMatch=Exact", "resourceVersionMatch=NotOlderThan",
                  "resourceVersion=1&resourceVersionMatch=x", "resourceVersion=0&resourceVersionMatch=NotOlderThan", "sendInitialEvents=true",
                  "sendInitialEvents=x", "allowWatchBookmarks=x", "watch=x&timeoutSeconds=1", "labelSelector=a%3Db%3Dc", "labelSelector=a+in+(b", "labelSelector=a+b",
                  "labelSelector=n+in+(a,b)", "labelSelector=n!%3Da", "labelSelector=!n", "labelSelector=n", "labelSelector=n+notin+(a)", "labelSelector=n>1",
                  "labelSelector=a/b/c%3D1", "labelSelector=n%3D%3Da", "labelSelector=,", "labelSelector=n%3Da,n%3Db", "labelSelector=-%3Dx", "labelSelector=n%3D-",
                  "fieldSelector=x%3Dy", "fieldSelector=x", "fieldSelector=metadata.name!%3Da", "fieldSelector=metadata.name%3D%3Da,metadata.namespace%3Ds",
                  "fieldSelector=metadata.name%3Da%5C", "fieldSelector=,", "limit=1&continue=x", "nonsense=1", "limit=99999999999999999999"):  # fmt: skip
        yield ask("GET", f"{MAPS}?{query}")
    yield ask("GET", f"{MAPS}?limit=2")
    yield ask("GET", f"{MAPS}?limit=2&continue=$continue&resourceVersion=5")
    yield ask("GET", f"{MAPS}?limit=2&continue=$continue&resourceVersionMatch=Exact")
    yield ask("GET", f"{MAPS}?limit=2&continue=$continue")
    yield ask("GET", f"{MAPS}?limit=1", accept=TABLE)
    yield ask("GET", f"{MAPS}?limit=1", accept=PARTIAL_LIST)
    yield ask("GET", f"{MAPS}?limit=1&labelSelector=n")
    yield ask("GET", f"{MAPS}?limit=1", accept=PROTOBUF)
    yield ask("GET", f"{MAPS}?limit=1", accept=YAML)
    yield ask("GET", "/api/v1/namespaces/none/configmaps")
    yield ask("GET", "/api/v1/componentstatuses/nonsense")
    yield ask("GET", "/api/v1/componentstatuses", accept=TABLE)
    for accept in (TABLE, ""):
        yield ask("GET", f"{PODS}?limit=500", accept=accept)
        yield ask("GET", "/api/v1/namespaces/none/pods", accept=accept)


def _watches():
    for query in ("resourceVersion=x", "resourceVersion=99999999&timeoutSeconds=1", "timeoutSeconds=x", "sendInitialEvents=true",
                  "resourceVersionMatch=NotOlderThan", "resourceVersionMatch=Exact&sendInitialEvents=true", "sendInitialEvents=false",
                  "sendInitialEvents=false&resourceVersionMatch=NotOlderThan&timeoutSeconds=1", "limit=1&timeoutSeconds=1", "continue=x&timeoutSeconds=1", "labelSelector=a%3Db%3Dc",
                  "fieldSelector=x%3Dy", "resourceVersion=-1", "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=x"):  # fmt: skip
        yield ask("WATCH", f"{MAPS}?watch=1&timeoutSeconds=1&{query}")
    one = f"{MAPS}?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Da"
    yield ask("WATCH", one)
    yield ask("WATCH", f"{one}&resourceVersion=0")
    for accept in (YAML, CBOR, "text/html", "application/json;stream=watch", "*/*", f"{TABLE},application/json"):
        yield ask("WATCH", one, accept=accept)
    yield ask("WATCH", f"{MAPS}/a?watch=1&timeoutSeconds=1")
    yield ask("WATCH", "/api/v1/watch/namespaces/s/configmaps/a?timeoutSeconds=1")
    yield ask("WATCH", "/api/v1/watch/namespaces/s/configmaps?fieldSelector=metadata.name%3Da&timeoutSeconds=1")
    yield ask("WATCH", "/api/v1/watch/namespaces/s?timeoutSeconds=1")
    yield ask("WATCH", "/apis/apps/v1/watch/namespaces/s/deployments/nobody?timeoutSeconds=1", events=0)
    yield ask(
        "WATCH",
        f"{one}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
        events=2,
        accept=TABLE,
    )
    yield ask(
        "WATCH",
        f"{one}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
        events=2,
        accept=PARTIAL,
    )


def _bodies():
    for type in (
        "text/plain",
        CBOR,
        "application/x-www-form-urlencoded",
        "application/json;charset=utf-8",
        "APPLICATION/JSON",
        "nonsense",
        "",
        PROTOBUF,
        YAML,
    ):
        yield ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "x"}}, type=type)
        yield ask("PUT", f"{MAPS}/a?dryRun=All", {"metadata": {"name": "a"}}, type=type)
        yield ask("DELETE", f"{MAPS}/a?dryRun=All", {"dryRun": ["All"]}, type=type)
    for text in ("", "{", "[]", "null", "5", '"x"', "{}", "nonsense", '{"metadata":', '{"metadata":{"name":"x"}} trailing', '{"metadata":{"name":"x","name":"y"}}',
                 '{"metadata":{"name":5}}', '{"metadata":{"labels":{"a":5}}}', '{"data":{"a":5},"metadata":{"name":"x"}}', '{"data":[],"metadata":{"name":"x"}}',
                 '{"Metadata":{"Name":"x"}}', '{"metadata":null}', '{"metadata":{"name":"x"},"immutable":"yes"}', '{"metadata":{"name":"x"},"binaryData":{"a":"!"}}',
                 '{"kind":5}', '{"apiVersion":5}', '{"apiVersion":"v1","kind":"ConfigMap"}', '{"kind":"Pod","apiVersion":"v1"}', '{"kind":"ConfigMap","apiVersion":"v2"}',
                 '{"kind":"ConfigMapList","apiVersion":"v1","items":[]}', '{"kind":"","apiVersion":"v1","metadata":{"name":"x"}}',
                 '{"metadata":{"name":"x","creationTimestamp":"nonsense"}}', '{"metadata":{"name":"x","deletionGracePeriodSeconds":"x"}}',
                 '{"metadata":{"name":"x","generation":1.5}}', '{"metadata":{"name":"x","ownerReferences":{}}}', '{"metadata":{"name":"x","finalizers":"x"}}',
                 '{"metadata":{"name":"x"},"data":{"a":null}}', '{"metadata":{"name":"x"},"data":{"a b":"x"}}', '{"metadata":{"name":"x"},"data":{"k":"v"},"binaryData":{"k":"eA=="}}'):  # fmt: skip
        for validation in ("Warn", "Strict", "Ignore"):
            yield ask("POST", f"{MAPS}?dryRun=All&fieldValidation={validation}", text)
    for text in (
        "a: b: c",
        "metadata: {name: x}",
        "- 1",
        "metadata: {name: x}\nmetadata: {name: y}\n",
        "metadata:\n\tname: x",
        "metadata: {name: x}\nunknown: 1\n",
    ):
        yield ask("POST", f"{MAPS}?dryRun=All", text, type=YAML)
        yield ask("POST", f"{MAPS}?dryRun=All&fieldValidation=Strict", text, type=YAML)
    for query in (
        "dryRun=x",
        "dryRun=",
        "dryRun=All&dryRun=All",
        "dryRun=All,x",
        "fieldValidation=x",
        "fieldManager=" + "x" * 200,
        "fieldManager=%07",
        "force=true",
        "nonsense=1&dryRun=All",
        "pretty=x&dryRun=All",
    ):
        yield ask("POST", f"{MAPS}?{query}", {"metadata": {"name": "odd"}})
        yield ask("PUT", f"{MAPS}/a?{query}", {"metadata": {"name": "a"}})
        yield ask("PATCH", f"{MAPS}/a?{query}", {"data": {"z": "z"}}, type=MERGE)
        yield ask("DELETE", f"{MAPS}/nobody?{query}")
    yield ask("DELETE", f"{MAPS}/odd")
    yield ask("POST", MAPS, {"metadata": {"generateName": "g-"}})
    yield ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"generateName": "Bad_"}})
    yield ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "x" * 254}})
    yield ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"generateName": "x" * 300}})
    yield ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "x", "labels": {"a": "x" * 64}}})
    yield ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "x", "annotations": {"a": "x" * 300000}}})
    yield ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "x"}, "data": {"k": "x" * 1100000}})
    yield ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "x"}, "data": {"k": "x" * 3200000}})
    for owner in (
        {},
        {"apiVersion": "v1"},
        {"apiVersion": "v1", "kind": "Event", "name": "x", "uid": "u"},
        {"apiVersion": "a/b/c", "kind": "Pod", "name": "x", "uid": "u"},
        {"kind": "Pod", "name": "x", "uid": "u"},
    ):
        yield ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "x", "ownerReferences": [owner]}})
    two = [{"apiVersion": "v1", "kind": "Pod", "name": n, "uid": n, "controller": True} for n in "ab"]
    yield ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "x", "ownerReferences": two}})
    yield ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "x", "ownerReferences": [two[0], two[0]]}})
    yield ask(
        "POST",
        f"{MAPS}?dryRun=All",
        {
            "metadata": {
                "name": "x",
                "uid": "mine",
                "generation": 9,
                "selfLink": "/x",
                "creationTimestamp": "2020-01-01T00:00:00Z",
                "deletionTimestamp": "2020-01-01T00:00:00Z",
            }
        },
    )


def _patches():
    dry = f"{MAPS}/a?dryRun=All"
    for type in (
        "text/plain",
        CBOR,
        "application/json",
        "application/apply-patch+cbor",
        "",
        YAML,
        PROTOBUF,
        "application/merge-patch+json; charset=utf-8",
    ):
        yield ask("PATCH", dry, {"data": {"x": "y"}}, type=type)
    for text in ("", "{", "[]", "null", "5", '"x"', '{"data":5}', '{"data":{"x":5}}', '{"data":null}', '{"kind":"Pod"}', '{"apiVersion":"v2"}', '{"metadata":null}',
                 '{"metadata":{"labels":{"a":null}}}', '{"$patch":"delete"}', '{"data":{"$patch":"replace","z":"1"}}', '{"metadata":{"finalizers":["a.b/c"]}}',
                 '{"metadata":{"$deleteFromPrimitiveList/finalizers":["x"]}}', '{"metadata":{"$setElementOrder/finalizers":["x"]}}', '{"$patch":"nonsense"}',
                 '{"$retainKeys":["x"]}', '{"metadata":{"deletionTimestamp":"2020-01-01T00:00:00Z"}}', '{"metadata":{"creationTimestamp":null}}', '{"metadata":{"generateName":"x"}}',
                 '{"metadata":{"managedFields":[{}]}}', '{"metadata":{"managedFields":[]}}', '{"metadata":{"managedFields":[{"manager":"m","operation":"Update","apiVersion":"v1","time":"2020-01-01T00:00:00Z","fieldsType":"FieldsV2","fieldsV1":{}}]}}',
                 '{"metadata":{"managedFields":[{"manager":"m","operation":"Nonsense","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{}}]}}', '{"metadata":{"namespace":"x"}}', '{"immutable":true}'):  # fmt: skip
        for type in (MERGE, STRATEGIC):
            yield ask("PATCH", dry, text, type=type)
    for operations in ([], [{}], [5], [{"op": "nonsense", "path": "/data/x"}], [{"op": "add"}], [{"op": "add", "path": "data"}], [{"op": "add", "path": "/data/x", "value": "1"}],
                       [{"op": "add", "path": "/data/x"}], [{"op": "remove", "path": "/data/none"}], [{"op": "remove", "path": "/data/k"}], [{"op": "replace", "path": "/data/none", "value": "x"}],
                       [{"op": "replace", "path": "/data/k", "value": 5}], [{"op": "test", "path": "/data/k", "value": "v"}], [{"op": "test", "path": "/data/k", "value": "w"}],
                       [{"op": "test", "path": "/data/none", "value": None}], [{"op": "move", "from": "/data/k", "path": "/data/m"}], [{"op": "copy", "from": "/data/k", "path": "/data/m"}],
                       [{"op": "move", "from": "/data/none", "path": "/data/m"}], [{"op": "copy", "path": "/data/m"}], [{"op": "add", "path": "/nonsense/x", "value": 1}],
                       [{"op": "add", "path": "/metadata/finalizers", "value": ["a/b"]}], [{"op": "add", "path": "/metadata/finalizers/0", "value": "a/b"}], [{"op": "replace", "path": "", "value": {}}],
                       [{"op": "add", "path": "/data/a~1b", "value": "x"}], [{"op": "remove", "path": "/metadata/labels"}], {"op": "add"}, "[{", [{"op": "add", "path": "/data/x", "value": "1"}] * 10001):  # fmt: skip
        yield ask("PATCH", dry, operations, type=JSON_PATCH)
    good = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"x": "1"}}
    for tree in (good, {**good, "kind": "Pod"}, {**good, "apiVersion": "v2"}, {**good, "metadata": {"name": "other"}}, {**good, "metadata": {}}, {"data": {}}, [], "a: b: c", "", "null", {**good, "nonsense": 1}, {**good, "data": {"x": 5}},
                 {**good, "metadata": {"name": "applied", "uid": "x"}}, {**good, "metadata": {"name": "applied", "resourceVersion": "7"}}, {**good, "metadata": {"name": "applied", "namespace": "other"}}):  # fmt: skip
        yield ask("PATCH", f"{MAPS}/applied?fieldManager=m&dryRun=All", tree, type=APPLY)
        yield ask("PATCH", f"{MAPS}/applied?fieldManager=m&dryRun=All&fieldValidation=Strict", tree, type=APPLY)
    yield ask("PATCH", f"{MAPS}/applied?fieldManager=m", good, type=APPLY)
    yield ask("PATCH", f"{MAPS}/applied?fieldManager=m", good, type=APPLY)
    yield ask("PATCH", f"{MAPS}/applied?fieldManager=n", {**good, "data": {"x": "2", "y": "3"}}, type=APPLY)
    yield ask("PATCH", f"{MAPS}/applied?fieldManager=n&force=true", {**good, "data": {"x": "2", "y": "3"}}, type=APPLY)
    yield ask("PATCH", f"{MAPS}/applied?fieldManager=n&force=x", {**good, "data": {"x": "2", "y": "3"}}, type=APPLY)
    yield ask("PATCH", f"{MAPS}/applied?fieldManager=m", {**good, "data": {}}, type=APPLY)
    yield ask("PATCH", f"{MAPS}/applied?force=true&fieldManager=n", {**good, "data": None}, type=APPLY)
    yield ask("GET", f"{MAPS}/applied")
    yield ask("POST", DEPLOYMENTS, DEPLOYMENT)
    for patch in ({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "x"}]}}}}, {"spec": {"template": {"spec": {"containers": [{"image": "x"}]}}}},
                  {"spec": {"template": {"spec": {"containers": [{"name": "c", "$patch": "delete"}]}}}}, {"spec": {"template": {"spec": {"containers": [{"name": "e", "image": "i", "ports": [{"containerPort": 80}]}]}}}},
                  {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}, {"spec": {"selector": {"matchLabels": {"x": "y"}}}}, {"spec": {"replicas": "x"}}, {"spec": {"replicas": -1}}, {"spec": None},
                  {"spec": {"template": {"spec": {"$setElementOrder/containers": [{"name": "e"}, {"name": "c"}], "containers": [{"name": "e", "image": "i"}]}}}},
                  {"spec": {"template": {"spec": {"containers": "x"}}}}, {"spec": {"template": {"spec": {"containers": [5]}}}}, {"spec": {"strategy": {"rollingUpdate": {"maxSurge": "x"}}}}):  # fmt: skip
        yield ask("PATCH", f"{DEPLOYMENTS}/d?dryRun=All", patch, type=STRATEGIC)
        yield ask("PATCH", f"{DEPLOYMENTS}/d?dryRun=All", patch, type=MERGE)


def _documents():
    for accept in ("", PROTOBUF, YAML):
        yield ask("GET", "/api", accept=accept)
        yield ask("GET", "/apis", accept=accept)
        for version in sorted({kind.api_version for kind in KINDS}):
            yield ask("GET", f"/apis/{version}" if "/" in version else f"/api/{version}", accept=accept)
            if "/" in version:
                yield ask("GET", f"/apis/{version.partition('/')[0]}", accept=accept)
    for path in ("/api", "/apis"):
        for accept in (DISCOVERY, DISCOVERY.replace("v2", "v2beta1"), f"{DISCOVERY},application/json", DISCOVERY.replace("v2", "v3"), f"{DISCOVERY};profile=nopeer",
                       DISCOVERY.replace("application/json", PROTOBUF), f"{PROTOBUF},application/json", TABLE):  # fmt: skip
            yield ask("GET", path, accept=accept)
    for path in ("/api/", "/apis/", "/api/v1/", "/apis/apps/", "/apis/apps/v1/", "/", "/version/", "/openapi/v3", "/openapi/v3/", "/openapi/v2/", "/livez", "/readyz", "/healthz/etcd", "/healthz/ping", "/livez/ping", "/readyz/nonsense",
                 "/livez?exclude=etcd", "/livez?verbose", "/readyz?verbose&exclude=etcd", "/readyz?verbose", "/healthz?verbose", "/readyz?exclude=nonsense&verbose", "/logs", "/logs/", "/swagger.json", "/openapi", "/metrics/nonsense",
                 "/openapi/v3/nonsense", "/openapi/v3/api/v2", "/.well-known/openid-configuration", "/favicon.ico", "/ui", "/swaggerapi", "/debug/pprof", "/debug/flags", "/statusz", "/flagz", "/debug/api_priority_and_fairness/"):  # fmt: skip
        yield ask("GET", path)
        yield ask("POST", path, {})


def _paths():
    for path in ("/api/v1/nonsense", "/api/v2", "/api/v2/pods", "/apis/nonsense", "/apis/nonsense/v1", "/apis/nonsense/v1/x", "/apis/apps/v2", "/apis/apps/v2/deployments", "/apis/apps/v1beta1/deployments",
                 "/nonsense", "/api/v1/namespaces/s/pods/x/nonsense", "/api/v1/namespaces/s/nodes", "/api/v1/nodes/x/y/z", "/api/v1/namespaces/s/configmaps/a/status", "/api/v1/namespaces/s/configmaps/a/x/y", "/api/v1//configmaps",
                 "/api/v1/namespaces//configmaps", "/api/v1/namespaces/s/configmaps/", "/api/v1/namespaces/s/configmaps/a/", "/api/v1/configmaps/a", "/api/v1/namespaces/s/pods/p%2Fq",
                 "/apis/batch/v1beta1/cronjobs", "/apis/policy/v1beta1/poddisruptionbudgets", "/apis/extensions/v1beta1/ingresses", "/api/v1/namespaces/s/componentstatuses", "/api/v1/componentstatuses", "/api/v1/proxy/nodes/x", "/api/v1/namespaces/s/bindings",
                 "/apis/admissionregistration.k8s.io/v1beta1/mutatingadmissionpolicies", "/apis/certificates.k8s.io/v1beta1/clustertrustbundles", "/apis/storage.k8s.io/v1beta1/volumeattributesclasses", "/apis/resource.k8s.io/v1beta1/resourceclaims",
                 "/apis/networking.k8s.io/v1beta1/ipaddresses", "/apis/coordination.k8s.io/v1beta1/leasecandidates", "/apis/internal.apiserver.k8s.io/v1alpha1/storageversions", "/apis/authentication.k8s.io/v1/tokenreviews",
                 "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "/api/v1/namespaces/s/pods/nobody/log", "/api/v1/namespaces/s/pods/nobody/exec", "/api/v1/namespaces/s/pods/nobody/proxy", "/api/v1/namespaces/s/services/nobody/proxy",
                 "/api/v1/nodes/nobody/proxy/x", "/api/v1/namespaces/s/pods/nobody/portforward", "/api/v1/namespaces/s/pods/nobody/attach", "/api/v1/namespaces/s/serviceaccounts/nobody/token", "/api/v1/namespaces/s/pods/nobody/eviction", "/api/v1/namespaces/s/pods/nobody/binding"):  # fmt: skip
        for method in ("GET", "DELETE", "POST", "PUT", "PATCH"):
            yield ask(
                method,
                path,
                {} if method in ("POST", "PUT", "PATCH") else None,
                type=MERGE if method == "PATCH" else None,
            )


def _reviews():
    authorization, authentication = "/apis/authorization.k8s.io/v1", "/apis/authentication.k8s.io/v1"
    resource = {"namespace": "s", "verb": "get", "resource": "pods"}
    for spec in ({}, {"resourceAttributes": resource}, {"nonResourceAttributes": {"path": "/version", "verb": "get"}}, {"resourceAttributes": resource, "nonResourceAttributes": {"path": "/", "verb": "get"}},
                 {"user": "jane", "resourceAttributes": resource}, {"user": "jane", "groups": ["system:masters"], "resourceAttributes": resource}, {"groups": ["x"], "nonResourceAttributes": {"path": "/version", "verb": "get"}},
                 {"user": "system:anonymous", "nonResourceAttributes": {"path": "/healthz", "verb": "get"}}, {"user": "jane", "groups": ["system:authenticated"], "nonResourceAttributes": {"path": "/api", "verb": "get"}},
                 {"user": "jane", "extra": {"a": ["b"]}, "uid": "u", "resourceAttributes": {**resource, "group": "*", "version": "*", "name": "x", "subresource": "log"}},
                 {"user": "jane", "resourceAttributes": {**resource, "labelSelector": {"rawSelector": "a=b"}}}, {"user": "jane", "resourceAttributes": {**resource, "labelSelector": {"rawSelector": "a=b", "requirements": [{"key": "a", "operator": "In", "values": ["b"]}]}}},
                 {"user": "jane", "resourceAttributes": {**resource, "fieldSelector": {"requirements": [{"key": "a", "operator": "Nonsense"}]}}}, {"user": "jane", "resourceAttributes": {**resource, "labelSelector": {}}},
                 {"user": "system:kube-scheduler", "resourceAttributes": resource}, {"user": "system:node:n", "groups": ["system:nodes"], "resourceAttributes": {"verb": "get", "resource": "secrets", "namespace": "s", "name": "x"}},
                 {"user": "system:serviceaccount:s:default", "resourceAttributes": resource}, 5, {"user": 5}, {"nonsense": 1, "user": "x", "resourceAttributes": resource}):  # fmt: skip
        for plural in ("subjectaccessreviews", "selfsubjectaccessreviews"):
            yield ask("POST", f"{authorization}/{plural}", {"spec": spec})
        yield ask(
            "POST",
            f"{authorization}/namespaces/s/localsubjectaccessreviews",
            {"metadata": {"namespace": "s"}, "spec": spec},
        )
    yield ask(
        "POST",
        f"{authorization}/namespaces/s/localsubjectaccessreviews",
        {"spec": {"user": "x", "resourceAttributes": {**resource, "namespace": "other"}}},
    )
    yield ask(
        "POST",
        f"{authorization}/subjectaccessreviews",
        {"metadata": {"name": "x"}, "spec": {"user": "x", "resourceAttributes": resource}},
    )
    yield ask(
        "POST",
        f"{authorization}/subjectaccessreviews?dryRun=All",
        {"spec": {"user": "x", "resourceAttributes": resource}},
        accept=YAML,
    )
    for accept in (TABLE, PARTIAL, PROTOBUF):
        yield ask(
            "POST",
            f"{authorization}/subjectaccessreviews",
            {"spec": {"user": "x", "resourceAttributes": resource}},
            accept=accept,
        )
    for body in (
        {},
        {"spec": {}},
        {"spec": {"namespace": "s"}},
        {"metadata": {"name": "x"}, "spec": {"namespace": "s"}},
    ):
        yield ask("POST", f"{authorization}/selfsubjectrulesreviews", body)
    for body in (
        {},
        {"spec": {}},
        {"spec": {"token": "x"}},
        {"spec": {"token": "x", "audiences": ["a"]}},
        {"spec": {"token": "a.b.c"}},
        {"spec": {"token": 5}},
        {"metadata": {"name": "x"}, "spec": {"token": "x"}},
    ):
        yield ask("POST", f"{authentication}/tokenreviews", body)
    yield ask(
        "POST",
        f"{authentication}/selfsubjectreviews",
        {},
        impersonate_user="jane",
        impersonate_group="g",
        impersonate_extra_a="b",
    )
    yield ask("POST", f"{authentication}/selfsubjectreviews", {"spec": {}}, impersonate_user="jane")
    yield ask("POST", f"{authentication}/selfsubjectreviews", {}, accept=TABLE, impersonate_user="jane")
    yield ask("GET", f"{authentication}/selfsubjectreviews")


def _pods():
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


def _tokens():
    accounts = f"{PLACE}/serviceaccounts"
    yield ask("POST", accounts, {"metadata": {"name": "robot"}})
    for spec in ({}, {"expirationSeconds": 5}, {"expirationSeconds": 2**33}, {"audiences": ["a"], "expirationSeconds": 600}, {"audiences": [""]}, {"boundObjectRef": {}},
                 {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "nobody"}}, {"boundObjectRef": {"kind": "ConfigMap", "apiVersion": "v1", "name": "a"}},
                 {"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "x", "uid": "u"}}, {"boundObjectRef": {"kind": "Node", "apiVersion": "v1", "name": "x"}}, {"expirationSeconds": "x"}):  # fmt: skip
        yield ask("POST", f"{accounts}/robot/token", {"spec": spec})
    yield ask("POST", f"{accounts}/nobody/token", {"spec": {}})
    yield ask("POST", f"{accounts}/robot/token", {"metadata": {"name": "other"}, "spec": {}})
    yield ask(
        "POST",
        f"{accounts}/robot/token",
        {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": {"audiences": ["a"]}},
    )
    yield ask("POST", f"{accounts}/robot/token?dryRun=All", {"spec": {}}, accept=TABLE)
    yield ask("GET", f"{accounts}/robot/token")


def _impersonated():
    for headers in ({"impersonate_user": "jane"}, {"impersonate_user": "jane", "impersonate_group": "system:masters"}, {"impersonate_group": "g"}, {"impersonate_user": "system:serviceaccount:s:robot"},
                    {"impersonate_uid": "x"}, {"impersonate_extra_x": "y"}, {"impersonate_user": "system:anonymous"}, {"impersonate_user": "system:kube-controller-manager"}):  # fmt: skip
        for method, path, body in (("GET", MAPS, None), ("GET", f"{MAPS}/a", None), ("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "x"}}), ("GET", "/version", None), ("GET", "/metrics/slis", None), ("GET", "/nonsense", None), ("DELETE", MAPS + "?labelSelector=x", None),
                                   ("GET", f"{PODS}/x/log", None), ("GET", "/apis/apps/v1", None), ("PATCH", f"{MAPS}/a?dryRun=All", {}), ("GET", "/api/v1/nodes", None), ("GET", "/api/v1/nonsense", None)):  # fmt: skip
            yield (
                ask(method, path, body, type=MERGE if method == "PATCH" else None, **headers)
                if method != "GET" or "slis" not in path or headers.get("impersonate_user") == "jane"
                else ask("GET", f"{MAPS}/a", **headers)
            )


def _scales():
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


def _collections():
    yield ask("DELETE", f"{MAPS}?fieldSelector=x%3Dy")
    yield ask("DELETE", f"{MAPS}?labelSelector=a%3Db%3Dc")
    yield ask("DELETE", f"{MAPS}?limit=x")
    yield ask("DELETE", f"{MAPS}?labelSelector=n%3Da", {"preconditions": {"uid": "x"}})
    yield ask("DELETE", f"{MAPS}?labelSelector=n%3Da", {"propagationPolicy": "x"})
    yield ask("DELETE", f"{MAPS}?labelSelector=n%3Da", "{")
    yield ask("DELETE", f"{MAPS}?labelSelector=n%3Da", {"dryRun": ["All"]})
    yield ask("DELETE", f"{MAPS}?labelSelector=n%3Da&dryRun=All", accept=TABLE)
    yield ask("DELETE", f"{MAPS}?labelSelector=n%3Da")
    yield ask("DELETE", f"{MAPS}?labelSelector=n%3Db", accept=PROTOBUF)
    yield ask("DELETE", f"{MAPS}?labelSelector=n")
    yield ask("DELETE", "/api/v1/configmaps")
    yield ask("DELETE", "/api/v1/namespaces")
    yield ask("GET", f"{MAPS}?labelSelector=n")


def _namespaces():
    yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": "Bad"}})
    yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": "x" * 64}})
    yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": "full"}, "spec": {"finalizers": ["x.y/z"]}})
    yield ask(
        "PUT",
        "/api/v1/namespaces/full/finalize",
        {"metadata": {"name": "full"}, "spec": {"finalizers": ["kubernetes"]}},
    )
    yield ask("PUT", "/api/v1/namespaces/full/finalize", {"metadata": {"name": "full"}})
    yield ask("DELETE", "/api/v1/namespaces/default")
    yield ask("DELETE", "/api/v1/namespaces/kube-system")
    yield ask("DELETE", "/api/v1/namespaces/kube-public")
    yield ask("DELETE", "/api/v1/namespaces/s")
    yield ask("DELETE", "/api/v1/namespaces/s")
    yield ask("GET", "/api/v1/namespaces/s", accept=TABLE)
    yield ask("POST", MAPS, {"metadata": {"name": "late"}})
    yield ask(
        "PATCH",
        f"{MAPS}/late?fieldManager=m",
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late"}},
        type=APPLY,
    )
    yield ask("PUT", f"{MAPS}/late", {"metadata": {"name": "late"}})
    yield ask("GET", "/api/v1/namespaces/s")

"""Patches of every type, good and malformed, and applied configurations."""

from tests.contract.asked_of_kinds import APPLY, JSON_PATCH, MERGE, PROTOBUF, STRATEGIC, YAML, ask
from tests.contract.asked_of_server.things import CBOR, DEPLOYMENT, DEPLOYMENTS, MAPS


def patches():
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

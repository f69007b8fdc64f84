"""Custom resources: versions, pruning and defaults, list types, columns, selectable fields, scale and status."""

from tests.contract.asked_in_sequence.applied import apply
from tests.contract.asked_of_kinds import JSON_PATCH, MERGE, PARTIAL, STRATEGIC, TABLE, ask

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "seq.example.com"
NAMES = {
    "plural": "widgets",
    "singular": "widget",
    "kind": "Widget",
    "listKind": "WidgetList",
    "shortNames": ["wg"],
    "categories": ["all"],
}
STRING, INTEGER = {"type": "string"}, {"type": "integer"}
SPEC = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 10, "default": 3},
        "mode": {"type": "string", "enum": ["a", "b"], "default": "a"},
        "name": {"type": "string", "minLength": 2, "maxLength": 5, "pattern": "^[a-z]+$"},
        "port": {"x-kubernetes-int-or-string": True},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "none": {"type": "string", "nullable": True},
        "when": {"type": "string", "format": "date-time"},
        "ratio": {"type": "number", "exclusiveMinimum": True, "minimum": 0, "multipleOf": 0.5},
        "tags": {"type": "array", "items": STRING, "x-kubernetes-list-type": "set", "maxItems": 3},
        "parts": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": {
            "type": "object", "required": ["name"], "properties": {"name": STRING, "value": {"type": "string", "default": "v"}}}},
        "atoms": {"type": "object", "x-kubernetes-map-type": "atomic", "additionalProperties": STRING},
        "more": {"type": "object", "additionalProperties": INTEGER, "maxProperties": 2},
        "template": {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
        "one": {"type": "object", "properties": {"x": STRING, "y": STRING}, "oneOf": [{"required": ["x"]}, {"required": ["y"]}]},
    },
}  # fmt: skip
STATUS = {"type": "object", "properties": {"ready": INTEGER, "selector": STRING, "note": STRING}}
SCHEMA = {"type": "object", "properties": {"spec": SPEC, "status": STATUS}}
COLUMNS = [
    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
    {"name": "Mode", "type": "string", "jsonPath": ".spec.mode", "priority": 1, "description": "how"},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]
V1 = {
    "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}, "additionalPrinterColumns": COLUMNS,
    "selectableFields": [{"jsonPath": ".spec.mode"}, {"jsonPath": ".spec.size"}],
    "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.ready", "labelSelectorPath": ".status.selector"}},
}  # fmt: skip
V2 = {
    "name": "v2beta1", "served": True, "storage": False, "deprecated": True, "deprecationWarning": "use v1",
    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
}  # fmt: skip
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"widgets.{GROUP}"},
    "spec": {"group": GROUP, "scope": "Namespaced", "names": NAMES, "versions": [V1, V2]},
}  # fmt: skip
WIDGETS = f"/apis/{GROUP}/v1/namespaces/custom/widgets"
OLDER = f"/apis/{GROUP}/v2beta1/namespaces/custom/widgets"


def everything():
    yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": "custom"}})
    yield from _bad_definitions()
    yield ask("POST", DEFINITIONS, DEFINITION)
    yield ask("UNTIL", WIDGETS)
    yield from _objects()
    yield from _changes()
    yield from _applies()
    yield from _subresources()
    yield from _versions()
    yield from _lists()
    yield ask("PATCH", f"{DEFINITIONS}/widgets.{GROUP}", {"spec": {"scope": "Cluster"}}, type=MERGE)
    yield ask("PATCH", f"{DEFINITIONS}/widgets.{GROUP}", {"spec": {"versions": [V2]}}, type=MERGE)
    yield ask("PATCH", f"{DEFINITIONS}/widgets.{GROUP}", {"spec": {"names": {"plural": "others"}}}, type=MERGE)
    yield ask(
        "PATCH", f"{DEFINITIONS}/widgets.{GROUP}?dryRun=All", {"spec": {"names": {"shortNames": ["Bad_"]}}}, type=MERGE
    )


def definition(name="things", **spec):
    found = {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": name, "kind": "Thing"},
        "versions": [{**V2, "storage": True}],
    }
    return {"metadata": {"name": f"{name}.{GROUP}"}, "spec": {**found, **spec}}


def version(schema, **more):
    return [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **more}]


def _bad_definitions():
    dry = f"{DEFINITIONS}?dryRun=All"
    for tree in (definition(), {"metadata": {"name": "wrong.example.com"}, "spec": definition()["spec"]}, definition(scope="x"), definition(group="x"), definition(names={"plural": "Things", "kind": "thing"}), definition(versions=[]), definition(names={"plural": "things", "kind": "Thing", "listKind": "Thing"}),
                 definition(versions=[{**V2, "storage": False}]), definition(versions=[{**V2, "storage": True}, {**V2, "storage": True}]), definition(versions=[{**V2, "storage": True, "name": "x_y"}]), definition(versions=[{"name": "v1", "served": True, "storage": True}]), definition(preserveUnknownFields=True),
                 definition(conversion={"strategy": "Nonsense"}), definition(conversion={"strategy": "Webhook"}), definition(conversion={"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v9"], "clientConfig": {"url": "http://x"}}}), definition(conversion={"strategy": "None", "webhook": {"conversionReviewVersions": ["v1"]}}),
                 definition(conversion={"strategy": "Webhook", "webhook": {"conversionReviewVersions": [], "clientConfig": {"service": {"name": "x", "namespace": "y", "port": 99999}, "url": "https://x"}}})):  # fmt: skip
        yield ask("POST", dry, tree)
    for schema in ({}, {"type": "string"}, {"type": "object", "properties": {"spec": {}}}, {"type": "object", "properties": {"spec": {"type": "nonsense"}}}, {"type": "object", "properties": {"metadata": {"type": "object", "properties": {"labels": {"type": "object"}}}}},
                   {"type": "object", "properties": {"spec": {"type": "array"}}}, {"type": "object", "properties": {"spec": {"type": "array", "items": [STRING]}}}, {"type": "object", "properties": {"a": {"type": "string", "default": 5}}}, {"type": "object", "properties": {"a": {"type": "object", "default": {"x": 1}, "properties": {"y": STRING}}}},
                   {"type": "object", "properties": {"a": {"type": "string", "pattern": "("}}}, {"type": "object", "properties": {"a": {"type": "array", "items": STRING, "uniqueItems": True}}}, {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map"}}},
                   {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object", "properties": {"k": STRING}}, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k", "j"]}}}, {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "set"}}},
                   {"type": "object", "properties": {"a": {"type": "string", "x-kubernetes-int-or-string": True}}}, {"type": "object", "properties": {"a": {"type": "object", "x-kubernetes-embedded-resource": True}}}, {"type": "object", "properties": {"a": {"x-kubernetes-preserve-unknown-fields": False, "type": "object"}}},
                   {"type": "object", "properties": {"a": {"type": "object", "additionalProperties": STRING, "properties": {"x": STRING}}}}, {"type": "object", "properties": {"a": {"type": "object", "additionalProperties": False}}}, {"type": "object", "properties": {"a": {"$ref": "#/x"}}}, {"type": "object", "properties": {"a": {"type": "string", "format": "nonsense"}}},
                   {"type": "object", "properties": {"a": {"type": "object", "anyOf": [{"type": "object"}]}}}, {"type": "object", "properties": {"a": {"type": "object", "allOf": [{"properties": {"b": {"minLength": 1}}}]}}}, {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "nullable": True}, {"type": "object", "properties": {"a": {"type": "string", "x-kubernetes-map-type": "atomic"}}},
                   {"type": "object", "properties": {"a": {"type": "string", "x-kubernetes-nonsense": 1}}}, {"type": "object", "definitions": {"x": {}}}, {"type": "object", "properties": {"a": {"type": "string", "minimum": "x"}}}, {"type": "object", "properties": {"a": {"enum": ["a", 1]}}}):  # fmt: skip
        yield ask("POST", dry, definition(versions=version(schema)))
    for more in ({"selectableFields": [{"jsonPath": ".spec.x"}]}, {"selectableFields": [{"jsonPath": "x"}]}, {"selectableFields": [{"jsonPath": ".metadata.name"}]}, {"selectableFields": [{"jsonPath": ".spec.list"}, {"jsonPath": ".spec.s"}, {"jsonPath": ".spec.s"}]}, {"selectableFields": [{"jsonPath": ".spec.s"}] * 9},
                 {"additionalPrinterColumns": [{"name": "", "type": "x", "jsonPath": "x"}]}, {"additionalPrinterColumns": [{"name": "a", "type": "string", "jsonPath": ".spec[", "format": "x"}]}, {"subresources": {"scale": {}}}, {"subresources": {"scale": {"specReplicasPath": "x", "statusReplicasPath": ".spec.y", "labelSelectorPath": "."}}},
                 {"deprecationWarning": "x"}, {"deprecated": True, "deprecationWarning": ""}, {"deprecated": True, "deprecationWarning": "x" * 300}, {"name": "v1", "served": False}):  # fmt: skip
        schema = {
            "type": "object",
            "properties": {
                "spec": {"type": "object", "properties": {"s": STRING, "list": {"type": "array", "items": STRING}}}
            },
        }
        yield ask("POST", dry, definition(versions=version(schema, **more)))


def widget(called="w", /, *, kind="Widget", api_version=f"{GROUP}/v1", **spec):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": called}, "spec": spec}


def _objects():
    yield ask("POST", WIDGETS, widget())
    yield ask("POST", WIDGETS, widget("full", size=5, name="abc", port="x", free={"a": {"b": 1}}, none=None, when="2024-01-01T00:00:00Z", ratio=1.5, tags=["a", "b"], parts=[{"name": "p"}], atoms={"a": "b"}, more={"a": 1}, template={"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "nonsense": 1}}, one={"x": "1"}, unknown=1))  # fmt: skip
    for spec in ({"size": 0}, {"size": 11}, {"size": "x"}, {"size": 1.5}, {"size": None}, {"mode": "c"}, {"mode": 5}, {"name": "a"}, {"name": "abcdef"}, {"name": "A1"}, {"port": True}, {"port": 80}, {"free": "x"}, {"none": 5}, {"when": "x"}, {"ratio": 0}, {"ratio": 0.3}, {"tags": ["a", "a"]}, {"tags": ["a", "b", "c", "d"]},
                 {"tags": "x"}, {"tags": [5]}, {"parts": [{"name": "a"}, {"name": "a"}]}, {"parts": [{}]}, {"parts": [5]}, {"atoms": {"a": 5}}, {"more": {"a": "x"}}, {"more": {"a": 1, "b": 2, "c": 3}}, {"template": {}}, {"template": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "Bad_"}}}, {"template": {"apiVersion": 5}},
                 {"one": {}}, {"one": {"x": "1", "y": "2"}}, {"unknown": 1, "size": 99}, {"name": "A", "mode": "z", "tags": ["x", "x"]}):  # fmt: skip
        yield ask("POST", f"{WIDGETS}?dryRun=All", widget("x", **spec))
    for validation in ("Strict", "Warn", "Ignore"):
        yield ask("POST", f"{WIDGETS}?dryRun=All&fieldValidation={validation}", widget("x", unknown=1, free={"ok": 1}, template={"apiVersion": "v1", "kind": "Pod", "metadata": {"nonsense": 1}}))  # fmt: skip
        yield ask("POST", f"{WIDGETS}?dryRun=All&fieldValidation={validation}", {**widget("x"), "extra": 1, "metadata": {"name": "x", "odd": 2}})  # fmt: skip
    for tree in ({"spec": {}}, widget(kind="Other"), widget(api_version=f"{GROUP}/v9"), widget(api_version="v1", kind="Pod"), {**widget(), "metadata": {}}, {**widget(), "metadata": None}, {**widget(), "metadata": {"name": "Bad_"}}, {**widget(), "metadata": {"name": "x", "labels": {"a": 5}}}, {**widget(), "metadata": {"name": "x", "namespace": "other"}},
                 {**widget("x"), "spec": None}, {**widget("x"), "spec": "x"}, {**widget("x"), "spec": []}, {**widget("x"), "status": {"ready": 1}}, {**widget("x"), "metadata": {"name": "x", "creationTimestamp": "x"}}, {**widget("x"), "metadata": {"name": "x", "finalizers": ["nodomain"]}}, {**widget("x"), "metadata": {"generateName": "gen-"}}):  # fmt: skip
        yield ask("POST", f"{WIDGETS}?dryRun=All", tree)


def _changes():
    w = f"{WIDGETS}/w"
    yield ask("PUT", w, widget("w", size=4))
    yield ask("GET", w)
    yield ask("PUT", w, {**widget("w", size=4), "metadata": {"name": "w", "resourceVersion": "$rv"}})
    yield ask("PUT", w, {**widget("w", size=4), "metadata": {"name": "w", "resourceVersion": "1"}})
    yield ask("PUT", w, {**widget("w", size=4), "metadata": {"name": "w", "resourceVersion": "x"}})
    for patch, type in (({"spec": {"size": 6}}, MERGE), ({"spec": {"size": None}}, MERGE), ({"spec": {"mode": None, "parts": [{"name": "q"}]}}, MERGE), ({"spec": {"size": 99}}, MERGE), ({"spec": {"unknown": 1}}, MERGE), ({"spec": "x"}, MERGE), ({"metadata": {"name": "other"}}, MERGE), ({"kind": "Other"}, MERGE), ({"apiVersion": "x/v1"}, MERGE),
                        ({"spec": {"size": 6}}, STRATEGIC), ([{"op": "add", "path": "/spec/tags", "value": ["a"]}], JSON_PATCH), ([{"op": "add", "path": "/spec/tags/-", "value": "a"}], JSON_PATCH), ([{"op": "remove", "path": "/spec/tags"}], JSON_PATCH), ([{"op": "test", "path": "/spec/size", "value": 99}], JSON_PATCH), ([{"op": "replace", "path": "/spec/size", "value": "x"}], JSON_PATCH), ("{", MERGE), ("[]", MERGE)):  # fmt: skip
        yield ask("PATCH", w, patch, type=type)
    yield ask("GET", w)
    yield ask("GET", w, accept=TABLE)
    yield ask("GET", w, accept=PARTIAL)


def _applies():
    path = f"{WIDGETS}/applied"
    yield apply(
        path, widget("applied", size=2, tags=["a"], parts=[{"name": "p", "value": "1"}], atoms={"a": "1"}), "m1"
    )
    yield apply(path, widget("applied", tags=["b"], parts=[{"name": "q"}], atoms={"b": "1"}), "m2")
    yield apply(path, widget("applied", tags=["b"], parts=[{"name": "q"}], atoms={"b": "1"}), "m2", force="true")
    yield apply(path, widget("applied", parts=[{"name": "p", "value": "2"}]), "m2")
    yield apply(path, widget("applied", size=2, tags=["a"]), "m1")
    yield apply(path, widget("applied", tags=["b", "b"]), "m3")
    yield apply(path, widget("applied", parts=[{"value": "x"}]), "m3")
    yield apply(path, widget("applied", free={"a": {"b": 1}}), "m3")
    yield apply(path, widget("applied", free={"a": {"c": 1}}), "m4")
    yield apply(path, widget("applied", unknown=1), "m4")
    yield apply(path, widget("applied", unknown=1), "m4", fieldValidation="Strict")
    yield apply(path, widget("applied", size=77), "m4", force="true")
    yield apply(path, widget("applied", size="x"), "m4", force="true")
    yield apply(path.replace("/v1/", "/v2beta1/"), widget("applied", api_version=f"{GROUP}/v2beta1", size=9), "m5")
    yield apply(path.replace("/v1/", "/v2beta1/"), widget("applied", api_version=f"{GROUP}/v2beta1", size=9), "m5", force="true")  # fmt: skip
    yield apply(path, widget("applied", size=2), "m1")
    yield ask("GET", path)


def _subresources():
    w = f"{WIDGETS}/w"
    yield ask("PUT", f"{w}/status", {**widget("w", size=9), "status": {"ready": 2, "selector": "a=b", "odd": 1}})
    yield ask("PATCH", f"{w}/status", {"status": {"ready": "x"}}, type=MERGE)
    yield ask(
        "PATCH",
        f"{w}/status",
        {"status": {"note": "n"}, "spec": {"size": 1}, "metadata": {"labels": {"a": "b"}}},
        type=MERGE,
    )
    yield ask("GET", f"{w}/status")
    yield ask("GET", f"{w}/scale")
    yield ask("PATCH", f"{w}/scale", {"spec": {"replicas": 7}}, type=MERGE)
    yield ask("PATCH", f"{w}/scale", {"spec": {"replicas": 70}}, type=MERGE)
    yield ask("PATCH", f"{w}/scale", {"spec": {"replicas": -1}}, type=MERGE)
    yield ask("PUT", f"{w}/scale", {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "w", "namespace": "custom"}, "spec": {"replicas": 2}})  # fmt: skip
    yield ask("PUT", f"{w}/scale", {"metadata": {"name": "x"}, "spec": {"replicas": 2}})
    yield ask("PUT", f"{w}/scale", {"kind": "Widget", "apiVersion": f"{GROUP}/v1", "metadata": {"name": "w"}})
    yield ask("GET", f"{WIDGETS}/nobody/scale")
    yield ask("GET", f"{w}/nonsense")
    yield ask("DELETE", f"{w}/status")
    yield ask("POST", f"{w}/status", {})


def _versions():
    for accept in ("application/json", TABLE, PARTIAL):
        yield ask("GET", f"{OLDER}/full", accept=accept)
    yield ask("POST", OLDER, widget("older", api_version=f"{GROUP}/v2beta1", anything={"x": 1}, size=2))
    yield ask("GET", f"{WIDGETS}/older")
    yield ask("PUT", f"{OLDER}/older", widget("older", api_version=f"{GROUP}/v1"))
    yield ask("PATCH", f"{OLDER}/older", {"spec": {"size": 3}}, type=MERGE)
    yield ask("GET", f"{OLDER}/older/status")
    yield ask("GET", f"{OLDER}/older/scale")
    yield ask("GET", OLDER)
    yield ask("GET", f"/apis/{GROUP}/v9/widgets")
    yield ask("GET", f"/apis/{GROUP}")
    yield ask("GET", f"/apis/{GROUP}/v1")
    yield ask("GET", f"/apis/{GROUP}/v2beta1")


def _lists():
    for query in ("fieldSelector=spec.mode%3Da", "fieldSelector=spec.size%3D3", "fieldSelector=spec.size!%3D3", "fieldSelector=spec.name%3Dabc", "fieldSelector=metadata.name%3Dw", "fieldSelector=status.ready%3D2", "limit=2", "labelSelector=a%3Db", "fieldSelector=spec.mode%3Da,spec.size%3D5"):  # fmt: skip
        yield ask("GET", f"{WIDGETS}?{query}")
        yield ask("GET", f"{WIDGETS}?{query}", accept=TABLE)
    yield ask("GET", f"{OLDER}?fieldSelector=spec.mode%3Da")
    yield ask("GET", WIDGETS, accept="application/vnd.kubernetes.protobuf")
    yield ask("GET", WIDGETS, accept="application/yaml")
    yield ask("WATCH", f"{WIDGETS}?watch=1&timeoutSeconds=5&fieldSelector=spec.mode%3Da", events=1)
    yield ask("WATCH", f"{WIDGETS}?watch=1&timeoutSeconds=5&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&fieldSelector=metadata.name%3Dnobody", events=1)  # fmt: skip
    yield ask("DELETE", f"{WIDGETS}/older")
    yield ask("DELETE", f"{WIDGETS}/older")
    yield ask("DELETE", f"{WIDGETS}/w", {"preconditions": {"uid": "x"}})
    yield ask("DELETE", f"{WIDGETS}/w", {"preconditions": {"resourceVersion": "1"}})
    yield ask("DELETE", f"{WIDGETS}/w", {"propagationPolicy": "Foreground"})
    yield ask("DELETE", f"{WIDGETS}?fieldSelector=spec.mode%3Db")

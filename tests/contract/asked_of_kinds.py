"""Requests to compare two servers with: every verb of every kind, good and bad. Knows no answers.

`Ask` is one request. In its path and body `$uid`, `$rv` and `$continue` stand for what the last answer that had them said.
"""

import copy
import json
from dataclasses import dataclass, field

from apimachinery.kinds import KINDS, Kind
from tests.unit.strategies_samples import SAMPLES

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
PROTOBUF = "application/vnd.kubernetes.protobuf"
YAML = "application/yaml"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
NAMESPACE = "t"


@dataclass(frozen=True)
class Ask:
    """One request. The method WATCH is a GET of which only the first `events` lines are read."""

    method: str
    path: str
    body: object = None  # a tree, or the text itself
    headers: dict = field(default_factory=dict)
    events: int = 1

    def content(self):
        if self.body is None:
            return None
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


def ask(method, path, body=None, type=None, events=1, **headers):
    """A request, with headers as keywords."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        sent["content-type"] = type or "application/json"
    elif type is not None:
        sent["content-type"] = type
    return Ask(method, path, body, sent, events)


def every_kind():
    """All requests about all kinds."""
    yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    for kind in KINDS:
        if "list" in kind.verbs and "create" in kind.verbs:
            yield from of_kind(kind)


def sample(kind: Kind):
    """A good object and its name."""
    found = SAMPLES.get(kind)
    if found is None:
        twin = (
            next(other for other in SAMPLES if other.plural == kind.plural and other.kind == kind.kind)
            if kind.plural not in _OWN
            else None
        )
        found = _OWN[kind.plural] if twin is None else SAMPLES[twin]
    tree = {**copy.deepcopy(found), "apiVersion": kind.api_version, "kind": kind.kind}
    tree["metadata"] = {"name": "sample", **tree.get("metadata", {})}
    if kind.plural == "apiservices":  # its own name is that of a group that a CustomResourceDefinition here makes
        tree["metadata"]["name"], tree["spec"]["group"] = "v1.other.example.com", "other.example.com"
    return _IN_VERSION.get((kind.group, kind.version, kind.plural), lambda it: it)(tree)


_EVENT = {"eventTime": "2024-01-01T00:00:00.000000Z", "reportingController": "example.com/c", "action": "A",
          "reportingInstance": "c-1", "reason": "R", "type": "Normal",
          "regarding": {"kind": "Pod", "namespace": NAMESPACE, "name": "x"}}  # fmt: skip
_OWN = {
    "certificatesigningrequests": {
        "spec": {"request": "eA==", "signerName": "example.com/s", "usages": ["client auth"]}
    }
}


def _modern_event(tree):
    return {**{key: tree[key] for key in ("apiVersion", "kind", "metadata")}, **_EVENT}


def _core_event(tree):
    return {**tree, "involvedObject": {**tree["involvedObject"], "namespace": NAMESPACE}}


_IN_VERSION = {("events.k8s.io", "v1", "events"): _modern_event, ("", "v1", "events"): _core_event}


def of_kind(kind: Kind):
    """Every verb of one kind."""
    try:
        tree = sample(kind)
    except StopIteration:
        return
    where = kind.path(NAMESPACE if kind.namespaced else "")
    name = tree["metadata"]["name"]
    one, missing = f"{where}/{name}", f"{where}/nobody"
    only = f"{where}?fieldSelector=metadata.name%3D{name}"
    yield from _created(kind, tree, where)
    yield from _read(kind, one, missing, only)
    yield from _updated(kind, tree, one, missing)
    yield from _patched(kind, tree, one, missing)
    for subresource in kind.subresources:
        yield from _part(kind, one, missing, subresource)
    yield from _deleted(kind, tree, where, one, name)


def _created(kind, tree, where):
    def changed(**metadata):
        return {**tree, "metadata": {**tree["metadata"], **metadata}}

    yield ask("GET", f"{where}?fieldSelector=metadata.name%3Dnobody")
    yield ask("POST", f"{where}?dryRun=All", tree)
    yield ask(
        "POST",
        f"{where}?dryRun=All&fieldValidation=Strict",
        {**tree, "nonsense": 1, "metadata": {**tree["metadata"], "labelz": {}}},
    )
    yield ask("POST", f"{where}?dryRun=All", {**tree, "nonsense": 1})
    yield ask("POST", f"{where}?dryRun=All", changed(labels={"a b": "c"}, annotations={"x/y/z": ""}))
    yield ask(
        "POST", f"{where}?dryRun=All", changed(ownerReferences=[{"apiVersion": "v1", "kind": "Pod", "name": "x"}])
    )
    yield ask("POST", f"{where}?dryRun=All", changed(finalizers=["nonsense"]))
    yield ask("POST", f"{where}?dryRun=All", changed(name="", generateName=""))
    yield ask("POST", f"{where}?dryRun=All", changed(name="Bad Name"))
    yield ask("POST", f"{where}?dryRun=All", changed(namespace="elsewhere"))
    yield ask("POST", f"{where}?dryRun=All", changed(resourceVersion="5"))
    yield ask("POST", f"{where}?dryRun=All", {**tree, "kind": "Other"})
    yield ask("POST", f"{where}?dryRun=All", {**tree, "apiVersion": "other/v1"})
    yield ask("POST", f"{where}?dryRun=All", {"metadata": {"name": "empty"}})
    yield ask("POST", f"{where}?dryRun=All", {"metadata": {"name": "empty"}, "spec": {}})
    yield ask("POST", f"{where}?dryRun=All", {"metadata": {"name": "empty"}, "spec": []})
    yield ask("POST", f"{where}?dryRun=All", [])
    yield ask("POST", where, tree)
    yield ask("POST", where, tree)
    if kind.namespaced:
        yield ask("POST", kind.path(), tree)
        yield ask("POST", kind.path("nowhere"), tree)


def _read(kind, one, missing, only):
    yield ask("GET", one)
    for accept in (YAML, TABLE, PARTIAL, PROTOBUF):
        yield ask("GET", one, accept=accept)
    yield ask("GET", one, accept=f"{TABLE},application/json", user_agent="kubectl/v1.34.1")
    yield ask("GET", f"{one}?includeObject=Object", accept=TABLE)
    yield ask("GET", one, accept=PARTIAL_LIST)
    yield ask("GET", missing)
    yield ask("GET", missing, accept=TABLE)
    yield ask("GET", only)
    for accept in (TABLE, PARTIAL_LIST, PROTOBUF):
        yield ask("GET", only, accept=accept)
    yield ask("GET", only, accept=PARTIAL)
    yield ask("GET", f"{kind.path()}?fieldSelector=metadata.name%3D{one.rpartition('/')[2]}")
    for selector in (
        "spec.nonsense%3Dx",
        "metadata.namespace%3Dx",
        "status.phase%3DRunning",
        "type%3Dx",
        "spec.nodeName%3Dx",
    ):
        yield ask("GET", f"{only.partition('?')[0]}?fieldSelector={selector}")
    yield ask("GET", f"{only.partition('?')[0]}?labelSelector=none%3Dhere")
    yield ask("WATCH", only.replace("?", "?watch=1&timeoutSeconds=1&"))
    yield ask("WATCH", only.replace("?", "?watch=1&timeoutSeconds=1&"), accept=TABLE)
    yield ask("WATCH", only.replace("?", "?watch=1&timeoutSeconds=1&"), accept=PARTIAL)
    yield ask(
        "WATCH",
        only.replace(
            "?",
            "?watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&",
        ),
        events=2,
    )


def _updated(kind, tree, one, missing):
    def changed(**metadata):
        return {**tree, "metadata": {**tree["metadata"], **metadata}}

    yield ask("PUT", f"{one}?dryRun=All", tree)
    yield ask("PUT", one, changed(labels={"a": "b"}))
    yield ask("PUT", f"{one}?dryRun=All", changed(name="other"))
    yield ask("PUT", f"{one}?dryRun=All", changed(name=""))
    yield ask("PUT", f"{one}?dryRun=All", changed(resourceVersion="1"))
    yield ask("PUT", f"{one}?dryRun=All", changed(resourceVersion="x"))
    yield ask("PUT", f"{one}?dryRun=All", changed(uid="x"))
    yield ask("PUT", f"{one}?dryRun=All", {"metadata": {"name": tree["metadata"]["name"]}})
    yield ask("PUT", missing, {**tree, "metadata": {"name": "nobody", "uid": "x"}})
    yield ask("PUT", f"{missing}?dryRun=All", {**tree, "metadata": {"name": "nobody"}})


def _patched(kind, tree, one, missing):
    dry = f"{one}?dryRun=All"
    yield ask("PATCH", one, {"metadata": {"labels": {"c": "d"}}}, type=MERGE)
    yield ask("PATCH", one, {"metadata": {"labels": {"c": "d"}}}, type=MERGE)
    yield ask("PATCH", dry, {"metadata": {"annotations": {"c": None, "e": "f"}}}, type=STRATEGIC)
    yield ask("PATCH", dry, {"metadata": {"name": "other"}}, type=MERGE)
    yield ask("PATCH", dry, {"metadata": {"uid": "other"}}, type=MERGE)
    yield ask("PATCH", dry, {"metadata": {"resourceVersion": "1"}}, type=MERGE)
    yield ask("PATCH", dry, {"metadata": {"labels": 5}}, type=MERGE)
    yield ask("PATCH", dry, {"nonsense": 5}, type=MERGE)
    yield ask("PATCH", f"{dry}&fieldValidation=Strict", {"nonsense": 5}, type=STRATEGIC)
    yield ask("PATCH", dry, [{"op": "test", "path": "/kind", "value": "x"}], type=JSON_PATCH)
    yield ask("PATCH", dry, [{"op": "remove", "path": "/nonsense"}], type=JSON_PATCH)
    yield ask("PATCH", dry, [{"op": "add", "path": "/metadata/labels/x", "value": "y"}], type=JSON_PATCH)
    yield ask("PATCH", dry, [{"op": "replace", "path": "/kind", "value": "x"}], type=JSON_PATCH)
    yield ask("PATCH", missing, {"metadata": {"labels": {"c": "d"}}}, type=MERGE)
    yield ask("PATCH", dry, {"metadata": {"labels": {"c": "d"}}})
    yield ask("PATCH", dry, tree, type=APPLY)
    yield ask("PATCH", f"{dry}&fieldManager=m", tree, type=APPLY)
    yield ask("PATCH", f"{one}?fieldManager=m&force=true", tree, type=APPLY)
    yield ask(
        "PATCH",
        f"{dry}&fieldManager=other",
        {**tree, "metadata": {**tree["metadata"], "labels": {"c": "e"}}},
        type=APPLY,
    )
    yield ask(
        "PATCH", f"{dry}&fieldManager=m", {**tree, "metadata": {**tree["metadata"], "managedFields": [{}]}}, type=APPLY
    )
    yield ask("PATCH", f"{dry}&fieldManager=m", {"apiVersion": tree["apiVersion"]}, type=APPLY)
    yield ask("GET", one)


def _part(kind, one, missing, subresource):
    if subresource in ("exec", "attach", "portforward", "proxy", "log", "finalize"):
        return
    path = f"{one}/{subresource}"
    yield ask("GET", path)
    yield ask("GET", path, accept=TABLE)
    yield ask("GET", f"{missing}/{subresource}")
    yield ask("PUT", path, {"metadata": {"name": one.rpartition("/")[2]}})
    yield ask("PATCH", f"{path}?dryRun=All", {"metadata": {"labels": {"s": "t"}}}, type=MERGE)
    yield ask("PATCH", f"{path}?dryRun=All", {"status": {"nonsense": 1}}, type=MERGE)
    yield ask(
        "PATCH",
        f"{path}?dryRun=All",
        {
            "status": {
                "conditions": [
                    {
                        "type": "X",
                        "status": "True",
                        "reason": "R",
                        "message": "m",
                        "lastTransitionTime": "2024-01-01T00:00:00Z",
                    }
                ]
            }
        },
        type=MERGE,
    )
    yield ask("PATCH", f"{path}?dryRun=All", {"spec": {"replicas": -1}}, type=MERGE)
    yield ask("PATCH", f"{path}?dryRun=All", {"spec": {"replicas": 3}}, type=MERGE)
    yield ask("POST", path, {})
    yield ask("DELETE", path)


def _deleted(kind, tree, where, one, name):
    yield ask("DELETE", one, {"preconditions": {"uid": "x"}})
    yield ask("DELETE", one, {"preconditions": {"resourceVersion": "1"}})
    yield ask("DELETE", one, {"propagationPolicy": "Nonsense"})
    yield ask("DELETE", one, {"kind": "Pod", "apiVersion": "v1"})
    yield ask("DELETE", f"{one}?dryRun=All")
    yield ask("DELETE", f"{one}?dryRun=All&gracePeriodSeconds=-1")
    yield ask("DELETE", f"{one}?dryRun=All&propagationPolicy=Foreground")
    yield ask("DELETE", f"{where}?labelSelector=none%3Dhere")
    yield ask("DELETE", f"{where}?labelSelector=c%3Dd&dryRun=All")
    yield ask("DELETE", f"{one}?gracePeriodSeconds=0")
    yield ask("DELETE", one)
    yield ask("PATCH", f"{one}?fieldManager=m", tree, type=APPLY)
    yield ask("DELETE", f"{one}?gracePeriodSeconds=0&dryRun=All", accept=TABLE)
    yield ask("DELETE", f"{one}?gracePeriodSeconds=0")
    yield ask("GET", one)

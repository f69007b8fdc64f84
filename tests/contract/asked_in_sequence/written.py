"""Ways of writing in their odd cases, found by sequences of writes made by chance: patches, Scales, deletes, names."""

from tests.contract.asked_in_sequence.applied import SELECTOR, apply, deployment, template
from tests.contract.asked_of_kinds import JSON_PATCH, MERGE, STRATEGIC, ask

PLACE = "/api/v1/namespaces/written"
MAPS = f"{PLACE}/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/written/deployments"

_SPEC = {"type": "object", "properties": {"name": {"type": "string"}, "none": {"type": "string", "nullable": True}}}
_SCHEMA = {"openAPIV3Schema": {"type": "object", "properties": {"spec": _SPEC}}}
_NOTES = {
    "metadata": {"name": "notes.written.example.com"},
    "spec": {
        "group": "written.example.com",
        "scope": "Namespaced",
        "names": {"plural": "notes", "singular": "note", "kind": "Note", "listKind": "NoteList"},
        "versions": [{"name": v, "served": True, "storage": v == "v1", "schema": _SCHEMA} for v in ("v1", "v2")],
    },
}


def everything():
    yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": "written"}})
    yield from _strategic()
    yield from _json()
    yield from _nowhere()
    yield from _versions()
    yield from _warnings()
    yield from _deletes()
    yield from _nulls()


def _container(name="c", **more):
    return {"name": name, "image": "i", **more}


def _strategic():
    d = f"{DEPLOYMENTS}/d"
    pods = template(_container(), volumes=[{"name": "w", "emptyDir": {}}])
    yield ask("POST", DEPLOYMENTS, deployment("d", selector=SELECTOR, template=pods))
    kept = {"name": "v", "emptyDir": {}, "$retainKeys": ["name", "emptyDir"]}
    ordered = _container("e", env=[{"name": "q", "value": None}], **{"$setElementOrder/env": [{"name": "q"}]})
    for change in (
        {"spec": {"template": {"spec": {"volumes": [kept]}}}},
        {"spec": {"template": {"spec": {"containers": [ordered]}}}},
        {"metadata": {"finalizers": ["a.b/c"], "$deleteFromPrimitiveList/finalizers": "x"}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a.b/c"]}},
        {"metadata": {"finalizers": ["a.b/d"]}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": None}},
        {"metadata": {"$deleteFromPrimitiveList/ownerReferences": None, "annotations": {"$retainKeys": []}}},
        {"metadata": {"finalizers": [{"a": "b"}]}},
        {"spec": {"$patch": 5}},
        {"spec": {"$setElementOrder/x": {"a": 1}}},
        {"$patch": "replace", "odd": 1},
        {"metadata": "x"},
    ):
        yield ask("PATCH", f"{d}?fieldManager=p", change, type=STRATEGIC)


def _json():
    d = f"{DEPLOYMENTS}/d"
    for operations in (
        None,
        [None],
        [{"op": 5, "path": "/x"}],
        [{"op": "copy", "from": "/metadata/annotations", "path": "/metadata/labels"}],
        [{"op": "copy", "from": "/spec/absent/x", "path": "/metadata/labels"}],
        [{"op": "remove", "path": "/apiVersion"}],
        [{"op": "remove", "path": "/kind"}],
        [{"op": "replace", "path": "/metadata", "value": "x"}],
        [{"op": "replace", "path": "/metadata/name", "value": {"a": 1}}],
    ):
        body = "null" if operations is None else operations
        yield ask("PATCH", f"{d}?dryRun=All", body, type=JSON_PATCH)
        yield ask("PATCH", f"{d}?dryRun=All&fieldValidation=Strict", body, type=JSON_PATCH)
    for change in (
        {"apiVersion": None},
        {"metadata": "x"},
        {"metadata": {"namespace": 5}},
        {"metadata": {"namespace": "other"}, "odd": 1},
        {"metadata": {"resourceVersion": 5}},
    ):
        yield ask("PATCH", f"{d}?dryRun=All", change, type=MERGE)


def _nowhere():
    nobody = f"{DEPLOYMENTS}/nobody"
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "nobody"}, "spec": {"replicas": 1}}
    yield ask("PUT", f"{nobody}/scale", scale)
    yield apply(f"{nobody}/scale", [], "m")
    for type in (MERGE, STRATEGIC, JSON_PATCH):
        yield ask("PATCH", f"{nobody}/scale", [], type=type)
        yield ask("PATCH", nobody, "5", type=type)
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "nobody"}}
    for place in ("services/nobody", "services/nobody/status"):
        yield ask("PUT", f"{PLACE}/{place}", service)
        yield apply(f"{PLACE}/{place}", service, "m")


def _versions():
    leases = "/apis/coordination.k8s.io/v1/namespaces/written/leases"
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}}
    yield ask("POST", leases, lease)
    for version in ("0", "", None, "1"):
        meta = {"name": "l", "resourceVersion": version}
        yield ask("PATCH", f"{leases}/l", {"metadata": meta}, type=MERGE)
        yield apply(f"{leases}/l", {**lease, "metadata": meta}, "m")
    named = {"metadata": {"name": "both", "generateName": "g-"}}
    for _ in range(2):
        yield ask("POST", MAPS, named)


def _warnings():
    ports = [{"containerPort": 80}]
    pods = template(_container("a", ports=ports), _container("b", ports=ports))
    d = f"{DEPLOYMENTS}/w"
    yield ask("POST", DEPLOYMENTS, deployment("w", selector=SELECTOR, template=pods))
    yield ask("PATCH", d, {"metadata": {"labels": {"a": "b"}}}, type=MERGE)
    yield ask("PATCH", d, {"spec": {"replicas": 3}}, type=MERGE)
    yield ask("PATCH", f"{d}/scale", {"spec": {"replicas": 4}}, type=MERGE)
    controllers = f"{PLACE}/replicationcontrollers"
    yield ask("POST", controllers, {"metadata": {"name": "w"}, "spec": {"selector": SELECTOR["matchLabels"], "template": pods}})  # fmt: skip
    plain = {"spec": {"template": {"spec": {"containers": [_container("a")]}}}}
    yield ask("PATCH", f"{controllers}/w", plain, type=MERGE)
    yield ask("PATCH", f"{controllers}/w", {"spec": {"template": pods}}, type=MERGE)
    yield ask("POST", f"{PLACE}/podtemplates", {"metadata": {"name": "w"}, "template": pods})
    yield ask("PATCH", f"{PLACE}/podtemplates/w", {"metadata": {"labels": {"a": "b"}}}, type=MERGE)


def _deletes():
    for name in ("x", "y"):
        yield ask("POST", MAPS, {"metadata": {"name": name, "labels": {"of": name}, "finalizers": ["a.b/c"]}})
    yield ask("DELETE", f"{MAPS}?labelSelector=of%3Dx")
    yield ask("DELETE", f"{MAPS}/y?orphanDependents=false")
    for name in ("x", "y"):
        yield ask("PATCH", f"{MAPS}/{name}", {"metadata": {"finalizers": None}}, type=MERGE)
    secrets = [{"name": "s", "namespace": "other", "kind": "Secret"}]
    yield ask("POST", f"{PLACE}/serviceaccounts", {"metadata": {"name": "a"}, "secrets": secrets})
    yield ask("POST", "/api/v1/nodes", {"metadata": {"name": "written"}, "spec": {"podCIDR": "10.1.0.0/24"}})
    yield ask("DELETE", "/api/v1/nodes/written")


def _nulls():
    """A null that somebody applied stays through another version of the kind."""
    yield ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", _NOTES)
    note = {"kind": "Note", "metadata": {"name": "n"}}
    places = {v: f"/apis/written.example.com/{v}/namespaces/written/notes" for v in ("v1", "v2")}
    for place in places.values():
        yield ask("UNTIL", place)
    for manager, v, spec in (
        ("a", "v1", {"name": "x"}),
        ("b", "v1", {"none": None}),
        ("a", "v2", {}),
        ("b", "v2", {"none": None, "name": None}),
        ("b", "v1", {}),
    ):
        tree = {**note, "apiVersion": f"written.example.com/{v}", **({"spec": spec} if spec else {})}
        yield apply(f"{places[v]}/n", tree, manager)
    yield ask("PATCH", f"{places['v1']}/n?fieldValidation=x", {}, type=STRATEGIC)

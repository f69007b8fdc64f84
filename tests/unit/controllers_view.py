"""A view of plain data for controllers' tests, and what becomes of it when a plan is carried out."""

import itertools

import msgspec

from apimachinery.kinds import PODS
from apimachinery.times import rfc3339
from client.plan import Create, Delete, Key, Patch
from controllers.cached import (
    CACHED,
)

NOW = 1_700_000_000.0
ROWS = {row.kind: row for row in CACHED}


class FakeView:
    """Objects as raw trees by kind; answers as the caches do. `apply` is a small server."""

    def __init__(self, objects, failure=None):
        self.trees = {kind: {_key(tree): tree for tree in trees} for kind, trees in objects.items()}
        self.failure = failure
        self._numbers = itertools.count(1)

    def get(self, kind, key):
        tree = self.trees.get(kind, {}).get((key.namespace, key.name))
        return tree and self._view(kind, tree)

    def list(self, kind, namespace=""):
        found = self.trees.get(kind, {}).items()
        return [self._view(kind, tree) for key, tree in found if not namespace or key[0] == namespace]

    def by(self, kind, index, value):
        return [item for item in self.list(kind) if value in ROWS[kind].indexes[index](item)]

    def _view(self, kind, tree):
        return msgspec.convert(tree, ROWS[kind].view)

    def raw(self, kind):
        return list(self.trees.get(kind, {}).values())

    def apply(self, plan):
        for write in plan.writes:
            objects = self.trees.setdefault(getattr(write, "kind", None), {})
            match write:
                case Create():
                    number = next(self._numbers)
                    meta = dict(write.body["metadata"])
                    name = meta.get("name") or f"{meta['generateName']}{number:05}"
                    meta |= {"name": name, "namespace": write.namespace, "uid": f"made-{number}"}
                    meta |= {"creationTimestamp": rfc3339(NOW)}
                    assert (write.namespace, name) not in objects
                    tree = {**write.body, "metadata": meta}
                    objects[write.namespace, name] = (
                        ({"status": {"phase": "Pending"}} | tree) if write.kind is PODS else tree
                    )
                case Patch():
                    tree = objects[write.key.namespace, write.key.name]
                    assert tree["metadata"]["uid"] == write.uid
                    _merge(tree, write.body, strategic=write.type == "strategic")
                case Delete():
                    assert objects[write.key.namespace, write.key.name]["metadata"]["uid"] == write.uid
                    del objects[write.key.namespace, write.key.name]


def _merge(tree, patch, *, strategic):
    for name, value in patch.items():
        if value is None:
            tree.pop(name, None)
        elif isinstance(value, dict):
            _merge(tree.setdefault(name, {}), value, strategic=strategic)
        elif strategic and name in ("ownerReferences", "conditions"):
            _merge_list(tree, name, value, "uid" if name == "ownerReferences" else "type")
        else:
            tree[name] = value


def _merge_list(tree, name, patch, by):
    items = {item[by]: item for item in tree.get(name, ())}
    for item in patch:
        if item.get("$patch") == "delete":
            items.pop(item[by], None)
        else:
            items[item[by]] = {**items.get(item[by], {}), **item}
    tree[name] = list(items.values())


def _key(tree):
    return tree["metadata"].get("namespace", ""), tree["metadata"]["name"]


def meta(name, namespace="d", **more):
    return {"name": name, "namespace": namespace, "uid": f"uid-{name}", "creationTimestamp": rfc3339(NOW - 100)} | more


def owned_by(kind, name, uid=None):
    return [{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid or f"uid-{name}", "controller": True}]


def conditions(ready, since=NOW - 50):
    return [{"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": rfc3339(since)}]


def pod(name, phase="Running", *, ready=True, deleting=False, node="n1", ip="", since=NOW - 50, restarts=0, **more):
    tree = {
        "metadata": meta(name, labels={"app": "web"}, **more),
        "spec": {"nodeName": node, "containers": [{"name": "c"}]},
        "status": {
            "phase": phase,
            "conditions": conditions(ready and phase == "Running", since),
            "podIP": ip,
            "podIPs": [{"ip": ip}] if ip else [],
            "containerStatuses": [{"restartCount": restarts}],
        },
    }
    if deleting:
        tree["metadata"]["deletionTimestamp"] = rfc3339(NOW)
    return tree


KEY = Key("d", "web")

"""Requests about the kinds of resource.k8s.io, and APIServices: good objects with one to three things made wrong at random.

Knows no answers. The same requests come every time: the choices are those of a seed.
"""

import copy
import random

from tests.contract.asked_of_kinds import NAMESPACE, ask

_OPAQUE = {"opaque": {"driver": "d.example.com", "parameters": {"a": 1}}}
_SELECTORS = [{"cel": {"expression": "device.driver == 'a'"}}]
_TERMS = [
    {
        "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}],
        "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}],
    }
]
_TOLERATION = {"key": "k", "operator": "Equal", "value": "v", "effect": "NoSchedule"}
_EXACTLY = {"deviceClassName": "d", "selectors": _SELECTORS, "count": 2, "tolerations": [_TOLERATION]}
_FIRST = {"name": "a", "deviceClassName": "d", "selectors": _SELECTORS, "tolerations": [{"operator": "Exists"}]}
_SPEC = {
    "devices": {
        "requests": [
            {"name": "r", "exactly": _EXACTLY},
            {"name": "s", "firstAvailable": [_FIRST, {"name": "b", "deviceClassName": "e", "allocationMode": "All"}]},
        ],
        "constraints": [{"requests": ["r", "s/a"], "matchAttribute": "x.example.com/model"}],
        "config": [{"requests": ["r"], **_OPAQUE}],
    }
}
_DEVICES = [
    {
        "name": "g0",
        "attributes": {"model": {"string": "m"}, "d.example.com/v": {"version": "1.2.3"}},
        "capacity": {"mem": {"value": "1Gi"}},
        "taints": [{"key": "a", "effect": "NoSchedule"}],
        "nodeName": "n",
    },
    {"name": "g1", "attributes": {"n": {"int": 1}}, "bindsToNode": True},
]
_SLICE = {
    "driver": "d.example.com",
    "nodeName": "n",
    "pool": {"name": "p/q", "generation": 1, "resourceSliceCount": 1},
    "devices": _DEVICES,
    "sharedCounters": [{"name": "c", "counters": {"k": {"value": "1"}}}],
}
_SERVICE = {
    "group": "z.example.com",
    "version": "v1",
    "groupPriorityMinimum": 100,
    "versionPriority": 10,
    "service": {"namespace": "n", "name": "s", "port": 443},
    "insecureSkipTLSVerify": True,
}
_TEMPLATE = {"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}, "spec": _SPEC}
_DRA = "/apis/resource.k8s.io/v1"
_CLAIMS = f"{_DRA}/namespaces/{NAMESPACE}/resourceclaims"
#: Where they are, what they are called, and a good spec.
_GOOD = {
    f"{_DRA}/deviceclasses": ("x", {"selectors": _SELECTORS, "config": [_OPAQUE], "extendedResourceName": "a.com/b"}),
    f"{_DRA}/resourceslices": ("x", _SLICE),
    _CLAIMS: ("x", _SPEC),
    f"{_DRA}/namespaces/{NAMESPACE}/resourceclaimtemplates": ("x", _TEMPLATE),
    "/apis/apiregistration.k8s.io/v1/apiservices": ("v1.z.example.com", _SERVICE),
}
_RESULT = {"request": "r", "driver": "d.example.com", "pool": "p/q", "device": "g0"}
_GATED = {"shareID": "x", "bindingConditions": ["a"], "consumedCapacity": {"a": "1"}}
_STATUS = {
    "allocation": {
        "devices": {
            "results": [{**_RESULT, **_GATED}, {**_RESULT, "request": "s/a", "device": "g1"}],
            "config": [{"source": "FromClaim", "requests": ["r"], **_OPAQUE}],
        },
        "nodeSelector": {"nodeSelectorTerms": [{"matchExpressions": _TERMS[0]["matchExpressions"]}]},
    },
    "reservedFor": [{"resource": "pods", "name": "p", "uid": "u"}],
    "devices": [
        {
            **{name: _RESULT[name] for name in ("driver", "pool", "device")},
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "A",
                    "message": "",
                    "lastTransitionTime": "2024-01-01T00:00:00Z",
                }
            ],
            "data": {"a": 1},
            "networkData": {"interfaceName": "eth0", "ips": ["10.9.8.7/24", "2001:db8::1/64"], "hardwareAddress": "aa"},
        }
    ],
}
_WORDS = [
    *("", "Bad_Name!", "a/b", "a/b/c", "x" * 70, "x" * 260, "a.b", "All", "Exists", "In", "NotIn", "Gt", "r", "s/b"),
    *("s/zz", "1.2", "01.2.3", "-1", "a..b", "1Ti", "10.0.0.1/8", "010.0.0.1/8"),
]
_EXPRESSIONS = [
    "device.driver",
    "device.attributes['a'].b",
    "device.attributes['a'].b == 1 && device.capacity['a'].m.isGreaterThan(quantity('1Gi'))",
    "device.foo",
    "1",
    "1 +",
    "device.attributes.all(a, device.attributes.all(b, device.attributes.all(c, a==b)))",
    "device.attributes['a'].all(k, device.attributes['a'].exists(j, j.matches(k)))",
    "cel.bind(d, device.attributes['a'], d.b && d.c)",
    "cel.bind(1, device.attributes['a'], true)",
    "dyn(device)",
    "'a'.contains(device.driver)",
    "y" * 11000,
]
_NUMBERS = [0, -1, 1, 5, 70000]
_ADDED = [
    {"exactly": {"deviceClassName": "d"}},
    {"allNodes": True},
    {"allNodes": False},
    {"nodeSelector": {"nodeSelectorTerms": _TERMS}},
    {"name": "zz"},
    {"adminAccess": True},
    {"distinctAttribute": "a"},
    {"capacity": {"requests": {"a": "1"}}},
]


def everything(count=36):
    """All of them; `count` bad ones of each sort."""
    dice = random.Random(5)
    yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    for where, (name, spec) in _GOOD.items():
        good = {"metadata": {"name": name}, "spec": spec}
        for _ in range(count):
            yield ask("POST", f"{where}?dryRun=All", _spoiled(dice, good))
        yield ask("POST", where, good)
        for _ in range(count // 3):
            yield ask("PUT", f"{where}/{name}?dryRun=All", _spoiled(dice, good))
    yield from _admin_access()
    yield from _statuses(dice, count)


def _admin_access():
    """In a namespace that admits it, and in one that does not."""
    free = {"metadata": {"name": "free", "labels": {"resource.kubernetes.io/admin-access": "true"}}}
    yield ask("POST", "/api/v1/namespaces", free)
    asks = {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "", "adminAccess": True}}]}}
    good = {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "d", "adminAccess": True}}]}}
    grants = {"allocation": {"devices": {"results": [{**_RESULT, "adminAccess": True}]}}}
    for namespace in (NAMESPACE, "free"):
        where = f"{_DRA}/namespaces/{namespace}"
        for spec in (asks, good):
            yield ask("POST", f"{where}/resourceclaims?dryRun=All", {"metadata": {"name": "y"}, "spec": spec})
            template = {"metadata": {"name": "y"}, "spec": {"spec": spec}}
            yield ask("POST", f"{where}/resourceclaimtemplates?dryRun=All", template)
    claim = {"metadata": {"name": "x"}, "spec": _SPEC}
    yield ask("PUT", f"{_CLAIMS}/x/status?dryRun=All", {**claim, "status": grants})


def _statuses(dice, count):
    one, claim = f"{_CLAIMS}/x/status", {"metadata": {"name": "x"}, "spec": _SPEC}
    for _ in range(2):  # before and after there is one
        for _ in range(count):
            wrong = _spoiled(dice, {"status": _STATUS})
            yield ask("PUT", f"{one}?dryRun=All", {**claim, **wrong})
        yield ask("PUT", one, {**claim, "status": _STATUS})


def _spoiled(dice, good):
    tree = copy.deepcopy(good)
    for _ in range(dice.choice([1, 1, 2, 3])):
        found = [(parent, key) for top in ("spec", "status") for parent, key in _places(tree, top)]
        if found:
            _spoil(dice, *dice.choice(found))
    return tree


def _places(parent, key):
    if key in parent if isinstance(parent, dict) else True:
        yield parent, key
        value = parent[key]
        for inner in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            yield from _places(value, inner)


def _spoil(dice, parent, key):
    value = parent[key]
    if dice.random() < 0.2:
        del parent[key]
    elif isinstance(value, bool):
        parent[key] = not value
    elif isinstance(value, int):
        parent[key] = dice.choice(_NUMBERS)
    elif isinstance(value, str):
        parent[key] = dice.choice(_EXPRESSIONS if key == "expression" else _WORDS)
    elif isinstance(value, list):
        parent[key] = dice.choice([None, [*value, *value[:1]], value[:1] * dice.choice([9, 33, 129])])
    elif isinstance(value, dict):
        _spoil_map(dice, parent, key, value)


def _spoil_map(dice, parent, key, value):
    if not value or dice.random() < 0.4:
        parent[key] = dice.choice([{}, None])
    elif key in ("attributes", "capacity", "labels"):
        moved = value.pop(dice.choice(list(value)))
        value[dice.choice(_WORDS)] = moved
    elif key == "parameters":
        parent[key] = dice.choice([None, "a", [], {"a": "x" * 11000}])
    else:
        value.update(copy.deepcopy(dice.choice(_ADDED)))

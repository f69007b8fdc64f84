"""The FlowSchemas and PriorityLevelConfigurations that every cluster has, and what is written to keep them. Pure.

Mandatory ones ("exempt", "catch-all") are always changed back; suggested ones while their annotation says so, or while
nobody has changed them. Sources: apiserver/pkg/apis/flowcontrol/bootstrap, pkg/registry/flowcontrol/ensurer.
"""

from collections.abc import Iterable, Sequence

from apimachinery.types import Json

AUTO_UPDATE = "apf.kubernetes.io/autoupdate-spec"
API_VERSION = "flowcontrol.apiserver.k8s.io/v1"
EXEMPT, CATCH_ALL = "exempt", "catch-all"
_EVERY = "*"
_BY_USER, _BY_NAMESPACE = "ByUser", "ByNamespace"
_EVERYBODY = ("system:unauthenticated", "system:authenticated")


def _level(name: str, spec: Json) -> Json:
    metadata = {"name": name, "annotations": {AUTO_UPDATE: "true"}}
    return {"kind": "PriorityLevelConfiguration", "apiVersion": API_VERSION, "metadata": metadata, "spec": spec}


def _queued(name: str, shares: int, lendable: int, queues: int, hand: int) -> Json:
    queuing = {"queues": queues, "handSize": hand, "queueLengthLimit": 50}
    limited = {
        "nominalConcurrencyShares": shares,
        "lendablePercent": lendable,
        "limitResponse": {"type": "Queue", "queuing": queuing},
    }
    return _level(name, {"type": "Limited", "limited": limited})


def _groups(*names: str) -> list[Json]:
    return [{"kind": "Group", "group": {"name": name}} for name in names]


def _users(*names: str) -> list[Json]:
    return [{"kind": "User", "user": {"name": name}} for name in names]


_SYSTEM_ACCOUNTS = {"kind": "ServiceAccount", "serviceAccount": {"name": _EVERY, "namespace": "kube-system"}}


def _resources(verbs: Sequence[str], group: str, resources: Sequence[str], *, cluster: bool) -> Json:
    rule: Json = {"verbs": list(verbs), "apiGroups": [group], "resources": list(resources), "namespaces": [_EVERY]}
    return {**rule, "clusterScope": True} if cluster else rule


_ALL_RESOURCES = _resources([_EVERY], _EVERY, [_EVERY], cluster=True)
_ALL_PATHS = {"verbs": [_EVERY], "nonResourceURLs": [_EVERY]}
_LEASES = "coordination.k8s.io"


def _schema(
    name: str,
    level: str,
    precedence: int,
    distinguisher: str,
    subjects: list[Json],
    *,
    resources: Sequence[Json] = (_ALL_RESOURCES,),
    paths: Sequence[Json] = (_ALL_PATHS,),
) -> Json:
    rule: Json = {"subjects": subjects}
    rule |= {"resourceRules": list(resources)} if resources else {}
    rule |= {"nonResourceRules": list(paths)} if paths else {}
    spec: Json = {"priorityLevelConfiguration": {"name": level}, "matchingPrecedence": precedence, "rules": [rule]}
    if distinguisher:
        spec["distinguisherMethod"] = {"type": distinguisher}
    metadata = {"name": name, "annotations": {AUTO_UPDATE: "true"}}
    return {"kind": "FlowSchema", "apiVersion": API_VERSION, "metadata": metadata, "spec": spec}


MANDATORY_LEVELS = (
    _level(EXEMPT, {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}}),
    _level(
        CATCH_ALL,
        {
            "type": "Limited",
            "limited": {
                "nominalConcurrencyShares": 5,
                "lendablePercent": 0,
                "limitResponse": {"type": "Reject"},
            },
        },
    ),
)
MANDATORY_SCHEMAS = (
    _schema(EXEMPT, EXEMPT, 1, "", _groups("system:masters")),
    _schema(CATCH_ALL, CATCH_ALL, 10000, _BY_USER, _groups(*_EVERYBODY)),
)
SUGGESTED_LEVELS = (
    _queued("system", 30, 33, 64, 6),
    _queued("node-high", 40, 25, 64, 6),
    _queued("leader-election", 10, 0, 16, 4),
    _queued("workload-high", 40, 50, 128, 6),
    _queued("workload-low", 100, 90, 128, 6),
    _queued("global-default", 20, 50, 128, 6),
)
SUGGESTED_SCHEMAS = (
    _schema("system-nodes", "system", 500, _BY_USER, _groups("system:nodes")),
    _schema(
        "system-node-high",
        "node-high",
        400,
        _BY_USER,
        _groups("system:nodes"),
        resources=(
            _resources([_EVERY], "", ["nodes", "nodes/status"], cluster=True),
            _resources([_EVERY], _LEASES, ["leases"], cluster=False),
        ),
        paths=(),
    ),
    _schema(
        "probes",
        EXEMPT,
        2,
        "",
        _groups(*_EVERYBODY),
        resources=(),
        paths=({"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]},),
    ),
    _schema(
        "system-leader-election",
        "leader-election",
        100,
        _BY_USER,
        [*_users("system:kube-controller-manager", "system:kube-scheduler"), _SYSTEM_ACCOUNTS],
        resources=(_resources(["get", "create", "update"], _LEASES, ["leases"], cluster=False),),
        paths=(),
    ),
    _schema("kube-controller-manager", "workload-high", 800, _BY_NAMESPACE, _users("system:kube-controller-manager")),
    _schema("kube-scheduler", "workload-high", 800, _BY_NAMESPACE, _users("system:kube-scheduler")),
    _schema("kube-system-service-accounts", "workload-high", 900, _BY_NAMESPACE, [_SYSTEM_ACCOUNTS]),
    _schema("service-accounts", "workload-low", 9000, _BY_USER, _groups("system:serviceaccounts")),
    _schema("global-default", "global-default", 9900, _BY_USER, _groups(*_EVERYBODY)),
)
LEVELS = (*SUGGESTED_LEVELS, *MANDATORY_LEVELS)
SCHEMAS = (*SUGGESTED_SCHEMAS, *MANDATORY_SCHEMAS)
_MANDATORY = (EXEMPT, CATCH_ALL)


def missing(wanted: Iterable[Json], existing: Iterable[Json]) -> list[Json]:
    """Those that must be created."""
    names = {tree["metadata"]["name"] for tree in existing}
    return [tree for tree in wanted if tree["metadata"]["name"] not in names]


def revised(wanted: Iterable[Json], existing: Iterable[Json]) -> list[Json]:
    """Those that must be replaced, as they shall be."""
    found = []
    there = {tree["metadata"]["name"]: tree for tree in existing}
    for tree in wanted:
        name = tree["metadata"]["name"]
        if name in there and (new := _revised(there[name], tree, always=name in _MANDATORY)) is not None:
            found.append(new)
    return found


def unwanted(wanted: Iterable[Json], existing: Iterable[Json]) -> list[Json]:
    """Those that an older version made and nobody has taken over."""
    names = {tree["metadata"]["name"] for tree in wanted}
    return [
        tree
        for tree in existing
        if tree["metadata"]["name"] not in names
        and (tree["metadata"].get("annotations") or {}).get(AUTO_UPDATE) == "true"
    ]


def _revised(current: Json, wanted: Json, *, always: bool) -> Json | None:
    metadata = current["metadata"]
    annotation = (metadata.get("annotations") or {}).get(AUTO_UPDATE)
    said = {"true": True, "false": False}.get(annotation or "")
    update = always or (metadata.get("generation") == 1 if said is None else said)
    spec = wanted["spec"] if update else current["spec"]
    if spec == current["spec"] and said == update:
        return None
    annotations = {**(metadata.get("annotations") or {}), AUTO_UPDATE: "true" if update else "false"}
    return {**current, "metadata": {**metadata, "annotations": annotations}, "spec": spec}

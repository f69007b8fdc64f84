"""Every kind: a good object passes, defaults are idempotent, and the rules people run into say what upstream says."""

import copy

import pytest

from apimachinery import kinds as k
from apimachinery import schema
from apimachinery.cron import schedule_problem
from apiserver.request import User
from apiserver.strategies import WriteContext, strategy_of
from apiserver.strategies.table import STRATEGIES
from tests.unit.strategies_samples import ONCE, RBAC, SAMPLES, SELECTOR, TEMPLATE

CONTEXT = WriteContext(User("alice", ("devs",), "u1", {"k": ("v",)}), 1_700_000_000.0)


def made(kind, **body):
    """The object as the write path would store it."""
    tree = {"apiVersion": kind.api_version, "kind": kind.kind, **copy.deepcopy(SAMPLES[kind]), **copy.deepcopy(body)}
    tree["metadata"] = {"name": "web", "uid": "u1", **tree.get("metadata", {})}
    if kind.namespaced:
        tree["metadata"].setdefault("namespace", "default")
    strategy = strategy_of(kind)
    return strategy.stamp(strategy.prepare(strategy.default(tree), None), None, CONTEXT)


def complaints(kind, new, old=None):
    return [str(problem) for problem in strategy_of(kind).check(new, old)]


@pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: kind.plural)
def test_good_objects_pass_and_rest(kind):
    tree = made(kind)
    assert complaints(kind, tree) == []
    assert complaints(kind, copy.deepcopy(tree), tree) == []
    assert strategy_of(kind).default(copy.deepcopy(tree)) == tree
    assert schema.check_fields(kind, tree) == []


def test_every_stored_kind_has_a_strategy():
    missing = {kind.plural for kind in k.KINDS if kind.is_stored} - {kind.plural for kind in STRATEGIES}
    assert missing == set()


@pytest.mark.parametrize("kind", STRATEGIES, ids=lambda kind: kind.plural)
def test_field_labels_are_those_of_the_fields(kind):
    metadata = {"name": "a", **({"namespace": "b"} if kind.namespaced else {})}
    found = set(strategy_of(kind).fields({"metadata": metadata}))
    assert found <= {*strategy_of(kind).field_labels, "metadata.namespace", "metadata.name"}


WRONG = [
    (k.DEPLOYMENTS, {"spec": {"template": TEMPLATE}}, "spec.selector: Required value"),
    (
        k.DEPLOYMENTS,
        {"spec": {"selector": {"matchLabels": {"app": "x"}}, "template": TEMPLATE}},
        'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
    ),
    (
        k.DEPLOYMENTS,
        {"spec": {"selector": {}, "template": TEMPLATE}},
        "spec.selector: Invalid value: {}: empty selector is invalid for deployment",
    ),
    (
        k.DEPLOYMENTS,
        {"spec": {"selector": SELECTOR, "template": ONCE}},
        'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ),
    (
        k.DEPLOYMENTS,
        {
            "spec": {
                "selector": SELECTOR,
                "template": TEMPLATE,
                "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}},
            }
        },
        "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0",
    ),
    (
        k.DEPLOYMENTS,
        {"spec": {"selector": SELECTOR, "template": TEMPLATE, "replicas": -1}},
        "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
    ),
    (
        k.JOBS,
        {"spec": {"template": TEMPLATE}},
        'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
    ),
    (
        k.CRONJOBS,
        {"spec": {"schedule": "bad", "jobTemplate": {"spec": {"template": ONCE}}}},
        'spec.schedule: Invalid value: "bad": expected exactly 5 fields, found 1: [bad]',
    ),
    (
        k.CONFIGMAPS,
        {"data": {"a b": "c"}},
        "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    ),
    (k.SECRETS, {"type": "kubernetes.io/tls"}, "data[tls.crt]: Required value"),
    (
        k.ROLEBINDINGS,
        {"roleRef": {"kind": "Rule", "name": "r", "apiGroup": RBAC}},
        'roleRef.kind: Unsupported value: "Rule": supported values: "Role", "ClusterRole"',
    ),
    (k.ROLES, {"rules": [{"verbs": []}]}, "rules[0].verbs: Required value: verbs must contain at least one value"),
    (
        k.INGRESSES,
        {"spec": {}},
        "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified",
    ),
    (
        k.NODES,
        {"spec": {"taints": [{"key": "a", "effect": "Never"}]}},
        'metadata.taints[0].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
    ),
    (
        k.PERSISTENTVOLUMECLAIMS,
        {"spec": {"accessModes": [], "resources": {"requests": {"storage": "0"}}}},
        "spec.accessModes: Required value: at least 1 access mode is required",
    ),
    (k.PERSISTENTVOLUMES, {"spec": {"accessModes": ["ReadWriteOnce"]}}, "spec.capacity: Required value"),
    (
        k.PODDISRUPTIONBUDGETS,
        {"spec": {"minAvailable": 1, "maxUnavailable": 1}},
        "minAvailable and maxUnavailable cannot be both set",
    ),
    (
        k.PRIORITYCLASSES,
        {"value": 2_000_000_000},
        "value: Forbidden: maximum allowed value of a user defined priority is 1000000000",
    ),
    (
        k.HORIZONTALPODAUTOSCALERS,
        {"spec": {"maxReplicas": 0, "scaleTargetRef": {"kind": "Deployment", "name": "d"}}},
        "spec.maxReplicas: Invalid value: 0: must be greater than 0",
    ),
    (
        k.ENDPOINTSLICES,
        {"addressType": "IPv4", "endpoints": [{"addresses": ["127.0.0.1"]}]},
        'endpoints[0].addresses[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    ),
    (
        k.LIMITRANGES,
        {"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}, "min": {"cpu": "2"}}]}},
        'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
    ),
    (
        k.CUSTOMRESOURCEDEFINITIONS,
        {"metadata": {"name": "other.example.com"}},
        'metadata.name: Invalid value: "other.example.com": must be spec.names.plural+"."+spec.group',
    ),
    (
        k.MUTATINGWEBHOOKCONFIGURATIONS,
        {"webhooks": [{"name": "short", "clientConfig": {"url": "http://x"}}]},
        'webhooks[0].name: Invalid value: "short": should be a domain with at least three segments separated by dots',
    ),
    (
        k.EVENTS,
        {"involvedObject": {"kind": "Pod", "namespace": "other"}},
        'involvedObject.namespace: Invalid value: "other": does not match event.namespace',
    ),
    (
        k.LEASES,
        {"spec": {"leaseDurationSeconds": 0}},
        "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
    ),
]


@pytest.mark.parametrize(("kind", "body", "expected"), WRONG, ids=lambda v: v.plural if isinstance(v, k.Kind) else "")
def test_mistakes_are_told_in_upstreams_words(kind, body, expected):
    found = complaints(kind, made(kind, **body))
    assert any(expected in text for text in found), found


def edited(tree, path, value):
    new = copy.deepcopy(tree)
    at = new
    *steps, last = path.split(".")
    for step in steps:
        at = at[step]
    at[last] = value
    return new


@pytest.mark.parametrize(
    ("kind", "path", "value", "expected"),
    [
        (k.DEPLOYMENTS, "spec.selector", {"matchLabels": {"app": "web", "b": "c"}}, "field is immutable"),
        (k.REPLICASETS, "spec.selector", {"matchLabels": {"app": "web", "b": "c"}}, "field is immutable"),
        (k.STATEFULSETS, "spec.serviceName", "other", "spec: Forbidden: updates to statefulset spec for fields other"),
        (k.JOBS, "spec.completions", 7, "spec.completions: Invalid value: 7: field is immutable"),
        (k.ROLEBINDINGS, "roleRef.name", "x", "roleRef: Invalid value: "),
        (k.STORAGECLASSES, "provisioner", "x/y", "provisioner: Forbidden: updates to provisioner are forbidden."),
        (k.PRIORITYCLASSES, "value", 6, "value: Forbidden: may not be changed in an update."),
        (k.SECRETS, "type", "x", 'type: Invalid value: "x": field is immutable'),
        (k.PERSISTENTVOLUMECLAIMS, "spec.volumeMode", "Block", "spec: Forbidden: spec is immutable after creation"),
        (k.RUNTIMECLASSES, "handler", "x", 'handler: Invalid value: "x": field is immutable'),
    ],
)
def test_what_is_for_life(kind, path, value, expected):
    old = made(kind)
    found = complaints(kind, edited(old, path, value), old)
    assert any(expected in text for text in found), found


def test_immutable_config_maps():
    old = made(k.CONFIGMAPS, immutable=True)
    expected = "data: Forbidden: field is immutable when `immutable` is set"
    assert complaints(k.CONFIGMAPS, edited(old, "data", {"a": "c"}), old) == [expected]


def test_large_secrets_are_refused():
    tree = made(k.SECRETS, stringData={"a": "x" * (1 << 20)}, data={"b": "eHg="})
    assert complaints(k.SECRETS, tree) == ["data: Too long: may not be more than 1048576 bytes"]


def test_string_data_goes_into_data():
    assert made(k.SECRETS)["data"] == {"a": "Yg=="}
    assert "stringData" not in made(k.SECRETS)
    assert made(k.SECRETS)["type"] == "Opaque"


def test_deployment_defaults():
    spec = made(k.DEPLOYMENTS)["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (1, 10, 600)
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 30
    assert "enableServiceLinks" not in spec["template"]["spec"]


def test_zero_replicas_stay():
    body = {"spec": {**SAMPLES[k.DEPLOYMENTS]["spec"], "replicas": 0}}
    assert made(k.DEPLOYMENTS, **body)["spec"]["replicas"] == 0


@pytest.mark.parametrize(
    ("kind", "path", "value", "raises"),
    [
        (k.DEPLOYMENTS, "spec.replicas", 3, True),
        (k.DEPLOYMENTS, "metadata.annotations", {"a": "b"}, True),
        (k.DEPLOYMENTS, "metadata.labels", {"a": "b"}, False),
        (k.REPLICASETS, "metadata.annotations", {"a": "b"}, False),
        (k.ENDPOINTSLICES, "metadata.labels", {"a": "b"}, True),
        (k.PRIORITYCLASSES, "description", "x", False),
    ],
)
def test_what_raises_the_generation(kind, path, value, raises):
    old = made(kind)
    assert strategy_of(kind).has_generation
    assert strategy_of(kind).raises_generation(edited(old, path, value), old) is raises


@pytest.mark.parametrize("kind", [k.CONFIGMAPS, k.SECRETS, k.SERVICES, k.NODES, k.SERVICEACCOUNTS, k.NAMESPACES])
def test_kinds_without_generation(kind):
    assert not strategy_of(kind).has_generation


def test_a_job_selects_by_its_uid():
    spec = made(k.JOBS)["spec"]
    assert spec["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "u1"}}
    assert spec["template"]["metadata"]["labels"]["job-name"] == "web"
    assert (spec["completions"], spec["parallelism"], spec["backoffLimit"]) == (1, 1, 6)


def test_a_namespace_is_held_by_its_finalizer():
    tree = made(k.NAMESPACES)
    assert tree["spec"]["finalizers"] == ["kubernetes"]
    assert tree["status"] == {"phase": "Active"}
    assert tree["metadata"]["labels"] == {"kubernetes.io/metadata.name": "web"}
    kept = strategy_of(k.NAMESPACES).prepare(edited(tree, "spec", {}), tree)
    assert kept["spec"]["finalizers"] == ["kubernetes"]
    freed = strategy_of(k.NAMESPACES).parts["finalize"].prepare(edited(tree, "spec", {}), tree)
    assert freed["spec"] == {}


def test_a_signing_request_records_who_asks():
    strategy = strategy_of(k.CERTIFICATESIGNINGREQUESTS)
    forged = {"username": "admin", "groups": ["system:masters"], "uid": "0", "extra": {"x": ["y"]}}
    sent = {"metadata": {"name": "c"}, "spec": {**forged, "signerName": "a.b/c"}}

    def asked_by(context):
        tree = strategy.prepare(strategy.default(copy.deepcopy(sent)), None)
        return strategy.stamp(tree, None, context)["spec"]

    spec = asked_by(CONTEXT)
    assert (spec["username"], spec["groups"], spec["uid"], spec["extra"]) == ("alice", ["devs"], "u1", {"k": ["v"]})
    spec = asked_by(WriteContext(User("bob"), 0.0))
    assert (spec["username"], spec["groups"]) == ("bob", [])
    assert not {"uid", "extra"} & set(spec)
    old = {"metadata": {"name": "c"}, "spec": spec}
    assert strategy.prepare({**old, "spec": {"username": "root"}}, old)["spec"]["username"] == "bob"


def test_an_approval_cannot_bring_a_certificate():
    strategy = strategy_of(k.CERTIFICATESIGNINGREQUESTS)
    old = {"metadata": {"name": "c"}, "spec": {"signerName": "a.b/c"}, "status": {}}
    new = {**old, "status": {"certificate": "eA==", "conditions": [{"type": "Approved", "status": "True"}]}}
    part = strategy.parts["approval"]
    approved = strategy.stamp(part.prepare(copy.deepcopy(new), old), old, CONTEXT)
    assert "certificate" not in approved["status"]
    assert approved["status"]["conditions"][0]["lastUpdateTime"] == "2023-11-14T22:13:20Z"
    both = edited(approved, "status.conditions", [{"type": "Approved"}, {"type": "Denied"}])
    assert any("mutually exclusive" in str(problem) for problem in part.check(both, old))


def test_a_node_comes_with_its_status_and_keeps_it():
    strategy = strategy_of(k.NODES)
    tree = strategy.default({"metadata": {"name": "n"}, "status": {"capacity": {"cpu": "2"}}})
    assert strategy.prepare(tree, None)["status"]["allocatable"] == {"cpu": "2"}
    changed = strategy.prepare({"metadata": {"name": "n"}, "spec": {"podCIDR": "10.0.0.0/24"}}, tree)
    assert changed["status"] == tree["status"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0 0 * * *", ""),
        ("*/15 8-18 * jan-mar MON,FRI", ""),
        ("@daily", ""),
        ("@every 1h30m", ""),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("@sometimes", "unrecognized descriptor: @sometimes"),
    ],
)
def test_cron_schedules(text, problem):
    assert schedule_problem(text) == problem


def test_events_are_found_by_what_they_are_about():
    core = {"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "name": "p"}, "source": {"component": "x"}}
    modern = {"metadata": {"name": "e"}, "regarding": {"kind": "Pod", "name": "p"}, "reportingController": "x"}
    for tree in (core, modern):
        found = strategy_of(k.EVENTS).fields(tree)
        assert (found["involvedObject.name"], found["source"]) == ("p", "x")
    assert strategy_of(k.EVENTS_V1).fields(modern)["regarding.kind"] == "Pod"


def test_what_a_load_balancer_says_of_an_ingress():
    strategy, old = strategy_of(k.INGRESSES), made(k.INGRESSES)
    points = [{"ip": "x"}, {"hostname": "10.0.0.1"}, {"ip": "::1", "hostname": "a.b"}]
    new = {**old, "status": {"loadBalancer": {"ingress": points}}}
    path = "status.loadBalancer.ingress"
    assert [str(problem) for problem in strategy.check_status(new, old)] == [
        f'{path}[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        f'{path}[1].hostname: Invalid value: "10.0.0.1": must be a DNS name, not an IP address',
    ]
    assert strategy.check_status(new, new)[1:] == []  # what was there stays


def test_what_is_behind_a_path_of_an_ingress():
    def said(**entry):
        rule = {"http": {"paths": [{"path": "/", **entry}]}}
        return complaints(k.INGRESSES, made(k.INGRESSES, spec={"rules": [rule]}))

    path = "spec.rules[0].http.paths[0]"
    assert said(backend={}) == [f"{path}.pathType: Required value: pathType must be specified"]
    assert said(pathType="Prefix", backend={"resource": {"kind": "K", "name": "a/b"}}) == [
        f"{path}.backend.resource.name: Invalid value: \"a/b\": may not contain '/'"
    ]

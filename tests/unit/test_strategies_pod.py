"""Pods: defaults, validation with upstream's paths and words, what may change, how they are selected and deleted."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery import kinds
from apimachinery.errors import invalid
from apimachinery.qos import qos_class
from apiserver.request import User
from apiserver.strategies import WriteContext, strategy_of
from apiserver.strategies.pod.defaults import pull_policy
from apiserver.strategies.sameness import same

PODS = strategy_of(kinds.PODS)
CONTEXT = WriteContext(User("u"), 0.0)


def pod(**spec):
    tree = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "nginx"}], **spec},
    }
    return PODS.prepare(PODS.default(tree), None)


def container(**more):
    return pod(containers=[{"name": "c", "image": "nginx", **more}])


def complaints(tree, old=None):
    return [str(problem) for problem in PODS.check(tree, old)]


def test_a_minimal_pod_gets_upstreams_defaults():
    assert pod() == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {
            "containers": [
                {
                    "name": "c",
                    "image": "nginx",
                    "imagePullPolicy": "Always",
                    "resources": {},
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File",
                }
            ],
            "dnsPolicy": "ClusterFirst",
            "enableServiceLinks": True,
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
            "securityContext": {},
            "terminationGracePeriodSeconds": 30,
        },
        "status": {"phase": "Pending", "qosClass": "BestEffort"},
    }


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.2", "IfNotPresent"),
        ("reg:5000/nginx", "Always"),
        ("reg:5000/a/nginx:3", "IfNotPresent"),
        ("nginx@sha256:00", "IfNotPresent"),
        ("nginx:latest@sha256:00", "IfNotPresent"),
    ],
)
def test_pull_policy_follows_the_tag(image, policy):
    assert pull_policy(image) == policy


def test_deeper_defaults():
    spec = pod(
        hostNetwork=True,
        serviceAccount="robot",
        containers=[
            {
                "name": "c",
                "image": "a:1",
                "ports": [{"containerPort": 80}],
                "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}},
                "livenessProbe": {"httpGet": {"port": 80}},
                "env": [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
            }
        ],
        volumes=[
            {"name": "e"},
            {"name": "s", "secret": {"secretName": "x"}},
            {"name": "h", "hostPath": {"path": "/x"}},
            {"name": "p", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
        ],
    )["spec"]
    assert spec["serviceAccountName"] == "robot"
    main = spec["containers"][0]
    assert main["ports"] == [{"containerPort": 80, "protocol": "TCP", "hostPort": 80}]
    assert main["resources"]["requests"] == {"cpu": "500m", "memory": "1Gi"}
    assert main["livenessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert main["env"][0]["valueFrom"]["fieldRef"]["apiVersion"] == "v1"
    assert [volume.get("emptyDir") for volume in spec["volumes"]] == [{}, None, None, None]
    assert spec["volumes"][1]["secret"]["defaultMode"] == 420
    assert spec["volumes"][2]["hostPath"]["type"] == ""
    assert spec["volumes"][3]["projected"]["sources"][0]["serviceAccountToken"]["expirationSeconds"] == 3600


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ([{}], "BestEffort"),
        ([{"requests": {"cpu": "1"}}], "Burstable"),
        ([{"limits": {"cpu": "1", "memory": "1"}, "requests": {"cpu": "1", "memory": "1"}}], "Guaranteed"),
        ([{"limits": {"cpu": "1", "memory": "1"}, "requests": {"cpu": "1", "memory": "1"}}, {}], "Burstable"),
        ([{"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}], "Burstable"),
        ([{"requests": {"cpu": "0"}}], "BestEffort"),
    ],
)
def test_qos_class(resources, expected):
    assert qos_class({"containers": [{"resources": r} for r in resources]}) == expected


VALID = [
    pod(),
    container(command=["sh"], args=["-c", "x"], stdin=True, tty=True),
    container(readinessProbe={"exec": {"command": ["true"]}, "initialDelaySeconds": 3}),
    container(lifecycle={"preStop": {"sleep": {"seconds": 5}}}),
    pod(tolerations=[{"operator": "Exists"}], nodeSelector={"a": "b"}, hostNetwork=True, dnsPolicy="Default"),
    pod(
        initContainers=[
            {"name": "i", "image": "x", "restartPolicy": "Always", "startupProbe": {"tcpSocket": {"port": 1}}}
        ]
    ),
    pod(securityContext={"runAsUser": 0, "fsGroup": 5, "seccompProfile": {"type": "RuntimeDefault"}}),
    pod(
        affinity={
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}]
                }
            },
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 5, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": {}}}
                ]
            },
        },
        topologySpreadConstraints=[{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
    ),
    pod(
        volumes=[{"name": "v", "configMap": {"name": "m", "items": [{"key": "a", "path": "b"}]}}],
        containers=[{"name": "c", "image": "x", "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "b"}]}],
    ),
]


@pytest.mark.parametrize("tree", VALID)
def test_good_pods_pass_and_defaults_are_idempotent(tree):
    assert complaints(tree) == []
    assert PODS.default(copy.deepcopy(tree)) == tree


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (pod(containers=[]), "spec.containers: Required value"),
        (container(image=""), "spec.containers[0].image: Required value"),
        (
            container(image=" x"),
            'spec.containers[0].image: Invalid value: " x": must not have leading or trailing whitespace',
        ),
        (
            pod(containers=[{"name": "c", "image": "x"}, {"name": "c", "image": "x"}]),
            'spec.containers[1].name: Duplicate value: "c"',
        ),
        (
            container(imagePullPolicy="Sometimes"),
            (
                'spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", '
                '"IfNotPresent", "Never"'
            ),
        ),
        (
            container(ports=[{"containerPort": 70000}]),
            "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
        ),
        (
            container(ports=[{"name": "a", "containerPort": 1}, {"name": "a", "containerPort": 2}]),
            'spec.containers[0].ports[1].name: Duplicate value: "a"',
        ),
        (
            container(env=[{"name": "a=b"}]),
            (
                'spec.containers[0].env[0].name: Invalid value: "a=b": a valid environment variable name must consist only '
                "of printable ASCII characters other than '='"
            ),
        ),
        (
            container(env=[{"name": "a", "value": "x", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]),
            'spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty',
        ),
        (
            container(volumeMounts=[{"name": "nope", "mountPath": "/x"}]),
            'spec.containers[0].volumeMounts[0].name: Not found: "nope"',
        ),
        (
            container(livenessProbe={}),
            "spec.containers[0].livenessProbe: Required value: must specify a handler type",
        ),
        (
            container(livenessProbe={"tcpSocket": {"port": 1}, "successThreshold": 2}),
            "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
        ),
        (
            container(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}),
            'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
        ),
        (
            container(resources={"limits": {"cpu": "-1"}}),
            'spec.containers[0].resources.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0',
        ),
        (
            container(resources={"requests": {"example.com/gpu": "1"}}),
            "spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources",
        ),
        (
            pod(restartPolicy="Maybe"),
            'spec.restartPolicy: Unsupported value: "Maybe": supported values: "Always", "OnFailure", "Never"',
        ),
        (
            pod(volumes=[{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}]),
            "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type",
        ),
        (
            pod(tolerations=[{"key": "", "operator": "Equal"}]),
            (
                'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which '
                'means "match all values and all keys"'
            ),
        ),
        (
            pod(nodeSelector={"a b": "c"}),
            (
                "spec.nodeSelector: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or "
                "'.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', "
                "regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
            ),
        ),
        (
            pod(ephemeralContainers=[{"name": "e", "image": "x"}]),
            "spec.ephemeralContainers: Forbidden: cannot be set on create",
        ),
        (
            pod(initContainers=[{"name": "i", "image": "x", "livenessProbe": {"tcpSocket": {"port": 1}}}]),
            (
                "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without "
                "restartPolicy=Always"
            ),
        ),
        (
            container(securityContext={"privileged": True, "allowPrivilegeEscalation": False}),
            "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
        ),
        (
            pod(activeDeadlineSeconds=0),
            "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive",
        ),
    ],
)
def test_bad_pods_are_told_why(tree, expected):
    assert any(expected in text for text in complaints(tree)), complaints(tree)


def test_all_problems_come_at_once():
    tree = pod(containers=[{"name": "A", "image": ""}], restartPolicy="X")
    message = invalid("", "Pod", "p", PODS.check(tree, None)).message
    assert message.count(",") >= 2
    assert message.startswith('Pod "p" is invalid: [spec.containers[0].name: Invalid value: "A"')


def changed(**spec):
    tree = copy.deepcopy(VALID[0])
    tree["spec"].update(spec)
    return tree


def test_image_tolerations_and_deadline_may_change():
    new = changed(activeDeadlineSeconds=5, tolerations=[{"operator": "Exists"}])
    new["spec"]["containers"] = [{**new["spec"]["containers"][0], "image": "other:1"}]
    assert complaints(new, copy.deepcopy(VALID[0])) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"hostNetwork": True},
            (
                "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
                "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
                "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n"
            ),
        ),
        ({"containers": []}, "spec.containers: Forbidden: pod updates may not add or remove containers"),
        ({"nodeName": "n"}, "spec: Forbidden: pod updates may not change fields"),
        (
            {"schedulingGates": [{"name": "g"}]},
            "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'g'",
        ),
    ],
)
def test_most_of_a_pod_is_for_life(spec, expected):
    assert any(text.startswith(expected) for text in complaints(changed(**spec), copy.deepcopy(VALID[0])))


def test_gos_zero_values_are_no_change():
    old = changed(hostNetwork=False, volumes=[], nodeName="")
    assert complaints(copy.deepcopy(VALID[0]), old) == []
    assert not same({"allowPrivilegeEscalation": False}, {})


def test_tolerations_are_only_added():
    old = changed(tolerations=[{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}])
    longer = changed(tolerations=[{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 9}])
    assert complaints(longer, copy.deepcopy(old)) == []
    expected = "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"
    assert expected in complaints(changed(tolerations=[]), old)


def test_an_update_keeps_the_status_and_a_status_write_the_spec():
    old = {**copy.deepcopy(VALID[0]), "status": {"phase": "Running", "qosClass": "BestEffort"}}
    new = changed(hostNetwork=True)
    new["status"] = {"phase": "Failed"}
    assert PODS.prepare(copy.deepcopy(new), old)["status"]["phase"] == "Running"
    written = PODS.prepare_status(copy.deepcopy(new), old)
    assert written["spec"] == old["spec"]
    assert written["status"] == {"phase": "Failed", "qosClass": "BestEffort"}


def test_gated_pods_say_so():
    tree = PODS.stamp(pod(schedulingGates=[{"name": "a/b"}]), None, CONTEXT)
    assert tree["status"]["conditions"][0]["reason"] == "SchedulingGated"


def test_label_keys_of_a_new_pod_become_part_of_its_selectors():
    term = {"topologyKey": "z", "labelSelector": {"matchLabels": {"a": "b"}}, "matchLabelKeys": ["hash", "none"]}
    other = {"topologyKey": "z", "labelSelector": {}, "mismatchLabelKeys": ["hash"]}
    weighted = {"weight": 1, "podAffinityTerm": other}
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    affinity["podAffinity"] = {"preferredDuringSchedulingIgnoredDuringExecution": [weighted]}
    constraint = {"topologyKey": "z", "maxSkew": 1, "matchLabelKeys": ["hash"]}
    new = pod(affinity=affinity, topologySpreadConstraints=[constraint])
    new["metadata"]["labels"] = {"hash": "1"}
    spec = PODS.prepare(new, None)["spec"]
    [required] = spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert required["labelSelector"] == {
        "matchLabels": {"a": "b"},
        "matchExpressions": [{"key": "hash", "operator": "In", "values": ["1"]}],
    }
    [preferred] = spec["affinity"]["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert preferred["podAffinityTerm"]["labelSelector"]["matchExpressions"][0]["operator"] == "NotIn"
    assert spec["topologySpreadConstraints"] == [constraint], "without a selector nothing is selected"


def test_terminated_containers_stay_terminated():
    def running(state):
        tree = changed(restartPolicy="Never")
        return {**tree, "status": {"containerStatuses": [{"name": "c", "state": state}]}}

    back = PODS.check_status(running({"running": {}}), running({"terminated": {"exitCode": 0}}))
    expected = "status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state"
    assert [str(problem) for problem in back] == [expected]


@pytest.mark.parametrize(
    ("spec", "status", "asked", "seconds"),
    [
        ({"nodeName": "n", "terminationGracePeriodSeconds": 30}, {"phase": "Running"}, None, 30),
        ({"nodeName": "n"}, {"phase": "Running"}, 5, 5),
        ({"nodeName": "n"}, {"phase": "Running"}, 0, 0),
        ({"nodeName": "n"}, {"phase": "Running"}, -3, 1),
        ({"nodeName": "n"}, {"phase": "Succeeded"}, None, 0),
        ({"terminationGracePeriodSeconds": 30}, {"phase": "Pending"}, None, 0),
    ],
)
def test_grace_period(spec, status, asked, seconds):
    assert PODS.graceful
    assert PODS.grace_period({"metadata": {}, "spec": spec, "status": status}, asked) == seconds


def test_selectable_fields():
    tree = changed(nodeName="n1")
    tree["status"] = {"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}]}
    found = PODS.fields(tree)
    assert (found["spec.nodeName"], found["status.podIP"], found["spec.hostNetwork"]) == ("n1", "10.0.0.1", "false")
    assert set(found) == set(PODS.field_labels)


def test_ephemeral_containers_are_only_added():
    part = PODS.parts["ephemeralcontainers"]
    old = changed(
        ephemeralContainers=[
            {"name": "e", "image": "x", "terminationMessagePolicy": "File", "imagePullPolicy": "Always"}
        ]
    )
    new = part.prepare(changed(nodeName="ignored"), old)
    assert "nodeName" not in new["spec"]
    expected = 'spec.ephemeralContainers: Forbidden: existing ephemeral containers "e" may not be removed\n'
    assert [str(problem) for problem in part.check(new, old)] == [expected]


def test_warnings():
    tree = container(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}])
    expected = 'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply'
    assert PODS.warnings(tree, None) == [expected]
    assert PODS.warnings(tree, tree) == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(0, 2) | st.text("ab", max_size=2),
        lambda inner: st.dictionaries(st.sampled_from(("tty", "x", "y")), inner) | st.lists(inner, max_size=2),
    )
)
def test_sameness_is_reflexive_and_ignores_emptiness(tree):
    assert same(tree, copy.deepcopy(tree))
    if isinstance(tree, dict):
        assert same({**tree, "none": None, "text": "", "list": [], "map": {}}, tree)

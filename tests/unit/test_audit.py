"""Audit policies as data: which rule is meant, what is refused."""

import pytest

from apiserver.audit.log import AuditFile
from apiserver.audit.policy import BadPolicy, Recording, parse
from apiserver.request import RequestInfo, User

JANE = User("jane", ("devs", "system:authenticated"))


def policy(*rules, **more):
    return parse({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": list(rules), **more})


def info(verb="get", plural="pods", subresource="", namespace="default", name="a", group=""):
    return RequestInfo(
        is_resource=True, path="/x", verb=verb, plural=plural, subresource=subresource, namespace=namespace,
        name=name, group=group, version="v1",
    )  # fmt: skip


PATH = RequestInfo(is_resource=False, path="/healthz/etcd", verb="get")


@pytest.mark.parametrize(
    ("rule", "asked", "matches"),
    [
        ({}, info(), True),
        ({"users": ["jane"]}, info(), True),
        ({"users": ["joe"]}, info(), False),
        ({"userGroups": ["devs"]}, info(), True),
        ({"userGroups": ["ops"]}, info(), False),
        ({"verbs": ["list"]}, info(), False),
        ({"namespaces": ["default"]}, info(), True),
        ({"namespaces": [""]}, info(namespace=""), True),
        ({"namespaces": ["other"]}, info(), False),
        ({"namespaces": ["default"]}, PATH, False),
        ({"resources": [{"group": ""}]}, info(), True),
        ({"resources": [{"group": "apps"}]}, info(), False),
        ({"resources": [{"group": "", "resources": ["pods"]}]}, info(subresource="log"), False),
        ({"resources": [{"group": "", "resources": ["pods/log"]}]}, info(subresource="log"), True),
        ({"resources": [{"group": "", "resources": ["*/log"]}]}, info(subresource="log"), True),
        ({"resources": [{"group": "", "resources": ["pods/*"]}]}, info(subresource="log"), True),
        ({"resources": [{"group": "", "resources": ["pods"], "resourceNames": ["b"]}]}, info(), False),
        ({"nonResourceURLs": ["/healthz*"]}, PATH, True),
        ({"nonResourceURLs": ["/healthz"]}, PATH, False),
        ({"nonResourceURLs": ["*"]}, info(), False),
    ],
)
def test_which_requests_a_rule_means(rule, asked, matches):
    found = policy({"level": "Metadata", **rule}).recording(JANE, asked)
    assert (found.level == "Metadata") is matches


def test_the_first_rule_counts_and_stages_add_up():
    found = policy(
        {"level": "None", "users": ["joe"]},
        {"level": "Request", "omitStages": ["ResponseStarted"], "omitManagedFields": False},
        omitStages=["RequestReceived"],
        omitManagedFields=True,
    )
    stages = frozenset({"RequestReceived", "ResponseStarted"})
    assert found.recording(JANE, info()) == Recording("Request", stages, without_managed_fields=False)
    assert found.recording(User("joe"), info()).level == "None"


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (None, "an audit policy is of kind Policy, apiVersion audit.k8s.io/v1"),
        ({"apiVersion": "v1", "kind": "Policy"}, "an audit policy is of kind Policy, apiVersion audit.k8s.io/v1"),
        ({"rules": []}, "loaded illegal policy with 0 rules"),
        ({"rules": [{}]}, "rules[0].level: Required value"),
        ({"rules": [{"level": "All"}]}, 'rules[0].level: Unsupported value: "All"'),
        ({"rules": [{"level": "None", "omitStages": ["X"]}]}, 'rules[0].omitStages: Invalid value: "X"'),
        (
            {"rules": [{"level": "None", "nonResourceURLs": ["*"], "namespaces": ["a"]}]},
            "rules[0].nonResourceURLs: Invalid value",
        ),
        ({"rules": [{"level": "None", "nonResourceURLs": ["/a*b"]}]}, "rules[0].nonResourceURLs: Invalid value"),
    ],
)
def test_a_bad_policy_is_refused(tree, message):
    if tree is not None:
        tree = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", **tree}
    with pytest.raises(BadPolicy) as error:
        parse(tree)
    assert str(error.value).startswith(message)


def test_a_full_file_is_kept_and_the_oldest_goes(tmp_path):
    now = iter(range(1, 100))
    file = AuditFile(str(tmp_path / "audit.log"), most=20, backups=2, clock=lambda: next(now))
    for i in range(8):
        file.write(b"0123456789%d\n" % i)
    assert (tmp_path / "audit.log").read_bytes() == b"01234567897\n"
    kept = sorted(path.name for path in tmp_path.glob("audit-*.log"))
    assert len(kept) == 2

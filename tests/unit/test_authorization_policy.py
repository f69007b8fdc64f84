"""The bootstrap policy, its reconciliation, aggregation, escalation checks and reviews."""

import pytest

from apimachinery import kinds
from apimachinery.errors import ApiError
from apiserver.authorization import authorizer as union
from apiserver.authorization import escalation, policy, reviews
from apiserver.authorization.aggregation import aggregated
from apiserver.authorization.messages import denied
from apiserver.authorization.reconcile import CREATE, RECREATE, UPDATE, key, reconcile
from apiserver.request import Attributes, User
from tests.unit.objects import Objects

GROUP = "rbac.authorization.k8s.io"


BOOTSTRAP = [step.tree for step in reconcile([], policy.objects())]


def bound(name, role, user, namespace=""):
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": role}
    subjects = [{"kind": "User", "name": user}]
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": metadata, "roleRef": reference, "subjects": subjects}


AUTHORIZER = union.create(
    Objects(
        *BOOTSTRAP,
        bound("ann", "admin", "ann", "dev"),
        bound("vi", "view", "vi", "dev"),
        bound("root", "cluster-admin", "root"),
    ),
    rbac_version=lambda: 1,
    pods=lambda _graph: None,
)


def may(user, verb, resource, namespace="", group="", name="", groups=("system:authenticated",)):
    plural, _, subresource = resource.partition("/")
    attributes = Attributes(
        user=User(user, groups),
        verb=verb,
        group=group,
        plural=plural,
        subresource=subresource,
        namespace=namespace,
        name=name,
    )
    return AUTHORIZER.authorize(attributes).allowed


def test_the_policy_is_whole():
    count = {}
    for tree in BOOTSTRAP:
        count[tree["kind"]] = count.get(tree["kind"], 0) + 1
    assert len({key(tree) for tree in BOOTSTRAP}) == len(BOOTSTRAP)
    assert count == {"ClusterRole": 68, "ClusterRoleBinding": 49, "Role": 7, "RoleBinding": 7}
    roles = {tree["metadata"]["name"] for tree in BOOTSTRAP if tree["kind"] == "ClusterRole"}
    assert {b["roleRef"]["name"] for b in BOOTSTRAP if b["kind"] == "ClusterRoleBinding"} <= roles
    assert all(tree["metadata"]["labels"]["kubernetes.io/bootstrapping"] == "rbac-defaults" for tree in BOOTSTRAP)


@pytest.mark.parametrize(
    ("question", "allowed"),
    [
        (("ann", "create", "deployments", "dev", "apps"), True),
        (("ann", "create", "rolebindings", "dev", GROUP), True),
        (("ann", "get", "secrets", "dev"), True),
        (("ann", "get", "secrets", "prod"), False),
        (("ann", "get", "nodes"), False),
        (("vi", "list", "pods", "dev"), True),
        (("vi", "get", "pods/log", "dev"), True),
        (("vi", "get", "secrets", "dev"), False),
        (("vi", "delete", "pods", "dev"), False),
        (("root", "nodes", "anything", "x", "any.io"), True),
        (("system:kube-scheduler", "create", "pods/binding", "dev"), True),
        (("system:kube-scheduler", "patch", "persistentvolumes"), True),
        (("system:kube-proxy", "watch", "endpointslices", "", "discovery.k8s.io"), True),
        (("system:kube-controller-manager", "watch", "widgets", "", "example.com"), True),
        (("system:serviceaccount:kube-system:deployment-controller", "create", "replicasets", "dev", "apps"), True),
        (("system:serviceaccount:kube-system:deployment-controller", "create", "secrets", "dev"), False),
        (("anyone", "create", "selfsubjectaccessreviews", "", "authorization.k8s.io"), True),
    ],
)
def test_who_may_what_in_a_new_cluster(question, allowed):
    assert may(*question) is allowed


@pytest.mark.parametrize(
    ("path", "groups", "allowed"),
    [
        ("/version", ("system:unauthenticated",), True),
        ("/api", ("system:unauthenticated",), False),
        ("/apis/apps/v1", ("system:authenticated",), True),
        ("/metrics", ("system:authenticated",), False),
    ],
)
def test_paths_in_a_new_cluster(path, groups, allowed):
    question = Attributes(user=User("x", groups), verb="get", is_resource=False, path=path)
    assert AUTHORIZER.authorize(question).allowed is allowed


def test_reconcile_rests_when_all_is_there():
    assert reconcile(BOOTSTRAP, policy.objects()) == []
    assert {step.action for step in reconcile([], policy.objects())} == {CREATE}


def tree_of(kind, name):
    return next(t for t in BOOTSTRAP if (t["kind"], t["metadata"]["name"]) == (kind, name))


def changed(tree, **fields):
    return {**tree, **fields}


def annotated(tree, value):
    return {**tree, "metadata": {**tree["metadata"], "annotations": {policy.AUTOUPDATE: value}}}


def test_reconcile_adds_what_is_missing_and_keeps_what_was_added():
    extra = {"verbs": ["get"], "apiGroups": ["x"], "resources": ["y"]}
    old = changed(tree_of("ClusterRole", "system:kube-dns"), rules=[extra])
    (step,) = reconcile([old], [tree_of("ClusterRole", "system:kube-dns")])
    assert step.action == UPDATE
    assert step.tree["rules"] == [extra, *tree_of("ClusterRole", "system:kube-dns")["rules"]]


def test_reconcile_adds_subjects():
    old = changed(tree_of("ClusterRoleBinding", "cluster-admin"), subjects=[{"kind": "User", "name": "me"}])
    (step,) = reconcile([old], [tree_of("ClusterRoleBinding", "cluster-admin")])
    assert [subject["name"] for subject in step.tree["subjects"]] == ["me", "system:masters"]


def test_reconcile_replaces_a_binding_to_another_role():
    old = changed(
        tree_of("ClusterRoleBinding", "cluster-admin"),
        roleRef={"apiGroup": GROUP, "kind": "ClusterRole", "name": "view"},
    )
    (step,) = reconcile([old], [tree_of("ClusterRoleBinding", "cluster-admin")])
    assert step.action == RECREATE


def test_reconcile_leaves_what_its_owner_protects():
    old = annotated(changed(tree_of("ClusterRole", "system:kube-dns"), rules=[]), "false")
    assert reconcile([old], [tree_of("ClusterRole", "system:kube-dns")]) == []


def test_reconcile_does_not_touch_aggregated_rules():
    assert reconcile([changed(tree_of("ClusterRole", "view"), rules=[])], [tree_of("ClusterRole", "view")]) == []


def test_a_new_role_with_the_label_is_aggregated():
    rule = {"verbs": ["get"], "apiGroups": ["example.com"], "resources": ["widgets"]}
    labels = {f"{GROUP}/aggregate-to-view": "true"}
    crd = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "widgets", "labels": labels},
        "rules": [rule],
    }
    roles = [t for t in BOOTSTRAP if t["kind"] == "ClusterRole"]
    (view,) = aggregated([*roles, crd])
    assert view["metadata"]["name"] == "view"
    assert rule in view["rules"]


def role(*rules, **more):
    return {"metadata": {"name": "r", "namespace": "dev"}, "rules": list(rules), **more}


def owned(tree):
    return {**tree, "metadata": {**tree["metadata"], "ownerReferences": [{"name": "x"}], "finalizers": ["y"]}}


SECRETS = {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["secrets"]}


def test_escalation_is_refused_in_upstreams_words():
    with pytest.raises(ApiError) as refused:
        escalation.check(AUTHORIZER, User("vi", ("a", "b")), kinds.ROLES, role(SECRETS), None)
    assert refused.value.code == 403
    assert refused.value.message == (
        f'roles.{GROUP} "r" is forbidden: user "vi" (groups=["a" "b"]) is attempting to grant RBAC permissions not '
        'currently held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}'
    )


def test_nobody_but_an_administrator_aggregates():
    new = {"metadata": {"name": "r"}, "rules": [], "aggregationRule": {"clusterRoleSelectors": [{}]}}
    with pytest.raises(ApiError, match="must have cluster-admin privileges to use the aggregationRule"):
        escalation.check(AUTHORIZER, User("ann"), kinds.CLUSTERROLES, new, None)


@pytest.mark.parametrize(
    ("user", "kind", "new", "old"),
    [
        pytest.param(User("ann"), kinds.ROLES, role(SECRETS), None, id="held in the namespace"),
        pytest.param(User("root"), kinds.ROLES, role(SECRETS), None, id="cluster-admin"),
        pytest.param(User("vi", ("system:masters",)), kinds.ROLES, role(SECRETS), None, id="masters"),
        pytest.param(User("vi"), kinds.ROLES, owned(role(SECRETS)), role(SECRETS), id="only owners change"),
        pytest.param(User("vi"), kinds.PODS, {"metadata": {"name": "p"}}, None, id="no role at all"),
        pytest.param(User("ann"), kinds.ROLEBINDINGS, bound("b", "view", "x", "dev"), None, id="binds what it holds"),
    ],
)
def test_no_escalation(user, kind, new, old):
    escalation.check(AUTHORIZER, user, kind, new, old)  # raises where it is one, as the tests around this show


@pytest.mark.parametrize(
    ("name", "code", "text"),
    [
        ("cluster-admin", 403, "is attempting to grant RBAC permissions not currently held"),
        ("nowhere", 404, f'rolebindings.{GROUP} "nowhere" not found'),
    ],
)
def test_binding_a_bigger_role_is_refused(name, code, text):
    with pytest.raises(ApiError) as refused:
        escalation.check(AUTHORIZER, User("ann"), kinds.ROLEBINDINGS, bound("b", name, "x", "dev"), None)
    assert (refused.value.code, text in refused.value.message) == (code, True)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            Attributes(user=User("vi"), verb="list", plural="pods", namespace="dev"),
            'pods is forbidden: User "vi" cannot list resource "pods" in API group "" in the namespace "dev"',
        ),
        (
            Attributes(user=User("vi"), verb="get", group="apps", plural="deployments", subresource="scale", name="d"),
            'deployments.apps "d" is forbidden: User "vi" cannot get resource "deployments/scale" in API group "apps" at the cluster scope',
        ),
        (
            Attributes(user=User("vi"), verb="get", is_resource=False, path="/x"),
            'forbidden: User "vi" cannot get path "/x"',
        ),
    ],
)
def test_the_words_of_a_403(attributes, message):
    assert denied(attributes).message == message


def test_access_reviews():
    spec = {"user": "ann", "resourceAttributes": {"verb": "get", "resource": "secrets", "namespace": "dev"}}
    status = reviews.subject_access_review(AUTHORIZER, {"spec": spec})["status"]
    assert status["allowed"]
    assert status["reason"] == 'RBAC: allowed by RoleBinding "ann/dev" of ClusterRole "admin" to User "ann"'
    assert reviews.self_subject_access_review(AUTHORIZER, User("vi"), {"spec": spec})["status"] == {"allowed": False}
    assert reviews.local_subject_access_review(AUTHORIZER, {"spec": spec}, "dev")["status"]["allowed"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"user": "a"},
            "spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified",
        ),
        ({"resourceAttributes": {}}, 'spec.user: Invalid value: "": at least one of user or group must be specified'),
    ],
)
def test_a_review_without_a_question_is_invalid(spec, message):
    with pytest.raises(ApiError) as refused:
        reviews.subject_access_review(AUTHORIZER, {"spec": spec})
    assert refused.value.message == f'.authorization.k8s.io "" is invalid: {message}'


def test_rules_review():
    answer = reviews.self_subject_rules_review(
        AUTHORIZER, User("vi", ("system:authenticated",)), {"spec": {"namespace": "dev"}}
    )
    assert answer["status"]["incomplete"] is False
    assert any("pods" in rule["resources"] for rule in answer["status"]["resourceRules"])
    assert any("/version" in rule["nonResourceURLs"] for rule in answer["status"]["nonResourceRules"])
    node = User("system:node:n", ("system:nodes",))
    status = reviews.self_subject_rules_review(AUTHORIZER, node, {"spec": {"namespace": "dev"}})["status"]
    assert (status["incomplete"], status["evaluationError"]) == (
        True,
        "node authorizer does not support user rule resolution",
    )

"""RBAC over a few objects: decisions, reasons, and the index against a brute-force reading of all bindings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver.authorization import authorizer as union
from apiserver.authorization.rbac import RbacAuthorizer
from apiserver.authorization.rules import compiled
from apiserver.request import Attributes, User
from tests.unit.objects import Objects

GROUP = "rbac.authorization.k8s.io"


def role(name, *rules, namespace=""):
    kind = "Role" if namespace else "ClusterRole"
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": metadata, "rules": list(rules)}


def binding(name, to, *subjects, namespace="", kind="ClusterRole"):
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": GROUP, "kind": kind, "name": to},
        "subjects": [dict(zip(("kind", "name", "namespace"), s.split(" "), strict=False)) for s in subjects],
    }


def rbac(*trees):
    return RbacAuthorizer(Objects(*trees), lambda: 1)


READ = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}


def ask(name, *groups, namespace="", verb="get"):
    return Attributes(user=User(name, groups), verb=verb, plural="pods", namespace=namespace, name="p")


@pytest.mark.parametrize(
    ("bound", "question", "reason"),
    [
        pytest.param(
            binding("b", "r", "User ann"),
            ask("ann"),
            'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to User "ann"',
            id="user",
        ),
        pytest.param(
            binding("b", "r", "Group g"),
            ask("ann", "g", namespace="x"),
            'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to Group "g"',
            id="group, in a namespace too",
        ),
        pytest.param(
            binding("b", "r", "ServiceAccount s", namespace="n"),
            ask("system:serviceaccount:n:s", namespace="n"),
            'RBAC: allowed by RoleBinding "b/n" of ClusterRole "r" to ServiceAccount "s/n"',
            id="service account of the binding's namespace",
        ),
        pytest.param(
            binding("b", "r", "ServiceAccount s m", namespace="n"),
            ask("system:serviceaccount:m:s", namespace="n"),
            'RBAC: allowed by RoleBinding "b/n" of ClusterRole "r" to ServiceAccount "s/m"',
            id="service account of another namespace",
        ),
        pytest.param(
            binding("b", "local", "User ann", namespace="n", kind="Role"),
            ask("ann", namespace="n"),
            'RBAC: allowed by RoleBinding "b/n" of Role "local" to User "ann"',
            id="role",
        ),
    ],
)
def test_allowed_with_reason(bound, question, reason):
    decision = rbac(role("r", READ), role("local", READ, namespace="n"), bound).authorize(question)
    assert (decision.allowed, decision.reason) == (True, reason)


@pytest.mark.parametrize(
    ("bound", "question", "reason"),
    [
        pytest.param(binding("b", "r", "User bob"), ask("ann"), "", id="another user"),
        pytest.param(
            binding("b", "r", "User ann", namespace="n"), ask("ann"), "", id="a role binding is not cluster-wide"
        ),
        pytest.param(
            binding("b", "r", "User ann", namespace="n"), ask("ann", namespace="m"), "", id="another namespace"
        ),
        pytest.param(
            binding("b", "x", "User ann"),
            ask("ann"),
            f'RBAC: clusterrole.{GROUP} "x" not found',
            id="missing cluster role",
        ),
        pytest.param(
            binding("b", "x", "User ann", namespace="n", kind="Role"),
            ask("ann", namespace="n"),
            f'RBAC: role.{GROUP} "x" not found',
            id="missing role",
        ),
        pytest.param(binding("b", "x", "User bob"), ask("ann"), "", id="another's missing role is no reason"),
    ],
)
def test_denied_with_reason(bound, question, reason):
    decision = rbac(role("r", READ), bound).authorize(question)
    assert (decision.allowed, decision.reason) == (False, reason)


def test_several_missing_roles_are_listed_once():
    decision = rbac(binding("a", "x", "User ann", "Group g"), binding("b", "y", "User ann")).authorize(ask("ann", "g"))
    assert decision.reason == f'RBAC: [clusterrole.{GROUP} "x" not found, clusterrole.{GROUP} "y" not found]'


def test_a_change_is_seen_when_the_version_changes():
    objects, version = Objects(role("r", READ)), [1]
    authorizer = RbacAuthorizer(objects, lambda: version[0])
    assert not authorizer.authorize(ask("ann")).allowed
    objects.trees.append(binding("b", "r", "User ann"))
    assert not authorizer.authorize(ask("ann")).allowed
    version[0] = 2
    assert authorizer.authorize(ask("ann")).allowed


def test_masters_need_no_role():
    everything = union.create(Objects(), rbac_version=lambda: 1, pods=lambda _graph: None)
    assert everything.authorize(ask("root", "system:masters")).allowed


def test_unknown_modes_are_refused():
    with pytest.raises(ValueError, match='authorization-mode "ABAC" is not known'):
        union.create(Objects(), modes=("ABAC",), rbac_version=lambda: 1, pods=lambda _graph: None)


NAMES = st.sampled_from(["a", "b"])
SUBJECTS = st.lists(
    st.sampled_from(["User a", "User b", "Group g", "Group h", "ServiceAccount s", "ServiceAccount s n"]), max_size=3
)
RULES = st.builds(
    lambda verbs, names: {**READ, "verbs": verbs, "resourceNames": names},
    st.lists(st.sampled_from(["get", "list", "*"]), max_size=2),
    st.lists(st.sampled_from(["p", "q"]), max_size=1),
)
ROLES = st.builds(
    lambda n, rules, ns: role(n, *rules, namespace=ns), NAMES, st.lists(RULES, max_size=2), st.sampled_from(["", "n"])
)
BINDINGS = st.builds(
    lambda to, subjects, ns, kind: binding("x", to, *subjects, namespace=ns, kind=kind if ns else "ClusterRole"),
    NAMES,
    SUBJECTS,
    st.sampled_from(["", "n", "m"]),
    st.sampled_from(["Role", "ClusterRole"]),
)
QUESTIONS = st.builds(
    lambda name, groups, ns, verb: ask(name, *groups, namespace=ns, verb=verb),
    st.sampled_from(["a", "b", "system:serviceaccount:n:s"]),
    st.lists(st.sampled_from(["g", "h"]), unique=True),
    st.sampled_from(["", "n", "m"]),
    st.sampled_from(["get", "list", "watch"]),
)


def is_subject(subject, user, namespace):
    if subject["kind"] == "ServiceAccount":
        return user.name == f"system:serviceaccount:{subject.get('namespace') or namespace}:{subject['name']}"
    return subject["name"] in (user.groups if subject["kind"] == "Group" else (user.name,))


def brute(trees, question):
    for bound in trees:
        namespace = bound["metadata"].get("namespace", "")
        if "roleRef" not in bound or (namespace and namespace != question.namespace):
            continue
        wanted = (
            bound["roleRef"]["kind"],
            bound["roleRef"]["name"],
            namespace if bound["roleRef"]["kind"] == "Role" else "",
        )
        # Of roles with the same name the last one counts: there are no two in a real store.
        rules = [
            t["rules"]
            for t in trees
            if (t["kind"], t["metadata"]["name"], t["metadata"].get("namespace", "")) == wanted
        ][-1:]
        concerned = any(is_subject(s, question.user, namespace) for s in bound["subjects"])
        if concerned and any(compiled(r).allows(question) for found in rules for r in found):
            return True
    return False


@given(st.lists(st.one_of(ROLES, BINDINGS), max_size=6), QUESTIONS)
def test_index_against_brute_force(trees, question):
    assert rbac(*trees).authorize(question).allowed is brute(trees, question)

"""Who may what: access and token reviews, TokenRequests, impersonation."""

from tests.contract.asked_of_kinds import MERGE, PARTIAL, PROTOBUF, TABLE, YAML, ask
from tests.contract.asked_of_server.things import MAPS, PLACE, PODS


def reviews():
    authorization, authentication = "/apis/authorization.k8s.io/v1", "/apis/authentication.k8s.io/v1"
    resource = {"namespace": "s", "verb": "get", "resource": "pods"}
    for spec in ({}, {"resourceAttributes": resource}, {"nonResourceAttributes": {"path": "/version", "verb": "get"}}, {"resourceAttributes": resource, "nonResourceAttributes": {"path": "/", "verb": "get"}},
                 {"user": "jane", "resourceAttributes": resource}, {"user": "jane", "groups": ["system:masters"], "resourceAttributes": resource}, {"groups": ["x"], "nonResourceAttributes": {"path": "/version", "verb": "get"}},
                 {"user": "system:anonymous", "nonResourceAttributes": {"path": "/healthz", "verb": "get"}}, {"user": "jane", "groups": ["system:authenticated"], "nonResourceAttributes": {"path": "/api", "verb": "get"}},
                 {"user": "jane", "extra": {"a": ["b"]}, "uid": "u", "resourceAttributes": {**resource, "group": "*", "version": "*", "name": "x", "subresource": "log"}},
                 {"user": "jane", "resourceAttributes": {**resource, "labelSelector": {"rawSelector": "a=b"}}}, {"user": "jane", "resourceAttributes": {**resource, "labelSelector": {"rawSelector": "a=b", "requirements": [{"key": "a", "operator": "In", "values": ["b"]}]}}},
                 {"user": "jane", "resourceAttributes": {**resource, "fieldSelector": {"requirements": [{"key": "a", "operator": "Nonsense"}]}}}, {"user": "jane", "resourceAttributes": {**resource, "labelSelector": {}}},
                 {"user": "system:kube-scheduler", "resourceAttributes": resource}, {"user": "system:node:n", "groups": ["system:nodes"], "resourceAttributes": {"verb": "get", "resource": "secrets", "namespace": "s", "name": "x"}},
                 {"user": "system:serviceaccount:s:default", "resourceAttributes": resource}, 5, {"user": 5}, {"nonsense": 1, "user": "x", "resourceAttributes": resource}):  # fmt: skip
        for plural in ("subjectaccessreviews", "selfsubjectaccessreviews"):
            yield ask("POST", f"{authorization}/{plural}", {"spec": spec})
        yield ask(
            "POST",
            f"{authorization}/namespaces/s/localsubjectaccessreviews",
            {"metadata": {"namespace": "s"}, "spec": spec},
        )
    yield ask(
        "POST",
        f"{authorization}/namespaces/s/localsubjectaccessreviews",
        {"spec": {"user": "x", "resourceAttributes": {**resource, "namespace": "other"}}},
    )
    yield ask(
        "POST",
        f"{authorization}/subjectaccessreviews",
        {"metadata": {"name": "x"}, "spec": {"user": "x", "resourceAttributes": resource}},
    )
    yield ask(
        "POST",
        f"{authorization}/subjectaccessreviews?dryRun=All",
        {"spec": {"user": "x", "resourceAttributes": resource}},
        accept=YAML,
    )
    for accept in (TABLE, PARTIAL, PROTOBUF):
        yield ask(
            "POST",
            f"{authorization}/subjectaccessreviews",
            {"spec": {"user": "x", "resourceAttributes": resource}},
            accept=accept,
        )
    for body in (
        {},
        {"spec": {}},
        {"spec": {"namespace": "s"}},
        {"metadata": {"name": "x"}, "spec": {"namespace": "s"}},
    ):
        yield ask("POST", f"{authorization}/selfsubjectrulesreviews", body)
    for body in (
        {},
        {"spec": {}},
        {"spec": {"token": "x"}},
        {"spec": {"token": "x", "audiences": ["a"]}},
        {"spec": {"token": "a.b.c"}},
        {"spec": {"token": 5}},
        {"metadata": {"name": "x"}, "spec": {"token": "x"}},
    ):
        yield ask("POST", f"{authentication}/tokenreviews", body)
    yield ask(
        "POST",
        f"{authentication}/selfsubjectreviews",
        {},
        impersonate_user="jane",
        impersonate_group="g",
        impersonate_extra_a="b",
    )
    yield ask("POST", f"{authentication}/selfsubjectreviews", {"spec": {}}, impersonate_user="jane")
    yield ask("POST", f"{authentication}/selfsubjectreviews", {}, accept=TABLE, impersonate_user="jane")
    yield ask("GET", f"{authentication}/selfsubjectreviews")


def tokens():
    accounts = f"{PLACE}/serviceaccounts"
    yield ask("POST", accounts, {"metadata": {"name": "robot"}})
    for spec in ({}, {"expirationSeconds": 5}, {"expirationSeconds": 2**33}, {"audiences": ["a"], "expirationSeconds": 600}, {"audiences": [""]}, {"boundObjectRef": {}},
                 {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "nobody"}}, {"boundObjectRef": {"kind": "ConfigMap", "apiVersion": "v1", "name": "a"}},
                 {"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "x", "uid": "u"}}, {"boundObjectRef": {"kind": "Node", "apiVersion": "v1", "name": "x"}}, {"expirationSeconds": "x"}):  # fmt: skip
        yield ask("POST", f"{accounts}/robot/token", {"spec": spec})
    yield ask("POST", f"{accounts}/nobody/token", {"spec": {}})
    yield ask("POST", f"{accounts}/robot/token", {"metadata": {"name": "other"}, "spec": {}})
    yield ask(
        "POST",
        f"{accounts}/robot/token",
        {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": {"audiences": ["a"]}},
    )
    yield ask("POST", f"{accounts}/robot/token?dryRun=All", {"spec": {}}, accept=TABLE)
    yield ask("GET", f"{accounts}/robot/token")


def impersonated():
    for headers in ({"impersonate_user": "jane"}, {"impersonate_user": "jane", "impersonate_group": "system:masters"}, {"impersonate_group": "g"}, {"impersonate_user": "system:serviceaccount:s:robot"},
                    {"impersonate_uid": "x"}, {"impersonate_extra_x": "y"}, {"impersonate_user": "system:anonymous"}, {"impersonate_user": "system:kube-controller-manager"}):  # fmt: skip
        for method, path, body in (("GET", MAPS, None), ("GET", f"{MAPS}/a", None), ("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "x"}}), ("GET", "/version", None), ("GET", "/metrics/slis", None), ("GET", "/nonsense", None), ("DELETE", MAPS + "?labelSelector=x", None),
                                   ("GET", f"{PODS}/x/log", None), ("GET", "/apis/apps/v1", None), ("PATCH", f"{MAPS}/a?dryRun=All", {}), ("GET", "/api/v1/nodes", None), ("GET", "/api/v1/nonsense", None)):  # fmt: skip
            yield (
                ask(method, path, body, type=MERGE if method == "PATCH" else None, **headers)
                if method != "GET" or "slis" not in path or headers.get("impersonate_user") == "jane"
                else ask("GET", f"{MAPS}/a", **headers)
            )

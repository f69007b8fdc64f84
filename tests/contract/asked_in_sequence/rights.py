"""Rights that nobody may give who has not got them, impersonation by them, and certificates that are asked for."""

from tests.contract.asked_of_kinds import MERGE, ask

RBAC = "/apis/rbac.authorization.k8s.io/v1"
PLACE = f"{RBAC}/namespaces/rights"
CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
#: A request for `CN=x, O=g`, in PEM and base64.
REQUEST = (
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIVE1Ib0NBUUF3R0RFS01BZ0dBMVVFQ2d3Qlp6RUtNQWdHQTFV"
    "RUF3d0JlREJaTUJNR0J5cUdTTTQ5QWdFRwpDQ3FHU000OUF3RUhBMElBQkRobitHUlVGKzFlcU9DSXZtOGxTOXd2bkVNWEhaS3Vl"
    "VWI1QnBEM1JpRzJycFpyCkNiSlJGbmh5V0hqM0U0Z3JPTXA3djUxbzU0OXFCajRMU1laenl0U2dBREFLQmdncWhrak9QUVFEQWdO"
    "SkFEQkcKQWlFQXpxYnZlVkIwS0F1S1dBTUVOUmF3b05yaFlxVk1yMlM5VHZGZGY2OHcxNDhDSVFESEdYU1h1VzFIMzJnVgptWDQr"
    "dkRUZ2NuYXMrSWVEUVVLZjdaYXVqbjZraVE9PQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K"
)


def everything():
    yield ask("POST", "/api/v1/namespaces", {"metadata": {"name": "rights"}})
    yield from _escalation()
    yield from _impersonation()
    yield from _certificates()


def rule(verbs, resources=(), groups=("",), **more):
    found = {"verbs": list(verbs), **more}
    return found if "nonResourceURLs" in more else {**found, "apiGroups": list(groups), "resources": list(resources)}


def role(name, *rules, kind="Role"):
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "rules": list(rules),
    }


def binding(name, ref, *subjects, kind="Role"):
    found = [{"kind": "User", "name": subject, "apiGroup": "rbac.authorization.k8s.io"} for subject in subjects]
    return {"metadata": {"name": name}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": ref}, "subjects": found}  # fmt: skip


def _escalation():
    manage = rule(
        ["*"], ["roles", "rolebindings", "clusterroles", "clusterrolebindings"], ["rbac.authorization.k8s.io"]
    )
    limited = rule(["create", "update", "patch", "get", "delete"], ["roles", "rolebindings", "clusterroles", "clusterrolebindings"], ["rbac.authorization.k8s.io"])  # fmt: skip
    yield ask("POST", f"{PLACE}/roles", role("mine", limited, rule(["get", "list"], ["pods"])))
    yield ask("POST", f"{PLACE}/rolebindings", binding("mine", "mine", "jane"))
    yield ask("POST", f"{RBAC}/clusterroles", role("all-rights", manage, kind="ClusterRole"))
    yield ask("POST", f"{RBAC}/clusterrolebindings", binding("all-rights", "all-rights", "root", kind="ClusterRole"))
    yield ask("UNTIL", f"{PLACE}/roles/mine", impersonate_user="jane")
    yield ask("UNTIL", f"{RBAC}/clusterroles/all-rights", impersonate_user="root")
    for rules in ([rule(["get"], ["pods"])], [rule(["get"], ["pods", "secrets"])], [rule(["*"], ["pods"])], [rule(["get"], ["*"])], [rule(["get"], ["pods"], resourceNames=["a"])], [rule(["get"], nonResourceURLs=["/x"])], [rule(["get", "watch"], ["pods"]), rule(["delete"], ["pods"], ["apps"])], [rule([], ["pods"])], [rule(["get"], [])], [rule(["get"], ["pods"], [])], [rule(["get"], ["pods/log"])], [rule(["escalate"], ["roles"], ["rbac.authorization.k8s.io"])]):  # fmt: skip
        yield ask("POST", f"{PLACE}/roles?dryRun=All", role("x", *rules), impersonate_user="jane")
        yield ask("PUT", f"{PLACE}/roles/mine?dryRun=All", role("mine", *rules), impersonate_user="jane")
        yield ask(
            "POST", f"{RBAC}/clusterroles?dryRun=All", role("x", *rules, kind="ClusterRole"), impersonate_user="root"
        )
        yield ask(
            "POST", f"{RBAC}/clusterroles?dryRun=All", role("x", *rules, kind="ClusterRole"), impersonate_user="jane"
        )
    for ref, kind in (("mine", "Role"), ("nobody", "Role"), ("view", "ClusterRole"), ("cluster-admin", "ClusterRole"), ("x", "Nonsense")):  # fmt: skip
        yield ask(
            "POST", f"{PLACE}/rolebindings?dryRun=All", binding("x", ref, "joe", kind=kind), impersonate_user="jane"
        )
        yield ask(
            "POST", f"{PLACE}/rolebindings?dryRun=All", binding("x", ref, "joe", kind=kind), impersonate_user="root"
        )
    yield ask("PATCH", f"{PLACE}/rolebindings/mine?dryRun=All", {"roleRef": {"name": "other"}}, type=MERGE)
    yield ask("PATCH", f"{PLACE}/rolebindings/mine?dryRun=All", {"subjects": [{"kind": "Group", "name": "g"}]}, type=MERGE, impersonate_user="jane")  # fmt: skip
    for subject in ({"kind": "User"}, {"kind": "Nonsense", "name": "x"}, {"kind": "ServiceAccount", "name": "x"}, {"kind": "ServiceAccount", "name": "Bad_", "namespace": "s"}, {"kind": "User", "name": "x", "apiGroup": "y"}, {"kind": "User", "name": "x", "namespace": "n"}):  # fmt: skip
        yield ask("POST", f"{PLACE}/rolebindings?dryRun=All", {**binding("x", "mine"), "subjects": [subject]})
    for name in ("a:b", "a/b", "a%b", ".", "Bad"):
        yield ask("POST", f"{PLACE}/roles?dryRun=All", role(name, rule(["get"], ["pods"])))
    yield ask("POST", f"{RBAC}/clusterroles?dryRun=All", {**role("x", kind="ClusterRole"), "aggregationRule": {}})
    yield ask("POST", f"{RBAC}/clusterroles?dryRun=All", {**role("x", kind="ClusterRole"), "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}}, impersonate_user="root")  # fmt: skip
    for path in ("/api/v1/namespaces/rights/pods", "/api/v1/namespaces/rights/pods/x", "/api/v1/namespaces/rights/secrets", "/api/v1/namespaces/other/pods", "/api/v1/pods", "/api/v1/nodes/n", "/api/v1/namespaces/rights/pods/x/exec", "/api/v1/namespaces/rights/pods?watch=1", "/healthz", "/metrics", "/apis/apps/v1/namespaces/rights/deployments/x/scale", "/apis/nonsense.example.com/v1/things"):  # fmt: skip
        for method in ("GET", "POST", "DELETE"):
            yield ask(method, path, {} if method == "POST" else None, impersonate_user="jane")
    yield ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {"spec": {"namespace": "rights"}}, impersonate_user="jane")  # fmt: skip


def _impersonation():
    for headers in ({"impersonate_user": "jane", "impersonate_uid": "u"}, {"impersonate_user": "jane", "impersonate_extra_a": "1", "impersonate_extra_b%2fc": "2"}, {"impersonate_user": "jane", "impersonate_group": "system:unauthenticated"}, {"impersonate_user": "system:serviceaccount:rights:x"}, {"impersonate_user": "system:serviceaccount:rights:x", "impersonate_group": "g"},
                    {"impersonate_user": "system:serviceaccount:Bad_:x"}, {"impersonate_user": "system:anonymous", "impersonate_group": "system:authenticated"}, {"impersonate_user": "system:node:n", "impersonate_group": "system:nodes"}, {"impersonate_user": "a<b>&c"}):  # fmt: skip
        yield ask("POST", WHO, {}, **headers)
        yield ask("GET", "/api/v1/namespaces/rights/secrets", **headers)


def _certificates():
    good = {"request": REQUEST, "signerName": "example.com/x", "usages": ["client auth"]}
    yield ask("POST", CSRS, {"metadata": {"name": "c"}, "spec": good})
    for more in ({"signerName": ""}, {"signerName": "x"}, {"signerName": "kubernetes.io/kube-apiserver-client"}, {"signerName": "kubernetes.io/legacy-unknown"}, {"signerName": "kubernetes.io/kubelet-serving"}, {"usages": []}, {"usages": ["nonsense"]}, {"usages": ["client auth", "client auth"]}, {"expirationSeconds": 5}, {"expirationSeconds": 600}, {"request": "eA=="}, {"request": ""}, {"request": "!"}, {"username": "other", "groups": ["g"]}):  # fmt: skip
        yield ask("POST", f"{CSRS}?dryRun=All", {"metadata": {"name": "x"}, "spec": {**good, **more}})
    yield ask("PATCH", f"{CSRS}/c", {"spec": {"usages": ["server auth"]}}, type=MERGE)
    approval, now = f"{CSRS}/c/approval", "2024-01-01T00:00:00Z"
    for conditions in ([{"type": "Approved"}], [{"type": "Approved", "status": "False"}], [{"type": "Approved", "status": "Unknown"}], [{"type": "Nonsense", "status": "True"}], [{"type": "", "status": "True"}], [{"type": "Approved", "status": "True"}, {"type": "Denied", "status": "True"}], [{"type": "Approved", "status": "True"}] * 2):  # fmt: skip
        yield ask("PUT", f"{approval}?dryRun=All", {"metadata": {"name": "c"}, "spec": good, "status": {"conditions": conditions}})  # fmt: skip
    yield ask("PUT", approval, {"metadata": {"name": "c"}, "spec": good, "status": {"conditions": [{"type": "Approved", "status": "True", "reason": "r", "lastUpdateTime": now}]}})  # fmt: skip
    yield ask("PUT", approval, {"metadata": {"name": "c"}, "spec": good, "status": {"conditions": []}})
    yield ask("PATCH", approval, {"status": {"conditions": [{"type": "Denied", "status": "True"}]}}, type=MERGE)
    for status in ({"certificate": "eA=="}, {"certificate": "!"}, {"certificate": ""}, {"conditions": [{"type": "Failed", "status": "True"}]}, {"conditions": []}):  # fmt: skip
        yield ask("PATCH", f"{CSRS}/c/status?dryRun=All", {"status": status}, type=MERGE)
    yield ask("PUT", f"{CSRS}/nobody/approval", {"metadata": {"name": "nobody"}, "spec": good})
    yield ask("GET", f"{CSRS}/c", accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    yield ask(
        "PUT",
        approval,
        {"metadata": {"name": "c"}, "spec": good, "status": {"conditions": []}},
        impersonate_user="jane",
    )
    yield ask("POST", CSRS, {"metadata": {"name": "y"}, "spec": good}, impersonate_user="jane")

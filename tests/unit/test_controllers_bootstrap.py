"""How machines join: cluster-info signed by tokens, tokens that go when their time is over, kubelets' certificates approved."""

import base64

import pytest

from apimachinery.kinds import CERTIFICATESIGNINGREQUESTS, CONFIGMAPS, SECRETS
from apimachinery.times import rfc3339
from client.plan import Delete, Key
from controllers.bootstrap_tokens import INFO, BootstrapSigner, TokenCleaner, signature
from controllers.certificate_approver import CertificateApprover, permissions
from tests.unit.controllers_view import NOW, FakeView, meta
from tests.unit.test_controllers_certificates import asked, request

TYPE = "bootstrap.kubernetes.io/token"
SAMPLE = {"token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-signing": "true"}


def token(name="bootstrap-token-abcdef", type=TYPE, **data):
    text = {**SAMPLE, **{key.replace("_", "-"): value for key, value in data.items()}}
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in text.items() if value}
    return {"metadata": meta(name, namespace="kube-system"), "type": type, "data": encoded}


def info(**data):
    return {"metadata": {"uid": "u", "resourceVersion": "7"}, "data": {"kubeconfig": "content", **data}}


def planned(seen, *tokens):
    return BootstrapSigner().plan(INFO, FakeView({SECRETS: tokens}), NOW, seen).writes


def test_a_signature_is_upstreams():
    """As k8s.io/cluster-bootstrap's own test has it."""
    content = "Hello from the other side. I must have called a thousand times."
    assert signature(content, "joshua", "my voice is my passcode") == (
        "eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2h1YSJ9..VShe2taLd-YTrmWuRkcL_8QTNDHYxQIEBsAYYiIj1_8"
    )


def test_cluster_info_is_signed_by_every_token():
    (patch,) = planned(info(), token())
    assert (patch.kind, patch.key) == (CONFIGMAPS, INFO)
    assert patch.body == {"data": {"jws-kubeconfig-abcdef": signature("content", "abcdef", SAMPLE["token-secret"])}}
    assert planned(info(**patch.body["data"]), token()) == ()


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(token(usage_bootstrap_signing=""), id="not for signing"),
        pytest.param(token(expiration=rfc3339(NOW - 1)), id="expired"),
        pytest.param(token(expiration="nonsense"), id="unreadable"),
        pytest.param(token(name="bootstrap-token-other1"), id="another name"),
        pytest.param(token(token_secret=""), id="no secret"),
    ],
)
def test_what_may_not_sign_does_not_and_its_signature_goes(secret):
    assert planned(info(), secret) == ()
    (patch,) = planned(info(**{"jws-kubeconfig-abcdef": "old"}), secret)
    assert patch.body == {"data": {"jws-kubeconfig-abcdef": None}}


def test_without_cluster_info_nothing_is_signed():
    assert planned(None, token()) == ()
    assert planned({"metadata": {}, "data": {}}, token()) == ()


@pytest.mark.parametrize(
    ("secret", "deletes", "again"),
    [
        pytest.param(token(), False, None, id="for ever"),
        pytest.param(token(expiration=rfc3339(NOW + 60)), False, 60.0, id="later"),
        pytest.param(token(expiration=rfc3339(NOW)), True, None, id="now"),
        pytest.param(token(expiration="nonsense"), True, None, id="unreadable"),
        pytest.param(token(type="Opaque", expiration=rfc3339(NOW - 9)), False, None, id="no token"),
    ],
)
def test_tokens_go_when_their_time_is_over(secret, deletes, again):
    key = Key("kube-system", secret["metadata"]["name"])
    plan = TokenCleaner().plan(key, FakeView({SECRETS: [secret]}), NOW)
    assert [type(write) for write in plan.writes] == [Delete] * deletes
    assert plan.again_in == again


KUBELET = {"signer": "kube-apiserver-client-kubelet", "usages": ("client auth", "digital signature"), "conditions": ()}
NODE = asked("system:node:n", ["system:nodes"])


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        pytest.param(request(NODE, **KUBELET, username="system:bootstrap:abcdef"), ("nodeclient",), id="a new node"),
        pytest.param(request(NODE, **KUBELET, username="system:node:n"), ("selfnodeclient", "nodeclient"), id="itself"),
        pytest.param(request(NODE, **{**KUBELET, "conditions": ("Approved",)}), (), id="approved"),
        pytest.param(request(NODE, **{**KUBELET, "conditions": ("Denied",)}), (), id="denied"),
        pytest.param(request(NODE, **{**KUBELET, "usages": ("server auth",)}), (), id="for more than that"),
        pytest.param(request(NODE, **{**KUBELET, "signer": "kube-apiserver-client"}), (), id="another signer"),
        pytest.param(request(asked("jane"), **KUBELET), (), id="no node"),
    ],
)
def test_what_may_be_approved(made, expected):
    view = FakeView({CERTIFICATESIGNINGREQUESTS: [made]})
    assert tuple(permissions(view.get(CERTIFICATESIGNINGREQUESTS, Key("", "r")))) == expected


def test_an_approval_keeps_what_was_said_before():
    made = request(NODE, **{**KUBELET, "conditions": ("Other",)})
    view = FakeView({CERTIFICATESIGNINGREQUESTS: [made]})
    (patch,) = CertificateApprover().plan(Key("", "r"), view, NOW, "nodeclient").writes
    kept, approval = patch.body["status"]["conditions"]
    assert (patch.subresource, kept["type"], approval["type"], approval["reason"]) == (
        "approval",
        "Other",
        "Approved",
        "AutoApproved",
    )
    assert approval["message"] == "Auto approving kubelet client certificate after SubjectAccessReview."

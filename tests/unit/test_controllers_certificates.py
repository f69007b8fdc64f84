"""Approved requests get certificates of the cluster's CA; what should not be signed fails; old requests go."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from apimachinery.kinds import CERTIFICATESIGNINGREQUESTS
from apimachinery.times import rfc3339
from client.plan import Delete, Key
from controllers.certificates import CertificateCleaner, CertificateSigner, authority
from tests.unit.controllers_view import NOW, FakeView, meta

KEY = Key("", "r")
HOUR = 3600


def _name(common, organizations=()):
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _ca():
    key = ec.generate_private_key(ec.SECP256R1())
    start = datetime.fromtimestamp(NOW, UTC)
    made = (
        x509.CertificateBuilder(_name("kubernetes"), _name("kubernetes"), key.public_key(), 1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return authority(made.public_bytes(Encoding.PEM), private), made


CA, CA_CERTIFICATE = _ca()


def asked(common="jane", organizations=(), *names):
    builder = x509.CertificateSigningRequestBuilder(_name(common, organizations))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return base64.b64encode(signed.public_bytes(Encoding.PEM)).decode()


def condition(type_="Approved", age=0):
    stamp = rfc3339(NOW - age)
    return {"type": type_, "status": "True", "reason": "R", "lastUpdateTime": stamp, "lastTransitionTime": stamp}


def request(csr, signer="kube-apiserver-client", usages=("client auth",), conditions=("Approved",), **more):
    status = {"conditions": [condition(each) for each in conditions]}
    spec = {"request": csr, "signerName": f"kubernetes.io/{signer}", "usages": list(usages), **more}
    return {
        "metadata": meta("r", "", resourceVersion="7", creationTimestamp=rfc3339(NOW)),
        "spec": spec,
        "status": status,
    }


def planned(tree, controller=None, now=NOW):
    view = FakeView({CERTIFICATESIGNINGREQUESTS: [tree]})
    return (controller or CertificateSigner(CA)).plan(KEY, view, now).writes


def certificate(tree):
    (write,) = planned(tree)
    assert (write.subresource, write.resource_version) == ("status", "7")
    return x509.load_pem_x509_certificate(base64.b64decode(write.body["status"]["certificate"]))


def test_a_user_gets_a_certificate():
    made = certificate(request(asked("jane", ["dev"]), usages=["client auth", "digital signature"]))
    made.verify_directly_issued_by(CA_CERTIFICATE)
    assert made.subject == _name("jane", ["dev"])
    assert made.not_valid_after_utc - datetime.fromtimestamp(NOW, UTC) == timedelta(days=365)
    assert made.not_valid_before_utc == datetime.fromtimestamp(NOW - 300, UTC)
    usages = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usages) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    keys = made.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (keys.digital_signature, keys.key_encipherment, keys.key_cert_sign) == (True, False, False)
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


@pytest.mark.parametrize(("wanted", "given"), [(600, 600), (7200, 7200), (10**9, 365 * 24 * HOUR)])
def test_a_life_may_be_asked_for(wanted, given):
    made = certificate(request(asked(), expirationSeconds=wanted))
    assert (made.not_valid_after_utc - datetime.fromtimestamp(NOW, UTC)).total_seconds() == given


def test_a_node_gets_its_serving_certificate():
    csr = asked("system:node:n1", ["system:nodes"], x509.DNSName("n1"))
    made = certificate(request(csr, "kubelet-serving", ["server auth", "digital signature"]))
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["n1"]


NODE = ("system:node:n1", ["system:nodes"])
DIGITAL = "digital signature"


@pytest.mark.parametrize(
    ("csr", "signer", "usages", "why"),
    [
        (asked(), "kube-apiserver-client", ["server auth"], "invalid usage for client certificate: server auth"),
        (asked(), "kube-apiserver-client", [DIGITAL], "missing required usage for client certificate: client auth"),
        (asked(), "kubelet-serving", [DIGITAL, "server auth"], "subject organization is not system:nodes"),
        (asked(*NODE), "kubelet-serving", [DIGITAL, "server auth"], "DNS or IP subjectAltName is required"),
        (asked(*NODE, x509.DNSName("x")), "kube-apiserver-client-kubelet", [DIGITAL, "client auth"],
         "DNS subjectAltNames are not allowed"),
        (asked(*NODE, x509.RFC822Name("a@b.c")), "kube-apiserver-client-kubelet", [DIGITAL, "client auth"],
         "Email subjectAltNames are not allowed"),
        (asked("n1", ["system:nodes"]), "kube-apiserver-client-kubelet", [DIGITAL, "client auth"],
         "subject common name does not begin with system:node: "),
        (asked(*NODE), "kube-apiserver-client-kubelet", [DIGITAL],
         "usages did not match [client auth digital signature key encipherment]"),
    ],
)  # fmt: skip
def test_what_should_not_have_been_approved_fails(csr, signer, usages, why):
    (write,) = planned(request(csr, signer, usages))
    approved, failed = write.body["status"]["conditions"]
    assert (approved, failed["type"]) == ({**condition(), "message": ""}, "Failed")
    assert (failed["reason"], failed["message"]) == ("SignerValidationFailure", why)


def test_what_is_not_ours_to_sign():
    assert not planned(request(asked(), conditions=()))
    assert not planned(request(asked(), conditions=["Denied"]))
    assert not planned(request(asked(), conditions=["Approved", "Failed"]))
    foreign = request(asked())
    foreign["spec"]["signerName"] = "example.com/mine"
    assert not planned(foreign)
    signed = request(asked())
    signed["status"]["certificate"] = base64.b64encode(b"there").decode()
    assert not planned(signed)


@pytest.mark.parametrize(
    ("conditions", "signed", "age", "goes"),
    [
        ((), False, 25 * HOUR, True),
        ((), False, 23 * HOUR, False),
        (("Denied",), False, 2 * HOUR, True),
        (("Denied",), False, HOUR // 2, False),
        (("Approved",), False, 25 * HOUR, False),
        (("Approved",), True, 2 * HOUR, True),
        (("Approved",), True, HOUR // 2, False),
        (("Approved", "Failed"), False, 2 * HOUR, True),
    ],
)
def test_old_requests_go(conditions, signed, age, goes):
    tree = request(asked(), conditions=conditions)
    if signed:
        (write,) = planned(tree)
        tree["status"]["certificate"] = write.body["status"]["certificate"]
    writes = planned(tree, CertificateCleaner(), NOW + age)
    assert [type(write) for write in writes] == ([Delete] if goes else [])


def test_a_certificate_that_is_over_takes_its_request_along():
    tree = request(asked(), expirationSeconds=600)
    (write,) = planned(tree)
    tree["status"]["certificate"] = write.body["status"]["certificate"]
    assert not planned(tree, CertificateCleaner(), NOW + 590)
    assert planned(tree, CertificateCleaner(), NOW + 601)

"""Who a request comes from: certificates, front proxies, tokens, nobody; and acting as somebody else."""

import base64
import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from apimachinery.errors import ApiError
from apiserver.authentication import bootstrap_tokens
from apiserver.authentication.authenticator import Authenticator
from apiserver.authentication.certificates import ClientCertificates
from apiserver.authentication.credentials import Refused
from apiserver.authentication.front_proxy import FrontProxy
from apiserver.authentication.impersonation import Nobody, impersonate
from apiserver.request import Decision, Request, User
from tests.unit.objects import Objects

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
NOW = START.timestamp() + 3600


def certificate(common_name, *groups, issuer=None, usage=ExtendedKeyUsageOID.CLIENT_AUTH, days=30):
    """A certificate and its key, signed by `issuer` (by itself without one)."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, g) for g in groups]
    subject = x509.Name([*names, *([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])])
    builder = x509.CertificateBuilder().subject_name(subject).public_key(key.public_key()).serial_number(7)
    builder = builder.not_valid_before(START).not_valid_after(START + dt.timedelta(days=days))
    builder = builder.issuer_name(issuer[0].subject if issuer else subject)
    if issuer and usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if not issuer:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


CA, PROXY_CA = certificate("ca"), certificate("front-proxy-ca")


def der(*args, **kwargs):
    return certificate(*args, **{"issuer": CA, **kwargs})[0].public_bytes(serialization.Encoding.DER)


def request(*headers, cert=b"", path="/api"):
    raw = [(k.lower().encode(), v.encode()) for k, v in headers]
    scope = {"headers": raw, "extensions": {"tls": {"client_cert": cert}} if cert else {}}
    return Request(scope=scope, method="GET", path=path, query={}, headers={})


def authenticator(*trees, **more):
    proxy = FrontProxy(certificates=ClientCertificates((PROXY_CA[0],)), allowed_names=frozenset({"proxy"}))
    return Authenticator(
        lookup=Objects(*trees),
        now=lambda: NOW,
        certificates=ClientCertificates((CA[0],)),
        front_proxy=proxy,
        **more,
    )


def test_a_certificate_names_user_and_groups():
    user = authenticator().authenticate(request(cert=der("ann", "devs", "ops")))
    assert (user.name, user.groups) == ("ann", ("devs", "ops", "system:authenticated"))
    assert user.extra["authentication.kubernetes.io/credential-id"][0].startswith("X509SHA256=")


@pytest.mark.parametrize(
    "cert",
    [
        pytest.param(der("ann", issuer=PROXY_CA), id="of the proxy's CA"),
        pytest.param(der("ann", usage=ExtendedKeyUsageOID.SERVER_AUTH), id="for servers"),
        pytest.param(
            certificate("ann", issuer=certificate("ca"))[0].public_bytes(serialization.Encoding.DER),
            id="of a CA with our CA's name",
        ),
        pytest.param(der("ann", days=0), id="expired"),
    ],
)
def test_a_certificate_that_does_not_hold_is_401(cert):
    with pytest.raises(ApiError) as refused:
        authenticator().authenticate(request(cert=cert))
    assert (refused.value.code, refused.value.message) == (401, "Unauthorized")


def test_another_authoritys_certificate_is_looked_at_once():
    """Every client's is, for the front proxy's CA: with each request it would cost as much as the request."""

    certificates, cert = ClientCertificates((CA[0],)), der("ann", issuer=PROXY_CA)
    for _ in range(2):
        with pytest.raises(Refused, match="signed by unknown authority"):
            certificates.identify(cert, NOW)
        certificates.authorities = (PROXY_CA[0],)  # who looked again would say otherwise
    assert list(certificates.kept) == [cert]


def test_a_certificate_without_usages_is_good_for_any():
    assert authenticator().authenticate(request(cert=der("ann", usage=None))).name == "ann"


def test_a_front_proxy_names_users_in_headers():
    headers = [
        ("X-Remote-User", "bob"),
        ("X-Remote-Group", "a"),
        ("X-Remote-Group", "b"),
        ("X-Remote-Extra-Acme.Com%2Fteam", "t"),
    ]
    user = authenticator().authenticate(request(*headers, cert=der("proxy", issuer=PROXY_CA)))
    assert (user.name, user.groups, user.extra) == (
        "bob",
        ("a", "b", "system:authenticated"),
        {"acme.com/team": ("t",)},
    )


@pytest.mark.parametrize(
    "cert",
    [pytest.param(der("other", issuer=PROXY_CA), id="a name not allowed"), pytest.param(b"", id="no certificate")],
)
def test_headers_of_others_mean_nothing(cert):
    try:
        assert authenticator().authenticate(request(("X-Remote-User", "root"), cert=cert)).name == "system:anonymous"
    except ApiError as refusal:
        assert refusal.code == 401  # noqa: PT017 - either answer is right, depending on the certificate


def test_a_client_cannot_use_the_proxys_headers():
    assert authenticator().authenticate(request(("X-Remote-User", "root"), cert=der("ann"))).name == "ann"


def test_nobody_is_anonymous_where_that_is_allowed():
    assert authenticator().authenticate(request()) == User("system:anonymous", ("system:unauthenticated",))
    for refusing in (authenticator(anonymous=False), authenticator(anonymous_paths=frozenset({"/livez"}))):
        with pytest.raises(ApiError, match="Unauthorized"):
            refusing.authenticate(request())


@pytest.mark.parametrize("value", ["Bearer nonsense", "bearer a.b.c", "Bearer abcdef.0123456789abcdef"])
def test_a_bad_token_is_never_anonymous(value):
    with pytest.raises(ApiError, match="Unauthorized"):
        authenticator().authenticate(request(("Authorization", value)))


def test_basic_credentials_are_no_credentials():
    assert authenticator().authenticate(request(("Authorization", "Basic eDp5"))).name == "system:anonymous"


TOKEN = "abcdef.0123456789abcdef"


def bootstrap_secret(**data):
    secret = bootstrap_tokens.secret_for(TOKEN, "test", "2026-02-01T00:00:00Z", ("system:bootstrappers:kubeadm",))
    secret["data"] |= {k.replace("_", "-"): base64.b64encode(v.encode()).decode() for k, v in data.items()}
    return secret


def test_bootstrap_token():
    user = authenticator(bootstrap_secret()).authenticate(request(("Authorization", f"Bearer {TOKEN}")))
    assert user.name == "system:bootstrap:abcdef"
    assert user.groups == ("system:bootstrappers", "system:bootstrappers:kubeadm", "system:authenticated")


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(bootstrap_secret(token_secret="0123456789abcdeF"), id="another secret"),
        pytest.param(bootstrap_secret(token_id="abcdeg"), id="another id"),
        pytest.param(bootstrap_secret(expiration="2026-01-01T00:00:00Z"), id="expired"),
        pytest.param(bootstrap_secret(expiration="soon"), id="unreadable date"),
        pytest.param(bootstrap_secret(usage_bootstrap_authentication="false"), id="not for authentication"),
        pytest.param(bootstrap_secret(auth_extra_groups="system:masters"), id="a group beyond its own"),
        pytest.param({**bootstrap_secret(), "type": "Opaque"}, id="another type"),
    ],
)
def test_bootstrap_tokens_that_do_not_hold(secret):
    with pytest.raises(ApiError, match="Unauthorized"):
        authenticator(secret).authenticate(request(("Authorization", f"Bearer {TOKEN}")))


def test_a_websockets_token():
    protocol = "base64url.bearer.authorization.k8s.io." + base64.urlsafe_b64encode(TOKEN.encode()).decode().rstrip("=")
    asked = request(("Sec-WebSocket-Protocol", f"v5.channel.k8s.io, {protocol}"))
    assert authenticator(bootstrap_secret()).authenticate(asked).name == "system:bootstrap:abcdef"


def acting(*headers, allow=lambda _: True):
    scope = {"headers": [(k.lower().encode(), v.encode()) for k, v in headers]}
    asked = []

    def authorize(question):
        asked.append((question.plural, question.subresource, question.namespace, question.name))
        return Decision(allow(question))

    return impersonate(User("root"), scope, authorize), asked


@pytest.mark.parametrize(
    ("headers", "user", "asked"),
    [
        pytest.param([], User("root"), [], id="nobody else"),
        pytest.param(
            [("Impersonate-User", "bob"), ("Impersonate-Group", "g"), ("Impersonate-Group", "h")],
            User("bob", ("g", "h", "system:authenticated")),
            [("users", "", "", "bob"), ("groups", "", "", "g"), ("groups", "", "", "h")],
            id="user and groups",
        ),
        pytest.param(
            [("Impersonate-User", "system:serviceaccount:ns:robot")],
            User(
                "system:serviceaccount:ns:robot",
                ("system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated"),
            ),
            [("serviceaccounts", "", "ns", "robot")],
            id="service account",
        ),
        pytest.param(
            [("Impersonate-User", "bob"), ("Impersonate-Extra-Scopes", "x"), ("Impersonate-Uid", "7")],
            User("bob", ("system:authenticated",), "7", {"scopes": ("x",)}),
            [("users", "", "", "bob"), ("userextras", "scopes", "", "x"), ("uids", "", "", "7")],
            id="extra and uid",
        ),
        pytest.param(
            [("Impersonate-User", "system:anonymous")],
            User("system:anonymous", ("system:unauthenticated",)),
            [("users", "", "", "system:anonymous")],
            id="anonymous",
        ),
    ],
)
def test_impersonation(headers, user, asked):
    assert acting(*headers) == (user, asked)


def test_impersonation_must_be_allowed():
    with pytest.raises(ApiError) as refused:
        acting(("Impersonate-User", "bob"), ("Impersonate-Group", "g"), allow=lambda q: q.plural == "users")
    message = (
        'groups "g" is forbidden: User "root" cannot impersonate resource "groups" in API group "" at the cluster scope'
    )
    assert refused.value.message == message


def test_impersonation_needs_a_user():
    with pytest.raises(Nobody, match=r"^requested \[{Group  g    }\] without impersonating a user$"):
        acting(("Impersonate-Group", "g"))

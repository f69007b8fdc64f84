"""Service-account tokens: issued and read back; what ends them; reviews and the OIDC documents."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwt

from apimachinery.errors import ApiError
from apiserver.authentication import keys, oidc, reviews, tokens
from apiserver.authentication.authenticator import Authenticator
from apiserver.authentication.service_accounts import ServiceAccountTokens
from tests.unit.objects import Objects

NOW = 1_800_000_000.0
URL = "https://kubernetes.default.svc.cluster.local"


def pem(private):
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_pem(private):
    return private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
RSA_KEY, EC_KEY = keys.load_signing_key(pem(RSA)), keys.load_signing_key(pem(EC))


def tree(kind, name, namespace="ns", uid="u", **more):
    metadata = {"name": name, "uid": uid, "namespace": namespace} if namespace else {"name": name, "uid": uid}
    return {"kind": kind, "metadata": {**metadata, **more.pop("metadata", {})}, **more}


ROBOT = tree("ServiceAccount", "robot", uid="sa-uid")
POD = tree("Pod", "web", uid="pod-uid", spec={"serviceAccountName": "robot", "nodeName": "n1"})
NODE = tree("Node", "n1", "", uid="node-uid")
SECRET = tree("Secret", "s", uid="secret-uid")
ALL = (ROBOT, POD, NODE, SECRET)


def issuer(key=RSA_KEY, **more):
    return tokens.Issuer(url=URL, key=key, audiences=(URL,), **more)


def asked(*trees, key=RSA_KEY, name="robot", **spec):
    return tokens.request_token(issuer(key), Objects(*(trees or ALL)), "ns", name, {"spec": spec}, now=NOW, jti="id")[0]


def bound(kind, name, **more):
    return {"apiVersion": "v1", "kind": kind, "name": name, **more}


def authenticator(*trees, at=NOW, key=RSA_KEY):
    lookup = Objects(*(trees or ALL))
    accounts = ServiceAccountTokens(issuers=(URL,), keys=(key,), audiences=(URL,), lookup=lookup)
    return Authenticator(lookup=lookup, now=lambda: at, service_accounts=accounts)


def test_the_claims_of_a_pods_token():
    answer = asked(boundObjectRef=bound("Pod", "web"), expirationSeconds=3607)
    token = jwt.decode(answer["status"]["token"], RSA_KEY.jwk)
    assert token.header == {"alg": "RS256", "kid": RSA_KEY.kid}
    assert token.claims == {
        "aud": [URL],
        "exp": NOW + 365 * 24 * 3600,
        "iat": NOW,
        "iss": URL,
        "jti": "id",
        "kubernetes.io": {
            "namespace": "ns",
            "node": {"name": "n1", "uid": "node-uid"},
            "pod": {"name": "web", "uid": "pod-uid"},
            "serviceaccount": {"name": "robot", "uid": "sa-uid"},
            "warnafter": NOW + 3607,
        },
        "nbf": NOW,
        "sub": "system:serviceaccount:ns:robot",
    }
    assert answer["status"]["expirationTimestamp"] == "2027-01-15T09:00:07Z"


@pytest.mark.parametrize("key", [RSA_KEY, EC_KEY])
def test_a_token_names_its_account_pod_and_node(key):
    token = asked(key=key, boundObjectRef=bound("Pod", "web"))["status"]["token"]
    user = authenticator(key=key).verify(token).user
    assert (user.name, user.uid) == ("system:serviceaccount:ns:robot", "sa-uid")
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:ns")
    prefix = "authentication.kubernetes.io/"
    assert user.extra == {
        f"{prefix}credential-id": ("JTI=id",),
        f"{prefix}pod-name": ("web",),
        f"{prefix}pod-uid": ("pod-uid",),
        f"{prefix}node-name": ("n1",),
        f"{prefix}node-uid": ("node-uid",),
    }


def review(token, *trees, at=NOW, **spec):
    return reviews.token_review(authenticator(*trees, at=at), {"spec": {"token": token, **spec}})["status"]


def gone(tree_):
    return [t for t in ALL if t is not tree_]


def reborn(tree_):
    return [*gone(tree_), {**tree_, "metadata": {**tree_["metadata"], "uid": "new"}}]


@pytest.mark.parametrize(
    ("reference", "trees", "at", "error"),
    [
        pytest.param(None, ALL, NOW + 3700, "service account token has expired", id="expired"),
        pytest.param(None, ALL, NOW - 100, "service account token is not valid yet", id="too early"),
        pytest.param(None, gone(ROBOT), NOW, 'serviceaccounts "robot" not found', id="account gone"),
        pytest.param(
            None, reborn(ROBOT), NOW, "service account UID (new) does not match claim (sa-uid)", id="another account"
        ),
        pytest.param(bound("Pod", "web"), gone(POD), NOW, "service account token has been invalidated", id="pod gone"),
        pytest.param(
            bound("Pod", "web"),
            reborn(POD),
            NOW,
            "pod UID (new) does not match service account pod ref claim (pod-uid)",
            id="another pod",
        ),
        pytest.param(
            bound("Secret", "s"), gone(SECRET), NOW, "service account token has been invalidated", id="secret gone"
        ),
        pytest.param(
            bound("Node", "n1"), gone(NODE), NOW, "service account token has been invalidated", id="node gone"
        ),
        pytest.param(
            bound("Node", "n1"),
            reborn(NODE),
            NOW,
            "node UID (new) does not match service account node ref claim (node-uid)",
            id="another node",
        ),
    ],
)
def test_what_ends_a_token(reference, trees, at, error):
    token = asked(boundObjectRef=reference)["status"]["token"]
    assert review(token, *trees, at=at) == {"user": {}, "error": f"[invalid bearer token, {error}]"}


def test_a_pods_token_outlives_its_node():
    token = asked(boundObjectRef=bound("Pod", "web"))["status"]["token"]
    assert review(token, *gone(NODE))["authenticated"]


def test_tokens_of_other_keys_and_changed_tokens_do_not_hold():
    foreign = asked(key=EC_KEY)["status"]["token"]
    own = asked()["status"]["token"]
    header, payload, _ = own.split(".")
    for token in (foreign, f"{header}.{payload}.{foreign.split('.')[2]}", own[:-8] + "AAAAAAAA"):
        assert "invalid bearer token" in review(token)["error"]


def test_an_unsigned_token_does_not_hold():
    header = "eyJhbGciOiJub25lIn0"  # {"alg":"none"}
    assert "error" in review(f"{header}.{asked()['status']['token'].split('.')[1]}.")


def test_audiences():
    token = asked(audiences=["vault"])["status"]["token"]
    wanted = f'[invalid bearer token, token audiences ["vault"] is invalid for the target audiences ["{URL}"]]'
    assert review(token)["error"] == wanted
    status = review(token, audiences=["vault", "x"])
    assert (status["authenticated"], status["audiences"]) == (True, ["vault"])


def test_a_secrets_token_lives_while_the_secret_holds_it():
    token = tokens.secret_token(issuer(), ROBOT, "s")
    held = {**SECRET, "data": {"token": base64.b64encode(token.encode()).decode()}}
    assert review(token, ROBOT, held)["user"]["username"] == "system:serviceaccount:ns:robot"
    assert "error" in review(token, ROBOT, SECRET)
    assert "error" in review(token, ROBOT)


@pytest.mark.parametrize(
    ("spec", "code", "message"),
    [
        (
            {"expirationSeconds": 599},
            422,
            "spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes",
        ),
        ({"expirationSeconds": 1 << 33}, 422, "may not specify a duration larger than 2^32 seconds"),
        ({"boundObjectRef": bound("Pod", "nope")}, 404, 'pods "nope" not found'),
        ({"boundObjectRef": bound("ConfigMap", "x")}, 400, "cannot bind token to object of type /v1, Kind=ConfigMap"),
        (
            {"boundObjectRef": bound("Pod", "web", uid="old")},
            409,
            "the UID in the bound object reference (old) does not match the UID in record",
        ),
        ({"name": "other"}, 404, 'serviceaccounts "other" not found'),
    ],
)
def test_token_requests_that_are_refused(spec, code, message):
    with pytest.raises(ApiError) as refused:
        asked(**spec)
    assert (refused.value.code, message in refused.value.message) == (code, True)


def test_a_pod_of_another_account_cannot_be_bound_to():
    with pytest.raises(ApiError, match='cannot bind token for serviceaccount "cook" to pod running with different'):
        asked(POD, NODE, tree("ServiceAccount", "cook"), name="cook", boundObjectRef=bound("Pod", "web"))


def test_the_longest_lifetime_is_kept():
    short = issuer(longest=1000)
    answer, warnings = tokens.request_token(short, Objects(*ALL), "ns", "robot", {}, now=NOW, jti="id")
    assert answer["spec"]["expirationSeconds"] == 1000
    assert warnings == ["requested expiration of 3600 seconds shortened to 1000 seconds"]


def test_oidc_documents_verify_our_tokens():
    published = oidc.documents(URL, keys.load_keys(public_pem(RSA)))
    configuration = json.loads(published["/.well-known/openid-configuration"][0])
    assert configuration["issuer"] == URL
    assert configuration["jwks_uri"] == f"{URL}/openid/v1/jwks"
    body, media_type = published["/openid/v1/jwks"]
    (key,) = json.loads(body)["keys"]
    assert (media_type, key["kid"], key["alg"], "d" in key) == ("application/jwk-set+json", RSA_KEY.kid, "RS256", False)


def test_keys_of_a_file_with_several():
    loaded = keys.load_keys(public_pem(RSA) + public_pem(EC))
    assert [(key.kid, key.algorithm) for key in loaded] == [(RSA_KEY.kid, "RS256"), (EC_KEY.kid, "ES256")]


def test_a_review_needs_a_token():
    with pytest.raises(ApiError, match="token is required for TokenReview in authentication"):
        reviews.token_review(authenticator(), {"spec": {}})

"""Issuing: TokenRequest (`serviceaccounts/NAME/token`), and the tokens of service-account Secrets.

`request_token` is pure but for the signature: the objects come through Lookup, time and the token's id are arguments.
Source: pkg/registry/core/serviceaccount/storage/token.go, pkg/serviceaccount/claims.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from joserfc import jwt

from apimachinery.errors import INVALID, ApiError, FieldError, bad_request, conflict, invalid, not_found
from apimachinery.kinds import NODES, PODS, SECRETS, SERVICEACCOUNTS, Kind
from apimachinery.types import Json
from apiserver.authentication import groups
from apiserver.authentication.keys import Key
from apiserver.authentication.service_accounts import LEGACY_ISSUER
from apiserver.request import Lookup

_GROUP, _KIND = "authentication.k8s.io", "TokenRequest"
SHORTEST = 600
LONGEST = 1 << 32
DEFAULT_SECONDS = 3600
#: What the kubelet asks for; such a token lives a year, so that clients which never re-read it keep working.
EXTENDED_FOR = 3607
EXTENDED = 365 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Who signs, and for whom. `longest` bounds lifetimes (--service-account-max-token-expiration), 0 for none."""

    url: str
    key: Key
    audiences: Sequence[str]
    longest: int = 0
    extend: bool = True

    def sign(self, claims: Json) -> str:
        """The claims as a JWT."""
        header = {"alg": self.key.algorithm, "kid": self.key.kid}
        # Upstream's header has no "typ"; joserfc adds one unless told not to.
        return jwt.encode(header, claims, self.key.jwk, algorithms=[self.key.algorithm], default_type=None)


@dataclass(frozen=True, slots=True)
class _Bound:
    """What a token is bound to: the claim of each object."""

    claims: Json
    is_pod: bool = False


def request_token(
    issuer: Issuer, lookup: Lookup, namespace: str, name: str, body: Json, *, now: float, jti: str
) -> tuple[Json, list[str]]:
    """The answer to a TokenRequest for a service account, and warnings. Raises ApiError."""
    metadata = dict(body.get("metadata") or {})
    if metadata.get("name") and metadata["name"] != name:
        why = "must match the service account name if specified"
        raise invalid(_GROUP, _KIND, name, [FieldError("metadata.name", INVALID, why, metadata["name"])])
    account = lookup.get(SERVICEACCOUNTS, namespace, name)
    if account is None:
        raise not_found("", SERVICEACCOUNTS.plural, name)
    uid = account["metadata"].get("uid", "")
    if metadata.get("uid") and metadata["uid"] != uid:
        why = f"the UID in the token request ({metadata['uid']}) does not match the UID of the service account ({uid})"
        raise conflict(_GROUP, _KIND, name, why)
    spec = defaulted(body)["spec"]
    spec["audiences"] = list(spec.get("audiences") or issuer.audiences)
    if problems := _problems(spec):
        raise invalid(_GROUP, _KIND, "", problems)
    bound = _bound(lookup, namespace, name, spec.get("boundObjectRef"))
    warnings = _shorten(spec, issuer)
    seconds = spec["expirationSeconds"]
    lifetime, warn_after = seconds, 0
    ours = all(audience in issuer.audiences for audience in spec["audiences"])
    if issuer.extend and bound.is_pod and seconds == EXTENDED_FOR and ours:
        lifetime, warn_after = EXTENDED, seconds
    token = issuer.sign(_claims(issuer, account, bound, spec["audiences"], int(now), lifetime, warn_after, jti))
    metadata |= {"name": name, "namespace": namespace, "uid": uid, "creationTimestamp": _time(now)}
    status = {"token": token, "expirationTimestamp": _time(now + seconds)}
    answer = {"kind": _KIND, "apiVersion": f"{_GROUP}/v1", "metadata": metadata, "spec": spec}
    return {**answer, "status": status}, warnings


def _claims(
    issuer: Issuer,
    account: Json,
    bound: _Bound,
    audiences: Sequence[str],
    now: int,
    lifetime: int,
    warn_after: int,
    jti: str,
) -> Json:
    metadata = account["metadata"]
    private: Json = {"namespace": metadata["namespace"], **bound.claims}
    private["serviceaccount"] = {"name": metadata["name"], "uid": metadata.get("uid", "")}
    if warn_after:
        private["warnafter"] = now + warn_after
    return {
        "aud": list(audiences),
        "exp": now + lifetime,
        "iat": now,
        "iss": issuer.url,
        "jti": jti,
        "kubernetes.io": private,
        "nbf": now,
        "sub": groups.service_account_name(metadata["namespace"], metadata["name"]),
    }


def defaulted(body: Json) -> Json:
    """The request with what it leaves out."""
    spec = dict(body.get("spec") or {})
    if spec.get("expirationSeconds") is None:
        spec["expirationSeconds"] = DEFAULT_SECONDS
    spec.setdefault("boundObjectRef", None)
    return {**body, "spec": spec}


def _problems(spec: Json) -> list[FieldError]:
    seconds, path = spec["expirationSeconds"], "spec.expirationSeconds"
    if seconds < SHORTEST:
        return [FieldError(path, INVALID, "may not specify a duration less than 10 minutes", seconds)]
    if seconds > LONGEST:
        return [FieldError(path, INVALID, "may not specify a duration larger than 2^32 seconds", seconds)]
    return []


def _shorten(spec: Json, issuer: Issuer) -> list[str]:
    asked = spec["expirationSeconds"]
    if not issuer.longest or asked <= issuer.longest:
        return []
    spec["expirationSeconds"] = issuer.longest
    return [f"requested expiration of {asked} seconds shortened to {issuer.longest} seconds"]


_BINDABLE: dict[tuple[str, str], Kind] = {(k.api_version, k.kind): k for k in (PODS, NODES, SECRETS)}


def _bound(lookup: Lookup, namespace: str, account: str, reference: Json | None) -> _Bound:
    if reference is None:
        return _Bound({})
    api_version, kind_name = reference.get("apiVersion", ""), reference.get("kind", "")
    kind = _BINDABLE.get((api_version, kind_name))
    if kind is None:
        group, _, version = api_version.rpartition("/")
        raise bad_request(f"cannot bind token to object of type {group}/{version}, Kind={kind_name}")
    name = reference.get("name", "")
    found = lookup.get(kind, namespace if kind.namespaced else "", name)
    if found is None:
        raise not_found("", kind.plural, name)
    claims: Json = {kind.singular_name: _claim(found)}
    if kind is PODS:
        claims |= _node_claim(lookup, found, account)
    wanted, uid = reference.get("uid"), found["metadata"].get("uid")
    if wanted and wanted != uid:
        why = (
            f"the UID in the bound object reference ({wanted}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
        raise conflict("", kind.kind, name, why)
    return _Bound(claims, is_pod=kind is PODS)


def _claim(tree: Json) -> Json:
    return {"name": tree["metadata"]["name"], "uid": tree["metadata"].get("uid", "")}


def _node_claim(lookup: Lookup, pod: Json, account: str) -> Json:
    """A pod's token names the pod's node; without a uid where the Node is unknown."""
    spec = pod.get("spec") or {}
    if (spec.get("serviceAccountName") or spec.get("serviceAccount")) != account:
        raise _other_account(account)
    if not (node_name := spec.get("nodeName")):
        return {}
    node = lookup.get(NODES, "", node_name)
    return {"node": _claim(node) if node else {"name": node_name}}


def _other_account(account: str) -> ApiError:
    return bad_request(
        f'cannot bind token for serviceaccount "{account}" to pod running with different serviceaccount name.'
    )


def secret_token(issuer: Issuer, account: Json, secret_name: str) -> str:
    """The token of a Secret of type kubernetes.io/service-account-token: without expiry, good while the Secret is."""
    metadata, prefix = account["metadata"], "kubernetes.io/serviceaccount/"
    return issuer.sign(
        {
            "iss": LEGACY_ISSUER,
            f"{prefix}namespace": metadata["namespace"],
            f"{prefix}secret.name": secret_name,
            f"{prefix}service-account.name": metadata["name"],
            f"{prefix}service-account.uid": metadata.get("uid", ""),
            "sub": groups.service_account_name(metadata["namespace"], metadata["name"]),
        }
    )


def _time(now: float) -> str:
    return datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

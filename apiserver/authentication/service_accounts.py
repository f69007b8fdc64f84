"""Service-account tokens: a JWT is good as long as its signature, its dates and everything it is bound to are.

The signature is verified once and the claims are kept (bounded, by the token's hash); dates, audiences and the bound
objects are looked at on every request, so that deleting a pod or secret ends its tokens at once.
Source: pkg/serviceaccount/{jwt,claims,legacy}.go; the texts are upstream's, as TokenReviews show them.
"""

import base64
import binascii
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError

from apimachinery.kinds import NODES, PODS, SECRETS, SERVICEACCOUNTS, Kind
from apimachinery.types import Json
from apiserver.authentication import groups
from apiserver.authentication.credentials import Refused
from apiserver.authentication.keys import Key
from apiserver.metrics import credentials as metrics
from apiserver.request import Lookup, User

LEGACY_ISSUER = "kubernetes/serviceaccount"
#: Clocks may differ by this much; also how long a deleted object's token lives on, as upstream has it.
LEEWAY = 60.0
_LEGACY = "kubernetes.io/serviceaccount/"
_INVALIDATED = "service account token has been invalidated"
_INVALID_SINCE = "kubernetes.io/legacy-token-invalid-since"
_KEPT = 4096
_VALID, _STALE = metrics.VALID.of(), metrics.STALE.of()


@dataclass(frozen=True, slots=True)
class Verified:
    """A token's user, and the audiences it was accepted for."""

    user: User
    audiences: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class ServiceAccountTokens:
    """Verifies tokens of `issuers` (the first signs). `audiences` are the API server's own."""

    issuers: Sequence[str]
    keys: Sequence[Key]
    audiences: Sequence[str]
    lookup: Lookup
    kept: OrderedDict[bytes, Json] = field(default_factory=OrderedDict)
    used: Callable[[Json, float], None] | None = None  # is told of a Secret whose token is used, and the time

    def identify(self, token: str, now: float, audiences: Collection[str] = ()) -> Verified | None:
        """The account of a token; None where it is no token of ours. Raises Refused."""
        claims = self._claims(token)
        if claims is None:
            return None
        if claims["iss"] == LEGACY_ISSUER:
            wanted = [a for a in self.audiences if not audiences or a in audiences]
            user = _legacy_user(claims, token, self.lookup, now, self.used)
            metrics.LEGACY.of().value += 1
            return Verified(user, tuple(wanted))
        user = _user(claims, self.lookup, now)
        _count_life(claims, now)
        return Verified(user, self._audiences(claims, audiences))

    def _audiences(self, claims: Json, requested: Collection[str]) -> tuple[str, ...]:
        held = claims.get("aud") or []
        held = [held] if isinstance(held, str) else held
        wanted = requested or self.audiences
        common = tuple(audience for audience in held if audience in wanted)
        if not common:
            shown = [_quoted(held), _quoted(wanted)]
            raise Refused(f"token audiences {shown[0]} is invalid for the target audiences {shown[1]}")
        return common

    def _claims(self, token: str) -> Json | None:
        digest = hashlib.sha256(token.encode()).digest()
        claims = self.kept.get(digest)
        if claims is not None:
            self.kept.move_to_end(digest)
            return claims
        claims = self._verify(token)
        if claims is not None:
            self.kept[digest] = claims
            if len(self.kept) > _KEPT:
                self.kept.popitem(last=False)
        return claims

    def _verify(self, token: str) -> Json | None:
        """The claims of a token that one of our keys signed; None for a token of another issuer."""
        parts = token.split(".")
        header, payload = (_json(parts[0]), _json(parts[1])) if len(parts) == 3 else (None, None)
        if header is None or payload is None or payload.get("iss") not in (*self.issuers, LEGACY_ISSUER):
            return None
        kid = header.get("kid")
        for key in [k for k in self.keys if k.kid == kid] or ([] if kid else self.keys):
            try:
                return dict(jwt.decode(token, key.jwk, algorithms=[key.algorithm]).claims)
            except (JoseError, ValueError):
                continue
        raise Refused("invalid signature, no keys found" if kid else "error in cryptographic primitive")


def _user(claims: Json, lookup: Lookup, now: float) -> User:
    _check_dates(claims, now)
    bound = claims.get("kubernetes.io") or {}
    namespace, account = bound.get("namespace", ""), bound.get("serviceaccount") or {}
    _check_account(lookup, namespace, account, now)
    secret, pod, node = bound.get("secret"), bound.get("pod"), bound.get("node")
    if secret:
        _check_bound(lookup, SECRETS, namespace, secret, now)
    if pod:
        _check_bound(lookup, PODS, namespace, pod, now)
    elif node:  # a pod's token also names the node, but lives and dies with the pod
        _check_bound(lookup, NODES, "", node, now)
    extra: dict[str, tuple[str, ...]] = {}
    if claims.get("jti"):
        extra[groups.CREDENTIAL_ID] = (f"JTI={claims['jti']}",)
    if pod:
        extra |= {groups.POD_NAME: (pod.get("name", ""),), groups.POD_UID: (pod.get("uid", ""),)}
    if node:
        extra[groups.NODE_NAME] = (node.get("name", ""),)
        if node.get("uid"):
            extra[groups.NODE_UID] = (node["uid"],)
    return _account_user(namespace, account.get("name", ""), account.get("uid", ""), extra)


def _count_life(claims: Json, now: float) -> None:
    """Whether a token is older than its client was told to use it (warnafter), and only its extended life keeps it."""
    warn_after = (claims.get("kubernetes.io") or {}).get("warnafter")
    is_stale = warn_after is not None and now > float(warn_after)
    (_STALE if is_stale else _VALID).value += 1


def _account_user(namespace: str, name: str, uid: str, extra: Mapping[str, tuple[str, ...]]) -> User:
    username = groups.service_account_name(namespace, name)
    return User(username, groups.service_account_groups(namespace), uid, extra)


def _check_dates(claims: Json, now: float) -> None:
    if now - LEEWAY > float(claims.get("exp") or 0):
        raise Refused("service account token has expired")
    if now + LEEWAY < float(claims.get("nbf") or 0):
        raise Refused("service account token is not valid yet")


def _check_account(lookup: Lookup, namespace: str, claim: Json, now: float) -> None:
    name = claim.get("name", "")
    account = lookup.get(SERVICEACCOUNTS, namespace, name)
    if account is None:
        raise Refused(f'serviceaccounts "{name}" not found')
    if _deleted(account, now):
        raise Refused(f"service account {namespace}/{name} has been deleted")
    uid = account["metadata"].get("uid", "")
    if uid != claim.get("uid"):
        raise Refused(f"service account UID ({uid}) does not match claim ({claim.get('uid', '')})")


def _check_bound(lookup: Lookup, kind: Kind, namespace: str, claim: Json, now: float) -> None:
    found = lookup.get(kind, namespace, claim.get("name", ""))
    if found is None or _deleted(found, now):
        raise Refused(_INVALIDATED)
    uid = found["metadata"].get("uid", "")
    if uid != claim.get("uid"):
        word = kind.singular_name
        raise Refused(f"{word} UID ({uid}) does not match service account {word} ref claim ({claim.get('uid', '')})")


def _deleted(tree: Json, now: float) -> bool:
    stamp = tree["metadata"].get("deletionTimestamp")
    return bool(stamp) and datetime.fromisoformat(stamp).timestamp() < now - LEEWAY


def _legacy_user(
    claims: Json, token: str, lookup: Lookup, now: float, used: Callable[[Json, float], None] | None
) -> User:
    """A token of a Secret of type kubernetes.io/service-account-token: it lives as long as the Secret holds it."""
    namespace, name = claims.get(f"{_LEGACY}namespace", ""), claims.get(f"{_LEGACY}service-account.name", "")
    uid, secret_name = claims.get(f"{_LEGACY}service-account.uid", ""), claims.get(f"{_LEGACY}secret.name", "")
    if claims.get("sub") != groups.service_account_name(namespace, name):
        raise Refused("sub claim is missing or does not match")
    secret = lookup.get(SECRETS, namespace, secret_name)
    if secret is None:
        raise Refused("could not look up secret")
    if secret["metadata"].get("deletionTimestamp"):
        raise Refused(_INVALIDATED)
    held = base64.b64decode((secret.get("data") or {}).get("token", ""))
    if not hmac.compare_digest(held, token.encode()):
        raise Refused("token does not match server's copy")
    _check_account(lookup, namespace, {"name": name, "uid": uid}, now)
    _check_invalidated(secret, namespace, name)
    account = lookup.get(SERVICEACCOUNTS, namespace, name) or {}
    is_automatic = any(row.get("name") == secret_name for row in account.get("secrets") or ())
    (metrics.LEGACY_AUTO if is_automatic else metrics.LEGACY_MANUAL).of().value += 1
    if used is not None:
        used(secret, now)
    return _account_user(namespace, name, uid, {})


def _check_invalidated(secret: Json, namespace: str, account: str) -> None:
    """A Secret that nobody used for a year is marked by the controller that cleans up, before it is deleted."""
    meta = secret["metadata"]
    if not (meta.get("labels") or {}).get(_INVALID_SINCE):
        return
    metrics.LEGACY_INVALID.of().value += 1
    raise Refused(
        f"the token in secret {namespace}/{meta['name']} for service account {namespace}/{account} has been marked "
        "invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the "
        f"'{_INVALID_SINCE}' label from the secret to temporarily allow use of this token"
    )


def _json(part: str) -> dict[str, Any] | None:
    try:
        value = msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return None
    return value if isinstance(value, dict) else None


def _quoted(values: Collection[str]) -> str:
    return "[" + " ".join(f'"{value}"' for value in values) + "]"

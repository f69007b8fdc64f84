"""Bootstrap tokens: those whose time is over are removed, and kube-public/cluster-info is signed with the others.

A machine that joins knows a token and nothing else. It reads cluster-info as anybody may, and believes it because a
`jws-kubeconfig-TOKENID` beside it is the signature that only a holder of the token can make (RFC 7515, appendix F).
Source: pkg/controller/bootstrap/{bootstrapsigner,tokencleaner,util}.go, k8s.io/cluster-bootstrap/token.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from apimachinery.errors import ApiError
from apimachinery.kinds import CONFIGMAPS, SECRETS, Kind
from apimachinery.types import Json
from client.client import Client
from client.plan import Delete, Key, Patch, Plan, View, Watch, itself, key_of
from controllers.views import BOOTSTRAP_NAMESPACE, BOOTSTRAP_TOKEN, Secret

INFO = Key("kube-public", "cluster-info")
_KUBECONFIG, _SIGNATURE = "kubeconfig", "jws-kubeconfig-"
_NAME = re.compile(r"bootstrap-token-([a-z0-9]{6})")


@dataclass(frozen=True)
class TokenCleaner:
    """The controller of bootstrap tokens' secrets."""

    name: str = "token-cleaner-controller"
    watches: Sequence[Watch] = (Watch(SECRETS, itself),)

    def plan(self, key: Key, view: View, now: float) -> Plan:
        secret: Secret | None = view.get(SECRETS, key)
        if secret is None or secret.type != BOOTSTRAP_TOKEN:
            return Plan()
        remaining = time_left(secret, now)
        if remaining is None:
            return Plan()
        if remaining > 0:
            return Plan(again_in=remaining)
        return Plan([Delete(SECRETS, key_of(secret), secret.metadata.uid)])


def _info(_item: Any, _view: View) -> Iterable[Key]:
    return (INFO,)


@dataclass(frozen=True)
class BootstrapSigner:
    """The controller of one ConfigMap: its signatures are those of the tokens that are there."""

    name: str = "bootstrap-signer-controller"
    watches: Sequence[Watch] = (Watch(SECRETS, _info),)
    at_start: Sequence[Key] = (INFO,)

    def keys_of_any(self, kind: Kind, old: Any, new: Any, _view: View) -> Iterable[Key]:
        """The ConfigMap itself; no cache holds it."""
        one = new if new is not None else old
        return (INFO,) if kind.resource == CONFIGMAPS.resource and key_of(one) == INFO else ()

    async def look(self, client: Client, key: Key, view: View) -> Json | None:  # noqa: ARG002 - every such controller has it
        """The ConfigMap as it is now."""
        try:
            tree: Json = msgspec.json.decode(
                (await client.request("GET", CONFIGMAPS.path(key.namespace, key.name))).content
            )
        except ApiError as error:
            if error.code == 404:
                return None
            raise
        return tree

    def plan(self, key: Key, view: View, now: float, seen: Json | None) -> Plan:
        data: Mapping[str, str] = (seen or {}).get("data") or {}
        content = data.get(_KUBECONFIG)
        if seen is None or content is None:
            return Plan()
        wanted = {
            f"{_SIGNATURE}{token_id}": signature(content, token_id, secret)
            for token_id, secret in _tokens(view.list(SECRETS, BOOTSTRAP_NAMESPACE), now).items()
        }
        found = {name: value for name, value in data.items() if name.startswith(_SIGNATURE)}
        if wanted == found:
            return Plan()
        meta = seen["metadata"]
        changes = {**dict.fromkeys(found.keys() - wanted.keys()), **wanted}
        return Plan([Patch(CONFIGMAPS, key, meta["uid"], {"data": changes}, resource_version=meta["resourceVersion"])])


def _tokens(secrets: Iterable[Secret], now: float) -> dict[str, str]:
    """Token id -> secret, of the tokens that may sign."""
    found: dict[str, str] = {}
    for secret in secrets:
        named = _NAME.fullmatch(secret.metadata.name)
        data = {name: _text(secret, name) for name in ("token-id", "token-secret", "usage-bootstrap-signing")}
        remaining = time_left(secret, now)
        is_fine = named is not None and data["token-id"] == named[1] and data["token-secret"]
        if is_fine and data["usage-bootstrap-signing"] == "true" and (remaining is None or remaining > 0):
            found.setdefault(data["token-id"], data["token-secret"])
    return found


def time_left(secret: Secret, now: float) -> float | None:
    """Seconds until it expires, None where it never does; an unreadable date has passed."""
    text = _text(secret, "expiration")
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return moment.timestamp() - now if moment.tzinfo is not None else 0.0


def signature(content: str, token_id: str, secret: str) -> str:
    """The detached signature, letter for letter as upstream makes it: those who join compare it as text."""
    header = _encoded(msgspec.json.encode({"alg": "HS256", "kid": token_id}))
    signed = hmac.digest(secret.encode(), f"{header}.{_encoded(content.encode())}".encode(), hashlib.sha256)
    return f"{header}..{_encoded(signed)}"


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _text(secret: Secret, name: str) -> str:
    value = secret.data.get(name)
    return value.decode(errors="replace") if value is not None else ""

"""Bootstrap tokens: `abcdef.0123456789abcdef`, kept in the secret kube-system/bootstrap-token-abcdef.

They let a new node ask for its certificate and nothing else. Source: plugin/pkg/auth/authenticator/token/bootstrap.
"""

import base64
import binascii
import hmac
import re
from datetime import datetime

from apimachinery.kinds import SECRETS
from apimachinery.types import Json
from apiserver.authentication.credentials import Refused
from apiserver.authentication.groups import BOOTSTRAP_USER_PREFIX, BOOTSTRAPPERS
from apiserver.request import Lookup, User

NAMESPACE = "kube-system"
SECRET_TYPE = "bootstrap.kubernetes.io/token"  # noqa: S105 - a type's name, not a secret
_TOKEN = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")
_GROUP = re.compile(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]")


def identify(token: str, lookup: Lookup, now: float) -> User | None:
    """The user of a bootstrap token; None where the text is none or no such token exists. Raises Refused."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    token_id, secret_part = match.groups()
    secret = lookup.get(SECRETS, NAMESPACE, f"bootstrap-token-{token_id}")
    if secret is None or secret["metadata"].get("deletionTimestamp") or secret.get("type") != SECRET_TYPE:
        return None
    data = {key: _decoded(value) for key, value in (secret.get("data") or {}).items()}
    if not _holds(data, token_id, secret_part, now):
        return None
    return User(BOOTSTRAP_USER_PREFIX + token_id, _groups(data))


def _holds(data: dict[str, str], token_id: str, secret_part: str, now: float) -> bool:
    return (
        hmac.compare_digest(data.get("token-secret", "").encode(), secret_part.encode())
        and data.get("token-id") == token_id
        and not _expired(data.get("expiration", ""), now)
        and data.get("usage-bootstrap-authentication") == "true"
    )


def _expired(text: str, now: float) -> bool:
    """An unreadable date counts as passed."""
    if not text:
        return False
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return True
    return moment.tzinfo is None or now > moment.timestamp()


def _groups(data: dict[str, str]) -> tuple[str, ...]:
    """system:bootstrappers and the token's extra groups, all of which must lie below it."""
    extra = [group for group in data.get("auth-extra-groups", "").split(",") if group]
    for group in extra:
        if not _GROUP.fullmatch(group):
            raise Refused(f'invalid value for bootstrap group "{group}"')
    return (BOOTSTRAPPERS, *sorted(set(extra)))


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def secret_for(token: str, description: str, expiration: str, groups: tuple[str, ...] = ()) -> Json:
    """The Secret that makes `token` valid, for the tools that create clusters and add nodes."""
    token_id, _, secret_part = token.partition(".")
    text = {
        "token-id": token_id,
        "token-secret": secret_part,
        "description": description,
        "expiration": expiration,
        "auth-extra-groups": ",".join(groups),
        "usage-bootstrap-authentication": "true",
        "usage-bootstrap-signing": "true",
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"bootstrap-token-{token_id}", "namespace": NAMESPACE},
        "type": SECRET_TYPE,
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in text.items() if value},
    }

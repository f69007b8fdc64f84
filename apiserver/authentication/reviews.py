"""TokenReview and SelfSubjectReview: what the server makes of a token, and of the asker. Answered, never stored.

Source: pkg/registry/authentication/{tokenreview,selfsubjectreview}/storage.go.
"""

from apimachinery.errors import bad_request
from apimachinery.types import Json
from apiserver.authentication.authenticator import Authenticator
from apiserver.authentication.credentials import Refused
from apiserver.authentication.groups import authenticated
from apiserver.request import User

_API_VERSION = "authentication.k8s.io/v1"


def user_info(user: User) -> Json:
    """authentication.k8s.io/v1 UserInfo: also what admission webhooks are sent."""
    info: Json = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {key: list(values) for key, values in sorted(user.extra.items())}
    return info


def token_review(authenticator: Authenticator, body: Json) -> Json:
    """The answer to a TokenReview. Raises ApiError 400 without a token."""
    spec = body.get("spec") or {}
    token, audiences = spec.get("token") or "", spec.get("audiences") or []
    if not token:
        raise bad_request("token is required for TokenReview in authentication")
    review = {"kind": "TokenReview", "apiVersion": _API_VERSION, "metadata": body.get("metadata") or {}, "spec": spec}
    try:
        verified = authenticator.verify(token, audiences)
    except Refused as refusal:
        return {**review, "status": {"user": {}, "error": str(refusal)}}
    status: Json = {"authenticated": True, "user": user_info(authenticated(verified.user))}
    if verified.audiences:
        status["audiences"] = list(verified.audiences)
    return {**review, "status": status}


def self_subject_review(user: User, creation_timestamp: str) -> Json:
    """Who the asker is: `kubectl auth whoami`."""
    return {
        "kind": "SelfSubjectReview",
        "apiVersion": _API_VERSION,
        "metadata": {"creationTimestamp": creation_timestamp},
        "status": {"userInfo": user_info(user)},
    }

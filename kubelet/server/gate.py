"""Who may use the kubelet's API: authentication and authorization, both by the API server's word.

A client certificate of the cluster's CA (verified in the TLS handshake) names its user by CN and O; a bearer token is
shown to the API server as a TokenReview. What the user may do is a SubjectAccessReview on `nodes/SUBRESOURCE` of this
node. Nothing is anonymous. Answers are kept as long as upstream's kubelet keeps them by default.
Source: pkg/kubelet/server/auth.go (v1.34, with fine-grained authorization).
"""

import functools
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from cryptography import x509
from cryptography.x509.oid import NameOID

from apimachinery import kinds
from apimachinery.errors import ApiError
from apimachinery.types import Json
from client.client import Client
from serving.asgi import Scope, header

TOKEN_LIFE = 120.0
ALLOWED_LIFE = 300.0
DENIED_LIFE = 30.0
#: Answers kept at most; more users than this and the oldest are asked about again.
CACHE_SIZE = 2048


@dataclass(frozen=True, slots=True)
class User:
    """Who asks."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Reviews(Protocol):
    """The API server's word."""

    async def user_of(self, token: str) -> User | None:
        """Whose token this is; None for nobody's."""

    async def may(self, user: User, verb: str, subresource: str) -> bool:
        """Whether the user may `verb` on nodes/SUBRESOURCE of this node."""


class ApiReviews:
    """`Reviews` by TokenReview and SubjectAccessReview."""

    def __init__(self, client: Client, node: str) -> None:
        self._client = client
        self._node = node

    async def user_of(self, token: str) -> User | None:
        answer = await self._client.create(_TOKEN_REVIEWS, _review(_TOKEN_REVIEWS, {"token": token}))
        status = answer.get("status") or {}
        if not status.get("authenticated"):
            return None
        user = status.get("user") or {}
        extra = tuple((key, tuple(values)) for key, values in (user.get("extra") or {}).items())
        return User(user.get("username", ""), tuple(user.get("groups") or ()), user.get("uid", ""), extra)

    async def may(self, user: User, verb: str, subresource: str) -> bool:
        attributes = {"verb": verb, "version": "v1", "resource": "nodes", "subresource": subresource}
        spec = {
            "user": user.name,
            "groups": list(user.groups),
            "uid": user.uid,
            "extra": {key: list(values) for key, values in user.extra},
            "resourceAttributes": attributes | {"name": self._node},
        }
        answer = await self._client.create(_ACCESS_REVIEWS, _review(_ACCESS_REVIEWS, spec))
        return bool((answer.get("status") or {}).get("allowed"))


_TOKEN_REVIEWS = kinds.TOKENREVIEWS
_ACCESS_REVIEWS = kinds.SUBJECTACCESSREVIEWS


def _review(kind: kinds.Kind, spec: Json) -> Json:
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {}, "spec": spec}


_Question = TypeVar("_Question", bound=Hashable)
_Answer = TypeVar("_Answer")


class _Kept(Generic[_Question, _Answer]):
    """Answers that hold for a while."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._answers: dict[_Question, tuple[float, _Answer]] = {}

    def get(self, question: _Question) -> _Answer | None:
        until, answer = self._answers.get(question, (0.0, None))
        return answer if self._clock() < until else None

    def put(self, question: _Question, answer: _Answer, life: float) -> None:
        self._answers.pop(question, None)
        if len(self._answers) >= CACHE_SIZE:
            del self._answers[next(iter(self._answers))]
        self._answers[question] = (self._clock() + life, answer)


class Gate:
    """Decides about each request; `admit` returns the user or raises ApiError 401 / 403."""

    def __init__(self, reviews: Reviews, clock: Callable[[], float] = time.monotonic) -> None:
        self._reviews = reviews
        self._users: _Kept[str, User] = _Kept(clock)  # by token
        self._access: _Kept[tuple[User, str, str], bool] = _Kept(clock)

    async def admit(self, scope: Scope) -> User:
        """The user who asks, when they may."""
        user = await self._authenticate(scope)
        verb, subresources = question(scope["method"], scope["path"])
        for subresource in subresources:
            if await self._may(user, verb, subresource):
                return user
        asked = f"user={user.name}, verb={verb}, resource=nodes, subresource(s)=[{' '.join(subresources)}]"
        raise ApiError(403, "Forbidden", f"Forbidden ({asked})")

    async def _authenticate(self, scope: Scope) -> User:
        certificate = (scope.get("extensions") or {}).get("tls", {}).get("client_cert")
        if certificate:
            return user_of_certificate(certificate)
        scheme, _, token = header(scope, b"authorization").partition(" ")
        user = await self._user_of(token.strip()) if scheme.lower() == "bearer" and token.strip() else None
        if user is None:
            raise ApiError(401, "Unauthorized", "Unauthorized")
        return user

    async def _user_of(self, token: str) -> User | None:
        user = self._users.get(token)
        if user is None and (user := await self._reviews.user_of(token)) is not None:
            self._users.put(token, user, TOKEN_LIFE)
        return user

    async def _may(self, user: User, verb: str, subresource: str) -> bool:
        asked = (user, verb, subresource)
        allowed = self._access.get(asked)
        if allowed is None:
            allowed = await self._reviews.may(user, verb, subresource)
            self._access.put(asked, allowed, ALLOWED_LIFE if allowed else DENIED_LIFE)
        return allowed


@functools.lru_cache(maxsize=256)
def user_of_certificate(der: bytes) -> User:
    """CN is the name, each O a group."""
    subject = x509.load_der_x509_certificate(der).subject
    names = [str(name.value) for name in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    groups = [str(name.value) for name in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    if not names:
        raise ApiError(401, "Unauthorized", "Unauthorized")
    return User(names[0], (*groups, "system:authenticated"))


_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
#: First part of the path -> the subresources that allow it, the narrowest first.
_SUBRESOURCES = {
    "stats": ("stats",),
    "metrics": ("metrics",),
    "logs": ("log",),
    "checkpoint": ("checkpoint",),
    "pods": ("pods", "proxy"),
    "runningpods": ("pods", "proxy"),
    "healthz": ("healthz", "proxy"),
    "configz": ("configz", "proxy"),
}
_RUNS_THINGS = ("exec", "attach", "portForward", "run")


def question(method: str, path: str) -> tuple[str, tuple[str, ...]]:
    """(verb, subresources): what must be allowed for a request, any of the subresources."""
    first = path.split("/", 2)[1] if "/" in path else path
    # A WebSocket is opened with GET; running something in a container is never a mere `get`.
    verb = "create" if first in _RUNS_THINGS else _VERBS.get(method, method.lower())
    return verb, _SUBRESOURCES.get(first, ("proxy",))

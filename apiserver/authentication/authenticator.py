"""The order in which a request's credentials are tried: front proxy, certificate, bearer token; else anonymous.

A credential that does not hold makes the request fail with 401 unless another one holds: a bad token is never
"anonymous". Source: pkg/kubeapiserver/authenticator/config.go.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from apimachinery.errors import unauthorized
from apiserver.authentication import bootstrap_tokens
from apiserver.authentication.certificates import ClientCertificates
from apiserver.authentication.credentials import Refused, bearer_token, client_certificate
from apiserver.authentication.front_proxy import FrontProxy
from apiserver.authentication.groups import ANONYMOUS_USER, authenticated
from apiserver.authentication.service_accounts import ServiceAccountTokens, Verified
from apiserver.request import Lookup, Request, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticator:
    """Everything that can name a user. What is None or False is switched off."""

    lookup: Lookup
    now: Callable[[], float]
    #: Whom tokens for this server are addressed to.
    audiences: tuple[str, ...] = ()
    certificates: ClientCertificates | None = None
    front_proxy: FrontProxy | None = None
    #: Users by their static tokens.
    static_tokens: Mapping[str, User] = field(default_factory=dict)
    service_accounts: ServiceAccountTokens | None = None
    bootstrap_tokens: bool = True
    anonymous: bool = True
    #: Paths open to anonymous requests; empty for all (RBAC decides), as is upstream's default.
    anonymous_paths: frozenset[str] = frozenset()

    def authenticate(self, request: Request) -> User:
        """The user of a request. Raises ApiError 401."""
        user, refusals = self._by_credentials(request.scope)
        if user is not None:
            return authenticated(user)
        if refusals or not self.anonymous:
            raise unauthorized()
        if self.anonymous_paths and request.path not in self.anonymous_paths:
            raise unauthorized()
        return ANONYMOUS_USER

    def _by_credentials(self, scope: Mapping[str, Any]) -> tuple[User | None, list[Refused]]:
        refusals: list[Refused] = []
        for attempt in (self._by_front_proxy, self._by_certificate, self._by_token):
            try:
                user = attempt(scope)
            except Refused as refusal:
                refusals.append(refusal)
            else:
                if user is not None:
                    return user, []
        # A client's certificate is no front proxy's, and the other way round: only that both failed is a failure.
        return None, refusals

    def _by_front_proxy(self, scope: Mapping[str, Any]) -> User | None:
        der = client_certificate(scope)
        if self.front_proxy is None or not der:
            return None
        return self.front_proxy.identify(scope, der, self.now())

    def _by_certificate(self, scope: Mapping[str, Any]) -> User | None:
        der = client_certificate(scope)
        return self.certificates.identify(der, self.now()) if self.certificates and der else None

    def _by_token(self, scope: Mapping[str, Any]) -> User | None:
        token = bearer_token(scope)
        return self.verify(token).user if token else None

    def verify(self, token: str, audiences: Collection[str] = ()) -> Verified:
        """Who a bearer token stands for; for TokenReviews also with other audiences. Raises Refused."""
        if (known := self.static_tokens.get(token)) is not None:
            return self._for_this_server(known, audiences)
        now = self.now()
        if self.service_accounts is not None:
            try:
                verified = self.service_accounts.identify(token, now, audiences)
            except Refused as refusal:
                raise Refused(f"[invalid bearer token, {refusal}]") from None
            if verified is not None:
                return verified
        user = bootstrap_tokens.identify(token, self.lookup, now) if self.bootstrap_tokens else None
        if user is None:
            raise Refused("invalid bearer token")
        return self._for_this_server(user, audiences)

    def _for_this_server(self, user: User, audiences: Collection[str]) -> Verified:
        """A token that names no audience is for this server alone (authentication/authenticator/audagnostic.go)."""
        common = tuple(each for each in self.audiences if not audiences or each in audiences)
        if self.audiences and not common:
            raise Refused("invalid bearer token")
        return Verified(user, common)

"""Who is who, from the options: certificates, front proxies and tokens that name users, and the signer of tokens."""

from collections.abc import Callable

from cryptography import x509

from apimachinery.types import Json
from apiserver.authentication import oidc
from apiserver.authentication.authenticator import Authenticator
from apiserver.authentication.certificates import ClientCertificates
from apiserver.authentication.front_proxy import FrontProxy
from apiserver.authentication.keys import Key, load_keys, load_signing_key, unique
from apiserver.authentication.service_accounts import ServiceAccountTokens
from apiserver.authentication.tokens import Issuer
from apiserver.options import Options
from apiserver.request import AUTHENTICATED, MASTERS, Lookup, Request, User


class Administrators:
    """Names everybody an administrator: for a server inside one process, which nobody else can reach."""

    def authenticate(self, _request: Request) -> User:
        return User("system:admin", (MASTERS, AUTHENTICATED))


def verifying_keys(options: Options) -> tuple[Key, ...]:
    """The keys whose signature under a service-account token counts."""
    return unique(key for pem in (options.signing_key, *options.verifying_keys) if pem for key in load_keys(pem))


def audiences(options: Options) -> tuple[str, ...]:
    """Whom tokens for this API server are addressed to."""
    return options.audiences or (options.issuer,)


def authenticator(
    options: Options,
    lookup: Lookup,
    clock: Callable[[], float],
    used: Callable[[Json, float], None] | None = None,
) -> Authenticator:
    """Everything that can name a user. `used` is told of Secrets whose tokens are used."""
    keys = verifying_keys(options)
    tokens = ServiceAccountTokens(
        issuers=(options.issuer, *options.issuers),
        keys=keys,
        audiences=audiences(options),
        lookup=lookup,
        used=used,
    )
    return Authenticator(
        lookup=lookup,
        now=clock,
        audiences=audiences(options),
        certificates=_certificates(options.client_ca, options),
        front_proxy=_front_proxy(options),
        static_tokens=options.static_tokens,
        service_accounts=tokens if keys else None,
        anonymous=options.anonymous,
    )


def _certificates(pem: bytes, options: Options) -> ClientCertificates | None:
    with_uid = options.features.is_on("AllowParsingUserUIDFromCertAuth")
    return ClientCertificates(x509.load_pem_x509_certificates(pem), with_uid) if pem else None


def _front_proxy(options: Options) -> FrontProxy | None:
    certificates = _certificates(options.requestheader_ca, options)
    if certificates is None:
        return None
    return FrontProxy(
        certificates=certificates,
        allowed_names=frozenset(options.requestheader_allowed_names),
        username_headers=tuple(name.lower() for name in options.requestheader_username_headers),
        group_headers=tuple(name.lower() for name in options.requestheader_group_headers),
        extra_prefixes=tuple(name.lower() for name in options.requestheader_extra_prefixes),
        uid_headers=("x-remote-uid",) if options.features.is_on("RemoteRequestHeaderUID") else (),
    )


def issuer(options: Options) -> Issuer | None:
    """The signer of service-account tokens, None without a key."""
    if not options.signing_key:
        return None
    return Issuer(
        url=options.issuer,
        key=load_signing_key(options.signing_key),
        audiences=audiences(options),
        longest=options.longest_token,
    )


def documents(options: Options) -> dict[str, tuple[bytes, str]]:
    """The issuer's public documents by path, none without keys."""
    keys, address = verifying_keys(options), options.address
    keys_at = f"https://{address}{oidc.KEYS_PATH}" if address else ""
    return oidc.documents(options.issuer, keys, keys_at) if keys else {}

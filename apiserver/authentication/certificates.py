"""Client certificates: CN is the user, each O a group.

TLS has already verified the chain, but against every CA that the server trusts for clients; where the front proxy has
a CA of its own, its certificates must not name users. So the issuer is checked again here, once per certificate: the
result is kept (bounded) and only the dates are looked at again. Source: apiserver/pkg/authentication/request/x509.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from apiserver.authentication.credentials import Refused
from apiserver.authentication.groups import CREDENTIAL_ID
from apiserver.metrics.credentials import CERTIFICATE_LIFE
from apiserver.request import User

#: The subject attribute that carries a user's uid since v1.33.
UID = x509.ObjectIdentifier("1.3.6.1.4.1.57683.2")
_KEPT = 1024
_LIVES = CERTIFICATE_LIFE.of()
_CLIENT_USES = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}


@dataclass(frozen=True, slots=True)
class Identity:
    """What one certificate says, without regard to the time."""

    user: User
    not_before: float
    not_after: float


@dataclass(slots=True)
class ClientCertificates:
    """Identities of certificates that one of `authorities` issued for client authentication."""

    authorities: Sequence[x509.Certificate]
    with_uid: bool = True  #: whether a certificate may say its user's uid
    #: What was found out of a certificate: whose it is, or why it does not count (another authority's, mostly).
    kept: OrderedDict[bytes, Identity | str] = field(default_factory=OrderedDict)

    def identify(self, der: bytes, now: float) -> User | None:
        """The user of a certificate; None where it has no common name. Raises Refused."""
        identity = self.kept.get(der)
        if identity is None:
            identity = self.kept[der] = self._looked_at(der)
            if len(self.kept) > _KEPT:
                self.kept.popitem(last=False)
        if isinstance(identity, str):
            raise Refused(identity)
        if not identity.not_before <= now <= identity.not_after:
            when = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            raise Refused(f"x509: certificate has expired or is not yet valid: current time {when}")
        _LIVES.add(identity.not_after - now)
        return identity.user if identity.user.name else None

    def _looked_at(self, der: bytes) -> Identity | str:
        try:
            return self._verified(der)
        except Refused as refusal:
            return refusal.message

    def _verified(self, der: bytes) -> Identity:
        try:
            certificate = x509.load_der_x509_certificate(der)
        except ValueError as error:
            raise Refused(f"x509: malformed certificate: {error}") from None
        if not any(_issued(certificate, authority) for authority in self.authorities):
            raise Refused("x509: certificate signed by unknown authority")
        if not _for_clients(certificate):
            raise Refused("x509: certificate specifies an incompatible key usage")
        return Identity(
            _user(certificate, der, UID if self.with_uid else None),
            certificate.not_valid_before_utc.timestamp(),
            certificate.not_valid_after_utc.timestamp(),
        )


def load_authorities(pem: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates of a CA bundle."""
    return tuple(x509.load_pem_x509_certificates(pem)) if pem else ()


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _for_clients(certificate: x509.Certificate) -> bool:
    """A certificate without the extension is good for any use."""
    try:
        uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return not _CLIENT_USES.isdisjoint(uses)


def _user(certificate: x509.Certificate, der: bytes, uid: x509.ObjectIdentifier | None) -> User:
    subject = certificate.subject
    groups = tuple(_text(a.value) for a in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME))
    credential = f"X509SHA256={hashlib.sha256(der).hexdigest()}"
    name = _first(subject, NameOID.COMMON_NAME)
    return User(name, groups, _first(subject, uid) if uid else "", {CREDENTIAL_ID: (credential,)})


def _first(subject: x509.Name, oid: x509.ObjectIdentifier) -> str:
    found = subject.get_attributes_for_oid(oid)
    return _text(found[0].value) if found else ""


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")

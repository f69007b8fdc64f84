"""Whether the certificate and the key of a TLS secret belong together: what is said of those that do not.

Source: registry/core/secret/strategy.go (warningsForSecret), crypto/tls (X509KeyPair). What is wrong inside of a
certificate is said in fewer words than Go has.
"""

import base64
import binascii
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s")
_END = re.compile(rb"(?=-----END ([A-Z0-9 ]+)-----)")  # takes nothing: the dashes of one may begin the next
_TYPES = (
    (rsa.RSAPublicKey, rsa.RSAPrivateKey),
    (ec.EllipticCurvePublicKey, ec.EllipticCurvePrivateKey),
    (ed25519.Ed25519PublicKey, ed25519.Ed25519PrivateKey),
)
_CERTIFICATE, _KEY = "CERTIFICATE", "PRIVATE KEY"
_AFTER = "after skipping PEM blocks of the following types: [{}]"
_SWITCHED = (
    "tls: failed to find certificate PEM data in certificate input, but did find a private key; "
    "PEM inputs may have been switched"
)
_Block = tuple[str, bytes]


def warnings(data: Mapping[str, str]) -> list[str]:
    """Of the data of a secret of the type kubernetes.io/tls."""
    wrong = _wrong(*(base64.b64decode(data.get(name) or "") for name in ("tls.crt", "tls.key")))
    return [wrong] if wrong else []


def _wrong(certificate: bytes, key: bytes) -> str:
    certificates, keys = _blocks(certificate), _blocks(key)
    found = next((der for kind, der in certificates if kind == _CERTIFICATE), None)
    if found is None:
        return _no_certificate([kind for kind, _ in certificates])
    private = next((der for kind, der in keys if kind == _KEY or kind.endswith(f" {_KEY}")), None)
    if private is None:
        return _no_key([kind for kind, _ in keys])
    return _mismatch(found, private)


def _blocks(text: bytes) -> list[_Block]:
    """The blocks of a PEM text, in linear time: whoever sends a secret chooses how many begin and never end."""
    ends: defaultdict[bytes, list[int]] = defaultdict(list)
    for match in _END.finditer(text):
        ends[match[1]].append(match.start())
    found: list[_Block] = []
    at = 0
    while begin := _BEGIN.search(text, at):
        kind, at = begin[1], begin.end()
        places = ends[kind]
        i = bisect_left(places, at)
        if i == len(places):
            continue
        end = places[i]
        body, at = text[at:end], end + len(b"-----END -----") + len(kind)
        try:
            found.append((kind.decode(), base64.b64decode(b"".join(body.split()), validate=True)))
        except binascii.Error:
            continue  # to Go that is no block at all
    return found


def _no_certificate(kinds: list[str]) -> str:
    if not kinds:
        return "tls: failed to find any PEM data in certificate input"
    if len(kinds) == 1 and kinds[0].endswith(_KEY):
        return _SWITCHED
    return f'tls: failed to find "CERTIFICATE" PEM block in certificate input {_AFTER.format(" ".join(kinds))}'


def _no_key(kinds: list[str]) -> str:
    if not kinds:
        return "tls: failed to find any PEM data in key input"
    if kinds == [_CERTIFICATE]:
        return "tls: found a certificate rather than a key in the PEM for the private key"
    after = _AFTER.format(" ".join(kinds))
    return f'tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input {after}'


def _mismatch(certificate: bytes, private: bytes) -> str:
    try:
        public = x509.load_der_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "x509: malformed certificate"
    try:
        key: Any = load_der_private_key(private, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "tls: failed to parse private key"
    for of_public, of_private in _TYPES:
        if isinstance(public, of_public):
            if not isinstance(key, of_private):
                return "tls: private key type does not match public key type"
            return "" if _der(key.public_key()) == _der(public) else "tls: private key does not match public key"
    return "tls: unknown public key algorithm"


def _der(key: Any) -> bytes:
    found: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return found

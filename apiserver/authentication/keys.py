"""The keys of service-account tokens: RS256 for RSA, ES256/384/512 by curve; named by their kid.

A kid is the SHA-256 of the public key's DER form, as upstream makes it, so that both read each other's tokens.
Source: pkg/serviceaccount/jwt.go keyIDFromPublicKey.
"""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from joserfc.jwk import ECKey, RSAKey

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Public = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


@dataclass(frozen=True, slots=True)
class Key:
    """One key, private or public, ready for signing or verifying."""

    kid: str
    algorithm: str
    jwk: RSAKey | ECKey

    def public(self) -> dict[str, object]:
        """The entry of the key in a JSON Web Key Set."""
        return {"use": "sig", "kid": self.kid, "alg": self.algorithm, **self.jwk.as_dict(private=False)}


def load_keys(pem: bytes) -> tuple[Key, ...]:
    """Every key of a file in PEM: private ones, public ones, or both. Raises ValueError for other kinds of keys."""
    return tuple(_key(block) for block in _blocks(pem))


def load_signing_key(pem: bytes) -> Key:
    """The one private key of a file."""
    key = next(iter(load_keys(pem)), None)
    if key is None or not key.jwk.is_private:
        raise ValueError("no private key in PEM form")
    return key


def unique(keys: Iterable[Key]) -> tuple[Key, ...]:
    """The keys without repetition (a signing key is often also named as a verification key)."""
    return tuple({key.kid: key for key in keys}.values())


def _blocks(pem: bytes) -> list[bytes]:
    blocks: list[list[bytes]] = []
    for line in pem.splitlines():
        if line.startswith(b"-----BEGIN "):
            blocks.append([])
        if blocks:
            blocks[-1].append(line)
    return [b"\n".join(block) + b"\n" for block in blocks if b"PARAMETERS" not in block[0]]


def _key(block: bytes) -> Key:
    loaded: object
    if b"PRIVATE KEY" in block:
        loaded = load_pem_private_key(block, None)
    else:
        loaded = load_pem_public_key(block)
    if isinstance(loaded, rsa.RSAPrivateKey):
        return Key(_kid(loaded.public_key()), "RS256", RSAKey.import_key(loaded))
    if isinstance(loaded, rsa.RSAPublicKey):
        return Key(_kid(loaded), "RS256", RSAKey.import_key(loaded))
    if isinstance(loaded, ec.EllipticCurvePrivateKey):
        return Key(_kid(loaded.public_key()), _CURVES[loaded.curve.name], ECKey.import_key(loaded))
    if isinstance(loaded, ec.EllipticCurvePublicKey):
        return Key(_kid(loaded), _CURVES[loaded.curve.name], ECKey.import_key(loaded))
    raise ValueError("service-account keys are RSA or ECDSA keys")


def _kid(key: Public) -> str:
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()

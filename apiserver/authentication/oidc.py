"""The issuer's public documents, with which others verify our service-account tokens (OpenID Connect discovery).

Source: pkg/serviceaccount/openidmetadata.go, pkg/routes/openidmetadata.go.
"""

from collections.abc import Sequence

import msgspec

from apiserver.authentication.keys import Key

CONFIGURATION_PATH = "/.well-known/openid-configuration"
KEYS_PATH = "/openid/v1/jwks"
CACHE_CONTROL = "public, max-age=3600"


def documents(issuer: str, keys: Sequence[Key], jwks_uri: str = "") -> dict[str, tuple[bytes, str]]:
    """Body and media type of each document, by path."""
    configuration = {
        "issuer": issuer,
        "jwks_uri": jwks_uri or issuer.rstrip("/") + KEYS_PATH,
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": sorted({key.algorithm for key in keys}),
    }
    key_set = {"keys": [key.public() for key in keys]}
    return {
        CONFIGURATION_PATH: (msgspec.json.encode(configuration), "application/json"),
        KEYS_PATH: (msgspec.json.encode(key_set), "application/jwk-set+json"),
    }

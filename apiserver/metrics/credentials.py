"""What is told of the credentials that requests bring: tokens of service accounts, certificates of clients.

Sources: pkg/serviceaccount/metrics.go, apiserver/pkg/authentication/request/x509/x509.go.
"""

from serving.series import Counter, Family, Histogram

_HOUR, _DAY = 3600.0, 86400.0

CERTIFICATE_LIFE = Histogram(
    "apiserver_client_certificate_expiration_seconds",
    "How long the client certificates that came with requests are still good.",
    buckets=(
        *(0.0, _HOUR / 2, _HOUR, 2 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 4 * _DAY, 7 * _DAY, 30 * _DAY),
        *(90 * _DAY, 180 * _DAY, 360 * _DAY),
    ),
)


def _tokens(name: str, text: str) -> Counter:
    return Counter(f"serviceaccount_{name}_total", text)


VALID = _tokens("valid_tokens", "Requests with a token that is bound and not older than its client asked for.")
STALE = _tokens("stale_tokens", "Requests with a token that only its extended life keeps good.")
LEGACY = _tokens("legacy_tokens", "Requests with a token of a Secret.")
LEGACY_MANUAL = _tokens("legacy_manual_token_uses", "Requests with a token of a Secret that somebody made.")
LEGACY_AUTO = _tokens("legacy_auto_token_uses", "Requests with a token of a Secret that a controller made.")
LEGACY_INVALID = _tokens("invalid_legacy_auto_token_uses", "Requests with such a token that was invalidated.")

FAMILIES: tuple[Family, ...] = (*(CERTIFICATE_LIFE, VALID, STALE, LEGACY, LEGACY_MANUAL, LEGACY_AUTO, LEGACY_INVALID),)

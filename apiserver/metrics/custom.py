"""What custom resources cost: conversion webhooks, documents made anew.

Sources: apiextensions-apiserver/pkg/apiserver/conversion/metrics.go, controller/openapi{,v3}.
"""

from collections.abc import Iterable

from serving.series import Counter, Family, Histogram, exponential

_CONVERSIONS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0)

CONVERSIONS = Counter(
    "apiserver_conversion_webhook_request_total",
    "Calls to conversion webhooks, by what came of them.",
    ("result", "failure_type"),
)
CONVERSION_SECONDS = Histogram(
    "apiserver_conversion_webhook_duration_seconds",
    "How long conversion webhooks took, by what came of it.",
    ("result", "failure_type"),
    buckets=_CONVERSIONS,
)
CONVERSION_OF_DEFINITION = Histogram(
    "apiserver_crd_conversion_webhook_duration_seconds",
    "How long conversions took, by definition and versions.",
    ("crd_name", "from_version", "to_version", "succeeded"),
    buckets=exponential(0.001, 2, 15),
)
OPENAPI_V2 = Counter(
    "apiextensions_openapi_v2_regeneration_count",
    "How often a definition made OpenAPI v2 be written anew, and why (add, update, remove).",
    ("crd", "reason"),
)
OPENAPI_V3 = Counter(
    "apiextensions_openapi_v3_regeneration_count",
    "How often a definition made a group version's OpenAPI v3 be written anew, and why.",
    ("group", "version", "crd", "reason"),
)
FAMILIES: tuple[Family, ...] = (*(CONVERSIONS, CONVERSION_SECONDS, CONVERSION_OF_DEFINITION, OPENAPI_V2, OPENAPI_V3),)


def regenerated(definition: str, group: str, versions: Iterable[str], reason: str) -> None:
    """A definition came (`add`), changed (`update`) or went (`remove`): OpenAPI is another."""
    OPENAPI_V2.of(definition, reason).value += 1
    for version in versions:
        OPENAPI_V3.of(group, version, definition, reason).value += 1


def converted(definition: str, before: str, after: str, seconds: float, failure: str = "") -> None:
    """A conversion webhook was asked; `failure` says what went wrong, if it did."""
    result = "failure" if failure else "success"
    CONVERSIONS.of(result, failure).value += 1
    CONVERSION_SECONDS.of(result, failure).add(seconds)
    CONVERSION_OF_DEFINITION.of(definition, before, after, "false" if failure else "true").add(seconds)

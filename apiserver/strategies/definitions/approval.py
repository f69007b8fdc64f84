"""The annotation by which definitions in Kubernetes' own groups say that they were approved. Source: apihelpers."""

from urllib.parse import urlsplit

ANNOTATION = "api-approved.kubernetes.io"
INVALID, APPROVED, BYPASSED, MISSING = "invalid", "approved", "bypassed", "missing"
_SEE = "see https://github.com/kubernetes/enhancements/pull/1111"
_NEED = f'protected groups must have approval annotation "{ANNOTATION}"'


def is_protected(group: str) -> bool:
    """Whether a group is the community's."""
    return group in ("k8s.io", "kubernetes.io") or group.endswith((".k8s.io", ".kubernetes.io"))


def state_of(text: str) -> tuple[str, str]:
    """What the annotation says, and the message about it."""
    if not text:
        return MISSING, f"{_NEED}, {_SEE}"
    if text.startswith("unapproved"):
        return BYPASSED, f'not approved: "{text}"'
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.netloc and parts.scheme:
        return APPROVED, f"approved in {text}"
    return INVALID, f'{_NEED} with either a URL or a reason starting with "unapproved", {_SEE}'

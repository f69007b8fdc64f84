"""Names of images as Docker reads them: which tag and digest they have, and whether they are names at all.

Source: github.com/distribution/reference (ParseNormalizedNamed), pkg/util/parsers.
"""

import re

_LONGEST_PATH = 255
_DIGEST_DIGITS = {"sha256": 64, "sha384": 96, "sha512": 128}
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_REFERENCE = re.compile(
    rf"(?:{_DOMAIN}/)?(?P<path>{_PART}(?:/{_PART})*)(?::(?P<tag>\w[\w.-]{{0,127}}))?(?:@(?P<digest>{_DIGEST}))?",
    re.ASCII,
)
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")


def tag_and_digest(image: str) -> tuple[str, str] | None:
    """An image's tag and digest, "" for what its name does not say; None for what cannot be an image's name."""
    match = None if _IDENTIFIER.fullmatch(image) else _REFERENCE.fullmatch(_with_domain(image))
    if match is None or len(match["path"]) > _LONGEST_PATH:
        return None
    digest = match["digest"] or ""
    algorithm, _, digits = digest.partition(":")
    if digest and (len(digits) != _DIGEST_DIGITS.get(algorithm) or digits != digits.lower()):
        return None
    return match["tag"] or "", digest


def _with_domain(image: str) -> str:
    """The whole name: what stands before the first slash is a domain only if it looks like one."""
    first, slash, _ = image.partition("/")
    if not slash:
        return f"docker.io/library/{image}"
    is_domain = any(it in first for it in ".:") or first == "localhost" or first != first.lower()
    return image if is_domain else f"docker.io/{image}"

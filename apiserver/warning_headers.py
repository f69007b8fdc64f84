"""The Warning headers of an answer: RFC 7234's with code 299, as client-go parses them.

What all of them may take is limited: beyond, each is cut short, and what comes after that is left out. A text with
control characters cannot be a header, and is not sent. Source: apiserver/pkg/endpoints/filters/warning.go,
apimachinery/pkg/util/net/http.go (NewWarningHeader).
"""

import unicodedata
from collections.abc import Iterable, Sequence

#: Characters of all texts, and of one where that is not enough.
_MOST, _MOST_EACH = 4 * 1024, 256


def headers(texts: Sequence[str]) -> list[tuple[bytes, bytes]]:
    """The headers, in the order in which the warnings came."""
    if not texts:
        return []
    sent = [text for text in texts if text and not _is_unfit(text)]
    if sum(map(len, sent)) > _MOST:
        sent = list(_fitting(text[:_MOST_EACH] for text in sent))
    return [(b"warning", _header(text)) for text in sent]


def _fitting(texts: Iterable[str]) -> Iterable[str]:
    written = 0
    for text in texts:
        if written >= _MOST:
            return
        written += len(text)
        yield text


def _is_unfit(text: str) -> bool:
    return not text.isprintable() and any(unicodedata.category(letter) == "Cc" for letter in text)


def _header(text: str) -> bytes:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{quoted}"'.encode(errors="replace")

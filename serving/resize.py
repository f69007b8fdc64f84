"""The resize channel: JSON documents `{"Width":80,"Height":24}`, one after the other, in pieces of any size."""

import json
from collections.abc import Iterator

#: A client cannot make us hold more than this of an unfinished document.
LIMIT = 64 * 1024


class ResizeParser:
    """Feed it what arrives; it gives the sizes that are complete."""

    def __init__(self) -> None:
        self._text = ""
        self._decoder = json.JSONDecoder()

    def feed(self, data: bytes) -> Iterator[tuple[int, int]]:
        """The sizes that these bytes complete. Nonsense is dropped: a terminal's size is no reason to end a session."""
        self._text = (self._text + data.decode("utf-8", "replace"))[-LIMIT:]
        while text := self._text.lstrip():
            try:
                document, end = self._decoder.raw_decode(text)
            except json.JSONDecodeError:
                self._text = text if text.startswith("{") else ""
                return
            self._text = text[end:]
            if isinstance(document, dict):
                yield int(document.get("Width", 0)), int(document.get("Height", 0))


def resize_document(width: int, height: int) -> bytes:
    """One size, as a client sends it."""
    return json.dumps({"Width": width, "Height": height}).encode() + b"\n"

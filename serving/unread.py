"""`Unread`: bytes that have come and wait for their one reader, in order. It knows neither connections nor limits."""

import asyncio
from collections import deque


class Unread:
    """What was received; `held` says how many bytes nobody has taken yet, `is_ended` that no more will come."""

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._news = asyncio.Event()
        self.held = 0
        self.is_ended = False

    def put(self, data: bytes) -> None:
        """More has come."""
        self._chunks.append(data)
        self.held += len(data)
        self._news.set()

    def put_back(self, data: bytes) -> None:
        """In front again: what a parser took too far."""
        if data:
            self._chunks.appendleft(data)
            self.held += len(data)
            self._news.set()

    def end(self) -> None:
        """No more will come; what is held can still be taken."""
        self.is_ended = True
        self._news.set()

    async def take(self, n: int) -> bytes:
        """Some bytes, at most n; b"" at the end."""
        while not self._chunks:
            if self.is_ended:
                return b""
            self._news.clear()
            await self._news.wait()
        chunk = self._chunks.popleft()
        if len(chunk) > n:
            self._chunks.appendleft(chunk[n:])
            chunk = chunk[:n]
        self.held -= len(chunk)
        return chunk

"""The store's revision, asked for many at a time: the question that every consistent read begins with.

One question is under way at a time. Only a question asked after a reader came tells what was committed before it; so
who comes meanwhile waits for the next one, which all of them share, and whose answer reaches all of them at once.
"""

import asyncio
from collections.abc import Awaitable, Callable


class Questions:
    """Asks `ask` for those who wait."""

    def __init__(self, ask: Callable[[], Awaitable[int]]) -> None:
        self.asked = 0
        self._ask = ask
        self._waiting: list[asyncio.Future[int]] = []
        self._asking: asyncio.Task[None] | None = None

    async def revision(self) -> int:
        """What the store says some time after this call. Raises what asking raises."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[int] = loop.create_future()
        self._waiting.append(answer)
        if self._asking is None:
            self._asking = loop.create_task(self._run())
        return await answer

    async def _run(self) -> None:
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                self.asked += 1
                await self._settle([answer for answer in waiting if not answer.done()])
        finally:
            self._asking = None

    async def _settle(self, waiting: list[asyncio.Future[int]]) -> None:
        """Answer those who waited when the question was asked, and have not given up since."""
        try:
            revision = await self._ask()
        except BaseException as error:
            for answer in waiting:
                if not answer.done():
                    answer.set_exception(error) if isinstance(error, Exception) else answer.cancel()
            if not isinstance(error, Exception):
                raise
        else:
            for answer in waiting:
                if not answer.done():
                    answer.set_result(revision)

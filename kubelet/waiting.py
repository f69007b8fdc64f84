"""Waiting for news, but no longer than one has patience: what every loop does that looks again by itself."""

import asyncio


async def heard(news: asyncio.Event, patience: float | None) -> bool:
    """Whether there was news within so many seconds; without a limit it waits for as long as it takes."""
    try:
        async with asyncio.timeout(patience):
            await news.wait()
    except TimeoutError:
        return False
    return True

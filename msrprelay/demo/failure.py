"""How a demo ends early."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class DemoFailed(Exception):
    """The call did not go as it should; the text says what did not happen."""


class NotReached(DemoFailed):
    """No relay answers."""


@asynccontextmanager
async def within(seconds: float, what: str) -> AsyncIterator[None]:
    """Bound the block in time; DemoFailed names what had not happened when time was up."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise DemoFailed(f"{what}: not within {seconds:g} s") from None

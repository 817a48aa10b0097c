"""The open connections of one listening socket: bounded, and all ended with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from ..log import Log

log = Log()

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Connections:
    """Gives each connection to ``serve`` until it returns; beyond ``most``, refuses at once."""

    def __init__(self, serve: Serve, most: int) -> None:
        self._serve = serve
        self._most = most
        self._open: set[asyncio.StreamWriter] = set()
        self.refused = 0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection; the callback of asyncio's servers."""
        if len(self._open) >= self._most:
            self.refused += 1
            writer.transport.abort()
            return
        self._open.add(writer)
        try:
            await self._serve(reader, writer)
        except OSError as error:
            # Reset, or no answer to TCP's probes any more.
            log.debug("control connection lost", error=error)
        finally:
            self._open.discard(writer)
            writer.close()

    async def close(self, seconds: float) -> None:
        """End all of them, with what has been written to them read; abort the rest after a while.

        ``seconds`` is how long a reader that is slow may take.
        """
        ending = tuple(self._open)
        for writer in ending:
            writer.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                closed = (writer.wait_closed() for writer in ending)
                await asyncio.gather(*closed, return_exceptions=True)
        self.abort()

    def abort(self) -> None:
        """End all of them at once."""
        for writer in tuple(self._open):
            writer.transport.abort()

"""The control protocol over ng: bencode by UDP."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import cast

from .relay import NotReached, Reply
from .replies import from_bencode, said, settled, to_bencode

PATIENCE_SECONDS = 5.0
"""How long a command waits for its reply."""
REPEAT_SECONDS = 0.5
"""After this long without a reply a datagram is sent again."""


@asynccontextmanager
async def ng_channel(
    host: str,
    port: int,
    *,
    patience: float = PATIENCE_SECONDS,
    every: float = REPEAT_SECONDS,
) -> AsyncIterator[NgChannel]:
    """The channel of :func:`ng`. Raises NotReached."""
    loop = asyncio.get_running_loop()
    try:
        transport, channel = await loop.create_datagram_endpoint(
            lambda: NgChannel(patience, every), remote_addr=(host, port)
        )
    except OSError as error:
        raise NotReached(f"{host} port {port}: {said(error)}") from None
    except (OverflowError, UnicodeError) as error:
        # A port above 65535, a name that no resolver could ask for.
        raise NotReached(f"{host} port {port}: {error}") from None
    try:
        yield channel
    finally:
        transport.close()


class NgChannel(asyncio.DatagramProtocol):
    """ng over UDP. A repeated datagram has the same cookie, so that the relay acts once."""

    def __init__(self, patience: float, every: float) -> None:
        self._patience = patience
        self._every = every
        # Another client on this port, before or after us, must not have had the same cookies.
        self._prefix = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._waiting: dict[bytes, asyncio.Future[bytes]] = {}
        self._transport: asyncio.DatagramTransport | None = None
        # What went wrong since anything has come.
        self._trouble: Exception | None = None

    async def ask(
        self,
        command: str,
        fields: Mapping[str, object],
        patience: float | None = None,
        every: float | None = None,
    ) -> Reply:
        """See :class:`Channel`; ``patience`` and ``every`` for this command only."""
        cookie = f"{self._prefix}_{next(self._numbers)}".encode()
        # SIP servers write the command last.
        datagram = cookie + b" " + to_bencode({**fields, "command": command})
        patience = self._patience if patience is None else patience
        return settled(await self._exchange(cookie, datagram, patience, every or self._every))

    async def _exchange(
        self, cookie: bytes, datagram: bytes, patience: float, every: float
    ) -> Reply:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[cookie] = answer
        try:
            async with asyncio.timeout(patience):
                while self._transport is not None:
                    self._transport.sendto(datagram)
                    done, _ = await asyncio.wait([answer], timeout=every)
                    if done:
                        return from_bencode(answer.result())
            raise NotReached("the channel is closed")
        except TimeoutError:
            why = f": {said(self._trouble)}" if self._trouble else ""
            raise NotReached(f"no reply within {patience:g} s{why}") from None
        finally:
            del self._waiting[cookie]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are such by their methods only.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._trouble = None
        cookie, _, body = data.partition(b" ")
        waiting = self._waiting.get(cookie)
        if waiting is not None and not waiting.done():
            waiting.set_result(body)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens (yet): the next transmission may find somebody."""
        self._trouble = exc

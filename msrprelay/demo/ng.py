"""The ng protocol over UDP as a SIP server speaks it: bencode, a cookie, the same one again."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

from ..rpc import bencode
from .failure import DemoFailed, NotReached

RETRANSMIT_SECONDS = 0.25
PATIENCE_SECONDS = 5.0

Reply = dict[str, Any]


class Refused(DemoFailed):
    """The relay answered with an error; the text is its reason."""


class NgClient(asyncio.DatagramProtocol):
    """Sends commands and waits for their replies; made by :func:`ng_client`."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._waiting: dict[bytes, asyncio.Future[bytes]] = {}
        self._transport: asyncio.DatagramTransport | None = None

    async def ask(
        self,
        command: str,
        fields: Mapping[str, object] | None = None,
        *,
        patience: float = PATIENCE_SECONDS,
        every: float = RETRANSMIT_SECONDS,
    ) -> Reply:
        """Send one command, repeated ``every`` seconds, and give the reply.

        Raises Refused, and NotReached after ``patience`` seconds.
        """
        cookie = b"demo_%d_%d" % (os.getpid(), next(self._numbers))
        # Kamailio writes the command last.
        datagram = cookie + b" " + bencode.encode({**(fields or {}), "command": command})
        reply = _reply(await self._exchange(cookie, datagram, patience, every))
        if reply.get("result") not in ("ok", "pong"):
            raise Refused(str(reply.get("error-reason") or reply.get("result")))
        return reply

    async def _exchange(
        self, cookie: bytes, datagram: bytes, patience: float, every: float
    ) -> bytes:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[cookie] = answer
        repeating = asyncio.create_task(self._repeat(datagram, every))
        try:
            async with asyncio.timeout(patience):
                return await answer
        except TimeoutError:
            raise NotReached(f"no relay answers ng within {patience:g} s") from None
        finally:
            repeating.cancel()
            del self._waiting[cookie]

    async def _repeat(self, datagram: bytes, every: float) -> None:
        while self._transport is not None:
            self._transport.sendto(datagram)
            await asyncio.sleep(every)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's own transport is one by its methods only.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        cookie, _, body = data.partition(b" ")
        waiting = self._waiting.get(cookie)
        if waiting is not None and not waiting.done():
            waiting.set_result(body)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens (yet): the next transmission may find somebody."""


@asynccontextmanager
async def ng_client(host: str, port: int) -> AsyncIterator[NgClient]:
    """A client of the relay at ``host:port``. Raises NotReached for a host that is none."""
    loop = asyncio.get_running_loop()
    try:
        made = await loop.create_datagram_endpoint(NgClient, remote_addr=(host, port))
    except OSError as error:
        raise NotReached(f"{host}:{port}: {error.strerror or error}") from None
    transport, client = made
    try:
        yield client
    finally:
        transport.close()


def _reply(body: bytes) -> Reply:
    try:
        value, _ = bencode.decode(body)
    except bencode.BencodeError as error:
        raise DemoFailed(f"the relay's reply is no bencode: {error}") from None
    if not isinstance(value, dict):
        raise DemoFailed("the relay's reply is no dictionary")
    return {key: _plain(item) for key, item in value.items()}


def _plain(value: object) -> Any:
    """The value with strings as JSON has them; an SDP survives it, octet for octet."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value

"""Endpoints on loopback: directly, and both dialling in through a relay that only copies."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from msrprelay.endpoint import (
    Bound,
    Connection,
    ConnectionLost,
    Endpoint,
    EndpointFault,
    Event,
    FilePiece,
    FileReceipt,
    Listener,
    Manner,
    Message,
    Reported,
    Send,
    TransferFailed,
    dial,
    send_file,
)

HOST = "127.0.0.1"
A_URI = f"msrp://{HOST}:9/aaaa;tcp"


class Heard(list[Event]):
    """Events in order; ``count`` of one kind."""

    def of(self, kind: type) -> int:
        return sum(isinstance(event, kind) for event in self)


Both = tuple[Connection, Connection, Heard, Heard]


@asynccontextmanager
async def direct(take: Callable[[Event], None] | None = None) -> AsyncIterator[Both]:
    """a dials b; both are bound."""
    listener = Listener(HOST)
    b_uri = f"msrp://{HOST}:{listener.port}/bbbb;tcp"
    at_a, at_b = Heard(), Heard()
    accepting = asyncio.ensure_future(
        listener.accept(Endpoint(b_uri, [A_URI], active=False), take or at_b.append)
    )
    a = await dial(Endpoint(A_URI, [b_uri], active=True), HOST, listener.port, at_a.append)
    b = await accepting
    try:
        await asyncio.gather(a.bound(), b.bound())
        yield a, b, at_a, at_b
    finally:
        a.abort()
        b.abort()


async def test_messages_flow_both_ways_in_order_and_octets_agree() -> None:
    async with direct() as (a, b, at_a, at_b):
        for number in range(100):
            await a.send(Send.message("text/plain", b"a %d" % number))
            await b.send(Send.message("text/plain", b"b %d" % number))
        await a.until(lambda: at_a.of(Reported) == at_a.of(Message) == 100)
        await b.until(lambda: at_b.of(Reported) == at_b.of(Message) == 100)
        bodies = [event.body for event in at_b if isinstance(event, Message)]
        assert bodies == [b"a %d" % number for number in range(100)]
        assert (a.bytes_sent, a.bytes_received) == (b.bytes_received, b.bytes_sent)


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 1_000_000])
async def test_a_file_arrives_whole(size: int) -> None:
    data = (b"0123456789\r\n-------" * (size // 19 + 1))[:size]
    out, written = io.BytesIO(), b""
    receipt = FileReceipt(out)
    async with direct(receipt.take) as (a, b, _, _):
        sent = await send_file(a, io.BytesIO(data), size)
        await b.until(lambda: receipt.complete)
        written = out.getvalue()
    assert written == data
    assert sent.sha256 == receipt.sha256 == hashlib.sha256(data).hexdigest()
    assert sent.chunks == max(1, -(-size // 65536))


async def test_a_file_shorter_than_announced_is_an_error() -> None:
    async with direct() as (a, _, _, _):
        with pytest.raises(TransferFailed, match="ended after 3 of 9"):
            await send_file(a, io.BytesIO(b"abc"), 9)


def test_a_gap_in_a_file_is_a_fault() -> None:
    receipt = FileReceipt()
    receipt.take(FilePiece("m0001", "x/y", 1, b"abc", False))
    with pytest.raises(EndpointFault, match="octet 5 after 3"):
        receipt.take(FilePiece("m0001", "x/y", 5, b"e", True))


async def test_the_window_holds_back_what_is_not_answered() -> None:
    async with direct() as (a, _, _, _):
        a.window = 1
        await a.send(Send.message("text/plain", b"one"))
        second = asyncio.ensure_future(a.send(Send.message("text/plain", b"two")))
        await asyncio.sleep(0)
        assert (a.endpoint.unanswered, second.done()) == (1, False)
        await second
        assert a.endpoint.unanswered == 1


async def test_a_hung_up_peer_is_told_apart_from_a_broken_one() -> None:
    async with direct() as (a, b, _, _):
        waiting = asyncio.ensure_future(b.until(lambda: False))
        await a.close()
        with pytest.raises(ConnectionLost):
            await waiting
        assert (b.closed, b.fault) == (True, None)
    async with direct() as (a, b, _, _):
        a.abort()
        await b.until(lambda: b.closed)


async def test_a_fault_of_a_listener_ends_the_connection() -> None:
    def refuse(event: Event) -> None:
        if isinstance(event, Message):
            raise EndpointFault("not what I expected")

    async with direct(refuse) as (a, b, _, _):
        await a.send(Send.message("text/plain", b"x"))
        with pytest.raises(EndpointFault, match="not what I expected"):
            await b.until(lambda: False)
        await a.until(lambda: a.closed)


async def test_closing_towards_a_peer_that_does_not_read_ends() -> None:
    async with direct() as (a, b, _, _):
        assert b._transport is not None
        b._transport.pause_reading()
        a.window = 1000
        a.patience = 0.01
        while a._writable:
            await a.send(Send.message("application/octet-stream", bytes(1 << 20)))
        with pytest.raises(ConnectionLost, match="read nothing"):
            await a.close()
        assert a.closed


class CopyingRelay:
    """Two ports, two dial-ins, bytes copied and nothing else; the early leg's bytes are held."""

    def __init__(self) -> None:
        self._legs: list[asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]] = []
        self._servers: list[asyncio.Server] = []
        self.ports: list[int] = []

    async def start(self) -> None:
        for side in range(2):
            self._legs.append(asyncio.get_running_loop().create_future())
            server = await asyncio.start_server(self._joining(side), HOST, 0)
            self._servers.append(server)
            self.ports.append(server.sockets[0].getsockname()[1])

    def _joining(
        self, side: int
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._legs[side].set_result((reader, writer))
            _, other = await self._legs[1 - side]
            while data := await reader.read(65536):
                other.write(data)
                await other.drain()
            other.close()

        return join

    def stop(self) -> None:
        for server in self._servers:
            server.close()


async def test_two_dialling_blinks_talk_through_a_relay_that_only_copies() -> None:
    """The first seed's case: each binds and answers the other; only session-ids count."""
    relay = CopyingRelay()
    await relay.start()
    a_uri, b_uri = f"msrp://{HOST}:2855/aaaa;tcp", f"msrp://{HOST}:2855/bbbb;tcp"
    to_b = f"msrp://{HOST}:{relay.ports[0]}/bbbb;tcp"
    to_a = f"msrp://{HOST}:{relay.ports[1]}/aaaa;tcp"
    at_a, at_b = Heard(), Heard()
    ends = (
        Endpoint(a_uri, [to_b], active=True, manner=Manner.BLINK),
        Endpoint(b_uri, [to_a], active=True, manner=Manner.BLINK),
    )
    a, b = await asyncio.gather(
        dial(ends[0], HOST, relay.ports[0], at_a.append),
        dial(ends[1], HOST, relay.ports[1], at_b.append),
    )
    await asyncio.gather(a.bound(), b.bound())
    for number in range(20):
        await a.send(Send.message("text/plain", b"%d" % number))
    await a.until(lambda: at_a.of(Reported) == 20)
    assert (at_a.of(Bound), at_b.of(Bound), at_b.of(Message)) == (1, 1, 20)
    await a.close()
    await b.until(lambda: b.closed)
    relay.stop()

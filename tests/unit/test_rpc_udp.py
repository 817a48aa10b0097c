"""ng over real UDP sockets on loopback, in both event loops."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from msrprelay.rpc import bencode
from msrprelay.rpc.dispatcher import Dispatcher
from msrprelay.rpc.ng import NgResponder, NgUdpServer
from msrprelay.rpc.reply_cache import ReplyCache

from .rpc_fakes import FakeCommands

Run = Callable[[Coroutine[Any, Any, None]], None]
Where = tuple[str, int]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner.run


@asynccontextmanager
async def serving(*where: Where) -> AsyncIterator[NgUdpServer]:
    server = NgUdpServer(NgResponder(Dispatcher(FakeCommands()), ReplyCache()), where)
    await server.start()
    try:
        yield server
    finally:
        server.close()


async def ask(where: Where, datagram: bytes) -> bytes:
    """One exchange from a connected socket, as SIP servers have: other senders are not heard."""
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect(where)
        client.send(datagram)
        async with asyncio.timeout(10):
            return await loop.sock_recv(client, 65536)


def test_the_reply_comes_from_the_address_that_was_asked(run: Run) -> None:
    async def scenario() -> None:
        async with serving(("127.0.0.1", 0), ("127.0.0.2", 0)) as server:
            assert [host for host, _ in server.bound] == ["127.0.0.1", "127.0.0.2"]
            for where in server.bound:
                assert await ask(where, b"1 d7:command4:pinge") == b"1 d6:result4:ponge"

    run(scenario())


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="this host has no IPv6")
def test_ipv6_is_served_too(run: Run) -> None:
    async def scenario() -> None:
        async with serving(("::1", 0)) as server:
            assert await ask(server.bound[0], b"1 d7:command4:pinge") == b"1 d6:result4:ponge"

    run(scenario())


def test_a_client_that_is_gone_does_not_silence_the_socket(run: Run) -> None:
    async def scenario() -> None:
        async with serving(("127.0.0.1", 0)) as server:
            where = server.bound[0]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
                gone.connect(where)
                for _ in range(3):
                    gone.send(b"nothing")
                    gone.send(b"1 d7:command4:pinge")
            for number in (b"2", b"3"):
                assert await ask(where, number + b" d7:command4:pinge") == (
                    number + b" d6:result4:ponge"
                )

    run(scenario())


def test_a_large_offer_comes_back_whole(run: Run) -> None:
    sdp = b"v=0\r\n" + b"a=x\r\n" * 12_000
    fields = {"call-id": "c", "from-tag": "f", "sdp": sdp, "command": "offer"}

    async def scenario() -> None:
        async with serving(("127.0.0.1", 0)) as server:
            reply = await ask(server.bound[0], b"1 " + bencode.encode(fields))
            assert bencode.decode(reply, 2)[0] == {"sdp": sdp, "result": b"ok"}

    run(scenario())


def test_no_socket_stays_open_if_one_cannot_be_bound(run: Run) -> None:
    async def scenario() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            server = NgUdpServer(
                NgResponder(Dispatcher(FakeCommands()), ReplyCache()),
                [("127.0.0.2", 0), taken.getsockname()],
            )
            with pytest.raises(OSError, match="in use"):
                await server.start()
        assert server.bound == []

    run(scenario())

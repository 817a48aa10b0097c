"""ng over TCP and over a unix socket, with real sockets on loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import uvloop

from msrprelay.rpc import bencode
from msrprelay.rpc.connections import Connections
from msrprelay.rpc.dispatcher import Dispatcher
from msrprelay.rpc.ng import NgResponder
from msrprelay.rpc.ng_stream_server import NgStreamServer
from msrprelay.rpc.reply_cache import ReplyCache
from msrprelay.rpc.sockets import PROBES

from .rpc_fakes import FakeCommands
from .rpc_recordings import REQUESTS

PING, PONG = b"d7:command4:pinge", b"d6:result4:ponge"


@pytest.fixture
def commands() -> FakeCommands:
    return FakeCommands()


@pytest.fixture
def responder(commands: FakeCommands) -> NgResponder:
    return NgResponder(Dispatcher(commands), ReplyCache())


@pytest.fixture
async def tcp(responder: NgResponder) -> AsyncIterator[NgStreamServer]:
    server = NgStreamServer(responder, longest=1 << 20, most_connections=2)
    await server.listen_tcp([("127.0.0.1", 0)])
    yield server
    await server.close()


@pytest.fixture
async def unix(responder: NgResponder, tmp_path: Path) -> AsyncIterator[str]:
    server = NgStreamServer(responder, longest=1 << 20, most_connections=2)
    await server.listen_unix(tmp_path / "ng.sock")
    yield str(tmp_path / "ng.sock")
    await server.close()
    assert not (tmp_path / "ng.sock").exists()


@asynccontextmanager
async def connected(
    server: NgStreamServer,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*server.bound[0], limit=1 << 20)
    try:
        async with asyncio.timeout(10):
            yield reader, writer
    finally:
        writer.close()


async def whole(path: str, request: bytes) -> bytes:
    """What a unix client reads that writes once and waits for the end."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(request)
    writer.write_eof()
    async with asyncio.timeout(10):
        reply = await reader.read()
    writer.close()
    return reply


async def test_requests_back_to_back_are_answered_in_order(tcp: NgStreamServer) -> None:
    async with connected(tcp) as (reader, writer):
        writer.write(b"1 " + PING + b'2 {"command":"ping"}3 ' + PING[:5])
        assert await reader.readexactly(37) == b"1 " + PONG + b'2 {"result":"pong"}'
        writer.write(PING[5:])
        assert await reader.readexactly(18) == b"3 " + PONG


async def test_a_repeated_request_runs_once(tcp: NgStreamServer, commands: FakeCommands) -> None:
    async with connected(tcp) as (reader, writer):
        writer.write(b"1 " + PING + b"1 " + PING)
        assert await reader.readexactly(36) == (b"1 " + PONG) * 2
    assert commands.asked == ["ping"]


async def test_a_reply_longer_than_a_datagram_is_sent(
    tcp: NgStreamServer, commands: FakeCommands
) -> None:
    commands.calls = [f"{number:020}" for number in range(5000)]
    async with connected(tcp) as (reader, writer):
        writer.write(b"1 d7:command4:list5:limiti9999ee")
        reply = await reader.readuntil(b"2:oke")
    fields, _ = bencode.decode(reply, 2)
    assert isinstance(fields, dict)
    assert fields["calls"] == [call.encode() for call in commands.calls]


async def test_a_client_that_does_not_read_is_not_answered_ahead(
    tcp: NgStreamServer, commands: FakeCommands
) -> None:
    commands.calls = [f"{number:020}" for number in range(5000)]
    async with connected(tcp) as (_, lazy), connected(tcp) as (reader, writer):
        lazy.write(b"".join(b"%d d7:command4:list5:limiti9999ee" % n for n in range(1000)))
        while not commands.asked:
            await asyncio.sleep(0)
        writer.write(b"1 " + PING)
        assert await reader.readexactly(18) == b"1 " + PONG
        assert len(commands.asked) < 500


@pytest.mark.parametrize("make", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_the_end_in_the_middle_of_a_message_is_no_error(
    responder: NgResponder, make: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    faults: list[dict[str, object]] = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, fault: faults.append(fault))
        server = NgStreamServer(responder, longest=99, most_connections=2)
        await server.listen_tcp([("127.0.0.1", 0)])
        async with connected(server) as (reader, writer):
            writer.write(b"1 " + PING + b"2 " + PING[:5])
            await reader.readexactly(18)
            await server.close()
            with suppress(ConnectionError):
                assert await reader.read() == b""

    with asyncio.Runner(loop_factory=make) as runner:
        runner.run(scenario())
    assert not faults


@pytest.mark.parametrize("failure", [ConnectionResetError, TimeoutError], ids=["reset", "silent"])
async def test_a_connection_that_is_lost_is_no_error(failure: type[OSError]) -> None:
    faults: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, fault: faults.append(fault))

    async def lost(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise failure

    server = await asyncio.start_server(Connections(lost, 1).accept, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    assert await reader.read() == b""
    writer.close()
    server.close()
    assert not faults


async def test_a_client_that_is_gone_without_a_word_is_looked_for(tcp: NgStreamServer) -> None:
    async with connected(tcp) as (reader, writer):
        writer.write(b"1 " + PING)
        await reader.readexactly(18)
        (served,) = tcp._connections._open
        sock = served.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert {each: sock.getsockopt(socket.IPPROTO_TCP, each) for each in PROBES} == PROBES


async def test_a_fault_is_told_with_its_cookie_and_ends_the_connection(
    tcp: NgStreamServer, responder: NgResponder
) -> None:
    async with connected(tcp) as (reader, writer):
        writer.write(b"1 " + PING + b"2 nonsense")
        assert await reader.read() == (
            b"1 " + PONG + b"2 d6:result5:error12:error-reason22:Invalid NG data formate"
        )
    assert responder.counts["malformed"] == 1


async def test_a_connection_beyond_the_limit_is_refused(tcp: NgStreamServer) -> None:
    async with connected(tcp) as one, connected(tcp) as two:
        for reader, writer in (one, two):
            writer.write(b"1 " + PING)
            await reader.readexactly(18)
        async with connected(tcp) as (reader, _):
            with suppress(ConnectionError):
                assert await reader.read() == b""
    assert tcp.refused_connections == 1


async def test_a_unix_client_gets_one_reply_without_a_cookie(unix: str) -> None:
    assert await whole(unix, PING) == PONG
    assert await whole(unix, b'{"command":"ping"}') == b'{"result":"pong"}'


@pytest.mark.parametrize("request_", [b"d7:comm", b"x", b"1 " + PING, b"d5:abc"])
async def test_a_unix_client_is_never_left_waiting(unix: str, request_: bytes) -> None:
    fields, _ = bencode.decode(await whole(unix, request_))
    assert isinstance(fields, dict)
    assert fields["result"] == b"error"


async def test_what_kamailio_wrote_to_a_unix_socket_is_answered(
    unix: str, commands: FakeCommands
) -> None:
    for one in (one for one in REQUESTS if one.to == "unix"):
        commands.calls = [one.call_id]
        fields, _ = bencode.decode(await whole(unix, one.data))
        assert isinstance(fields, dict)
        assert fields["result"] in (b"ok", b"pong")


async def test_a_socket_in_use_is_not_taken(unix: str, responder: NgResponder) -> None:
    other = NgStreamServer(responder, longest=1000, most_connections=1)
    with pytest.raises(FileExistsError):
        await other.listen_unix(Path(unix))
    await other.close()
    assert await whole(unix, PING) == PONG


async def test_a_socket_that_another_process_has_put_in_its_place_stays(
    tmp_path: Path, responder: NgResponder
) -> None:
    path = tmp_path / "ng.sock"
    draining, other = (NgStreamServer(responder, longest=99, most_connections=2) for _ in range(2))
    await draining.listen_unix(path)
    path.unlink()
    await other.listen_unix(path)
    await draining.close()
    assert await whole(str(path), PING) == PONG
    await other.close()
    assert not path.exists()

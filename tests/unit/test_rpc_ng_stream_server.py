"""ng over TCP, over a unix socket and over HTTP, with real sockets on loopback."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from msrprelay.rpc import bencode
from msrprelay.rpc.connections import Connections
from msrprelay.rpc.dispatcher import Dispatcher
from msrprelay.rpc.http import HttpServer
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


# HTTP.


def metrics(accept: str) -> tuple[bytes, str]:
    return f"asked for {accept}".encode(), "text/plain; version=0.0.4"


@pytest.fixture
async def http(responder: NgResponder) -> AsyncIterator[HttpServer]:
    server = HttpServer(responder, longest=1000, most_connections=2, metrics=metrics)
    await server.start([("127.0.0.1", 0)])
    yield server
    await server.close()


@pytest.fixture
async def url(http: HttpServer) -> str:
    return f"http://127.0.0.1:{http.bound[0][1]}"


async def posted(url: str, body: bytes) -> tuple[int, str, bytes]:
    async with aiohttp.ClientSession() as client, client.post(url, data=body) as response:
        return response.status, response.content_type, await response.read()


NG = "application/x-rtpengine-ng"


@pytest.mark.parametrize(
    ("path", "body", "reply"),
    [
        pytest.param("/ng", b"1_2 " + PING, (200, NG, b"1_2 " + PONG), id="ng"),
        pytest.param("/ng-plain", PING, (200, NG, PONG), id="plain"),
        pytest.param(
            "/ng-plain",
            b'{"command":"ping"}',
            (200, "application/json", b'{"result":"pong"}'),
            id="plain-json",
        ),
        pytest.param(
            "/ng-plain",
            b"",
            (200, NG, b"d6:result5:error12:error-reason25:Invalid data (no payload)e"),
            id="nothing",
        ),
        pytest.param(
            "/ng",
            b"nonsense",
            (400, NG, b"d6:result5:error12:error-reason22:Invalid NG data formate"),
            id="no-cookie",
        ),
    ],
)
async def test_posts_are_answered(
    url: str, path: str, body: bytes, reply: tuple[int, str, bytes]
) -> None:
    assert await posted(url + path, body) == reply


async def test_get_ping(url: str) -> None:
    async with aiohttp.ClientSession() as client, client.get(f"{url}/ping") as response:
        assert (response.status, await response.text()) == (200, "pong")


async def test_get_metrics(url: str) -> None:
    async with aiohttp.ClientSession(headers={"Accept": "this"}) as client:
        async with client.get(f"{url}/metrics") as response:
            assert (response.status, await response.text()) == (200, "asked for this")
            assert response.headers["Content-Type"] == "text/plain; version=0.0.4"
        async with client.head(f"{url}/metrics") as response:
            assert (response.status, response.content_length) == (200, 14)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/ng", b"1 " + bytes(2000), 413),
        ("/ping", b"", 405),
        ("/metrics", b"", 405),
        ("/else", b"", 404),
    ],
    ids=["too-long", "post-ping", "post-metrics", "no-such-path"],
)
async def test_other_posts_are_refused(url: str, path: str, body: bytes, status: int) -> None:
    assert (await posted(url + path, body))[0] == status


async def test_a_repeated_post_runs_again(url: str, commands: FakeCommands) -> None:
    for _ in range(2):
        await posted(f"{url}/ng", b"1 " + PING)
    assert commands.asked == ["ping", "ping"]


async def test_an_http_connection_beyond_the_limit_is_refused(http: HttpServer, url: str) -> None:
    where = http.bound[0]
    open_ = [await asyncio.open_connection(*where) for _ in range(2)]
    for reader, writer in open_:
        writer.write(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"pong")
    with pytest.raises(aiohttp.ClientError):
        await posted(f"{url}/ng", b"1 " + PING)
    assert http.refused_connections >= 1
    for _, writer in open_:
        writer.close()


CHUNKED = b"POST /ng HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(CHUNKED + b"zz\r\n", id="no-chunk"),
        pytest.param(CHUNKED + b"3\r\nabc\r\nzz\r\n", id="no-second-chunk"),
        pytest.param(b"GET /ping HTTP/1.1\r\nodd header\r\n\r\n", id="no-header"),
        pytest.param(b"POST /ng HTTP/1.1\r\nContent-Length: x\r\n\r\n", id="no-length"),
        pytest.param(b"GET /ping HTTP/1.1\r\nX: " + bytes(9000), id="long-header"),
    ],
)
async def test_what_is_no_http_costs_a_line_in_a_while(http: HttpServer, odd: bytes) -> None:
    with capture_logs() as lines:
        for _ in range(3):
            reader, writer = await asyncio.open_connection(*http.bound[0])
            writer.write(odd)
            assert (await reader.readline()).split()[1] == b"400"
            writer.close()
    assert [line["event"] for line in lines] == ["odd http message"]


async def test_a_compressed_body_is_not_made_longer(url: str) -> None:
    bomb = gzip.compress(PING + bytes(100_000))
    headers = {"Content-Encoding": "gzip"}
    async with (
        aiohttp.ClientSession(headers=headers) as client,
        client.post(f"{url}/ng-plain", data=bomb) as response,
    ):
        assert b"Invalid NG data" in await response.read()


async def test_a_mistake_of_ours_is_logged_with_its_place(responder: NgResponder) -> None:
    def mistaken(accept: str) -> tuple[bytes, str]:
        raise ZeroDivisionError

    server = HttpServer(responder, longest=1000, most_connections=2, metrics=mistaken)
    await server.start([("127.0.0.1", 0)])
    with capture_logs() as lines:
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"http://127.0.0.1:{server.bound[0][1]}/metrics") as response,
        ):
            assert response.status == 500
    await server.close()
    ((event, fault),) = ((line["event"], line["exc_info"][0]) for line in lines)
    assert (event, fault) == ("http request failed", ZeroDivisionError)


@pytest.mark.parametrize(
    ("sent", "last"),
    [
        pytest.param(b"", b"", id="nothing"),
        pytest.param(b"GET /ping HTTP/1.1\r\nHost:", b"", id="half-a-head"),
        pytest.param(CHUNKED + b"3\r\n", b"HTTP/1.1 408 Request Timeout\r\n", id="half-a-body"),
    ],
)
async def test_who_asks_nothing_keeps_no_connection(
    monkeypatch: pytest.MonkeyPatch, responder: NgResponder, sent: bytes, last: bytes
) -> None:
    monkeypatch.setattr("msrprelay.rpc.http.KEEPALIVE", 0.02)
    server = HttpServer(responder, longest=1000, most_connections=2, metrics=metrics)
    await server.start([("127.0.0.1", 0)])
    reader, writer = await asyncio.open_connection(*server.bound[0])
    writer.write(sent)
    async with asyncio.timeout(10):
        assert await reader.readline() == last
    writer.close()
    await server.close()


async def test_connections_that_came_and_went_are_not_remembered(
    http: HttpServer, url: str
) -> None:
    for _ in range(10):
        assert await posted(f"{url}/ng-plain", PING) == (200, NG, PONG)
    assert len(http._asked) <= 4


async def test_half_a_request_does_not_hold_up_the_end(http: HttpServer, url: str) -> None:
    reader, writer = await asyncio.open_connection(*http.bound[0])
    writer.write(b"POST /ng HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n")
    writer.write(b"Content-Length: 100\r\n\r\n1 d7:comm")
    await reader.readuntil(b"100 Continue\r\n\r\n")
    async with asyncio.timeout(10):
        await http.close()
    writer.close()

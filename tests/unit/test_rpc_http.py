"""ng over HTTP, with real sockets on loopback, and what strangers send instead."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator

import aiohttp
import pytest
from structlog.testing import capture_logs

from msrprelay.rpc.dispatcher import Dispatcher
from msrprelay.rpc.http import HttpServer
from msrprelay.rpc.ng import NgResponder
from msrprelay.rpc.reply_cache import ReplyCache

from .rpc_fakes import FakeCommands

PING, PONG = b"d7:command4:pinge", b"d6:result4:ponge"


@pytest.fixture
def commands() -> FakeCommands:
    return FakeCommands()


@pytest.fixture
def responder(commands: FakeCommands) -> NgResponder:
    return NgResponder(Dispatcher(commands), ReplyCache())


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

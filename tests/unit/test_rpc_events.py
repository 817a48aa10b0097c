"""Events reach subscribers, and a slow listener costs only its own events."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from msrprelay.events import NAMES, Event, Feed
from msrprelay.rpc import jsonrpc_server
from msrprelay.rpc.dispatcher import Dispatcher
from msrprelay.rpc.jsonrpc import JsonRpcResponder
from msrprelay.rpc.jsonrpc_server import JsonRpcServer

from .rpc_fakes import FakeCommands

ROOT = Path(__file__).resolve().parents[2]


def event(name: str = "joined", **said: Any) -> Event:
    return Event(**{"event": name, "time": 1.5, "call_id": "call-1", **said})


ENDED = event("call-ended", reason="hangup", from_tag="alice", to_tag="bob")


def test_a_feed_hands_on_until_the_listener_has_had_enough() -> None:
    feed = Feed()
    heard: list[Event] = []
    stop = feed.listen(heard.append)
    assert feed.heard
    feed.tell(event())
    stop()
    feed.tell(event())
    assert (heard, feed.heard) == ([event()], False)


# JSON-RPC.


class Client:
    """A subscriber: lines out, lines in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def read(self) -> Any:
        async with asyncio.timeout(10):
            return json.loads(await self.reader.readline())

    async def call(self, method: str, **params: Any) -> Any:
        text = {"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
        self.writer.write(json.dumps(text).encode() + b"\n")
        return await self.read()


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
async def server(feed: Feed, tmp_path: Path) -> AsyncIterator[JsonRpcServer]:
    responder = JsonRpcResponder(Dispatcher(FakeCommands()))
    server = JsonRpcServer(responder, tmp_path / "ctl.sock", feed=feed, event_queue=3)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def client(server: JsonRpcServer, tmp_path: Path) -> AsyncIterator[Client]:
    client = Client(*await asyncio.open_unix_connection(str(tmp_path / "ctl.sock")))
    yield client
    client.writer.close()


async def test_a_subscriber_is_notified_between_replies(client: Client, feed: Feed) -> None:
    reply = await client.call("subscribe")
    assert reply["result"]["result"] == "ok"
    feed.tell(event(section=0, side="a"))
    assert await client.read() == {
        "jsonrpc": "2.0",
        "method": "event",
        "params": {"event": "joined", "time": 1.5, "call-id": "call-1", "section": 0, "side": "a"},
    }
    assert (await client.call("ping"))["result"] == {"result": "pong"}


@pytest.mark.parametrize(
    ("asked", "heard"),
    [
        pytest.param({}, ["joined", "call-ended", "bound"], id="all"),
        pytest.param({"events": ["joined"]}, ["joined"], id="one-name"),
        pytest.param({"call-id": "call-2"}, ["bound"], id="one-call"),
        pytest.param({"call_id": "call-2", "events": "joined"}, [], id="both"),
    ],
)
async def test_a_subscriber_hears_what_it_asked_for(
    client: Client, feed: Feed, asked: dict[str, Any], heard: list[str]
) -> None:
    await client.call("subscribe", **asked)
    for told in (event(), ENDED, event("bound", call_id="call-2")):
        feed.tell(told)
    for name in heard:
        assert (await client.read())["params"]["event"] == name
    assert (await client.call("ping"))["result"] == {"result": "pong"}


async def test_an_unknown_event_is_refused_by_its_name(client: Client, feed: Feed) -> None:
    reply = await client.call("subscribe", events=["joined", "jioned"])
    assert reply["error"]["code"] == -32602
    why = reply["error"]["message"]
    assert why.startswith("Invalid params: no event is called jioned; there are answer-ignored, ")
    assert set(why.rpartition("there are ")[2].split(", ")) == NAMES
    assert not feed.heard


def test_every_notice_of_the_engine_is_an_event() -> None:
    source = (ROOT / "native" / "py" / "src" / "relay.rs").read_text()
    told = set(re.findall(r'NoticeKind::\w+(?:\(\w+\))? => \(?"([a-z-]+)"', source))
    assert {"joined", "closed"} < told
    assert told - {"closed"} < NAMES


async def test_a_slow_subscriber_loses_the_oldest_and_is_told(client: Client, feed: Feed) -> None:
    await client.call("subscribe")
    for number in range(10):
        feed.tell(event(section=number))
    assert await client.read() == {
        "jsonrpc": "2.0",
        "method": "events-lost",
        "params": {"lost": 7},
    }
    assert [(await client.read())["params"]["section"] for _ in range(3)] == [7, 8, 9]


async def test_what_is_told_last_is_heard_before_the_end(
    server: JsonRpcServer, client: Client, feed: Feed
) -> None:
    await client.call("subscribe")
    for number in range(3):
        feed.tell(event(section=number))
    await server.close()
    assert [(await client.read())["params"]["section"] for _ in range(3)] == [0, 1, 2]
    assert await client.reader.read() == b""


async def test_the_end_does_not_wait_for_a_subscriber_that_does_not_read(
    server: JsonRpcServer, client: Client, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonrpc_server, "LAST_WORDS", 0.01)
    await client.call("subscribe")
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    for _ in range(3):
        feed.tell(event(reason="x" * 1_000_000))
    async with asyncio.timeout(10):
        await server.close()
    assert not feed.heard


async def test_a_subscriber_that_leaves_is_forgotten(client: Client, feed: Feed) -> None:
    await client.call("subscribe")
    client.writer.close()
    with suppress(ConnectionError):
        await client.writer.wait_closed()
    async with asyncio.timeout(10):
        while feed.heard:
            await asyncio.sleep(0)


def test_without_a_connection_there_is_nothing_to_subscribe() -> None:
    from msrprelay.commands import Origin

    text = b'{"jsonrpc":"2.0","method":"subscribe","id":1}'
    answer = JsonRpcResponder(Dispatcher(FakeCommands())).answer(text, Origin("test", "", 0))
    assert json.loads(answer or b"")["error"]["code"] == -32601


async def test_strangers_bytes_in_an_event_are_escaped(client: Client, feed: Feed) -> None:
    await client.call("subscribe")
    feed.tell(event(call_id=b"\xff\n".decode("utf-8", "surrogateescape")))
    assert (await client.read())["params"]["call-id"] == "\\xff\n"

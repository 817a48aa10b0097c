"""Events reach subscribers and web servers, and a slow listener costs only its own events."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from msrprelay.config import EventPosts
from msrprelay.events import NAMES, Event, Feed
from msrprelay.rpc import jsonrpc_server
from msrprelay.rpc.dispatcher import Dispatcher
from msrprelay.rpc.jsonrpc import JsonRpcResponder
from msrprelay.rpc.jsonrpc_server import JsonRpcServer
from msrprelay.rpc.webhook import Webhook, everything, terminate_dialog, webhooks

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


# Web hooks.


class Site:
    """A web server that remembers what it was told, and fails the first times if it shall."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.failures = 0
        self.hangs = asyncio.Event()
        self.hang = False
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        if self.hang:
            await self.hangs.wait()
        if self.failures:
            self.failures -= 1
            return web.Response(status=503)
        self.told.append(json.loads(await request.read()))
        return web.Response()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    application = web.Application()
    application.router.add_post("/RPC", site.take)
    runner = web.AppRunner(application)
    await runner.setup()
    listening = web.TCPSite(runner, "127.0.0.1", 0)
    await listening.start()
    assert runner.addresses
    site.url = f"http://127.0.0.1:{runner.addresses[0][1]}/RPC"
    yield site
    site.hangs.set()
    await runner.cleanup()


def posts(**said: Any) -> EventPosts:
    return EventPosts(**{"timeout": 5.0, "retry": 0.001, "attempts": 3, **said})


async def test_every_event_is_posted_in_order(site: Site) -> None:
    hook = Webhook(site.url, everything, posts(), most=10)
    for number in range(3):
        hook.hear(event(section=number))
    await hook.close()
    assert [told["section"] for told in site.told] == [0, 1, 2]
    assert hook.counts == {"posted": 3, "failed": 0, "dropped": 0}


async def test_a_failed_post_is_tried_again_before_the_next(site: Site) -> None:
    site.failures = 2
    hook = Webhook(site.url, everything, posts(), most=10)
    for number in range(2):
        hook.hear(event(section=number))
    await hook.close()
    assert [told["section"] for told in site.told] == [0, 1]
    assert hook.counts == {"posted": 2, "failed": 2, "dropped": 0}


async def test_an_event_that_is_never_taken_is_dropped_and_the_next_posted(site: Site) -> None:
    site.failures = 3
    hook = Webhook(site.url, everything, posts(), most=10)
    for number in range(2):
        hook.hear(event(section=number))
    await hook.close()
    assert [told["section"] for told in site.told] == [1]
    assert hook.counts == {"posted": 1, "failed": 3, "dropped": 1}


async def test_nobody_at_the_url_costs_only_the_events() -> None:
    hook = Webhook("http://127.0.0.1:9/", everything, posts(attempts=1), most=10)
    hook.hear(event())
    await hook.close()
    assert hook.counts == {"posted": 0, "failed": 1, "dropped": 1}


async def test_no_more_events_wait_than_they_may(site: Site) -> None:
    site.hang = True
    hook = Webhook(site.url, everything, posts(), most=2)
    hook.hear(event(section=0))
    await asyncio.sleep(0)
    for number in range(1, 6):
        hook.hear(event(section=number))
    site.hang = False
    site.hangs.set()
    await hook.close()
    assert [told["section"] for told in site.told] == [0, 4, 5]
    assert hook.counts["dropped"] == 3


def test_kamailio_is_told_a_call_id_as_it_is() -> None:
    ended = event("call-ended", call_id="a\\xe9", reason="hangup", from_tag="f", to_tag="t")
    body = terminate_dialog()(ended)
    assert body is not None
    assert json.loads(body)["params"] == ["a\\xe9", "f", "t"]


async def test_kamailio_is_told_to_end_the_dialog_of_a_call_that_ended_by_itself(
    site: Site,
) -> None:
    feed = Feed()
    hooks = webhooks(posts(kamailio=site.url), feed, most=10)
    assert list(hooks) == ["kamailio"]
    hook = hooks["kamailio"]
    for told in (event(), ENDED, event("call-ended", reason="offer-timeout")):
        feed.tell(told)
    await hook.close()
    assert site.told == [
        {
            "jsonrpc": "2.0",
            "method": "dlg.terminate_dlg",
            "params": ["call-1", "alice", "bob"],
            "id": 1,
        }
    ]


@pytest.mark.parametrize(
    "told",
    [
        event("call-ended", reason="deleted", from_tag="alice", to_tag="bob"),
        event("call-ended", reason="hangup"),
        event("session-closed", reason="hangup"),
    ],
    ids=["asked-for", "no-dialog", "not-the-call"],
)
def test_kamailio_is_not_told_what_it_knows(told: Event) -> None:
    assert terminate_dialog()(told) is None


def test_no_url_is_no_hook() -> None:
    feed = Feed()
    assert webhooks(EventPosts(), feed, most=1) == {}
    assert not feed.heard

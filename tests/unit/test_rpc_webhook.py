"""Events are posted to web servers in their order, and a server that fails costs only its own."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from msrprelay.config import EventPosts
from msrprelay.events import Event, Feed
from msrprelay.journal import Entry, Journal, read
from msrprelay.process.state import State
from msrprelay.rpc import webhook
from msrprelay.rpc.posts import POST, KeptPosts, Post, restore
from msrprelay.rpc.reply_cache import ReplyCache
from msrprelay.rpc.webhook import Webhook, everything, terminate_dialog, webhooks

from .test_rpc_events import ENDED, event


class Site:
    """A web server that remembers what it was told, and fails the first times if it shall."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.failures = 0
        self.asked = 0
        # What is answered instead, if anything.
        self.answer: Callable[[Any], web.Response] | None = None
        self.hangs = asyncio.Event()
        self.hang = False
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.asked += 1
        if self.answer is not None:
            return self.answer(json.loads(await request.read()))
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


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


def posts(**said: Any) -> EventPosts:
    return EventPosts(**{"timeout": 5.0, "retry": 0.001, "attempts": 3, **said})


async def test_every_event_is_posted_in_order(site: Site) -> None:
    hook = Webhook(site.url, everything, posts(), most=10)
    for number in range(3):
        hook.hear(event(section=number))
    await hook.close()
    assert [told["section"] for told in site.told] == [0, 1, 2]
    assert hook.counts == {"posted": 3, "failed": 0, "dropped": 0}


async def test_an_event_that_comes_while_the_client_closes_is_posted(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = Webhook(site.url, everything, posts(), most=10)
    close = aiohttp.ClientSession.close

    async def tell_and_close(client: aiohttp.ClientSession) -> None:
        if len(site.told) == 1:
            hook.hear(event(section=1))
        await close(client)

    monkeypatch.setattr(aiohttp.ClientSession, "close", tell_and_close)
    hook.hear(event(section=0))
    await hook.close()
    assert [told["section"] for told in site.told] == [0, 1]


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


@pytest.mark.parametrize(
    ("status", "attempts", "posted"),
    [
        pytest.param(200, 1, True, id="ok"),
        pytest.param(204, 1, True, id="no-content"),
        pytest.param(300, 1, False, id="choices"),
        pytest.param(301, 1, False, id="moved"),
        pytest.param(304, 1, False, id="not-modified"),
        pytest.param(400, 1, False, id="bad-request"),
        pytest.param(404, 1, False, id="not-found"),
        pytest.param(408, 3, False, id="timeout"),
        pytest.param(429, 3, False, id="too-many"),
        pytest.param(503, 3, False, id="unavailable"),
    ],
)
async def test_a_status_decides_whether_it_is_posted_and_whether_again(
    site: Site, status: int, attempts: int, posted: bool
) -> None:
    # Whoever followed it would ask once more.
    headers = {"Location": site.url} if status == 301 else {}
    site.answer = lambda told: web.Response(status=status, headers=headers)
    hook = Webhook(site.url, everything, posts(), most=10)
    hook.hear(event())
    await hook.close()
    assert site.asked == attempts
    assert (hook.counts["posted"], hook.counts["dropped"]) == (int(posted), int(not posted))


@pytest.mark.parametrize(
    ("answer", "attempts", "posted"),
    [
        pytest.param({"id": 1, "error": {"code": 500, "message": "gone"}}, 1, True, id="error"),
        pytest.param({"id": 7, "error": {"code": 500, "message": "gone"}}, 3, False, id="not-ours"),
        pytest.param({"id": 1, "error": "gone"}, 3, False, id="no-error-object"),
        pytest.param({"id": 1}, 3, False, id="neither"),
        pytest.param([], 3, False, id="no-object"),
        pytest.param("<html>", 3, False, id="no-json"),
        pytest.param("[" * 60_000, 3, False, id="nests-deeply"),
    ],
)
async def test_an_error_of_kamailio_to_the_request_is_an_answer(
    site: Site, answer: object, attempts: int, posted: bool
) -> None:
    """A dialog that is gone is answered 500, and will not come back."""
    text = answer if isinstance(answer, str) else json.dumps(answer)
    site.answer = lambda told: web.Response(status=500, text=text)
    feed = Feed()
    hook = webhooks(posts(kamailio=site.url), feed, most=10)["kamailio"]
    feed.tell(ENDED)
    await hook.close()
    assert site.asked == attempts
    assert (hook.counts["posted"], hook.counts["dropped"]) == (int(posted), int(not posted))


async def test_what_a_dead_process_has_not_posted_the_next_one_posts(site: Site) -> None:
    before, journal = Feed(), Journal.create()
    site.failures = 1
    hook = webhooks(posts(webhook=site.url, retry=60.0), before, most=10, journal=journal)
    for number in range(3):
        before.tell(event(section=number))
    await until(lambda: hook["webhook"].counts["failed"] == 1)
    journal.flush()
    # A process that dies says nothing any more.
    died = hook["webhook"]._task
    assert died is not None
    died.cancel()
    kept = read(journal.fd).entries

    after = Feed()
    hooks = webhooks(posts(webhook=site.url), after, most=10, journal=journal)
    restore(kept, hooks, journal)
    after.tell(event(section=3))
    await hooks["webhook"].close()
    assert [told["section"] for told in site.told] == [0, 1, 2, 3]
    assert not [key for key in read(journal.fd).entries if key.startswith(POST)]


async def test_what_waits_for_a_hook_that_is_gone_is_logged(site: Site) -> None:
    feed, journal = Feed(), Journal.create()
    webhooks(posts(webhook=site.url), feed, most=10, journal=journal)
    feed.tell(event())
    feed.tell(ENDED)
    journal.flush()
    with capture_logs() as lines:
        restore(read(journal.fd).entries, {}, journal)
    assert [(line["event"], line["hook"], line["kinds"]) for line in lines] == [
        ("events not delivered", "webhook", {"joined": 1, "call-ended": 1})
    ]
    journal.flush()
    assert not [key for key in read(journal.fd).entries if key.startswith(POST)]


def test_what_was_given_up_is_not_found_on_disk_again(tmp_path: Path) -> None:
    """Also where the engine goes on, but not the journal in memory."""
    calls: Any = SimpleNamespace(live=0, go_on=lambda *left: None, begin_again=lambda *left: None)
    engine: Any = SimpleNamespace(notices=list)

    def live_once(state: State) -> dict[bytes, Entry]:
        state.restore(calls, ReplyCache(), engine, {})
        assert state.journal is not None
        left = read(state.journal.fd).entries
        KeptPosts("webhook", state.journal).put(Post(1, "joined", b"{}"))
        state.close()
        return {key: value for key, value in left.items() if key.startswith(POST)}

    assert not live_once(State(tmp_path / "before"))
    # The first one has its directory as long as this process lives.
    shutil.copytree(tmp_path / "before", tmp_path / "after")
    assert not live_once(State(tmp_path / "after", adopted=True))


async def test_what_a_stop_leaves_is_counted_and_logged(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "LAST_WORDS", 0.01)
    site.hang = True
    hook = Webhook(site.url, everything, posts(), most=10)
    for told in (event(), ENDED, ENDED):
        hook.hear(told)
    await until(lambda: site.asked == 1)
    with capture_logs() as lines:
        await hook.close()
    assert hook.counts["dropped"] == 3
    assert [line["kinds"] for line in lines] == [{"joined": 1, "call-ended": 2}]


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://127.0.0.1:9/", id="nobody-listens"),
        pytest.param("http://relay..invalid/", id="no-host-name"),
    ],
)
async def test_nobody_at_the_url_costs_only_the_events(url: str) -> None:
    hook = Webhook(url, everything, posts(attempts=1), most=10)
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

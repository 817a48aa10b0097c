"""Events are posted to web servers in their order, and a server that fails costs only its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from msrprelay.config import EventPosts
from msrprelay.events import Event, Feed
from msrprelay.rpc.webhook import Webhook, everything, terminate_dialog, webhooks

from .test_rpc_events import ENDED, event


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

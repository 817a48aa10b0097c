"""Events posted to web servers: every one as JSON, and ``dlg.terminate_dlg`` to Kamailio."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable
from http import HTTPStatus
from itertools import count

import aiohttp
import msgspec

from ..config import EventPosts
from ..events import Event, Feed
from ..journal import Journal
from ..log import Log
from .encoding import to_json
from .posts import KeptPosts, Post, given_up
from .subscription import spelled

log = Log()

# Ends that the SIP server has asked for itself, or that no dialog knows of.
ITS_OWN = frozenset({"deleted", "offer-timeout", "rolled-back"})
# Seconds for what is still waiting when the relay stops.
LAST_WORDS = 2.0
JSON = {"Content-Type": "application/json"}
# Bytes of an answer that are looked at.
LONGEST_ANSWER = 1 << 16
# What a web server may think better of; any other status below 500 it will give again.
PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
Body = Callable[[Event], bytes | None]
# What was posted and what came back: why the server will never do it, None where it may.
Refusal = Callable[[bytes, bytes], str | None]


class Refused(Exception):
    """The web server has given a status that it would give again."""


class Webhook:
    """Posts events in their order, each until a 2xx status, or until it has failed too often.

    A server that says what it would say again is not asked again: a redirection, or a request
    that it does not take. ``counts``: ``posted``, ``failed`` (every attempt), ``dropped`` (after
    the last one, because too many were waiting, or at the end).
    """

    def __init__(
        self,
        url: str,
        body: Body,
        posts: EventPosts,
        *,
        most: int,
        refusal: Refusal | None = None,
        kept: KeptPosts | None = None,
    ) -> None:
        """``body`` makes what is posted of an event, None: nothing. ``most`` events may wait.

        What ``refusal`` takes for one is as good as delivered, whatever its status. ``kept`` has
        what waits for the process after this one.
        """
        self._url = url
        self._body = body
        self._posts = posts
        self._most = most
        self._refusal = refusal
        self._kept = kept or KeptPosts("")
        self._number = 0
        self._waiting: deque[Post] = deque()
        self._posting: Post | None = None
        self._task: asyncio.Task[None] | None = None
        self.counts = Counter({"posted": 0, "failed": 0, "dropped": 0})

    def hear(self, event: Event) -> None:
        """Take an event; drops the oldest where too many wait."""
        body = self._body(event)
        if body is None:
            return
        self._wait(Post(self._number + 1, event.event, body))

    def restore(self, posts: Iterable[Post]) -> None:
        """Take what another process had still to post."""
        for post in posts:
            self._wait(post)

    def _wait(self, post: Post) -> None:
        self._number = post.number
        if len(self._waiting) >= self._most:
            self._kept.drop(self._waiting.popleft())
            self.counts["dropped"] += 1
        self._waiting.append(post)
        self._kept.put(post)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._post_all())

    async def close(self) -> None:
        """Post what is waiting, if that is soon done; count and log what is not."""
        if self._task is None:
            return
        try:
            async with asyncio.timeout(LAST_WORDS):
                await self._task
        except TimeoutError:
            posting = [] if self._posting is None else [self._posting]
            left = given_up([*posting, *self._waiting], self._kept, self._url)
            self.counts["dropped"] += left

    async def _post_all(self) -> None:
        # What comes while the client closes its connection waits for another one.
        while self._waiting:
            await self._post_waiting()

    async def _post_waiting(self) -> None:
        timeout = aiohttp.ClientTimeout(total=self._posts.timeout)
        async with aiohttp.ClientSession(timeout=timeout, headers=JSON) as http:
            while self._waiting:
                self._posting = post = self._waiting.popleft()
                self._kept.flush()
                if not await self._delivered(http, post.body):
                    self.counts["dropped"] += 1
                    log.warning("event not delivered", url=self._url, body=post.body)
                self._kept.drop(post)
                self._kept.flush()
                self._posting = None

    async def _delivered(self, http: aiohttp.ClientSession, body: bytes) -> bool:
        for attempt in range(self._posts.attempts):
            if attempt:
                await asyncio.sleep(self._posts.retry * 2 ** (attempt - 1))
            try:
                await self._post(http, body)
            except (Refused, aiohttp.ClientError, TimeoutError, OSError, UnicodeError) as error:
                # UnicodeError: a host name that no resolver could ask for.
                self.counts["failed"] += 1
                log.debug("event post failed", url=self._url, error=error)
                if isinstance(error, Refused):
                    return False
            else:
                self.counts["posted"] += 1
                return True
        return False

    async def _post(self, http: aiohttp.ClientSession, body: bytes) -> None:
        # Redirected, a POST would become a GET without the event.
        async with http.post(self._url, data=body, allow_redirects=False) as response:
            status = response.status
            if self._refusal is not None:
                why = self._refusal(body, await beginning(response))
                if why is not None:
                    log.info("event refused", url=self._url, reason=why)
                    return
            if status >= 500 or status in PASSING:
                response.raise_for_status()
            elif not 200 <= status < 300:
                raise Refused(f"{status} {response.reason}")


async def beginning(response: aiohttp.ClientResponse) -> bytes:
    """What is looked at of an answer."""
    try:
        return await response.content.readexactly(LONGEST_ANSWER)
    except asyncio.IncompleteReadError as whole:
        return whole.partial


def everything(event: Event) -> bytes:
    """The event itself."""
    return msgspec.json.encode(spelled(event))


def terminate_dialog() -> Body:
    """The body for Kamailio: ends the SIP dialog of a call that the relay has seen end."""
    numbers = count(1)

    def body(event: Event) -> bytes | None:
        if event.event != "call-ended" or event.to_tag is None or event.reason in ITS_OWN:
            return None
        # Kamailio reads no escapes of ours, so these are what JSON can hold of the names.
        params = [as_it_is(name) for name in (event.call_id, event.from_tag, event.to_tag)]
        return msgspec.json.encode(
            {
                "jsonrpc": "2.0",
                "method": "dlg.terminate_dlg",
                "params": params,
                "id": next(numbers),
            }
        )

    return body


def jsonrpc_error(posted: bytes, answer: bytes) -> str | None:
    """Kamailio's error to that very request, whatever its status: the dialog is gone, say."""
    try:
        said = msgspec.json.decode(answer)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or said.get("id") != msgspec.json.decode(posted)["id"]:
        return None
    error = said.get("error")
    return str(error.get("message")) if isinstance(error, dict) else None


def as_it_is(name: str | None) -> object:
    """A name as JSON can hold it, without escapes for what looks like an escape."""
    return None if name is None else to_json(name.encode("utf-8", "surrogateescape"))


def webhooks(
    posts: EventPosts, feed: Feed, *, most: int, journal: Journal | None = None
) -> dict[str, Webhook]:
    """The hooks that are configured, by their key under ``[events]``, listening to ``feed``.

    What waits is kept in ``journal``.
    """
    hooks: dict[str, Webhook] = {}
    if posts.webhook:
        hooks["webhook"] = Webhook(
            posts.webhook, everything, posts, most=most, kept=KeptPosts("webhook", journal)
        )
    if posts.kamailio:
        hooks["kamailio"] = Webhook(
            posts.kamailio,
            terminate_dialog(),
            posts,
            most=most,
            refusal=jsonrpc_error,
            kept=KeptPosts("kamailio", journal),
        )
    for hook in hooks.values():
        feed.listen(hook.hear)
    return hooks

"""Events posted to web servers: every one as JSON, and ``dlg.terminate_dlg`` to Kamailio."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from itertools import count

import aiohttp
import msgspec

from ..config import EventPosts
from ..events import Event, Feed
from ..log import Log
from .encoding import to_json
from .subscription import spelled

log = Log()

# Ends that the SIP server has asked for itself, or that no dialog knows of.
ITS_OWN = frozenset({"deleted", "offer-timeout", "rolled-back"})
# Seconds for what is still waiting when the relay stops.
LAST_WORDS = 2.0
JSON = {"Content-Type": "application/json"}
Body = Callable[[Event], bytes | None]


class Webhook:
    """Posts events in their order, each until a 2xx status, or until it has failed too often.

    ``counts``: ``posted``, ``failed`` (every attempt), ``dropped`` (after the last one, or because
    too many were waiting).
    """

    def __init__(self, url: str, body: Body, posts: EventPosts, *, most: int) -> None:
        """``body`` makes what is posted of an event, None: nothing. ``most`` events may wait."""
        self._url = url
        self._body = body
        self._posts = posts
        self._most = most
        self._waiting: deque[bytes] = deque()
        self._task: asyncio.Task[None] | None = None
        self.counts = Counter({"posted": 0, "failed": 0, "dropped": 0})

    def hear(self, event: Event) -> None:
        """Take an event; drops the oldest where too many wait."""
        body = self._body(event)
        if body is None:
            return
        if len(self._waiting) >= self._most:
            self._waiting.popleft()
            self.counts["dropped"] += 1
        self._waiting.append(body)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._post_all())

    async def close(self) -> None:
        """Post what is waiting, if that is soon done."""
        if self._task is None:
            return
        try:
            async with asyncio.timeout(LAST_WORDS):
                await self._task
        except TimeoutError:
            self.counts["dropped"] += len(self._waiting)

    async def _post_all(self) -> None:
        timeout = aiohttp.ClientTimeout(total=self._posts.timeout)
        async with aiohttp.ClientSession(timeout=timeout, headers=JSON) as http:
            while self._waiting:
                body = self._waiting.popleft()
                if not await self._post(http, body):
                    self.counts["dropped"] += 1
                    log.warning("event not delivered", url=self._url, body=body)

    async def _post(self, http: aiohttp.ClientSession, body: bytes) -> bool:
        for attempt in range(self._posts.attempts):
            if attempt:
                await asyncio.sleep(self._posts.retry * 2 ** (attempt - 1))
            try:
                async with http.post(self._url, data=body) as response:
                    response.raise_for_status()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                self.counts["failed"] += 1
                log.debug("event post failed", url=self._url, error=error)
            else:
                self.counts["posted"] += 1
                return True
        return False


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


def as_it_is(name: str | None) -> object:
    """A name as JSON can hold it, without escapes for what looks like an escape."""
    return None if name is None else to_json(name.encode("utf-8", "surrogateescape"))


def webhooks(posts: EventPosts, feed: Feed, *, most: int) -> dict[str, Webhook]:
    """The hooks that are configured, by their key under ``[events]``, listening to ``feed``."""
    wanted = {
        "webhook": (posts.webhook, everything),
        "kamailio": (posts.kamailio, terminate_dialog()),
    }
    hooks = {
        name: Webhook(url, body, posts, most=most) for name, (url, body) in wanted.items() if url
    }
    for hook in hooks.values():
        feed.listen(hook.hear)
    return hooks

"""Events as JSON-RPC notifications on one connection, as many as its reader can take."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import msgspec

from ..events import Event, Feed
from .encoding import to_json


class Subscription:
    """What one connection has asked to hear.

    A reader that is too slow loses the oldest events, and is told how many: a notification
    ``events-lost`` stands in their place.
    """

    def __init__(self, feed: Feed, writer: asyncio.StreamWriter, most: int) -> None:
        """``most``: events that may wait."""
        self._feed = feed
        self._writer = writer
        self._waiting: deque[Event] = deque()
        self._most = most
        self._lost = 0
        self._events: frozenset[str] = frozenset()
        self._call_id: str | None = None
        self._ring = asyncio.Event()
        self._end: Callable[[], None] | None = None
        self._task: asyncio.Task[None] | None = None

    def subscribe(self, events: frozenset[str], call_id: str | None) -> None:
        """Hear these events (none: all), of one call or of all; replaces what was asked before."""
        self._events, self._call_id = events, call_id
        if self._end is None:
            self._end = self._feed.listen(self.hear)
            self._task = asyncio.create_task(self._write())

    def hear(self, event: Event) -> None:
        """Take an event, if it is asked for; drops the oldest where too many wait."""
        if self._events and event.event not in self._events:
            return
        if self._call_id is not None and event.call_id != self._call_id:
            return
        if len(self._waiting) >= self._most:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(event)
        self._ring.set()

    def finish(self) -> None:
        """Write what waits, and hear nothing more: the relay stops."""
        self.close()
        while self._waiting:
            self._writer.write(self._next())

    def close(self) -> None:
        """The connection has ended."""
        if self._end is not None:
            self._end()
            self._end = None
        if self._task is not None:
            self._task.cancel()

    async def _write(self) -> None:
        try:
            while await self._ring.wait():
                self._ring.clear()
                while self._waiting:
                    self._writer.write(self._next())
                    await self._writer.drain()
        except ConnectionError:
            # Whoever reads the requests of this connection sees its end too.
            return

    def _next(self) -> bytes:
        if self._lost:
            lost, self._lost = self._lost, 0
            return notification("events-lost", {"lost": lost})
        return notification("event", spelled(self._waiting.popleft()))


def notification(method: str, params: object) -> bytes:
    """A line without an id, which is not answered."""
    return msgspec.json.encode({"jsonrpc": "2.0", "method": method, "params": params}) + b"\n"


def spelled(event: Event) -> object:
    """An event with its fields as ng keys, fit for JSON."""
    return to_json(msgspec.to_builtins(event))

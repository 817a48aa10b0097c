# cython: annotation_typing=False
"""Timers of thousands of calls on one timer of the event loop."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from functools import partial

# Cancelled timers that may lie about before they are cleared away.
STALE = 1024


class Timers:
    """A heap of deadlines. Most are cancelled long before they are due, which costs nothing here.

    Callbacks of one moment are called in the order in which they were set.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heap: list[tuple[float, int]] = []
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._numbers = itertools.count()
        self._handle: asyncio.TimerHandle | None = None

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back at ``when`` by the loop's clock, in seconds; gives what cancels it."""
        number = next(self._numbers)
        self._callbacks[number] = callback
        heapq.heappush(self._heap, (when, number))
        if self._heap[0][1] == number:
            self._arm()
        return partial(self._cancel, number)

    def _cancel(self, number: int) -> None:
        self._callbacks.pop(number, None)
        if len(self._heap) > 2 * len(self._callbacks) + STALE:
            self._heap = [entry for entry in self._heap if entry[1] in self._callbacks]
            heapq.heapify(self._heap)

    def _arm(self) -> None:
        """The loop's timer is set to the first deadline, or to one before it."""
        when = self._heap[0][0]
        if self._handle is not None:
            if self._handle.when() <= when:
                return
            self._handle.cancel()
        self._handle = self._loop.call_at(when, self._due)

    def _due(self) -> None:
        self._handle = None
        now = self._loop.time()
        try:
            while self._heap and self._heap[0][0] <= now:
                _, number = heapq.heappop(self._heap)
                callback = self._callbacks.pop(number, None)
                if callback is not None:
                    callback()
        finally:
            # Also where a callback failed: the others must not be late for it.
            if self._heap:
                self._arm()

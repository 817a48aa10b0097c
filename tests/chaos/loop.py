"""One epoll loop with timers: who reads and writes, and when, is nobody's choice but the test's."""

from __future__ import annotations

import heapq
import itertools
import select
import time
from collections.abc import Callable

IN, OUT = select.EPOLLIN, select.EPOLLOUT
LONGEST_WAIT = 0.5


class Loop:
    """Level-triggered; a handler gets the events of its descriptor."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._events: dict[int, int] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = itertools.count()

    def watch(self, descriptor: int, events: int, handler: Callable[[int], None]) -> None:
        """Call the handler for these events, errors and the end."""
        self._handlers[descriptor] = handler
        self._events[descriptor] = events
        self._poll.register(descriptor, events)

    def change(self, descriptor: int, events: int) -> None:
        """Wait for these events from now on, if it is watched."""
        if self._events.get(descriptor, events) != events:
            self._events[descriptor] = events
            self._poll.modify(descriptor, events)

    def forget(self, descriptor: int) -> None:
        """Wait for nothing; before it is closed."""
        if self._handlers.pop(descriptor, None) is not None:
            del self._events[descriptor]
            self._poll.unregister(descriptor)

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call once, in so many seconds."""
        due = time.monotonic() + seconds
        heapq.heappush(self._timers, (due, next(self._serial), call))

    def turn(self) -> None:
        """Wait for something, and handle all there is."""
        wait = LONGEST_WAIT
        if self._timers:
            wait = min(wait, max(0.0, self._timers[0][0] - time.monotonic()))
        for descriptor, events in self._poll.poll(wait):
            if (handler := self._handlers.get(descriptor)) is not None:
                handler(events)
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()

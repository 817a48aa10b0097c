# cython: annotation_typing=False
"""The event loop as the sessions use it: time, timers, tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from .timers import Timers


class LoopScheduler:
    """The running event loop, as the sessions use it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timers = Timers(self._loop)
        # A task nobody holds may be collected before it is done.
        self._tasks: set[asyncio.Task[None]] = set()

    def time(self) -> float:
        """Seconds of the loop's monotonic clock."""
        return self._loop.time()

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back at ``when``; gives what cancels it."""
        return self._timers.call_at(when, callback)

    def spawn(self, work: Awaitable[None]) -> None:
        """Run ``work`` beside everything else."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

"""Many deadlines on one timer of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from msrprelay.loop.timers import STALE, Timers


class Loop:
    """A loop with one timer; time passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self.armed: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> Any:
        self.armed.append((when, callback))
        return SimpleNamespace(when=lambda: when, cancel=self.armed.clear)

    def pass_until(self, now: float) -> None:
        while self.armed and self.armed[0][0] <= now:
            self.now, callback = self.armed.pop(0)
            callback()
        self.now = now


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def timers(loop: Loop) -> Timers:
    return Timers(cast("asyncio.AbstractEventLoop", loop))


def test_each_is_called_at_its_time_whatever_the_order(loop: Loop, timers: Timers) -> None:
    called = []
    for when in (3.0, 1.0, 2.0):
        timers.call_at(when, lambda when=when: called.append((when, loop.now)))  # type: ignore[misc]
    loop.pass_until(2.5)
    assert called == [(1.0, 1.0), (2.0, 2.0)]
    loop.pass_until(3.0)
    assert called[2:] == [(3.0, 3.0)]


def test_a_cancelled_one_is_not_called(loop: Loop, timers: Timers) -> None:
    called: list[str] = []
    cancel = timers.call_at(1.0, lambda: called.append("first"))
    timers.call_at(1.0, lambda: called.append("second"))
    cancel()
    loop.pass_until(1.0)
    cancel()
    assert called == ["second"]


def test_a_callback_may_set_the_next(loop: Loop, timers: Timers) -> None:
    called: list[float] = []

    def again() -> None:
        timers.call_at(2.0, lambda: called.append(loop.now))

    timers.call_at(1.0, again)
    loop.pass_until(5.0)
    assert called == [2.0]


def test_one_that_fails_does_not_keep_the_others(loop: Loop, timers: Timers) -> None:
    called: list[float] = []

    def fail() -> None:
        raise RuntimeError("expected by this test")

    timers.call_at(1.0, fail)
    timers.call_at(1.0, lambda: called.append(loop.now))
    with pytest.raises(RuntimeError, match="expected"):
        loop.pass_until(1.0)
    loop.pass_until(2.0)
    assert called == [1.0]


def test_what_is_cancelled_takes_no_room_for_long(timers: Timers) -> None:
    for _ in range(10 * STALE):
        timers.call_at(200.0, lambda: None)()
    assert len(timers._heap) <= STALE + 1

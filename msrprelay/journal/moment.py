"""When something was said: a reboot sets the clock back in which deadlines are told."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

import msgspec


class Moment(msgspec.Struct, frozen=True, array_like=True):
    """One moment on both clocks, in seconds; ``boot`` names the boot they belong to."""

    boot: str
    wall: float
    monotonic: float

    @classmethod
    def now(cls) -> Moment:
        """This moment."""
        return cls(boot(), time.time(), time.monotonic())

    def shift(self, now: Moment) -> float:
        """What to add to a deadline of the monotonic clock of then to have it on that of ``now``.

        Nothing within one boot. A wall clock that was set back counts as no time gone by.
        """
        if self.boot == now.boot:
            return 0.0
        return now.monotonic - self.monotonic - max(0.0, now.wall - self.wall)


@cache
def boot() -> str:
    """The kernel's name for this boot; empty if it has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""

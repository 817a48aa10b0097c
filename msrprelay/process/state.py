# cython: annotation_typing=False
"""What a process leaves for the one after it: calls, ports and replies in a journal.

In memory that the keeper holds, for a successor whose engine goes on; on disk, for a start after
which nothing but the disk is left.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from ..dataplane import DataPlane
from ..journal import DiskCopy, Entry, Found, Journal, Moment, Unreadable
from ..journal.journal import TIME
from ..log import Log
from ..rpc import posts
from ..rpc.posts import Hook
from ..rpc.reply_cache import ReplyCache
from ..sessions import Sessions

log = Log()

# The name under which the keeper holds the journal.
HELD_AS = "journal"


class Link(Protocol):
    """Who holds descriptors for the next process."""

    @property
    def inherited(self) -> Mapping[str, int]:
        """What the process before has left, by name."""

    def hold(self, name: str, descriptor: int) -> None:
        """Have a duplicate of the descriptor held."""


class State:
    """The journal of this process, and what the one before it has left.

    ``journal`` is None where nobody could read it later: no keeper, no directory.
    """

    def __init__(
        self,
        directory: Path | None = None,
        link: Link | None = None,
        *,
        adopted: bool = False,
        moment: Callable[[], Moment] = Moment.now,
    ) -> None:
        """``link``: to the keeper, if there is one. ``adopted``: the engine of the process before
        this one goes on.

        Raises OSError if another process has ``directory``.
        """
        self.journal: Journal | None = None
        self._disk = None if directory is None else DiskCopy(directory)
        self._adopted = adopted
        self._moment = moment
        self._found: Found | None = None
        self._from_disk = False
        self._degraded = ""
        held = None if link is None else link.inherited.get(HELD_AS)
        if held is not None:
            self._resume(held)
        if self._found is None and self._disk is not None:
            self._read(self._disk)
        if self.journal is None and (link is not None or self._disk is not None):
            self.journal = Journal.create(moment)
            if link is not None:
                link.hold(HELD_AS, self.journal.fd)

    def restore(
        self,
        sessions: Sessions,
        cache: ReplyCache,
        dataplane: DataPlane,
        hooks: Mapping[str, Hook],
    ) -> None:
        """Go on where the process before this one has stopped; then keep the disk up to date."""
        entries = {} if self._found is None else self._found.entries
        shift = 0.0 if self._adopted else self._shift()
        # Before anything is dropped.
        self._carry_over(shift, entries)
        # Before what the calls have to tell of their own.
        posts.restore(entries, hooks, self.journal)
        with uncollected():
            if self._adopted:
                sessions.go_on(entries, dataplane, dataplane.notices)
            elif entries:
                sessions.begin_again(entries, shift)
            cache.restore(entries, shift)
        if self._found is not None:
            log.info("state restored", calls=sessions.live, replies=len(cache), cold=self._cold)
        self._found = None
        self.flush()
        if self._disk is not None and self.journal is not None:
            self._disk.start(self.journal)

    def flush(self) -> None:
        """Write what has happened: before anybody is told of it."""
        if self.journal is not None:
            self.journal.flush()

    def tick(self) -> None:
        """Once in a while: write what nobody was told of, and say what is wrong."""
        self.flush()
        degraded = self.degraded
        if degraded and not self._degraded:
            log.warning("state not kept", reason=degraded)
        elif self._degraded and not degraded:
            log.info("state kept again")
        self._degraded = degraded

    def close(self) -> None:
        """Write what is left, also to disk."""
        self.flush()
        if self._disk is not None:
            self._disk.stop()

    @property
    def degraded(self) -> str:
        """What would be missing after a failure, and why; empty: nothing."""
        if self.journal is not None and self.journal.failing is not None:
            return f"memory: {self.journal.failing}"
        reason = None if self._disk is None else self._disk.degraded
        return f"state-dir: {reason}" if reason is not None else ""

    def figures(self) -> dict[str, object]:
        """Whether all is kept, and how much it is."""
        head, tail = (0, 0) if self.journal is None else self.journal.span
        return {
            "degraded": int(bool(self.degraded)),
            "reason": self.degraded,
            "memory-bytes": tail - head,
            "disk-bytes": 0 if self._disk is None else self._disk.size,
        }

    @property
    def _cold(self) -> int:
        return int(not self._adopted)

    def _resume(self, fd: int) -> None:
        try:
            journal, self._found = Journal.resume(fd, self._moment)
        except (OSError, Unreadable) as error:
            log.error("journal not read", reason=str(error))
            return
        self._tell_torn(self._found)
        if self._adopted:
            self.journal = journal
        else:
            journal.close()

    def _read(self, disk: DiskCopy) -> None:
        try:
            self._found = disk.read()
        except OSError as error:
            log.error("journal not read", reason=str(error))
        except Unreadable as error:
            log.error("journal not read", reason=str(error), kept_as=_set_aside(disk))
        if self._found is not None:
            self._from_disk = True
            self._tell_torn(self._found)

    def _tell_torn(self, found: Found) -> None:
        if found.torn:
            log.warning("journal cut at its last good record", at=found.end, bytes=found.torn)

    def _shift(self) -> float:
        """What to add to times of the process before this one."""
        entry = self._found and self._found.entries.get(TIME)
        if not entry or entry.value is None:
            return 0.0
        return msgspec.msgpack.decode(entry.value, type=Moment).shift(self._moment())

    def _carry_over(self, shift: float, entries: Mapping[bytes, Entry]) -> None:
        """Take what still counts into a new journal, its time moved by so many seconds.

        Without an engine that goes on, calls and what else has no time are written as they are
        made again.
        """
        now = self._moment().monotonic
        if self.journal is None or (self._adopted and not self._from_disk):
            return
        for key, (value, until) in entries.items():
            then = until + shift if until else 0.0
            if value is not None and (then > now if until else self._adopted):
                self.journal.put(key, value, then)


def _set_aside(disk: DiskCopy) -> str:
    """Where an unreadable journal is kept, or why it is not."""
    try:
        return str(disk.set_aside())
    except OSError as error:
        return str(error)


@contextmanager
def uncollected() -> Iterator[None]:
    """What is made here stays: looking for cycles among it would take longer than making it."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()

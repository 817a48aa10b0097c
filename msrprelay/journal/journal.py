"""The journal that is written: a log in memory whose old end is cleared away as it grows.

A key's newest record counts. Once the records that do not count outweigh the others, each write
carries the oldest that counts to the new end, and what lies before is given back to the kernel: no
pause, no second copy, and at any moment the file is whole.
"""

from __future__ import annotations

import heapq
import mmap
import os
from collections.abc import Callable

import msgspec

from .file import FIRST, Found, read, write_head, write_title
from .frames import frame, keys, size_of
from .moment import Moment

# Bytes that need not count before anything is cleared away.
SLACK = 1 << 20
# Bytes looked at in one write.
BLOCK = 64 << 10
# Bytes given back to the kernel at a time.
GIVEN_BACK = 1 << 20
# Bytes that may wait while nothing can be written; beyond them the journal ends.
MOST_WAITING = 64 << 20
# Seconds until the time is told again.
TIMING = 1.0
# The key under which the time is told.
TIME = b""


class Overrun(OSError):
    """Whoever reads was too slow: the records are no longer where they were."""


class Journal:
    """Writes records into ``fd``, a memfd.

    What is put waits until :meth:`flush`. ``failing`` says why nothing can be written, if so: the
    records wait and come later. ``ended``: so many waited that they were dropped.
    """

    def __init__(self, fd: int, found: Found, clock: Callable[[], Moment]) -> None:
        self.fd = fd
        self.failing: str | None = None
        self.ended = False
        # While somebody reads, nothing is given back to the kernel.
        self._being_read = False
        self._clock = clock
        self._turn = found.turn
        self._head = found.head
        # What another process has left behind its head is given back as well.
        self._given_back = FIRST
        # Where the file ends, and where it will when what waits is written.
        self._tail = self._end = found.end
        self._waiting: list[bytes] = []
        self._places = found.places
        # Bytes of the records that count.
        self._counting = sum(size for _, size, _ in found.places.values())
        self._expiring = [(until, key) for key, (_, _, until) in found.places.items() if until]
        heapq.heapify(self._expiring)
        self._told = float("-inf")

    @classmethod
    def create(cls, clock: Callable[[], Moment] = Moment.now) -> Journal:
        """An empty journal in memory of its own. Raises OSError."""
        fd = os.memfd_create("msrprelay-journal", os.MFD_CLOEXEC)
        write_title(fd)
        return cls(fd, read(fd), clock)

    @classmethod
    def resume(cls, fd: int, clock: Callable[[], Moment] = Moment.now) -> tuple[Journal, Found]:
        """Go on with what another process wrote; what is torn at its end is cut off.

        Raises Unreadable, OSError.
        """
        found = read(fd)
        os.ftruncate(fd, found.end)
        return cls(fd, found, clock), found

    @property
    def span(self) -> tuple[int, int]:
        """From where to where records count, or did before others were written behind them."""
        return self._head, self._tail

    def put(self, key: bytes, value: bytes, until: float = 0.0) -> None:
        """Keep ``value`` under ``key``; from ``until`` on (0: never) it need not be kept."""
        if self.ended:
            return
        record = frame(key, value, until)
        size = len(record)
        before = self._places.get(key)
        self._counting += size if before is None else size - before[1]
        self._places[key] = (self._end, size, until)
        self._end += size
        self._waiting.append(record)
        if until:
            heapq.heappush(self._expiring, (until, key))

    def drop(self, key: bytes) -> None:
        """Forget what is under ``key``, also after a restart."""
        if key in self._places and not self.ended:
            self.forget(key)
            record = frame(key, None)
            self._end += len(record)
            self._waiting.append(record)

    def forget(self, key: bytes) -> None:
        """Keep what is under ``key`` no longer than it costs nothing."""
        place = self._places.pop(key, None)
        if place is not None:
            self._counting -= place[1]

    def flush(self) -> None:
        """Write what waits, with one system call as a rule. Never raises."""
        if not self._waiting or self.ended:
            return
        now = self._clock()
        if now.monotonic - self._told >= TIMING:
            self._told = now.monotonic
            self.put(TIME, msgspec.msgpack.encode(now))
        self._expire(now.monotonic)
        try:
            head = self._clear()
            self._write()
            if head != self._head:
                self._move_head(head)
        except OSError as error:
            self._fail(error)
        else:
            self.failing = None

    def piece(self, at: int, size: int) -> bytes:
        """So many bytes that have been written; may be called by another thread.

        Raises Overrun if they have been cleared away; OSError.
        """
        self._being_read = True
        try:
            if at < self._head:
                raise Overrun("cleared away while it was copied")
            return os.pread(self.fd, size, at)
        finally:
            self._being_read = False

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)

    def _write(self) -> None:
        data = memoryview(b"".join(self._waiting))
        at = self._tail
        while data:
            written = os.pwrite(self.fd, data, at)
            at, data = at + written, data[written:]
        # Only now: whoever reads takes what is before the tail for whole.
        self._tail = at
        self._waiting.clear()

    def _expire(self, now: float) -> None:
        while self._expiring and self._expiring[0][0] <= now:
            until, key = heapq.heappop(self._expiring)
            place = self._places.get(key)
            if place is not None and place[2] == until:
                self.forget(key)

    def _clear(self) -> int:
        """Have the oldest records that count written again; gives where the others end."""
        if self._tail - self._head <= 2 * self._counting + SLACK or self.failing is not None:
            return self._head
        data = os.pread(self.fd, min(BLOCK, self._tail - self._head), self._head)
        if size_of(data) > len(data):
            data = os.pread(self.fd, size_of(data), self._head)
        head = end = self._head
        for offset, size, key in keys(data):
            place = self._places.get(key)
            if place is not None and place[0] == head + offset:
                self._places[key] = (self._end, size, place[2])
                self._end += size
                self._waiting.append(data[offset : offset + size])
            end = head + offset + size
        return end

    def _move_head(self, head: int) -> None:
        self._turn += 1
        write_head(self.fd, self._turn, head)
        self._head = head
        # Whole pages; that of the title stays.
        start = -(-max(self._given_back, FIRST) // mmap.PAGESIZE) * mmap.PAGESIZE
        stop = head // mmap.PAGESIZE * mmap.PAGESIZE
        if stop - start >= GIVEN_BACK and not self._being_read:
            with mmap.mmap(self.fd, stop - start, offset=start) as passed:
                passed.madvise(mmap.MADV_REMOVE)
            self._given_back = stop

    def _fail(self, error: OSError) -> None:
        self.failing = error.strerror or str(error)
        if sum(map(len, self._waiting)) > MOST_WAITING:
            self._waiting.clear()
            self.ended = True

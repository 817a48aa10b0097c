"""One direction of a TCP connection as a byte stream, in bounded memory."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import NamedTuple

PENDING_BYTES, PENDING_SEGMENTS = 1 << 18, 2_000
"""What is held per direction behind a hole before the hole is given up as not captured."""

KEPT_HOLES = 1_000
"""Holes whose place is remembered per direction."""


class Piece(NamedTuple):
    """Bytes of packet ``number`` that continue the stream at ``offset``.

    ``hole`` says that bytes before them are missing from the capture.
    """

    offset: int
    data: bytes
    hole: bool
    number: int
    time: float


class Reassembler:
    """Puts segments in order; offsets count from the first byte after the SYN."""

    __slots__ = ("_at", "_offsets", "_pending", "_pending_bytes", "holes", "next")

    def __init__(self) -> None:
        self.next = 0
        self.holes = 0
        self._at: list[int] = []
        self._pending: dict[int, tuple[bytes, int, float]] = {}
        self._offsets: list[int] = []  # a heap of what is pending
        self._pending_bytes = 0

    def add(self, offset: int, data: bytes, number: int, time: float) -> list[Piece]:
        """Take a segment; give the bytes that are now in order (none, or several pieces)."""
        if offset > self.next:
            self._hold(offset, data, number, time)
            return self._skip_hole() if self._full else []
        ready = self._take(offset, data, number, time, hole=False)
        if ready and self._pending:
            ready += self._drain()
        return ready

    def skip_holes(self, acked: int) -> list[Piece]:
        """What the receiver has acknowledged and the capture lacks will not come any more."""
        pieces: list[Piece] = []
        while self._offsets and self._offsets[0] < acked:
            pieces += self._skip_hole()
        return pieces

    def flush(self) -> list[Piece]:
        """What still waits behind holes, at the end of the capture."""
        pieces: list[Piece] = []
        while self._pending:
            pieces += self._skip_hole()
        return pieces

    def holes_before(self, acked: int) -> int:
        """Holes of which the receiver had the bytes: they were sent, and not captured.

        One that was never acknowledged may be just what is wrong with the connection.
        """
        return sum(start < acked for start in self._at)

    @property
    def _full(self) -> bool:
        return self._pending_bytes > PENDING_BYTES or len(self._pending) > PENDING_SEGMENTS

    def _hold(self, offset: int, data: bytes, number: int, time: float) -> None:
        known = self._pending.get(offset)
        if known is None:
            heappush(self._offsets, offset)
        if known is None or len(known[0]) < len(data):
            self._pending_bytes += len(data) - (len(known[0]) if known else 0)
            self._pending[offset] = (data, number, time)

    def _take(
        self, offset: int, data: bytes, number: int, time: float, *, hole: bool
    ) -> list[Piece]:
        fresh = data[self.next - offset :]
        if not fresh:
            return []
        start = self.next
        self.next += len(fresh)
        return [Piece(start, fresh, hole, number, time)]

    def _drain(self) -> list[Piece]:
        ready: list[Piece] = []
        while self._offsets and self._offsets[0] <= self.next:
            offset, data, number, time = self._pop()
            ready += self._take(offset, data, number, time, hole=False)
        return ready

    def _skip_hole(self) -> list[Piece]:
        offset, data, number, time = self._pop()
        hole = offset > self.next
        self.holes += hole
        if hole and len(self._at) < KEPT_HOLES:
            self._at.append(self.next)
        self.next = max(self.next, offset)
        return self._take(offset, data, number, time, hole=hole) + self._drain()

    def _pop(self) -> tuple[int, bytes, int, float]:
        """The first segment that is pending, by offset."""
        offset = heappop(self._offsets)
        data, number, time = self._pending.pop(offset)
        self._pending_bytes -= len(data)
        return offset, data, number, time

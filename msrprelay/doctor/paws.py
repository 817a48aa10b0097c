"""What a receiver does with timestamps: RFC 7323 section 5.3 played back on one direction."""

from __future__ import annotations

from .sequence import distance

NAMED = 40
"""Packet numbers kept of the rejected segments."""


class Paws:
    """One receiver's TS.Recent, moved by what arrives; counts what it must reject.

    ``clock`` is TS.Recent, ``announced`` the first one (SYN or SYN-ACK, packet ``announced_in``).
    """

    __slots__ = (
        "announced",
        "announced_in",
        "arrived",
        "clock",
        "foreign",
        "numbers",
        "rejected",
        "rejected_data",
        "rejected_end",
    )

    def __init__(self) -> None:
        self.clock: int | None = None
        self.announced: int | None = None
        self.announced_in = 0
        self.arrived = 0
        self.rejected = 0
        self.rejected_data = 0
        self.rejected_end = 0
        self.foreign: int | None = None
        self.numbers: list[int] = []

    def open(self, tsval: int | None, number: int) -> None:
        """The peer's SYN or SYN-ACK arrives."""
        self.clock = self.announced = tsval
        self.announced_in = number

    def arrive(self, tsval: int | None, seq: int, length: int, acked: int, number: int) -> bool:
        """A later segment arrives; whether it is rejected.

        ``seq`` is its offset, ``acked`` the highest offset the receiver has acknowledged.
        """
        self.arrived += 1
        if tsval is None or self.clock is None:
            return False
        if distance(tsval, self.clock) < 0:
            self._reject(tsval, seq + length if length else 0, number)
            return True
        if seq <= acked:
            self.clock = tsval
        return False

    def _reject(self, tsval: int, data_end: int, number: int) -> None:
        self.rejected += 1
        if self.foreign is None:
            self.foreign = tsval
        if data_end:
            self.rejected_data += 1
            self.rejected_end = max(self.rejected_end, data_end)
        if len(self.numbers) < NAMED:
            self.numbers.append(number)

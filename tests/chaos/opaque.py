"""Both ends of one direction of an opaque session: any octets behind a valid bind."""

from __future__ import annotations

from .book import WINDOW, Octets
from .tally import Tally, common

STEP = 64 << 10
# So many octets that nobody wrote, and they are not searched for any more.
HOPELESS = 4096


class OctetWriter:
    """Says the stream up to its budget; `portion` octets at a time, `think` seconds apart."""

    def __init__(
        self, octets: Octets, *, budget: int | None, portion: int = STEP, think: float = 0.0
    ) -> None:
        self._octets = octets
        self._budget = budget
        self._portion = portion
        self._think = think
        self._due = 0.0
        self.given = 0

    def first(self) -> bytes:
        """The octets that bind the leg."""
        self.given = len(self._octets.beginning)
        return self._octets.beginning

    def more(self, now: float) -> bytes:
        """The next octets; none for now, or none at all."""
        if self.done or now < self._due:
            return b""
        self._due = now + self._think
        left = self._portion if self._budget is None else self._budget - self.given
        data = self._octets.at(self.given, min(self._portion, left))
        self.given += len(data)
        return data

    def wait(self, now: float) -> float | None:
        """In how many seconds there may be more by itself."""
        return None if self.done else max(0.0, self._due - now)

    def stop(self) -> None:
        """Say nothing more."""
        self._budget = self.given

    @property
    def done(self) -> bool:
        """Whether all has been said."""
        return self._budget is not None and self.given >= self._budget

    @property
    def is_answered(self) -> bool:
        """Nobody answers octets."""
        return self.done

    def arriving(self, sent: int) -> int:
        """How many octets arrive of so many sent."""
        return sent


class OctetReader:
    """Compares what comes with the stream, and finds its place again where it differs."""

    def __init__(self, octets: Octets) -> None:
        self._octets = octets
        self._at = 0
        self._high = 0
        self._missing: list[tuple[int, int]] = []
        self._lost_track = b""
        self.tally = Tally()

    def feed(self, data: bytes) -> None:
        """Take what has arrived."""
        if self._lost_track:
            data = self._resume(self._lost_track + data)
        while data:
            wanted = self._octets.at(self._at, len(data))
            same = len(wanted) if data.startswith(wanted) else common(data, wanted)
            self._count(self._at, self._at + same)
            self._at += same
            data = data[same:]
            if data and same < len(wanted):
                data = self._resume(data)

    def finish(self) -> None:
        """Nothing more comes."""
        self.tally.strange += len(self._lost_track)
        self._lost_track = b""

    def _resume(self, data: bytes) -> bytes:
        """What follows the place at which the stream goes on, if there is one yet."""
        while len(data) >= WINDOW and self.tally.strange < HOPELESS:
            offset = self._octets.offset_of(data[:WINDOW], self._at)
            if offset is not None:
                if offset > self._high:
                    self._missing.append((self._high, offset))
                    self._high = offset
                self._at = offset
                self._lost_track = b""
                return data
            self.tally.strange += 1
            data = data[1:]
        if len(data) >= WINDOW:
            self.tally.strange += len(data)
            data = b""
        self._lost_track = data
        return b""

    def _count(self, start: int, stop: int) -> None:
        new = max(0, stop - max(start, self._high))
        late = self._take_missing(start, min(stop, self._high)) if start < self._high else 0
        self._high = max(self._high, stop)
        self.tally.right += new + late
        self.tally.reordered += late
        self.tally.duplicated += stop - start - new - late

    def _take_missing(self, start: int, stop: int) -> int:
        """How many of these octets were missing until now."""
        left, late = [], 0
        for first, last in self._missing:
            low, high = max(first, start), min(last, stop)
            if low >= high:
                left.append((first, last))
                continue
            late += high - low
            left += [part for part in ((first, low), (high, last)) if part[0] < part[1]]
        self._missing = left
        return late

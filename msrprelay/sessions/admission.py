"""Whether a new call fits: sessions, descriptors, speed of offers, the strain of the host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import CommandError
from ..strain import Strained

# SIP servers try the next relay at these very words.
PARALLEL_LIMIT = "Parallel session limit reached"
LOAD_LIMIT = "Load limit exceeded"
# A session that waits has two listeners and may hold a connection behind each; once joined, two
# connections are left.
WAITING_DESCRIPTORS = 4
JOINED_DESCRIPTORS = 2


@dataclass(frozen=True, slots=True)
class Room:
    """Bounds on new calls. ``sessions`` and ``offers_per_second``: 0 is no bound.

    ``descriptors`` are those that sessions may have together.
    """

    sessions: int
    descriptors: int
    offers_per_second: int = 0

    @property
    def most_sessions(self) -> int:
        """How many sessions fit if all are joined."""
        fitting = max(1, self.descriptors // JOINED_DESCRIPTORS)
        return min(self.sessions, fitting) if self.sessions else fitting


class Admission:
    """Judges every first offer of a call or branch; re-offers always go on.

    ``strain`` says why the host can take no more, if so. ``counts`` has the refusals by what
    refused.
    """

    def __init__(
        self, room: Room, clock: Callable[[], float], strain: Callable[[], Strained | None]
    ) -> None:
        """``clock`` in seconds, monotonic."""
        self.room = room
        self.refusing = False
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self._strain = strain
        self._tokens = float(room.offers_per_second)
        self._filled = clock()

    def admit(self, sessions: int, joined: int, *, emergency: bool) -> None:
        """Raises CommandError with a load reason if there is no room beside ``sessions``.

        ``joined`` of them are joined. An emergency is refused only where it could not be served.
        """
        if self.refusing:
            self._refuse("drain", PARALLEL_LIMIT)
        if self.room.sessions and sessions >= self.room.sessions:
            self._refuse("sessions", PARALLEL_LIMIT)
        taken = WAITING_DESCRIPTORS * (sessions - joined) + JOINED_DESCRIPTORS * joined
        if taken + WAITING_DESCRIPTORS > self.room.descriptors:
            self._refuse("descriptors", PARALLEL_LIMIT)
        if emergency:
            return
        strained = self._strain()
        if strained is not None:
            self._refuse(*strained)
        if self.room.offers_per_second and not self._take_token():
            self._refuse("offers-per-second", LOAD_LIMIT)

    def _take_token(self) -> bool:
        """A bucket of one second's offers, so that a burst of that many passes."""
        now, rate = self._clock(), self.room.offers_per_second
        self._tokens = min(float(rate), self._tokens + (now - self._filled) * rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _refuse(self, what: str, reason: str) -> None:
        self.counts[what] += 1
        raise CommandError(reason)

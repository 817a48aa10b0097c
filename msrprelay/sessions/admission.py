# cython: annotation_typing=False
"""Whether a new call fits: sessions, descriptors, memory, speed of offers, the host's strain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..errors import LOAD_LIMIT, PARALLEL_LIMIT, CommandError
from ..strain import Strained, Taken

# A session that waits has two listeners and may hold a connection behind each; once joined, two
# connections are left.
WAITING_DESCRIPTORS = 4
JOINED_DESCRIPTORS = 2


@dataclass(frozen=True, slots=True)
class Room:
    """Bounds on new calls. ``sessions`` and ``offers_per_second``: 0 is no bound.

    ``descriptors`` are those that sessions may have together. From ``load`` per cent of anything
    on, new calls are refused; from ``load_emergency`` on, emergencies too.
    """

    sessions: int
    descriptors: int
    offers_per_second: int = 0
    load: int = 80
    load_emergency: int = 95

    @property
    def most_sessions(self) -> int:
        """How many sessions there could be if all are joined and everything is taken."""
        fitting = max(1, self.descriptors // JOINED_DESCRIPTORS)
        return min(self.sessions, fitting) if self.sessions else fitting


class Admission:
    """Judges every first offer of a call or branch; re-offers always go on, as calls do.

    ``strain`` says why the host can take no more, if so, and ``taken`` what it has given away.
    ``counts`` has the refusals by what refused, those of emergencies by themselves.
    """

    def __init__(
        self,
        room: Room,
        clock: Callable[[], float],
        strain: Callable[[], Strained | None],
        taken: Callable[[], Iterable[Taken]] = tuple,
    ) -> None:
        """``clock`` in seconds, monotonic."""
        self.room = room
        self.refusing = False
        self.counts: defaultdict[str, int] = defaultdict(int)
        self._clock = clock
        self._strain = strain
        self._taken = taken
        self._tokens = float(room.offers_per_second)
        self._filled = clock()

    def admit(self, sessions: int, joined: int, *, emergency: bool) -> None:
        """Raises CommandError with a load reason if there is no room beside ``sessions``.

        ``joined`` of them are joined.
        """
        if self.refusing:
            self._refuse("drain", PARALLEL_LIMIT)
        self._weigh(sessions, joined, emergency=emergency)
        if emergency:
            return
        strained = self._strain()
        if strained is not None:
            self._refuse(strained.what, strained.reason)
        if self.room.offers_per_second and not self._take_token():
            self._refuse("offers-per-second", LOAD_LIMIT)

    def shares(self, sessions: int, joined: int) -> dict[str, float]:
        """Which share of each thing is taken, by what :meth:`admit` would judge; 1 is all of it."""
        found: dict[str, float] = {}
        for what, taken, most, _ in self._all_taken(sessions, joined):
            found[what] = max(found.get(what, 0.0), taken / most if most else 1.0)
        return found

    def _weigh(self, sessions: int, joined: int, *, emergency: bool) -> None:
        """Refuse what is beyond its share of the room."""
        bound = self.room.load_emergency if emergency else self.room.load
        prefix = "emergency-" if emergency else ""
        for what, taken, most, reason in self._all_taken(sessions, joined):
            if taken * 100 >= bound * most:
                self._refuse(prefix + what, reason)

    def _all_taken(self, sessions: int, joined: int) -> list[tuple[str, int, int, str]]:
        room = self.room
        # Counted before they are opened: an answer brings connections that cannot be refused.
        theirs = WAITING_DESCRIPTORS * (sessions - joined) + JOINED_DESCRIPTORS * joined
        ours = ("descriptors", theirs, room.descriptors, PARALLEL_LIMIT)
        if not room.sessions:
            return [ours, *self._taken()]
        return [("sessions", sessions, room.sessions, PARALLEL_LIMIT), ours, *self._taken()]

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

"""Both ends of one direction of an aware session: SENDs by number, each of them answered."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from .book import Messages, response
from .tally import Tally, common

# Any start line of ours ends within so many octets.
START_MOST = 64
# Without one in so many octets there will be none.
HOPELESS = 1 << 20
START = re.compile(rb"MSRP (([ab])([0-9a-f]{4})([0-9a-f]{8})x*) (SEND|200 OK)\r\n")
RELAYS_OWN = re.compile(rb"MSRP ([^ \r\n]{4,32}) SEND\r\n")


@dataclass(frozen=True)
class Paths:
    """Of one peer: its own, and what it was told of the other."""

    own: str
    told: str


class MessageWriter:
    """Says SENDs, and answers to those that came, in any order of the two.

    `window` SENDs may be unanswered; each is begun `think` seconds after the one before at the
    earliest; up to `batch` frames come in one piece. `budget` SENDs in all.
    """

    def __init__(
        self,
        messages: Messages,
        paths: Paths,
        *,
        budget: int | None,
        window: int = 1,
        think: float = 0.0,
        batch: int = 1,
    ) -> None:
        self._messages = messages
        self._paths = paths
        self._budget = budget
        self._window = window
        self._think = think
        self._batch = batch
        self._due = 0.0
        self._owed: deque[bytes] = deque()
        self._begun = False
        # Of answers to frames of the relay's own: they arrive nowhere.
        self._swallowed = 0
        self.sends = 0
        self.answered = 0
        self.frames = 0
        # How much longer a frame is on the other leg, by its paths.
        self.growth = 0

    def first(self) -> bytes:
        """The bind."""
        self._begun = True
        self.sends = self.frames = 1
        return self._messages.send(0, self._paths.told, self._paths.own)

    def more(self, now: float) -> bytes:
        """Some whole frames; none for now, or none at all."""
        frames: list[bytes] = []
        while len(frames) < self._batch and (frame := self._frame(now)):
            frames.append(frame)
        return b"".join(frames)

    def wait(self, now: float) -> float | None:
        """In how many seconds there may be more by itself."""
        return max(0.0, self._due - now) if self._owed or self._may_send() else None

    def owe(self, tid: bytes) -> None:
        """A SEND has come: answer it."""
        self._owed.append(tid)

    def owe_relay(self, tid: bytes) -> bytes:
        """The answer to a SEND of the relay's own."""
        answer = response(tid, self._paths.told, self._paths.own)
        self._swallowed += len(answer)
        return answer

    def stop(self) -> None:
        """Begin nothing more."""
        self._budget = self.sends

    @property
    def done(self) -> bool:
        """Whether all has been said that is to be said of one's own accord."""
        return self._budget is not None and self.sends >= self._budget and not self._owed

    @property
    def is_answered(self) -> bool:
        """Whether nothing more will be said, and all that was said was answered."""
        return self.done and self.answered == self.sends

    def arriving(self, sent: int) -> int:
        """How many octets arrive of so many sent, all of them in whole frames."""
        return sent - self._swallowed + self.frames * self.growth

    def _may_send(self) -> bool:
        open_ended = self._budget is None or self.sends < self._budget
        return open_ended and self.sends - self.answered < self._window

    def _frame(self, now: float) -> bytes:
        if self._owed:
            self.frames += 1
            return response(self._owed.popleft(), self._paths.told, self._paths.own)
        if not self._may_send() or now < self._due:
            return b""
        self._due = now + self._think
        self.frames += 1
        self.sends += 1
        return self._messages.send(self.sends - 1, self._paths.told, self._paths.own)


class MessageReader:
    """Compares each frame with what it must be; frames that fail to come are found by number."""

    def __init__(
        self,
        messages: Messages,
        own: Messages,
        paths: Paths,
        writer: MessageWriter,
        say: Callable[[bytes], None],
    ) -> None:
        """`messages` are the other's, `own` those that it answers; `say` puts a frame first."""
        self._messages = messages
        self._own = own
        self._paths = paths
        self._writer = writer
        self._say = say
        self._held = b""
        self._wanted = b""
        self._at = 0
        self._whole: Callable[[], None] = lambda: None
        self._next = {b"SEND": 0, b"200 OK": 0}
        self._missing: set[tuple[bytes, int]] = set()
        self._late = False
        self._again = False
        self.relays_own = 0
        self.tally = Tally()

    def feed(self, data: bytes) -> None:
        """Take what has arrived."""
        self._held += data
        while self._held and (self._wanted or self._choose()):
            if not self._compare():
                return

    def finish(self) -> None:
        """Nothing more comes."""
        self.tally.strange += len(self._held)
        self._held = b""

    def _compare(self) -> bool:
        """Go on in the frame; False where more is needed to tell what came instead."""
        wanted = self._wanted[self._at : self._at + len(self._held)]
        same = len(wanted) if self._held.startswith(wanted) else common(self._held, wanted)
        self._count(same)
        self._held = self._held[same:]
        self._at += same
        if self._at == len(self._wanted):
            self._wanted = b""
            self._whole()
        elif same < len(wanted):
            return self._skip()
        return True

    def _skip(self) -> bool:
        """The frame is broken: go on at the next one."""
        found = START.search(self._held)
        if found is None and len(self._held) < HOPELESS:
            return False
        gone = found.start() if found else len(self._held)
        broken, self._held = self._held[:gone], self._held[gone:]
        rest = self._wanted[self._at :]
        if broken.endswith(rest):
            # The frame is whole, but something stood in it once too often.
            self._count(len(rest))
            self.tally.duplicated += len(broken) - len(rest)
        elif rest.endswith(broken):
            self._count(len(broken))
        else:
            self.tally.strange += len(broken)
        self._wanted = b""
        self._whole()
        return True

    def _choose(self) -> bool:
        """At the beginning of a frame: which one it must be."""
        found = START.match(self._held)
        if (
            found is None
            and b"\r\n" not in self._held[:START_MOST]
            and (len(self._held) < START_MOST)
        ):
            return False
        if found is None:
            return self._choose_other()
        tid, side, session, number, what = found.groups()
        asked = self._messages if what == b"SEND" else self._own
        if side != asked.side.encode() or int(session, 16) != asked.session:
            return self._drop(found.end())
        self._expect(what, int(number, 16), tid)
        return True

    def _choose_other(self) -> bool:
        """A bind of the relay's own, or nothing that was ever written."""
        found = RELAYS_OWN.match(self._held)
        end = found and self._held.find(b"\r\n-------%b$\r\n" % found[1])
        if found is None or end == -1:
            if found is not None and len(self._held) < 2000:
                return False
            return self._drop(1)
        assert end is not None
        self._held = self._held[end + len(found[1]) + 12 :]
        self.relays_own += 1
        self._say(self._writer.owe_relay(found[1]))
        return bool(self._held)

    def _drop(self, least: int) -> bool:
        found = START.search(self._held, least)
        gone = found.start() if found else len(self._held)
        self.tally.strange += gone
        self._held = self._held[gone:]
        return bool(self._held)

    def _expect(self, what: bytes, number: int, tid: bytes) -> None:
        awaited = self._next[what]
        self._missing.update((what, each) for each in range(awaited, min(number, awaited + 10_000)))
        self._late = (what, number) in self._missing
        self._again = number < awaited and not self._late
        self._missing.discard((what, number))
        self._next[what] = max(awaited, number + 1)
        self._at = 0
        own, told = self._paths.own, self._paths.told
        if what == b"SEND":
            self._wanted = self._messages.send(number, own, told)
            self._whole = lambda: None if self._again else self._writer.owe(tid)
        else:
            self._wanted = response(self._own.tid(number), own, told)
            self._whole = self._answered

    def _answered(self) -> None:
        if not self._again:
            self._writer.answered += 1

    def _count(self, octets: int) -> None:
        if self._again:
            self.tally.duplicated += octets
        else:
            self.tally.right += octets
            self.tally.reordered += octets * self._late

"""The process of the peers: told by lines of JSON what to open, connect and end; tells back.

`open` makes a session and says where its sides wait; `connect` says where they go; `watch` is
answered when every endless session has moved octets that were sent since; `lose` gives up those
that have not; `finish` ends the endless ones.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from dataclasses import asdict
from typing import Any

from .aware import Paths
from .book import Book
from .kinds import KINDS
from .loop import IN, Loop
from .session import Session

JOIN_SECONDS = 30.0


class Traffic:
    """Every session of the run."""

    def __init__(self, seed: int) -> None:
        self._loop = Loop()
        self._book = Book(seed)
        self._sessions: dict[int, Session] = {}
        self._waiting: set[Session] = set()
        self._watch: int | None = None
        self._input = b""
        self._running = True

    def run(self) -> None:
        """Until standard input ends."""
        os.set_blocking(0, False)
        self._loop.watch(0, IN, lambda _: self._read())
        while self._running:
            self._loop.turn()
            if self._watch is not None:
                self._look()

    def _read(self) -> None:
        data = os.read(0, 1 << 20)
        self._running = bool(data)
        *lines, self._input = (self._input + data).split(b"\n")
        for line in lines:
            asked = json.loads(line)
            getattr(self, "_" + asked.pop("do"))(**asked)

    def _open(self, id: int, kind: int, endless: bool) -> None:
        session = Session(
            self._loop, self._book, id, KINDS[kind], endless=endless,
            joined=lambda: tell(id=id, event="joined"), over=lambda why: self._over(id, why),
        )  # fmt: skip
        self._sessions[id] = session
        tell(id=id, event="opened", ports=session.listen())

    def _connect(self, id: int, addresses: dict[str, Any], paths: dict[str, Any]) -> None:
        session = self._sessions[id]
        session.connect(
            {side: (host, port) for side, (host, port) in addresses.items()},
            {side: Paths(*pair) for side, pair in paths.items()},
        )
        self._loop.later(JOIN_SECONDS, lambda: self._give_up(session))

    def _give_up(self, session: Session) -> None:
        if not session.is_joined:
            session.lose(f"not joined in {JOIN_SECONDS:g} s")

    def _close(self, id: int) -> None:
        """A call that never came to be."""
        if (session := self._sessions.pop(id, None)) is not None:
            for peer in session.peers.values():
                peer.close()

    def _over(self, id: int, why: str | None) -> None:
        session = self._sessions.pop(id)
        self._waiting.discard(session)
        tell(id=id, event="over", lost=why, kind=session.kind.name, **asdict(session.account))

    def _watch_all(self, number: int) -> None:
        self._watch = number
        self._waiting = {each for each in self._sessions.values() if each.endless}
        for session in self._waiting:
            session.mark()

    def _look(self) -> None:
        self._waiting = {each for each in self._waiting if not each.has_moved_since}
        if not self._waiting:
            tell(event="moved", number=self._watch)
            self._watch = None

    def _lose_waiting(self, why: str) -> None:
        for session in list(self._waiting):
            session.lose(why)

    def _finish(self) -> None:
        for session in list(self._sessions.values()):
            if session.endless:
                session.stop()

    def _lose_all(self, why: str) -> None:
        for session in list(self._sessions.values()):
            session.lose(why)


def tell(**event: object) -> None:
    """One line to whoever started this."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    gc.freeze()
    Traffic(int(sys.argv[1])).run()

"""The two peers of a session, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from ..peers import msrp
from .aware import MessageReader, MessageWriter, Paths
from .book import Book, Messages, Octets
from .kinds import Kind, Manner, Talk
from .loop import Loop
from .opaque import OctetReader, OctetWriter
from .peer import Address, Peer, Reader, Writer

# Gaps of a stream below this are no news.
GAP_SECONDS = 0.01


@dataclass
class Account:
    """What became of a session, in octets."""

    bytes: int = 0
    bytes_lost: int = 0
    bytes_duplicated: int = 0
    bytes_reordered: int = 0
    bytes_strange: int = 0
    redials: int = 0
    relays_own: int = 0
    gaps: list[tuple[float, float]] = field(default_factory=list)


class Session:
    """A session with a kind; `over` gets None, or why it is lost."""

    def __init__(
        self,
        loop: Loop,
        book: Book,
        number: int,
        kind: Kind,
        *,
        endless: bool,
        joined: Callable[[], None],
        over: Callable[[str | None], None],
    ) -> None:
        self.number = number
        self.kind = kind
        self.endless = endless
        self._book = book
        self._joined = joined
        self._over = over
        self._loop = loop
        self._mark: dict[str, int] | None = None
        self.is_joined = self.is_over = self._stopping = False
        self.account = Account()
        self.peers = {
            side: Peer(loop, self, side, _manner(talk, endless), f"{number}{side}")
            for side, talk in (("a", kind.a), ("b", kind.b))
        }

    def listen(self) -> dict[str, int]:
        """The port at which each side waits; 0 where it dials."""
        return {
            side: peer.listen() if setup == "passive" else 0
            for (side, peer), setup in zip(self.peers.items(), self.kind.setups, strict=True)
        }

    def connect(self, addresses: dict[str, Address], paths: dict[str, Paths]) -> None:
        """Both know where to go."""
        for side, peer in self.peers.items():
            peer.begin(addresses[side], partial(self._ends, side, paths))

    # What its peers tell it.

    def has_joined(self, side: str) -> None:
        """Octets have come to this side."""
        if not self.is_joined and all(peer.is_joined for peer in self.peers.values()):
            self.is_joined = True
            self._joined()
        for peer in self.peers.values():
            peer.wake()

    def has_moved(self, side: str, before: float, now: float) -> None:
        """Octets have come: an end may be near."""
        talk = self._talk(_other(side))
        steady = not self._stopping and talk.is_bulk and self._talk(side).manner.is_prompt
        if self.endless and steady and now - before > GAP_SECONDS:
            self.account.gaps.append((before, now))
        if self._stopping or not self.endless:
            self._end_what_is_said()

    def has_ended(self, side: str, how: str) -> None:
        """A joined connection has ended."""
        other = self.peers[_other(side)]
        missing = self._arriving(_other(side)) - self.peers[side].reader.tally.right
        if how != "FIN":
            self.lose(f"{side}: {how}")
        elif not other.finned:
            self.lose(f"{side}: FIN although {other.side} has not ended")
        elif missing:
            self.lose(f"{side}: FIN and {missing} octets have not come")
        elif other.is_over:
            self._finish(None)
        else:
            self._end_what_is_said()

    def has_failed(self, side: str, why: str) -> None:
        """It cannot be joined."""
        self.lose(f"{side}: {why}")

    def has_redialled(self, side: str) -> None:
        """A connection has died early."""
        self.account.redials += 1

    # What is asked of it.

    def mark(self) -> None:
        """Remember what had been sent by now."""
        self._mark = {side: self._arriving(side) for side in self.peers}

    @property
    def has_moved_since(self) -> bool:
        """Whether octets that were sent after the mark have arrived, in one direction at least."""
        if self._mark is None:
            return True
        return any(
            peer.reader.tally.right > self._mark[_other(side)] for side, peer in self.peers.items()
        )

    def stop(self) -> None:
        """Come to an end: what was begun is said, then both directions end."""
        self._stopping = True
        for peer in self.peers.values():
            if peer.is_joined:
                peer.writer.stop()
                peer.hurry()
        self._watch_end()

    def lose(self, why: str) -> None:
        """It is lost."""
        self._finish(why)

    def _watch_end(self) -> None:
        if not self.is_over:
            self._end_what_is_said()
            self._loop.later(0.01, self._watch_end)

    def _end_what_is_said(self) -> None:
        """FIN of each side that has said all; of two that answer each other, when both have."""
        ready = {
            side: peer.has_said_all and peer.writer.is_answered for side, peer in self.peers.items()
        }
        for side, peer in self.peers.items():
            if ready[side] and (self.kind.policy != "aware" or ready[_other(side)]):
                peer.fin()

    def _finish(self, why: str | None) -> None:
        if self.is_over:
            return
        self.is_over = True
        self._settle()
        for peer in self.peers.values():
            peer.close()
        self._over(why)

    def _settle(self) -> None:
        account = self.account
        for side, peer in self.peers.items():
            if not hasattr(peer, "reader"):
                continue
            tally = peer.reader.tally
            account.bytes += tally.right
            account.bytes_lost += max(0, self._arriving(_other(side)) - tally.right)
            account.bytes_duplicated += tally.duplicated
            account.bytes_reordered += tally.reordered
            account.bytes_strange += tally.strange
            account.relays_own += getattr(peer.reader, "relays_own", 0)

    def _arriving(self, side: str) -> int:
        peer = self.peers[side]
        return peer.writer.arriving(peer.sent) if peer.is_joined else 0

    def _talk(self, side: str) -> Talk:
        return self.kind.a if side == "a" else self.kind.b

    def _ends(self, side: str, paths: dict[str, Paths]) -> tuple[Writer, Reader]:
        return (
            self._message_ends(side, paths)
            if self.kind.policy == "aware"
            else (self._octet_ends(side, paths))
        )

    def _octet_ends(self, side: str, paths: dict[str, Paths]) -> tuple[Writer, Reader]:
        talk = self._talk(side)
        writer = OctetWriter(
            self._octets(side, paths),
            budget=None if self.endless else talk.budget,
            portion=talk.sizes[0],
            think=talk.think,
        )
        return writer, OctetReader(self._octets(_other(side), paths))

    def _octets(self, side: str, paths: dict[str, Paths]) -> Octets:
        own, setup = paths[side], self.kind.setups["ab".index(side)]
        tid = b"bind%b%04x" % (side.encode(), self.number)
        bind = msrp.request(b"SEND", b"Byte-Range: 1-0/0", tid=tid, message_id=tid)
        begins = b"" if setup == "passive" else msrp.fill(bind, [own.told], [own.own])
        return Octets(self._book, self.number, side, begins)

    def _message_ends(self, side: str, paths: dict[str, Paths]) -> tuple[Writer, Reader]:
        talk, other = self._talk(side), _other(side)
        own = Messages(self._book, self.number, side, talk.sizes)
        writer = MessageWriter(
            own,
            paths[side],
            budget=None if self.endless else talk.budget,
            window=talk.window,
            think=talk.think,
            batch=talk.batch,
        )
        here, there = paths[side], paths[other]
        writer.growth = len(there.own + there.told) - len(here.own + here.told)
        theirs = Messages(self._book, self.number, other, self._talk(other).sizes)
        peer = self.peers[side]
        return writer, MessageReader(theirs, own, here, writer, peer.say_first)


def _manner(talk: Talk, endless: bool) -> Manner:
    return talk.lasting_manner if endless else talk.manner


def _other(side: str) -> str:
    return "b" if side == "a" else "a"

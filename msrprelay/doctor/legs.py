"""The two legs of a middlebox: which connections carry the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

from .hosts import Endpoint
from .packets import RST, SYN
from .tcp import Direction, Segment
from .tracker import Link

COMPARED = 200
"""Segments compared per direction to tell a packet splice from two sockets."""

ENOUGH = 4
"""Segments both directions must have together before their lengths prove anything."""

RELAYED_SECONDS, HASTE_SECONDS = 10.0, 0.25
"""How long a relay may hold what it passes on: known by its address, or by nothing else."""

IN_FLIGHT = 3
"""Segments one leg may be ahead of the other."""


@dataclass(frozen=True)
class Leg:
    """One connection seen from the middlebox: ``outer`` is the side of the other party."""

    link: Link
    outer: int

    @property
    def party(self) -> Direction:
        """What the party sent."""
        return self.link.tcp.directions[self.outer]

    @property
    def relay(self) -> Direction:
        """What the middlebox sent."""
        return self.link.tcp.directions[1 - self.outer]

    @property
    def relay_end(self) -> Endpoint:
        """The middlebox's address on this leg."""
        return self.link.tcp.ends[1 - self.outer]

    def sent(self, relay: bool) -> list[Segment]:
        """The segments of one side, SYNs and RSTs left out."""
        side = 1 - self.outer if relay else self.outer
        segments = self.link.tcp.segments
        return [s for s in segments if s.side == side and not s.flags & (SYN | RST)]


@dataclass(frozen=True)
class Pair:
    """Both legs; ``a`` was seen first."""

    a: Leg
    b: Leg

    @property
    def ways(self) -> list[tuple[Leg, Leg]]:
        """(from, to) for both directions through the middlebox."""
        return [(self.a, self.b), (self.b, self.a)]

    @cached_property
    def packet_splice(self) -> bool:
        """Whether the middlebox passes packets on, instead of ending TCP on both legs.

        Then the lengths of the segments are the same on both legs, pure ACKs included.
        """
        compared = [_same_lengths(source, sink) for source, sink in self.ways]
        return all(same for same, _ in compared) and sum(n for _, n in compared) >= ENOUGH


def _same_lengths(source: Leg, sink: Leg) -> tuple[bool, int]:
    into = [s.length for s in source.sent(relay=False)[:COMPARED]]
    out = [s.length for s in sink.sent(relay=True)[:COMPARED]]
    common = min(len(into), len(out))
    same = into[:common] == out[:common] and abs(len(into) - len(out)) <= IN_FLIGHT
    return same and common > 0, common


class _Word(NamedTuple):
    """Something a side said: a transaction id, or its first bytes where nothing was framed."""

    time: float
    number: int
    link: Link
    side: int
    text: str


def pair_legs(links: list[Link]) -> list[Pair]:
    """Pairs of connections on which the same was said, first by one host, then to another."""
    pairs: list[Pair] = []
    taken: set[int] = set()
    latest: dict[str, _Word] = {}
    for word in sorted(_words(links), key=lambda word: word.number):
        before = latest.get(word.text)
        if id(word.link) in taken:
            continue
        if before is None or id(before.link) in taken or not _relayed(before, word):
            latest[word.text] = word
        elif before.link is not word.link:
            taken |= {id(before.link), id(word.link)}
            pairs.append(Pair(Leg(before.link, before.side), Leg(word.link, 1 - word.side)))
    return pairs


def _relayed(before: _Word, word: _Word) -> bool:
    """Whether the second is the first one passed on: soon, and by the host that got it.

    A relay with two addresses is known by its haste alone: transaction ids are not always unique.
    """
    if before.link is word.link:
        return True
    waited = word.time - before.time
    got, gave = before.link.tcp.ends[1 - before.side].host, word.link.tcp.ends[word.side].host
    return waited <= (RELAYED_SECONDS if got == gave else HASTE_SECONDS)


def _words(links: list[Link]) -> Iterator[_Word]:
    for link in links:
        for t in link.msrp.transactions:
            yield _Word(t.begin.time, t.begin.number, link, t.side, f"tid {t.tid}")
        for side in (0, 1):
            begun = link.msrp.unfinished(side)
            if begun is not None and begun[0].method is not None:
                chunk, at = begun
                yield _Word(at.time, at.number, link, side, f"tid {chunk.tid}")
            data = next((s for s in link.tcp.segments if s.side == side and s.length), None)
            if data is not None and not link.msrp.transactions:
                yield _Word(data.time, data.number, link, side, f"bytes {data.digest}")


def pair_silent(links: list[Link]) -> list[Pair]:
    """Before any data two parties of one call that dialled the same host are taken for legs."""
    silent = [link for link in links if not any(d.data_segments for d in link.tcp.directions)]
    for one, other in combinations(silent, 2):
        (client, server), (client2, server2) = one.tcp.ends, other.tcp.ends
        if server.host == server2.host and client.host != client2.host:
            return [Pair(Leg(one, 0), Leg(other, 0))]
    return []

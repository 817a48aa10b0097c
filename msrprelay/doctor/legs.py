"""The two legs of a middlebox: which connections carry the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from .packets import RST, SYN
from .tcp import Direction, Endpoint, Segment
from .tracker import Link

COMPARED = 200
"""Segments compared per direction to tell a packet splice from two sockets."""

ENOUGH = 4
"""Segments both directions must have together before their lengths prove anything."""

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
    def party_end(self) -> Endpoint:
        """The party's address."""
        return self.link.tcp.ends[self.outer]

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


def pair_legs(links: list[Link]) -> list[Pair]:
    """Pairs of connections on which the same bytes were seen, first by transaction ids."""
    pairs: list[Pair] = []
    taken: set[int] = set()
    spoken: dict[str, tuple[Link, int]] = {}
    for link, side, word in _words(links):
        first, its_side = spoken.setdefault(word, (link, side))
        if first is link or id(first) in taken or id(link) in taken:
            continue
        taken |= {id(first), id(link)}
        pairs.append(Pair(Leg(first, its_side), Leg(link, 1 - side)))
    return pairs + _silent_pairs([link for link in links if id(link) not in taken])


def _words(links: list[Link]) -> list[tuple[Link, int, str]]:
    """(connection, sender, what it said) in order of packets: transaction ids, or first bytes."""
    found: list[tuple[int, Link, int, str]] = []
    for link in links:
        for t in link.msrp.transactions:
            found.append((t.begin.number, link, t.side, "tid " + t.tid))
        for side in (0, 1):
            data = next((s for s in link.tcp.segments if s.side == side and s.length), None)
            if data is not None and not link.msrp.transactions:
                found.append((data.number, link, side, f"bytes {data.digest}"))
    found.sort(key=lambda row: row[0])
    return [row[1:] for row in found]


def _silent_pairs(links: list[Link]) -> list[Pair]:
    """Before any data two parties that dialled the same host in one call are taken for legs."""
    silent = [link for link in links if not any(d.data_segments for d in link.tcp.directions)]
    for i, one in enumerate(silent):
        for other in silent[i + 1 :]:
            (client, server), (client2, server2) = one.tcp.ends, other.tcp.ends
            if server.host == server2.host and client.host != client2.host:
                return [Pair(Leg(one, 0), Leg(other, 0))]
    return []

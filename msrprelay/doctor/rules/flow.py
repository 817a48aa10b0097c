"""Bytes that do not get through, and who can be heard in the silence."""

from __future__ import annotations

from collections.abc import Iterator

from ..cases import Case
from ..finding import Hit, Level, rule
from ..legs import Pair
from ..packets import ACK, RST
from ..tcp import Connection, Direction, ZeroWindow
from ..tracker import Link

DUP_ACKS = 4
DEAD_REPEATS = 3
STUCK_REPEATS = 3
ZERO_WINDOW_SECONDS = 5.0


@rule(
    "T06",
    Level.LINK,
    "Both directions dead, or an ACK storm",
    "As T05: fix the sequence delta; a relay should not forward an ACK that answers an ACK.",
)
def both_dead(link: Link, case: Case) -> Iterator[Hit]:
    """Both ends find the other's sequence space unacceptable and answer with ACKs."""
    one, two = link.tcp.directions
    if link.tcp.storm is not None:
        first, last = link.tcp.storm
        yield Hit(
            [first, last],
            f"ACK storm on {link.tcp}: over 200 pure ACKs within a second (packets {first} to "
            f"{last}). Both ends reject each other's sequence space and answer every packet.",
        )
        return
    noisy = all(d.dup_ack_count >= DUP_ACKS and d.repeat_count for d in (one, two))
    if noisy and one.acked == 0 and two.acked == 0:
        yield Hit(
            one.dup_acks + two.dup_acks,
            f"Both ends of {link.tcp} reject each other's sequence space and answer every packet "
            f"with an ACK: {one.dup_ack_count} and {two.dup_ack_count} duplicate ACKs, no byte "
            "ever acknowledged.",
        )


@rule(
    "T08b",
    Level.LINK,
    "Path MTU black hole",
    "Clamp the MSS: nft ... tcp option maxseg size set rt mtu.",
)
def mtu_black_hole(link: Link, case: Case) -> Iterator[Hit]:
    """Full segments vanish, smaller ones pass, and no router says why (RFC 2923)."""
    for side in (0, 1):
        sender = link.tcp.directions[side]
        if link.tcp.ends[1 - side].host in case.too_big_to or sender.acked <= 0:
            continue
        for seq, repeats in sender.stuck.items():
            if len(repeats) >= STUCK_REPEATS and sender.acked <= seq:
                yield Hit(
                    repeats,
                    f"Large segments of the {case.party(link, side)} vanish on the "
                    f"way to {link.tcp.ends[1 - side]}: byte {seq:,} was sent {len(repeats) + 1} "
                    "times in full-size segments while smaller ones were acknowledged.",
                )
                break


@rule(
    "T13",
    Level.LINK,
    "Dead direction",
    "Capture at the receiver too: segments that do not arrive are lost on the way (firewall, "
    "routing, MTU), those that do arrive are refused by its TCP.",
)
def dead_direction(link: Link, case: Case) -> Iterator[Hit]:
    """Data repeated again and again, never acknowledged, while the other way works."""
    for side in (0, 1):
        sender, other = link.tcp.directions[side], link.tcp.directions[1 - side]
        if sender.repeats_since_ack >= DEAD_REPEATS and sender.unacked and _advances(other):
            yield Hit(
                sender.repeats,
                f"One-way TCP: the {case.party(link, side)} repeated data "
                f"{sender.repeats_since_ack} times, {sender.unacked:,} bytes were never "
                "acknowledged; the other direction works.",
            )


def _advances(direction: Direction) -> bool:
    return direction.acked > 0 and not direction.unacked


@rule(
    "T15",
    Level.PAIR,
    "Stuck relay",
    "Relay bug, or back-pressure by a slow receiver: compare the queues of both legs.",
)
def stuck_relay(pair: Pair, case: Case) -> Iterator[Hit]:
    """The relay closes its window to one party although the other one would read."""
    for leg, other in pair.ways:
        for closed in leg.relay.zero_windows:
            end = closed.end if closed.end is not None else _until(pair, case)
            if end - closed.start > ZERO_WINDOW_SECONDS and not _closed_too(other.party, closed):
                yield Hit(
                    [closed.number],
                    f"The relay does not read from the {case.who(leg)}: its window "
                    f"was closed for {end - closed.start:.1f} s while the "
                    f"{case.who(other)} kept its own open.",
                )
                break


def _until(pair: Pair, case: Case) -> float:
    """The end of the capture, or of the first leg that ended before."""
    ends = [leg.link.tcp.last for leg in (pair.a, pair.b) if leg.link.tcp.closed]
    return min([case.end, *ends])


def _closed_too(party: Direction, window: ZeroWindow) -> bool:
    end = window.end if window.end is not None else float("inf")
    return any(
        z.start < end and (z.end is None or z.end > window.start) for z in party.zero_windows
    )


@rule(
    "T16",
    Level.LINK,
    "Idle connection dropped on the way",
    "Keep-alive: a bodiless SEND (Blink: every 60 s), or SO_KEEPALIVE on both legs.",
)
def idle_dropped(link: Link, case: Case) -> Iterator[Hit]:
    """After a long silence data is repeated without an answer, or a third host resets."""
    idle = link.tcp.idle
    if idle is None:
        return
    said = f"After {idle.seconds:.0f} s of silence (packets {idle.before} to {idle.after}) "
    if link.tcp.unanswered:
        repeats = [segment.number for segment in link.tcp.since_idle if segment.repeat]
        sender = link.tcp.ends[link.tcp.since_idle[0].side]
        yield Hit(
            [idle.before, idle.after, *repeats],
            said + f"nobody answers {sender} any more: a NAT or firewall "
            "dropped the idle connection.",
        )
    elif (stranger := _foreign_reset(link.tcp, idle.after)) is not None:
        yield Hit(
            [idle.before, stranger],
            said + f"packet {stranger} resets the connection with a TTL that neither end uses: a "
            "NAT or firewall dropped it.",
        )


def _foreign_reset(tcp: Connection, after: int) -> int | None:
    for direction in tcp.directions:
        for number, _, ttl in direction.rsts:
            if number >= after and direction.ttl not in (None, ttl):
                return number
    return None


@rule(
    "T17",
    Level.LINK,
    "Bad checksum",
    "Compute the TCP checksum anew over the pseudo header after every change.",
)
def bad_checksum(link: Link, case: Case) -> Iterator[Hit]:
    """A wrong checksum is dropped unheard: no duplicate ACK tells it apart from T01 and T05."""
    for side in (0, 1):
        sender, receiver = link.tcp.directions[side], link.tcp.directions[1 - side]
        bad = sender.bad_checksums
        if not bad or not sender.unacked or link.tcp.segments_dropped:
            continue
        if _answers_after(link.tcp, 1 - side, bad[0]):
            continue
        yield Hit(
            bad,
            f"Segments of the {case.party(link, side)} carry a wrong TCP checksum "
            f"(first in packet {bad[0]}) and are dropped unheard: the "
            f"{case.party(link, 1 - side)} does not even repeat an ACK "
            f"({receiver.dup_ack_count} duplicates).",
        )


def _answers_after(tcp: Connection, side: int, number: int) -> bool:
    return any(
        s.side == side and s.number > number and s.flags & ACK and not s.flags & RST
        for s in tcp.segments
        if not s.repeat
    )

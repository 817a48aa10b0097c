"""A middlebox that passes packets on instead of ending TCP: what it forgot to translate."""

from __future__ import annotations

from collections.abc import Iterator

from ..cases import Case
from ..finding import Hit, Level, Severity, rule
from ..legs import Leg, Pair
from ..tcp import Segment
from ..tracker import Link

INTERSECT = "SYN-ACK = intersection of both SYNs; drop an option on both legs if one lacks it."


def _spliced(pair: Pair) -> Iterator[tuple[Leg, Leg]]:
    """(leg whose SYN-ACK is judged, leg whose SYN is the truth), packet splices only."""
    if pair.packet_splice:
        for leg, other in pair.ways:
            if leg.relay.syns and other.party.syns and leg.outer == 0 and other.outer == 0:
                yield leg, other


def _packets(leg: Leg, other: Leg) -> list[int]:
    return [leg.relay.syns[0].number, other.party.syns[0].number]


@rule(
    "T02b",
    Level.PAIR,
    "Timestamps on one leg only",
    "Leave the timestamps option out of the SYN-ACK if the other leg's SYN has none.",
)
def stamps_on_one_leg(pair: Pair, case: Case) -> Iterator[Hit]:
    """A SYN-ACK with timestamps promises them for every later segment (RFC 7323 section 3.2)."""
    for leg, other in _spliced(pair):
        if leg.relay.options.tsval is not None and other.party.options.tsval is None:
            yield Hit(
                _packets(leg, other),
                f"The {case.who(leg)} expects timestamps that the "
                f"{case.who(other)} will never send: Linux tolerates it, RFC 7323 "
                "section 3.2 lets others drop silently.",
            )


@rule(
    "T03",
    Level.LINK,
    "Relayed handshake ACK",
    "Drop it; saves a packet.",
    Severity.NOTE,
)
def relayed_handshake_ack(link: Link, case: Case) -> Iterator[Hit]:
    """The server has nothing to acknowledge yet: this is the other leg's third packet."""
    number = link.tcp.directions[1].handshake_ack
    if number is not None:
        yield Hit(
            [number],
            f"Packet-level splice: the {case.party(link, 1)} passed the other leg's "
            "third handshake packet through. Harmless by itself.",
        )


@rule("T05", Level.LINK, "Sequence offset", "Fix the delta; check that a SYN counts as 1.")
def sequence_offset(link: Link, case: Case) -> Iterator[Hit]:
    """The first segment after the SYN starts at ISN+1 (RFC 9293 section 3.4)."""
    for side in (0, 1):
        sender = link.tcp.directions[side]
        if not sender.syns or sender.first is None or sender.data_segments == 0:
            continue
        number, seq = sender.first
        if seq != 0 and sender.acked <= 0:
            yield Hit(
                [sender.syns[0].number, number],
                f"The sequence numbers of the {case.party(link, side)} are shifted by "
                f"{seq:+,}: its first segment has ISN{seq + 1:+,} instead of ISN+1, so that the "
                f"{case.party(link, 1 - side)} can never accept a byte.",
            )


@rule(
    "T05b",
    Level.PAIR,
    "Sequence delta changed mid-stream",
    "Never change a length in a splice; otherwise end TCP on both legs.",
)
def delta_changed(pair: Pair, case: Case) -> Iterator[Hit]:
    """The same payload must keep the same distance between its offsets on both legs."""
    if not pair.packet_splice and not _mostly_spliced(pair):
        return
    for source, sink in pair.ways:
        steps = list(_matched(source, sink))
        moved = next((step for step in steps if _delta(step) != _delta(steps[0])), None)
        if moved is None or sink.relay.unacked == 0:
            continue
        before, after = moved
        yield Hit(
            [before.number, after.number],
            f"The sequence delta towards the {case.who(sink)} changed from "
            f"{_delta(steps[0]):+,} to {_delta(moved):+,} in mid-stream: a payload was resized by "
            "rewriting without keeping account of sequence numbers.",
        )


def _mostly_spliced(pair: Pair) -> bool:
    """A relayed handshake ACK gives a packet splice away even where lengths were changed.

    On a leg that the relay dialled the third handshake packet is its own.
    """
    accepted = (leg for leg in (pair.a, pair.b) if leg.outer == 0)
    return any(leg.relay.handshake_ack is not None for leg in accepted)


def _matched(source: Leg, sink: Leg) -> Iterator[tuple[Segment, Segment]]:
    into = {s.digest: s for s in reversed(source.sent(relay=False)) if s.length and not s.repeat}
    for out in sink.sent(relay=True):
        if out.length and not out.repeat and out.digest in into:
            yield into[out.digest], out


def _delta(step: tuple[Segment, Segment]) -> int:
    return step[1].seq - step[0].seq


@rule("T07", Level.PAIR, "Window scale mismatch", INTERSECT)
def scale_mismatch(pair: Pair, case: Case) -> Iterator[Hit]:
    """Windows pass unscaled through a splice, so both ends must use one shift (RFC 7323 2.2)."""
    for leg, other in _spliced(pair):
        told, true = leg.relay.options.scale, other.party.options.scale
        if told != true:
            yield Hit(
                _packets(leg, other),
                f"The {case.who(leg)} was told window scale {told}, the "
                f"{case.who(other)} uses {true}: windows are misread by "
                f"2^{abs((told or 0) - (true or 0))}; too small stalls, too big overruns.",
            )


@rule("T08", Level.PAIR, "MSS too big", "min(MSS of the peer, leg's MTU - 40).")
def mss_too_big(pair: Pair, case: Case) -> Iterator[Hit]:
    """The SYN-ACK must not promise more than the other leg takes (RFC 9293 section 3.7.1)."""
    for leg, other in _spliced(pair):
        told, true = leg.relay.options.mss, other.party.options.mss
        if told is not None and true is not None and told > true:
            yield Hit(
                _packets(leg, other),
                f"The {case.who(leg)} was told MSS {told}, the "
                f"{case.who(other)} takes {true}: segments may be sent that its "
                "path cannot carry.",
            )


@rule(
    "T09", Level.LINK, "SACK edges outside the sent range", "Shift SACK edges, or strip the option."
)
def sack_outside(link: Link, case: Case) -> Iterator[Hit]:
    """SACK blocks name bytes of the direction they acknowledge (RFC 2018 section 3)."""
    for side in (0, 1):
        outside = link.tcp.directions[side].sack_outside
        sender = link.tcp.directions[1 - side]
        if not outside or not sender.syns or sender.stream.holes:
            continue  # without its SYN, or with holes in the capture, more may have been sent
        first = outside[0]
        yield Hit(
            [block.number for block in outside],
            f"SACK blocks are not shifted: packet {first.number} tells the "
            f"{case.party(link, 1 - side)} that bytes {first.low:,} to "
            f"{first.high:,} arrived when it had sent {first.sent:,}. The sender ignores them and "
            "recovers by timeouts.",
        )


@rule("T09b", Level.PAIR, "SACK promised", INTERSECT)
def sack_promised(pair: Pair, case: Case) -> Iterator[Hit]:
    """SACK-permitted in the SYN-ACK promises what only the other end can give."""
    for leg, other in _spliced(pair):
        if leg.relay.options.sack_permitted and not other.party.options.sack_permitted:
            yield Hit(
                _packets(leg, other),
                f"The {case.who(leg)} was promised SACK, the {case.who(other)} did not offer it.",
            )

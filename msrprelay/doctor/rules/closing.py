"""Ends that a middlebox does not pass on as they were."""

from __future__ import annotations

from collections.abc import Iterator

from ..cases import Case
from ..finding import Hit, Level, rule
from ..legs import Leg, Pair

FIN_SECONDS = 1.5
BOUNCE_SECONDS = 0.1


@rule("T11", Level.PAIR, "FIN not passed on", "Relay the FIN; on sockets shutdown(SHUT_WR).")
def fin_swallowed(pair: Pair, case: Case) -> Iterator[Hit]:
    """One party closed; the other one never hears of it."""
    for leg, other in pair.ways:
        if not leg.party.fins or other.relay.fins or other.relay.rsts or leg.party.rsts:
            continue
        number, time = leg.party.fins[0]
        # What the party said before is passed on first, as fast as the other one reads.
        delivered = max(time, other.relay.last_data)
        if other.link.tcp.last - delivered > FIN_SECONDS and not other.party.window_closed:
            yield Hit(
                [number for number, _ in leg.party.fins],
                f"Half-close lost: the {case.who(leg)} sent FIN (packet {number}), "
                f"the relay never passed it on to the {case.who(other)}, whose leg "
                f"lived on for {other.link.tcp.last - time:.1f} s. It believes the chat is open; "
                f"the FIN was sent {len(leg.party.fins)} times.",
            )


@rule("T11b", Level.PAIR, "Half-close turned into close", "Close direction by direction.")
def half_close_bounced(pair: Pair, case: Case) -> Iterator[Hit]:
    """The relay answers a FIN with its own FIN while the other party still has something to say."""
    for leg, other in pair.ways:
        if not leg.party.fins or not leg.relay.fins:
            continue
        number, time = leg.party.fins[0]
        bounced, at = leg.relay.fins[0]
        ended = any(fin_time <= at for _, fin_time in other.party.fins)
        waiting = _unacked(other, at)
        if 0 <= at - time <= BOUNCE_SECONDS and not ended and waiting:
            yield Hit(
                [number, bounced],
                f"The relay turned the half-close of the {case.who(leg)} (packet "
                f"{number}) into a close (packet {bounced}) although the "
                f"{case.who(other)} still had {waiting:,} bytes under way: answers "
                "in flight are lost.",
            )


def _unacked(leg: Leg, at: float) -> int:
    """Bytes of the leg's party that the relay had not acknowledged at that time."""
    sent = acked = 0
    for segment in leg.link.tcp.segments:
        if segment.time > at:
            break
        if segment.side == leg.outer:
            sent = max(sent, segment.seq + segment.length)
        elif segment.ack is not None:
            acked = max(acked, segment.ack)
    return max(sent - acked, 0)

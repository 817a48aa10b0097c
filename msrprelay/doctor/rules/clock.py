"""TCP timestamps that a middlebox passed on untranslated (RFC 7323)."""

from __future__ import annotations

from collections.abc import Iterator

from ..cases import Case
from ..finding import Hit, Level, Severity, rule
from ..sequence import distance
from ..tcp import SYN_SLACK, Syn
from ..tracker import Link

PAWS_MIN = 2
"""Rejected segments below which a single reordered packet may be the cause."""

PAWS_SHARE = 0.5
"""Share of a direction's segments that must be rejected if no data proves the loss."""


@rule(
    "T01",
    Level.LINK,
    "PAWS: one side discards everything",
    "Translate TSval and TSecr per leg, or build the SYN-ACK from the other leg's SYN, or strip "
    "the timestamps option from both SYNs, or end TCP on both legs. Emergency: nft add rule ip s f "
    "tcp flags syn reset tcp option timestamp (forward chain, before the SBC), or "
    "net.ipv4.tcp_timestamps=0 on one Linux endpoint.",
)
def paws_drops(link: Link, case: Case) -> Iterator[Hit]:
    """RFC 7323 section 5.3 played back for each receiver."""
    for side in (0, 1):
        receiver, sender = link.tcp.directions[side], link.tcp.directions[1 - side]
        paws = receiver.paws
        if paws.rejected < PAWS_MIN or paws.announced is None or paws.foreign is None:
            continue
        lost = paws.rejected_data > 0 and sender.acked < paws.rejected_end
        if lost or paws.rejected > PAWS_SHARE * paws.arrived:
            yield Hit([paws.announced_in, *paws.numbers], _deaf(link, side, case))


def _deaf(link: Link, side: int, case: Case) -> str:
    receiver = link.tcp.directions[side]
    paws = receiver.paws
    announced, foreign = paws.announced or 0, paws.foreign or 0
    who = case.party(link, side)
    other = case.party(link, 1 - side)
    mirrored = receiver.syns and receiver.options.tsval == announced
    whose = f"the {who}'s own clock" if mirrored else "the clock"
    return (
        f"The {who} throws away everything the {other} sends it ({paws.rejected} of "
        f"{paws.arrived} segments, {paws.rejected_data} with data). In its SYN-ACK (packet "
        f"{paws.announced_in}) the {other} used {whose} {announced}; all later packets carry "
        f"{_owner(link, case)} clock {foreign}, {distance(announced, foreign):,} ticks older. "
        f"RFC 7323 orders the receiver to drop them and to repeat its old acknowledgement"
        f"{_constant(link, side)}. Nothing is wrong with the TCP of the {who}."
    )


def _owner(link: Link, case: Case) -> str:
    """Whose clock the foreign timestamps are: the other leg's party, if both were captured."""
    other = case.other_leg(link)
    return "another host's" if other is None else f"the {case.who(other)}'s"


def _constant(link: Link, side: int) -> str:
    acks = {s.ack for s in link.tcp.segments if s.side == side and s.ack is not None}
    echoes = {s.tsecr for s in link.tcp.segments if s.side == side and not s.flags & 2}
    if acks == {0} and len(echoes) == 1:
        return f" (Ack=1 and TSecr={echoes.pop()} never change)"
    return ""


@rule(
    "T02",
    Level.LINK,
    "SYN-ACK mirrors the client",
    "SYN-ACK = intersection of both SYNs, with the values of the peer.",
)
def mirrored_syn(link: Link, case: Case) -> Iterator[Hit]:
    """A SYN-ACK must echo the SYN's TSval (RFC 7323 section 3.2) and bring a clock of its own."""
    client, server = link.tcp.directions
    if not client.syns or not server.syns:
        return
    offered = {syn.options.tsval for syn in client.syns}
    answer = server.syns[0]
    if None in offered or answer.options.tsval is None:
        return
    box = case.party(link, 1)
    packets = [client.syns[0].number, answer.number]
    what = _mirrored(link)
    text = (
        f"The {box} answers {link.tcp.ends[0]} with the client's own {what}: whatever the other "
        "party really uses (clock, window scale, MSS) will be wrong"
    )
    if answer.options.tsecr not in offered and not _older_syn(link, answer):
        tsval = client.syns[-1].options.tsval
        yield Hit(packets, f"{text}. TSecr is {answer.options.tsecr} instead of {tsval}.")
    elif answer.options.tsval in offered:
        yield Hit(packets, f"{text}.", Severity.NOTE)


def _older_syn(link: Link, answer: Syn) -> bool:
    """Whether the SYN-ACK may answer a SYN that was sent before the first one captured."""
    first, echo = link.tcp.directions[0].syns[0].options.tsval, answer.options.tsecr
    if not first or not echo or answer.options.tsval == first:
        return False
    return 0 < distance(first, echo) <= SYN_SLACK


def _mirrored(link: Link) -> str:
    client, server = (direction.syns[0] for direction in link.tcp.directions)
    same = [
        name
        for name, one, other in (
            ("MSS", client.options.mss, server.options.mss),
            ("window scale", client.options.scale, server.options.scale),
            ("timestamp", client.options.tsval, server.options.tsval),
            ("window", client.window, server.window),
        )
        if one is not None and one == other
    ]
    return ", ".join(same) or "options"


@rule(
    "T04",
    Level.LINK,
    "TSecr that was never sent",
    "As T01: translate TSval and TSecr per leg, or leave timestamps out of both handshakes.",
)
def strange_echo(link: Link, case: Case) -> Iterator[Hit]:
    """A TSecr must be a TSval of its receiver (RFC 7323 section 3.2)."""
    for side in (0, 1):
        strange = link.tcp.directions[1 - side].strange_tsecr
        if not strange:
            continue
        number, echo = strange[0]
        low, high = link.tcp.directions[side].tsvals or (0, 0)
        yield Hit(
            [number for number, _ in strange],
            f"Timestamps pass untranslated: packet {number} echoes {echo} to the "
            f"{case.party(link, side)}, which only ever sent {low} to {high}. Its "
            "round-trip times become garbage; some stacks use the value unchecked.",
        )

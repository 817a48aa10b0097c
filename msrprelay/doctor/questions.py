"""The questions of a person who stares at a packet table, answered from one case.

They are those of the first seed; they are asked only where one direction is dead.
"""

from __future__ import annotations

from typing import NamedTuple

from .analysis import Diagnosis
from .cases import Case
from .legs import Leg
from .sequence import distance
from .tcp import Segment


class Answer(NamedTuple):
    """A question, its answer, and the packets and numbers that prove it."""

    question: str
    answer: str
    proof: str


class _Deaf(NamedTuple):
    """Both legs, the deaf party's first; its SEND that is repeated, and the one it never saw."""

    leg: Leg
    other: Leg


def answers(diagnosis: Diagnosis) -> list[Answer]:
    """The five questions, or none where no party is deaf by its timestamps."""
    case = diagnosis.case
    found = {finding.rule for finding in diagnosis.findings}
    deaf = _deaf(case)
    if deaf is None or "T01" not in found:
        return []
    return [
        _why_old_ack(deaf, case),
        _why_repeated(deaf, case),
        _why_no_200(deaf, case),
        _both_active(deaf, case, found),
        _who_is_wrong(deaf, case),
    ]


def _deaf(case: Case) -> _Deaf | None:
    for pair in case.pairs:
        for leg, other in pair.ways:
            if leg.party.paws.rejected >= 2 and leg.party.paws.announced is not None:
                return _Deaf(leg, other)
    return None


def _why_old_ack(deaf: _Deaf, case: Case) -> Answer:
    leg, paws = deaf.leg, deaf.leg.party.paws
    who, box = case.who(leg), case.party(leg.link, 1 - leg.outer)
    dropped = [s for s in leg.sent(relay=True) if s.rejected]
    data = [s for s in dropped if s.length]
    name = _spoken(leg, data[0]) if data else "the data"
    clock, foreign = paws.announced or 0, paws.foreign or 0
    return Answer(
        f"Why does the {who} answer {name} with Ack=1?",
        f"Because it must. The {box} announced clock {clock} in the SYN-ACK and then relayed "
        f"segments with clock {foreign}, which is {distance(clock, foreign):,} ticks older. "
        "RFC 7323 section 5.3 (PAWS) orders the receiver to discard them and to repeat what it "
        "last expected: Ack=1 is correct. The relayed handshake ACKs are harmless.",
        f"SYN-ACK in packet {paws.announced_in}: TSV={clock}. Dropped: "
        + "; ".join(_stamp(s) for s in dropped[:8])
        + f" ({paws.rejected} of {paws.arrived} segments, {paws.rejected_data} with data). "
        + _replies(leg),
    )


def _stamp(segment: Segment) -> str:
    size = f", {segment.length} bytes" if segment.length else ""
    return f"packet {segment.number} TSV={segment.tsval}{size}"


def _replies(leg: Leg) -> str:
    """The deaf party's own words: its Ack and TSecr never move."""
    replies = [s for s in leg.sent(relay=False) if s.ack == 0]
    if not replies:
        return ""
    first, last = replies[0], replies[-1]
    return (
        f"Its own replies say so: Ack=1 TSecr={first.tsecr} in packet {first.number}, still Ack=1 "
        f"TSecr={last.tsecr} in packet {last.number}, {last.time - first.time:.1f} s later."
    )


def _spoken(leg: Leg, segment: Segment) -> str:
    """What ``segment`` carries: method and transaction id, if it was framed."""
    for t in leg.link.msrp.transactions:
        if t.begin.number <= segment.number <= t.done.number:
            return f"{t.method} {t.tid}"
    for t in leg.link.msrp.transactions:
        if t.side != leg.outer:
            return f"{t.method} {t.tid}"
    return f"packet {segment.number}"


def _why_repeated(deaf: _Deaf, case: Case) -> Answer:
    leg = deaf.leg
    who = case.who(leg)
    repeats = [s for s in leg.sent(relay=False) if s.repeat]
    acks = [
        s
        for s in leg.sent(relay=True)
        if s.rejected and s.ack is not None and s.ack >= leg.party.next > 0
    ]
    name = _own_words(leg)
    lost = "; ".join(f"packet {s.number} Ack={(s.ack or 0) + 1} TSV={s.tsval}" for s in acks[:6])
    return Answer(
        f"Why does the {who} send {name} again although it was acknowledged?",
        "The acknowledgement is right, and it was discarded too: it carries the same old clock as "
        f"the data, so that the {who} never learns of it and must repeat.",
        f"Acknowledgements dropped by PAWS: {lost or 'none captured'}. Sent again in: "
        f"{', '.join(f'packet {s.number}' for s in repeats[:8]) or 'none'}.",
    )


def _own_words(leg: Leg) -> str:
    own = next((t for t in leg.link.msrp.transactions if t.side == leg.outer), None)
    return "its data" if own is None else f"{own.method} {own.tid}"


def _why_no_200(deaf: _Deaf, case: Case) -> Answer:
    leg, other = deaf.leg, deaf.other
    who, hearing = case.who(leg), case.who(other)
    theirs = next((t for t in other.link.msrp.transactions if t.side == other.outer), None)
    ours = next((t for t in leg.link.msrp.transactions if t.side == leg.outer), None)
    missed = "the other's SEND" if theirs is None else f"{theirs.method} {theirs.tid}"
    parts = [f"Half true, for another reason. The {who} never saw {missed}: it cannot answer it."]
    proof = [f"{missed}: 0 bytes acknowledged by the {who}."]
    if ours is not None and not ours.responses:
        parts.append(
            f"The {hearing} did receive {ours.method} {ours.tid} and did not answer it: that is "
            "its application's fault (python-msrplib up to 0.12.1 took the peer's bind SEND for "
            "its own answer when both sides were active)."
        )
        proof.append(
            f"{ours.method} {ours.tid}: {other.relay.acked} bytes acknowledged by the {hearing}, "
            "no response in any packet."
        )
    elif ours is not None:
        parts.append(f"The {hearing} did answer {ours.method} {ours.tid}; the answer was dropped.")
    return Answer(
        "Does a side send no 200 OK because it does not expect a SEND?",
        " ".join(parts),
        " ".join(proof),
    )


def _both_active(deaf: _Deaf, case: Case, found: set[str]) -> Answer:
    setups = [
        f"packet {m.number}: {case.name(m.message.src.host)} says {m.section.setup or 'nothing'}"
        for m in case.media
        if m.section is not None
    ]
    both_dial = deaf.leg.outer == 0 and deaf.other.outer == 0
    how = "Both parties dialled the relay" if both_dial else "The parties did not both dial"
    next_fault = (
        " Next in line: To-Path names the relay, not the receiver, which works with sessmatch and "
        "CEMA peers only."
        if "M09" in found
        else ""
    )
    return Answer(
        "Can this work at all with both parties behind NAT and both active?",
        "Yes. A relay that ends TCP on both legs, or one that crosses both handshakes and "
        "translates timestamps, carries this very call; both legs see passive, as they "
        f"must.{next_fault}",
        f"{how} ({deaf.other.link.tcp}, {deaf.leg.link.tcp}). a=setup: {'; '.join(setups)}.",
    )


def _who_is_wrong(deaf: _Deaf, case: Case) -> Answer:
    leg = deaf.leg
    who, box = case.who(leg), case.party(leg.link, 1 - leg.outer)
    syn_ack = leg.relay.syns[0] if leg.relay.syns else None
    syn = leg.party.syns[0] if leg.party.syns else None
    proof = ""
    if syn is not None and syn_ack is not None:
        proof = (
            f"SYN packet {syn.number}: TSV={syn.options.tsval}; SYN-ACK packet {syn_ack.number}: "
            f"TSV={syn_ack.options.tsval} TSER={syn_ack.options.tsecr}, MSS "
            f"{syn_ack.options.mss} and window scale {syn_ack.options.scale} are the {who}'s own."
        )
    return Answer(
        f"Is the {who} misbehaving?",
        f"No. Its TCP does what RFC 7323 orders. The {box} mirrored the {who}'s own SYN in the "
        "SYN-ACK instead of building it from the other leg's SYN. The bind timer of an endpoint "
        "then ends the session (Blink: MSRPBindSessionTimeout, 10 s).",
        proof,
    )

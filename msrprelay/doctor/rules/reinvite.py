"""INVITE transactions without their end: the second seed (RFC 3261 section 17)."""

from __future__ import annotations

from collections.abc import Iterator

from ..cases import Case
from ..finding import Hit, Level, rule
from ..msrp import At
from ..sip import Dialog, Seen, Transaction

UNFINISHED_SECONDS = 32.0
"""Timer B and timer H of RFC 3261: 64 * T1."""

BYE_GRACE = 2.0
"""A BYE this soon after the provisional is a user who hangs up in mid-transaction."""

EXPIRES = 300
"""Sippy's default, and the second seed's."""

FIRST_KEEPALIVE_EXTRA = 600
TOLERANCE = 3.0
REPEAT_SECONDS = 4.0
INVITES_UNANSWERED = 7
EARLY_BYE_SECONDS = 12.0


def _unfinished(dialog: Dialog, case: Case) -> Iterator[tuple[Transaction, Seen, float]]:
    """(re-INVITE, last provisional, seconds waited) for each that never got its final."""
    for transaction in dialog.invites:
        if not transaction.to_tag or not transaction.provisionals or transaction.finals:
            continue
        last = transaction.provisionals[-1]
        bye = dialog.bye.start if dialog.bye is not None else None
        waited = (bye if bye is not None else case.end) - last.time
        if waited > (BYE_GRACE if bye is not None else UNFINISHED_SECONDS):
            yield transaction, last, waited


def _numbers(transaction: Transaction, last: Seen, dialog: Dialog) -> list[int]:
    bye = dialog.bye.requests[:1] if dialog.bye is not None else []
    return [transaction.requests[0].number, last.number, *(seen.number for seen in bye)]


@rule(
    "S01",
    Level.DIALOG,
    "re-INVITE never finished",
    "Answer statefully (t_newtran and t_reply); send no 100 before a stateless final.",
)
def reinvite_unfinished(dialog: Dialog, case: Case) -> Iterator[Hit]:
    """RFC 3261 section 17.1.1.2: a provisional stops the client's retransmissions."""
    for transaction, last, waited in _unfinished(dialog, case):
        if transaction.requests:
            yield Hit(
                _numbers(transaction, last, dialog),
                f"The re-INVITE with CSeq {transaction.cseq} got a provisional {last.status} and "
                f"no final in {waited:.1f} s: the provisional stopped the retransmissions, the "
                "final answer was lost and not repeated.",
            )


def _cut(dialog: Dialog, case: Case, extra: int) -> Iterator[tuple[Transaction, Seen, float, int]]:
    bye = dialog.bye
    if bye is None:
        return
    for transaction, last, _ in _unfinished(dialog, case):
        timer = transaction.expires if transaction.expires is not None else EXPIRES
        after = bye.start - last.time
        if abs(after - timer - extra) <= TOLERANCE and transaction.requests:
            yield transaction, last, after, timer


@rule("S02", Level.DIALOG, "Call cut by the timer", "As S01: answer re-INVITEs statefully.")
def cut_by_timer(dialog: Dialog, case: Case) -> Iterator[Hit]:
    """BYE one Expires after the last provisional."""
    for transaction, last, after, timer in _cut(dialog, case, 0):
        yield Hit(
            _numbers(transaction, last, dialog),
            f"The user did not hang up: the BYE came {after:.1f} s after the provisional to CSeq "
            f"{transaction.cseq}, when the timer of {timer} s ran out. It would hit any call whose "
            "final is lost: P = 1-(1-loss)^n after n re-INVITEs.",
        )


@rule("S02b", Level.DIALOG, "Call cut by the first keep-alive's timer", "As S01.")
def cut_by_first_keepalive(dialog: Dialog, case: Case) -> Iterator[Hit]:
    """Sippy gives the first keep-alive 600 s more."""
    for transaction, last, after, timer in _cut(dialog, case, FIRST_KEEPALIVE_EXTRA):
        yield Hit(
            _numbers(transaction, last, dialog),
            f"The user did not hang up: the BYE came {after:.1f} s after the provisional to the "
            f"first keep-alive (CSeq {transaction.cseq}): {timer} s, and 600 s more by Sippy's "
            "rule for the first one.",
        )


@rule(
    "S03",
    Level.DIALOG,
    "Stateless final",
    "t_reply instead of sl_send_reply: a stateful final is repeated after 0.5, 1.5 and 3.5 s.",
)
def stateless_final(dialog: Dialog, case: Case) -> Iterator[Hit]:
    """RFC 3261 section 17.2.1: a final is repeated until the ACK comes.

    Where the requests were not captured, the ACK was not either; and the ACK to the acceptance of
    a call may go past whoever captured (section 13.2.2.4).
    """
    for transaction in dialog.invites:
        if transaction.ack or len(transaction.finals) != 1 or transaction.transport != "UDP":
            continue
        if not transaction.requests or (transaction.accepted and not transaction.to_tag):
            continue
        final = transaction.finals[0]
        if case.end - final.time > REPEAT_SECONDS:
            yield Hit(
                [final.number],
                f"The final {final.status} to INVITE CSeq {transaction.cseq} was sent once, never "
                f"acknowledged and not repeated in {case.end - final.time:.1f} s: it was sent "
                "statelessly.",
            )


@rule(
    "S04",
    Level.DIALOG,
    "Final repeated, no ACK",
    "The ACK is lost or routed wrongly: check Route and Contact.",
)
def final_without_ack(dialog: Dialog, case: Case) -> Iterator[Hit]:
    """RFC 3261 section 13.3.1.4."""
    for transaction in dialog.invites:
        finals = transaction.finals
        heard = transaction.requests and not transaction.ack
        if heard and len(finals) > 1 and len({f.status for f in finals}) == 1:
            yield Hit(
                [final.number for final in finals],
                f"The final {finals[0].status} to INVITE CSeq {transaction.cseq} was sent "
                f"{len(finals)} times and never acknowledged.",
            )


@rule(
    "S04b",
    Level.DIALOG,
    "Peer unreachable",
    "Check the address, the firewall and whether the peer runs; the caller gets 408 after 32 s.",
)
def peer_unreachable(dialog: Dialog, case: Case) -> Iterator[Hit]:
    """RFC 3261 section 17.1.1.2: seven INVITEs and nothing back, or ICMP instead of an answer."""
    for transaction in dialog.invites:
        if transaction.provisionals or transaction.finals:
            continue
        complaints = _complaints(transaction, case)
        if complaints:
            yield Hit(
                [seen.number for seen in transaction.requests] + [at.number for at in complaints],
                f"{transaction.dst} cannot be reached: ICMP says so, and nothing answered the "
                f"INVITE (CSeq {transaction.cseq}).",
            )
        elif len(transaction.requests) >= INVITES_UNANSWERED:
            yield Hit(
                [seen.number for seen in transaction.requests],
                f"{transaction.dst} never answered {len(transaction.requests)} INVITEs (CSeq "
                f"{transaction.cseq}).",
            )


def _complaints(transaction: Transaction, case: Case) -> list[At]:
    """ICMP "unreachable" about the request, while an answer to it was due."""
    if not transaction.requests:
        return []
    first = transaction.requests[0].time
    about = case.unreachable.get((transaction.src, transaction.dst), [])
    return [at for at in about if first <= at.time <= first + UNFINISHED_SECONDS]


BIND_FAULTS = frozenset({"T01", "M03", "M08"})


@rule(
    "S12",
    Level.CASE,
    "BYE while the chat was being set up",
    "See the finding that this one follows from.",
)
def early_bye(case: Case, _: Case) -> Iterator[Hit]:
    """An endpoint's bind timer, 10 s in Blink. Reported only beside one of BIND_FAULTS."""
    byes = [
        (d.bye.requests[0], d.bye.src, d.confirmed)
        for d in case.dialogs
        if d.bye is not None and d.bye.requests and d.confirmed is not None
    ]
    if not byes or not case.links:
        return
    seen, sender, confirmed = min(byes, key=lambda bye: bye[0].time)
    after = seen.time - confirmed
    if 0 <= after <= EARLY_BYE_SECONDS:
        yield Hit(
            [seen.number],
            f"{sender} ended the call {after:.1f} s after the ACK: the bind timer of an endpoint "
            "(10 s in Blink), not the user.",
        )

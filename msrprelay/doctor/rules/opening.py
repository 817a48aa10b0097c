"""Connections that do not come about."""

from __future__ import annotations

from collections.abc import Iterator

from ..cases import Case
from ..finding import Hit, Level, Severity, rule
from ..packets import ACK
from ..tracker import Link

RESET_SECONDS = 2.0
HELD_SYNS, HELD_SECONDS = 2, 0.5


@rule(
    "T10",
    Level.LINK,
    "Reset at set-up",
    "Open the port before answering the SDP. If user space owns the flow, keep the kernel out of "
    "it (TUN, or an nft rule that drops its RST).",
)
def reset_at_setup(link: Link, case: Case) -> Iterator[Hit]:
    """The server answers a SYN with RST, or resets at once before it sent anything."""
    reset = refusal(link)
    if reset is not None:
        number, seconds = reset
        yield Hit(
            [link.tcp.directions[0].syns[0].number, number],
            f"{link.tcp.ends[1]} resets the connection of the "
            f"{case.party(link, 0)} {seconds:.3f} s after its SYN: no listener or no "
            "session on that port, or a kernel that sees a SYN for a flow user space owns.",
        )


def refusal(link: Link) -> tuple[int, float] | None:
    """(packet, seconds after the SYN) of a RST by the server that sent no data before."""
    client, server = link.tcp.directions
    if not client.syns or not server.rsts or server.data_segments:
        return None
    number, time, _ = server.rsts[0]
    seconds = time - client.syns[-1].time
    return (number, seconds) if seconds <= RESET_SECONDS or not server.syns else None


@rule(
    "S11",
    Level.LINK,
    "Media before the answer",
    "Allocate and listen when the offer passes, not when the answer does.",
)
def refused_before_answer(link: Link, case: Case) -> Iterator[Hit]:
    """The callee may dial as soon as it sends its answer (MSRP over offer/answer race)."""
    reset = refusal(link)
    confirmed = [d.confirmed for d in case.dialogs if d.confirmed is not None]
    if reset is None or not case.dialogs:
        return
    syn = link.tcp.directions[0].syns[0]
    if not confirmed or syn.time < max(confirmed):
        yield Hit(
            [syn.number, reset[0]],
            f"Race: the {case.party(link, 0)} dialled {link.tcp.ends[1]} before the "
            "answer had gone through, and was refused: the port was opened too late.",
        )


@rule(
    "T12",
    Level.LINK,
    "SYN held too long",
    "Accept at once and buffer, or give up and answer 408 or 487 on the SIP side.",
)
def held_syn(link: Link, case: Case) -> Iterator[Hit]:
    """Repeated SYNs, neither accepted nor refused."""
    client, server = link.tcp.directions
    if len(client.syns) < HELD_SYNS or server.syns or server.rsts or server.sent:
        return
    first = client.syns[0]
    if client.syns[-1].time - first.time < HELD_SECONDS:
        return
    steps = ", ".join(f"+{syn.time - first.time:.1f}" for syn in client.syns[1:])
    yield Hit(
        [syn.number for syn in client.syns],
        f"The other party has not dialled and {link.tcp.ends[1]} still holds the SYN of the "
        f"{case.party(link, 0)}: {len(client.syns)} SYNs ({steps} s), no answer in "
        f"{case.end - first.time:.1f} s. Side effect: the retransmission timer of the held client "
        "doubles.",
    )


@rule(
    "T14",
    Level.LINK,
    "Simultaneous open",
    "Prefer SYN-ACK.",
    Severity.NOTE,
)
def simultaneous_open(link: Link, case: Case) -> Iterator[Hit]:
    """Both sides send SYN (RFC 9293 section 3.5)."""
    crossing = [s.number for s in link.tcp.segments if s.side == 1 and s.flags & 2]
    plain = [
        s.number for s in link.tcp.segments if s.side == 1 and s.flags & 2 and not s.flags & ACK
    ]
    if crossing and plain and link.tcp.directions[0].syns:
        yield Hit(
            plain,
            f"True simultaneous open on {link.tcp}: works end to end on Linux, many firewalls and "
            "NATs drop it.",
        )

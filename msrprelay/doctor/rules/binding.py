"""The first bytes on an MSRP connection: who must speak, and as what."""

from __future__ import annotations

from collections.abc import Iterator

from ...net.roles import dials
from ...sdp import MsrpSection
from ..cases import Case
from ..finding import Hit, Level, rule
from ..hosts import Endpoint
from ..media import Exchange, Media
from ..quote import quoted
from ..sip import Dialog
from ..tracker import Link, Protocol
from .opening import refusal

BIND_SECONDS = 5.0
"""TCP up this long without a byte of the active side."""

DIAL_SECONDS = 5.0
"""SDP agreed this long without a SYN."""

PATIENCE_SECONDS = 2.0
"""The same two, where the other end shows that it waits."""


@rule(
    "M03",
    Level.LINK,
    "No bind SEND",
    "Close and release the port after the bind timer (Blink: 10 s).",
)
def no_bind(link: Link, case: Case) -> Iterator[Hit]:
    """The active side must send at once (RFC 4975 section 5.4)."""
    up = link.tcp.established
    if up is None or link.tcp.directions[0].data_segments or refusal(link) is not None:
        return
    given_up = _given_up(link, up, case)
    kept_waiting = link.tcp.last - up > BIND_SECONDS
    kept_waiting |= not link.tcp.closed and case.end - up > BIND_SECONDS
    if given_up is None and not kept_waiting:
        return
    seconds = given_up or max(link.tcp.last - up, BIND_SECONDS)
    how = "reset" if link.tcp.directions[1].rsts else "closed"
    until = f", until {link.tcp.ends[1]} {how} the connection" if given_up else ""
    yield Hit(
        [link.tcp.directions[0].syns[0].number, link.tcp.directions[1].syns[0].number],
        f"The {case.party(link, 0)} connected to {link.tcp.ends[1]} and sent no "
        f"byte in {seconds:.1f} s{until}. The active side must "
        "send at once; an idle client looks like an attack to a relay.",
    )


def _given_up(link: Link, up: float, case: Case) -> float | None:
    """Seconds after which the server lost patience with a silent client, in a call still up."""
    client, server = link.tcp.directions
    ends = [end[1] for end in (*server.fins[:1], *server.rsts[:1])]
    if not ends or server.data_segments:
        return None
    closed = min(ends)
    ended = [dialog.ended for dialog in case.dialogs if dialog.ended is not None]
    first = not client.fins or client.fins[0][1] > closed
    if not first or closed - up < PATIENCE_SECONDS or any(end <= closed for end in ended):
        return None
    return closed - up


@rule("M04", Level.DIALOG, "Nobody dials", "See the roles (S06b) and the firewall.")
def nobody_dials(dialog: Dialog, case: Case) -> Iterator[Hit]:
    """Offer and answer agreed on a hop, and no SYN to the address that one of them names.

    In a call that is older than the capture somebody may have dialled before.
    """
    if dialog.initial is None:
        return
    ends = {end for link in case.links for end in link.tcp.ends}
    for exchange in (part for agreed in dialog.agreements for part in agreed.parts):
        wanted, answer = _awaited(exchange), exchange.answer
        if not wanted or answer is None or wanted & ends or _bound(exchange, case):
            continue
        until = dialog.ended if dialog.ended is not None else case.end
        waited = until - max(answer.message.time, dialog.answered or 0.0)
        if waited <= (PATIENCE_SECONDS if _somebody_waits(case) else DIAL_SECONDS):
            continue
        unseen = "" if case.tcp_captured else " (The capture holds no TCP at all: was it filtered?)"
        yield Hit(
            [exchange.offer.number, answer.number],
            f"Offer and answer agreed, and in {waited:.1f} s nobody dialled "
            f"{' or '.join(sorted(map(str, wanted)))}{_who_waits(exchange, case)}{unseen}",
        )


def _diallers(exchange: Exchange) -> list[tuple[Media, Media]]:
    """(who is to dial, whose address): both ways, or none, where the roles are in conflict."""
    offer, answer = exchange.offer, exchange.answer
    if answer is None or offer.section is None or answer.section is None:
        return []
    offerer, answerer = dials(offer.section.setup, answer.section.setup)
    return [(offer, answer)] * offerer + [(answer, offer)] * answerer


def _awaited(exchange: Exchange) -> set[Endpoint]:
    """The addresses to be dialled, if both sides have a live MSRP section."""
    answer = exchange.answer
    if answer is None or exchange.offer.section is None or answer.section is None:
        return set()
    named = [passive for _, passive in _diallers(exchange)] or [exchange.offer, answer]
    return set().union(*(media.addresses for media in named))


def _who_waits(exchange: Exchange, case: Case) -> str:
    diallers = _diallers(exchange)
    if len(diallers) != 1:
        return ": both wait."
    active, passive = (case.name(media.message.src.host) for media in diallers[0])
    return f", which the SDP of the {passive} names: the {active} was to dial it (a=setup)."


def _somebody_waits(case: Case) -> bool:
    """Whether one party has connected and spoken, so that only the other one is missing."""
    return any(link.tcp.directions[0].data_segments for link in case.links)


def _bound(exchange: Exchange, case: Case) -> bool:
    """Whether a connection of the call carries its session: addresses may differ behind NAT.

    A connection to an address of another hop does not count; a relay may keep the session-ids.
    """
    answer = exchange.answer
    own = exchange.offer.addresses | (answer.addresses if answer else set())
    others = {end for media in case.media for end in media.addresses} - own
    names = exchange.offer.session_ids | (answer.session_ids if answer else set())
    links = (link for link in case.links if not others & set(link.tcp.ends))
    paths = (p for link in links for t in link.msrp.transactions[:8] for p in t.to_path)
    return any(name in path for path in paths for name in names)


@rule(
    "M14",
    Level.LINK,
    "Not MSRP on an MSRP port",
    "Make the proto in the m= line and the wire agree: TCP/TLS/MSRP with msrps, or neither.",
)
def not_msrp(link: Link, case: Case) -> Iterator[Hit]:
    """The first bytes must be ``MSRP ``, or a TLS record where TLS was agreed."""
    number = link.tcp.directions[link.first_side].first_data
    section = _section_at(link, case)
    if not link.first_bytes or section is None or number is None:
        return
    who = case.party(link, link.first_side)
    if section.tls and link.protocol is Protocol.MSRP:
        yield Hit([number[0]], f"The {who} speaks plain MSRP on a TCP/TLS/MSRP address.")
    elif not section.tls and link.protocol is Protocol.TLS:
        yield Hit([number[0]], f"TLS client on a plain port: the {who} sends a TLS record.")
    elif link.protocol in (Protocol.OTHER, Protocol.SIP):
        yield Hit([number[0]], f"The {who} sends {quoted(link.first_bytes)}, which is not MSRP.")


def _section_at(link: Link, case: Case) -> MsrpSection | None:
    """The section that named one of the connection's addresses."""
    ends = set(link.tcp.ends)
    named = ((m, section) for m in case.media for section in m.sections)
    return next((section for m, section in named if m.part(section.index).addresses & ends), None)


@rule(
    "M15",
    Level.CASE,
    "Second bind on a session",
    "Re-dial or hijack: answer 506 to the later connection.",
)
def second_bind(case: Case, _: Case) -> Iterator[Hit]:
    """Two live connections to the same address for the same To-Path (RFC 4975 section 7.3)."""
    bound: dict[tuple[str, object], Link] = {}
    for link in case.links:
        first = next((t for t in link.msrp.transactions if t.side == 0 and t.to_path), None)
        if first is None:
            continue
        before = bound.setdefault((first.to_path[0], link.tcp.ends[1]), link)
        if before is link:
            continue
        if before.tcp.last > first.begin.time and not _gone(before, first.begin.time):
            yield Hit(
                [before.tcp.first_number, first.begin.number],
                f"{link.tcp.ends[0]} binds {first.to_path[0]} a second time while "
                f"{before.tcp.ends[0]} still holds it.",
            )


def _gone(link: Link, time: float) -> bool:
    ends = [d.fins[0][1] for d in link.tcp.directions if d.fins]
    ends += [d.rsts[0][1] for d in link.tcp.directions if d.rsts]
    return any(end <= time for end in ends)

"""Who is to dial: ``a=setup`` in offer and answer (RFC 4145, RFC 6135)."""

from __future__ import annotations

from collections.abc import Iterator

from ...net.roles import Setup
from ...sdp import MsrpSection
from ..cases import Case
from ..finding import Hit, Level, Severity, rule
from ..hosts import private
from ..media import Exchange

DISCARD_PORT = 9
ANSWERS = {
    Setup.ACTIVE: (Setup.PASSIVE, Setup.HOLDCONN),
    Setup.PASSIVE: (Setup.ACTIVE, Setup.HOLDCONN),
}
"""Legal answers to an offer (RFC 4145 section 4.1)."""


def _roles(exchange: Exchange) -> tuple[MsrpSection, MsrpSection] | None:
    """Both live MSRP sections, or None."""
    offer = exchange.offer.section
    answer = None if exchange.answer is None else exchange.answer.section
    return None if offer is None or answer is None else (offer, answer)


def _numbers(exchange: Exchange) -> list[int]:
    answer = exchange.answer
    return [exchange.offer.number] + ([answer.number] if answer is not None else [])


def _both(exchange: Exchange, setup: Setup) -> bool:
    roles = _roles(exchange)
    return roles is not None and roles[0].setup is setup and roles[1].setup is setup


@rule("S06a", Level.EXCHANGE, "Both active", "The SBC must answer passive on each leg.")
def both_active(exchange: Exchange, case: Case) -> Iterator[Hit]:
    """Active offered, active answered, on one leg."""
    if _both(exchange, Setup.ACTIVE):
        yield Hit(
            _numbers(exchange),
            "Both sides of one offer and answer are active: both dial, nobody listens. Only a "
            "relay that accepts both can make this work.",
        )


@rule("S06b", Level.EXCHANGE, "Both passive", "SBC: offer active or actpass on one leg.")
def both_passive(exchange: Exchange, case: Case) -> Iterator[Hit]:
    """Passive offered, passive answered."""
    if _both(exchange, Setup.PASSIVE):
        yield Hit(_numbers(exchange), "Both sides are passive: nobody dials.")


@rule("S06c", Level.EXCHANGE, "Illegal answer", "Answer as RFC 4145 section 4.1 says.")
def illegal_answer(exchange: Exchange, case: Case) -> Iterator[Hit]:
    """Answers that RFC 4145 section 4.1 does not have; both alike is S06a and S06b."""
    roles = _roles(exchange)
    if roles is None or roles[1].setup is None:
        return
    offered, answered = roles[0].setup, roles[1].setup
    alike = offered is answered and answered in (Setup.ACTIVE, Setup.PASSIVE)
    legal = offered not in ANSWERS or answered in ANSWERS[offered]
    if answered is Setup.ACTPASS or not (legal or alike):
        yield Hit(
            _numbers(exchange),
            f"The answer says {answered or 'nothing'} to {offered or 'no setup'}: RFC 4145 "
            "section 4.1 does not allow it.",
        )


@rule(
    "S06d",
    Level.EXCHANGE,
    "Actpass offered to a peer that cannot be dialled",
    "Offer passive to peers behind NAT, so that they dial.",
)
def actpass_to_private(exchange: Exchange, case: Case) -> Iterator[Hit]:
    """The peer took the passive role, and its address is private where the offerer is not."""
    roles, answer = _roles(exchange), exchange.answer
    if roles is None or answer is None or answer.address is None or exchange.offer.address is None:
        return
    taken = roles[0].setup is Setup.ACTPASS and roles[1].setup is Setup.PASSIVE
    if taken and private(answer.address.host) and not private(exchange.offer.address.host):
        yield Hit(
            _numbers(exchange),
            f"{exchange.offer.address.host} offered actpass, the peer answered "
            f"{roles[1].setup}: the private address {answer.address} would have to be dialled.",
        )


@rule(
    "S06e",
    Level.EXCHANGE,
    "No a=setup, or an active end with a port",
    "Nothing to do: without a=setup the offerer dials (RFC 4975), and the port of an active end is "
    "not used.",
    Severity.NOTE,
)
def setup_by_default(exchange: Exchange, case: Case) -> Iterator[Hit]:
    """An active end with a real port, or no a=setup at all."""
    for media in (exchange.offer, exchange.answer):
        if media is None or media.section is None:
            continue
        who, section = case.name(media.message.src.host), media.section
        if section.setup is None:
            yield Hit([media.number], f"The {who} says no a=setup: the offerer dials by default.")
        elif section.setup is Setup.ACTIVE and section.port != DISCARD_PORT:
            yield Hit(
                [media.number],
                f"The {who} says a=setup:active and names port {section.port} instead of 9; nobody "
                "may dial it.",
            )

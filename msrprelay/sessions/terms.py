# cython: annotation_typing=False
"""What a message's options decide about a section: its policy, and where each leg listens."""

from __future__ import annotations

from functools import lru_cache

from ..commands import SdpRequest, SourceRule
from ..dataplane import Sources
from ..errors import CommandError
from ..net.interfaces import Interface, Interfaces
from ..net.uri import address
from ..sdp.description import Description
from ..sdp.edit import SectionEdit
from ..sdp.msrp_section import MsrpSection
from ..words import Family, Policy, Side
from .legs import Leg, Legs, new_session_id

NO_SOURCE = "msrp-source: the message names no address to expect connections from"
# Combinations of options whose text is at hand.
REMEMBERED = 64


def choose_policy(wanted: Policy, section: MsrpSection) -> Policy:
    """The policy of a session, fixed by its offer.

    cema needs an offerer that matches c=/m= and says a=setup (RFC 6714 section 4.2); any other
    offer is relayed aware, which every RFC 4975 endpoint understands.
    """
    follows = section.cema and section.setup is not None
    return "aware" if wanted == "cema" and not follows else wanted


def choose_legs(
    request: SdpRequest,
    section: MsrpSection,
    sender: Side,
    interfaces: Interfaces,
    rule: SourceRule,
) -> Legs:
    """Where both peers are told to dial: the ``sender`` of the message and its recipient.

    Raises CommandError.

    Each leg speaks its peer's address family where an interface has it; ``address-family`` and
    ``media-address`` are about the recipient of this message.
    """
    advertised = request.media_address
    said = section.connection.family if section.connection else None
    family: Family | None = "IP6" if said == "IP6" else "IP4" if said == "IP4" else None
    wanted = request.address_family
    near = _interface(interfaces, request.from_interface, family)
    if wanted is not None:
        far = interfaces.choose(request.to_interface, wanted)
    else:
        far = _interface(interfaces, request.to_interface, family)
    sources = expected_sources(rule, request, section)
    mine = Leg(near, near.advertised, 0, new_session_id(), section.path, sources)
    # Where the other peer may come from is known when it has spoken.
    later: Sources = "any" if rule == "any" else "pending"
    theirs = Leg(far, advertised or far.advertised, 0, new_session_id(), (), later)
    return {"a": mine, "b": theirs} if sender == "a" else {"a": theirs, "b": mine}


def source_rule(request: SdpRequest) -> SourceRule | None:
    """By what a peer's connections are judged: ``msrp-source``, or rtpengine's flags for it."""
    if request.source is None and "strict-source" in request.flags:
        return "sip" if "SIP-source-address" in request.flags else "sdp"
    return request.source


def expected_sources(rule: SourceRule, request: SdpRequest, said: MsrpSection) -> Sources:
    """Where the sender's connection may come from. Raises CommandError if that cannot be told."""
    if rule == "any":
        return "any"
    if rule == "sip":
        found = {request.received_from[1]} if request.received_from else set()
    else:
        contact, connection = said.contact, said.connection
        found = {contact[0]} if contact else set()
        found |= {connection.host} if connection else set()
    addresses = [str(each) for each in map(address, found) if each is not None]
    if not addresses:
        raise CommandError(NO_SOURCE)
    return sorted(addresses)


def unserved(request: SdpRequest, edits: dict[int, SectionEdit]) -> tuple[str, ...]:
    """What was asked for and is not done: said, because a script may count on it."""
    warnings: tuple[str, ...] = ()
    if request.transport_protocol == "TCP/TLS/MSRP":
        warnings += ("transport-protocol: TCP/TLS/MSRP is not served",)
    wanted = request.media_address
    if wanted is not None:
        for edit in edits.values():
            if edit.host != wanted:
                # The engine knows by it who is called: it stays for the life of a section.
                return (*warnings, f"media-address: {edit.host} since it was told first")
    return warnings


def terms(request: SdpRequest) -> str:
    """The options that shape the reply: with the body they tell a repeat from a change."""
    return spelled(
        request.policy,
        request.setup,
        request.from_interface,
        request.to_interface,
        request.media_address,
        request.address_family,
        request.replace,
        "loop-protect" in request.flags,
        request.drop_traffic,
    )


@lru_cache(REMEMBERED)
def spelled(*options: object) -> str:
    """Options as text; a SIP server's script has the same few in every call."""
    words = (sorted(each) if isinstance(each, frozenset) else each for each in options)
    return " ".join(map(str, words))


def looped(request: SdpRequest, description: Description, mark: str) -> bool:
    """Whether this relay has rewritten the message before (``loop-protect``)."""
    return "loop-protect" in request.flags and any(
        attribute == (b"msrprelay", mark.encode())
        for section in description.sections
        for attribute in section.attributes
    )


def _interface(interfaces: Interfaces, name: str | None, family: Family | None) -> Interface:
    """The named interface, of this family if it can be."""
    try:
        return interfaces.choose(name, family)
    except CommandError:
        return interfaces.choose(name, None)

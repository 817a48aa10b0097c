"""What a message's options decide about a section: policy, roles, and where each leg listens."""

from __future__ import annotations

from ..commands import SdpRequest
from ..errors import CommandError
from ..interfaces import Family, Interface, Interfaces
from ..offer_answer import Side
from ..roles import Role, Setup, answer_setup, relay_role_answerer, relay_role_offerer
from ..sdp import MsrpSection, Policy
from .legs import Leg, Legs

NEEDS_AWARE = "msrp-path: the answer does not follow the offer's policy, offer again with aware"
NEEDS_SETUP = "a=setup: missing, but a=msrp-cema needs it (RFC 6714 section 4.2): use aware"
BOTH_PASSIVE = "a=setup: both ends are passive, which only msrp-path=aware can join"


def choose_policy(wanted: Policy, section: MsrpSection) -> Policy:
    """The policy of a session, fixed by its offer.

    cema needs an offerer that matches c=/m= (RFC 6714 section 4.2); any other offer is relayed
    aware, which every RFC 4975 endpoint understands.
    """
    return "aware" if wanted == "cema" and not section.cema else wanted


def choose_legs(
    request: SdpRequest, section: MsrpSection, offerer: Side, interfaces: Interfaces
) -> Legs:
    """Where both peers are told to dial. Raises CommandError ``Unknown interface``.

    Each leg speaks its peer's address family where an interface has it; ``address-family`` and
    ``media-address`` are about the recipient of this message.
    """
    said = section.connection.family if section.connection else None
    family: Family | None = "IP6" if said == "IP6" else "IP4" if said == "IP4" else None
    theirs = request.address_family
    near = _interface(interfaces, request.from_interface, family)
    if theirs is not None:
        far = interfaces.choose(request.to_interface, theirs)
    else:
        far = _interface(interfaces, request.to_interface, family)
    sender = Leg(near, near.advertised, peer_path=section.path)
    recipient = Leg(far, request.media_address or far.advertised)
    return {"a": sender, "b": recipient} if offerer == "a" else {"a": recipient, "b": sender}


def _interface(interfaces: Interfaces, name: str | None, family: Family | None) -> Interface:
    """The named interface, of this family if it can be."""
    try:
        return interfaces.choose(name, family)
    except CommandError:
        return interfaces.choose(name, None)


def choose_roles(
    policy: Policy, offered: MsrpSection, answered: MsrpSection, told: Setup | None
) -> tuple[Setup, Role, Role]:
    """The a=setup to answer with, and the relay's roles on the offerer's and the answerer's leg.

    ``told`` is what the SIP side wants written. Raises CommandError where an opaque policy cannot
    join these two ends: the relay cannot speak for either of them there.
    """
    setup = told or answer_setup(offered.setup)
    roles = relay_role_offerer(offered.setup, setup), relay_role_answerer(answered.setup)
    if policy != "aware" and roles == (Role.DIAL, Role.DIAL):
        raise CommandError(BOTH_PASSIVE)
    if policy == "cema" and any(side.cema and side.setup is None for side in (offered, answered)):
        # Without it the ends would match c=/m= by other rules than those they dial by.
        raise CommandError(NEEDS_SETUP)
    if policy == "cema" and not answered.cema and not _splices(answered, roles[1], setup):
        raise CommandError(NEEDS_AWARE)
    return setup, *roles


def _splices(answered: MsrpSection, role: Role, setup: Setup) -> bool:
    """Whether an answerer without CEMA can still be joined unseen (RFC 6714 section 4.2).

    It waits for us at its own path, has no relay in it, and the offerer was told to dial.
    """
    return role is Role.DIAL and len(answered.path) == 1 and setup is Setup.PASSIVE

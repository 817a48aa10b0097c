"""What an answer makes of a section, before it is carried out."""

from __future__ import annotations

from msgspec import Struct

from ..dataplane import LegAnswer, Target
from ..dial import DialPolicy, literal
from ..errors import CommandError
from ..offer_answer import Change, SectionChange, Side
from ..roles import Role, Setup
from ..sdp import MsrpSection
from .closed import AnySession

# Members of enums that every call asks for: looked up in their class they cost a search.
ACCEPT, DIAL = Role.ACCEPT, Role.DIAL
ACTPASS, PASSIVE = Setup.ACTPASS, Setup.PASSIVE
CHANGED, CLOSED, UNCHANGED = Change.CHANGED, Change.CLOSED, Change.UNCHANGED
# Whose peer it is, host and port.
Name = tuple[Side, str, int]


class Unresolved(Struct, frozen=True):
    """A dial target that is a name: resolved after the reply, off the control thread."""

    session: AnySession
    side: Side
    host: str
    port: int


class Plan(Struct, frozen=True):
    """What the answer makes of a section: the a=setup to write, and a command for the engine."""

    setup: Setup
    a: LegAnswer
    b: LegAnswer
    unresolved: tuple[Name, ...]
    warnings: tuple[str, ...]


def described(change: SectionChange, side: Side) -> MsrpSection:
    """What a side has said about a section that is asked for."""
    said = change.of(side)
    if said is None:
        raise CommandError(f"section {change.index}: side {side} has not described it")
    return said


def path_said(change: SectionChange, side: Side) -> tuple[str, ...]:
    """The path of a side that has spoken; the other one's is not known before its answer."""
    said = change.of(side)
    return said.path if said is not None and side in change.moved else ()


def dial_target(said: MsrpSection, role: Role, dialling: DialPolicy) -> tuple[Target, str | None]:
    """Whom to dial for a leg, and what is wrong with it.

    A target that must not be dialled is no error: the SIP server would forward the raw SDP.
    """
    if role is ACCEPT:
        return "none", None
    contact = said.dial_target
    if contact is None:
        return "denied", "dial-denied: it waits for a connection but names no address to dial"
    host, port = contact
    address = literal(host)
    if address is None:
        return "pending", None
    denial = dialling.denial(address, port)
    if denial is not None:
        return "denied", f"dial-denied: {denial}"
    return [(str(address), port)], None

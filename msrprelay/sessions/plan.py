# cython: annotation_typing=False
"""What an answer makes of a section, before it is carried out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..dataplane import LegAnswer, Sources, Target
from ..errors import CommandError
from ..net.dial import DialPolicy
from ..net.roles import (
    ACCEPT,
    DIAL,
    PASSIVE,
    Role,
    Setup,
    answer_setup,
    relay_role_answerer,
    relay_role_offerer,
)
from ..net.uri import address
from ..offer_answer.changes import SectionChange, other
from ..sdp.msrp_section import MsrpSection
from ..words import Policy, Side
from .closed import AnySession
from .legs import SIDES, Leg, octets

NEEDS_AWARE = "msrp-path: the answer does not follow the offer's policy, offer again with aware"
NEEDS_SETUP = "a=setup: missing, but a=msrp-cema needs it (RFC 6714 section 4.2): use aware"
# Refusals after which only another offer can help.
NEED_REOFFER = frozenset({NEEDS_AWARE, NEEDS_SETUP})
BOTH_PASSIVE = "a=setup: both ends are passive, which only msrp-path=aware can join"
# Whose peer it is, host and port.
Name = tuple[Side, str, int]


@dataclass(frozen=True)
class Unresolved:
    """A dial target that is a name: resolved after the reply, off the control thread."""

    session: AnySession
    side: Side
    host: str
    port: int


@dataclass(frozen=True)
class Plan:
    """What the answer makes of a section: what the offerer is told, and a command for the engine.

    ``near`` is the offerer's leg, with the address that it is told.
    """

    near: Leg
    setup: Setup
    a: LegAnswer
    b: LegAnswer
    unresolved: tuple[Name, ...]
    # Peers that wait for a connection and must not be dialled, and why.
    denied: tuple[tuple[Side, str], ...]


def make_plan(
    change: SectionChange,
    offerer: Side,
    policy: Policy,
    told: Setup | None,
    dialling: DialPolicy,
    allowed: Mapping[Side, Sources],
    near: Leg,
    own_uri: bytes | None,
) -> Plan:
    """Decide roles and dial targets from both SDPs. Raises CommandError.

    ``told`` is the a=setup that the SIP side wants written; ``allowed`` are where connections of
    either side may come from; ``near`` is the offerer's leg, ``own_uri`` its URI if the engine
    knows it by another one.
    """
    offered, answered = described(change, offerer), described(change, other(offerer))
    setup, offerers, answerers = choose_roles(policy, offered, answered, told)
    answers: dict[Side, LegAnswer] = {}
    unresolved: list[Name] = []
    denied: list[tuple[Side, str]] = []
    for side in SIDES:
        said, role = (offered, offerers) if side == offerer else (answered, answerers)
        target, problem = dial_target(said, role, dialling)
        if problem is not None:
            denied.append((side, problem))
        contact = said.dial_target if target == "pending" else None
        if contact is not None:
            unresolved.append((side, *contact))
        word: Literal["dial", "accept"] = "dial" if role is DIAL else "accept"
        given = own_uri if side == offerer else None
        answers[side] = LegAnswer(word, octets(said.path), target, allowed[side], given)
    return Plan(near, setup, answers["a"], answers["b"], tuple(unresolved), tuple(denied))


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
        return "denied", "it waits for a connection but names no address to dial"
    host, port = contact
    found = address(host)
    if found is None:
        return "pending", None
    denial = dialling.denial(found, port)
    if denial is not None:
        return "denied", denial
    return [(str(found), port)], None


def choose_roles(
    policy: Policy, offered: MsrpSection, answered: MsrpSection, told: Setup | None
) -> tuple[Setup, Role, Role]:
    """The a=setup to answer with, and the relay's roles on the offerer's and the answerer's leg.

    ``told`` is what the SIP side wants written. Raises CommandError where an opaque policy cannot
    join these two ends: the relay cannot speak for either of them there.
    """
    setup = told or answer_setup(offered.setup)
    roles = relay_role_offerer(offered.setup, setup), relay_role_answerer(answered.setup)
    if policy != "aware" and roles == (DIAL, DIAL):
        raise CommandError(BOTH_PASSIVE)
    if policy == "cema" and (_lacks_setup(offered) or _lacks_setup(answered)):
        # Without it the ends would match c=/m= by other rules than those they dial by.
        raise CommandError(NEEDS_SETUP)
    if policy == "cema" and not answered.cema and not _splices(answered, roles[1], setup):
        raise CommandError(NEEDS_AWARE)
    return setup, *roles


def _lacks_setup(said: MsrpSection) -> bool:
    return said.cema and said.setup is None


def _splices(answered: MsrpSection, role: Role, setup: Setup) -> bool:
    """Whether an answerer without CEMA can still be joined unseen (RFC 6714 section 4.2).

    It waits for us at its own path, has no relay in it, and the offerer was told to dial.
    """
    return role is DIAL and len(answered.path) == 1 and setup is PASSIVE

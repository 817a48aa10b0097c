"""One relayed section of a call: its ports, its policy, and its session in the engine."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..dataplane import LegAnswer, Session, Target
from ..dial import DialPolicy, literal
from ..errors import CommandError
from ..offer_answer import Change, SectionChange, Side, other
from ..roles import Role, Setup
from ..sdp import Family, MsrpSection, Policy, SectionEdit
from .legs import SIDES, Legs, Ports, octets
from .terms import choose_roles


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A dial target that is a name: resolved after the reply, off the control thread."""

    session: Session
    side: Side
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What the answer makes of a section: the a=setup to write, and a command for the engine."""

    setup: Setup
    a: LegAnswer
    b: LegAnswer
    unresolved: tuple[tuple[Side, str, int], ...]
    warnings: tuple[str, ...]


class Section:
    """A section's ports are its own from its first offer to the end of the call.

    Its session in the engine may end earlier (a leg was lost) and be opened again on the same
    ports by a later offer.
    """

    def __init__(
        self,
        index: int,
        policy: Policy,
        legs: Legs,
        ports: Ports,
        *,
        tos: int | None,
        idle_seconds: float | None,
    ) -> None:
        """Lease ports and listen. Raises CommandError, see :meth:`Ports.open`."""
        self.index = index
        self.policy: Policy = policy
        self._ports = ports
        self._tos = tos
        self._idle_seconds = idle_seconds
        self.session, self.legs = ports.open(policy, legs, tos=tos, idle_seconds=idle_seconds)
        # Why the engine ended the session, once it has.
        self.reason: str | None = None
        self._leased = True
        # No answer has reached the engine's present session.
        self._unanswered = True

    @property
    def over(self) -> bool:
        """Whether the engine has ended the session."""
        return self.reason is not None

    def revive(self) -> bool:
        """Listen again after the session ended; the peers find the same ports and URIs."""
        if not self.over:
            return False
        self.session = self._ports.reopen(
            self.policy, self.legs, tos=self._tos, idle_seconds=self._idle_seconds
        )
        self.reason = None
        self._unanswered = True
        return True

    def edit(self, recipient: Side, setup: Setup) -> SectionEdit:
        """How the section reads for ``recipient``: our address in the sender's place."""
        leg = self.legs[recipient]
        # An advertised name may stand for any address: its socket's family is told.
        address = literal(leg.host)
        family: Family = leg.interface.family
        if address is not None:
            family = "IP4" if address.version == 4 else "IP6"
        return SectionEdit(
            policy=self.policy,
            family=family,
            host=leg.host,
            port=leg.port,
            setup=setup,
            session_id=leg.session_id,
        )

    def plan(
        self, change: SectionChange, offerer: Side, told: Setup | None, dialling: DialPolicy
    ) -> Plan:
        """Decide roles and dial targets from both SDPs. Raises CommandError, changes nothing."""
        said = {side: _live(change, side) for side in SIDES}
        answerer = other(offerer)
        setup, near, far = choose_roles(self.policy, said[offerer], said[answerer], told)
        roles = {offerer: near, answerer: far}
        answers: dict[Side, LegAnswer] = {}
        unresolved: list[tuple[Side, str, int]] = []
        warnings: list[str] = []
        for side in SIDES:
            target, problem = _target(said[side], roles[side], dialling)
            if problem is not None:
                warnings.append(f"section {self.index}, side {side}: {problem}")
            contact = said[side].dial_target
            if target == "pending" and contact is not None:
                unresolved.append((side, *contact))
            answers[side] = LegAnswer(roles[side].value, octets(said[side].path), target)
        return Plan(setup, answers["a"], answers["b"], tuple(unresolved), tuple(warnings))

    def answer(self, change: SectionChange, plan: Plan) -> tuple[Unresolved, ...]:
        """Carry a plan out; gives the names that are still to be resolved.

        An unchanged section keeps its connections whatever a=setup says (RFC 4975 section 5.4).
        """
        if change.change is Change.UNCHANGED and not self._unanswered:
            return ()
        self._unanswered = False
        for side in SIDES:
            path = _live(change, side).path
            self.legs[side] = replace(self.legs[side], peer_path=path)
        self.session.answer(plan.a, plan.b)
        return tuple(Unresolved(self.session, *name) for name in plan.unresolved)

    def close(self, reason: str, linger_seconds: float) -> None:
        """End the session; the ports stay leased until :meth:`release`."""
        self.session.close(reason, linger_seconds)

    def release(self) -> None:
        """Give the ports back; only when the engine has closed its listeners."""
        if self._leased:
            self._leased = False
            self._ports.free(self.legs)


def _live(change: SectionChange, side: Side) -> MsrpSection:
    said = change.of(side)
    if said is None:
        raise CommandError(f"section {change.index}: side {side} has not described it")
    return said


def _target(said: MsrpSection, role: Role, dialling: DialPolicy) -> tuple[Target, str | None]:
    """Whom to dial for a leg, and what is wrong with it.

    A target that must not be dialled is no error: the SIP server would forward the raw SDP.
    """
    if role is Role.ACCEPT:
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

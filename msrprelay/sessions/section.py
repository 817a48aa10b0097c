# cython: annotation_typing=False
"""One relayed section of a call: its ports, its policy, and its session in the engine."""

from __future__ import annotations

from typing import Self, TypeVar

from ..dataplane import LegAnswer, Session, Sources
from ..errors import CommandError
from ..net.dial import DialPolicy
from ..net.roles import Setup
from ..offer_answer.changes import CHANGED, UNCHANGED, SectionChange, other
from ..sdp.edit import SectionEdit
from ..words import Policy, Side
from .closed import LOST, AnySession, Closed, Find, Relayed, Report, unreported
from .legs import SIDES, Leg, Legs, Ports, restored_leg, saved_leg
from .plan import Name, Plan, Unresolved, described, make_plan, path_said
from .saved import SavedSection, saved_answers, saved_report

T = TypeVar("T")

# Why the control plane may end a session, as the engine knows it.
CLOSE_REASONS = frozenset({"deleted", "drained", "final-timeout", "offer-timeout", "terminated"})


class Section:
    """A section's ports are its own from its first offer to the end of the call.

    ``session`` is the one in force in the engine. It may end earlier (a leg was lost) and be opened
    again on the same ports by a later offer. Where bytes pass untouched, a peer with another path
    means two new connections: then a ``successor`` listens beside the joined session, is answered
    in its place, and the ``former`` one goes on until the new one is joined.
    """

    def __init__(
        self,
        index: int,
        policy: Policy,
        session: AnySession,
        legs: Legs,
        ports: Ports,
        *,
        tos: int | None = None,
        idle_seconds: float | None = None,
    ) -> None:
        """``session`` listens on the ports of ``legs``, which are leased."""
        self.index = index
        self.policy: Policy = policy
        self._ports = ports
        self._tos = tos
        self._idle_seconds = idle_seconds
        self.session, self.legs = session, legs
        self.successor: AnySession | None = None
        self.former: AnySession | None = None
        # Bytes move in the session in force.
        self.joined = False
        # Both legs were lost, and the engine listens for peers that come again by themselves.
        self.waiting = False
        # Neither peer is read, by order of the SIP side.
        self.paused = False
        # Why the engine ended the session, once it has.
        self.reason: str | None = None
        # The same of the session before, after which an offer, still unanswered, opened this one.
        self._revived_after: str | None = None
        # What went through sessions before the one in force.
        self.earlier = Relayed()
        self._expected: dict[Side, Sources] = {side: self.legs[side].sources for side in SIDES}
        self._leased = True
        # Replaced, and told to end.
        self._draining: dict[int, AnySession] = {}
        # The engine's sessions that hold ports of ours.
        self._alive: tuple[int, ...] = (self.session.id,)
        # No answer has reached the engine's present session.
        self._unanswered = True
        # Whose peers are let in before their answers.
        self._asked: tuple[Side, ...] = ()
        # The last answer it was given, with the names that had to be looked up.
        self._answers: tuple[LegAnswer, LegAnswer] | None = None
        self._names: tuple[Name, ...] = ()

    @classmethod
    def open(
        cls,
        index: int,
        policy: Policy,
        legs: Legs,
        ports: Ports,
        *,
        tos: int | None,
        idle_seconds: float | None,
    ) -> Self:
        """Lease ports and listen. Raises CommandError, see :meth:`Ports.open`."""
        session, leased = ports.open(policy, legs, tos=tos, idle_seconds=idle_seconds)
        return cls(index, policy, session, leased, ports, tos=tos, idle_seconds=idle_seconds)

    @property
    def unanswered(self) -> bool:
        """Whether nobody can have a connection yet."""
        return self._unanswered

    @property
    def over(self) -> bool:
        """Whether the engine has ended the session."""
        return self.reason is not None

    @property
    def alive(self) -> frozenset[int]:
        """The engine's sessions that hold ports of the section."""
        return frozenset(self._alive)

    @property
    def idle(self) -> bool:
        """Whether nothing in the engine holds the ports any more."""
        return not self._alive

    def ready(self, change: SectionChange) -> Session | None:
        """Listen again, if the peers may come again; they find the same ports and URIs.

        Gives the session that was opened, if one was. Raises CommandError.
        """
        if self.over:
            self.earlier.add(self.session.report())
            self.session = self._reopen(self.legs)
            self._revived_after, self.reason = self.reason, None
            self._unanswered = True
            self._answers = None
            return self.session
        if not self._needs_successor(change):
            return None
        self.successor = self._reopen(
            {
                side: leg.facing(path_said(change, side), leg.sources)
                for side, leg in self.legs.items()
            }
        )
        return self.successor

    def abandon(self) -> None:
        """No answer is coming for what an offer has opened."""
        self._drop_successor()
        if self._revived_after is not None and not self.over:
            self.session.close("deleted", 0.0)

    def _drop_successor(self) -> None:
        if self.successor is not None:
            self.successor.close("deleted", 0.0)
            self.successor = None

    def _needs_successor(self, change: SectionChange) -> bool:
        return (
            self.policy != "aware"
            and self.joined
            and self.successor is None
            and change.change is CHANGED
        )

    def _reopen(self, legs: Legs) -> Session:
        session: Session = self._ports.reopen(
            self.policy, legs, tos=self._tos, idle_seconds=self._idle_seconds
        )
        self._alive += (session.id,)
        if self.paused:
            session.pause(True)
        return session

    def edit(self, leg: Leg, setup: Setup, mark: str) -> SectionEdit:
        """How the section reads for the peer of ``leg``: our address in the sender's place."""
        return SectionEdit(
            self.policy, leg.family, leg.host, leg.port, setup, leg.session_id, None, mark
        )

    def expect(self, side: Side, sources: Sources) -> None:
        """Where the connections of a side may come from once its offer has been answered."""
        self._expected[side] = sources

    def plan(
        self,
        change: SectionChange,
        offerer: Side,
        told: Setup | None,
        dialling: DialPolicy,
        sources: Sources,
        host: str | None,
    ) -> Plan:
        """What an answer makes of the section; ``sources`` are the answerer's.

        The offerer is told to dial ``host``, if it has not been told where to before. Raises
        CommandError, changes nothing.
        """
        near = before = self.legs[offerer]
        if host is not None and self._unanswered:
            near = before.told(host)
        own_uri = None if near is before else near.uri().encode()
        allowed = {offerer: self._expected[offerer], other(offerer): sources}
        return make_plan(change, offerer, self.policy, told, dialling, allowed, near, own_uri)

    def answer(self, change: SectionChange, offerer: Side, plan: Plan) -> tuple[Unresolved, ...]:
        """Carry a plan out; gives the names that are still to be resolved.

        An unchanged section keeps its connections whatever a=setup says (RFC 4975 section 5.4).
        """
        # While it waits an answer is about new connections, whatever it changes.
        kept = not self._unanswered and not self.waiting
        if change.change is UNCHANGED and kept:
            self._drop_successor()
            return ()
        self._unanswered = self.waiting = False
        self._revived_after = None
        self.legs[offerer] = plan.near
        for side in SIDES:
            told = plan.a if side == "a" else plan.b
            leg, said = self.legs[side], described(change, side)
            self.legs[side] = leg.facing(said.path, told.sources)
            self._expected[side] = told.sources
        if self.successor is not None:
            self.session, self.former, self.successor = self.successor, self.session, None
            self.joined = False
        self._answers, self._names = (plan.a, plan.b), plan.unresolved
        return self._tell()

    def ask(self, side: Side) -> None:
        """The peer of a side has a re-offer: it may come anew before its answer has."""
        # Whether it has joined the engine knows best.
        if self.policy == "aware" and not self._unanswered:
            self._asked = SIDES if other(side) in self._asked else (side,)
            self.session.reoffer(side)

    def settle(self, side: Side) -> None:
        """The re-offer is over: if it has not moved the peer, nobody is let in any more."""
        if side in self._asked:
            self._asked = _without(self._asked, side)
            self.session.settle(side)

    def pause(self, paused: bool) -> None:
        """Have nothing read from either peer, or go on."""
        self.paused = paused
        for session in (self.session, self.former):
            if session is not None:
                session.pause(paused)

    def tell_again(self, linger_seconds: float) -> tuple[Unresolved, ...]:
        """Tell the engine what it was told last, which does nothing where it has heard it."""
        self.pause(self.paused)
        for session in self._draining.values():
            session.close("deleted", linger_seconds)
        return self._tell()

    def _tell(self) -> tuple[Unresolved, ...]:
        if self._answers is None:
            return ()
        self.session.answer(*self._answers)
        return tuple(Unresolved(self.session, *name) for name in self._names)

    def has_joined(self, session: int, linger_seconds: float) -> None:
        """The engine has joined a session; the one before it may go."""
        if session == self.session.id:
            self.joined, self.waiting = True, False
            if self.former is not None:
                self.former.close("deleted", linger_seconds)
                self._draining[self.former.id] = self.former
                self.former = None

    def has_lost(self, session: int) -> None:
        """Both legs of a session are gone; it waits for its peers, or for new SDP."""
        if session == self.session.id:
            self.joined, self.waiting = False, True

    def has_closed(self, session: int, reason: str) -> bool:
        """The engine has closed a session; gives whether the one before it goes on in its place."""
        self._alive = _without(self._alive, session)
        if self.former is not None and session == self.former.id:
            self._draining[session], self.former = self.former, None
        drained = self._draining.pop(session, None)
        if drained is not None:
            self.earlier.add(drained.report())
        elif self.successor is not None and session == self.successor.id:
            self.successor = None
        elif session == self.session.id:
            self.joined = self.former is not None
            if self.former is not None:
                self.session, self.former = self.former, None
                return True
            self.reason = self._revived_after or reason
        return False

    def uproot(self) -> None:
        """Nothing of the engine's has survived."""
        self.successor = self.former = None
        self._draining.clear()
        self._alive = ()
        self.joined = self.waiting = False

    def listen_again(self) -> None:
        """Begin anew on the same ports, what was committed in force again. Raises CommandError.

        Then the section is over.
        """
        try:
            self.session = self._reopen(self.legs)
        except CommandError:
            self.reason = LOST
            raise

    def saved(self) -> SavedSection:
        """Everything about the section, as plain data."""
        a, b = (saved_leg(self.legs[side], self._expected[side]) for side in SIDES)
        return SavedSection(
            self.index,
            self.policy,
            self._tos,
            self._idle_seconds,
            (a, b),
            self.session.id,
            None if self.successor is None else self.successor.id,
            None if self.former is None else self.former.id,
            list(self._draining),
            list(self._alive),
            self._unanswered,
            self.waiting,
            self.reason,
            self.earlier.saved(),
            saved_answers(self._answers),
            list(self._names),
            None if self.session.id in self._alive else saved_report(self.session.report()),
            self.paused,
            self._revived_after,
        )

    @classmethod
    def restored(cls, saved: SavedSection, ports: Ports, find: Find) -> Self:
        """The section that was :meth:`saved`; ``find`` gives what there is of its sessions.

        Its ports are to be leased. Raises ConfigError.
        """
        legs = dict(zip(SIDES, map(restored_leg, saved.legs), strict=True))

        def session(number: int, report: Report | None = None) -> AnySession:
            return find(number) or Closed(number, report or unreported(legs, LOST))

        section = cls(
            saved.index,
            saved.policy,
            session(saved.session, saved.report),
            legs,
            ports,
            tos=saved.tos,
            idle_seconds=saved.idle_seconds,
        )
        section.successor = None if saved.successor is None else session(saved.successor)
        section.former = None if saved.former is None else session(saved.former)
        section._draining = {number: session(number) for number in saved.draining}
        section._alive = tuple(saved.alive)
        section._unanswered, section._revived_after = saved.unanswered, saved.revived_after
        # What the engine has heard of re-offers is not known.
        section._asked = SIDES
        section.waiting, section.paused, section.reason = saved.waiting, saved.paused, saved.reason
        section.earlier = Relayed(*saved.earlier)
        section._expected = {s: leg.expected for s, leg in zip(SIDES, saved.legs, strict=True)}
        section._names, section._answers = tuple(saved.unresolved), saved.answered()
        return section

    def close(self, reason: str, linger_seconds: float) -> None:
        """End the session; the ports stay leased until :meth:`release`."""
        self._drop_successor()
        if reason not in CLOSE_REASONS:
            # The call ends for what happened to another session of its.
            reason = "deleted"
        for session in (self.session, self.former):
            if session is not None and session.id in self._alive:
                session.close(reason, linger_seconds)

    def rest(self) -> None:
        """Listen no more, on ports that stay its own: another fork may want it."""
        if not self.over:
            self.close("deleted", 0.0)
            self.reason = "deleted"

    def release(self) -> None:
        """Give the ports back; only when the engine has closed its listeners."""
        # What is left explains an ended call: no engine is told anything any more.
        self._answers, self._names = None, ()
        if self._leased:
            self._leased = False
            self._ports.free(self.legs)


def _without(items: tuple[T, ...], gone: T) -> tuple[T, ...]:
    """Tuples, as the empty one takes no memory: thousands of sections are remembered."""
    at = items.index(gone) if gone in items else len(items)
    return items[:at] + items[at + 1 :]

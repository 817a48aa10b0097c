# cython: annotation_typing=False
"""One branch of a call: its offers and answers, carried out on its sections."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ..commands import Answer, Offer, SdpRequest, SourceRule
from ..dataplane import Sources
from ..errors import CommandError
from ..net.roles import ACTPASS, Setup
from ..offer_answer.changes import CLOSED, SectionChange, other
from ..offer_answer.decisions import Committed, Offered, RolledBack
from ..offer_answer.negotiation import Negotiation
from ..offer_answer.saved import Saved, octets
from ..sdp.description import Description, parse
from ..sdp.edit import SectionEdit
from ..sdp.msrp_section import MsrpSection
from ..words import Policy, Side
from .closed import AnySession, Find
from .legs import SIDES, Leg, Ports
from .plan import Plan, Unresolved, described
from .rewritten import Denial, Rewritten, repeated
from .rules import Rules
from .saved import SavedBranch
from .section import Section
from .session_level import SessionLevel
from .terms import (
    choose_legs,
    choose_policy,
    expected_sources,
    source_rule,
    terms,
    unserved,
)


class TooManySections(CommandError):
    """One call-id must not take the whole relay."""

    def __init__(self, most: int) -> None:
        super().__init__(f"more than {most} MSRP sections in this call")


class Attempt:
    """What has been opened for a reply that may still be refused."""

    __slots__ = ("expected", "opened", "renewed")

    def __init__(self) -> None:
        self.opened: list[Section] = []
        self.renewed: list[Section] = []
        self.expected: list[tuple[Section, Side, Sources]] = []


class Branch:
    """Sections and negotiation of one fork; a call without via-branches has one."""

    def __init__(
        self,
        rules: Rules,
        ports: Ports,
        watch: Callable[[Section, AnySession], None],
        retire: Callable[[Section, str, float], None],
    ) -> None:
        """``watch`` hears of every engine session that was opened, ``retire`` ends a section."""
        self.sections: dict[int, Section] = {}
        # A restored branch reads its negotiation when it is asked for.
        self._negotiation = Negotiation(rules.offer_timeout)
        self._unread: SavedBranch | None = None
        self._shift = 0.0
        self._rules = rules
        self._ports = ports
        self._watch = watch
        self._retire = retire
        self._level = SessionLevel()
        # By what the connections of a side are judged, as far as it has been said.
        self._source_rules: dict[Side, SourceRule] = {}
        # What the next answer makes of the traffic, if an offer has said it.
        self._pauses: bool | None = None

    def negotiation(self) -> Negotiation:
        """Its offers and answers."""
        if self._unread is not None:
            self._read(self._unread)
        return self._negotiation

    def deadline(self) -> float | None:
        """When its oldest offer has waited too long, if one waits."""
        if self._unread is None:
            return self._negotiation.deadline()
        then = self._unread.deadline
        return None if then is None else then + self._shift

    def saved(self, key: str | None) -> SavedBranch:
        """Everything about the branch, as plain data; ``key`` is its via-branch."""
        if self._unread is not None and self._shift:
            # Its times are another clock's.
            self._read(self._unread)
        unread = self._unread
        if unread is None:
            said = msgspec.Raw(msgspec.msgpack.encode(self._negotiation.saved()))
        else:
            said = unread.negotiation
        return SavedBranch(
            None if key is None else octets(key),
            self.deadline(),
            self._negotiation.condemned if unread is None else unread.condemned,
            [section.saved() for section in self.sections.values()],
            self._level.versions,
            said,
            self._pauses,
            self._source_rules,
            self._level.addresses,
        )

    def restore(self, saved: SavedBranch, find: Find, shift: float) -> None:
        """Become the branch that was :meth:`saved`; ``find`` knows its sessions.

        ``shift`` is added to every time. Raises ConfigError.
        """
        for each in saved.sections:
            self.sections[each.index] = Section.restored(each, self._ports, find)
        self._level.versions, self._level.addresses = saved.versions, saved.addresses
        self._source_rules, self._pauses = saved.source_rules, saved.pauses
        self._unread, self._shift = saved, shift

    def _read(self, saved: SavedBranch) -> None:
        said = msgspec.msgpack.decode(saved.negotiation, type=Saved)
        self._negotiation = Negotiation.restored(said, _parse, self._shift)
        self._unread = None

    @property
    def joined(self) -> bool:
        """Whether bytes move in every section that both sides want."""
        committed = self.negotiation().committed
        live = () if committed is None else committed.live
        return all(self.sections[index].joined for index in live if index in self.sections)

    def offer(self, now: float, request: Offer, description: Description, room: int) -> Rewritten:
        """Rewrite an offer, listening before the reply leaves. ``room``: sections it may add.

        Raises CommandError; then nothing has changed.
        """
        decision = self.negotiation().offer(
            now, description, request.from_tag, request.to_tag, terms(request)
        )
        if not isinstance(decision, Offered):
            return repeated(decision)
        return self._take_offer(decision, request, description, room)

    def _take_offer(
        self, decision: Offered, request: Offer, description: Description, room: int
    ) -> Rewritten:
        attempt = Attempt()
        try:
            edits = self._offer_edits(decision, request, attempt, room)
            body = self._level.rewrite(request, description, other(decision.side), edits)
        except Exception:
            self._undo(attempt)
            raise
        self._negotiation.apply(decision, body)
        for section, side, sources in attempt.expected:
            section.expect(side, sources)
        self._ask(other(decision.side))
        for section in attempt.opened:
            # A section that begins again, with another policy, takes its own place.
            self._let_go(section.index)
            self.sections[section.index] = section
        self.release(decision.released)
        self._pauses = pauses(request, self._pauses)
        self._remember_rule(decision.side, request)
        return Rewritten(body, unserved(request, edits))

    def answer(self, now: float, request: Answer, description: Description) -> Rewritten:
        """Rewrite an answer and commit it. Raises CommandError; then nothing has changed."""
        decision = self.negotiation().answer(
            now, description, request.from_tag, request.to_tag or "", terms(request)
        )
        if not isinstance(decision, Committed):
            return repeated(decision)
        return self._take_answer(decision, request, description)

    def _take_answer(
        self, decision: Committed, request: Answer, description: Description
    ) -> Rewritten:
        attempt = Attempt()
        try:
            plans = self._plans(decision, request, attempt)
            mark = self._mark(request)
            edits: dict[int, SectionEdit] = {}
            for section, _, plan in plans:
                edits[section.index] = section.edit(plan.near, plan.setup, mark)
            if not edits:
                self._know_address(decision.offerer)
            body = self._level.rewrite(request, description, decision.offerer, edits)
        except Exception:
            self._undo(attempt)
            raise
        self._negotiation.apply(decision, body)
        for section in attempt.opened:
            self.sections[section.index] = section
        for index in self._negotiation.unclaimed:
            self.sections[index].rest()
        unresolved: list[Unresolved] = []
        denied: list[Denial] = []
        for section, change, plan in plans:
            unresolved += section.answer(change, decision.offerer, plan)
            denied += [Denial(section.index, *denial) for denial in plan.denied]
        self._settle(other(decision.offerer))
        self.release(decision.released)
        self._pause(pauses(request, self._pauses))
        self._remember_rule(other(decision.offerer), request)
        return Rewritten(body, unserved(request, edits), tuple(denied), tuple(unresolved))

    def _know_address(self, side: Side) -> None:
        """An answer that refuses every section hides the answerer as any other does."""
        for section in self.sections.values():
            self._level.know(side, section.legs[side])

    def rolled_back(self, decision: RolledBack) -> None:
        """Give up what was opened for the offer that is gone."""
        self.release(decision.released)
        self._settle(other(decision.side))
        if all(self.negotiation().pending(side) is None for side in SIDES):
            self._pauses = None
            for section in self.sections.values():
                section.abandon()

    def ask_again(self) -> None:
        """Tell the engine whose peers have a re-offer: it may have heard too little or too much."""
        pending = self.deadline() is not None
        for side in SIDES:
            if pending and self.negotiation().pending(side) is not None:
                self._ask(other(side))
            else:
                self._settle(other(side))

    def _ask(self, side: Side) -> None:
        for section in self.sections.values():
            section.ask(side)

    def _settle(self, side: Side) -> None:
        for section in self.sections.values():
            section.settle(side)

    def release(self, indices: tuple[int, ...]) -> None:
        """End the sections that nobody asks for any more."""
        for index in indices:
            self._let_go(index)

    def _let_go(self, index: int) -> None:
        section = self.sections.pop(index, None)
        if section is not None:
            self._retire(section, "deleted", 0.0)

    def _pause(self, paused: bool | None) -> None:
        self._pauses = None
        if paused is not None:
            for section in self.sections.values():
                section.pause(paused)

    def _offer_edits(
        self, decision: Offered, request: Offer, attempt: Attempt, room: int
    ) -> dict[int, SectionEdit]:
        edits: dict[int, SectionEdit] = {}
        setup = Setup(request.setup) if request.setup else ACTPASS
        mark = self._mark(request)
        for change in decision.sections:
            if change.change is CLOSED:
                continue
            section = self.sections.get(change.index)
            if section is None or self._other_policy(section, change, decision.side, request):
                if len(attempt.opened) >= room:
                    raise TooManySections(self._rules.sections_per_call)
                section = self._open(change, decision.side, decision.side, request, attempt)
            else:
                said = described(change, decision.side)
                rule = self._source_rule(decision.side, request)
                sources = expected_sources(rule, request, said)
                attempt.expected.append((section, decision.side, sources))
                self._ready(section, change, attempt)
            leg = section.legs[other(decision.side)]
            edits[change.index] = section.edit(leg, setup, mark)
        return edits

    def _open(
        self,
        change: SectionChange,
        offerer: Side,
        sender: Side,
        request: SdpRequest,
        attempt: Attempt,
    ) -> Section:
        said, rule = described(change, sender), self._source_rule(sender, request)
        legs = choose_legs(request, said, sender, self._rules.interfaces, rule)
        section = Section.open(
            change.index,
            self._policy(request, described(change, offerer), legs[offerer]),
            legs,
            self._ports,
            tos=request.tos,
            idle_seconds=self._rules.idle if request.idle is None else float(request.idle) or None,
        )
        if sender != offerer:
            known: SourceRule = "any" if rule == "any" else "sdp"
            section.expect(offerer, expected_sources(known, request, described(change, offerer)))
        self._watch(section, section.session)
        attempt.opened.append(section)
        return section

    def _other_policy(
        self, section: Section, change: SectionChange, offerer: Side, request: SdpRequest
    ) -> bool:
        """Whether an offer that nobody has answered is made again for another policy.

        After an answer that cannot follow cema the offerer comes again without (RFC 6714 4.2).
        """
        said = described(change, offerer)
        return section.unanswered and section.policy != self._policy(
            request, said, section.legs[offerer]
        )

    def _policy(self, request: SdpRequest, said: MsrpSection, near: Leg) -> Policy:
        default = self._rules.policies.get(near.interface.name, "aware")
        return choose_policy(request.policy or default, said)

    def _ready(self, section: Section, change: SectionChange, attempt: Attempt) -> None:
        session = section.ready(change)
        if session is not None:
            self._watch(section, session)
            attempt.renewed.append(section)

    def _plans(
        self, decision: Committed, request: Answer, attempt: Attempt
    ) -> list[tuple[Section, SectionChange, Plan]]:
        plans: list[tuple[Section, SectionChange, Plan]] = []
        told = Setup(request.setup) if request.setup else None
        answerer = other(decision.offerer)
        for change in decision.sections:
            if change.change is CLOSED:
                continue
            section = self.sections.get(change.index)
            if section is None:
                # No fork had claimed it in its time, its ports are gone: it begins again here.
                section = self._open(change, decision.offerer, answerer, request, attempt)
            rule = self._source_rule(answerer, request)
            sources = expected_sources(rule, request, described(change, answerer))
            plan = section.plan(
                change,
                decision.offerer,
                told,
                self._rules.dialling,
                sources,
                request.media_address,
            )
            self._ready(section, change, attempt)
            plans.append((section, change, plan))
        return plans

    def _source_rule(self, side: Side, request: SdpRequest) -> SourceRule:
        """The message's own rule, else what was said for its sender before, or for its peer."""
        said = source_rule(request) or self._source_rules.get(side)
        if said is not None:
            return said
        peers = self._source_rules.get(other(side), "any")
        return "sdp" if peers == "sip" and request.received_from is None else peers

    def _remember_rule(self, side: Side, request: SdpRequest) -> None:
        said = source_rule(request)
        if said is not None:
            self._source_rules[side] = said

    def _mark(self, request: SdpRequest) -> str:
        return self._rules.mark if "loop-protect" in request.flags else ""

    def _undo(self, attempt: Attempt) -> None:
        for section in attempt.opened:
            self._retire(section, "deleted", 0.0)
        for section in attempt.renewed:
            section.abandon()


def _parse(body: bytes) -> Description:
    """A body that was taken before, whatever the limits are now."""
    return parse(body, len(body), len(body))


def pauses(request: SdpRequest, before: bool | None) -> bool | None:
    """What ``drop-traffic`` asks for: a stream cannot lose bytes, they wait with their sender."""
    return before if request.drop_traffic is None else request.drop_traffic == "start"

"""One branch of a call: its offers and answers, carried out on its sections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ..commands import Answer, Offer, SdpRequest
from ..dial import DialPolicy
from ..errors import CommandError
from ..interfaces import Interfaces
from ..offer_answer import (
    Change,
    Committed,
    Negotiation,
    Offered,
    Refused,
    Repeat,
    SectionChange,
    Side,
    other,
)
from ..roles import Setup
from ..sdp import Description, Policy, SectionEdit
from .legs import Ports
from .section import Plan, Section, Unresolved
from .terms import choose_legs, choose_policy


@dataclass(frozen=True, slots=True)
class Rules:
    """What the daemon's configuration says about every call; seconds throughout."""

    interfaces: Interfaces
    dialling: DialPolicy
    # By interface name, where an offer does not say msrp-path.
    policies: Mapping[str, Policy]
    offer_timeout: float
    delete_delay: float
    reconnect_window: float
    idle: float | None
    final: float | None
    sections_per_call: int
    # Bounds on one SDP: octets and m= lines.
    sdp_size: int
    sdp_sections: int


class TooManySections(CommandError):
    """One call-id must not take the whole relay."""

    def __init__(self, most: int) -> None:
        super().__init__(f"more than {most} MSRP sections in this call")


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The body to reply with; ``unresolved`` names are still to be looked up."""

    body: bytes
    warnings: tuple[str, ...] = ()
    unresolved: tuple[Unresolved, ...] = ()


class Branch:
    """Sections and negotiation of one fork; a call without via-branches has one."""

    def __init__(
        self,
        rules: Rules,
        ports: Ports,
        watch: Callable[[Section], None],
        retire: Callable[[Section, str, float], None],
    ) -> None:
        """``watch`` hears of every engine session that was opened, ``retire`` ends a section."""
        self.negotiation = Negotiation(rules.offer_timeout)
        self.sections: dict[int, Section] = {}
        self._rules = rules
        self._ports = ports
        self._watch = watch
        self._retire = retire

    def offer(self, now: float, request: Offer, description: Description, room: int) -> Rewritten:
        """Rewrite an offer, listening before the reply leaves. ``room``: sections it may add.

        Raises CommandError; then nothing has changed.
        """
        decision = self.negotiation.offer(
            now, description, request.from_tag, request.to_tag, terms(request)
        )
        if isinstance(decision, Refused):
            raise CommandError(decision.reason)
        if isinstance(decision, Repeat):
            return Rewritten(decision.reply)
        opened: list[Section] = []
        try:
            edits = dict(self._offer_edits(decision, request, opened, room))
            body = description.rewrite(edits)
        except Exception:
            for section in opened:
                self._retire(section, "deleted", 0.0)
            raise
        self.negotiation.apply(decision, body)
        self.sections.update((section.index, section) for section in opened)
        self.release(decision.released)
        return Rewritten(body)

    def answer(self, now: float, request: Answer, description: Description) -> Rewritten:
        """Rewrite an answer and commit it. Raises CommandError; then nothing has changed."""
        decision = self.negotiation.answer(
            now, description, request.from_tag, request.to_tag or "", terms(request)
        )
        if isinstance(decision, Refused):
            raise CommandError(decision.reason)
        if isinstance(decision, Repeat):
            return Rewritten(decision.reply)
        plans = list(self._plans(decision, request))
        edits = {s.index: s.edit(decision.offerer, plan.setup) for s, _, plan in plans}
        body = description.rewrite(edits)
        self.negotiation.apply(decision, body)
        unresolved = [name for s, change, plan in plans for name in s.answer(change, plan)]
        self.release(decision.released)
        warnings = [warning for *_, plan in plans for warning in plan.warnings]
        return Rewritten(body, tuple(warnings), tuple(unresolved))

    def release(self, indices: tuple[int, ...]) -> None:
        """End the sections that nobody asks for any more."""
        for index in indices:
            section = self.sections.pop(index, None)
            if section is not None:
                self._retire(section, "deleted", 0.0)

    def _offer_edits(
        self, decision: Offered, request: Offer, opened: list[Section], room: int
    ) -> Iterator[tuple[int, SectionEdit]]:
        setup = Setup(request.setup or Setup.ACTPASS)
        for change in decision.sections:
            if change.change is Change.CLOSED:
                continue
            section = self.sections.get(change.index)
            if section is None:
                if len(opened) >= room:
                    raise TooManySections(self._rules.sections_per_call)
                section = self._open(change, decision.side, request)
                opened.append(section)
            elif section.revive():
                self._watch(section)
            yield change.index, section.edit(other(decision.side), setup)

    def _open(self, change: SectionChange, offerer: Side, request: SdpRequest) -> Section:
        said = change.of(offerer)
        if said is None:
            raise CommandError(f"section {change.index}: side {offerer} has not described it")
        legs = choose_legs(request, said, offerer, self._rules.interfaces)
        default = self._rules.policies.get(legs[offerer].interface.name, "aware")
        section = Section(
            change.index,
            choose_policy(request.policy or default, said),
            legs,
            self._ports,
            tos=request.tos,
            idle_seconds=self._rules.idle if request.idle is None else float(request.idle) or None,
        )
        self._watch(section)
        return section

    def _plans(
        self, decision: Committed, request: Answer
    ) -> Iterator[tuple[Section, SectionChange, Plan]]:
        told = Setup(request.setup) if request.setup else None
        for change in decision.sections:
            if change.change is Change.CLOSED:
                continue
            section = self.sections.get(change.index)
            if section is None:
                # Only another fork had it: its ports are gone, so it begins again here.
                section = self._open(change, decision.offerer, request)
                self.sections[change.index] = section
            plan = section.plan(change, decision.offerer, told, self._rules.dialling)
            if section.revive():
                self._watch(section)
            yield section, change, plan


def terms(request: SdpRequest) -> str:
    """The options that shape the reply: with the body they tell a repeat from a change."""
    return repr(
        (
            request.policy,
            request.setup,
            request.from_interface,
            request.to_interface,
            request.media_address,
            request.address_family,
        )
    )

"""The table of calls: commands come in, calls live and end. Names no transport."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol

import structlog

from ..commands import Answer, Delete, List, Offer, Query, Reply, SdpRequest, Terminate
from ..dataplane import Notice
from ..dial import Address
from ..errors import CommandError, SdpError
from ..offer_answer import Ended, RolledBack, live_sections
from ..offer_answer.negotiation import UNKNOWN_CALL, UNMATCHED
from ..sdp import Description, parse
from .branch import Branch, Rewritten, Rules, TooManySections
from .call import Call
from .legs import PARALLEL_LIMIT, Ports
from .report import describe
from .section import Section, Unresolved

log = structlog.get_logger(__name__)

# Ended calls that can still be explained; the oldest are forgotten first.
REMEMBERED_CALLS = 256

Resolve = Callable[[str, int], Awaitable[list[Address]]]


class Scheduler(Protocol):
    """The clock and timers of an event loop; tests have a virtual one."""

    def time(self) -> float:
        """Seconds of a monotonic clock."""

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back at ``when``; gives what cancels it."""

    def spawn(self, work: Awaitable[None]) -> None:
        """Run ``work`` beside everything else."""


class Sessions:
    """All calls: what the SIP side asks of them, and what happens to them by itself."""

    def __init__(
        self,
        rules: Rules,
        ports: Ports,
        scheduler: Scheduler,
        resolve: Resolve,
        *,
        max_sessions: int,
    ) -> None:
        """``max_sessions``: sections relayed at once."""
        self._rules = rules
        self._ports = ports
        self._scheduler = scheduler
        self._resolve = resolve
        self._max_sessions = max_sessions
        self._calls: dict[str, Call] = {}
        self._ended: OrderedDict[str, Call] = OrderedDict()
        # Which section an engine session belongs to, until the engine has closed it.
        self._owners: dict[int, tuple[Call, Section]] = {}
        self._drained: Callable[[], None] | None = None
        self.counts: Counter[str] = Counter()

    # What the SIP side asks.

    def offer(self, request: Offer) -> Reply:
        """Rewrite an offer, its listeners open before the reply leaves."""
        description = self._parse(request)
        call = self._calls.get(request.call_id)
        if not request.relay or (call is None and not live_sections(description)):
            return _untouched(description)
        branch = call.branch_of(request) if call is not None else None
        if branch is None:
            self._admit()
        fresh = call is None
        call = call or self._call(request.call_id)
        branch = branch or self._branch(call)
        room = self._rules.sections_per_call - sum(1 for _ in call.sections())
        try:
            rewritten = branch.offer(self._scheduler.time(), request, description, room)
        except TooManySections:
            self.counts["refused-sessions-per-call"] += 1
            raise
        if branch not in call.branches.values():
            call.branches[request.via_branch] = branch
        if fresh:
            self._calls[call.call_id] = call
            self._ended.pop(call.call_id, None)
            self.counts["calls-begun"] += 1
        return self._reply(call, request, description, rewritten)

    def answer(self, request: Answer) -> Reply:
        """Rewrite the answer and commit both."""
        description = self._parse(request)
        call = self._calls.get(request.call_id)
        if not request.relay or (call is None and not live_sections(description)):
            return _untouched(description)
        branch = call.branch_to_answer(request) if call is not None else None
        if call is None or branch is None:
            raise CommandError(UNKNOWN_CALL)
        rewritten = branch.answer(self._scheduler.time(), request, description)
        return self._reply(call, request, description, rewritten)

    def delete(self, request: Delete) -> Reply:
        """End a call or a branch of it, or roll a pending re-offer back."""
        call = self._calls.get(request.call_id)
        delay = self._rules.delete_delay if request.delay is None else float(request.delay)
        decisions = [] if call is None else [*self._delete_branches(call, request, delay)]
        if call is None or not decisions:
            if "fatal" in request.flags:
                raise CommandError(UNMATCHED)
            return {"warning": UNMATCHED}
        reply = describe(call)
        if any(isinstance(decision, RolledBack) for decision in decisions):
            reply["warning"] = "pending offer rolled back"
        if not call.branches:
            self._end(call, "deleted")
        else:
            self._arm(call)
        return reply

    def query(self, request: Query) -> Reply:
        """One call in rtpengine's layout, with the relay's own detail under ``msrp``."""
        call = self._calls.get(request.call_id)
        if call is None and request.ended:
            call = self._ended.get(request.call_id)
        if call is None:
            raise CommandError(UNKNOWN_CALL)
        return describe(call)

    def list(self, request: List) -> Reply:
        """Call-ids, oldest first."""
        return {"calls": list(self._calls)[: request.limit]}

    def terminate(self, request: Terminate) -> Reply:
        """End one call, or all of them, at once."""
        if request.call_id is not None and request.call_id not in self._calls:
            raise CommandError(UNKNOWN_CALL)
        chosen = [request.call_id] if request.call_id is not None else list(self._calls)
        for call_id in chosen:
            self._drop(self._calls[call_id], "terminated", 0.0)
        return {"terminated": len(chosen)}

    # What happens by itself.

    def notice(self, notice: Notice) -> None:
        """Take a notice of the engine."""
        owner = self._owners.get(notice.session)
        if owner is None:
            return
        call, section = owner
        log.info(
            f"session {notice.what}",
            call_id=call.call_id,
            section=section.index,
            side=notice.side,
            reason=notice.reason,
        )
        if notice.what == "closed":
            del self._owners[notice.session]
            self._closed(call, section, notice)
            self._tell_drained()

    def reload(self, rules: Rules, max_sessions: int) -> None:
        """New rules for new branches; those that exist keep theirs."""
        self._rules = rules
        self._max_sessions = max_sessions

    def drain(self, drained: Callable[[], None]) -> None:
        """Take no new calls; call back once the last one has ended."""
        self._drained = drained
        for call in list(self._calls.values()):
            # Nobody is waited for who has gone already.
            if call.expires is not None:
                call.expires = self._scheduler.time()
                self._arm(call)
        self._tell_drained()

    def end_all(self, reason: str) -> None:
        """End every call at once: the relay shuts down."""
        for call in list(self._calls.values()):
            self._drop(call, reason, 0.0)

    @property
    def live(self) -> int:
        """How many calls there are."""
        return len(self._calls)

    @property
    def draining(self) -> bool:
        """Whether new calls are refused because the relay is about to stop."""
        return self._drained is not None

    def figures(self) -> dict[str, object]:
        """Calls, sessions and ports, now and since the start."""
        return {
            "calls": len(self._calls),
            "sessions": len(self._owners),
            "sessions-max": self._max_sessions,
            "draining": int(self.draining),
            "ports": self._ports.figures(),
            **self.counts,
        }

    def _tell_drained(self) -> None:
        if self._drained is not None and not self._calls and not self._owners:
            self._drained()

    def _admit(self) -> None:
        if self.draining or len(self._owners) >= self._max_sessions:
            self.counts["refused-sessions"] += 1
            raise CommandError(PARALLEL_LIMIT)

    def _parse(self, request: SdpRequest) -> Description:
        try:
            return parse(request.sdp, self._rules.sdp_size, self._rules.sdp_sections)
        except SdpError as error:
            self.counts[f"refused-{error.rule}"] += 1
            log.warning("SDP refused", call_id=request.call_id, reason=str(error))
            raise CommandError("Failed to parse SDP") from error

    def _call(self, call_id: str) -> Call:
        call = Call(call_id, time.time())
        if self._rules.final is not None:
            call.final = self._scheduler.time() + self._rules.final
        return call

    def _branch(self, call: Call) -> Branch:
        return Branch(
            self._rules,
            self._ports,
            watch=lambda section: self._watch(call, section),
            retire=lambda section, reason, linger: self._retire(call, section, reason, linger),
        )

    def _reply(
        self, call: Call, request: SdpRequest, description: Description, done: Rewritten
    ) -> Reply:
        if request.label is not None:
            call.labels[request.from_tag] = request.label
        # A call that lost its legs has a new chance.
        call.expires = None
        self._arm(call)
        for name in done.unresolved:
            self._scheduler.spawn(self._look_up(call, name))
        return _with_warnings(done.body, [*done.warnings, *_passed_by(description)])

    async def _look_up(self, call: Call, name: Unresolved) -> None:
        addresses = await self._resolve(name.host, name.port)
        denials = [self._rules.dialling.denial(address, name.port) for address in addresses]
        allowed = [
            (str(address), name.port)
            for address, denial in zip(addresses, denials, strict=True)
            if denial is None
        ]
        if not allowed:
            why = next((denial for denial in denials if denial), "the name has no address")
            log.warning("dial-denied", call_id=call.call_id, side=name.side, reason=why)
        name.session.dial(name.side, allowed or None)

    def _watch(self, call: Call, section: Section) -> None:
        self._owners[section.session.id] = (call, section)

    def _retire(self, call: Call, section: Section, reason: str, linger: float) -> None:
        """The call does not need the section any more; its ports are free once it is closed."""
        call.past = [*call.past, section][-self._rules.sections_per_call :]
        if section.over:
            section.release()
            return
        call.leaving.append(section)
        section.close(reason, linger)

    def _delete_branches(
        self, call: Call, request: Delete, delay: float
    ) -> Iterator[RolledBack | Ended]:
        """Ask the branches that a delete means; those that end leave the call."""
        named = request.via_branch
        meant = [named] if named is not None and named in call.branches else list(call.branches)
        for key in meant:
            branch = call.branches[key]
            decision = branch.negotiation.delete(request.from_tag, request.to_tag)
            if isinstance(decision, RolledBack):
                branch.release(decision.released)
                yield decision
            elif isinstance(decision, Ended):
                self._leave(call, key, decision.reason, delay)
                yield decision

    def _leave(self, call: Call, key: str | None, reason: str, linger: float) -> None:
        for section in call.branches.pop(key).sections.values():
            self._retire(call, section, reason, linger)

    def _drop(self, call: Call, reason: str, linger: float) -> None:
        for key in list(call.branches):
            self._leave(call, key, reason, linger)
        self._end(call, reason)

    def _end(self, call: Call, reason: str) -> None:
        """The call is over for the SIP side; what is left of it in the engine drains."""
        del self._calls[call.call_id]
        call.ended = reason
        self._arm(call)
        self.counts[f"ended-{reason}"] += 1
        self._ended[call.call_id] = call
        if len(self._ended) > REMEMBERED_CALLS:
            self._ended.popitem(last=False)
        log.info("call ended", call_id=call.call_id, reason=reason)
        self._tell_drained()

    def _closed(self, call: Call, section: Section, notice: Notice) -> None:
        section.reason = notice.reason
        if section in call.leaving:
            call.leaving.remove(section)
            section.release()
        elif call.ended is None and all(each.over for each in call.sections()):
            # Nothing is relayed any more. A re-offer may bring it back; a delete may never come.
            condemned = any(branch.negotiation.condemned for branch in call.branches.values())
            window = 0.0 if condemned or self.draining else self._rules.reconnect_window
            call.expires = self._scheduler.time() + window
            self._arm(call)

    def _arm(self, call: Call) -> None:
        """Set the call's timer to its next deadline."""
        if call.cancel_timer is not None:
            call.cancel_timer()
            call.cancel_timer = None
        deadline = None if call.ended is not None else call.deadline()
        if deadline is not None:
            call.cancel_timer = self._scheduler.call_at(deadline, lambda: self._due(call))

    def _due(self, call: Call) -> None:
        call.cancel_timer = None
        now = self._scheduler.time()
        if call.final is not None and now >= call.final:
            self._drop(call, "final-timeout", 0.0)
            return
        if call.expires is not None and now >= call.expires:
            reasons = [section.reason for section in call.sections() if section.reason]
            self._drop(call, reasons[0] if reasons else "hangup", 0.0)
            return
        for key, branch in list(call.branches.items()):
            for decision in branch.negotiation.expire(now):
                if isinstance(decision, Ended):
                    self._leave(call, key, decision.reason, 0.0)
                else:
                    branch.release(decision.released)
        if call.branches:
            self._arm(call)
        else:
            self._end(call, "offer-timeout")


def _untouched(description: Description) -> Reply:
    return _with_warnings(description.body, [*_passed_by(description)])


def _with_warnings(body: bytes, warnings: list[str]) -> Reply:
    return {"sdp": body, "warning": "; ".join(warnings)} if warnings else {"sdp": body}


def _passed_by(description: Description) -> Iterator[str]:
    """What is said about MSRP sections that the relay leaves as they are."""
    for section in description.sections:
        if section.anchor and section.tls:
            yield f"section {section.index}: {section.proto} is not relayed, left untouched"
        elif section.problems and not section.anchor:
            yield f"section {section.index}: {', '.join(section.problems)}, left untouched"

# cython: annotation_typing=False
"""The calls there are: how they live, wait, and end by themselves."""

from __future__ import annotations

import time
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from ..dataplane import Notice
from ..events import Event, Feed
from ..log import Log
from ..offer_answer import Ended, Unclaimed
from .call import Call, earlier
from .closed import AnySession, Report
from .ledger import Ledger
from .rules import Rules
from .section import Section

log = Log()

# Ended calls that can still be explained; the oldest are forgotten first.
REMEMBERED_CALLS = 256


class Scheduler(Protocol):
    """The clock and timers of an event loop; tests have a virtual one."""

    def time(self) -> float:
        """Seconds of a monotonic clock."""

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back at ``when``; gives what cancels it."""

    def spawn(self, work: Awaitable[None]) -> None:
        """Run ``work`` beside everything else."""


class Calls:
    """All calls, by call-id, and which of them each session of the engine belongs to."""

    def __init__(self, rules: Rules, scheduler: Scheduler, feed: Feed, ledger: Ledger) -> None:
        """``ledger`` hears of everything that a process after this one must know."""
        self.rules = rules
        self.live: dict[str, Call] = {}
        self.ended: OrderedDict[str, Call] = OrderedDict()
        self.counts: defaultdict[str, int] = defaultdict(int)
        # How long those that have ended lasted, together.
        self.seconds = 0.0
        self._scheduler = scheduler
        self._feed = feed
        self._ledger = ledger
        # Until the engine has closed it.
        self._owners: dict[int, tuple[Call, Section]] = {}
        self._joined: set[int] = set()
        self._emptied: Callable[[], None] | None = None

    @property
    def sessions(self) -> int:
        """How many sessions the engine has."""
        return len(self._owners)

    @property
    def joined(self) -> int:
        """How many of them are joined."""
        return len(self._joined)

    def start(self, call_id: str) -> Call:
        """A new call, not among the others before it is :meth:`added <add>`."""
        call = Call(call_id, time.time())
        if self.rules.final is not None:
            call.final = self._scheduler.time() + self.rules.final
        return call

    def add(self, call: Call) -> None:
        """The call's first offer has been made."""
        self.live[call.call_id] = call
        self.ended.pop(call.call_id, None)
        self.counts["calls-begun"] += 1

    def take_over(self, call: Call) -> None:
        """A call of the process before this one, or what is left of one."""
        if call.over is None:
            self.live[call.call_id] = call
        for section in (*call.sections(), *call.leaving):
            self._owners.update((number, (call, section)) for number in section.alive)

    def owns(self, session: int) -> bool:
        """Whether a session of the engine belongs to a call."""
        return session in self._owners

    def make_up(self, session: int, report: Report) -> None:
        """Make up for notices that a process before this one may have had."""
        call, section = self._owners[session]
        state, connected = report["state"], all(leg["peer-address"] for leg in report["legs"])
        if state == "joined" or (state == "draining" and connected):
            self._joined.add(session)
            section.has_joined(session, self.rules.delete_delay)
        elif state == "reconnecting":
            section.has_lost(session)
        if state == "draining":
            self._lost(call, section)

    def record(self, call: Call) -> None:
        """Something about a call has changed that is to be remembered."""
        if self.live.get(call.call_id) is call:
            self._ledger.call(call)

    def watch(self, call: Call, section: Section, session: AnySession) -> None:
        """The engine has opened a session for the call."""
        self._owners[session.id] = (call, section)

    def retire(self, call: Call, section: Section, reason: str, linger: float) -> None:
        """The call does not need the section any more; its ports are free once it is closed."""
        call.past = [*call.past, section][-self.rules.sections_per_call :]
        if section.idle:
            section.release()
            return
        call.leaving.append(section)
        section.close(reason, linger)

    def leave(self, call: Call, key: str | None, reason: str, linger: float) -> None:
        """End one branch."""
        for section in call.leave(key).sections.values():
            self.retire(call, section, reason, linger)

    def drop(self, call: Call, reason: str, linger: float = 0.0) -> None:
        """End a call and every branch of it."""
        dialog = call.dialog()
        for key in list(call.branches):
            self.leave(call, key, reason, linger)
        self.end(call, reason, dialog)

    def end(self, call: Call, reason: str, dialog: tuple[str, str] | None) -> None:
        """The call is over for the SIP side; what is left of it in the engine drains."""
        del self.live[call.call_id]
        call.over = reason
        self.arm(call)
        self.counts[f"ended-{reason}"] += 1
        self.seconds += max(0.0, time.time() - call.created)
        self.ended[call.call_id] = call
        self._ledger.ended(call)
        if len(self.ended) > REMEMBERED_CALLS:
            self.ended.popitem(last=False)
        from_tag, to_tag = dialog or (None, None)
        self.tell("call-ended", call, reason=reason, from_tag=from_tag, to_tag=to_tag)
        self._tell_emptied()

    def condemned(self, call: Call) -> None:
        """A delete was taken for a rollback: end soon what may be over already."""
        if not all(branch.joined for branch in call.condemned()):
            call.expires = self._scheduler.time() + self.rules.delete_delay
        self.arm(call)

    def review(self, call: Call, *, waited: bool = False) -> None:
        """Give a call of which nothing is relayed any more its last chance; set its timer.

        A re-offer may bring it back; a delete may never come. ``waited``: so has the engine, and
        the time is over.
        """
        if call.over is None and call.spent():
            now_or_never = waited or self._emptied is not None or bool(call.condemned())
            window = 0.0 if now_or_never else self.rules.reconnect_window
            call.expires = earlier(call.expires, self._scheduler.time() + window)
        self.arm(call)

    def notice(self, notice: Notice) -> None:
        """Take a notice of the engine."""
        owner = self._owners.get(notice.session)
        if owner is None:
            return
        call, section = owner
        what = "session-closed" if notice.what == "closed" else notice.what
        self.tell(what, call, section=section.index, side=notice.side, reason=notice.reason)
        if notice.what == "joined":
            self._joined.add(notice.session)
            section.has_joined(notice.session, self.rules.delete_delay)
        elif notice.what == "leg-lost":
            self._lost(call, section)
        elif notice.what == "reconnecting":
            self._joined.discard(notice.session)
            section.has_lost(notice.session)
            if self._emptied is not None:
                section.close("drained", 0.0)
            self.record(call)
        elif notice.what == "closed":
            del self._owners[notice.session]
            self._joined.discard(notice.session)
            self._closed(call, section, notice)
            self._tell_emptied()

    def when_empty(self, emptied: Callable[[], None]) -> None:
        """Call back once the last call has ended and the engine has closed its sessions."""
        self._emptied = emptied
        for call in list(self.live.values()):
            # Nobody is waited for who has gone already.
            if call.expires is not None:
                call.expires = self._scheduler.time()
                self.arm(call)
            for section in call.sections():
                if section.waiting:
                    section.close("drained", 0.0)
        self._tell_emptied()

    def arm(self, call: Call) -> None:
        """Set the call's timer to its next deadline."""
        deadline = None if call.over is not None else call.deadline()
        if deadline == call.armed:
            return
        if call.cancel_timer is not None:
            call.cancel_timer()
            call.cancel_timer = None
        call.armed = deadline
        if deadline is not None:
            call.cancel_timer = self._scheduler.call_at(deadline, partial(self.due, call))

    def tell(
        self,
        event: str,
        call: Call,
        *,
        section: int | None = None,
        side: str | None = None,
        reason: str | None = None,
        from_tag: str | None = None,
        to_tag: str | None = None,
    ) -> None:
        """Log what happened to a call, and tell those who listen."""
        if log.informs:
            log.info(event, call_id=call.call_id, section=section, side=side, reason=reason)
        if self._feed.heard:
            self._feed.tell(
                Event(
                    event=event,
                    time=time.time(),
                    call_id=call.call_id,
                    section=section,
                    side=side,
                    reason=reason,
                    from_tag=from_tag,
                    to_tag=to_tag,
                    label=next(iter(call.labels.values()), None),
                    metadata=call.metadata,
                )
            )

    def _tell_emptied(self) -> None:
        if self._emptied is not None and not self.live and not self._owners:
            self._emptied()

    def _lost(self, call: Call, section: Section) -> None:
        """A leg of a condemned branch has gone: the delete was the BYE's."""
        if call.over is None and any(
            branch.sections.get(section.index) is section for branch in call.condemned()
        ):
            self.drop(call, "condemned", self.rules.delete_delay)

    def _closed(self, call: Call, section: Section, notice: Notice) -> None:
        reason = notice.reason or ""
        if section.has_closed(notice.session, reason):
            self.tell("replacement-failed", call, section=section.index, reason=reason)
        if section in call.leaving:
            if section.idle:
                call.leaving.remove(section)
                section.release()
        else:
            self.review(call, waited=section.waiting)
        self.record(call)

    def due(self, call: Call) -> None:
        """A deadline of the call has come."""
        call.cancel_timer = call.armed = None
        now = self._scheduler.time()
        if call.final is not None and now >= call.final:
            self.drop(call, "final-timeout")
        elif call.expires is not None and now >= call.expires:
            reasons = [section.reason for section in call.sections() if section.reason]
            unmarked = "condemned" if call.condemned() else "no-sections"
            self.drop(call, reasons[0] if reasons else unmarked)
        else:
            self._expire_offers(call, now)

    def _expire_offers(self, call: Call, now: float) -> None:
        for key, branch in list(call.branches.items()):
            for decision in branch.negotiation().expire(now):
                if isinstance(decision, Ended):
                    self.leave(call, key, decision.reason, 0.0)
                elif isinstance(decision, Unclaimed):
                    branch.release(decision.released)
                else:
                    branch.rolled_back(decision)
                    self.tell("rolled-back", call, side=decision.side, reason="offer-timeout")
        if call.branches:
            self.review(call)
            self.record(call)
        else:
            self.end(call, "offer-timeout", None)

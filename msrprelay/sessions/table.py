# cython: annotation_typing=False
"""What the SIP side and the operator ask: commands in, replies out. Names no transport.

Everything here happens on the event loop's one thread and waits for nothing: the commands about a
call are carried out one after the other, in the order in which they came. That is the serial queue
of every call-id.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial

from ..commands import (
    Answer,
    Delete,
    Drain,
    List,
    Offer,
    Query,
    Reply,
    Rollback,
    SdpRequest,
    Terminate,
)
from ..dataplane import Notice
from ..errors import STOPPING, CommandError, SdpError
from ..events import Event, Feed
from ..journal import Entry
from ..log import Log
from ..net.dial import Address
from ..offer_answer.changes import live_sections
from ..offer_answer.decisions import Ended, RolledBack
from ..offer_answer.negotiation import UNKNOWN_CALL, UNMATCHED
from ..sdp.description import Description, parse
from . import restore
from .admission import Admission, Room
from .branch import Branch, TooManySections
from .call import Call
from .calls import Calls, Scheduler
from .ledger import DRAINING, Ledger
from .legs import Ports
from .plan import NEED_REOFFER, Unresolved
from .report import describe
from .rewritten import Rewritten, passed_by
from .rules import Rules
from .terms import looped

log = Log()

Resolve = Callable[[str, int], Awaitable[list[Address]]]
Decisions = list[RolledBack | Ended]
LOOP = "loop: rewritten by this relay before"


class Sessions:
    """The commands, carried out on calls."""

    def __init__(
        self,
        rules: Rules,
        ports: Ports,
        scheduler: Scheduler,
        resolve: Resolve,
        admission: Admission,
        feed: Feed | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        """``admission`` judges first offers; ``feed`` hears what happens; ``ledger`` keeps it."""
        self._feed = feed or Feed()
        self._ledger = ledger or Ledger()
        self._calls = Calls(rules, scheduler, self._feed, self._ledger)
        self._ports = ports
        self._scheduler = scheduler
        self._resolve = resolve
        self._admission = admission
        self._stopping = False

    # What the SIP side asks.

    def offer(self, request: Offer) -> Reply:
        """Rewrite an offer, its listeners open before the reply leaves."""
        description = self._parse(request)
        call = self._calls.live.get(request.call_id)
        if looped(request, description, self._calls.rules.mark):
            return _warned(request, description.body, [LOOP])
        if not request.relay or (call is None and not live_sections(description)):
            return _untouched(request, description)
        branch = call.branch_of(request) if call is not None else None
        if branch is None:
            self._admit(request)
        known = call is not None
        call = call or self._calls.start(request.call_id)
        fresh = branch is None
        branch = branch or self._branch(call)
        room = self._calls.rules.sections_per_call - len(call.sections())
        try:
            rewritten = branch.offer(self._scheduler.time(), request, description, room)
        except CommandError as refused:
            if isinstance(refused, TooManySections):
                self._calls.counts["refused-sessions-per-call"] += 1
            # What was opened for it is leaving.
            self._calls.record(call)
            raise
        if fresh:
            call.enter(request.via_branch, branch)
        if not known:
            self._calls.add(call)
        event = "re-offered" if branch.negotiation().committed is not None else "offered"
        return self._reply(event, call, request, description, rewritten)

    def answer(self, request: Answer) -> Reply:
        """Rewrite the answer and commit both."""
        description = self._parse(request)
        call = self._calls.live.get(request.call_id)
        if looped(request, description, self._calls.rules.mark):
            return _warned(request, description.body, [LOOP])
        if not request.relay or (call is None and not live_sections(description)):
            return _untouched(request, description)
        branch = call.branch_to_answer(request) if call is not None else None
        if call is None or branch is None:
            raise CommandError(UNKNOWN_CALL)
        try:
            rewritten = branch.answer(self._scheduler.time(), request, description)
        except CommandError as refused:
            if refused.reason in NEED_REOFFER:
                self._calls.tell("needs-aware-reoffer", call)
            self._calls.record(call)
            raise
        for each in rewritten.denied:
            self._calls.tell(
                "dial-denied", call, section=each.section, side=each.side, reason=each.reason
            )
        return self._reply("answered", call, request, description, rewritten)

    def delete(self, request: Delete) -> Reply:
        """End a call or a branch of it, or roll a pending re-offer back."""
        call = self._calls.live.get(request.call_id)
        dialog = call.dialog() if call is not None else None
        # As it was: afterwards it has no branches and tags any more.
        told = call is not None and "fast" not in request.flags
        reply: Reply = describe(call) if call is not None and told else {}
        decisions = [] if call is None else self._delete_branches(call, request)
        if call is None or not decisions:
            if "fatal" in request.flags:
                raise CommandError(UNMATCHED)
            return {"warning": UNMATCHED}
        for decision in decisions:
            if isinstance(decision, RolledBack):
                reply["warning"] = "pending offer rolled back"
        if not call.branches:
            self._calls.end(call, "deleted", dialog)
        elif call.condemned():
            self._calls.condemned(call)
        else:
            self._calls.review(call)
        self._calls.record(call)
        return reply

    def rollback(self, request: Rollback) -> Reply:
        """Drop the pending offer of a tag; what it opened is closed, what was committed stays."""
        call = self._calls.live.get(request.call_id)
        if call is None:
            return {"warning": UNMATCHED}
        done = False
        for key in call.meant(request.via_branch):
            decision = call.branches[key].negotiation().rollback(request.from_tag)
            if isinstance(decision, RolledBack):
                self._rolled_back(call, call.branches[key], decision, "rolled-back")
                done = True
            elif isinstance(decision, Ended):
                self._calls.leave(call, key, "deleted", 0.0)
                done = True
        if not call.branches:
            self._calls.end(call, "rolled-back", None)
        else:
            self._calls.review(call)
        self._calls.record(call)
        return {} if done else {"warning": UNMATCHED}

    def query(self, request: Query) -> Reply:
        """One call in rtpengine's layout, with the relay's own detail under ``msrp``."""
        call = self._calls.live.get(request.call_id)
        if call is None and request.ended:
            call = self._calls.ended.get(request.call_id)
        if call is None:
            raise CommandError(UNKNOWN_CALL)
        return describe(call, (request.from_tag, request.to_tag))

    def list(self, request: List) -> Reply:
        """Call-ids, oldest first."""
        return {"calls": list(self._calls.live)[: request.limit]}

    # What the operator asks.

    def terminate(self, request: Terminate) -> Reply:
        """End one call, or all of them, at once."""
        live = self._calls.live
        if request.call_id is not None and request.call_id not in live:
            raise CommandError(UNKNOWN_CALL)
        chosen = [request.call_id] if request.call_id is not None else list(live)
        for call_id in chosen:
            self._calls.drop(live[call_id], "terminated")
        return {"terminated": len(chosen)}

    def drain(self, request: Drain) -> Reply:
        """Refuse new calls, or take them again; the calls there are go on.

        Raises CommandError where they cannot be taken again.
        """
        if request.off and self._stopping:
            raise CommandError(STOPPING)
        if self._admission.refusing is request.off:
            self._admission.refusing = not request.off
            self._ledger.draining(self._admission.refusing)
            event = "serving" if request.off else "draining"
            log.info(event, calls=self.live)
            self._feed.tell(Event(event=event, time=time.time()))
        return {"draining": int(self.draining), "calls": self.live}

    # What happens by itself.

    def notice(self, notice: Notice) -> None:
        """Take a notice of the engine."""
        self._calls.notice(notice)

    def go_on(
        self,
        entries: Mapping[bytes, Entry],
        engine: restore.Engine,
        notices: Callable[[], Iterable[Notice]],
    ) -> None:
        """Go on with the calls of a process that died, its engine adopted.

        ``entries`` are what it wrote, ``notices`` gives what the engine has had to tell since.
        """
        self._admission.refusing = DRAINING in entries
        remains = restore.read(entries, self._ports, self._branch, engine, 0.0)
        self._look_up_all(restore.warm(remains, self._calls, self._ports, engine, notices))

    def begin_again(self, entries: Mapping[bytes, Entry], shift: float) -> None:
        """Make the calls again of which only ``entries`` are left, on the same ports.

        ``shift`` is added to every time in them.
        """
        remains = restore.read(entries, self._ports, self._branch, restore.NoEngine(), shift)
        now = self._scheduler.time()
        self._look_up_all(restore.cold(remains, self._calls, self._ports, now))

    def reload(self, rules: Rules, room: Room) -> None:
        """New rules for new branches; those that exist keep theirs."""
        self._calls.rules = rules
        self._admission.room = room

    def run_dry(self, emptied: Callable[[], None]) -> None:
        """Take no new calls; call back once the last one has ended."""
        self._admission.refusing = True
        self._stopping = True
        self._calls.when_empty(emptied)

    def end_all(self, reason: str) -> None:
        """End every call at once: the relay shuts down."""
        for call in list(self._calls.live.values()):
            self._calls.drop(call, reason)

    @property
    def live(self) -> int:
        """How many calls there are."""
        return len(self._calls.live)

    @property
    def draining(self) -> bool:
        """Whether new calls are refused whatever room there is."""
        return self._admission.refusing

    @property
    def counts(self) -> dict[str, int]:
        """Calls and refusals since the start, by what happened."""
        refused = {f"refused-{what}": n for what, n in self._admission.counts.items()}
        return {**self._calls.counts, **refused}

    @property
    def call_seconds(self) -> float:
        """How long the calls that have ended lasted, together."""
        return self._calls.seconds

    def figures(self) -> dict[str, object]:
        """Calls, sessions and ports, now and since the start."""
        return {
            "calls": self.live,
            "sessions": self._calls.sessions,
            "sessions-joined": self._calls.joined,
            "sessions-max": self._admission.room.most_sessions,
            "draining": int(self.draining),
            "ports": self._ports.figures(),
            **self.counts,
        }

    def load(self) -> dict[str, float]:
        """Which share of sessions, descriptors and memory is taken, 0 to 1."""
        return self._admission.shares(self._calls.sessions, self._calls.joined)

    def _admit(self, request: Offer) -> None:
        self._admission.admit(self._calls.sessions, self._calls.joined, emergency=request.emergency)

    def _parse(self, request: SdpRequest) -> Description:
        try:
            return parse(request.sdp, self._calls.rules.sdp_size, self._calls.rules.sdp_sections)
        except SdpError as error:
            self._calls.counts[f"refused-{error.rule}"] += 1
            log.warning("SDP refused", call_id=request.call_id, reason=str(error))
            raise CommandError("Failed to parse SDP") from error

    def _branch(self, call: Call) -> Branch:
        watch, retire = partial(self._calls.watch, call), partial(self._calls.retire, call)
        return Branch(self._calls.rules, self._ports, watch, retire)

    def _reply(
        self,
        event: str,
        call: Call,
        request: SdpRequest,
        description: Description,
        done: Rewritten,
    ) -> Reply:
        call.signalled = time.time()
        if request.label is not None:
            call.labels[request.sender()] = request.label
        call.metadata = request.metadata or call.metadata
        if not done.repeated:
            # A call that lost its legs has a new chance.
            call.expires = None
            self._calls.tell(event, call)
        self._calls.review(call)
        self._calls.record(call)
        for name in done.unresolved:
            self._scheduler.spawn(self._look_up(call, name))
        if "debug" in request.flags:
            log.info("rewritten", call_id=call.call_id, received=request.sdp, sent=done.body)
        return _warned(request, done.body, [*done.warned(), *passed_by(description)])

    def _look_up_all(self, names: Iterable[restore.Lookup]) -> None:
        for call, name in names:
            self._scheduler.spawn(self._look_up(call, name))

    async def _look_up(self, call: Call, name: Unresolved) -> None:
        addresses = await self._resolve(name.host, name.port)
        denials = [self._calls.rules.dialling.denial(address, name.port) for address in addresses]
        allowed = [
            (str(address), name.port)
            for address, denial in zip(addresses, denials, strict=True)
            if denial is None
        ]
        if not allowed:
            why = next((denial for denial in denials if denial), "the name has no address")
            self._calls.tell("dial-denied", call, side=name.side, reason=why)
        name.session.dial(name.side, allowed or None)

    def _delete_branches(self, call: Call, request: Delete) -> Decisions:
        """Ask the branches that a delete means; those that end leave the call."""
        decisions: Decisions = []
        linger = self._calls.rules.delete_delay if request.delay is None else float(request.delay)
        forgiving = (request.pending or self._calls.rules.delete_pending) == "rollback"
        hung_up = False
        for key in call.meant(request.via_branch):
            branch = call.branches[key]
            negotiation = branch.negotiation()
            answered = negotiation.committed is not None
            decision = negotiation.delete(request.from_tag, request.to_tag, forgiving)
            if isinstance(decision, RolledBack):
                self._rolled_back(call, branch, decision, "deleted")
                decisions.append(decision)
            elif isinstance(decision, Ended):
                self._calls.leave(call, key, decision.reason, linger)
                decisions.append(decision)
                hung_up |= answered and key != request.via_branch
        if hung_up:
            # The dialog's BYE: forks that have not answered by now never will.
            for key in call.unanswered():
                self._calls.leave(call, key, "deleted", 0.0)
        return decisions

    def _rolled_back(self, call: Call, branch: Branch, decision: RolledBack, reason: str) -> None:
        branch.rolled_back(decision)
        self._calls.tell("rolled-back", call, side=decision.side, reason=reason)


def _untouched(request: SdpRequest, description: Description) -> Reply:
    return _warned(request, description.body, passed_by(description))


def _warned(request: SdpRequest, body: bytes, warnings: list[str]) -> Reply:
    """The reply; few SIP servers tell anybody what it warns of, so the log does."""
    if not warnings:
        return {"sdp": body}
    said = "; ".join(warnings)
    log.info("warned", call_id=request.call_id, warning=said)
    return {"sdp": body, "warning": said}

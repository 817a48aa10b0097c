# cython: annotation_typing=False
"""The life of one call: offers pending, an exchange committed, or rolled back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ..sdp.description import Description
from ..sdp.msrp_section import MsrpSection
from ..words import Side
from .changes import Exchange, exchange_changes, live_sections, offer_changes, other
from .decisions import (
    Committed,
    Ended,
    Message,
    Offered,
    Refused,
    Repeat,
    RolledBack,
    Unclaimed,
)
from .saved import Bodies, Saved, octets, text

# Seconds an offer may wait for its answer: above the 180 s of RFC 3261's Timer C.
OFFER_TIMEOUT = 200.0
# Tags one call may show: forks answer under a new one each.
MAX_TAGS = 64

UNKNOWN_CALL = "Unknown call-id"
UNKNOWN_DIALOGUE = "Invalid dialogue association"
UNMATCHED = "Call-ID not found or tags didn't match"


class Negotiation:
    """The offers and answers of one call; one value per branch where forks are told apart.

    ``committed`` is the exchange in force and changes only by :meth:`apply` of an answer.
    ``condemned``: a delete was taken for a rollback but may have been a BYE, so the next lost leg
    ends the call. ``ended``: nothing more is accepted. ``unclaimed`` are the sections that the
    answer to the first offer has refused, as long as another fork may take them.
    """

    def __init__(self, offer_timeout: float = OFFER_TIMEOUT) -> None:
        self.committed: Exchange | None = None
        self.condemned = False
        self.ended = False
        self._offer_timeout = offer_timeout
        self._sides: dict[str, Side] = {}
        self._pending: dict[Side, Message] = {}
        # The last offer of each side that was answered, and the last answer to it.
        self._offers: dict[Side, Message] = {}
        self._answers: dict[Side, Message] = {}
        # The exchange in force answers the first offer, and other forks may answer it too.
        self._forking = False
        self.unclaimed: frozenset[int] = frozenset()
        self._revision = 0

    @staticmethod
    def restored(
        saved: Saved, parse: Callable[[bytes], Description], shift: float = 0.0
    ) -> Negotiation:
        """The negotiation that was :meth:`saved`, its times moved by ``shift`` seconds.

        Raises what ``parse`` raises.
        """
        made = Negotiation(saved.offer_timeout)
        bodies = Bodies(saved.bodies, parse)
        made.condemned = saved.condemned
        made._sides = {text(tag): side for tag, side in saved.sides.items()}
        for mine, theirs in (
            (made._pending, saved.pending),
            (made._offers, saved.offers),
            (made._answers, saved.answers),
        ):
            mine.update((side, bodies.message(each, shift)) for side, each in theirs.items())
        if saved.committed is not None:
            offerer, offered, answered = saved.committed
            said = bodies.description(offered), bodies.description(answered)
            made.committed = Exchange.between(offerer, *said)
            made._forking = saved.forking
            made._keep_for_forks(made.committed)
        return made

    def saved(self) -> Saved:
        """Everything about a call that has not ended, as plain data."""
        bodies = Bodies([])
        committed = None
        if self.committed is not None:
            offerer = self.committed.offerer
            offered, answered = self.committed.of(offerer), self.committed.of(other(offerer))
            committed = offerer, bodies.add(offered.body), bodies.add(answered.body)
        return Saved(
            self._offer_timeout,
            {octets(tag): side for tag, side in self._sides.items()},
            bodies.saved(self._pending),
            bodies.saved(self._offers),
            bodies.saved(self._answers),
            committed,
            self.condemned,
            bodies.all,
            self._forking,
        )

    def pending(self, side: Side) -> Description | None:
        """The offer of ``side`` that waits for its answer."""
        message = self._pending.get(side)
        return None if message is None else message.description

    def answered_tags(self) -> tuple[str, str] | None:
        """The tags of offer and answer in force: the SIP dialog, if there is one."""
        if self.committed is None:
            return None
        offer = self._offers[self.committed.offerer]
        answer = self._answers[self.committed.offerer]
        return offer.tag, answer.tag

    def side_of(self, tag: str | None) -> Side | None:
        """The side that has shown this tag."""
        return None if tag is None else self._sides.get(tag)

    def tags(self) -> Mapping[str, Side]:
        """Every tag that has been shown, and whose it is."""
        return self._sides

    def deadline(self) -> float | None:
        """When :meth:`expire` will have something to do, if ever."""
        times: list[float] = []
        for message in self._pending.values():
            times.append(message.at)
        if self.unclaimed and self.committed is not None:
            first = self._offers[self.committed.offerer]
            times.append(first.at)
        return min(times) + self._offer_timeout if times else None

    def offer(
        self,
        now: float,
        description: Description,
        from_tag: str,
        to_tag: str | None = None,
        terms: str = "",
    ) -> Repeat | Offered | Refused:
        """Decide an offer. ``terms`` are the options of the command that shape its reply.

        The same content again is a repeat, from whichever worker: while the offer is pending, and
        after its answer if there is no ``to_tag``. With one it is a session refresh, which may be
        rejected like any re-offer.
        """
        side = self._offerer(from_tag, to_tag)
        if self.ended or side is None:
            return Refused(UNKNOWN_CALL if self.ended else UNKNOWN_DIALOGUE)
        message = Message(description, terms, from_tag, now)
        before = self._pending.get(side)
        if before is None and to_tag is None:
            before = self._offers.get(side)
        if before is not None and before.same_request(message):
            return Repeat(before.reply)
        wanted = live_sections(description)
        return Offered(
            side,
            to_tag,
            offer_changes(self.committed, side, wanted),
            self._released({*self._kept(), *wanted, *self._asked(other(side))}),
            message,
            self._revision,
        )

    def answer(
        self,
        now: float,
        description: Description,
        from_tag: str,
        to_tag: str,
        terms: str = "",
    ) -> Repeat | Committed | Refused:
        """Decide an answer; ``from_tag`` is the offerer's, ``to_tag`` the answerer's.

        Without a pending offer it repeats the last answer if it is the same; else it replaces it.
        """
        offerer = self._side_by(from_tag, to_tag)
        if self.ended or offerer is None:
            return Refused(UNKNOWN_CALL if self.ended else UNKNOWN_DIALOGUE)
        message = Message(description, terms, to_tag, now)
        pending, last = self._pending.get(offerer), self._answers.get(offerer)
        if pending is None and last is not None and last.same_request(message):
            return Repeat(last.reply)
        offered = self._answerable(offerer)
        if offered is None or not self._has_room(to_tag):
            return Refused(UNKNOWN_DIALOGUE)
        asked = live_sections(offered)
        other_transport = _transport_change(asked, description)
        if other_transport is not None:
            return Refused(other_transport)
        exchange = Exchange.between(offerer, offered, description)
        kept = {*exchange.live, *self._asked(other(offerer))}
        if self.committed is None or (pending is None and self._forking):
            kept.update(asked)
        return Committed(
            offerer,
            pending is None,
            exchange_changes(self.committed, exchange, asked),
            self._released(kept),
            exchange,
            message,
            self._revision,
        )

    def apply(self, decision: Offered | Committed, reply: bytes) -> None:
        """Make a decision real. ``reply`` is the body that goes back, kept for repeats.

        ``ValueError`` if something else has happened since it was made.
        """
        if decision.revision != self._revision:
            raise ValueError("the call has moved on since this was decided")
        self._revision += 1
        self.condemned = False
        message = decision.message.replied(reply)
        if isinstance(decision, Offered):
            self._apply_offer(decision, message)
        else:
            self._apply_answer(decision, message)

    def _apply_offer(self, decision: Offered, message: Message) -> None:
        self._know(message.tag, decision.side)
        self._know(decision.to_tag, other(decision.side))
        self._pending[decision.side] = message

    def _apply_answer(self, decision: Committed, message: Message) -> None:
        self._know(message.tag, other(decision.offerer))
        if not decision.again:
            self._forking = self.committed is None
            self._offers[decision.offerer] = self._pending.pop(decision.offerer)
        self._answers[decision.offerer] = message
        self.committed = decision.exchange
        self._keep_for_forks(decision.exchange)

    def rollback(self, from_tag: str) -> RolledBack | Ended | Refused:
        """The offer of ``from_tag`` was rejected: drop it."""
        side = self._pending_under(from_tag)
        return Refused(UNMATCHED) if side is None else self._roll_back(side, "rolled-back")

    def delete(
        self, from_tag: str | None = None, to_tag: str | None = None, forgiving: bool = True
    ) -> RolledBack | Ended | Refused:
        """A delete: a rollback if ``from_tag`` has a re-offer pending, else the end of the call.

        Stock SIP scripts send the same delete when a re-INVITE is rejected and at the BYE. So the
        first one only condemns the call, and the next one, or the loss of a leg, ends it. Not
        ``forgiving``, it ends the call in any case.
        """
        if self.ended or not self._names_call(from_tag, to_tag):
            return Refused(UNMATCHED)
        side = self._pending_under(from_tag)
        if forgiving and side is not None and self.committed is not None:
            self.condemned = True
            return self._roll_back(side, "deleted")
        return self._end("deleted")

    def expire(self, now: float) -> list[RolledBack | Unclaimed | Ended]:
        """Drop every offer that has waited too long, and what no fork has claimed in its time."""
        # The sum that deadline() gives: a difference may round to the other side of it.
        wait = self._offer_timeout
        late = [side for side, message in self._pending.items() if message.at + wait <= now]
        decisions: list[RolledBack | Unclaimed | Ended] = []
        decisions += (self._roll_back(side, "offer-timeout") for side in late)
        if self.unclaimed and self.committed is not None:
            first = self._offers[self.committed.offerer]
            if first.at + wait <= now:
                decisions.append(self._give_up_forks())
        return decisions

    def _side_by(self, from_tag: str, to_tag: str | None) -> Side | None:
        """Whose ``from_tag`` is, be it by the tag at the other end."""
        side, peer = self.side_of(from_tag), self.side_of(to_tag)
        if side is None and peer is not None:
            return other(peer)
        return side

    def _offerer(self, from_tag: str, to_tag: str | None) -> Side | None:
        """The side that offers; ``None`` if the tags belong to another call."""
        side = self._side_by(from_tag, to_tag)
        if side is None and self.committed is None and (to_tag is None or not self._sides):
            # The first offer, or its retry under a new tag (after a 401, say).
            side = "a"
        return side if self._has_room(from_tag) else None

    def _answerable(self, offerer: Side) -> Description | None:
        """What an answer to ``offerer`` answers: the pending offer, or what is in force."""
        message = self._pending.get(offerer)
        if message is not None:
            return message.description
        if self.committed is None or offerer not in self._answers:
            return None
        return self.committed.of(offerer)

    def _released(self, kept: set[int]) -> tuple[int, ...]:
        """The sections that something holds now, and nothing but ``kept`` will."""
        if self.committed is None and not self._pending:
            return ()
        held = {*self._kept(), *self._asked("a"), *self._asked("b")}
        return tuple(sorted(held - kept))

    def _kept(self) -> Iterable[int]:
        """The sections that need no pending offer."""
        return {*self._live(), *self.unclaimed} if self.unclaimed else self._live()

    def _live(self) -> Iterable[int]:
        return () if self.committed is None else self.committed.live

    def _asked(self, side: Side) -> Iterable[int]:
        message = self._pending.get(side)
        return () if message is None else live_sections(message.description)

    def _pending_under(self, tag: str | None) -> Side | None:
        for side, message in self._pending.items():
            if message.tag == tag:
                return side
        return None

    def _names_call(self, from_tag: str | None, to_tag: str | None) -> bool:
        """Whether a delete means this call, and not a fork that has lost."""
        tags: list[str] = []
        for message in self._pending.values():
            tags.append(message.tag)
        if self.committed is None:
            none_given = from_tag is None and to_tag is None
            return none_given or from_tag in tags or to_tag in tags
        tags += self.answered_tags() or ()
        return (from_tag is None or from_tag in tags) and (to_tag is None or to_tag in tags)

    def _know(self, tag: str | None, side: Side) -> None:
        if tag is not None:
            self._sides.setdefault(tag, side)

    def _has_room(self, tag: str) -> bool:
        return tag in self._sides or len(self._sides) < MAX_TAGS

    def _roll_back(self, side: Side, reason: str) -> RolledBack | Ended:
        if self.committed is None and len(self._pending) == 1:
            return self._end(reason)
        released = self._released({*self._kept(), *self._asked(other(side))})
        del self._pending[side]
        self._revision += 1
        return RolledBack(side, released)

    def _keep_for_forks(self, exchange: Exchange) -> None:
        self.unclaimed = frozenset()
        if self._forking:
            message = self._offers[exchange.offerer]
            asked = live_sections(message.description)
            self.unclaimed = frozenset(asked.keys() - exchange.live)

    def _give_up_forks(self) -> Unclaimed:
        released = self._released({*self._live(), *self._asked("a"), *self._asked("b")})
        self._forking, self.unclaimed = False, frozenset()
        self._revision += 1
        return Unclaimed(released)

    def _end(self, reason: str) -> Ended:
        self._pending.clear()
        self.unclaimed = frozenset()
        self._revision += 1
        self.ended = True
        return Ended(reason)


def _transport_change(asked: Mapping[int, MsrpSection], answered: Description) -> str | None:
    """The refusal of an answer with another transport than the offer (RFC 3264 section 6)."""
    for mine in asked.values():
        theirs = answered.section(mine.index)
        if theirs is not None and theirs.port and theirs.tls != mine.tls:
            return f"answer changes {mine.proto} to {theirs.proto}"
    return None

"""SIP dialogs and transactions as the rules see them, in bounded memory."""

from __future__ import annotations

from typing import NamedTuple

from .hosts import Endpoint
from .media import Exchange, Media, read_media
from .sip_message import SipMessage

KEPT_REINVITES = 8
"""Ordinary re-INVITEs kept per dialog; later ones are only counted."""

MAX_TRANSACTIONS = 400
CALL = frozenset({"INVITE", "BYE"})
"""What makes and ends a call."""

MAX_EVENTS = 60
"""Messages kept per transaction."""


class Seen(NamedTuple):
    """A message of a transaction: packet, time, status (None for a request)."""

    number: int
    time: float
    status: int | None
    reason: str = ""


class SipEvent(NamedTuple):
    """A message as the ladder shows it."""

    number: int
    time: float
    src: Endpoint
    dst: Endpoint
    label: str


class Transaction:
    """One request with its repeats, its responses, and for an INVITE its ACK.

    ``ordinal`` counts the INVITEs of the dialog in this hop: 0 is the one that made the call.
    """

    def __init__(self, message: SipMessage, ordinal: int) -> None:
        self.method = message.method
        self.cseq = message.cseq
        self.branch = message.branch
        self.src, self.dst = (
            (message.src, message.dst) if message.request else (message.dst, message.src)
        )
        self.transport = message.transport
        self.from_tag = message.from_tag
        self.to_tag = message.to_tag if message.request else ""
        self.expires = message.expires if message.request else None
        self.ordinal = ordinal
        self.requests: list[Seen] = []
        self.provisionals: list[Seen] = []
        self.finals: list[Seen] = []
        self.ack: Seen | None = None
        self.offer: Media | None = None
        self.answer: Media | None = None

    @property
    def start(self) -> float:
        """Time of the first message seen."""
        return min(seen[0].time for seen in (self.requests, self.provisionals, self.finals) if seen)

    @property
    def final(self) -> Seen | None:
        """The first final response."""
        return self.finals[0] if self.finals else None

    @property
    def accepted(self) -> Seen | None:
        """The first 2xx."""
        return next((seen for seen in self.finals if 200 <= (seen.status or 0) < 300), None)

    @property
    def ordinary(self) -> bool:
        """Whether nothing about it could interest a rule later."""
        return len(self.finals) == 1 and len(self.requests) == 1 and self.ack is not None

    @property
    def exchange(self) -> Exchange | None:
        """Its offer and answer, wherever they travelled; None without an offer."""
        return None if self.offer is None else Exchange(self.offer, self.answer)

    def add(self, message: SipMessage) -> None:
        """Take a request or response of this transaction."""
        seen = Seen(message.number, message.time, message.status, message.reason)
        kind = self._kind(message.status)
        if len(kind) < MAX_EVENTS:
            kind.append(seen)
        media = read_media(message)
        if media is not None and (message.status is None or message.status < 300):
            self._add_media(media)

    def acknowledged_by(self, ack: SipMessage) -> bool:
        """Whether ``ack`` is for this hop: the one to a 2xx has a branch of its own.

        It goes end to end where no proxy asked to stay in between (RFC 3261 section 13.2.2.4).
        """
        if self.cseq != ack.cseq:
            return False
        direct = self.accepted and self.from_tag == ack.from_tag and self.dst.host == ack.dst.host
        return bool(direct) or self.src.host == ack.src.host

    def _kind(self, status: int | None) -> list[Seen]:
        if status is None:
            return self.requests
        return self.provisionals if status < 200 else self.finals

    def _add_media(self, media: Media) -> None:
        if self.offer is None:
            self.offer = media
        elif media.message.src != self.offer.message.src and (
            # A provisional answer may be followed by the same one in the 2xx.
            self.answer is None or media.message.status is not None
        ):
            self.answer = media


class Dialog:
    """All the captured messages of one Call-ID."""

    def __init__(self, message: SipMessage) -> None:
        self.call_id = message.call_id
        self.caller_uri, self.callee_uri = message.from_uri, message.to_uri
        self.start = self.last = message.time
        self.caller, self._asked = (
            (message.src, message.dst) if message.request else (message.dst, message.src)
        )
        self.agents: dict[str, str] = {}
        self.events: list[SipEvent] = []
        self.events_dropped = 0
        self.transactions: dict[tuple[str, int, str, Endpoint], Transaction] = {}
        self.reinvites = 0
        self.dropped = 0
        self._invites: dict[Endpoint, int] = {}

    @property
    def invites(self) -> list[Transaction]:
        """Its INVITE transactions in the order of their start."""
        return [found for found in self.transactions.values() if found.method == "INVITE"]

    @property
    def hops(self) -> list[Transaction]:
        """The INVITE that made the call on each of its hops; again where it had to be repeated."""
        return [t for t in self.invites if not t.to_tag and t.requests]

    @property
    def proxies(self) -> frozenset[str]:
        """Hosts that passed the call on without a dialog of their own."""
        hops = self.hops
        got, gave = {t.dst.host for t in hops}, {t.src.host for t in hops}
        return frozenset((got & gave) - {self.caller.host})

    @property
    def callee(self) -> Endpoint:
        """Where the INVITE came to rest: behind all proxies, and answered if any was."""
        proxies = self.proxies
        last = [t for t in self.hops if t.dst.host not in proxies]
        answered = [t for t in last if t.accepted]
        return (answered or last)[-1].dst if last else self._asked

    @property
    def initial(self) -> Transaction | None:
        """The INVITE that made the call, first hop captured; None if it was not captured."""
        return next(iter(self.hops), None)

    @property
    def bye(self) -> Transaction | None:
        """The first BYE."""
        return next((t for t in self.transactions.values() if t.method == "BYE"), None)

    @property
    def answered(self) -> float | None:
        """When the first 2xx to the first INVITE was seen, in seconds since 1970."""
        return next((t.accepted.time for t in self.invites if t.accepted), None)

    @property
    def confirmed(self) -> float | None:
        """When the first ACK was seen."""
        return next((t.ack.time for t in self.invites if t.ack), None)

    @property
    def ended(self) -> float | None:
        """When the BYE, or the refusal of the call, was seen.

        A challenge (401, 407) or another refusal is no end if the INVITE is sent again.
        """
        if self.bye is not None:
            return self.bye.start
        hops = self.hops
        if not hops or any(t.accepted for t in self.invites):
            return None
        first = (hops[0].src, hops[0].dst)
        final = [t.final for t in hops if (t.src, t.dst) == first][-1]
        if final is None or any(t.start > final.time for t in hops):
            return None
        return final.time

    @property
    def exchanges(self) -> list[Exchange]:
        """Its offers with their answers, in order."""
        return [t.exchange for t in self.transactions.values() if t.exchange is not None]

    @property
    def half_known(self) -> bool:
        """Whether an offer stands without its answer, though nobody refused it."""
        open_ = (t for t in self.transactions.values() if t.accepted or not t.finals)
        return any(t.exchange is not None and t.answer is None for t in open_)

    @property
    def agreements(self) -> list[Exchange]:
        """The first offer with its answer on every hop, once the call was accepted on any.

        A branch of a forked call that was refused in the end has agreed on nothing.
        """
        if self.answered is None:
            return []
        made = [t.exchange for t in self.hops if t.accepted or not t.finals]
        return [each for each in made if each is not None and each.answer is not None]

    @property
    def media(self) -> list[Media]:
        """Every description seen, in order of packets."""
        found = [m for e in self.exchanges for m in (e.offer, e.answer) if m is not None]
        return sorted(found, key=lambda media: media.number)

    def add(self, message: SipMessage) -> None:
        """Take one message."""
        self.last = max(self.last, message.time)
        self._note_event(message)
        if message.method == "ACK":
            self._acknowledge(message)
            return
        sender = message.src if message.request else message.dst
        key = (message.method, message.cseq, message.branch, sender)
        transaction = self.transactions.get(key)
        if transaction is None:
            transaction = self._open(key, message)
        if transaction is not None:
            transaction.add(message)

    def _note_event(self, message: SipMessage) -> None:
        if message.agent and len(self.agents) < MAX_EVENTS:
            self.agents.setdefault(message.src.host, message.agent[:80])
        if len(self.events) >= MAX_EVENTS:
            self.events_dropped += 1
            return
        label = (
            f"{message.method} {message.target}"
            if message.request
            else f"{message.status} {message.reason} ({message.method})"
        )
        body = " with session description" if message.sdp else ""
        self.events.append(
            SipEvent(message.number, message.time, message.src, message.dst, label[:200] + body)
        )

    def _open(self, key: tuple[str, int, str, Endpoint], message: SipMessage) -> Transaction | None:
        if len(self.transactions) >= MAX_TRANSACTIONS and not self._make_room():
            self.dropped += 1
            return None
        ordinal = 0
        if message.method == "INVITE":
            ordinal = self._invites.get(key[3], 0)
            self._invites[key[3]] = ordinal + 1
            self._forget_ordinary()
        self.transactions[key] = Transaction(message, ordinal)
        return self.transactions[key]

    def _make_room(self) -> bool:
        """Drop the oldest transaction in which nothing was agreed; False if there is none."""
        dull = (k for k, t in self.transactions.items() if t.method not in CALL and not t.offer)
        oldest = next(dull, None)
        if oldest is not None:
            self.dropped += 1
            del self.transactions[oldest]
        return oldest is not None

    def _acknowledge(self, message: SipMessage) -> None:
        for transaction in self.invites:
            if transaction.acknowledged_by(message):
                if transaction.ack is None:
                    transaction.ack = Seen(message.number, message.time, None)
                if (media := read_media(message)) is not None:
                    transaction._add_media(media)

    def _forget_ordinary(self) -> None:
        """Count and drop the oldest re-INVITEs that went well, once there are many."""
        dull = [
            key
            for key, found in self.transactions.items()
            if found.method == "INVITE" and found.ordinal > 0 and found.ordinary
        ]
        for key in dull[: max(len(dull) - KEPT_REINVITES, 0)]:
            self.reinvites += bool(self.transactions.pop(key).provisionals)

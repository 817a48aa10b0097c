"""MSRP transactions of one connection, framed by the product's own framer, in bounded memory.

What is ordinary is counted; what a rule might want is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from ..framing import ByteRange, Chunk, ChunkReader, FramingFault
from .streams import Piece

KEPT_ORDINARY = 40
"""Ordinary transactions kept per connection, for the ladder; later ones are only counted."""

KEPT_ODD = 1_000
"""Transactions that are not ordinary, kept per connection."""

RECENT = 8
"""Transactions answered last, in each of which a second answer is noticed."""

MAX_OPEN = 2_000
"""Messages and unanswered requests followed at once per direction."""

ANSWER_SECONDS = 30.0
"""RFC 4975 section 7.1.1: how long a sender waits for its response."""

MAGIC = b"MSRP "


class At(NamedTuple):
    """A packet and its time in seconds since 1970."""

    number: int
    time: float


class Response(NamedTuple):
    """A response, and where it came."""

    at: At
    status: int
    comment: str
    to_path: tuple[str, ...]
    from_path: tuple[str, ...]


@dataclass(slots=True)
class Transaction:
    """One request chunk and its responses. ``side`` sent it; ``end`` is its stream offset.

    ``flag`` is empty for a chunk whose end-line was not captured.
    """

    side: int
    tid: str
    method: str
    begin: At
    done: At
    end: int
    to_path: tuple[str, ...]
    from_path: tuple[str, ...]
    message_id: str
    wants_answer: bool
    byte_range: ByteRange | None
    body_length: int
    flag: str
    status: str
    responses: list[Response] = field(default_factory=list)

    @property
    def range_length(self) -> int | None:
        """Body bytes that Byte-Range promises; None if it gives no end.

        In a REPORT it names bytes of the message it is about (RFC 4975 section 7.1.2).
        """
        found = self.byte_range
        if found is None or found.end is None or self.method == "REPORT":
            return None
        return found.end - found.start + 1

    @property
    def ordinary(self) -> bool:
        """Whether it was finished, answered 200 once and in time, and as long as it said."""
        if self.flag == "" or not self._range_holds or self.status[:7] not in ("", "000 200"):
            return False
        if not self.wants_answer:
            return not self.responses
        if len(self.responses) != 1:
            return False
        response = self.responses[0]
        timely = response.at.time - self.done.time <= ANSWER_SECONDS
        return response.status == 200 and timely and response.to_path[:1] == self.from_path[:1]

    @property
    def _range_holds(self) -> bool:
        return self.flag == "#" or self.range_length in (None, self.body_length)


class Gap(NamedTuple):
    """A chunk of ``message_id`` that starts at byte ``start`` where ``expected`` was due."""

    at: At
    message_id: str
    expected: int
    start: int


class Loss(NamedTuple):
    """Where the framing of a direction was lost; ``cut`` is the chunk before, if there was one."""

    at: At
    code: str
    cut: Transaction | None
    next_bytes: bytes


class _Half:
    """What one side sends."""

    def __init__(self) -> None:
        self.reader = ChunkReader(keep=0)
        self.base = 0
        self.opened: At | None = None
        self.lost: Loss | None = None
        self.holes = 0
        self.adrift = False
        self.newest: Transaction | None = None
        self.unanswered: dict[str, Transaction] = {}
        self.answered: list[Transaction] = []
        self.messages: dict[str, tuple[int, At]] = {}
        self.stray: list[Response] = []


class Conversation:
    """All the MSRP of one connection."""

    def __init__(self) -> None:
        self.halves = (_Half(), _Half())
        self.kept: list[Transaction] = []
        self.gaps: list[Gap] = []
        self.counted = 0
        self.dropped = 0
        self._ordinary_kept = 0

    @property
    def transactions(self) -> list[Transaction]:
        """The transactions kept, and the requests still waiting for an answer, by packet."""
        waiting = [t for half in self.halves for t in half.unanswered.values()]
        known = {id(t) for t in self.kept}
        both = self.kept + [t for t in waiting if id(t) not in known]
        return sorted(both, key=lambda t: t.begin.number)

    @property
    def losses(self) -> list[tuple[int, Loss]]:
        """(side, where its framing was lost) for each side that lost it."""
        return [(side, half.lost) for side, half in enumerate(self.halves) if half.lost]

    def unfinished(self, side: int) -> tuple[Chunk, At] | None:
        """The chunk that ``side`` began and did not end, and where it began."""
        half = self.halves[side]
        chunk = half.reader.unfinished
        return None if chunk is None or half.opened is None else (chunk, half.opened)

    def open_messages(self, side: int) -> list[tuple[str, At]]:
        """(Message-ID, last chunk) of messages whose last chunk said ``+``."""
        return [(name, at) for name, (_, at) in self.halves[side].messages.items()]

    def join_late(self, side: int) -> None:
        """What ``side`` said so far is not known: framing begins at the next chunk's first byte."""
        self.halves[side].adrift = True

    def feed(self, side: int, piece: Piece) -> None:
        """Take bytes of one side."""
        half = self.halves[side]
        if self._adrift(half, piece):
            return
        here = At(piece.number, piece.time)
        for found in half.reader.feed(piece.data):
            if isinstance(found, FramingFault):
                at = found.offset - (piece.offset - half.base)
                rest = piece.data[max(at, 0) : max(at, 0) + 16]
                half.lost = Loss(here, found.code, half.newest, rest)
                return
            begin = half.opened if half.opened is not None else here
            half.opened = None
            self._chunk(side, found, begin, here)
        if half.opened is None and not half.reader.between_chunks:
            half.opened = here

    def _adrift(self, half: _Half, piece: Piece) -> bool:
        """After a hole framing starts anew at the next segment that begins a chunk."""
        if piece.hole:
            half.holes += 1
            half.adrift = True
            half.messages.clear()  # where they go on may have been in the hole
        if half.adrift and piece.data.startswith(MAGIC):
            half.reader, half.base = ChunkReader(keep=0), piece.offset
            half.opened = half.lost = None
            half.adrift = False
        return half.adrift or half.lost is not None

    def _chunk(self, side: int, chunk: Chunk, begin: At, done: At) -> None:
        half = self.halves[side]
        if chunk.method is None:
            self._respond(1 - side, _response(chunk, done))
            return
        end = half.base + chunk.offset + chunk.length
        transaction = half.newest = _request(side, chunk, begin, done, end)
        if chunk.method == "SEND":
            self._follow_message(half, transaction)
        if transaction.wants_answer and len(half.unanswered) < MAX_OPEN:
            # A tid used twice while the first still waits: the older one stays as it is.
            if (older := half.unanswered.get(transaction.tid)) is not None:
                self._keep(older)
            half.unanswered[transaction.tid] = transaction
        else:
            self._keep(transaction)

    def _respond(self, requester: int, response: tuple[str, Response]) -> None:
        half = self.halves[requester]
        tid, answer = response
        transaction = half.unanswered.pop(tid, None) or self._answered(requester, tid)
        if transaction is None:
            if len(half.stray) < KEPT_ODD:
                half.stray.append(answer)
            return
        first = not transaction.responses
        transaction.responses.append(answer)
        if first:
            half.answered = [*half.answered[1 - RECENT :], transaction]
            self._keep(transaction)
        elif not any(kept is transaction for kept in self.kept):
            self._store(transaction)

    def _answered(self, side: int, tid: str) -> Transaction | None:
        recent = (*reversed(self.halves[side].answered), *reversed(self.kept[-KEPT_ORDINARY:]))
        return next((t for t in recent if t.side == side and t.tid == tid), None)

    def _follow_message(self, half: _Half, transaction: Transaction) -> None:
        found = transaction.byte_range
        name = transaction.message_id
        known = half.messages.get(name)
        if found is None or not name:
            return
        broken = known is not None and found.start != known[0]
        if known is not None and broken and len(self.gaps) < KEPT_ODD:
            self.gaps.append(Gap(transaction.begin, name, known[0], found.start))
        if transaction.flag != "+":
            half.messages.pop(name, None)
        elif known is not None or len(half.messages) < MAX_OPEN:
            following = found.start + transaction.body_length
            half.messages[name] = (following, transaction.done)

    def _keep(self, transaction: Transaction) -> None:
        self.counted += 1
        self._store(transaction)

    def _store(self, transaction: Transaction) -> None:
        if transaction.ordinary:
            if self._ordinary_kept < KEPT_ORDINARY:
                self._ordinary_kept += 1
                self.kept.append(transaction)
        elif len(self.kept) < KEPT_ODD + KEPT_ORDINARY:
            self.kept.append(transaction)
        else:
            self.dropped += 1


def _request(side: int, chunk: Chunk, begin: At, done: At, end: int) -> Transaction:
    headers = _headers(chunk)
    failure = headers.get("failure-report", b"yes").strip().lower()
    return Transaction(
        side=side,
        tid=chunk.tid,
        method=chunk.method or "",
        begin=begin,
        done=done,
        end=end,
        to_path=_path(headers.get("to-path", b"")),
        from_path=_path(headers.get("from-path", b"")),
        message_id=_text(headers.get("message-id", b"")),
        # RFC 4975 section 7.2: a REPORT is never answered.
        wants_answer=chunk.method != "REPORT" and failure == b"yes",
        byte_range=chunk.byte_range,
        body_length=chunk.body_length,
        flag=chunk.flag,
        status=_text(headers.get("status", b"")),
    )


def _response(chunk: Chunk, at: At) -> tuple[str, Response]:
    headers = _headers(chunk)
    comment = _text(chunk.comment or b"")
    to_path, from_path = (_path(headers.get(name, b"")) for name in ("to-path", "from-path"))
    return chunk.tid, Response(at, chunk.status or 0, comment, to_path, from_path)


def _headers(chunk: Chunk) -> dict[str, bytes]:
    """Lower-case name → first value."""
    return {name.lower(): value for name, value in reversed(chunk.headers)}


@lru_cache(maxsize=512)
def _path(value: bytes) -> tuple[str, ...]:
    """The URIs of a path header: the same few in every chunk of a connection."""
    return tuple(value.decode("utf-8", "surrogateescape").split())


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace").strip()

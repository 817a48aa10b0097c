"""One MSRP endpoint without sockets: bytes in, events and bytes out (RFC 4975 §5.4, §7.3).

The active end binds by a bodiless SEND at once; a passive end says nothing before its first SEND
has come. Where both ends are active, each binds and answers the other's bind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from ..framing import ByteRange, Chunk, ChunkReader, FramingFault
from . import chunks, paths
from .assembly import Arrival, Assembly
from .faults import (
    BindFailed,
    BlinkCrash,
    EndpointFault,
    MalformedStream,
    PathMismatch,
    UnexpectedResponse,
)

UNANSWERED_LIMIT = 1024
"""SENDs with ``Failure-Report: partial`` whose error response is still known as theirs."""


class Manner(Enum):
    """How an endpoint looks at what it gets."""

    BLINK = "blink"
    """As AG Projects' stack: session-ids only, and it dies of what Blink dies of."""
    STRICT = "strict"
    """To-Path and From-Path must equal the whole paths of the SDP (RFC 4975 §6.1)."""


class _State(Enum):
    NEW = auto()
    WAITING = auto()
    BINDING = auto()
    BOUND = auto()


class NotBound(RuntimeError):
    """A message was to be sent before the session is bound: a mistake of the caller."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The connection belongs to the session now; both ends may speak."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A SEND of ours got its response."""

    message_id: str
    status: int
    comment: str


@dataclass(frozen=True, slots=True)
class Reported:
    """A REPORT about a message of ours."""

    message_id: str
    status: int
    byte_range: ByteRange | None


@dataclass(frozen=True, slots=True)
class Message:
    """A whole chat message."""

    message_id: str
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class FilePiece:
    """One chunk of something that is no chat message; ``start`` counts octets from 1.

    ``aborted``: its sender has given the whole of it up (flag ``#``, RFC 4975 §7.1).
    """

    message_id: str
    content_type: str
    start: int
    body: bytes
    last: bool
    aborted: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """The session is over; nothing follows."""

    fault: EndpointFault


Event = Bound | Answered | Reported | Message | FilePiece | Failed


class Endpoint:
    """One end of one session, on one connection.

    ``own`` is the URI that this end wrote into its SDP, ``peer`` the path that it was told; a
    passive end without ``peer`` takes the path from the first SEND (a terminal, not a SIP phone).
    """

    def __init__(
        self,
        own: str,
        peer: Sequence[str] | None,
        *,
        active: bool,
        manner: Manner = Manner.STRICT,
    ) -> None:
        self.own = own
        self.peer = list(peer) if peer else None
        self.active = active
        self.manner = manner
        self._state = _State.NEW
        self._bind_tid: str | None = None
        self._open: dict[str, str] = {}
        # SENDs that are answered only if they fail, the oldest first.
        self._perhaps: dict[str, str] = {}
        self._reader = ChunkReader()
        self._chats = Assembly(keep=True)
        self._files = Assembly(keep=False)
        self._out: list[bytes] = []
        self._events: list[Event] = []

    @property
    def bound(self) -> bool:
        """Whether both ends may speak."""
        return self._state is _State.BOUND

    @property
    def unanswered(self) -> int:
        """How many of our SENDs wait for their response."""
        return len(self._open)

    def connected(self) -> None:
        """The TCP connection is there: the active end binds at once (RFC 4975 §5.4)."""
        self._state = _State.BINDING if self.active else _State.WAITING
        if self.active:
            bind = chunks.Send.bind()
            self._bind_tid = bind.tid()
            self._write(bind, self._bind_tid)

    def send(self, request: chunks.Send) -> None:
        """Queue one SEND chunk. Raises NotBound."""
        if self._state is not _State.BOUND:
            raise NotBound("the session is not bound yet")
        tid = request.tid()
        if request.answered:
            self._open[tid] = request.message_id
        elif request.answered_on_failure:
            self._perhaps[tid] = request.message_id
            if len(self._perhaps) > UNANSWERED_LIMIT:
                del self._perhaps[next(iter(self._perhaps))]
        self._write(request, tid)

    def outgoing(self) -> bytes:
        """Take what must be written to the connection now."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes from the connection; a :class:`Failed` is always the last event."""
        self._events = []
        for item in self._reader.feed(data):
            try:
                self._take(item)
            except EndpointFault as fault:
                self._events.append(Failed(fault))
                break
        return self._events

    def _take(self, item: Chunk | FramingFault) -> None:
        if isinstance(item, FramingFault):
            raise MalformedStream(f"{item.code} at octet {item.offset}")
        if item.method is None:
            self._on_response(item)
        elif item.method == "REPORT":
            self._on_report(item)
        elif not self._addressed(item):
            self._refuse(item)
        elif item.method == "SEND":
            self._on_send(item)
        else:
            self._answer(item, 501, "Unknown method")

    def _on_send(self, chunk: Chunk) -> None:
        if self.peer is None:
            self.peer = chunk.from_path
        first = self._state is _State.WAITING
        if self._state is _State.BINDING and chunk.body is not None:
            self._refuse_while_binding(chunk)
        self._answer(chunk, 200, "OK")
        if first and chunk.body is not None and self.manner is Manner.BLINK:
            raise BlinkCrash("the first SEND to a passive Blink has a body")
        if first:
            self._become_bound()
        if chunk.body is not None:
            self._on_content(chunk, chunk.body)

    def _on_content(self, chunk: Chunk, body: bytes) -> None:
        message_id = _text(chunk.header("Message-ID"))
        content_type = _text(chunk.header("Content-Type"))
        start = chunk.byte_range.start if chunk.byte_range else 1
        if _is_chat(content_type):
            if self.manner is Manner.BLINK and self._chats.holds(message_id):
                raise BlinkCrash("a chat message came in more than one chunk")
            arrival = self._chats.add(message_id, start, body, chunk.flag)
            if arrival.content is not None:
                self._events.append(Message(message_id, content_type, arrival.content))
        else:
            arrival = self._files.add(message_id, start, body, chunk.flag)
            last, aborted = chunk.flag == "$", chunk.flag == "#"
            self._events.append(FilePiece(message_id, content_type, start, body, last, aborted))
        if (chunk.header("Success-Report") or b"").lower() == b"yes":
            self._report(chunk, message_id, start, start + len(body) - 1, arrival)

    def _report(
        self, chunk: Chunk, message_id: str, start: int, end: int, arrival: Arrival
    ) -> None:
        """Say what has come: all of it when it ends, or, as Blink does, each chunk by itself."""
        whole = chunk.flag == "$"
        if self.manner is Manner.STRICT:
            # Nothing that has not come may be reported (RFC 4975 §7.1.2).
            if not arrival.complete and not (whole and arrival.upto):
                return
            start, end, whole = 1, arrival.upto, arrival.complete
        told = ByteRange(start, end, _total(chunk, end if whole else None))
        self._out.append(chunks.report(" ".join(chunk.from_path), self.own, message_id, told))

    def _on_response(self, chunk: Chunk) -> None:
        status, comment = chunk.status or 0, _text(chunk.comment)
        if status == 200:
            # A refusal may well come from somebody else: that is why it is one.
            self._require_own_paths(chunk)
        if chunk.tid == self._bind_tid:
            self._bind_tid = None
            if status != 200:
                raise BindFailed(f"the bind SEND was answered {status} {comment}".rstrip())
            self._become_bound()
            return
        message_id = self._open.pop(chunk.tid, None)
        if message_id is None and status != 200:
            message_id = self._perhaps.pop(chunk.tid, None)
        if message_id is not None:
            self._events.append(Answered(message_id, status, comment))
        elif self.manner is Manner.STRICT:
            raise UnexpectedResponse(f"{status} for {chunk.tid}, which is no transaction of ours")

    def _on_report(self, chunk: Chunk) -> None:
        self._require_own_paths(chunk)
        message_id = _text(chunk.header("Message-ID"))
        fields = (chunk.header("Status") or b"").split()
        status = int(fields[1]) if len(fields) > 1 and fields[1].isdigit() else 0
        self._events.append(Reported(message_id, status, chunk.byte_range))

    def _addressed(self, chunk: Chunk) -> bool:
        """Whether a request is for this session: the rule that decides between 200 and 481."""
        if self.manner is Manner.BLINK:
            return paths.same_session(chunk.to_path, [self.own]) and (
                self.peer is None or paths.same_session(chunk.from_path, self.peer)
            )
        return paths.same(chunk.to_path, [self.own]) and (
            self.peer is None or paths.same(chunk.from_path, self.peer)
        )

    def _require_own_paths(self, chunk: Chunk) -> None:
        """Blink never looks at these paths; a strict end must not see foreign ones."""
        if self.manner is Manner.BLINK or self.peer is None:
            return
        ours = paths.same(chunk.to_path, [self.own])
        if not ours or not paths.same(chunk.from_path[:1], self.peer[:1]):
            what = chunk.method or f"response {chunk.status}"
            raise PathMismatch(
                f"{what} to {' '.join(chunk.to_path)} from {' '.join(chunk.from_path)}; "
                f"wanted to {self.own} from {' '.join(self.peer)}"
            )

    def _refuse(self, chunk: Chunk) -> None:
        self._answer(chunk, 481, "Invalid To-Path")

    def _refuse_while_binding(self, chunk: Chunk) -> None:
        """Blink gives up on content before its own bind is answered; others take it."""
        if self.manner is Manner.BLINK:
            self._answer(chunk, 481, "Chunk received while binding session")
            raise BindFailed("content came before the answer to the bind SEND")

    def _answer(self, chunk: Chunk, status: int, comment: str) -> None:
        """Answer a request as its Failure-Report asks (RFC 4975 §7.1.3, §7.2)."""
        wanted = _text(chunk.header("Failure-Report")).lower()
        if wanted == "no" or (wanted == "partial" and status == 200):
            return
        back = chunk.from_path[:1] if chunk.method == "SEND" else chunk.from_path
        # Blink answers from the URI it was addressed by, whatever its own one is.
        blink = self.manner is Manner.BLINK and chunk.to_path
        own = chunk.to_path[0] if blink else self.own
        self._out.append(chunks.response(chunk.tid, status, comment, " ".join(back), own))

    def _become_bound(self) -> None:
        self._state = _State.BOUND
        self._events.append(Bound())

    def _write(self, request: chunks.Send, tid: str) -> None:
        self._out.append(request.encode(tid, " ".join(self.peer or ()), self.own))


def _is_chat(content_type: str) -> bool:
    """Text, CPIM and typing notices are messages; everything else is a file."""
    kind = content_type.lower()
    return kind.startswith(("text/", "message/", "application/im-iscomposing"))


def _total(chunk: Chunk, come: int | None) -> int | None:
    """What a REPORT gives as the total: the sender's own figure, else what has come of a whole."""
    if chunk.byte_range is not None and chunk.byte_range.total is not None:
        return chunk.byte_range.total
    return come


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")

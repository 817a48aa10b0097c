"""Messages that come in several chunks, put together again (RFC 4975 §5.1, §7.3.1).

Each chunk goes where its Byte-Range says. Of chunks that overlap the last one counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from .faults import EndpointFault, MalformedStream

MESSAGE_LIMIT = 1 << 20
"""Octets of one chat message that an endpoint keeps in memory."""

OPEN_LIMIT = 64
"""Messages that may be incomplete at the same time, and pieces of one that may lie apart."""


class TooMuch(EndpointFault):
    """The peer began more, or longer, messages than are kept in memory."""


class Arrival(NamedTuple):
    """Where a message stands: octets from its first one on without a gap, and if that is all.

    ``content`` is all of it, once it has come and where it is kept.
    """

    upto: int
    complete: bool
    content: bytes | None = None


@dataclass(slots=True)
class _Open:
    """A message under way; ``runs`` are what has come of it, from octet 0, disjoint, in order."""

    runs: list[tuple[int, int]] = field(default_factory=list)
    end: int | None = None
    content: bytearray | None = None

    @property
    def upto(self) -> int:
        return self.runs[0][1] if self.runs and self.runs[0][0] == 0 else 0

    def arrival(self) -> Arrival:
        if self.end is None or self.upto < self.end:
            return Arrival(self.upto, False)
        content = None if self.content is None else bytes(self.content[: self.end])
        return Arrival(self.end, True, content)

    def put(self, begin: int, body: bytes) -> None:
        end = begin + len(body)
        if self.content is not None:
            self.content.extend(bytes(max(begin - len(self.content), 0)))
            self.content[begin:end] = body
        apart = [run for run in self.runs if run[1] < begin or run[0] > end]
        touched = [run for run in self.runs if run not in apart]
        first = min([begin, *(run[0] for run in touched)])
        last = max([end, *(run[1] for run in touched)])
        self.runs = sorted([*apart, (first, last)] if last > first else apart)


class Assembly:
    """The messages that are not complete: what has come of each, and its content if ``keep``."""

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._open: dict[str, _Open] = {}

    def holds(self, message_id: str) -> bool:
        """Whether a chunk with content of this message has come and its end has not."""
        return message_id in self._open and bool(self._open[message_id].runs)

    def add(self, message_id: str, start: int, body: bytes, flag: str) -> Arrival:
        """Take a chunk, its first octet numbered ``start``, from 1; ``#`` forgets the message.

        Raises TooMuch, and MalformedStream for a ``start`` of 0.
        """
        if start < 1:
            raise MalformedStream(f"message {message_id} begins before its first octet")
        if flag == "#":
            self._open.pop(message_id, None)
            return Arrival(0, False)
        if flag == "$" and start == 1 and message_id not in self._open:
            return Arrival(len(body), True, body if self._keep else None)
        end = start - 1 + len(body)
        message = self._open.get(message_id) or _Open(content=bytearray() if self._keep else None)
        if self._keep and end > MESSAGE_LIMIT:
            raise TooMuch(f"message {message_id} is more than an endpoint keeps")
        message.put(start - 1, body)
        if flag == "$":
            message.end = end
        arrival = message.arrival()
        if arrival.complete:
            self._open.pop(message_id, None)
            return arrival
        self._open[message_id] = message
        if len(self._open) > OPEN_LIMIT or len(message.runs) > OPEN_LIMIT:
            raise TooMuch(f"with message {message_id} more is open than an endpoint keeps")
        return arrival

"""A file over a bound session: chunks of 64 KiB out, a checked sequence of pieces in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from .chunks import Send, fresh_id, range_of
from .connection import Connection
from .faults import EndpointFault, TransferFailed
from .protocol import Answered, Event, FilePiece, Reported

PIECE = 64 * 1024
"""Octets of body of each chunk of a file, as Blink sends it."""


@dataclass(frozen=True, slots=True)
class SentFile:
    """What was sent, once the receiver's success REPORT has covered its last octet."""

    message_id: str
    size: int
    chunks: int
    sha256: str


class _Outcome:
    """The responses and REPORTs to one file's chunks."""

    def __init__(self, message_id: str, size: int) -> None:
        self._message_id = message_id
        self._size = size
        self.answered = 0
        self.delivered = False

    def take(self, event: Event) -> None:
        """Count what belongs to this file. Raises TransferFailed for a refusal."""
        if not isinstance(event, Answered | Reported) or event.message_id != self._message_id:
            return
        if event.status != 200:
            raise TransferFailed(f"the file was refused: {event.status}")
        if isinstance(event, Answered):
            self.answered += 1
        elif event.byte_range is not None and event.byte_range.end == self._size:
            self.delivered = True


async def send_file(
    connection: Connection,
    file: BinaryIO,
    size: int,
    *,
    content_type: str = "application/octet-stream",
    progress: Callable[[int], None] = lambda done: None,
) -> SentFile:
    """Send ``size`` octets of ``file`` and wait until they are reported as delivered.

    ``progress`` gets the octets answered so far. Raises EndpointFault, and TransferFailed where
    the file ends early or the peer refuses it.
    """
    message_id, digest = fresh_id(), hashlib.sha256()
    outcome = _Outcome(message_id, size)
    sent = count = 0
    with connection.listening(outcome.take):
        while count == 0 or sent < size:
            body = file.read(min(PIECE, size - sent))
            if not body and size:
                raise TransferFailed(f"the file ended after {sent} of {size} octets")
            digest.update(body)
            await connection.send(_piece(message_id, content_type, sent, body, size))
            sent, count = sent + len(body), count + 1
            progress(min(outcome.answered * PIECE, size))
        await connection.until(lambda: outcome.answered == count and outcome.delivered)
    progress(size)
    return SentFile(message_id, size, count, digest.hexdigest())


def _piece(message_id: str, content_type: str, sent: int, body: bytes, size: int) -> Send:
    return Send(
        message_id,
        range_of(sent + 1, len(body), size),
        content_type,
        body,
        flag="$" if sent + len(body) == size else "+",
        success_report=True,
    )


class FileReceipt:
    """One file as it arrives: pieces in order, hashed, and written to ``out`` if there is one."""

    def __init__(self, out: BinaryIO | None = None) -> None:
        self._out = out
        self._digest = hashlib.sha256()
        self.size = 0
        self.complete = False
        self.aborted = False

    @property
    def sha256(self) -> str:
        """The digest of what has come so far, in hexadecimal."""
        return self._digest.hexdigest()

    def take(self, event: Event) -> None:
        """Take a piece; other events are passed over. Raises EndpointFault for a gap.

        One that its sender has given up is ``aborted``, and what has come of it is no file.
        """
        if not isinstance(event, FilePiece):
            return
        if event.aborted:
            self.aborted = True
            return
        if self.complete or event.start != self.size + 1:
            raise EndpointFault(f"a piece from octet {event.start} after {self.size} octets")
        self._digest.update(event.body)
        self.size += len(event.body)
        self.complete = event.last
        if self._out is not None:
            self._out.write(event.body)

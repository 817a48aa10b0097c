"""What peers say, as a pure function of (seed, session, side, offset or number)."""

from __future__ import annotations

import random
import struct
import zlib
from dataclasses import dataclass

from ..peers import msrp

# No power of two: a loss of whole buffers is no whole number of rounds.
PAGES = (16 << 20) - 1021
LARGEST = 1 << 20
WINDOW = 24


class Book:
    """Random octets that every stream reads from another place on, round and round."""

    def __init__(self, seed: int) -> None:
        pages = random.Random(seed).randbytes(PAGES)
        self._pages = pages + pages[:LARGEST]

    def octets(self, at: int, count: int) -> bytes:
        """At most LARGEST octets from here on."""
        at %= PAGES
        return self._pages[at : at + count]

    def find(self, window: bytes) -> int | None:
        """Where these octets stand; WINDOW of them stand in one place only."""
        at = self._pages.find(window)
        return None if at < 0 else at


def mix(session: int, side: str, number: int = 0) -> int:
    """A number below 2^32 that looks random."""
    return zlib.crc32(struct.pack(">IcQ", session, side.encode(), number))


@dataclass(frozen=True)
class Octets:
    """One direction of an opaque session: what binds it, then the book from its own place on."""

    book: Book
    session: int
    side: str
    beginning: bytes

    def at(self, offset: int, count: int) -> bytes:
        """At most `count` octets of the stream."""
        if offset < len(self.beginning):
            return self.beginning[offset : offset + count]
        return self.book.octets(self._start + offset - len(self.beginning), min(count, LARGEST))

    def offset_of(self, window: bytes, near: int) -> int | None:
        """The offset nearest to `near` at which the stream has these octets."""
        if (at := self.beginning.find(window)) >= 0:
            return at
        page = self.book.find(window)
        if page is None:
            return None
        ahead = (page - self._start + len(self.beginning) - near + PAGES // 2) % PAGES - PAGES // 2
        return near + ahead if near + ahead >= 0 else near + ahead + PAGES

    @property
    def _start(self) -> int:
        return mix(self.session, self.side) % PAGES


@dataclass(frozen=True)
class Messages:
    """The SENDs of one direction of an aware session, by number; 0 is the bind.

    `sizes` of bodies are drawn from; a quarter of the larger ones hold what looks like an end.
    """

    book: Book
    session: int
    side: str
    sizes: tuple[int, ...]

    def tid(self, number: int) -> bytes:
        """13 to 31 characters that name session, side and number."""
        return b"%b%04x%08x" % (self.side.encode(), self.session, number) + b"x" * (number % 19)

    def send(self, number: int, to_path: str, from_path: str) -> bytes:
        """A SEND as it stands on a leg with these paths."""
        tid = self.tid(number)
        drawn = mix(self.session, self.side, number)
        size = self._size(number, drawn)
        head = [
            b"MSRP %b SEND" % tid,
            b"To-Path: " + to_path.encode(),
            b"From-Path: " + from_path.encode(),
            b"Message-ID: m%x" % number,
        ]
        if size == 0:
            lines = [*head, b"Byte-Range: 1-0/0"]
        else:
            told = b"Byte-Range: 1-*/*" if drawn & 16 else b"Byte-Range: 1-%d/%d" % (size, size)
            lines = [*head, told, b"Content-Type: text/plain", b"", self._body(tid, drawn, size)]
        flag = b"+" if size and drawn & 96 == 0 else b"$"
        return b"\r\n".join(lines) + b"\r\n-------%b%b\r\n" % (tid, flag)

    def _size(self, number: int, drawn: int) -> int:
        if number == 0:
            return 0
        size = self.sizes[(drawn >> 8) % len(self.sizes)]
        return size + (drawn >> 16) % (size // 4 + 1)

    def _body(self, tid: bytes, drawn: int, size: int) -> bytes:
        body = self.book.octets(drawn, size)
        if size < 200 or drawn & 3:
            return body
        decoys = (
            b"\r\n-------%b+\r\n" % tid[:-1],
            b"\r\n-------%bX\r\n" % tid,
            b"\r",
            b"\r\n\r\r\n-------",
            b"\r\n-------%b" % tid,
        )
        step = (size - 100) // len(decoys)
        for place, decoy in enumerate(decoys[:-1]):
            at = place * step + (drawn >> 12) % 50
            body = body[:at] + decoy + body[at + len(decoy) :]
        return body[: -len(decoys[-1])] + decoys[-1]


def response(tid: bytes, to_path: str, from_path: str) -> bytes:
    """The 200 to a SEND, as it stands on a leg with these paths."""
    return msrp.fill(msrp.response(tid), [to_path], [from_path])

"""Whole MSRP chunks out of a byte stream, for Python's own endpoints and tools.

The relay never comes here: its bytes are framed in the engine, by the same framer.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

from ._native import Framer, Head


@dataclass(frozen=True, slots=True)
class ByteRange:
    """``start-end/total`` of RFC 4975 section 7.1.1; None stands for ``*``."""

    start: int
    end: int | None
    total: int | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: a request with a ``method``, or a response with a ``status``.

    ``body`` is None for a bodiless chunk and ``b""`` for an empty body; ``body_length`` is its
    true length, also where the reader keeps less of it. ``offset`` and ``length`` place the chunk
    in its stream. An unfinished chunk (:attr:`ChunkReader.unfinished`) has an empty ``flag``.
    """

    method: str | None
    status: int | None
    comment: bytes | None
    tid: str
    headers: tuple[tuple[str, bytes], ...]
    body: bytes | None
    flag: str
    offset: int
    length: int
    body_length: int = 0

    def header(self, name: str) -> bytes | None:
        """The first value under ``name``, whatever its case (RFC 4975 section 9)."""
        lower = name.lower()
        return next((value for key, value in self.headers if key.lower() == lower), None)

    @property
    def to_path(self) -> list[str]:
        """The URIs of To-Path."""
        return self._path("To-Path")

    @property
    def from_path(self) -> list[str]:
        """The URIs of From-Path."""
        return self._path("From-Path")

    @property
    def byte_range(self) -> ByteRange | None:
        """Byte-Range; None if absent or unreadable."""
        value = self.header("Byte-Range")
        try:
            bounds, total = (value or b"").decode("ascii").split("/")
            start, end = bounds.split("-")
            return ByteRange(int(start), _number(end), _number(total))
        except ValueError:
            return None

    def _path(self, name: str) -> list[str]:
        return (self.header(name) or b"").decode("utf-8", "surrogateescape").split()


@dataclass(frozen=True, slots=True)
class FramingFault:
    """The stream is not MSRP from ``offset`` on; ``code`` names the broken rule."""

    code: str
    offset: int


@dataclass(slots=True)
class _Open:
    head: Head
    offset: int
    length: int
    body: list[bytes] = field(default_factory=list)
    body_length: int = 0

    def add(self, data: bytes, keep: int) -> None:
        """Take a piece of the body; only the body's first ``keep`` bytes stay in memory."""
        if room := max(keep - self.body_length, 0):
            self.body.append(data[:room])
        self.body_length += len(data)
        self.length += len(data)


class ChunkReader:
    """Chunks of one direction of one connection; of each body ``keep`` bytes stay in memory."""

    def __init__(self, keep: int = sys.maxsize) -> None:
        self._framer = Framer()
        self._open: _Open | None = None
        self._keep = keep

    def feed(self, data: bytes) -> list[Chunk | FramingFault]:
        """Take bytes; give the chunks they complete. Nothing follows a FramingFault."""
        done: list[Chunk | FramingFault] = []
        for kind, offset, length, value in self._framer.feed(data):
            if isinstance(value, Head):
                self._open = _Open(value, offset, length)
            elif kind == "body" and self._open is not None and isinstance(value, bytes):
                self._open.add(value, self._keep)
            elif kind == "end" and self._open is not None:
                done.append(_close(self._open, str(value), length))
                self._open = None
            elif kind == "error":
                done.append(FramingFault(str(value), offset))
        return done

    @property
    def unfinished(self) -> Chunk | None:
        """The chunk whose header is complete and whose end-line has not come yet."""
        return None if self._open is None else _close(self._open, "", 0)

    @property
    def between_chunks(self) -> bool:
        """Whether the stream may end here without cutting a chunk."""
        return self._framer.between_chunks()


def _close(chunk: _Open, flag: str, end_length: int) -> Chunk:
    head = chunk.head
    return Chunk(
        method=head.method,
        status=head.status,
        comment=head.comment,
        tid=head.transaction_id,
        headers=tuple(head.headers),
        body=_body(chunk, end_length),
        flag=flag,
        offset=chunk.offset,
        length=chunk.length + end_length,
        body_length=chunk.body_length,
    )


def _body(chunk: _Open, end_length: int) -> bytes | None:
    """The body; None for a bodiless chunk, also one written with a stray blank line."""
    if not chunk.head.has_body:
        return None
    if chunk.body_length:
        return b"".join(chunk.body)
    bare_end_line = len("-------") + len(chunk.head.transaction_id) + len("$\r\n")
    typed = any(name.lower() == "content-type" for name, _ in chunk.head.headers)
    return None if end_length == bare_end_line and not typed else b""


def _number(text: str) -> int | None:
    return None if text == "*" else int(text)

"""Chunks as an endpoint writes them: SEND, REPORT and responses (RFC 4975 §7, §9). Pure."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Self

from ..framing import ByteRange

CHUNK_LIMIT = 2048
"""Octets of body above which a SEND must be interruptible: range-end ``*`` (RFC 4975 §7.1.1)."""


def fresh_id() -> str:
    """A transaction id or Message-ID of 64 random bits (RFC 4975 §7.1)."""
    return secrets.token_hex(8)


def range_of(start: int, size: int, total: int | None) -> ByteRange:
    """The range of ``size`` octets from ``start`` (from 1); interruptible when that is long."""
    end = start + size - 1 if size <= CHUNK_LIMIT else None
    return ByteRange(start, end, total)


def _written(value: ByteRange) -> str:
    return f"{value.start}-{_star(value.end)}/{_star(value.total)}"


def _star(value: int | None) -> str:
    return "*" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Send:
    """One SEND request, not yet addressed. Without ``content_type`` it has no body.

    ``failure_report`` is ``yes``, ``no``, ``partial``, or None: no such header, which means yes.
    """

    message_id: str
    byte_range: ByteRange
    content_type: str | None = None
    body: bytes = b""
    flag: str = "$"
    success_report: bool = False
    failure_report: str | None = None

    @classmethod
    def bind(cls) -> Self:
        """The bodiless SEND by which the active end binds (RFC 4975 §5.4)."""
        return cls(fresh_id(), ByteRange(1, 0, 0))

    @classmethod
    def message(cls, content_type: str, body: bytes) -> Self:
        """A whole chat message with a success REPORT asked for."""
        size = len(body)
        return cls(fresh_id(), range_of(1, size, size), content_type, body, success_report=True)

    @property
    def answered(self) -> bool:
        """Whether a response follows whatever the outcome (RFC 4975 §7.1.3)."""
        return self.failure_report in (None, "yes")

    @property
    def answered_on_failure(self) -> bool:
        """Whether a response follows only if it is an error (RFC 4975 §7.1.3)."""
        return self.failure_report == "partial"

    def tid(self) -> str:
        """A fresh transaction id that no end-line in the body repeats (RFC 4975 §7.1)."""
        while True:
            tid = fresh_id()
            if b"-------" + tid.encode() not in self.body:
                return tid

    def encode(self, tid: str, to_path: str, from_path: str) -> bytes:
        """The chunk on the wire."""
        head = [
            f"MSRP {tid} SEND",
            f"To-Path: {to_path}",
            f"From-Path: {from_path}",
            f"Message-ID: {self.message_id}",
            f"Byte-Range: {_written(self.byte_range)}",
        ]
        if self.success_report:
            head.append("Success-Report: yes")
        if self.failure_report is not None:
            head.append(f"Failure-Report: {self.failure_report}")
        if self.content_type is None:
            return _lines(*head, f"-------{tid}{self.flag}")
        head.append(f"Content-Type: {self.content_type}")
        end_line = f"\r\n-------{tid}{self.flag}\r\n".encode()
        return b"%b\r\n%b%b" % (_lines(*head), self.body, end_line)


def response(tid: str, status: int, comment: str, to_path: str, from_path: str) -> bytes:
    """A response: no body, always complete (RFC 4975 §7.2)."""
    return _lines(
        f"MSRP {tid} {status:03} {comment}".rstrip(),
        f"To-Path: {to_path}",
        f"From-Path: {from_path}",
        f"-------{tid}$",
    )


def report(to_path: str, from_path: str, message_id: str, byte_range: ByteRange) -> bytes:
    """A success REPORT; it is never answered (RFC 4975 §7.1.2)."""
    tid = fresh_id()
    return _lines(
        f"MSRP {tid} REPORT",
        f"To-Path: {to_path}",
        f"From-Path: {from_path}",
        f"Message-ID: {message_id}",
        f"Byte-Range: {_written(byte_range)}",
        "Status: 000 200 OK",
        f"-------{tid}$",
    )


def _lines(*lines: str) -> bytes:
    return ("\r\n".join(lines) + "\r\n").encode()

"""MSRP as a peer writes and reads it. Written from RFC 4975 section 9, not from our own framer.

Frames are written with marks for the paths: `TO` and `FROM` stand for the lists that the writer
uses, and that its reader must see; `HOP` for the first URI of the list, where a response goes.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

TO, HOP, FROM = b"@TO@", b"@HOP@", b"@FROM@"
_START = re.compile(rb"MSRP ([^ \r\n]+) (?:([A-Z]+)|([0-9]{3})(?: ([^\r\n]*))?)")
_serial = itertools.count(1)


def fresh(prefix: bytes = b"t") -> bytes:
    """A transaction or message id that was not given before; 8 characters and more."""
    return b"%b%07d" % (prefix, next(_serial))


def request(
    method: bytes = b"SEND",
    *headers: bytes,
    body: bytes | None = None,
    tid: bytes | None = None,
    flag: bytes = b"$",
    content_type: bytes = b"text/plain",
    message_id: bytes | None = None,
) -> bytes:
    """A request with marks for its paths. `headers` are whole lines without CRLF."""
    tid = tid or fresh()
    lines = [b"MSRP %b %b" % (tid, method), b"To-Path: " + TO, b"From-Path: " + FROM]
    lines += [b"Message-ID: " + (message_id or fresh(b"m")), *headers]
    if body is not None:
        lines += [b"Content-Type: " + content_type, b"", body]
    return b"\r\n".join(lines) + b"\r\n-------%b%b\r\n" % (tid, flag)


def bind() -> bytes:
    """The empty SEND that a peer begins with (RFC 4975 section 5.4)."""
    return request(b"SEND", b"Byte-Range: 1-0/0")


def message(text: bytes = b"hello", *headers: bytes) -> bytes:
    """A SEND with a whole short message that wants no answer."""
    size = b"Byte-Range: 1-%d/%d" % (len(text), len(text))
    return request(b"SEND", size, b"Failure-Report: no", *headers, body=text)


def response(tid: bytes, status: bytes = b"200 OK", *headers: bytes, flag: bytes = b"$") -> bytes:
    """A response; one hop far, as the answer to a SEND goes (RFC 4975 section 7.2)."""
    lines = [b"MSRP %b %b" % (tid, status), b"To-Path: " + HOP, b"From-Path: " + FROM, *headers]
    return b"\r\n".join(lines) + b"\r\n-------%b%b\r\n" % (tid, flag)


def fill(template: bytes, to_path: Sequence[str], from_path: Sequence[str]) -> bytes:
    """The frames of a template with these paths."""
    whole = template.replace(TO, " ".join(to_path).encode()).replace(HOP, to_path[0].encode())
    return whole.replace(FROM, " ".join(from_path).encode())


@dataclass(frozen=True)
class Frame:
    """One frame as it arrived; `raw` are all its octets."""

    raw: bytes
    tid: bytes
    method: str | None
    status: int | None
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes | None
    flag: bytes

    def header(self, name: bytes) -> bytes | None:
        """The first value under this name, in any case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    @property
    def to_path(self) -> list[bytes]:
        """The URIs of To-Path."""
        return (self.header(b"To-Path") or b"").split()

    @property
    def from_path(self) -> list[bytes]:
        """The URIs of From-Path."""
        return (self.header(b"From-Path") or b"").split()


def take_frame(data: bytes) -> tuple[Frame, int] | None:
    """The frame at the start of `data` and its length; None while it is incomplete.

    Raises AssertionError for what is no MSRP.
    """
    if b"\r\n" not in data:
        return None
    start = _START.fullmatch(data[: data.index(b"\r\n")])
    assert start is not None, f"no MSRP: {data[:60]!r}"
    tid = start[1]
    headers: list[tuple[bytes, bytes]] = []
    at = start.end() + 2
    while (stop := data.find(b"\r\n", at)) >= 0:
        line = data[at:stop]
        if line.startswith(b"-------"):
            assert line[7:-1] == tid, f"end-line {line!r} of another frame than {tid!r}"
            return _frame(data[: stop + 2], start, headers, None, line[-1:])
        if not line:
            return _with_body(data, stop, start, headers)
        name, colon, value = line.partition(b":")
        assert colon, f"no header: {line!r}"
        headers.append((name, value.strip()))
        at = stop + 2
    return None


def _with_body(
    data: bytes, blank: int, start: re.Match[bytes], headers: list[tuple[bytes, bytes]]
) -> tuple[Frame, int] | None:
    """The CRLF at `blank` ends the header section."""
    end_line = re.compile(rb"\r\n-------" + re.escape(start[1]) + rb"([+$#])\r\n")
    found = end_line.search(data, blank)
    if found is None:
        return None
    body = data[blank + 2 : found.start()]
    return _frame(data[: found.end()], start, headers, body, found[1])


def _frame(
    raw: bytes,
    start: re.Match[bytes],
    headers: list[tuple[bytes, bytes]],
    body: bytes | None,
    flag: bytes,
) -> tuple[Frame, int]:
    tid, method, status, _ = start.groups()
    said = None if method is None else method.decode()
    number = None if status is None else int(status)
    return Frame(raw, tid, said, number, tuple(headers), body, flag), len(raw)

"""SIP messages as far as the rules need them (RFC 3261 sections 7 and 25)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from .hosts import Endpoint

MAX_HEAD = 65_536
MAX_BODY = 262_144
START = re.compile(rb"(?:SIP/2\.0 ([1-6]\d\d)(?: ([^\r\n]*))?|([A-Z]{3,16}) (\S+) SIP/2\.0)\r?\n")
LONG_NAMES = {
    b"i": b"call-id",
    b"f": b"from",
    b"t": b"to",
    b"v": b"via",
    b"l": b"content-length",
    b"c": b"content-type",
    b"m": b"contact",
}
"""Compact forms (RFC 3261 section 7.3.3)."""

WANTED = frozenset(
    b"call-id from to via cseq expires content-length content-type user-agent server".split()
)
TAG = re.compile(r";\s*tag\s*=\s*([^;\s,>]+)", re.IGNORECASE)
BRANCH = re.compile(r";\s*branch\s*=\s*([^;\s,]+)", re.IGNORECASE)
BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)
URI = re.compile(r"<\s*([^>]*)>|^\s*([^;\s]+)")


class SipMessage(NamedTuple):
    """One request (``method``) or response (``status``) and the packet it came in."""

    number: int
    time: float
    src: Endpoint
    dst: Endpoint
    transport: str
    method: str
    status: int | None
    reason: str
    target: str
    call_id: str
    cseq: int
    branch: str
    from_tag: str
    to_tag: str
    from_uri: str
    to_uri: str
    agent: str
    expires: int | None
    sdp: bytes

    @property
    def request(self) -> bool:
        """Whether it is a request; ``method`` of a response is its CSeq's."""
        return self.status is None


def looks_like_sip(data: bytes) -> bool:
    """Whether ``data`` begins with a SIP start line."""
    return START.match(data, 0, 2048) is not None


def parse_message(
    data: bytes, number: int, time: float, src: Endpoint, dst: Endpoint, transport: str
) -> SipMessage | None:
    """Read one whole message; None if it is no SIP or lacks Call-ID or CSeq."""
    start = START.match(data, 0, MAX_HEAD)
    if start is None:
        return None
    head, _, body = data[start.end() :].partition(b"\r\n\r\n")
    headers = _headers(head[:MAX_HEAD])
    cseq = headers.get("cseq", "").split()
    call_id = headers.get("call-id", "")
    if len(cseq) != 2 or not cseq[0].isascii() or not cseq[0].isdigit() or not call_id:
        return None
    status = int(start[1]) if start[1] else None
    return SipMessage(
        number,
        time,
        src,
        dst,
        transport,
        cseq[1] if status else _text(start[3]),
        status,
        _text(start[2] or b""),
        _text(start[4] or b""),
        call_id,
        int(cseq[0][:10]),
        _first(BRANCH, headers.get("via", "")),
        _first(TAG, headers.get("from", "")),
        _first(TAG, headers.get("to", "")),
        _first(URI, headers.get("from", "")),
        _first(URI, headers.get("to", "")),
        headers.get("user-agent", headers.get("server", "")),
        _number(headers.get("expires", "")),
        _description(headers.get("content-type", ""), bytes(body[:MAX_BODY])),
    )


def _description(content_type: str, body: bytes) -> bytes:
    """The session description in a body, which may be one part of several; empty without one."""
    boundary = _first(BOUNDARY, content_type)
    if "multipart/" not in content_type.lower() or not boundary:
        plain = "application/sdp" in content_type.lower() or body.startswith(b"v=0")
        return body if plain else b""
    # RFC 2046 section 5.1.1: the line end before a boundary belongs to the boundary.
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode("utf-8", "surrogateescape")):
        head, _, inner = part.partition(b"\r\n\r\n")
        kind = _headers(head).get("content-type", "").lower()
        if kind.startswith("application/sdp"):
            return inner + b"\r\n"
    return b""


def split_stream(data: bytes) -> tuple[list[bytes], bytes]:
    """Whole messages of a SIP stream by Content-Length (RFC 3261 section 18.3), and the rest.

    What cannot be SIP is thrown away up to the next line that can.
    """
    messages: list[bytes] = []
    while data := data.lstrip(b"\r\n"):
        if not START.match(data, 0, MAX_HEAD):
            if b"\n" not in data:
                break
            data = data.partition(b"\n")[2]
            continue
        end = data.find(b"\r\n\r\n", 0, MAX_HEAD)
        if end < 0:
            break
        length = _number(_headers(data[:end]).get("content-length", "0")) or 0
        whole = end + 4 + min(length, MAX_BODY)
        if len(data) < whole:
            break
        messages.append(data[:whole])
        data = data[whole:]
    return messages, data[-MAX_HEAD - MAX_BODY :]


def _headers(head: bytes) -> dict[str, str]:
    """The wanted headers, the first value of each; folded lines are joined."""
    found: dict[str, str] = {}
    for name, value in _lines(head):
        if name in WANTED:
            found.setdefault(name.decode(), _text(value))
    return found


def _lines(head: bytes) -> Iterator[tuple[bytes, bytes]]:
    for line in re.sub(rb"\r?\n[ \t]+", b" ", head).split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon:
            key = name.strip().lower()
            yield LONG_NAMES.get(key, key), value.strip()


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return "" if found is None else next((group for group in found.groups() if group), "")


def _number(text: str) -> int | None:
    digits = text.split(";")[0].strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape").strip()

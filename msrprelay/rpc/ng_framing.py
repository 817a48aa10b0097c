"""ng messages on a stream: where each one ends, found without decoding it.

Sans-IO. rtpengine frames ``cookie SP bencode`` back to back; JSON is framed here by its braces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..errors import NO_BENCODE, NO_JSON, NOT_NG

TOO_LONG = "Message too long"
# A SIP server nests three deep.
MAX_DEPTH = 32
LONGEST_COOKIE = 256
# A number in bencode, with its sign and the byte that ends it.
LONGEST_NUMBER = 20
_OUTSIDE = re.compile(rb'["{}]')
_INSIDE = re.compile(rb'["\\]')


class StreamFault(Exception):
    """The stream cannot be read any further; ``reason`` is rtpengine's error string.

    ``cookie`` is that of the message in which it happened, empty if it has none.
    """

    def __init__(self, reason: str, cookie: bytes) -> None:
        super().__init__(reason)
        self.reason = reason
        self.cookie = cookie


class NgStream:
    """Cuts what arrives on one connection into messages; linear however it is cut."""

    def __init__(self, *, longest: int, cookies: bool) -> None:
        """``longest``: bytes of one message. ``cookies``: whether messages begin with one."""
        self._longest = longest
        self._cookies = cookies
        self._rest = bytearray()
        self._cookie = b""
        # Where the body of the first message begins in what is kept, and how far it was read.
        self._start: int | None = None
        self._scan: BencodeScan | JsonScan | None = None

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The messages that ``data`` completes, as (cookie, body). Raises StreamFault."""
        self._rest += data
        while self._open():
            assert self._scan is not None
            assert self._start is not None
            end = self._scan.end(self._rest)
            if end is None and len(self._rest) <= self._longest:
                return
            if end is None or end > self._longest:
                raise StreamFault(TOO_LONG, self._cookie)
            body = bytes(self._rest[self._start : end])
            cookie = self._cookie
            del self._rest[:end]
            self._scan = self._start = None
            yield cookie, body

    def end(self) -> None:
        """The stream has ended; raises StreamFault if it ends inside a message."""
        if self._rest.strip():
            json = isinstance(self._scan, JsonScan)
            raise StreamFault(NO_JSON if json else NO_BENCODE, self._cookie)

    def _open(self) -> bool:
        """Find the first message's body and choose how to read it; False: more is needed."""
        if self._scan is not None:
            return True
        # A line end between messages is what people's tools send.
        del self._rest[: len(self._rest) - len(self._rest.lstrip(b"\r\n"))]
        self._cookie, start = b"", 0
        if self._cookies:
            start = self._rest.find(b" ", 0, LONGEST_COOKIE + 1) + 1
            if not start:
                if len(self._rest) > LONGEST_COOKIE:
                    raise StreamFault(NOT_NG, b"")
                return False
            self._cookie = bytes(self._rest[: start - 1])
        if start == len(self._rest):
            return False
        first = self._rest[start : start + 1]
        if first == b"d":
            self._scan = BencodeScan(start, self._cookie)
        elif first == b"{":
            self._scan = JsonScan(start, self._cookie)
        else:
            raise StreamFault(NOT_NG, self._cookie)
        self._start = start
        return True


class BencodeScan:
    """Finds the end of a bencoded dictionary."""

    def __init__(self, start: int, cookie: bytes) -> None:
        self._at = start
        self._depth = 0
        self._cookie = cookie

    def end(self, data: bytearray) -> int | None:
        """The offset behind it; None: more is needed. Raises StreamFault."""
        while self._at < len(data):
            char = data[self._at]
            if char in b"dl":
                self._depth += 1
                self._at += 1
            elif char == ord("e"):
                self._depth -= 1
                self._at += 1
                if not self._depth:
                    return self._at
            elif not self._skip(data, b"e" if char == ord("i") else b":"):
                return None
            if self._depth > MAX_DEPTH:
                raise self._broken()
        return None

    def _skip(self, data: bytearray, stop: bytes) -> bool:
        """Step over a number or string; False if its number is not complete."""
        first = self._at + (stop == b"e")
        found = data.find(stop, first, first + LONGEST_NUMBER)
        digits = data[first : found if found >= 0 else None]
        if stop == b"e":
            digits = digits.removeprefix(b"-")
        if (digits and not digits.isdigit()) or (found >= 0 and not digits):
            raise self._broken()
        if found < 0:
            if len(data) - first >= LONGEST_NUMBER:
                raise self._broken()
            return False
        self._at = found + 1 + (int(digits) if stop == b":" else 0)
        return True

    def _broken(self) -> StreamFault:
        return StreamFault(NO_BENCODE, self._cookie)


class JsonScan:
    """Finds the end of a JSON object by its braces."""

    def __init__(self, start: int, cookie: bytes) -> None:
        self._at = start
        self._depth = 0
        self._string = False
        self._cookie = cookie

    def end(self, data: bytearray) -> int | None:
        """The offset behind it; None: more is needed. Raises StreamFault."""
        while found := (_INSIDE if self._string else _OUTSIDE).search(data, self._at):
            char = found[0]
            if char == b"\\":
                if found.end() == len(data):
                    # What is escaped has not come yet.
                    self._at = found.start()
                    return None
                self._at = found.end() + 1
                continue
            self._at = found.end()
            if char == b'"':
                self._string = not self._string
                continue
            self._depth += 1 if char == b"{" else -1
            if not self._depth:
                return self._at
            if self._depth > MAX_DEPTH:
                raise StreamFault(NO_JSON, self._cookie)
        self._at = len(data)
        return None

"""The session level of an SDP, where a SIP server asks for more than the message sections."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .msrp_section import Connection
from .reading import parse_connection

# o=<username> <sess-id> <sess-version> <nettype> <addrtype> <unicast-address> (RFC 8866 5.2).
ORIGIN_FIELDS = 6
# RFC 4566 wants a numeric version; this is what fits 64 bits.
LONGEST_VERSION = 19


@dataclass(frozen=True, slots=True)
class HeadEdit:
    """What the session level says after the rewrite; ``None`` leaves a line as it is.

    ``origin`` is the address of o=; ``connection`` that of c=, which is left alone while a section
    of somebody else has no c= of its own.
    """

    origin: Connection | None = None
    connection: Connection | None = None


def edit_head(body: bytes, end: int, foreign: Sequence[tuple[int, int]], edit: HeadEdit) -> bytes:
    """``body[:end]``, the lines before the first m=, rewritten.

    ``foreign``: where the sections begin and end that the relay leaves alone.
    """
    head = body[:end]
    if edit.origin is not None:
        head = _with_origin(head, 4, _octets(edit.origin))
    if edit.connection is not None and all(_connects(body, *span) for span in foreign):
        ours = b"c=IN %b %b" % _octets(edit.connection)
        lines = head.split(b"\n")
        head = b"\n".join(
            [_as_ended(ours, line) if line.startswith(b"c=") else line for line in lines]
        )
    return head


def _connects(body: bytes, begin: int, end: int) -> bool:
    """Whether a section has a readable c= of its own."""
    lines = body[begin:end].split(b"\n")
    return any(
        line.startswith(b"c=") and parse_connection(line, 0, len(line)) is not None
        for line in lines
    )


def origin_version(body: bytes) -> int | None:
    """The sess-version of o=, which grows with every change of the SDP; ``None``: there is none."""
    found = _origin(body)
    if found is None:
        return None
    version = found[0].split(b" ")[2]
    return int(version) if version.isdigit() and len(version) <= LONGEST_VERSION else None


def with_origin_version(body: bytes, version: int) -> bytes:
    """The body with another sess-version; the same body if its o= is not readable."""
    return _with_origin(body, 2, (b"%d" % version,))


def _with_origin(body: bytes, first: int, values: tuple[bytes, ...]) -> bytes:
    """Put ``values`` in the place of the fields from ``first`` on."""
    found = _origin(body)
    if found is None:
        return body
    fields = found[0].split(b" ")
    fields[first : first + len(values)] = values
    return body[: found.start()] + b" ".join(fields) + body[found.end() :]


def _origin(body: bytes) -> re.Match[bytes] | None:
    """The first o= line without its end, if it is one."""
    end = body.find(b"\nm=")
    found = _ORIGIN.search(body, 0, end if end >= 0 else len(body))
    readable = found is not None and found[0].count(b" ") == ORIGIN_FIELDS - 1
    return found if readable else None


def _as_ended(text: bytes, line: bytes) -> bytes:
    """``text`` in the place of a line that LF ends: with its CR, if it has one."""
    return text + b"\r" if line.endswith(b"\r") else text


def _octets(connection: Connection) -> tuple[bytes, bytes]:
    return connection.family.encode(), connection.host.encode()


_ORIGIN = re.compile(rb"(?m)^o=[^\n]*?(?=\r?$)")

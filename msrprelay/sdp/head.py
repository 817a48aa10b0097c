"""The session level of an SDP, where a SIP server asks for more than the message sections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .lines import Line, join_lines, split_lines
from .section import Connection, connection_of

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


def edit_head(
    head: Sequence[Line], foreign: Sequence[Sequence[Line]], edit: HeadEdit
) -> list[Line]:
    """The lines before the first m=, rewritten. ``foreign``: sections the relay leaves alone."""
    lines = list(head)
    if edit.origin is not None:
        _change_origin(lines, 4, [*_octets(edit.origin)])
    if edit.connection is not None and all(connection_of(section) for section in foreign):
        family, host = _octets(edit.connection)
        for at, line in enumerate(lines):
            if line.text.startswith(b"c="):
                lines[at] = Line(b"c=IN %b %b" % (family, host), line.end)
    return lines


def origin_version(body: bytes) -> int | None:
    """The sess-version of o=, which grows with every change of the SDP; ``None``: there is none."""
    for line in split_lines(body):
        fields = line.text.split(b" ")
        if line.text.startswith(b"o=") and len(fields) == ORIGIN_FIELDS:
            version = fields[2]
            return int(version) if version.isdigit() and len(version) <= LONGEST_VERSION else None
        if line.text.startswith(b"m="):
            break
    return None


def with_origin_version(body: bytes, version: int) -> bytes:
    """The body with another sess-version; the same body if its o= is not readable."""
    lines = split_lines(body)
    _change_origin(lines, 2, [b"%d" % version])
    return join_lines(lines)


def _change_origin(lines: list[Line], first: int, values: list[bytes]) -> None:
    """Put ``values`` in the place of the fields from ``first`` on."""
    for at, line in enumerate(lines):
        if line.text.startswith(b"o="):
            fields = line.text.split(b" ")
            if len(fields) == ORIGIN_FIELDS:
                fields[first : first + len(values)] = values
                lines[at] = Line(b" ".join(fields), line.end)
            return


def _octets(connection: Connection) -> tuple[bytes, bytes]:
    return connection.family.encode(), connection.host.encode()

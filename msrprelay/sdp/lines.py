# cython: annotation_typing=False
"""Lines of a session description, octet for octet (RFC 8866 section 5).

A line ends in LF; a CR before it belongs to the end, so that every line keeps its own. A lone CR is
text. A line is no object here but two offsets, ``at`` and ``stop``, the octet behind its text: what
reads octet by octet costs a compiled relay less than a call of a method of bytes, or an object.
The types are in the ``.pxd`` beside each module.
"""

from __future__ import annotations

Attributes = tuple[tuple[bytes, bytes], ...]

LF, COLON, EQUALS, LOWER_A, LOWER_M = 0x0A, 0x3A, 0x3D, 0x61, 0x6D


def attributes_of(body: bytes, at: int, end: int) -> Attributes:
    """All ``a=`` lines of ``body[at:end]`` as (name in lower case, value).

    A flag such as ``a=msrp-cema`` has an empty value. Blanks around the value are not part of it.
    """
    found = []
    while at < end:
        stop = line_end(body, at, end)
        kind = kind_of(body, at, stop)
        if kind[:2] == b"a=":
            found.append((kind[2:], value_of(body, at, stop)))
        at = stop + 1
    return tuple(found)


def media_line(body: bytes, at: int, end: int) -> int:
    """Where the first ``m=`` line begins that begins at ``at`` or later; ``end``: none does."""
    while at + 1 < end:
        if body[at] == LOWER_M and body[at + 1] == EQUALS:
            return at
        at = line_end(body, at, end) + 1
    return end


def lines_in(body: bytes, at: int, end: int) -> int:
    """How many lines begin in ``body[at:end]``, where one begins at ``at``."""
    count = 0
    while at < end:
        at = line_end(body, at, end) + 1
        count += 1
    return count


def line_end(body: bytes, at: int, end: int) -> int:
    """Where the LF is of the line that begins at ``at``; ``end`` if it has none."""
    while at < end and body[at] != LF:
        at += 1
    return at


def kind_of(body: bytes, at: int, stop: int) -> bytes:
    """What a line is: ``c=`` and the like, or ``a=`` with the attribute's name in lower case.

    What is no line of a session description is ``b""``.
    """
    if stop - at < 2 or body[at + 1] != EQUALS:
        return b""
    if body[at] != LOWER_A:
        return part(body, at, at + 2)
    end = past_name(body, at + 2, stop)
    behind = past_blanks(body, end, stop)
    if behind == stop or body[behind] == COLON:
        return part(body, at, end)
    return b"a=" + stripped(body, at + 2, colon(body, at, stop)).lower()


def value_of(body: bytes, at: int, stop: int) -> bytes:
    """The value of an ``a=`` line."""
    return stripped(body, colon(body, at, stop) + 1, stop)


def colon(body: bytes, at: int, stop: int) -> int:
    """Where the first colon of a line stands; ``stop`` if it has none."""
    while at < stop and body[at] != COLON:
        at += 1
    return at


def stripped(body: bytes, begin: int, end: int) -> bytes:
    """``body[begin:end]`` without the blanks around it."""
    begin = past_blanks(body, begin, end)
    while begin < end and body[end - 1] in b" \t\n\v\f\r":
        end -= 1
    return part(body, begin, end) if begin < end else b""


def past_blanks(body: bytes, at: int, end: int) -> int:
    """Where the blanks end that begin at ``at``, if any do."""
    while at < end and body[at] in b" \t\n\v\f\r":
        at += 1
    return at


def past_field(body: bytes, at: int, end: int) -> int:
    """Where the next blank is; ``end`` if there is none."""
    while at < end and body[at] not in b" \t\n\v\f\r":
        at += 1
    return at


def past_name(body: bytes, at: int, end: int) -> int:
    """Where a name ends that is spelt like nearly all: no blank, no capital, no colon."""
    while at < end and body[at] not in b" \t\n\v\f\r:ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        at += 1
    return at


def part(body: bytes, begin: int, end: int) -> bytes:
    """``body[begin:end]``, both within the body."""
    return body[begin:end]


def text(raw: bytes) -> str:
    """Octets of an SDP as text; those that are no UTF-8 survive a round trip."""
    return raw.decode("utf-8", "surrogateescape")

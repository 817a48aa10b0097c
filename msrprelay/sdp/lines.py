# cython: annotation_typing=False
"""Lines of a session description, octet for octet (RFC 8866 section 5).

A line ends in LF; a CR before it belongs to the end, so that every line keeps its own. A lone CR is
text. What reads here octet by octet costs a compiled relay less than one call of a method of bytes;
the types are in the ``.pxd`` beside each module.
"""

from __future__ import annotations

Attributes = tuple[tuple[bytes, bytes], ...]

COLON = 0x3A
UPPER_A, UPPER_Z = 0x41, 0x5A


def attributes_of(body: bytes, begin: int, end: int) -> Attributes:
    """All ``a=`` lines of ``body[begin:end]`` as (name in lower case, value).

    A flag such as ``a=msrp-cema`` has an empty value. Blanks around the value are not part of it.
    """
    lines = body[begin:end].split(b"\n")
    return tuple([(name_of(line), value_of(line)) for line in lines if line.startswith(b"a=")])


def name_of(line: bytes) -> bytes:
    """The name of an ``a=`` line."""
    name = stripped(line, 2, _colon(line))
    for char in name:
        if UPPER_A <= char <= UPPER_Z:
            return name.lower()
    return name


def value_of(line: bytes) -> bytes:
    """The value of an ``a=`` line."""
    return stripped(line, _colon(line) + 1, len(line))


def fields_of(line: bytes, begin: int) -> list[bytes]:
    """What stands between blanks in ``line[begin:]``."""
    fields = []
    first = past_blanks(line, begin)
    while first < len(line):
        end = past_field(line, first)
        fields.append(part(line, first, end))
        first = past_blanks(line, end)
    return fields


def stripped(line: bytes, begin: int, end: int) -> bytes:
    """``line[begin:end]`` without the blanks around it."""
    begin = past_blanks(line, begin)
    while begin < end and line[end - 1] in b" \t\n\v\f\r":
        end -= 1
    return part(line, begin, end) if begin < end else b""


def past_blanks(line: bytes, at: int) -> int:
    """Where the blanks end that begin at ``at``, if any do."""
    while at < len(line) and line[at] in b" \t\n\v\f\r":
        at += 1
    return at


def past_field(line: bytes, at: int) -> int:
    """Where the next blank is, or the line ends."""
    while at < len(line) and line[at] not in b" \t\n\v\f\r":
        at += 1
    return at


def part(line: bytes, begin: int, end: int) -> bytes:
    """``line[begin:end]``, both within the line."""
    return line[begin:end]


def as_ended(text: bytes, line: bytes) -> bytes:
    """``text`` in the place of a line that LF ends: with its CR, if it has one."""
    return text + b"\r" if line.endswith(b"\r") else text


def _colon(line: bytes) -> int:
    """Where the first colon stands, or the line ends."""
    for at in range(len(line)):
        if line[at] == COLON:
            return at
    return len(line)

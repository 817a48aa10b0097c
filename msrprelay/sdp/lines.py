"""Lines of a session description, octet for octet (RFC 8866 section 5).

A line ends in LF; a CR before it belongs to the end, so that every line keeps its own. A lone CR is
text.
"""

from __future__ import annotations

Attributes = tuple[tuple[bytes, bytes], ...]


def attributes_of(body: bytes, begin: int, end: int) -> Attributes:
    """All ``a=`` lines of ``body[begin:end]`` as (name in lower case, value).

    A flag such as ``a=msrp-cema`` has an empty value. Blanks around the value are not part of it.
    """
    found = []
    for line in body[begin:end].split(b"\n"):
        if line.startswith(b"a="):
            name, _, value = line[2:].partition(b":")
            found.append((name.strip().lower(), value.strip()))
    return tuple(found)


def as_ended(text: bytes, line: bytes) -> bytes:
    """``text`` in the place of a line that LF ends: with its CR, if it has one."""
    return text + b"\r" if line.endswith(b"\r") else text

"""A session description as lines that keep their own line ends (RFC 8866 section 5)."""

from __future__ import annotations

from typing import NamedTuple


class Line(NamedTuple):
    """One line: ``text``, and its ``end`` as it was: CRLF, LF or, at the very end, nothing."""

    text: bytes
    end: bytes


def split_lines(body: bytes) -> list[Line]:
    """Split at LF; joining texts and ends gives ``body`` back. A lone CR is text."""
    *ended, last = body.split(b"\n")
    lines = [Line(raw[:-1], b"\r\n") if raw.endswith(b"\r") else Line(raw, b"\n") for raw in ended]
    if last:
        lines.append(Line(last, b""))
    return lines


def join_lines(lines: list[Line]) -> bytes:
    """The inverse of :func:`split_lines`."""
    return b"".join([part for line in lines for part in line])


def attribute(text: bytes) -> tuple[bytes, bytes] | None:
    """``(name in lower case, value)`` of an ``a=`` line, ``None`` for any other line.

    A flag such as ``a=msrp-cema`` has an empty value. Blanks around the value are not part of it.
    """
    if not text.startswith(b"a="):
        return None
    name, _, value = text[2:].partition(b":")
    return name.strip().lower(), value.strip()

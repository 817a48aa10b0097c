"""Strangers' text made fit for a terminal, a log line or a table."""

from __future__ import annotations

LONGEST = 256


def printable(text: str, longest: int = LONGEST) -> str:
    """``text`` with everything that could act on a terminal or break a line written as an escape.

    Text longer than ``longest`` characters is cut and ends in ``…``. Spaces stay.
    """
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else escaped(char) for char in text)


def escaped(char: str) -> str:
    r"""``char`` as ``\xNN``, ``\uNNNN`` or ``\UNNNNNNNN``; a byte that was no UTF-8 as itself."""
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"

"""Words of peers within a sentence."""

from __future__ import annotations

NAMED = {"\r": "\\r", "\n": "\\n", "\t": "\\t"}


def quoted(said: bytes | str) -> str:
    """``said`` between quotation marks on one line; the output makes the rest printable."""
    text = said.decode("utf-8", "surrogateescape") if isinstance(said, bytes) else said
    return '"' + "".join(NAMED.get(char, char) for char in text) + '"'

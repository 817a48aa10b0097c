"""On which line of a TOML file a key stands: the standard library's reader does not say."""

from __future__ import annotations

import re

_TABLE = re.compile(r"\s*\[\[?\s*([^\[\]#]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*[A-Za-z0-9_"'-]+)*)\s*=""")
_PARTS = re.compile(r"\"([^\"]*)\"|'([^']*)'|([A-Za-z0-9_-]+)")


def lines_of(text: str) -> dict[str, int]:
    """The line, from 1, of each full key (``timers.gate``) and table, where it stands first.

    For well-formed files; good enough to point at, not to read by.
    """
    found: dict[str, int] = {}
    table = ""
    quote = ""  # the quotes of a string of several lines that is open
    for number, line in enumerate(text.splitlines(), 1):
        if not quote:
            if header := _TABLE.match(line):
                table = dotted(header[1])
                note(found, table, number)
            elif key := _KEY.match(line):
                note(found, f"{table}.{dotted(key[1])}" if table else dotted(key[1]), number)
        quote = still_open(line, quote)
    return found


def note(found: dict[str, int], full: str, number: int) -> None:
    """A key stands on that line, and so do the tables in its name, unless they stood before."""
    while full:
        found.setdefault(full, number)
        full = full.rpartition(".")[0]


def dotted(key: str) -> str:
    """A key without quotes and spaces, dashes for underscores."""
    parts = (double or single or bare for double, single, bare in _PARTS.findall(key))
    return ".".join(part.replace("_", "-") for part in parts)


def still_open(line: str, quote: str) -> str:
    """The quotes that are open behind ``line``; ``quote`` are those that were open before it."""
    for mark in (quote,) if quote else ('"' * 3, "'" * 3):
        if line.count(mark) % 2:
            return "" if quote else mark
    return quote

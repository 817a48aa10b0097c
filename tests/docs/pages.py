"""Pages of docs/ with generated parts, each between a pair of comments.

``make docs`` writes the parts again.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
WRITING = "WRITE_DOCS"
PART = re.compile(r"(?s)(<!-- generated: ([a-z-]+) -->\n).*?(<!-- /generated -->)")
# What differs between two runs of the same exchange: ports, session-ids, times, counted bytes.
VOLATILE = re.compile(
    r"[0-9a-f]{16,}|\b[1-5]\d{4}\b|\b1\d{9}(?:\.\d+)?\b|\b0\.\d{6}\b"
    r'|(?<="created_us": )\d+|(?<="relay": )\d+|(?<="sessions-max": )\d+|(?<="bytes": )\d+'
    # How often a test has asked whether the relay is up.
    r'|(?<="ping-pong": )\d+|(?<="totalpingcount": )\d+|(?<="ng": )\{.*?\}|(?<="hits": )\d+'
)


def check(page: str, parts: Mapping[str, str]) -> None:
    """The page's generated parts are these, but for what is volatile; or are written now."""
    path = DOCS / page
    text = path.read_text()
    assert {name for _, name, _ in PART.findall(text)} == set(parts)
    made = PART.sub(lambda part: f"{part[1]}\n{parts[part[2]].strip()}\n\n{part[3]}", text)
    if masked(made) != masked(text) and os.environ.get(WRITING):
        path.write_text(made)
        text = made
    old, new = masked(text).splitlines(), masked(made).splitlines()
    changed = [line for line in difflib.unified_diff(old, new, lineterm="", n=0) if line[3:]]
    assert not changed, "\n".join([f"{path} is old: make docs", *changed])


def masked(text: str) -> str:
    """The text without what no two runs have in common."""
    return VOLATILE.sub("#", text)


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(escaped(cell) for cell in row) + " |" for row in lines)


def escaped(cell: str) -> str:
    """A cell without what would end it."""
    return cell.replace("|", "\\|")

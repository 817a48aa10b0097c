"""`docs/states.md` names exactly the states and reasons of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SESSION = ROOT / "native/proto/src/session"
STATES = (ROOT / "docs/states.md").read_text("utf-8")


def codes(path: Path, enum: str) -> set[str]:
    """The kebab-case codes of an enum: those of its `as_str`, or of the `row` behind it."""
    text = path.read_text("utf-8")
    body = text[text.index(f"impl {enum} {{") :]
    body = body[: body.index("\n}")]
    where = body[body.index("fn row") :] if "fn row" in body else body[body.index("fn as_str") :]
    return set(re.findall(r'=>\s*\{?\s*\(?\s*"([a-z][a-z-]*)"', where))


def documented(heading: str) -> set[str]:
    """The first column of the first table below a heading."""
    section = STATES.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    table = section[section.index("\n|") :].partition("\n\n")[0]
    firsts = [row.split("|")[1] for row in table.strip().splitlines()[2:]]
    return {code for first in firsts for code in re.findall(r"`([a-z-]+)`", first)}


@pytest.mark.parametrize(
    ("heading", "path", "enum"),
    [
        ("A session", SESSION / "terms.rs", "Stage"),
        ("A leg", ROOT / "native/relay/src/board.rs", "LegState"),
        ("What ends a session", SESSION / "reason.rs", "CloseReason"),
        ("What ends a leg", SESSION / "reason.rs", "LegReason"),
    ],
    ids=["session states", "leg states", "session reasons", "leg reasons"],
)
def test_the_table_has_the_codes_of_the_code(heading: str, path: Path, enum: str) -> None:
    assert documented(heading) == codes(path, enum)


def test_what_the_gate_refuses_for_is_told() -> None:
    why = (ROOT / "native/relay/src/why.rs").read_text("utf-8")
    named = set(re.findall(r'^    [A-Z][A-Za-z]+ = "([a-z-]+)",$', why, re.MULTILINE))
    assert documented("At the gate") == named

"""An analysis for the terminal and for programs. Packets' text is made printable here."""

from __future__ import annotations

import json
import shutil
import textwrap
from typing import Any

import click

from ..printable import printable
from .analysis import Analysis, Diagnosis
from .finding import Finding, Severity
from .ladder import build_ladder, draw_text
from .tcp import Connection

COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
LONGEST = 2_000
"""Characters of one verdict."""

NARROW, WIDE = 60, 110


def as_json(analysis: Analysis) -> str:
    """One line: file, findings, healthy; and ``error`` where the file cannot be judged whole.

    ``holes`` and ``rushed`` are there where findings may be those of the capture: places where it
    lacks bytes, and calls judged before their end.
    """
    row: dict[str, Any] = {
        "file": analysis.file,
        "findings": [_as_row(found) for found in analysis.findings],
        "healthy": analysis.healthy,
    }
    if analysis.doubt is not None:
        row["error"] = printable(analysis.doubt, LONGEST)
    if holes := sum(map(_lacks, analysis.diagnoses)):
        row["holes"] = holes
    if analysis.rushed:
        row["rushed"] = analysis.rushed
    return json.dumps(row)


def _as_row(found: Finding) -> dict[str, Any]:
    return {
        "rule": found.rule,
        "severity": found.severity.value,
        "packets": list(found.packets),
        "verdict": printable(explained(found), LONGEST),
        "remedy": found.remedy,
    }


def explained(found: Finding) -> str:
    """The verdict, and what it follows from."""
    return f"Follows from {found.follows}. {found.verdict}" if found.follows else found.verdict


def summary(analysis: Analysis) -> str:
    """One line about the file."""
    name = printable(analysis.file, LONGEST)
    if analysis.unreadable:
        return f"{printable(analysis.damage or '', LONGEST)}"
    errors = sum(f.severity is Severity.ERROR for f in analysis.findings)
    notes = len(analysis.findings) - errors
    extra = f", {_counted(notes, 'note')}" if notes else ""
    size = f"{_counted(analysis.packets, 'packet')}, {_counted(analysis.calls, 'call')}"
    return f"{name}: {size}: {_state(analysis, errors)}{extra}"


def _state(analysis: Analysis, errors: int) -> str:
    if errors:
        return _counted(errors, "error")
    if analysis.healthy:
        return "healthy"
    return "nothing wrong in what could be read" if analysis.calls else analysis.nothing


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def as_text(analysis: Analysis, ladder: bool = False) -> str:
    """The whole analysis for a terminal."""
    lines = [click.style(summary(analysis), bold=True)]
    if analysis.damage is not None and not analysis.unreadable:
        damage = printable(analysis.damage, LONGEST)
        lines.append(click.style(f"  Not read to its end: {damage}.", fg="red"))
    elif analysis.cut:
        many = _counted(analysis.cut, "packet")
        lines.append(click.style(f"  {many} cut by snaplen: capture again with -s 0.", fg="red"))
    if analysis.rushed:
        lines.append(
            f"  {analysis.rushed} calls were too many to keep and judged before their end."
        )
    for diagnosis in analysis.diagnoses:
        if diagnosis.findings or ladder or _lacks(diagnosis):
            lines += _case(diagnosis, ladder)
    return "\n".join(lines) + "\n"


def title(diagnosis: Diagnosis) -> str:
    """Who calls whom, or which connection it is."""
    case = diagnosis.case
    if case.dialogs:
        first = case.dialogs[0]
        ids = ", ".join(dialog.call_id for dialog in case.dialogs)
        return f"call {ids}: {first.caller_uri} to {first.callee_uri}"
    return ", ".join(f"connection {link.tcp}" for link in case.links) or "a call judged early"


def _case(diagnosis: Diagnosis, ladder: bool) -> list[str]:
    lines = ["", "  " + click.style(printable(title(diagnosis), 300), underline=True)]
    if holes := _lacks(diagnosis):
        places = _counted(holes, "place")
        lines.append(f"  The capture lacks bytes in {places}: packets were not captured.")
    if ladder:
        lines += ["", draw_text(build_ladder(diagnosis.case))]
    for found in diagnosis.findings:
        lines += _finding(found)
    return lines


def _lacks(diagnosis: Diagnosis) -> int:
    """Holes in the streams of its connections, left by whoever captured."""
    return sum(_uncaptured(link.tcp, side) for link in diagnosis.case.links for side in (0, 1))


def _uncaptured(tcp: Connection, side: int) -> int:
    ours, theirs = tcp.directions[side], tcp.directions[1 - side]
    # With nothing of the receiver in the capture there is no telling: one side was captured.
    return ours.stream.holes_before(ours.acked) if theirs.sent else ours.stream.holes


def _finding(found: Finding) -> list[str]:
    width = min(max(shutil.get_terminal_size((100, 24)).columns, NARROW), WIDE)
    head = click.style(f"{found.severity.value:<7} {found.rule:<5}", fg=COLOURS[found.severity])
    many = "s" * (len(found.packets) != 1)
    where = f" (packet{many} {', '.join(map(str, found.packets[:12]))}"
    where += ", …)" if len(found.packets) > 12 else ")"
    lines = [f"  {head} {found.title}{where if found.packets else ''}"]
    lines += _wrapped(printable(explained(found), LONGEST), width)
    if found.severity is not Severity.NOTE and found.follows is None:
        lines += _wrapped(f"Remedy: {found.remedy}", width)
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    indent = " " * 16
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )

"""Tables of a result, for people."""

from __future__ import annotations

from collections.abc import Iterable

from .rows import Row

__all__ = ["judgement", "text_table", "verdict"]

HEAD = ("work", "policy", "peer", "unit", "ours", "theirs", "ratio", "spread", "must", "aim", "")


def verdict(row: Row) -> str:
    """How a row stands to its bars; empty where it has none."""
    if row.must is None or row.aim is None or row.judged is None:
        return ""
    if row.judged <= row.aim:
        return "aim"
    return "must" if row.judged <= row.must else "MISSED"


def text_table(rows: Iterable[Row]) -> str:
    """Columns for a terminal."""
    cells = [HEAD, *map(cells_of, rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def cells_of(row: Row) -> tuple[str, ...]:
    """One line."""
    spread = f"{row.spread[0]:.3g}..{row.spread[1]:.3g}" if row.spread else ""
    return (
        row.work,
        row.policy,
        row.peer,
        row.unit,
        number(row.ours),
        number(row.theirs),
        number(row.ratio),
        spread,
        number(row.must),
        number(row.aim),
        verdict(row),
    )


def number(value: float | None) -> str:
    """Three digits that mean something."""
    return "" if value is None else f"{value:.3g}"


def judgement(rows: Iterable[Row]) -> str:
    """How many bars were reached."""
    verdicts = [verdict(row) for row in rows]
    judged = [word for word in verdicts if word]
    return (
        f"{len(judged)} rows with bars: {judged.count('aim')} reach the aim, "
        f"{judged.count('must')} the must, {judged.count('MISSED')} miss it"
    )

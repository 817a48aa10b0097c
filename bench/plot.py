"""The ratios as a picture: one bar a row, with the bars that are set."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape

from .rows import Row

__all__ = ["plot"]

LINE, TOP, LEFT, WIDTH, RIGHT = 18, 40, 560, 420, 60
# The axis is logarithmic: half and double are equally far from 1.
LOW, HIGH = 0.05, 5.0
TICKS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
BETTER, WORSE, MUST, AIM = "#3a7d44", "#b5533c", "#222222", "#888888"


def plot(rows: Iterable[Row]) -> str:
    """An SVG document."""
    shown = [row for row in rows if row.ratio is not None]
    height = TOP + LINE * len(shown) + LINE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + RIGHT}" height="{height}"'
        ' font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{LEFT}" y="14">ours / theirs, less is better; black: must, grey: aim</text>',
        *axis(height),
    ]
    for place, row in enumerate(shown):
        parts += bar(row, TOP + LINE * place)
    return "\n".join([*parts, "</svg>", ""])


def axis(height: int) -> Iterator[str]:
    """Ticks and their lines."""
    for tick in TICKS:
        x = at(tick)
        yield f'<line x1="{x}" x2="{x}" y1="{TOP - 6}" y2="{height - LINE}" stroke="#dddddd"/>'
        yield f'<text x="{x}" y="{TOP - 10}" text-anchor="middle">{tick:g}</text>'


def bar(row: Row, top: int) -> Iterator[str]:
    """One row: its name, its bar from 1, its quartiles, its marks."""
    assert row.ratio is not None
    middle = top + LINE // 2
    name = escape(f"{row.work} ({row.policy}) : {row.peer}")
    yield f'<text x="{LEFT - 8}" y="{middle + 4}" text-anchor="end">{name}</text>'
    left, right = sorted((at(row.ratio), at(1.0)))
    colour = BETTER if row.ratio <= 1 else WORSE
    yield (
        f'<rect x="{left}" y="{top + 4}" width="{max(right - left, 1):.1f}" height="{LINE - 8}"'
        f' fill="{colour}"/>'
    )
    if row.spread:
        low, high = map(at, row.spread)
        yield f'<line x1="{low}" x2="{high}" y1="{middle}" y2="{middle}" stroke="#f2c14e"/>'
    for value, stroke in ((row.must, MUST), (row.aim, AIM)):
        if value is not None:
            x = at(value)
            yield (
                f'<line x1="{x}" x2="{x}" y1="{top + 1}" y2="{top + LINE - 1}"'
                f' stroke="{stroke}" stroke-width="2"/>'
            )
    yield f'<text x="{LEFT + WIDTH + 6}" y="{middle + 4}">{row.ratio:.2f}</text>'


def at(value: float) -> float:
    """Where a ratio lies; what is beyond the axis lies at its end."""
    share = math.log(min(max(value, LOW), HIGH) / LOW) / math.log(HIGH / LOW)
    return round(LEFT + WIDTH * share, 1)

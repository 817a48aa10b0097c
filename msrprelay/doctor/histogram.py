"""Interrupted calls by duration, as a picture and for a terminal."""

from __future__ import annotations

from pathlib import Path

from .batch import BIN_SECONDS, Batch, bins
from .canvas import Canvas, Png, Svg, ticks
from .errors import INSTALL, CaptureError

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 1000, 420, 64, 370, 64
TEXT_BARS = 50
MAX_TEXT_ROWS = 60


def write_histogram(path: Path, batch: Batch) -> None:
    """Write ``path`` as PNG or SVG, by its name; CaptureError if PNG cannot be drawn here."""
    if path.suffix.lower() == ".png":
        try:
            png = Png(WIDTH, HEIGHT)
        except ImportError as missing:
            raise CaptureError(f"PNG needs Pillow: {INSTALL}") from missing
        _draw(png, batch)
        png.save(path)
        return
    svg = Svg(WIDTH, HEIGHT, "interrupted calls by duration")
    _draw(svg, batch)
    path.write_text(svg.markup(lone=True), encoding="utf-8")


def _draw(canvas: Canvas, batch: Batch) -> None:
    seconds = batch.interrupted
    canvas.text((LEFT, 26), f"{len(seconds)} interrupted calls by duration", size=16, bold=True)
    pattern = batch.pattern
    if pattern is not None:
        first = pattern.timer + 2 * pattern.interval
        canvas.text(
            (LEFT, 46),
            f"lost final of a re-INVITE: peaks at {first:.0f} + {pattern.interval:.0f}·n s",
            "muted",
        )
    columns = bins(seconds)
    if not columns:
        canvas.text((LEFT, BOTTOM / 2), "none", "muted")
        return
    low, high = columns[0][0] - BIN_SECONDS, columns[-1][0] + 2 * BIN_SECONDS
    most = max(count for _, count in columns)
    scale = (WIDTH - LEFT - 24) / (high - low)
    for tick in ticks(0, most, 5):
        if tick == int(tick):
            y = BOTTOM - tick / most * (BOTTOM - TOP)
            canvas.line((LEFT, y), (WIDTH - 24, y), "grid")
            canvas.text((LEFT - 8, y + 4), f"{tick:g}", "muted", 11, "end")
    for start, count in columns:
        x, height = LEFT + (start - low) * scale, count / most * (BOTTOM - TOP)
        canvas.rect(x, BOTTOM - height, max(BIN_SECONDS * scale - 1, 1), height, "sip")
    canvas.line((LEFT, BOTTOM), (WIDTH - 24, BOTTOM), "line")
    for tick in ticks(low, high, 12):
        x = LEFT + (tick - low) * scale
        canvas.line((x, BOTTOM), (x, BOTTOM + 4), "line")
        canvas.text((x, BOTTOM + 18), f"{tick:g}", "muted", 11, "middle")
    canvas.text((WIDTH - 24, BOTTOM + 36), "seconds from the answer to the BYE", "muted", 12, "end")


def as_text(batch: Batch) -> str:
    """The histogram in characters, the fullest bins if there are many."""
    rows = bins(batch.interrupted)
    if len(rows) > MAX_TEXT_ROWS:
        fullest = sorted(rows, key=lambda row: -row[1])[:MAX_TEXT_ROWS]
        rows = sorted(fullest)
    most = max((count for _, count in rows), default=1)
    return "".join(
        f"{start:>7} s {'#' * max(1, round(count / most * TEXT_BARS))} {count}\n"
        for start, count in rows
    )

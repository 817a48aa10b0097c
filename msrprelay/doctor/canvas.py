"""Drawing for reports: one set of strokes, as SVG text or, with Pillow, as a PNG.

Colours are names of roles; the SVG follows the reader's light or dark theme.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Literal, Protocol

from ..printable import printable

Anchor = Literal["start", "middle", "end"]
Point = tuple[float, float]

LIGHT = {
    "paper": "#ffffff",
    "ink": "#1f2328",
    "muted": "#6b7280",
    "grid": "#e2e5ea",
    "line": "#9aa3af",
    "sip": "#2563eb",
    "msrp": "#047857",
    "tcp": "#6b7280",
    "ack": "#7c3aed",
    "warn": "#b45309",
    "bad": "#c8102e",
}
DARK = {
    "paper": "#14171c",
    "ink": "#e6e8eb",
    "muted": "#9aa3af",
    "grid": "#2a2f37",
    "line": "#5b6470",
    "sip": "#7aa2ff",
    "msrp": "#34d399",
    "tcp": "#9aa3af",
    "ack": "#b79bff",
    "warn": "#f2b84b",
    "bad": "#ff6b7d",
}
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"


class Canvas(Protocol):
    """What can be drawn, in pixels from the top left; ``role`` is a colour of LIGHT."""

    def rect(self, x: float, y: float, width: float, height: float, role: str) -> None: ...

    def line(
        self, a: Point, b: Point, role: str, width: float = 1, dashed: bool = False
    ) -> None: ...

    def polyline(self, points: Sequence[Point], role: str, width: float = 1) -> None: ...

    def polygon(self, points: Sequence[Point], role: str) -> None: ...

    def text(
        self,
        at: Point,
        text: str,
        role: str = "ink",
        size: float = 12,
        anchor: Anchor = "start",
        bold: bool = False,
    ) -> None: ...


def style() -> str:
    """CSS for the roles, light and dark; once per HTML page, or inside a lone SVG."""
    dark = "".join(_roles(DARK))
    return (
        f"svg.drawing text{{font-family:{FONT}}}{''.join(_roles(LIGHT))}"
        f"@media (prefers-color-scheme:dark){{{dark}}}"
    )


def _roles(theme: dict[str, str]) -> list[str]:
    return [
        f"svg.drawing .f-{role}{{fill:{colour}}}svg.drawing .s-{role}{{stroke:{colour};fill:none}}"
        for role, colour in theme.items()
    ]


class Svg:
    """A canvas that writes SVG. Text is escaped here and nowhere else."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self._size = (width, height)
        self._title = title
        self._parts: list[str] = []

    def rect(self, x: float, y: float, width: float, height: float, role: str) -> None:
        self._parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'class="f-{role}"/>'
        )

    def line(self, a: Point, b: Point, role: str, width: float = 1, dashed: bool = False) -> None:
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        self._parts.append(
            f'<line x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}" '
            f'class="s-{role}" stroke-width="{width}"{dash}/>'
        )

    def polyline(self, points: Sequence[Point], role: str, width: float = 1) -> None:
        self._parts.append(
            f'<polyline points="{_points(points)}" class="s-{role}" stroke-width="{width}"/>'
        )

    def polygon(self, points: Sequence[Point], role: str) -> None:
        self._parts.append(f'<polygon points="{_points(points)}" class="f-{role}"/>')

    def text(
        self,
        at: Point,
        text: str,
        role: str = "ink",
        size: float = 12,
        anchor: Anchor = "start",
        bold: bool = False,
    ) -> None:
        weight = ' font-weight="600"' if bold else ""
        self._parts.append(
            f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" class="f-{role}" font-size="{size}" '
            f'text-anchor="{anchor}"{weight}>{escape(printable(text))}</text>'
        )

    def markup(self, lone: bool = False) -> str:
        """The SVG element; ``lone`` for a file of its own, which brings its colours."""
        width, height = self._size
        names = ' xmlns="http://www.w3.org/2000/svg"' if lone else ""
        css = f"<style>{style()}</style>" if lone else ""
        paper = f'<rect width="{width:.0f}" height="{height:.0f}" class="f-paper"/>'
        return (
            f'<svg{names} class="drawing" viewBox="0 0 {width:.0f} {height:.0f}" '
            f'width="{width:.0f}" height="{height:.0f}" role="img" '
            f'aria-label="{escape(printable(self._title), quote=True)}">'
            f"{css}{paper}{''.join(self._parts)}</svg>"
        )


def _points(points: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


class Png:
    """A canvas that fills a PNG, twice as fine as its pixels say; needs Pillow."""

    SCALE = 2

    def __init__(self, width: float, height: float) -> None:
        from PIL import Image, ImageDraw, ImageFont

        size = (int(width * self.SCALE), int(height * self.SCALE))
        self._image = Image.new("RGB", size, LIGHT["paper"])
        self._draw = ImageDraw.Draw(self._image)
        self._font = ImageFont.load_default

    def rect(self, x: float, y: float, width: float, height: float, role: str) -> None:
        corners = self._scaled([(x, y), (x + width, y + height)])
        self._draw.rectangle(corners, fill=LIGHT[role])

    def line(self, a: Point, b: Point, role: str, width: float = 1, dashed: bool = False) -> None:
        self.polyline([a, b], role, width)

    def polyline(self, points: Sequence[Point], role: str, width: float = 1) -> None:
        self._draw.line(
            self._scaled(points), fill=LIGHT[role], width=max(round(width * self.SCALE), 1)
        )

    def polygon(self, points: Sequence[Point], role: str) -> None:
        self._draw.polygon(self._scaled(points), fill=LIGHT[role])

    def text(
        self,
        at: Point,
        text: str,
        role: str = "ink",
        size: float = 12,
        anchor: Anchor = "start",
        bold: bool = False,
    ) -> None:
        where = {"start": "ls", "middle": "ms", "end": "rs"}[anchor]
        font = self._font(size * self.SCALE)
        point = self._scaled([at])[0]
        self._draw.text(point, printable(text), fill=LIGHT[role], font=font, anchor=where)

    def save(self, path: Path) -> None:
        """Write the file."""
        self._image.save(path, "PNG")

    def _scaled(self, points: Sequence[Point]) -> list[Point]:
        return [(x * self.SCALE, y * self.SCALE) for x, y in points]


def ticks(low: float, high: float, about: int) -> list[float]:
    """About so many round numbers from ``low`` to ``high``."""
    span = max(high - low, 1e-9)
    raw = span / max(about, 1)
    power = 10.0 ** len(str(int(raw))) / 10 if raw >= 1 else 1.0
    while raw < power:
        power /= 10
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
    first = int(low / step) * step
    count = int(span / step) + 2
    return [t for t in (first + i * step for i in range(count)) if low - 1e-9 <= t <= high + 1e-9]

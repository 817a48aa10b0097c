"""Time/sequence plots: what each side sent, and what came to be acknowledged."""

from __future__ import annotations

from .canvas import Svg, ticks
from .cases import Case
from .packets import RST, SYN
from .tcp import Segment
from .tracker import Link

WIDTH, PANEL, LEFT, TOP, GAP = 1180, 200, 84, 34, 64
LETTER = 6.8
"""Pixels a letter of the legend is wide at most."""

MIN_BAR = 3
"""Pixels a segment is high at least: a pure ACK would not be seen otherwise."""


def time_sequence(link: Link, case: Case) -> Svg:
    """One connection: a panel per direction, bytes over seconds since the capture began."""
    svg = Svg(WIDTH, TOP + 2 * (PANEL + GAP) - 30, f"time/sequence of {link.tcp}")
    segments = [s for s in link.tcp.segments if not s.flags & (SYN | RST)]
    low = min((s.time for s in segments), default=case.start) - case.start
    high = max((s.time for s in segments), default=case.start) - case.start
    pad = max((high - low) * 0.02, 0.001)
    for side in (0, 1):
        panel = _Panel(svg, TOP + side * (PANEL + GAP), low - pad, high + pad)
        who = case.party(link, side)
        panel.draw(link, side, segments, f"bytes sent by the {who}", case.start)
    return svg


class _Panel:
    """One direction: bars are segments, the line is what the other side acknowledged."""

    def __init__(self, svg: Svg, top: float, low: float, high: float) -> None:
        self.svg, self.top = svg, top
        self.low, self.high = low, high
        self.most = 1

    def draw(
        self, link: Link, side: int, segments: list[Segment], title: str, start: float
    ) -> None:
        direction = link.tcp.directions[side]
        sent = [s for s in segments if s.side == side]
        acks = [s for s in segments if s.side != side and s.ack is not None]
        self.most = max(direction.next, 1)
        self._axes(title)
        for segment in sent:
            self._bar(segment, start)
        points: list[tuple[float, float]] = []
        reached = 0
        for ack in acks:
            x = self._x(ack.time - start)
            points.append((x, self._y(reached)))
            reached = max(reached, min(ack.ack or 0, self.most))
            points.append((x, self._y(reached)))
        if len(points) > 1:
            self.svg.polyline(points, "ack", 1.5)
        self._legend(sent)

    def _bar(self, segment: Segment, start: float) -> None:
        role = "bad" if segment.rejected else "warn" if segment.repeat else "msrp"
        if not segment.length and not segment.rejected:
            return
        top, bottom = self._y(segment.seq + segment.length), self._y(segment.seq)
        height = max(bottom - top, MIN_BAR)
        self.svg.rect(self._x(segment.time - start) - 2, bottom - height, 4, height, role)

    def _axes(self, title: str) -> None:
        svg, bottom = self.svg, self.top + PANEL
        svg.text((LEFT, self.top - 8), title, "ink", 12, bold=True)
        for tick in ticks(0, self.most, 4):
            y = self._y(tick)
            svg.line((LEFT, y), (WIDTH - 16, y), "grid")
            svg.text((LEFT - 8, y + 4), f"{tick:,.0f}", "muted", 11, "end")
        for tick in ticks(max(self.low, 0), self.high, 8):
            x = self._x(tick)
            svg.line((x, bottom), (x, bottom + 4), "line")
            svg.text((x, bottom + 17), f"{tick:g} s", "muted", 11, "middle")
        svg.line((LEFT, bottom), (WIDTH - 16, bottom), "line")

    def _legend(self, sent: list[Segment]) -> None:
        rows = [("msrp", "data"), ("ack", "acknowledged")]
        if any(s.repeat for s in sent):
            rows.insert(1, ("warn", "sent again"))
        if any(s.rejected for s in sent):
            rows.insert(1, ("bad", "dropped by the receiver"))
        x = float(WIDTH - 16)
        for role, text in reversed(rows):
            self.svg.text((x, self.top - 8), text, "muted", 11, "end")
            x -= len(text) * LETTER + 14
            self.svg.rect(x, self.top - 17, 9, 9, role)
            x -= 14

    def _x(self, time: float) -> float:
        span = max(self.high - self.low, 1e-9)
        return LEFT + (time - self.low) / span * (WIDTH - 16 - LEFT)

    def _y(self, offset: float) -> float:
        return self.top + PANEL - offset / self.most * (PANEL - 14)

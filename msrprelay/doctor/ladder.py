"""The call as the first seed drew it: hosts as columns, packets as arrows between them."""

from __future__ import annotations

from typing import NamedTuple

from ..printable import printable
from .canvas import Canvas, Svg
from .cases import Case
from .packets import ACK, FIN, PSH, RST, SYN
from .tcp import Segment
from .tracker import Link

MAX_ROWS = 150
"""Arrows drawn; a longer call keeps its beginning and its end."""

TAIL_ROWS = 50


class Column(NamedTuple):
    """A host, what it is in the call, and what it says it is (User-Agent)."""

    host: str
    role: str
    agent: str


class Row(NamedTuple):
    """One arrow. ``kind`` is a colour role of the canvas; ``remark`` says what is odd."""

    number: int
    time: float
    src: int
    dst: int
    sport: int
    dport: int
    label: str
    kind: str
    remark: str


class Ladder(NamedTuple):
    """Columns from the caller to the callee, and arrows in order; ``left_out`` were too many."""

    columns: list[Column]
    rows: list[Row]
    left_out: int
    start: float


def build_ladder(case: Case) -> Ladder:
    """The ladder of a case: SIP and TCP of both legs."""
    columns = _columns(case)
    index = {column.host: i for i, column in enumerate(columns)}
    rows = _sip_rows(case, index)
    for link in case.links:
        rows += _tcp_rows(case, link, index)
    rows.sort(key=lambda row: row.number)
    dropped = sum(d.events_dropped for d in case.dialogs)
    dropped += sum(link.tcp.segments_dropped for link in case.links)
    if len(rows) > MAX_ROWS:
        dropped += len(rows) - MAX_ROWS
        rows = rows[: MAX_ROWS - TAIL_ROWS] + rows[-TAIL_ROWS:]
    return Ladder(columns, rows, dropped, case.start)


def _columns(case: Case) -> list[Column]:
    """Caller, what stands between (signalling first), callee, anybody else."""
    hosts: list[str] = []
    for dialog in case.dialogs:
        hosts += [dialog.caller.host, *sorted(dialog.proxies), dialog.callee.host]
    for link in case.links:
        hosts += [_place(case, link, side) for side in (0, 1)]
    order = {"caller": 0, "proxy": 1, "relay": 1, "": 2, "callee": 3}
    seen = list(dict.fromkeys(hosts))
    ranked = sorted(seen, key=lambda host: order[case.roles.get(host, "")])
    if len(case.roles) <= 1:
        ranked = _relay_between(seen)
    agents = {host: name for dialog in case.dialogs for host, name in dialog.agents.items()}
    return [Column(host, case.roles.get(host, "host"), agents.get(host, "")) for host in ranked]


def _place(case: Case, link: Link, side: int) -> str:
    """The column of one end: its host, or where both ends are one host what it is there."""
    end, other = link.tcp.ends[side], link.tcp.ends[1 - side]
    if end.host != other.host:
        return end.host
    leg = case.leg(link)
    return f"relay {end.host}" if leg is not None and leg.outer != side else str(end)


def _relay_between(places: list[str]) -> list[str]:
    """One machine: the first party, the relay, the others."""
    relays = [place for place in places if place.startswith("relay ")]
    parties = [place for place in places if place not in relays]
    return parties[:1] + relays + parties[1:]


def _sip_rows(case: Case, index: dict[str, int]) -> list[Row]:
    return [
        Row(
            event.number,
            event.time,
            index[event.src.host],
            index[event.dst.host],
            event.src.port,
            event.dst.port,
            event.label,
            "sip",
            "",
        )
        for dialog in case.dialogs
        for event in dialog.events
        if event.src.host in index and event.dst.host in index
    ]


def _tcp_rows(case: Case, link: Link, index: dict[str, int]) -> list[Row]:
    spoken = spoken_in(link)
    ends = link.tcp.ends
    places = [index[_place(case, link, side)] for side in (0, 1)]
    rows = []
    for segment in link.tcp.segments:
        src, dst = ends[segment.side], ends[1 - segment.side]
        words = spoken.get(segment.number)
        label = words or describe(segment)
        kind = "msrp" if words else "tcp"
        kind = "bad" if segment.rejected or segment.flags & RST else kind
        kind = "warn" if segment.repeat and kind != "bad" else kind
        rows.append(
            Row(
                segment.number,
                segment.time,
                places[segment.side],
                places[1 - segment.side],
                src.port,
                dst.port,
                label,
                kind,
                _remark(segment),
            )
        )
    return rows


def _remark(segment: Segment) -> str:
    remarks = [
        text
        for text, true in (
            ("again", segment.repeat),
            ("dropped: PAWS", segment.rejected),
        )
        if true
    ]
    return ", ".join(remarks)


def spoken_in(link: Link) -> dict[int, str]:
    """Packet → the MSRP that ends in it."""
    found: dict[int, list[str]] = {}
    for t in link.msrp.transactions:
        found.setdefault(t.done.number, []).append(f"{t.method} {t.tid}{_span(t.body_length)}")
        for response in t.responses:
            text = f"{response.status} {response.comment} {t.tid}"
            found.setdefault(response.at.number, []).append(" ".join(text.split()))
    return {number: " + ".join(texts) for number, texts in found.items()}


def _span(length: int) -> str:
    return f" ({length:,} bytes)" if length else ""


def describe(segment: Segment) -> str:
    """A segment without MSRP of its own, in the seed's words."""
    names = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"))
    flags = ", ".join(name for bit, name in names if segment.flags & bit)
    shift = 0 if segment.flags & SYN else 1
    parts = [f"[{flags}] Seq={segment.seq + shift}"]
    if segment.ack is not None:
        parts.append(f"Ack={segment.ack + 1}")
    if segment.length:
        parts.append(f"Len={segment.length}")
    if segment.tsval is not None:
        parts.append(f"TSV={segment.tsval} TSER={segment.tsecr}")
    return " ".join(parts)


GAP = 22
"""Characters between two columns of the text ladder; more where the name of a host is longer."""


def draw_text(ladder: Ladder, width: int = 0) -> str:
    """The ladder for a terminal; ``width`` 0 = lines as long as they need to be."""
    lines = [_heads(ladder, [column.host for column in ladder.columns])]
    lines.append(_heads(ladder, [column.role for column in ladder.columns]))
    if any(column.agent for column in ladder.columns):
        lines.append(_heads(ladder, [column.agent for column in ladder.columns]))
    for row in ladder.rows:
        what = printable(f"{row.label}{f'  <- {row.remark}' if row.remark else ''}")
        line = f"{row.number:>6} {row.time - ladder.start:>9.4f} {_lane(ladder, row)}  {what}"
        lines.append(line[:width] if width else line)
    if ladder.left_out:
        lines.append(f"       ... {ladder.left_out} more packets are not drawn")
    return "\n".join(lines) + "\n"


def _gap(ladder: Ladder) -> int:
    """Two IPv6 hosts of one network differ at their ends only: none is cut."""
    return max([GAP, *(len(printable(column.host)) + 1 for column in ladder.columns)])


def _heads(ladder: Ladder, texts: list[str]) -> str:
    gap = _gap(ladder)
    cells = [printable(text)[: gap - 1].ljust(gap) for text in texts]
    return (" " * 17 + "".join(cells)).rstrip()


def _lane(ladder: Ladder, row: Row) -> str:
    """``|`` per host, and the arrow from port to port."""
    gap = _gap(ladder)
    cells = list(("|" + " " * (gap - 1)) * len(ladder.columns))
    cells = cells[: gap * (len(ladder.columns) - 1) + 1]
    left, right = sorted((row.src, row.dst))
    start, stop = left * gap + 1, right * gap
    if start >= stop:
        return "".join(cells)
    rightward = row.src < row.dst
    first, last = (row.sport, row.dport) if rightward else (row.dport, row.sport)
    arrow = f"{first}{'-' if rightward else '<'}".ljust(stop - start - len(str(last)) - 1, "-")
    cells[start:stop] = f"{arrow}{'>' if rightward else '-'}{last}"
    return "".join(cells)


LANE, ROW, HEAD, LEFT, LABEL = 176, 22, 74, 104, 630


def draw_svg(ladder: Ladder, marked: frozenset[int] = frozenset()) -> Svg:
    """The ladder as a picture; packets in ``marked`` (those of findings) get a dot."""
    lanes = max(len(ladder.columns) - 1, 1)
    width = LEFT + 70 + lanes * LANE + LABEL
    height = HEAD + 14 + ROW * (len(ladder.rows) + bool(ladder.left_out)) + 10
    svg = Svg(width, height, "ladder of the call")
    for i, column in enumerate(ladder.columns):
        x = LEFT + 60 + i * LANE
        svg.text((x, 20), column.host, size=13, anchor="middle", bold=True)
        svg.text((x, 36), column.role, "muted", 11, "middle")
        svg.text((x, 51), _short(column.agent), "muted", 10, "middle")
        svg.line((x, HEAD - 12), (x, height - 8), "line")
    for i, row in enumerate(ladder.rows):
        _arrow(svg, ladder, row, HEAD + 10 + i * ROW, row.number in marked)
    if ladder.left_out:
        y = HEAD + 14 + ROW * len(ladder.rows)
        svg.text((LEFT + 60, y), f"… {ladder.left_out} more packets are not drawn", "muted")
    return svg


def _short(agent: str) -> str:
    return agent if len(agent) <= 32 else agent[:31] + "…"


def _arrow(canvas: Canvas, ladder: Ladder, row: Row, y: float, marked: bool) -> None:
    x1, x2 = LEFT + 60 + row.src * LANE, LEFT + 60 + row.dst * LANE
    canvas.text((42, y + 4), str(row.number), "bad" if marked else "muted", 11, "end", marked)
    canvas.text((104, y + 4), f"{row.time - ladder.start:.4f}", "muted", 11, "end")
    if x1 != x2:
        step = 1 if x2 > x1 else -1
        canvas.line((x1, y), (x2 - 6 * step, y), row.kind, 1.6, dashed=bool(row.remark))
        canvas.polygon([(x2, y), (x2 - 8 * step, y - 4), (x2 - 8 * step, y + 4)], row.kind)
        near, far = ("start", "end") if step > 0 else ("end", "start")
        canvas.text((x1 + 5 * step, y - 4), str(row.sport), "muted", 9, near)  # type: ignore[arg-type]
        canvas.text((x2 - 11 * step, y - 4), str(row.dport), "muted", 9, far)  # type: ignore[arg-type]
    x = LEFT + 60 + (len(ladder.columns) - 1) * LANE + 16
    text = row.label if len(row.label) <= 78 else row.label[:77] + "…"
    canvas.text((x, y + 4), text + (f"  ({row.remark})" if row.remark else ""), row.kind, 12)

"""Tables and a plot of a result: ``python -m bench.report [DIRECTORY]``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median

import msgspec

from .measure import Sample
from .plot import plot
from .rows import Row
from .works import Work, catalogue

__all__ = ["RESULTS", "judgement", "text_table", "verdict", "write"]

RESULTS = Path(__file__).with_name("results")
HEAD = ("work", "policy", "peer", "unit", "ours", "theirs", "ratio", "spread", "must", "aim", "")
SYSTEMS_HEAD = (
    "work", "system", "policy", "unit", "cost", "GB/s", "messages/s", "sessions/s", "p50 us",
    "p99 us", "RSS MB", "descriptors", "generator CPU s", "kernel threads CPU s",
)  # fmt: skip
MEGA, GIGA = 1e6, 1e9
Cells = Sequence[str]


def verdict(row: Row) -> str:
    """How a row stands to its bars; empty where it has none."""
    if row.must is None or row.aim is None or row.judged is None:
        return ""
    if row.judged <= row.aim:
        return "aim"
    return "must" if row.judged <= row.must else "MISSED"


def judgement(rows: Iterable[Row]) -> str:
    """How many bars were reached."""
    verdicts = [verdict(row) for row in rows]
    judged = [word for word in verdicts if word]
    return (
        f"{len(judged)} rows with bars: {judged.count('aim')} reach the aim, "
        f"{judged.count('must')} the must, {judged.count('MISSED')} miss it"
    )


def text_table(rows: Iterable[Row]) -> str:
    """Columns for a terminal."""
    cells = [HEAD, *map(row_cells, rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def row_cells(row: Row) -> Cells:
    """One comparison."""
    spread = f"{number(row.spread[0])}..{number(row.spread[1])}" if row.spread else ""
    figures = map(number, (row.ours, row.theirs, row.ratio))
    bars = map(number, (row.must, row.aim))
    return (row.work, row.policy, row.peer, row.unit, *figures, spread, *bars, verdict(row))


def system_cells(works: Iterable[Work], samples: Sequence[Sample]) -> Iterator[Cells]:
    """Every system in every work: medians of its rounds."""
    for work in works:
        here = [sample for sample in samples if sample.work == work.name]
        for system, policy in dict.fromkeys((sample.system, sample.policy) for sample in here):
            own = [s for s in here if (s.system, s.policy) == (system, policy)]
            figures = (
                median(sample.cost for sample in own),
                median(rate(sample.bytes / GIGA, sample) for sample in own),
                median(rate(sample.messages, sample) for sample in own),
                median(rate(sample.sessions, sample) for sample in own),
                middle(sample.p50_us for sample in own),
                middle(sample.p99_us for sample in own),
                median(sample.resident_bytes / MEGA for sample in own),
                median(sample.descriptors for sample in own),
                median(sample.generator_seconds for sample in own),
                median(sample.kernel_seconds for sample in own),
            )
            yield (
                work.title,
                system,
                policy,
                work.unit,
                *(number(f) if f else "" for f in figures),
            )


def rate(amount: float, sample: Sample) -> float:
    """So much a second; nothing where no time was taken."""
    return amount / sample.seconds if sample.seconds else 0.0


def middle(values: Iterable[float | None]) -> float | None:
    """The median of what was measured."""
    known = [value for value in values if value is not None]
    return median(known) if known else None


def markdown(head: Cells, lines: Iterable[Cells]) -> str:
    """A table for a document."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows) + "\n"


def number(value: float | None) -> str:
    """Three digits that mean something."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def write(directory: Path) -> None:
    """Make ``ratios.md``, ``systems.md`` and ``ratios.svg`` from the results in ``directory``."""
    rows = msgspec.json.decode((directory / "latest.json").read_bytes(), type=list[Row])
    samples = msgspec.json.decode((directory / "samples.json").read_bytes(), type=list[Sample])
    (directory / "ratios.md").write_text(markdown(HEAD, map(row_cells, rows)))
    systems = markdown(SYSTEMS_HEAD, system_cells(catalogue().work, samples))
    (directory / "systems.md").write_text(systems)
    (directory / "ratios.svg").write_text(plot(rows))


if __name__ == "__main__":
    write(Path(sys.argv[1]) if sys.argv[1:] else RESULTS)

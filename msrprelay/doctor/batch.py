"""Many calls: outcomes, interrupted calls by duration, the second seed's pattern, the loss."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from .analysis import Analysis, attempt
from .calls import Outcome

NAMES = re.compile(r"\.(pcap|pcapng|cap)\d*(\.gz)?$", re.IGNORECASE)
"""Of captures; tcpdump -C numbers its files at their ends."""

CUTS = frozenset({"cut by timer", "cut by first keep-alive"})
INTERRUPTED = CUTS | {"ended after a lost final"}
BIN_SECONDS = 8
"""Width of a histogram column: four of them make one keep-alive interval of 32 s."""

PEAK_TOLERANCE = 4.0
MIN_CALLS, MIN_SHARE = 5, 0.8
"""Interrupted calls, and the share of them on the peaks, that make a pattern."""

LONGEST_SECONDS = 7 * 86_400.0
"""What seems to last longer is not drawn: the clock of whoever captured was set meanwhile."""

Z = 1.96
"""Standard deviations of a 95 % interval."""


class Loss(NamedTuple):
    """Estimated probability that a final is lost, with its 95 % interval."""

    lost: int
    finals: int
    estimate: float
    low: float
    high: float


class Pattern(NamedTuple):
    """Cut calls explained by a keep-alive re-INVITE whose final is lost (the second seed)."""

    timer: int
    interval: float
    on_peaks: int
    first_keepalive: int
    cut: int
    peaks: list[tuple[int, int]]

    def sentence(self) -> str:
        """The pattern in words."""
        first = self.timer + 2 * self.interval
        return (
            f"Lost final of a re-INVITE: {self.cut} calls were cut by a timer of {self.timer} s "
            f"after a keep-alive re-INVITE (every {self.interval:.0f} s) got a provisional and no "
            f"final. Peaks at {first:.0f} + {self.interval:.0f}·n s hold {self.on_peaks} of them; "
            f"{self.first_keepalive} more lost the first keep-alive, which waits "
            f"{self.timer + 600} s. Cure: answer re-INVITEs statefully (t_newtran and t_reply)."
        )


@dataclass
class Batch:
    """The sum of many files. ``skipped`` are those whose name is no capture's."""

    files: int = 0
    skipped: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    findings: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)
    faulty: int = 0

    def add(self, analysis: Analysis) -> None:
        """Take one file's analysis; only what is counted here stays in memory."""
        self.files += 1
        self.outcomes += analysis.outcomes
        self.findings.update(sorted({found.rule for found in analysis.findings}))
        self.faulty += analysis.faulty
        if (doubt := analysis.doubt) is not None:
            self.unreadable.append(doubt if analysis.unreadable else f"{analysis.file}: {doubt}")

    @property
    def interrupted(self) -> list[float]:
        """Durations of the calls that no user ended, in seconds, up to LONGEST_SECONDS."""
        rows = (o.seconds for o in self.outcomes if o.ended in INTERRUPTED)
        return sorted(s for s in rows if s is not None and 0 <= s <= LONGEST_SECONDS)

    @property
    def loss(self) -> Loss | None:
        """How often a final is lost: each re-INVITE that got a provisional is one trial."""
        finals = sum(o.reinvites for o in self.outcomes)
        return estimate(sum(o.lost for o in self.outcomes), finals) if finals else None

    @property
    def pattern(self) -> Pattern | None:
        """The second seed's pattern, if the interrupted calls show it."""
        cut = [o for o in self.outcomes if o.ended in CUTS and o.seconds is not None]
        waits = [o.interval for o in self.outcomes if o.interval is not None and o.reinvites]
        if len(cut) < MIN_CALLS or not waits:
            return None
        timer = Counter(o.timer for o in cut).most_common(1)[0][0]
        interval = round(sorted(waits)[len(waits) // 2])
        peaks: Counter[int] = Counter()
        first = 0
        for call in cut:
            if call.ended == "cut by first keep-alive":
                first += 1
            elif (n := _peak(call.seconds or 0.0, timer, interval)) is not None:
                peaks[timer + interval * n] += 1
        on_peaks = sum(peaks.values())
        if on_peaks + first < MIN_SHARE * len(cut):
            return None
        return Pattern(timer, interval, on_peaks, first, len(cut), sorted(peaks.items()))


def _peak(seconds: float, timer: int, interval: int) -> int | None:
    """Which keep-alive (from the second on) was the last one; None off the peaks.

    The keep-alive clock starts anew at each final, so that a call drifts from the exact multiple
    by a round trip per keep-alive.
    """
    if interval <= 0:
        return None
    n = round((seconds - timer) / interval)
    near = abs(seconds - timer - n * interval) <= PEAK_TOLERANCE + 0.05 * n
    return n if n >= 2 and near else None


def estimate(lost: int, finals: int) -> Loss:
    """The share with its Wilson interval, which also holds for no loss at all."""
    share = lost / finals
    spread = Z * Z / finals
    middle = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * math.sqrt(share * (1 - share) / finals + spread / (4 * finals))
    return Loss(lost, finals, share, max(middle - half, 0.0), min(middle + half, 1.0))


def captures(folder: Path) -> tuple[list[Path], list[Path]]:
    """The capture files under ``folder``, and the other ones, by name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found = [path for path in files if NAMES.search(path.name)]
    return found, [path for path in files if not NAMES.search(path.name)]


def run(folder: Path, done: Callable[[Analysis, int, int], None] | None = None) -> Batch:
    """Analyse every capture under ``folder``; ``done`` hears of each."""
    paths, others = captures(folder)
    batch = Batch(skipped=[str(path) for path in others])
    for path in paths:
        analysis = attempt(path)
        batch.add(analysis)
        if done is not None:
            done(analysis, batch.files, len(paths))
    return batch


def bins(seconds: list[float]) -> list[tuple[int, int]]:
    """(start of the bin, calls in it) for every bin that is not empty, in order."""
    return sorted(Counter(int(value // BIN_SECONDS) * BIN_SECONDS for value in seconds).items())

"""What a run has shown, in figures, and whether that is what is promised."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .link import Event

OCTETS = ("bytes_lost", "bytes_duplicated", "bytes_reordered", "bytes_strange")
# None of these may be above 0.
LOSSES = ("sessions_lost", *OCTETS, "failed_offers")
SLOW_MS = 400
Span = tuple[float, float]


@dataclass
class Faults:
    """When something was done to the relay, until octets moved in all sessions again."""

    kills: list[Span] = field(default_factory=list)
    # Kills of which another one followed before the recovery.
    doubles: list[Span] = field(default_factory=list)
    upgrades: list[Span] = field(default_factory=list)
    keepers: list[Span] = field(default_factory=list)
    # What each of them was, by when it began.
    what: dict[float, str] = field(default_factory=dict)
    # Seconds from a kill to the next reply on the control socket.
    silences: list[float] = field(default_factory=list)

    @property
    def all(self) -> list[Span]:
        """Of every sort."""
        return [*self.kills, *self.doubles, *self.upgrades, *self.keepers]


@dataclass
class Verdict:
    """Of one phase. ``reasons``: why sessions were lost and commands failed, and how often."""

    phase: str
    figures: dict[str, Any]
    problems: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    def require(self, **least: int) -> None:
        """So many of these there must have been."""
        self.problems += [
            f"only {self.figures[name]} of {wanted} {name}"
            for name, wanted in least.items()
            if self.figures[name] < wanted
        ]


def judge(
    phase: str, over: Sequence[Event], failed: Sequence[str], faults: Faults, counts: Counter[str]
) -> Verdict:
    """Add up what became of the sessions."""
    gaps = [(start, stop) for event in over for start, stop in event["gaps"]]
    by_kills = stalls(gaps, faults.kills)
    figures = {
        "kills": len(faults.kills) + len(faults.doubles),
        "upgrades": len(faults.upgrades),
        "keepers": len(faults.keepers),
        "sessions": len(over),
        "sessions_lost": sum(event["lost"] is not None for event in over),
        **{name: sum(event[name] for event in over) for name in ("bytes", *OCTETS)},
        "longest_stall_ms": max(by_kills, default=0),
        "p95_stall_ms": share(by_kills, 0.95),
        "median_stall_ms": round(statistics.median(by_kills or [0])),
        "longest_upgrade_stall_ms": max(stalls(gaps, faults.upgrades), default=0),
        "longest_double_stall_ms": max(stalls(gaps, faults.doubles), default=0),
        "longest_other_gap_ms": longest_other(gaps, faults.all),
        "longest_silence_ms": round(1000 * max(faults.silences, default=0)),
        "median_silence_ms": round(1000 * statistics.median(faults.silences or [0])),
        "failed_offers": len(failed),
        "redials": sum(event["redials"] for event in over),
        **{name.replace(" ", "_"): count for name, count in sorted(counts.items())},
    }
    reasons = Counter(f"{each['kind']}: {each['lost']}" for each in over if each["lost"])
    reasons.update(failed)
    reasons.update(slow(gaps, faults))
    problems = [f"{name}: {figures[name]}" for name in LOSSES if figures[name]]
    return Verdict(phase, figures, problems, reasons)


def stalls(gaps: Sequence[Span], faults: Sequence[Span]) -> list[int]:
    """The longest gap of each fault, in milliseconds; 0 where no stream has noticed."""
    return [
        round(1000 * max((b - a for a, b in gaps if a < stop and b > start), default=0))
        for start, stop in faults
    ]


def slow(gaps: Sequence[Span], faults: Faults) -> list[str]:
    """The faults of which a reader has noticed much."""
    return [
        f"bytes stood still for {stall} ms: {faults.what[span[0]]}"
        for span in faults.all
        if (stall := stalls(gaps, [span])[0]) > SLOW_MS
    ]


def share(values: Sequence[int], part: float) -> int:
    """The value that so large a part of them does not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)] if ordered else 0


def longest_other(gaps: Sequence[Span], faults: Sequence[Span]) -> int:
    """The longest gap that no fault explains, in milliseconds: what the machine does by itself."""
    quiet = (b - a for a, b in gaps if not any(a < stop and b > start for start, stop in faults))
    return round(1000 * max(quiet, default=0))

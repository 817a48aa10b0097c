"""What a run has shown, in figures."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .link import Event

LOSSES = ("sessions_lost", "bytes_lost", "bytes_duplicated", "bytes_reordered", "bytes_strange")
Span = tuple[float, float]


@dataclass
class Verdict:
    """Of one run. Spans are from a fault until octets moved in all sessions again."""

    seed: int
    keeper: bool
    asked: dict[str, int]
    kills: list[Span] = field(default_factory=list)
    upgrades: list[Span] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)

    def settle(self, over: Sequence[Event], failed: Sequence[str], counts: Counter[str]) -> None:
        """Add everything up."""
        gaps = [(start, stop) for event in over for start, stop in event["gaps"]]
        self.figures = {
            "kills": len(self.kills),
            "upgrades": len(self.upgrades),
            "sessions": len(over),
            "sessions_lost": sum(event["lost"] is not None for event in over),
            **{
                name: sum(event[name] for event in over)
                for name in ("bytes", "bytes_lost", "bytes_duplicated", "bytes_reordered",
                             "bytes_strange")
            },
            "longest_stall_ms": max(stalls(gaps, self.kills), default=0),
            "median_stall_ms": round(statistics.median(stalls(gaps, self.kills) or [0])),
            "longest_upgrade_stall_ms": max(stalls(gaps, self.upgrades), default=0),
            "longest_other_gap_ms": longest_other(gaps, [*self.kills, *self.upgrades]),
            "failed_offers": len(failed),
            "redials": sum(event["redials"] for event in over),
            **{name.replace(" ", "_"): count for name, count in counts.items()},
            "seed": self.seed,
        }  # fmt: skip
        self.reasons.update(f"{e['kind']}: {e['lost']}" for e in over if e["lost"])
        self.reasons.update(failed)

    @property
    def problems(self) -> list[str]:
        """Why the run has failed; empty if it has not."""
        found = [f"{name}: {self.figures[name]}" for name in LOSSES if self.figures[name]]
        if self.figures["failed_offers"]:
            found.append(f"failed_offers: {self.figures['failed_offers']}")
        found += [
            f"only {self.figures[name]} of {wanted} {name}"
            for name, wanted in self.asked.items()
            if self.figures[name] < wanted
        ]
        return found


def stalls(gaps: Sequence[Span], faults: Sequence[Span]) -> list[int]:
    """The longest gap of each fault, in milliseconds; 0 where no stream has noticed."""
    return [
        round(1000 * max((b - a for a, b in gaps if a < stop and b > start), default=0))
        for start, stop in faults
    ]


def longest_other(gaps: Sequence[Span], faults: Sequence[Span]) -> int:
    """The longest gap that no fault explains, in milliseconds: what the machine does by itself."""
    quiet = (b - a for a, b in gaps if not any(a < stop and b > start for start, stop in faults))
    return round(1000 * max(quiet, default=0))

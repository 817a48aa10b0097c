"""What a keeper costs: ``python -m bench.protection [DIRECTORY]`` keeps it for the manual.

From the results of a run: ``docs/protection.json``, the engine with a keeper beside the engine
without one, and what the keeper's own process spends beside it. ``make docs`` makes a table of
docs/reliability.md of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from .costs import WHERE, keep, short
from .measure import Sample
from .report import RESULTS
from .rows import spread
from .works import catalogue

PLAIN, KEPT = "msrprelay", "msrprelay-kept"


def compared(samples: Iterable[Sample]) -> Iterator[dict[str, Any]]:
    """Medians of the rounds of both, and of the ratios round by round with their quartiles."""
    works = {work.name: work for work in catalogue().work}
    found: dict[tuple[str, str], dict[str, dict[int, Sample]]] = {}
    for each in samples:
        by_system = found.setdefault((each.work, each.policy), {})
        by_system.setdefault(each.system, {})[each.round] = each
    for (work, policy), by_system in found.items():
        plain, kept = by_system.get(PLAIN, {}), by_system.get(KEPT, {})
        rounds = sorted(plain.keys() & kept.keys())
        if rounds:
            ratios = [kept[n].cost / plain[n].cost for n in rounds]
            yield {
                "title": works[work].title,
                "policy": policy,
                "unit": works[work].unit,
                "plain": short(median(plain[n].cost for n in rounds)),
                "kept": short(median(kept[n].cost for n in rounds)),
                "ratio": short(median(ratios)),
                "spread": [short(each) for each in spread(ratios) or ()],
                "keeper": short(median(keeper_cost(kept[n]) for n in rounds)),
                "rounds": len(rounds),
            }


def keeper_cost(sample: Sample) -> float:
    """What the keeper spent, in the unit of the work; 0 where that is no time."""
    return sample.cost * sample.keeper_seconds / sample.cpu_seconds if sample.cpu_seconds else 0.0


def main() -> None:
    """Read a run, write what is kept."""
    directory = Path(sys.argv[1]) if sys.argv[1:] else RESULTS
    samples = msgspec.json.decode((directory / "samples.json").read_bytes(), type=list[Sample])
    run = msgspec.json.decode((directory / "run.json").read_bytes())
    where = {key: run[key] for key in WHERE}
    keep("protection.json", {"run": where, "works": list(compared(samples))})


if __name__ == "__main__":
    main()

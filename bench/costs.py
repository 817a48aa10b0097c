"""What the relay's work costs: ``python -m bench.costs [DIRECTORY]`` keeps it for the manual.

From the results of a run: ``docs/scaling.json`` and, of the comparisons that have bars,
``docs/performance.json``. ``make docs`` makes the tables of ``docs/*.md`` of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from .ends import Policy
from .measure import Sample
from .report import RESULTS
from .rows import Row, label
from .works import catalogue

DOCS = Path(__file__).parents[1] / "docs"

# Of the record of a run.
WHERE = (
    "started",
    "commit",
    "processor",
    "kernel",
    "python",
    "cores",
    "load_average",
    "kernel_bytes_per_leg",
)

# Name of a cost: work, system, policy.
COSTS: dict[str, tuple[str, str, Policy]] = {
    "bulk-opaque": ("bulk-64", "msrprelay-defaults", "opaque"),
    "bulk-aware": ("chunks-2k", "msrprelay-defaults", "aware"),
    "message-few": ("chat-100", "msrprelay-defaults", "aware"),
    "message-many": ("chat-8900", "msrprelay-defaults", "aware"),
    "session": ("setup", "msrprelay-deleted", "aware"),
    "call": ("call-16", "msrprelayd", "aware"),
    "idle": ("idle", "msrprelay-defaults", "aware"),
    "one-thread": ("threads", "one-thread", "opaque"),
    "two-threads": ("threads", "msrprelay-2-threads", "opaque"),
}


def costs(samples: Iterable[Sample]) -> dict[str, dict[str, Any]]:
    """Medians by name, with unit and rounds. Raises SystemExit where something was not measured."""
    titles = {work.name: work for work in catalogue().work}
    known = list(samples)
    found = {}
    for name, (work, system, policy) in COSTS.items():
        values = [s.cost for s in known if (s.work, s.system, s.policy) == (work, system, policy)]
        if not values:
            sys.exit(f"not in this run: {work} by {system}, {policy}")
        found[name] = {
            "title": titles[work].title,
            "variant": label(system, policy),
            "unit": titles[work].unit,
            "median": short(median(values)),
            "rounds": len(values),
        }
    return found


def short(value: float) -> float:
    """Three digits of it."""
    return float(f"{value:.3g}")


def main() -> None:
    """Read a run, write what is kept."""
    directory = Path(sys.argv[1]) if sys.argv[1:] else RESULTS
    samples = msgspec.json.decode((directory / "samples.json").read_bytes(), type=list[Sample])
    run = msgspec.json.decode((directory / "run.json").read_bytes())
    rows = msgspec.json.decode((directory / "latest.json").read_bytes(), type=list[Row])
    where = {key: run[key] for key in WHERE}
    keep("scaling.json", {"run": where, "costs": costs(samples)})
    keep("performance.json", {"run": where, "rows": [row for row in rows if row.must is not None]})


def keep(name: str, content: dict[str, Any]) -> None:
    """Write it for the manual."""
    (DOCS / name).write_bytes(msgspec.json.format(msgspec.json.encode(content)) + b"\n")


if __name__ == "__main__":
    main()

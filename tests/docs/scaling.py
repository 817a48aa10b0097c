"""Tables of docs/scaling.md: measured costs, and what follows from them by multiplication."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec

from bench.report import HEAD, row_cells, verdict
from bench.rows import Row
from msrprelay.config import Config

from .pages import DOCS, table

# Of a core, in what is inferred: the rest is for bursts.
BUSY = 0.7
MICRO, GIGA, KILO = 1e6, 1e9, 1e3
# A SEND and its response.
MESSAGES = 2
LEGS = 2
# Of one address.
ALL_PORTS = 64_000
MILLION = 1_000_000
# The kernel's own, unless told otherwise.
NR_OPEN = 1 << 20


@dataclass(frozen=True, slots=True)
class Load:
    """What people do with a session."""

    title: str
    # SENDs of one session, both ways together.
    sends_per_second: float
    seconds: float


LOADS = (
    Load("a chat: a message in ten seconds, half an hour", 0.1, 1800),
    Load("a busy chat: a message a second, ten minutes", 1.0, 600),
    Load("short: three messages in twenty seconds", 0.15, 20),
)


def kept(name: str = "scaling.json") -> dict[str, Any]:
    """What ``python -m bench.costs`` has kept of a run."""
    found: dict[str, Any] = json.loads((DOCS / name).read_text())
    return found


def cost(name: str) -> float:
    """A measured cost in its unit."""
    return float(kept()["costs"][name]["median"])


def run_lines(name: str = "scaling.json") -> str:
    """Where and when it was measured."""
    run = kept(name)["run"]
    return (
        f"Measured {run['started'][:10]} at commit `{run['commit'][:12]}`, Linux {run['kernel']}, "
        f"{run['processor']}, {len(run['cores'])} cores of a shared virtual machine with a load "
        f"average of {run['load_average'][0]:.1f} by others; {run['python']}."
    )


def bar_table() -> str:
    """Every comparison that has bars, and whether it reaches them."""
    rows = msgspec.convert(kept("performance.json")["rows"], list[Row])
    return table(HEAD, [tuple(row_cells(row)) for row in rows])


def profile_table() -> str:
    """Where the time goes in works that miss a bar, ours beside a peer's."""
    profile = kept("profile.json")
    head = ("work", "system", "unit", "all", *profile["columns"])
    rows = [
        (
            *(line["work"], line["system"], line["unit"], number(line["cost"])),
            *(number(line["parts"][column]) for column in profile["columns"]),
        )
        for line in profile["lines"]
    ]
    return table(head, rows)


def protection_table() -> str:
    """The engine without a keeper and with one."""
    head = (
        *("work", "policy", "unit", "without, median", "with, median"),
        *("ratio, median of the rounds", "keeper besides", "rounds"),
    )
    names = ("title", "policy", "unit", "plain", "kept", "ratio", "keeper", "rounds")
    works = kept("protection.json")["works"]
    told = [{**work, "ratio": with_quartiles(work["ratio"], work.get("spread"))} for work in works]
    return table(head, [tuple(str(work[name]) for name in names) for work in told])


def with_quartiles(ratio: float, spread: list[float] | None) -> str:
    """A ratio, and its quartiles where the run has kept them."""
    return f"{ratio} ({spread[0]}..{spread[1]})" if spread else f"{ratio}"


def missed() -> set[str]:
    """Works of which a comparison misses its bar."""
    rows = msgspec.convert(kept("performance.json")["rows"], list[Row])
    return {row.work for row in rows if verdict(row) == "MISSED"}


def cost_table() -> str:
    """Medians of the run."""
    rows = [
        (entry["title"], entry["variant"], f"{number(entry['median'])} {entry['unit']}")
        for entry in kept()["costs"].values()
    ]
    return table(("work", "variant", "median"), rows)


def core_table() -> str:
    """One core at full use, by division."""
    rows = [
        ("opaque bulk", f"{number(1 / cost('bulk-opaque'))} GB/s"),
        ("aware bulk in chunks of 2 KiB", f"{number(1 / cost('bulk-aware'))} GB/s"),
        ("messages, 100 sessions", f"{number(MICRO / cost('message-few'))}/s"),
        ("messages, 8900 sessions", f"{number(MICRO / cost('message-many'))}/s"),
        ("sessions set up and ended by the engine", f"{number(MICRO / cost('session'))}/s"),
        ("calls through the control plane", f"{number(MICRO / cost('call'))}/s"),
    ]
    return table(("one core, fully used, of one kind of work", ""), rows)


def sessions_per_core(load: Load) -> float:
    """Sessions of that kind that keep an engine thread as busy as it should be."""
    messages = load.sends_per_second * MESSAGES * cost("message-many")
    return BUSY * MICRO / (messages + cost("session") / load.seconds)


def control_bound(load: Load) -> float:
    """Sessions of that kind whose calls keep the control plane as busy as it should be."""
    return BUSY * MICRO / cost("call") * load.seconds


def load_table() -> str:
    """What an engine core, and the one control plane, carry of each kind of session."""
    rows = [
        (
            load.title,
            number(sessions_per_core(load)),
            number(control_bound(load)),
            f"{control_bound(load) / sessions_per_core(load):.1f}",
        )
        for load in LOADS
    ]
    head = ("sessions of this kind", "by an engine core", "by the control plane", "cores it feeds")
    return table(head, rows)


def million_table() -> str:
    """What a million joined sessions need."""
    config = Config()
    range_sessions = (config.port_max - config.port_min + 1) // LEGS
    per_leg = kept()["run"]["kernel_bytes_per_leg"] or 0
    user, kernel = cost("idle") * KILO, LEGS * per_leg
    chat = LOADS[0]
    rows = [
        ("ports", "2 a session, for as long as it lives",
         f"{number(MILLION / range_sessions)} addresses with the default range, "
         f"{number(MILLION * LEGS / ALL_PORTS)} with nearly all ports"),
        ("descriptors", "2 a joined session, 2 to 4 before",
         f"{number(MILLION * LEGS)}; `fs.nr_open` is {number(NR_OPEN)}: "
         f"{number(-(-MILLION * LEGS // NR_OPEN))} processes or a higher one"),
        ("memory of the engine", f"{number(user)} B a session",
         f"{number(user * MILLION / GIGA)} GB"),
        ("memory of the kernel", f"{number(kernel)} B a session, idle",
         f"{number(kernel * MILLION / GIGA)} GB, and the buffers of who stalls"),
        ("engine cores", chat.title, number(MILLION / sessions_per_core(chat))),
        ("control planes", chat.title, f"{MILLION / control_bound(chat):.2f}"),
    ]  # fmt: skip
    return table(("what", "of which", "a million sessions"), rows)


def number(value: float) -> str:
    """Three digits that mean something, no more."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if rounded >= 100 else f"{rounded:.3g}"

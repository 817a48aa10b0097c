"""What the relay promises when something fails, who tests it, and what was seen last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ..chaos.kept import kept
from .pages import table

Figures = dict[str, Any]
TESTS = Path(__file__).resolve().parents[1]


class Promise(NamedTuple):
    """A promise; `phase` of the chaos that tests it, or a file of tests, and how to tell it."""

    text: str
    test: str
    told: Callable[[Figures], str] = lambda figures: "passes in CI"

    @property
    def seen(self) -> str:
        """The last figures; the test alone has none."""
        if self.test.endswith(".py"):
            assert (TESTS / self.test).exists(), self.test
            return self.told({})
        figures = kept().get(self.test)
        if figures is None:
            return "not yet"
        failed = f"**failed**: {'; '.join(figures['failed'])}. " if figures["failed"] else ""
        return f"{failed}{self.told(figures)} ({figures['date']}, {figures['machine']})"

    @property
    def named(self) -> str:
        """The test as a reader can run it."""
        return f"`tests/{self.test}`" if self.test.endswith(".py") else f"`{self.test}`"


def losses(figures: Figures) -> str:
    """Of sessions and octets."""
    return (
        f"{figures['sessions_lost']} of {figures['sessions']} sessions lost; of "
        f"{figures['bytes'] / 1e9:.1f} GB {figures['bytes_lost']} octets lost, "
        f"{figures['bytes_duplicated']} doubled, {figures['bytes_reordered']} reordered"
    )


def told_p95(figures: Figures) -> str:
    """Where the figures have it."""
    return f"95 % within {figures['p95_stall_ms']} ms, " if "p95_stall_ms" in figures else ""


PROMISES = (
    Promise(
        "The relay process may die at any instant: no session ends, no octet is lost, doubled or "
        "reordered.",
        "storm",
        lambda f: (
            f"{f['kills']} kills at random instants: {losses(f)}; {f['redials']} peers had "
            "to dial again before they were joined"
        ),
    ),
    Promise(
        "Wherever it dies: behind each system call of the data path, between the stores of a "
        "record, in the middle of an adoption.",
        "points",
        lambda f: (
            f"{f['kills']} kills at chosen points, each after one at a random instant: " + losses(f)
        ),
    ),
    Promise(
        "Bytes stand still for a moment only.",
        "storm",
        lambda f: (
            f"median {f['median_stall_ms']} ms, {told_p95(f)}longest {f['longest_stall_ms']} ms; "
            f"killed again while it recovered, {f['longest_double_stall_ms']} ms; without any "
            f"kill, {f['longest_other_gap_ms']} ms"
        ),
    ),
    Promise(
        "An upgrade is not noticed.",
        "storm",
        lambda f: f"{f['upgrades']} upgrades, longest stall {f['longest_upgrade_stall_ms']} ms",
    ),
    Promise(
        "The SIP side notices nothing but a late reply, also where its datagrams are lost, doubled "
        "or overtake each other.",
        "storm",
        lambda f: (
            f"{f['failed_offers']} commands failed of {f.get('short_calls', 0)} calls, "
            f"{f.get('unanswered_calls', 0)} calls without an answer and {f.get('re-offers', 0)} "
            f"re-offers; no reply for {f['median_silence_ms']} ms in the median, "
            f"{f['longest_silence_ms']} ms at most"
        ),
    ),
    Promise(
        "The keeper may die: the relay process starts another one, which holds everything.",
        "keepers",
        lambda f: f"{f['keepers']} keepers killed, and the relay process after each: {losses(f)}",
    ),
    Promise(
        "Both may die: connections end, but calls, ports and paths are known after the start, so "
        "that a re-offer brings them back.",
        "both",
        lambda f: f"{f['known']} of {f['calls']} calls",
    ),
    Promise(
        "(Without a keeper, `--no-keeper`, sessions end with the process.)",
        "unkept",
        lambda f: f"{f['sessions_lost']} of {f['sessions']} sessions lost by one kill",
    ),
    Promise(
        "At five times its capacity the relay serves what it has: new calls are refused from 80 % "
        "of sessions, descriptors or memory on, emergencies from 95 %.",
        "hostile/test_overload.py",
    ),
    Promise(
        "Without a free port new calls go elsewhere, and the others go on.",
        "ports",
        lambda f: f"{f['turned_away']} calls turned away; {losses(f)}",
    ),
    Promise(
        "A port is in one lease, and rests before the next.",
        "leases",
        lambda f: f"{f['leases']:,} leases, {f['exhaustions']:,} times none was free",
    ),
    Promise(
        "Without a descriptor new calls go elsewhere, strangers wait, and the others go on.",
        "files",
        lambda f: (
            f"{f['rounds']} times none was left, {f['turned_away']} calls turned away; " + losses(f)
        ),
    ),
)


def promise_table() -> str:
    """All of it."""
    rows = [(each.text, each.named, each.seen) for each in PROMISES]
    return table(("promise", "test", "seen last"), rows)

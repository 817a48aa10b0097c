"""The manual is what the code and a running relay say today."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from . import exchanges, promises, scaling, tables
from .pages import DOCS, check, masked

LOG_LINES = {
    "SDP refused": "The SIP side gave no SDP, or one beyond the limits; `reason` says where.",
    "cannot listen": "No port of that address can be bound: offers are refused; see `reason`.",
    "no such interface": "An upgrade names an address that is not here: its offers are refused.",
    "warned": "What a reply has warned of: a section passed untouched, a peer not dialled.",
    "callback failed": "A mistake in the relay, with its place. Please report it.",
    "cannot start": "See `reason`: an address that cannot be bound, say, or a `state-dir` in use.",
    "command failed": "A mistake in the relay; the reply was `Internal error`. Please report it.",
    "command refused": "A warning for an `answer`: the SIP server has passed the raw SDP on.",
    "configuration refused, the old one stays": "The file has a mistake, and which.",
    "configuration reloaded": "What has changed, and what needs an upgrade or a restart.",
    "control connection": "Somebody has connected to the control socket: pid and uid "
    "(65534 is anybody but root and the relay's user, under the unit's `PrivateUsers=`).",
    "control connection lost": "It ended without a close.",
    "draining": "SIGTERM: no new calls; so many seconds for the others.",
    "event not delivered": "A web hook has failed `events.attempts` times, or will not take it.",
    "event post failed": "Once.",
    "event refused": "Kamailio knows no such dialog, say: its `reason`. It is not asked again.",
    "events not delivered": "The relay stops, or has that `hook` no more: how many, and which.",
    "http request failed": "A mistake in the relay; the answer was 500. Please report it.",
    "journal cut at its last good record": "Its end was torn or rotten: `bytes` behind `at`.",
    "journal not read": "It is of another version or cannot be read; the relay begins without it.",
    "garbled message": "A mistake in the relay: the keeper cannot read it. Please report it.",
    "keeper replaced": "The keeper has died, or hung and was killed; calls are not affected.",
    "ng reply not delivered": "The SIP server's socket is gone; it will ask again.",
    "not listening again": "After a cold start somebody else has the port; the session is over.",
    "notice failed": "A mistake in the relay. Please report it.",
    "no upgrade": "SIGUSR2 without a keeper, or while the relay is stopping.",
    "odd http message": "What came is no HTTP request; `held_back` like it were not logged.",
    "odd ng message": "A sample of what is counted under `ng`; `held_back` were not logged.",
    "record not restored": "A call of the process before could not be read and is over.",
    "relay process died": "How, and how much is held for the next one, which starts at once.",
    "relay process dies again and again": "The next one starts after so many seconds.",
    "rewritten": "With flag `debug`: the SDP before and after.",
    "serving": "Everything listens.",
    "socket out of reach until an upgrade": (
        "The directory of a unix socket was lost before a crash: calls go on; mend it, upgrade."
    ),
    "state kept again": "It is well again, and all of it has been written.",
    "state not kept": "`degraded` in `statistics`: what would be missing after a failure, and why.",
    "state restored": "How many calls and replies of the process before; `cold`: from disk.",
    "stopped": "Everything is closed.",
    "upgrade failed": "Why; the relay process that is there goes on.",
    "what is held cannot be read, sessions end": "After a start of another version: see `reason`.",
    "what was held is given up": "Nothing could go on with it: the next start is cold.",
    "unknown flag ignored": "The SIP server's script has a word the relay does not know.",
}


async def test_your_own_b2bua(tmp_path: Path) -> None:
    check("your-own-b2bua.md", await exchanges.b2bua(tmp_path))


async def test_the_control_protocol(tmp_path: Path) -> None:
    parts = {
        "commands": tables.command_table(),
        "sdp-keys": tables.sdp_key_table(),
        "other-keys": tables.other_key_table(),
        "flags": tables.flag_table(),
        "load-words": tables.load_words(),
        "event-table": tables.event_table(),
    }
    check("control-protocol.md", {**await exchanges.protocol(tmp_path), **parts})


def test_operations() -> None:
    parts = {
        "options": tables.option_table(limits=False),
        "limits": tables.option_table(limits=True),
        "log": tables.log_table(LOG_LINES),
        "slow-readers": tables.slow_reader_table(),
    }
    check("operations.md", parts)


def test_metrics() -> None:
    check("metrics.md", {"metrics": tables.metric_table()})


def test_reliability() -> None:
    parts = {
        "promises": promises.promise_table(),
        "run": scaling.run_lines("protection.json"),
        "protection": scaling.protection_table(),
    }
    check("reliability.md", parts)


def test_scaling() -> None:
    parts = {
        "run": scaling.run_lines(),
        "costs": scaling.cost_table(),
        "core": scaling.core_table(),
        "loads": scaling.load_table(),
        "million": scaling.million_table(),
    }
    check("scaling.md", parts)


def test_performance() -> None:
    parts = {
        "run": scaling.run_lines("performance.json"),
        "bars": scaling.bar_table(),
        "profiled": scaling.run_lines("profile.json"),
        "profile": scaling.profile_table(),
    }
    check("performance.md", parts)


def test_every_missed_bar_is_explained() -> None:
    page = (DOCS / "performance.md").read_text()
    explained = set(re.findall(r"(?m)^\*\*(.*?)\*\*", page.partition("## Missed")[2]))
    assert not {work for work in scaling.missed() if not any(map(work.startswith, explained))}


ROOT = DOCS.parent
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "deploy/**/*.md", "bench/*.md", "native/fuzz/*.md")
    for path in ROOT.glob(pattern)
)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        name, _, heading = target.partition("#")
        path = page.parent / name if name else page
        if not target.startswith("https://"):
            assert path.exists(), target
            assert not heading or heading in anchors(path), target


def anchors(page: Path) -> list[str]:
    """What its headings are called in links."""
    titles = re.findall(r"(?m)^#+ (.*)$", page.read_text())
    return [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]


def test_only_what_is_volatile_is_masked() -> None:
    assert masked("m=message 23092 TCP/MSRP *") == "m=message # TCP/MSRP *"
    assert masked("a=setup:active 200 4975") == "a=setup:active 200 4975"

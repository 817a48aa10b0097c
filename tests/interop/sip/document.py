"""`docs/interop.md`: what the scenarios did, as the tests have seen it.

Each scenario compares its row with the file. ``WRITE_INTEROP=1`` writes the rows of a run that
passed over the old ones instead.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).parents[3] / "docs" / "interop.md"
WRITING = "WRITE_INTEROP"


class Scenario(NamedTuple):
    """A row's place in the document."""

    group: str
    title: str
    script: str


class Seen(NamedTuple):
    """What a test has seen."""

    asked: str
    """What the SIP server asked, and what came back."""
    octets: str
    """What became of the messages."""


GROUPS = {
    "Calls": "",
    "Re-INVITEs": "Messages flow all the time; a re-INVITE finds them in the middle.",
    "Calls that are not answered, and forks": "",
    "Lost, late and repeated datagrams": (
        "A UDP proxy between Kamailio and the relay loses and delays ng datagrams; the scripts ask "
        "three times, 300 ms apart."
    ),
    "With rtpengine, in one call": (
        "One INVITE with an audio and a message section: rtpengine relays the RTP, we the "
        "messages; both are checked."
    ),
    "More than one relay": "",
    "The second seed: a final answer that is lost": (
        "Kamailio's answer to a re-INVITE is lost on its way to a client that has seen a 100 and "
        "therefore does not ask again."
    ),
}
CALLS, REINVITES, UNANSWERED, LOSSES, CHAIN, RELAYS, SEED = GROUPS
SIPP = "stateful, sipp"

SCENARIOS = {
    "both-dial": Scenario(CALLS, "both ends dial (`active`/`active`)", "minimal"),
    "callee-waits": Scenario(CALLS, "the callee waits (`actpass`/`passive`)", "stateful"),
    "caller-waits": Scenario(CALLS, "the caller waits (`passive`/`active`)", "stateful"),
    "both-wait": Scenario(CALLS, "both wait (`passive`/`passive`)", "stateful"),
    "no-setup": Scenario(CALLS, "neither says `a=setup` (RFC 4975's default)", "stateful"),
    "late-offer": Scenario(
        CALLS, "INVITE without SDP: offer in the 200, answer in the ACK", "stateful"
    ),
    "multipart": Scenario(CALLS, "SDP beside something else in a `multipart/mixed`", "stateful"),
    "multipart-minimal": Scenario(
        CALLS, "SDP beside something else in a `multipart/mixed`", "minimal"
    ),
    "events": Scenario(CALLS, "both connections end without a BYE", "events"),
    "debian": Scenario(CALLS, "phones behind NAT", "Debian's own"),
    "refresh": Scenario(REINVITES, "accepted, nothing changed", "stateful"),
    "caller-moves": Scenario(REINVITES, "accepted, the caller has another path", "stateful"),
    "callee-moves": Scenario(REINVITES, "from the callee, who has another path", "stateful"),
    "reconnect": Scenario(
        REINVITES, "accepted, after the caller's connection has broken", "stateful"
    ),
    "refused": Scenario(REINVITES, "refused 488", "stateful"),
    "refused-minimal": Scenario(REINVITES, "refused 488", "minimal"),
    "refused-debian": Scenario(
        REINVITES, "refused 488, and the failure route sends `delete`", "Debian's own"
    ),
    "refused-plain": Scenario(
        REINVITES,
        "refused 488; the BYE's plain `delete` may mean either",
        "the tests' careless one",
    ),
    "refused-sipp": Scenario(REINVITES, "refused 488", SIPP),
    "keep-alive": Scenario(
        REINVITES, "forty, one each 32 s (relay's timers 1:100), every fourth refused", "stateful"
    ),
    "busy": Scenario(UNANSWERED, "the callee refuses with 486", "stateful"),
    "cancel": Scenario(UNANSWERED, "CANCEL while it rings", "stateful"),
    "cancel-sipp": Scenario(UNANSWERED, "CANCEL while it rings", SIPP),
    "fork": Scenario(UNANSWERED, "two phones ring, one answers", "stateful"),
    "fork-early": Scenario(UNANSWERED, "one phone answers 183 with SDP, the other 200", "stateful"),
    "fork-branches": Scenario(
        UNANSWERED, "two phones ring, each at a place of its own; then re-INVITEs", "branches"
    ),
    "two-answers": Scenario(
        UNANSWERED, "two phones answer at once, the earlier one is hung up", "stateful"
    ),
    "two-answers-branches": Scenario(
        UNANSWERED, "two phones answer at once, either one is hung up", "branches"
    ),
    "unroutable": Scenario(UNANSWERED, "there is no way to the callee", "stateful"),
    "fork-debian": Scenario(UNANSWERED, "two phones ring, one answers", "Debian's own"),
    "replies-lost": Scenario(LOSSES, "two replies to each command lost", "stateful"),
    "requests-lost": Scenario(LOSSES, "two transmissions of each command lost", "stateful"),
    "replies-late": Scenario(LOSSES, "each reply comes after 450 ms", "stateful"),
    "answer-lost": Scenario(LOSSES, "no reply to `answer` ever comes", "stateful"),
    "repeated-invite": Scenario(LOSSES, "INVITE repeated while the relay is asked", "stateful"),
    "racing-invites": Scenario(
        LOSSES, "INVITE repeated before there is a transaction", "the tests' careless one"
    ),
    "racing-sipp": Scenario(
        LOSSES, "INVITE repeated before there is a transaction", "careless, sipp"
    ),
    "audio-first": Scenario(
        CHAIN, "offer through rtpengine, then us; answer the way back", "chained"
    ),
    "messages-first": Scenario(
        CHAIN, "offer through us, then rtpengine", "chained, `MESSAGES_FIRST`"
    ),
    "full": Scenario(RELAYS, "the first has no ports left", "stateful"),
    "busy-relay": Scenario(RELAYS, "the first has all the sessions it may have", "stateful"),
    "weights": Scenario(RELAYS, "both have room, weights 3 and 1: forty calls", "stateful"),
    "dead": Scenario(RELAYS, "the first is killed", "stateful"),
    "lost-488-minimal": Scenario(SEED, "the callee's 488, lost three times", "minimal"),
    "lost-488-stateful": Scenario(SEED, "the callee's 488, lost three times", "stateful"),
    "lost-488-chained": Scenario(SEED, "the callee's 488, lost three times", "chained"),
    "lost-503": Scenario(SEED, "its own 503 (the relay is gone), lost four times: 8 s", "stateful"),
    "lost-503-stateless": Scenario(
        SEED, "its own 503 sent by `sl_send_reply()`, lost", "the tests' careless one"
    ),
}

HEAD = """# What SIP servers send, and what becomes of the bytes

Written by `tests/interop/sip`; do not edit. To write it again after a change:
`WRITE_INTEROP=1 .venv/bin/python -m pytest tests/interop/sip`.

Debian 12's kamailio 5.6, rtpengine-daemon 10.5 and sip-tester 3.6 run unpatched on the loopback. In
every call the two ends send messages of 1 to 6000 octets all the time, wait for the 200 and the
success REPORT of each, and compare each message that arrives with the one that was sent. Where a
call has ended, no port of the relay is in use any more.

Scripts: **minimal**, **stateful**, **chained**, **branches** and **events** are those of
`deploy/kamailio/`, loaded as they are. **Debian's own** is `/etc/kamailio/kamailio.cfg` as the
package installs it (`WITH_NAT`, `WITH_RTPENGINE`; only the relay's port is another). The
**careless** one is how not to do it. Phones are scripted in Python, or sipp where it says so.
"""


def tell(name: str, seen: Seen) -> None:
    """What a test has seen in its scenario: as the document has it, or the document is old."""
    assert name in SCENARIOS
    if os.environ.get(WRITING):
        rows = {**rows_of(FILE.read_text() if FILE.exists() else ""), name: seen}
        FILE.write_text(document(rows))
    assert rows_of(FILE.read_text()).get(name) == seen, f"{FILE} is old: run with {WRITING}=1"


def document(rows: dict[str, Seen]) -> str:
    """The whole file."""
    lines = [HEAD]
    for group, remark in GROUPS.items():
        lines += [f"## {group}", ""]
        if remark:
            lines += [remark, ""]
        lines.append("| scenario | script | Kamailio asked → the relay replied | the messages |")
        lines.append("|---|---|---|---|")
        for name, scenario in SCENARIOS.items():
            seen = rows.get(name)
            if scenario.group == group and seen is not None:
                lines.append(_row(name, seen))
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def rows_of(text: str) -> dict[str, Seen]:
    """The rows of a document, by scenario."""
    cells = [
        line.removeprefix("| ").removesuffix(" |").split(" | ")
        for line in text.splitlines()
        if line.startswith("|")
    ]
    places = {(each.title, each.script): name for name, each in SCENARIOS.items()}
    return {
        places[row[0], row[1]]: Seen(row[2], row[3])
        for row in cells
        if len(row) == 4 and (row[0], row[1]) in places
    }


def _row(name: str, seen: Seen) -> str:
    scenario = SCENARIOS[name]
    return f"| {scenario.title} | {scenario.script} | {seen.asked} | {seen.octets} |"

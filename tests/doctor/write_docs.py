"""Writes ``docs/doctor.md`` and its drawings from the recorded captures.

``python -m tests.doctor.write_docs`` writes; a test checks that what is committed is current.
The picture of the whole report (``first-seed-report.png``) is a browser's screenshot of the HTML.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from msrprelay.doctor.analysis import Analysis, Diagnosis, analyse
from msrprelay.doctor.batch import Batch, run
from msrprelay.doctor.batch_text import as_text
from msrprelay.doctor.finding import Finding, Severity
from msrprelay.doctor.histogram import write_histogram
from msrprelay.doctor.ladder import Ladder, build_ladder, draw_svg, draw_text
from msrprelay.doctor.questions import answers
from msrprelay.doctor.rules import RULES
from msrprelay.doctor.text import explained

from .population import population

ROOT = Path(__file__).parents[2]
CAPTURES = ROOT / "tests" / "data" / "captures"
DOCS = ROOT / "docs"
LADDER_SVG, HISTOGRAM_SVG = "first-seed-ladder.svg", "second-seed-histogram.svg"

WHAT = {
    "any_sll.pcapng": "a healthy call through msrprelay, taken with `-i any` (SLL)",
    "any_sll2.pcapng": "a healthy call, taken with `-i any` (SLL2)",
    "blink_acm_seed.pcapng": "the first seed: both phones dial, the SBC splices packets",
    "blink_acm_repro.pcap": "the same fault with real Linux stacks",
    "blink_acm_healthy_relay.pcapng": "the same call through a relay with two sockets",
    "blink_acm_healthy_splice.pcapng": "the same call through a correct packet splice",
    "e11_translate.pcapng": "a packet splice that translates timestamps",
    "f02_seqoff.pcapng": "a packet splice with shifted sequence numbers",
    "f03_nofin.pcapng": "a packet splice that swallows FINs",
    "m00_healthy.pcap": "a healthy MSRP session",
    "m01_no_200.pcap": "a SEND that nobody answers",
    "m02_481_to_path.pcap": "a To-Path that the receiver does not know",
    "m03_no_bind.pcap": "a connection without a first SEND",
    "m04_both_passive.pcap": "both sides passive",
    "m07_endline_in_body.pcap": "an end-line inside a message",
    "reinvite_healthy.pcap": "keep-alive re-INVITEs, answered statefully",
    "reinvite_lost_final.pcap": "the second seed: a final answer lost and not repeated",
    "relay_bad_range.pcapng": "through msrprelay: a Byte-Range that promises too much",
    "relay_cut.pcapng": "through msrprelay: the caller dies inside a message",
    "relay_dial_refused.pcapng": "through msrprelay: the callee refuses to be dialled",
    "relay_garbage.pcapng": "through msrprelay: the caller does not speak MSRP",
    "relay_no_200.pcapng": "through msrprelay: the callee never answers a SEND",
    "relay_nobody_dials.pcapng": "through msrprelay: the callee never dials",
    "relay_silent_callee.pcapng": "through msrprelay: the callee dials and says nothing",
    "relay_tls_hello.pcapng": "through msrprelay: the caller begins with TLS",
    "relay_wrong_from.pcapng": "through msrprelay: a From-Path that is not the caller's",
    "relay_wrong_to.pcapng": "through msrprelay: a To-Path that is not the relay's",
    "relay_dials_callee.pcapng": "a healthy call through msrprelay, which dials the callee",
    "s05_port_changed.pcap": "a re-INVITE that moves the port for nothing",
    "s07_path_vs_cm_no_cema.pcap": "media anchored in c=/m= only",
    "t12_syn_held.pcap": "a SYN that the SBC holds for ever",
}

INTRO = """# The failed call explained: `doctor`, `lint`, `check-host`

<!-- Written by `python -m tests.doctor.write_docs` from tests/data/captures; do not edit. -->

`msrprelay-ctl doctor FILE…` reads captures taken anywhere, with or without this relay in the path,
and says what went wrong: rule, packets, verdict in plain language, remedy. It touches no network
and needs no running relay. It reads pcap, pcapng and gzip (Ethernet, VLAN, Linux cooked, raw IP;
IPv4 and IPv6), SIP over UDP and TCP, SDP, MSRP, and the raw TCP on both legs of a middlebox.
Where msrprelay's source is, `/opt/msrprelay/bin/pip install '.[doctor]'` installs what it needs
(libpcap by way of cypcap, and Pillow for PNG).

```
msrprelay-ctl doctor call.pcapng                       # findings
msrprelay-ctl doctor --ladder call.pcapng              # and who sent what to whom
msrprelay-ctl doctor --report call.html call.pcapng    # findings, questions, ladder, plots (or .md)
msrprelay-ctl doctor --json *.pcap                     # one object per file, one per line
msrprelay-ctl doctor --batch DIR --histogram cut.svg   # thousands of calls together (or .png)
msrprelay-ctl lint OFFER.sdp [ANSWER.sdp]              # what each side means, why it would fail
msrprelay-ctl check-host                               # this host's limits
```

Exit status: 0 healthy, 1 errors found in any file, else 2 if one was not to be judged or an output
not to be written. `--json` gives
`{"file", "findings": [{"rule", "severity", "packets", "verdict", "remedy"}], "healthy"}`; a file
that could not be read to its end, that has packets cut by the snap length, or in which there is no
call is not healthy and has `"error"` too. `"holes"` counts the places where the capture lacks
bytes, `"rushed"` the calls that were too many to keep to their end; both are left out where there
are none. A finding that only follows from another one says so first; what a transport fault keeps
from arriving (M01b, M08) is told with that fault.

`lint` judges what works through this relay, which settles a conflict of roles and leaves TLS
untouched; `-` is standard input.

One capture on the SBC, with both legs, is enough for every TCP rule. A capture of one side cannot
tell *lost before me* from *never sent*: S01 and S03 are the two views of one fault.
libpcap reads files whose interfaces have one link type; others can be split with `editcap`.
Their snap lengths may differ, as after `mergecap`. A capture may come through a pipe: `-` is
standard input, and `<(ssh sbc cat call.pcap)` is read as well.
"""

SEED = """## Example 1: both phones connect, and the chat fails

*Seen*: both phones are behind NAT and dial the SBC; the first SEND is repeated again and again, one
phone answers `Ack=1` for ever, after 10 s it shows `MSRPBindSessionTimeout`.

```
$ msrprelay-ctl doctor --report seed.html blink_acm_seed.pcapng
```

![The report of the first seed](img/first-seed-report.png)

![The ladder of the first seed](img/{ladder})

*Cause*: {cause}

*Remedy*: {remedy}

The person who sent this capture asked five questions; the report answers them with the packets
that prove it.

{questions}
"""

PATH = """## Example 2: connected, and every message is refused

*Seen*: TCP is up, the first SEND gets `481`, the phone says "chat failed".

{ladder}

*Cause*: {cause}

*Remedy*: {remedy}
"""

REINVITE = """## Example 3: the call is cut after some minutes, nobody hung up

*Seen*: calls end after 364, 396, 428 … seconds; no user did it.

{ladder}

*Cause*: {cause} {second}

*Remedy*: {remedy}

One such call proves little; a thousand do. `doctor --batch` over {calls} calls (made by the tests'
generator: talk times of 300 s in the mean, {loss:.0%} of the final answers lost):

```
{batch}
```

![Interrupted calls by duration](img/{histogram})
"""

LIMITS = """## What bad input gets

A truncated or corrupt file is judged up to the packet that cannot be read, and the error names that
packet; a file that is no capture is refused. A gzip file is read up to 50 times its size (64 MB if
that is more). Text from packets is escaped in the terminal, in HTML,
in Markdown and in SVG. Memory is bounded: calls that are over are judged and dropped while the file
is read. Measured by `python bench/doctor.py` (`bench/doctor.json`):
"""

POPULATION = (1000, 0.02)


def documents() -> dict[str, str]:
    """File below docs → its text."""
    seed = analyse(CAPTURES / "blink_acm_seed.pcapng")
    batch, histogram = _population()
    ladder, marked = _seed_ladder(seed)
    return {
        "doctor.md": _page(seed, batch),
        f"img/{LADDER_SVG}": draw_svg(ladder, marked).markup(lone=True),
        f"img/{HISTOGRAM_SVG}": histogram,
    }


def _page(seed: Analysis, batch: Batch) -> str:
    parts = [INTRO, _table(), _seed(seed), _refused(), _cut(batch), _rules(), LIMITS, _speed()]
    return "\n".join(parts)


def _population() -> tuple[Batch, str]:
    calls, loss = POPULATION
    with tempfile.TemporaryDirectory() as folder:
        population(Path(folder), calls, files=4, loss=loss)
        batch = run(Path(folder))
        picture = Path(folder) / HISTOGRAM_SVG
        write_histogram(picture, batch)
        return batch, picture.read_text("utf-8")


def _seed_ladder(seed: Analysis) -> tuple[Ladder, frozenset[int]]:
    (diagnosis,) = seed.diagnoses
    return build_ladder(diagnosis.case), frozenset(seed.findings[0].packets)


def _table() -> str:
    lines = [
        "## The captures of the tests",
        "",
        "| capture | what it is | found |",
        "|---|---|---|",
    ]
    for path in sorted(CAPTURES.glob("*.pcap*")):
        analysis = analyse(path)
        found = "; ".join(_short(analysis)) or "healthy"
        lines.append(f"| `{path.name}` | {WHAT[path.name]} | {found} |")
    return "\n".join([*lines, ""])


def _short(analysis: Analysis) -> Iterator[str]:
    errors = [f for f in analysis.findings if f.severity is Severity.ERROR]
    if not errors:
        notes = sorted({f.rule for f in analysis.findings})
        yield "**healthy**" + (f" (notes: {', '.join(notes)})" if notes else "")
    for found in errors:
        if found.follows is None:
            yield f"**{found.rule}** {found.title} ({', '.join(map(str, found.packets[:6]))})"
    follows = sorted({f"{f.rule} from {f.follows}" for f in errors if f.follows})
    if follows:
        yield f"follows: {', '.join(follows)}"


def _first(analysis: Analysis, rule: str) -> Finding:
    return next(found for found in analysis.findings if found.rule == rule)


def _ladder(analysis: Analysis, first: int, last: int) -> str:
    """Packets ``first`` to ``last`` of the ladder, as a code block."""
    (diagnosis,) = analysis.diagnoses
    ladder = build_ladder(diagnosis.case)
    rows = [row for row in ladder.rows if first <= row.number <= last]
    return f"```\n{draw_text(ladder._replace(rows=rows, left_out=0), 150).rstrip()}\n```"


def _seed(seed: Analysis) -> str:
    cause = seed.findings[0]
    diagnosis: Diagnosis = seed.diagnoses[0]
    questions = "\n\n".join(
        f"{number}. **{a.question}** {a.answer}\n   *{a.proof}*"
        for number, a in enumerate(answers(diagnosis), 1)
    )
    return SEED.format(
        ladder=LADDER_SVG, cause=cause.verdict, remedy=cause.remedy, questions=questions
    )


def _refused() -> str:
    analysis = analyse(CAPTURES / "m02_481_to_path.pcap")
    found = _first(analysis, "M02")
    return PATH.format(ladder=_ladder(analysis, 1, 11), cause=found.verdict, remedy=found.remedy)


def _cut(batch: Batch) -> str:
    analysis = analyse(CAPTURES / "reinvite_lost_final.pcap")
    cause, second = _first(analysis, "S01"), _first(analysis, "S02")
    calls, loss = POPULATION
    return REINVITE.format(
        ladder=_ladder(analysis, 10, 17),
        cause=cause.verdict,
        second=explained(second),
        remedy=cause.remedy,
        calls=f"{calls:,}",
        loss=loss,
        batch=as_text(batch).rstrip(),
        histogram=HISTOGRAM_SVG,
    )


def _rules() -> str:
    lines = [
        "## The rules",
        "",
        "T: TCP and the splice, M: MSRP, S: SIP and SDP.",
        "",
        "| rule | looks at | what it finds | remedy |",
        "|---|---|---|---|",
    ]
    for rule in sorted(RULES.values(), key=lambda rule: ("TMS".index(rule.id[0]), _order(rule.id))):
        note = " (note)" if rule.severity is Severity.NOTE else ""
        remedy = rule.remedy.replace("|", "\\|")
        lines.append(f"| {rule.id} | {rule.level.value} | {rule.title}{note} | {remedy} |")
    return "\n".join([*lines, ""])


def _speed() -> str:
    rows = json.loads((ROOT / "bench" / "doctor.json").read_text("utf-8"))["rows"]
    lines = [
        "| capture | packets | calls | MB per CPU second | peak memory |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['megabytes']:,} MB, {row['work']} | {row['packets']:,} | {row['calls']:,} | "
            f"{row['megabytes_per_cpu_second']} | {row['peak_memory_megabytes']} MB |"
        )
    return "\n".join([*lines, ""])


def _order(name: str) -> tuple[int, str]:
    digits = "".join(char for char in name if char.isdigit())
    return int(digits), name


def main() -> None:
    """Write every document."""
    for name, text in documents().items():
        path = DOCS / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()

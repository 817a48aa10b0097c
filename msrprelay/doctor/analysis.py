"""One capture from its packets to ranked findings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from .calls import Outcome, outcome
from .capture import Capture, Progress
from .cases import Case, build_cases
from .errors import CaptureError
from .finding import Finding, Level, Severity, finding
from .packets import Decoder
from .ranking import rank
from .rules import RULES
from .tracker import Tracker

PER_RULE = 50
"""Hits of one rule reported per case; more say nothing new."""

SHOWN_CASES = 100
"""Calls of a very large capture kept whole, for ladders and plots; faulty ones only."""

KEPT_DIAGNOSES = 2_000
"""Further calls of which the findings are kept."""

SWEEP_EVERY = 1_000
"""Packets between two looks at how much is in memory."""


@dataclass(frozen=True)
class Diagnosis:
    """A case and what is wrong with it, root cause first."""

    case: Case
    findings: list[Finding]

    @property
    def healthy(self) -> bool:
        """No finding of severity error."""
        return not any(f.severity is Severity.ERROR for f in self.findings)


@dataclass
class Analysis:
    """What one file holds. ``damage`` says where reading it broke off, if it did.

    ``cut`` counts packets of which the capture has the beginning only (its snap length).
    ``calls`` counts all calls; in a very large capture not all have a diagnosis here. ``rushed``
    counts calls that had to be judged before their end, ``other_sip`` what is SIP and no call.
    """

    file: str
    diagnoses: list[Diagnosis] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    damage: str | None = None
    packets: int = 0
    cut: int = 0
    calls: int = 0
    rushed: int = 0
    other_sip: int = 0
    faulty_calls: int = 0
    unreadable: bool = False

    @property
    def findings(self) -> list[Finding]:
        """All findings, case by case."""
        return [found for diagnosis in self.diagnoses for found in diagnosis.findings]

    @property
    def faulty(self) -> bool:
        """Whether any finding is an error."""
        return self.faulty_calls > 0

    @property
    def healthy(self) -> bool:
        """No finding of severity error, in a file that was read whole and has calls."""
        return not self.faulty and self.doubt is None

    @property
    def doubt(self) -> str | None:
        """Why finding nothing in this file means nothing; None if it does mean something."""
        if self.damage is not None:
            return self.damage
        if self.cut:
            many = "s" * (self.cut != 1)
            return f"{self.cut} packet{many} cut by snaplen, what they carried is unknown"
        return None if self.calls else self.nothing

    @property
    def nothing(self) -> str:
        """What is to be said of a file without a call."""
        return "no call found, other SIP only" if self.other_sip else "no SIP or MSRP found"

    def judge(self, case: Case) -> None:
        """Diagnose a case and keep of it what there is room for; one that is idle is counted."""
        if case.idle:
            self.other_sip += len(case.dialogs)
            return
        diagnosis = diagnose(case)
        self.calls += 1
        self.faulty_calls += not diagnosis.healthy
        self.outcomes += [outcome(dialog, case) for dialog in case.calls]
        self.diagnoses.append(diagnosis)

    def thin_out(self) -> None:
        """Let go of what the calls judged so far hold, but for the first faulty ones."""
        faulty = [d for d in self.diagnoses if not d.healthy][:KEPT_DIAGNOSES]
        odd = [d for d in self.diagnoses if d.healthy and d.findings]
        self.diagnoses = faulty[:SHOWN_CASES]
        for diagnosis in faulty[SHOWN_CASES:] + odd[: KEPT_DIAGNOSES - len(faulty)]:
            self.diagnoses.append(Diagnosis(_emptied(diagnosis.case), diagnosis.findings))


def analyse(path: str | Path, progress: Progress | None = None) -> Analysis:
    """Read a capture and judge it; a file that cannot be read gives its ``damage`` instead."""
    result = Analysis(str(path))
    try:
        capture = Capture(path, progress)
    except CaptureError as error:
        result.damage, result.unreadable = str(error), True
        return result
    tracker = Tracker()
    decode, take = Decoder().decode, tracker.take
    for frame in capture:
        packet = decode(frame)
        result.cut += len(frame.data) < frame.wire_length
        if packet is not None:
            take(packet)
        if frame.number % SWEEP_EVERY == 0 and tracker.crowded:
            _sweep(tracker, result)
    tracker.finish()
    for case in build_cases(tracker):
        result.judge(case)
    result.packets, result.damage = capture.frames, capture.damage
    return result


def attempt(path: str | Path, progress: Progress | None = None) -> Analysis:
    """As :func:`analyse`, where other files follow: a fault of our own costs this file only."""
    try:
        return analyse(path, progress)
    except Exception as error:
        fault = f"{path}: the doctor failed on it: {type(error).__name__}: {error}"
        return Analysis(str(path), damage=fault, unreadable=True)


def _sweep(tracker: Tracker, result: Analysis) -> None:
    """Judge and drop the calls that are over; if that is not enough, the oldest ones too."""
    cases = build_cases(tracker)
    tracker.forget_strangers(link for case in cases for link in case.links)
    going = [case for case in cases if case.over]
    if not going and tracker.overfull:
        going = [case for case in cases if case.idle]
        if not going:
            going = cases[: len(cases) // 2]
            result.rushed += len(going)
    for case in going:
        result.judge(case)
    tracker.forget(
        (dialog for case in going for dialog in case.dialogs),
        (link for case in going for link in case.links),
    )
    result.thin_out()


def diagnose(case: Case) -> Diagnosis:
    """Every rule on every thing of a case."""
    found: list[Finding] = []
    for rule in RULES.values():
        hits = (hit for thing in _things(rule.level, case) for hit in rule.check(thing, case))
        found += [finding(rule, hit) for hit in islice(hits, PER_RULE)]
    return Diagnosis(case, rank(found))


def _things(level: Level, case: Case) -> Iterator[object]:
    if level is Level.LINK:
        yield from case.links
    elif level is Level.PAIR:
        yield from case.pairs
    elif level is Level.DIALOG:
        yield from case.dialogs
    elif level is Level.EXCHANGE:
        exchanges = (exchange for dialog in case.dialogs for exchange in dialog.exchanges)
        yield from (part for exchange in exchanges for part in exchange.parts)
    else:
        yield case


def _emptied(case: Case) -> Case:
    return Case((), (), (), case.start, case.end)

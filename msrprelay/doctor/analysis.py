"""One capture from its packets to ranked findings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .calls import Outcome, outcome
from .capture import Capture, Progress
from .cases import Case, build_cases, lone_case
from .errors import CaptureError
from .finding import Finding, Level, Severity, finding
from .packets import Decoder
from .ranking import rank
from .rules import RULES
from .sip import Dialog
from .tracker import Link, Tracker

PER_RULE = 50
"""Hits of one rule reported per case; more say nothing new."""

RETIRED = 2_000
"""Findings kept of calls that had to give way in a very large capture."""

RETIRED_OUTCOMES = 500_000
"""Outcomes kept of such calls: one row of numbers each."""


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
    """What one file holds. ``damage`` says where reading it broke off, if it did."""

    file: str
    diagnoses: list[Diagnosis] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    damage: str | None = None
    packets: int = 0
    retired: int = 0
    unreadable: bool = False

    @property
    def findings(self) -> list[Finding]:
        """All findings, case by case."""
        return [found for diagnosis in self.diagnoses for found in diagnosis.findings]

    @property
    def faulty(self) -> bool:
        """Whether any finding is an error."""
        return any(not diagnosis.healthy for diagnosis in self.diagnoses)

    @property
    def healthy(self) -> bool:
        """No finding of severity error, and the file was read to its end."""
        return not self.faulty and self.damage is None


def analyse(path: str | Path, progress: Progress | None = None) -> Analysis:
    """Read a capture and judge it; a file that cannot be read gives its ``damage`` instead."""
    result = Analysis(str(path))
    try:
        capture = Capture(path, progress)
    except CaptureError as error:
        result.damage, result.unreadable = str(error), True
        return result
    early = _Early()
    tracker = early.tracker
    decode = Decoder().decode
    for frame in capture:
        packet = decode(frame)
        if packet is not None:
            tracker.take(packet)
    tracker.finish()
    result.packets, result.damage = capture.frames, capture.damage
    cases = build_cases(tracker)
    result.diagnoses = early.diagnoses + [diagnose(case) for case in cases]
    result.outcomes = early.outcomes + [outcome(d, case) for case in cases for d in case.dialogs]
    result.retired = early.count
    return result


def diagnose(case: Case) -> Diagnosis:
    """Every rule on every thing of a case."""
    found: list[Finding] = []
    for rule in RULES.values():
        hits = (hit for thing in _things(rule.level, case) for hit in rule.check(thing, case))
        for count, hit in enumerate(hits):
            if count >= PER_RULE:
                break
            found.append(finding(rule, hit))
    return Diagnosis(case, rank(found))


def _things(level: Level, case: Case) -> Iterator[object]:
    if level is Level.LINK:
        yield from case.links
    elif level is Level.PAIR:
        yield from case.pairs
    elif level is Level.DIALOG:
        yield from case.dialogs
    elif level is Level.EXCHANGE:
        yield from (exchange for dialog in case.dialogs for exchange in dialog.exchanges)
    else:
        yield case


class _Early:
    """Judges what has to give way in a very large capture, and keeps only what is wrong with it."""

    def __init__(self) -> None:
        self.tracker = Tracker(self._retire, self._retire)
        self.diagnoses: list[Diagnosis] = []
        self.outcomes: list[Outcome] = []
        self.count = 0

    def _retire(self, thing: Link | Dialog) -> None:
        self.count += 1
        case = lone_case(thing, self.tracker)
        diagnosis = diagnose(case)
        if isinstance(thing, Dialog) and len(self.outcomes) < RETIRED_OUTCOMES:
            self.outcomes.append(outcome(thing, case))
        if diagnosis.findings and len(self.diagnoses) < RETIRED:
            self.diagnoses.append(Diagnosis(_emptied(diagnosis.case), diagnosis.findings))


def _emptied(case: Case) -> Case:
    return Case((), (), (), case.start, case.end)

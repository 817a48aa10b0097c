"""Which fault is the cause, and which ones only follow from it."""

from __future__ import annotations

from dataclasses import replace

from .finding import Finding, Severity
from .rules.reinvite import BIND_FAULTS

TRANSPORT = (
    "T01", "T05", "T05b", "T06", "T07", "T08", "T08b", "T10", "T12", "T15", "T16", "T17",
)  # fmt: skip
"""TCP faults that keep bytes from arriving, the most telling first."""

CAUSES: dict[str, tuple[str, ...]] = {
    "T02": ("T01",),
    "T04": ("T01",),
    "T06": ("T05", "T05b"),
    "T09": ("T05", "T05b"),
    "T10": ("S11",),
    "T11b": (),
    "T13": ("T01", "T05", "T05b", "T06", "T07", "T08b", "T15", "T16", "T17"),
    "M01": ("M07", "M02", "M03", "M04", "M08", "M14", "T10"),
    "M11": ("M10",),
    "M02": ("M02b",),
    "M04": ("S06b", "S10"),
    "M06": ("M07",),
    "M08b": ("M01", "M07"),
    "S02": ("S01",),
    "S02b": ("S01",),
    "S05b": ("S05",),
    "S07b": ("S07",),
    "S12": ("T01", "M03", "M08"),
}
"""Rule → the faults that explain it, if one of them was found in the same call."""

SUPPRESSED = frozenset({"M01b", "M08"})
"""Mere consequences of a transport fault: said with its verdict, not as findings of their own."""

ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


def rank(findings: list[Finding]) -> list[Finding]:
    """Findings of one case: root causes first, what follows from them after, notes last."""
    errors = {f.rule for f in findings if f.severity is Severity.ERROR}
    transport = next((id for id in TRANSPORT if id in errors), None)
    kept: list[Finding] = []
    for found in findings:
        if found.rule == "S12" and not errors & BIND_FAULTS:
            continue
        if found.rule in SUPPRESSED and transport is not None:
            continue
        kept.append(_explained(found, errors))
    return (
        sorted(kept, key=_place) if transport is None else _with_losses(kept, findings, transport)
    )


def _explained(found: Finding, errors: set[str]) -> Finding:
    cause = next((id for id in CAUSES.get(found.rule, ()) if id in errors), None)
    return found if cause is None else replace(found, follows=cause)


def _with_losses(kept: list[Finding], findings: list[Finding], cause: str) -> list[Finding]:
    """Adds to the root cause what was never delivered because of it."""
    lost = [f.verdict.split(":")[0] for f in findings if f.rule in SUPPRESSED]
    ranked = sorted(kept, key=_place)
    if not lost:
        return ranked
    at = next(i for i, f in enumerate(ranked) if f.rule == cause)
    said = f"{ranked[at].verdict} It follows: {'; '.join(dict.fromkeys(lost))}."
    ranked[at] = replace(ranked[at], verdict=said)
    return ranked


def _place(found: Finding) -> tuple[int, bool, int]:
    return ORDER[found.severity], found.follows is not None, (found.packets or (0,))[0]

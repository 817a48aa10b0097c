"""Play checks against a relay and say what came of each case."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from ..peers.wire import Failure
from .catalogue import Case
from .registry import Check, NotApplicable
from .relay import Relay


class Result(StrEnum):
    """What came of a case."""

    PASS = "pass"
    FAIL = "fail"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One check played, or why it was not."""

    check: Check
    result: Result
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """One case of the table: the worst of its checks."""

    case: int
    result: Result
    reason: str
    title: str


def play(relay: Relay, check: Check, *, control: bool, longest: float) -> Outcome:
    """Play one check. `control`: the relay takes SDP; `longest`: seconds worth waiting for."""
    if check.control and not control:
        return Outcome(check, Result.NOT_APPLICABLE, "needs offers and answers")
    if check.timer is not None and relay.timers[check.timer] > longest:
        wait = f"waits {relay.timers[check.timer]:g} s for its {check.timer} timer"
        return Outcome(check, Result.NOT_APPLICABLE, f"{wait}: --longest allows it")
    began = time.monotonic()
    try:
        check.play(relay, check.policy)
    except NotApplicable as why:
        return Outcome(check, Result.NOT_APPLICABLE, str(why))
    except (AssertionError, OSError) as error:
        told = str(error) if isinstance(error, Failure) else f"{type(error).__name__}: {error}"
        return Outcome(check, Result.FAIL, told, time.monotonic() - began)
    return Outcome(check, Result.PASS, "", time.monotonic() - began)


def table(cases: Iterable[Case], outcomes: Iterable[Outcome]) -> Iterator[Row]:
    """Every case with the worst of its checks; those without one say why."""
    by_case: dict[int, list[Outcome]] = {}
    for outcome in outcomes:
        by_case.setdefault(outcome.check.case, []).append(outcome)
    for case in cases:
        yield _row(case, by_case.get(case.number, []))


def _row(case: Case, outcomes: list[Outcome]) -> Row:
    if not outcomes:
        reason = case.not_applicable or "not seen from outside"
        return Row(case.number, Result.NOT_APPLICABLE, reason, case.input)
    for result in (Result.FAIL, Result.PASS, Result.NOT_APPLICABLE):
        found = [outcome for outcome in outcomes if outcome.result is result]
        if found and result is Result.FAIL:
            reason = "; ".join(f"{each.check.policy}: {each.reason}" for each in found)
            return Row(case.number, result, reason, case.input)
        if found:
            return Row(case.number, result, found[0].reason, case.input)
    raise AssertionError("an outcome without a result")

"""Every check against our relay."""

from __future__ import annotations

import pytest
from _pytest.mark import ParameterSet

from .cases import CHECKS
from .catalogue import cases
from .registry import Check
from .relay import NgRelay
from .run import Result, play

CASES = {case.number: case for case in cases()}


def marked(check: Check) -> ParameterSet:
    """A check that must fail for now is one that must not pass unnoticed either."""
    case = CASES[check.case]
    pending = pytest.mark.xfail(reason=case.pending, strict=True)
    return pytest.param(check, id=check.id, marks=[pending] if case.fails(check.name) else [])


@pytest.mark.parametrize("check", [marked(check) for check in CHECKS])
def test_the_case_holds(check: Check, request: pytest.FixtureRequest) -> None:
    relay: NgRelay = request.getfixturevalue("hasty" if check.timer else "patient")
    outcome = play(relay, check, control=True, longest=5.0)
    assert outcome.result is Result.PASS, outcome.reason

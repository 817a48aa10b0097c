"""Five times the calls there is room for: the first ones notice nothing, the rest go elsewhere."""

from __future__ import annotations

import contextlib
from collections import Counter

import pytest

from ..conformance.call import Call
from ..conformance.cases.a_framer import goes_on
from ..conformance.relay import NgRelay
from ..peers.daemon import Daemon
from ..peers.ng import Refused
from .conftest import Start

SESSIONS = 20
LOAD, LOAD_EMERGENCY = 16, 19
# What the relay keeps for itself (settings.SPARE_DESCRIPTORS), its stream and control connections.
SPARE = 128 + 1 + 1
FEW = {"limits.ng-connections": 1, "limits.control-connections": 1}
WAITING = 4
FULL = "Parallel session limit reached"


@pytest.fixture(params=["sessions", "descriptors"])
def scarce(request: pytest.FixtureRequest, start: Start) -> tuple[Daemon, NgRelay]:
    """A relay for SESSIONS calls, by their number or by their descriptors."""
    if request.param == "sessions":
        return start({"limits.sessions": SESSIONS}, ports=300)
    nofile = SPARE + WAITING * SESSIONS
    return start(FEW, ports=300, command=("prlimit", f"--nofile={nofile}"))


def test_at_five_times_its_capacity_it_serves_what_it_has(scarce: tuple[Daemon, NgRelay]) -> None:
    daemon, relay = scarce
    with contextlib.ExitStack() as calls:
        taken, told = [], Counter[str]()
        for _ in range(5 * SESSIONS):
            call = calls.enter_context(relay.call("aware"))
            if (reason := refusal(call)) is None:
                taken.append(call)
            else:
                told[reason] += 1
        assert told == {FULL: 5 * SESSIONS - LOAD}
        assert len(taken) == LOAD
        urgent = [calls.enter_context(urgent_call(relay)) for _ in range(SESSIONS)]
        served = [call for call in urgent if refusal(call) is None]
        assert len(served) == LOAD_EMERGENCY - LOAD
        # Whoever is in goes on: answers, bytes, re-offers, bytes.
        for call in (*taken, *served):
            call.answer()
            goes_on(*call.connect())
            call.reoffer()
            call.answer()
            goes_on(call.a, call.b)
        assert daemon.statistic("sessions", "sessions-joined") == LOAD_EMERGENCY
        ended = daemon.statistic("sessions")
        assert not [name for name in ended if name.startswith("ended-")]


def test_who_leaves_makes_room(start: Start) -> None:
    daemon, relay = start({"limits.sessions": SESSIONS})
    with contextlib.ExitStack() as calls:
        first = calls.enter_context(relay.call("aware"))
        first.offer()
        for _ in range(LOAD - 1):
            calls.enter_context(relay.call("aware")).offer()
        late = calls.enter_context(relay.call("aware"))
        assert refusal(late) == FULL
        first.delete()
        # The seat is free when the engine says that the session has ended, soon after the reply.
        tries = 1
        while refusal(late) == FULL:
            tries += 1
            assert tries < 1000
        goes_on(*late.join())
        assert daemon.statistic("sessions", "refused-sessions") == tries


def refusal(call: Call) -> str | None:
    """Why the first offer is refused, if it is."""
    try:
        call.offer()
    except Refused as refused:
        return refused.reason
    return None


def urgent_call(relay: NgRelay) -> contextlib.AbstractContextManager[Call]:
    return relay.call("aware", flags={"msrp-priority": "emergency"})

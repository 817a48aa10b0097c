"""New calls are refused where there is no room, in words that lead SIP servers elsewhere."""

from __future__ import annotations

import pytest

from msrprelay.errors import CommandError
from msrprelay.sessions import Admission, Room
from msrprelay.strain import Strained, Taken

from .session_fakes import Lab, answer, delete, drain, offer, send
from .session_replies import refusal


def admission(room: Room) -> tuple[Admission, list[float]]:
    now = [0.0]
    return Admission(room, lambda: now[0], lambda: None), now


def refused(
    judge: Admission, sessions: int = 0, joined: int = 0, *, emergency: bool = False
) -> str | None:
    try:
        judge.admit(sessions, joined, emergency=emergency)
    except CommandError as error:
        return error.reason
    return None


@pytest.mark.parametrize(
    ("room", "sessions", "joined", "fits"),
    [
        pytest.param(Room(0, 100), 19, 0, True, id="four-descriptors-each"),
        pytest.param(Room(0, 100), 20, 0, False, id="a-fifth-of-the-descriptors-left"),
        pytest.param(Room(0, 100), 39, 39, True, id="two-each-once-joined"),
        pytest.param(Room(0, 100), 40, 40, False, id="a-fifth-left-of-joined-ones"),
        pytest.param(Room(0, 0), 0, 0, False, id="no-descriptors"),
        pytest.param(Room(10, 1000), 7, 0, True, id="below-the-number"),
        pytest.param(Room(10, 1000), 8, 8, False, id="at-four-fifths-of-the-number"),
        pytest.param(Room(1, 1000), 0, 0, True, id="one-is-one"),
        pytest.param(Room(1, 1000), 1, 1, False, id="and-no-more"),
        pytest.param(Room(10, 1000, load=100), 9, 9, True, id="all-of-it"),
        pytest.param(Room(10, 1000, load=100), 10, 10, False, id="and-no-more-than-all"),
    ],
)
def test_sessions_and_descriptors_bound_the_calls(
    room: Room, sessions: int, joined: int, fits: bool
) -> None:
    judge, _ = admission(room)
    expected = None if fits else "Parallel session limit reached"
    assert refused(judge, sessions, joined) == expected


def test_the_shares_told_are_those_that_are_judged() -> None:
    taken = [Taken("memory", 30, 100, "Load limit exceeded"), Taken("memory", 9, 10, "the same")]
    judge = Admission(Room(10, 100), lambda: 0.0, lambda: None, lambda: taken)
    assert judge.shares(8, 6) == {"sessions": 0.8, "descriptors": 0.2, "memory": 0.9}
    assert refused(judge, 8, 6) == "Parallel session limit reached"


def test_where_there_is_nothing_all_of_it_is_taken() -> None:
    judge, _ = admission(Room(0, 0))
    assert judge.shares(0, 0) == {"descriptors": 1.0}


@pytest.mark.parametrize(
    ("room", "most"), [(Room(0, 100), 50), (Room(7, 100), 7), (Room(700, 100), 50), (Room(0, 1), 1)]
)
def test_the_number_told_is_what_fits_when_joined(room: Room, most: int) -> None:
    assert room.most_sessions == most


def test_offers_per_second_let_a_burst_pass_and_then_their_rate() -> None:
    judge, now = admission(Room(0, 100_000, 10))
    assert [refused(judge) for _ in range(11)] == [None] * 10 + ["Load limit exceeded"]
    now[0] = 0.1
    assert [refused(judge) for _ in range(2)] == [None, "Load limit exceeded"]
    now[0] = 100.0
    assert sum(refused(judge) is None for _ in range(50)) == 10
    assert judge.counts["offers-per-second"] == 42


def test_the_strain_of_the_host_refuses_with_its_own_words() -> None:
    lab = Lab()
    lab.strained = Strained("cpu", "CPU usage limit exceeded")
    assert refusal(lab, offer()) == "CPU usage limit exceeded"
    assert lab.sessions.counts["refused-cpu"] == 1
    lab.strained = None
    send(lab, offer())


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("sessions", "Parallel session limit reached"),
        ("descriptors", "Parallel session limit reached"),
        ("memory", "Load limit exceeded"),
    ],
)
def test_an_emergency_has_a_reserve_of_everything(what: str, reason: str) -> None:
    taken = [0]
    judge = Admission(
        Room(100, 10_000), lambda: 0.0, lambda: None, lambda: [Taken(what, taken[0], 100, reason)]
    )
    told = []
    for share in (79, 80, 94, 95):
        taken[0] = share
        told.append((refused(judge), refused(judge, emergency=True)))
    assert told == [(None, None), (reason, None), (reason, None), (reason, reason)]
    assert judge.counts == {what: 3, f"emergency-{what}": 1}


def test_a_full_relay_goes_on_with_what_it_has() -> None:
    """Five times as many calls as there is room for: the first ones notice nothing."""
    lab = Lab(max_sessions=10, ports=30)
    told = [refusal_or_none(lab, f"call-{number}") for number in range(50)]
    assert told == [None] * 8 + ["Parallel session limit reached"] * 42
    for number in range(8):
        mine = f"call-{number}"
        send(lab, answer(call_id=mine))
        send(lab, offer(to_tag="bob", call_id=mine))
        send(lab, answer(call_id=mine))
    urgent = [refusal_or_none(lab, f"urgent-{number}", emergency=True) for number in range(5)]
    assert urgent == [None] * 2 + ["Parallel session limit reached"] * 3
    assert lab.sessions.live == 10
    assert not lab.plane.closing


def refusal_or_none(lab: Lab, call_id: str, *, emergency: bool = False) -> str | None:
    try:
        send(lab, offer(call_id=call_id, emergency=emergency))
    except CommandError as error:
        return error.reason
    return None


def test_an_emergency_passes_strain_and_speed_but_not_want_of_room() -> None:
    lab = Lab(offers_per_second=1, max_sessions=2)
    lab.strained = Strained("cpu", "CPU usage limit exceeded")
    send(lab, offer(emergency=True))
    send(lab, offer(call_id="call-2", emergency=True))
    third = offer(call_id="call-3", emergency=True)
    assert refusal(lab, third) == "Parallel session limit reached"


def test_draining_refuses_new_calls_and_serves_the_rest() -> None:
    lab = Lab()
    send(lab, offer())
    assert send(lab, drain()) == {"draining": 1, "calls": 1}
    assert refusal(lab, offer(call_id="call-2")) == "Parallel session limit reached"
    assert refusal(lab, offer(via_branch="z2")) == "Parallel session limit reached"
    send(lab, answer())
    send(lab, offer(to_tag="bob"))
    send(lab, answer())
    send(lab, delete())
    assert send(lab, drain(off=True)) == {"draining": 0, "calls": 0}
    send(lab, offer(call_id="call-2"))
    assert [e.event for e in lab.events if e.call_id is None] == ["draining", "serving"]


def test_draining_twice_is_told_once() -> None:
    lab = Lab()
    for _ in range(2):
        send(lab, drain())
    assert [event.event for event in lab.events] == ["draining"]

"""New calls are refused where there is no room, in words that lead SIP servers elsewhere."""

from __future__ import annotations

import pytest

from msrprelay.errors import CommandError
from msrprelay.sessions import Admission, Room
from msrprelay.strain import Strained

from .session_fakes import Lab, answer, delete, drain, offer, send
from .test_sessions import refusal


def admission(room: Room) -> tuple[Admission, list[float]]:
    now = [0.0]
    return Admission(room, lambda: now[0], lambda: None), now


def refused(judge: Admission, sessions: int = 0, joined: int = 0) -> str | None:
    try:
        judge.admit(sessions, joined, emergency=False)
    except CommandError as error:
        return error.reason
    return None


@pytest.mark.parametrize(
    ("room", "sessions", "joined", "fits"),
    [
        pytest.param(Room(0, 100), 24, 0, True, id="four-descriptors-each"),
        pytest.param(Room(0, 100), 25, 0, False, id="descriptors-full"),
        pytest.param(Room(0, 100), 48, 48, True, id="two-each-once-joined"),
        pytest.param(Room(0, 100), 49, 49, False, id="joined-full"),
        pytest.param(Room(3, 100), 2, 0, True, id="below-the-number"),
        pytest.param(Room(3, 100), 3, 3, False, id="at-the-number"),
    ],
)
def test_sessions_and_descriptors_bound_the_calls(
    room: Room, sessions: int, joined: int, fits: bool
) -> None:
    judge, _ = admission(room)
    expected = None if fits else "Parallel session limit reached"
    assert refused(judge, sessions, joined) == expected


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

"""What deletes and the operator end, what they leave, and what ends by itself."""

from __future__ import annotations

from typing import Any

import pytest

from msrprelay.offer_answer.negotiation import UNMATCHED

from .session_fakes import (
    Lab,
    answer,
    delete,
    drain,
    listing,
    offer,
    query,
    rollback,
    sdp,
    send,
    terminate,
)
from .session_replies import refusal, section

pytestmark = pytest.mark.usefixtures("lives")


# Deletes.


def test_a_delete_lets_bytes_drain_and_frees_the_ports_when_all_is_closed() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer())
    reply = send(lab, delete())
    assert lab.plane.opened[0].closing == ("deleted", 5.0)
    assert (lab.pool.leased, send(lab, listing())) == (2, {"calls": []})
    assert reply["totals"] == {
        "RTP": {"bytes": 20, "packets": 2, "errors": 0},
        "RTCP": {"bytes": 0, "packets": 0, "errors": 0},
    }
    lab.settle()
    assert (lab.pool.leased, lab.pool.resting) == (0, 2)


def test_a_delete_may_name_its_delay() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, delete(delay=0))
    assert lab.plane.opened[0].closing == ("deleted", 0.0)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(delete(call_id="nobody"), id="unknown-call"),
        pytest.param(delete(from_tag="mallory"), id="unknown-tag"),
    ],
)
def test_a_delete_that_finds_nothing_is_ok_with_a_warning(request_: Any) -> None:
    lab = Lab()
    send(lab, offer())
    reply = send(lab, request_)
    assert reply == {"warning": "Call-ID not found or tags didn't match"}


def test_a_fatal_delete_that_finds_nothing_is_an_error() -> None:
    assert "not found" in refusal(Lab(), delete(flags=frozenset({"fatal"})))


def test_the_failure_route_delete_rolls_back_and_the_next_one_ends() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer())
    send(lab, offer(sdp(session_id="another"), to_tag="bob"))
    assert send(lab, delete())["warning"] == "pending offer rolled back"
    assert lab.plane.opened[0].closing is None
    send(lab, delete())
    assert lab.plane.opened[0].closing == ("deleted", 5.0)


def test_a_condemned_call_ends_with_its_legs() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer())
    send(lab, offer(sdp(session_id="another"), to_tag="bob"))
    send(lab, delete())
    lab.close(lab.plane.opened[0], "hangup")
    lab.clock.pass_time(0.0)
    assert send(lab, listing()) == {"calls": []}
    assert lab.pool.leased == 0


def test_a_condemned_call_ends_as_soon_as_a_leg_is_lost() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer())
    lab.join(lab.plane.opened[0])
    send(lab, offer(sdp(session_id="another"), to_tag="bob"))
    send(lab, delete())
    lab.clock.pass_time(1000.0)
    assert send(lab, listing()) == {"calls": ["call-1"]}
    lab.lose(lab.plane.opened[0])
    assert send(lab, listing()) == {"calls": []}
    assert lab.plane.opened[0].closing == ("deleted", 5.0)


def test_a_condemned_call_with_a_leg_missing_ends_after_the_delete_delay() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer())
    send(lab, offer(sdp(session_id="another"), to_tag="bob"))
    send(lab, delete())
    lab.clock.pass_time(4.9)
    assert send(lab, listing()) == {"calls": ["call-1"]}
    lab.clock.pass_time(0.2)
    assert send(lab, query(ended=True))["ended"] == "condemned"


def test_another_offer_takes_the_condemnation_back() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer())
    for version in (2, 3):
        changed = sdp(session_id="another").replace(b"o=- 1 1", b"o=- 1 %d" % version)
        send(lab, offer(changed, to_tag="bob"))
        if version == 2:
            send(lab, delete())
    send(lab, answer())
    lab.clock.pass_time(100.0)
    lab.lose(lab.plane.opened[0])
    assert send(lab, listing()) == {"calls": ["call-1"]}


@pytest.mark.parametrize(
    ("configured", "said"),
    [pytest.param("delete", None, id="configured"), pytest.param("rollback", "delete", id="said")],
)
def test_a_delete_can_be_taken_at_its_word(configured: str, said: str | None) -> None:
    lab = Lab(delete_pending=configured)
    send(lab, offer())
    send(lab, answer())
    send(lab, offer(sdp(session_id="another"), to_tag="bob"))
    send(lab, delete(pending=said))
    assert send(lab, listing()) == {"calls": []}


def test_a_rollback_drops_the_pending_offer_and_condemns_nobody() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer())
    send(lab, offer(sdp(sections=2), to_tag="bob"))
    assert lab.pool.leased == 4
    assert send(lab, rollback()) == {}
    assert lab.plane.opened[1].closing == ("deleted", 0.0)
    lab.settle()
    assert lab.pool.leased == 2
    lab.lose(lab.plane.opened[0])
    assert send(lab, listing()) == {"calls": ["call-1"]}
    assert "not found" in str(send(lab, rollback())["warning"])


@pytest.mark.one_life
def test_a_rollback_of_the_first_offer_ends_the_call() -> None:
    lab = Lab()
    send(lab, offer())
    assert send(lab, rollback()) == {}
    assert send(lab, query(ended=True))["ended"] == "rolled-back"
    assert "not found" in str(send(lab, rollback(call_id="nobody"))["warning"])


def test_a_fast_delete_brings_no_statistics() -> None:
    lab = Lab()
    send(lab, offer())
    assert send(lab, delete(flags=frozenset({"fast"}))) == {}


def test_a_delete_of_one_branch_leaves_the_others() -> None:
    lab = Lab()
    send(lab, offer(via_branch="z1"))
    send(lab, offer(via_branch="z2"))
    send(lab, delete(via_branch="z1"))
    assert [session.closing is not None for session in lab.plane.opened] == [True, False]
    assert send(lab, listing()) == {"calls": ["call-1"]}


@pytest.mark.parametrize("answered", [True, False], ids=["answered", "ringing"])
def test_a_delete_of_a_branch_that_has_left_ends_no_other(answered: bool) -> None:
    lab = Lab()
    send(lab, offer(via_branch="z1"))
    send(lab, offer(via_branch="z2"))
    if answered:
        send(lab, answer(via_branch="z2"))
        lab.join(lab.plane.opened[1])
    send(lab, delete(via_branch="z1"))
    assert send(lab, delete(via_branch="z1")) == {"warning": UNMATCHED}
    assert refusal(lab, delete(via_branch="z1", flags=frozenset({"fatal"}))) == UNMATCHED
    assert [session.closing is not None for session in lab.plane.opened] == [True, False]
    send(lab, delete(via_branch="of-the-bye"))
    assert send(lab, listing()) == {"calls": []}


def test_a_branch_whose_offer_has_timed_out_is_deleted_alone() -> None:
    lab = Lab()
    send(lab, offer(via_branch="z1"))
    send(lab, offer(via_branch="z2"))
    send(lab, answer(via_branch="z2"))
    lab.join(lab.plane.opened[1])
    lab.clock.pass_time(201.0)
    assert send(lab, delete(via_branch="z1")) == {"warning": UNMATCHED}
    assert lab.plane.opened[1].closing is None


def test_a_late_answer_of_a_branch_that_has_left_changes_no_other() -> None:
    lab = Lab()
    send(lab, offer(via_branch="z1"))
    send(lab, offer(via_branch="z2"))
    send(lab, delete(via_branch="z1"))
    assert refusal(lab, answer(via_branch="z1")) == "Unknown call-id"
    assert lab.plane.opened[1].answers == []
    send(lab, offer(via_branch="z1"))
    send(lab, answer(via_branch="z1"))
    assert len(lab.plane.opened[2].answers) == 1


# What happens by itself.


def test_an_unanswered_offer_ends_after_its_time() -> None:
    lab = Lab()
    send(lab, offer())
    lab.clock.pass_time(199.9)
    assert send(lab, listing()) == {"calls": ["call-1"]}
    lab.clock.pass_time(0.2)
    assert send(lab, listing()) == {"calls": []}
    assert lab.plane.opened[0].closing == ("offer-timeout", 0.0)
    lab.settle("offer-timeout")
    assert lab.pool.leased == 0


def test_an_unanswered_re_offer_is_dropped_and_the_call_lives() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer())
    send(lab, offer(sdp(session_id="another"), to_tag="bob"))
    lab.clock.pass_time(201.0)
    assert send(lab, listing()) == {"calls": ["call-1"]}
    assert lab.plane.opened[0].closing is None


@pytest.mark.one_life
def test_a_call_whose_legs_are_lost_ends_after_the_reconnect_window() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer())
    lab.close(lab.plane.opened[0], "peer-reset")
    lab.clock.pass_time(29.9)
    assert send(lab, listing()) == {"calls": ["call-1"]}
    lab.clock.pass_time(0.2)
    assert send(lab, listing()) == {"calls": []}
    assert lab.pool.leased == 0
    assert send(lab, query(ended=True))["ended"] == "peer-reset"


def test_a_re_offer_brings_a_lost_session_back_on_its_ports() -> None:
    lab = Lab()
    before = section(send(lab, offer()))
    send(lab, answer())
    lab.close(lab.plane.opened[0], "peer-reset")
    after = section(send(lab, offer(sdp(session_id="another"), to_tag="bob")))
    assert (after.port, after.path) == (before.port, before.path)
    assert len(lab.plane.opened) == 2
    send(lab, answer())
    assert len(lab.plane.opened[1].answers) == 1
    lab.clock.pass_time(100.0)
    assert send(lab, listing()) == {"calls": ["call-1"]}


def test_the_longest_life_of_a_call_can_be_limited() -> None:
    lab = Lab(final=3600.0)
    send(lab, offer())
    send(lab, answer())
    lab.clock.pass_time(3601.0)
    assert lab.plane.opened[0].closing == ("final-timeout", 0.0)


# The operator.


def test_terminate_ends_one_call_or_all() -> None:
    lab = Lab()
    for call_id in ("call-1", "call-2", "call-3"):
        send(lab, offer(call_id=call_id))
    assert send(lab, terminate("call-2")) == {"terminated": 1}
    assert send(lab, terminate(None)) == {"terminated": 2}
    assert {session.closing for session in lab.plane.opened} == {("terminated", 0.0)}
    assert refusal(lab, terminate("call-2")) == "Unknown call-id"


@pytest.mark.one_life
def test_draining_refuses_new_calls_and_tells_when_the_last_has_gone() -> None:
    lab = Lab()
    gone: list[bool] = []
    send(lab, offer())
    lab.sessions.run_dry(lambda: gone.append(True))
    assert refusal(lab, offer(call_id="call-2")) == "Parallel session limit reached"
    send(lab, answer())
    send(lab, delete())
    assert gone == []
    lab.settle()
    assert gone == [True]


@pytest.mark.one_life
def test_a_relay_that_is_stopping_takes_no_calls_again() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, drain())
    assert send(lab, drain(off=True))["draining"] == 0
    lab.sessions.run_dry(lambda: None)
    assert refusal(lab, drain(off=True)) == "The relay is stopping"
    assert refusal(lab, offer(call_id="call-2")) == "Parallel session limit reached"


@pytest.mark.one_life
def test_draining_does_not_wait_for_peers_that_have_gone() -> None:
    lab = Lab()
    gone: list[bool] = []
    for call_id in ("call-1", "call-2"):
        send(lab, offer(call_id=call_id))
        send(lab, answer(call_id=call_id))
    lab.close(lab.plane.opened[0], "hangup")
    lab.sessions.run_dry(lambda: gone.append(True))
    lab.clock.pass_time(0.0)
    assert gone == []
    lab.close(lab.plane.opened[1], "hangup")
    lab.clock.pass_time(0.0)
    assert gone == [True]

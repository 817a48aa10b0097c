"""Calls end although the SIP side may never say so, and none ends before its time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .session_fakes import BOB, Lab, answer, delete, listing, offer, query, rollback, sdp, send

pytestmark = pytest.mark.usefixtures("lives")

MOVED = sdp(session_id="another")
MOVED_BOB = BOB.replace(b"bobid", b"another")
NO_CHAT = sdp(port=0)
NO_CHAT_BOB = sdp("203.0.113.9", 0, session_id="bobid")
LONG = 30 * 86_400.0


def chat() -> Lab:
    """A call whose peers chat."""
    lab = Lab()
    send(lab, offer())
    send(lab, answer())
    lab.join(lab.plane.opened[0])
    return lab


def forked() -> Lab:
    """A call with two branches, the first of which chats."""
    lab = Lab()
    send(lab, offer(via_branch="z1"))
    send(lab, offer(via_branch="z2"))
    send(lab, answer(via_branch="z1"))
    lab.join(lab.plane.opened[0])
    return lab


def both_answered() -> Lab:
    """The first branch answered early and was never joined, the second chats."""
    lab = forked()
    send(lab, answer(MOVED_BOB, via_branch="z2", to_tag="bob2"))
    lab.join(lab.plane.opened[1])
    return lab


def refused() -> Lab:
    lab = Lab()
    send(lab, offer())
    send(lab, answer(NO_CHAT_BOB))
    return lab


def removed() -> Lab:
    lab = chat()
    send(lab, offer(NO_CHAT, to_tag="bob"))
    send(lab, answer(NO_CHAT_BOB))
    return lab


def reoffered_in_the_window() -> Lab:
    lab = chat()
    lab.close(lab.plane.opened[0], "hangup")
    lab.clock.pass_time(10.0)
    send(lab, offer(MOVED, to_tag="bob"))
    return lab


def rolled_back_in_the_window() -> Lab:
    lab = reoffered_in_the_window()
    send(lab, rollback())
    return lab


def hung_up_during_a_reoffer() -> Lab:
    lab = chat()
    send(lab, offer(sdp(sections=2), to_tag="bob"))
    lab.close(lab.plane.opened[0], "hangup")
    return lab


def winner_hung_up() -> Lab:
    lab = forked()
    lab.close(lab.plane.opened[0], "hangup")
    return lab


def callee_of_one_fork_hung_up() -> Lab:
    lab = both_answered()
    send(lab, delete(from_tag="bob2", to_tag="alice"))
    lab.close(lab.plane.opened[0], "bind-timeout")
    return lab


def caller_hung_up_one_fork() -> Lab:
    lab = both_answered()
    lab.close(lab.plane.opened[0], "bind-timeout")
    send(lab, delete(to_tag="bob2"))
    return lab


COURSES = [
    refused,
    removed,
    reoffered_in_the_window,
    rolled_back_in_the_window,
    hung_up_during_a_reoffer,
    winner_hung_up,
    callee_of_one_fork_hung_up,
    caller_hung_up_one_fork,
]


@pytest.mark.parametrize("course", COURSES, ids=lambda course: course.__name__)
def test_a_call_of_which_nothing_is_left_ends_without_a_delete(course: Callable[[], Lab]) -> None:
    lab = course()
    for _ in range(4):
        lab.settle()
        lab.clock.pass_time(LONG)
    assert send(lab, listing()) == {"calls": []}
    assert lab.pool.leased == 0


@pytest.mark.parametrize(
    ("course", "reason"),
    [
        pytest.param(refused, "no-sections", id="refused"),
        pytest.param(removed, "no-sections", id="removed"),
        pytest.param(rolled_back_in_the_window, "hangup", id="rolled back"),
        pytest.param(hung_up_during_a_reoffer, "hangup", id="hung up"),
    ],
)
def test_it_says_why(course: Callable[[], Lab], reason: str) -> None:
    lab = course()
    for _ in range(4):
        lab.settle()
        lab.clock.pass_time(LONG)
    assert [event.reason for event in lab.events if event.event == "call-ended"] == [reason]


def test_a_call_without_sections_can_get_some_within_the_window() -> None:
    lab = removed()
    lab.settle()
    lab.clock.pass_time(29.0)
    send(lab, offer(to_tag="bob"))
    send(lab, answer())
    lab.join(lab.plane.opened[-1])
    lab.clock.pass_time(LONG)
    assert send(lab, listing()) == {"calls": ["call-1"]}


# The reconnect window does not outrun an offer.


def test_a_re_offer_from_within_the_window_can_be_answered_after_it() -> None:
    lab = reoffered_in_the_window()
    lab.clock.pass_time(100.0)
    send(lab, answer(MOVED_BOB))
    lab.join(lab.plane.opened[-1])
    lab.clock.pass_time(LONG)
    assert send(lab, listing()) == {"calls": ["call-1"]}


def test_a_re_offer_keeps_the_call_whose_session_ends_meanwhile() -> None:
    lab = chat()
    send(lab, offer(MOVED, to_tag="bob"))
    lab.wait(lab.plane.opened[0])
    lab.close(lab.plane.opened[0], "hangup")
    lab.clock.pass_time(60.0)
    send(lab, answer(MOVED_BOB))
    before, after = lab.plane.opened
    assert [leg.port for leg in after.legs] == [leg.port for leg in before.legs]
    assert len(after.answers) == 1


def test_a_revived_session_closes_again_if_its_offer_is_not_answered() -> None:
    lab = reoffered_in_the_window()
    send(lab, rollback())
    assert lab.plane.opened[1].closing == ("deleted", 0.0)
    lab.settle()
    lab.clock.pass_time(29.9)
    assert send(lab, listing()) == {"calls": ["call-1"]}
    lab.clock.pass_time(0.2)
    assert send(lab, query(ended=True))["ended"] == "hangup"


# Forks.


def test_a_rejected_re_invite_of_the_callee_does_not_end_a_forked_chat() -> None:
    lab = forked()
    send(lab, offer(MOVED_BOB, from_tag="bob", to_tag="alice", via_branch="y1"))
    assert send(lab, delete(from_tag="bob"))["warning"] == "pending offer rolled back"
    lab.clock.pass_time(6.0)
    assert send(lab, listing()) == {"calls": ["call-1"]}
    assert lab.plane.opened[0].closing is None


def test_another_forks_lost_leg_does_not_end_a_condemned_chat() -> None:
    lab = both_answered()
    send(lab, offer(BOB.replace(b"bobid", b"b3"), from_tag="bob2", to_tag="alice"))
    send(lab, delete(from_tag="bob2"))
    lab.lose(lab.plane.opened[0])
    assert send(lab, listing()) == {"calls": ["call-1"]}
    lab.lose(lab.plane.opened[1])
    assert send(lab, listing()) == {"calls": []}


def test_a_bye_ends_the_forks_that_have_not_answered() -> None:
    lab = forked()
    send(lab, delete(from_tag="bob"))
    assert send(lab, listing()) == {"calls": []}
    lab.settle()
    assert lab.pool.leased == 0
    ended = [event for event in lab.events if event.event == "call-ended"]
    assert [(event.reason, event.from_tag, event.to_tag) for event in ended] == [
        ("deleted", "alice", "bob")
    ]


def test_a_fork_takes_what_another_has_refused_on_the_ports_it_was_offered() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer(NO_CHAT_BOB, to_tag="bob1"))
    lab.settle()
    send(lab, answer(to_tag="bob2"))
    refused, taken = lab.plane.opened
    assert [(leg.port, leg.own_uri) for leg in taken.legs] == [
        (leg.port, leg.own_uri) for leg in refused.legs
    ]
    assert (taken.closing, len(taken.answers)) == (None, 1)
    lab.join(taken)
    lab.clock.pass_time(LONG)
    assert send(lab, listing()) == {"calls": ["call-1"]}


# What a delete tells.


def test_a_delete_tells_of_the_call_as_it_was() -> None:
    lab = chat()
    asked, told = send(lab, query()), send(lab, delete())
    assert told["tags"] == asked["tags"]
    assert set(asked["tags"]) == {"alice", "bob"}  # type: ignore[call-overload]

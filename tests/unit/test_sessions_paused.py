"""``drop-traffic``: the engine reads nothing until the SIP side says so."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from .session_fakes import FakeSession, Lab, answer, offer, rollback, sdp, send

AGAIN: dict[str, Any] = {"to_tag": "bob"}


def last(lab: Lab) -> FakeSession:
    """The session that was opened last."""
    return lab.plane.opened[-1]


def joined(lab: Lab, drop: Literal["start", "stop"] | None = None) -> FakeSession:
    """A call that was offered so, and whose peers are there."""
    send(lab, offer(drop_traffic=drop))
    send(lab, answer())
    lab.join(last(lab))
    return last(lab)


def test_what_an_offer_says_begins_with_the_answer() -> None:
    lab = Lab()
    assert "warning" not in send(lab, offer(drop_traffic="start"))
    assert not last(lab).paused
    send(lab, answer())
    assert last(lab).paused


@pytest.mark.parametrize(
    ("offered", "answered", "paused"),
    [
        pytest.param(None, "start", True, id="only-the-answer"),
        pytest.param("start", "stop", False, id="the-answer-wins"),
        pytest.param("stop", None, False, id="nothing-to-stop"),
    ],
)
def test_the_answer_may_say_it(
    offered: Literal["start", "stop"] | None,
    answered: Literal["start", "stop"] | None,
    paused: bool,
) -> None:
    lab = Lab()
    send(lab, offer(drop_traffic=offered))
    send(lab, answer(drop_traffic=answered))
    assert last(lab).paused is paused


def test_a_re_offer_that_changes_nothing_else_ends_it() -> None:
    lab = Lab()
    session = joined(lab, "start")
    assert session.paused
    send(lab, offer(drop_traffic="stop", **AGAIN))
    send(lab, answer())
    assert not session.paused


def test_a_rejected_re_offer_leaves_it_as_it_was() -> None:
    lab = Lab()
    session = joined(lab)
    send(lab, offer(drop_traffic="start", **AGAIN))
    send(lab, rollback())
    send(lab, offer(**AGAIN))
    send(lab, answer())
    assert not session.paused


def test_it_outlives_the_process() -> None:
    lab = Lab()
    send(lab, offer(drop_traffic="start"))
    lab.kill()
    send(lab, answer())
    assert last(lab).paused
    # A command that the dead process has not handed over is given again.
    last(lab).paused = False
    lab.kill()
    assert last(lab).paused


def test_a_session_that_begins_again_is_paused_too() -> None:
    lab = Lab()
    lab.close(joined(lab, "start"), "hangup-a")
    send(lab, offer(**AGAIN))
    send(lab, answer())
    assert len(lab.plane.opened) == 2
    assert last(lab).paused


def test_a_session_that_takes_its_place_is_paused_too() -> None:
    lab = Lab()
    said: dict[str, Any] = {"policy": "sessmatch"}
    send(lab, offer(drop_traffic="start", **said))
    send(lab, answer())
    lab.join(last(lab))
    send(lab, offer(sdp("198.51.100.8", session_id="moved"), **AGAIN, **said))
    send(lab, answer())
    former, successor = lab.plane.opened
    assert (former.paused, successor.paused) == (True, True)

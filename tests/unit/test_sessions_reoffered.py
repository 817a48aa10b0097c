"""Peers that dial before their answers to a re-offer are here are let in from the offer on."""

from __future__ import annotations

from typing import Any

import pytest

from .session_fakes import BOB, FakeSession, Lab, answer, delete, offer, rollback, sdp, send
from .session_replies import refusal

pytestmark = pytest.mark.usefixtures("lives")

MOVED_BOB = sdp("203.0.113.10", 9001, session_id="moved")
# Of alice, who says the same once more.
REFRESH: dict[str, Any] = {"to_tag": "bob"}


def joined(**options: Any) -> tuple[Lab, FakeSession]:
    """A call whose one session is joined."""
    lab = Lab()
    send(lab, offer(**options))
    send(lab, answer())
    session = lab.plane.opened[0]
    assert not session.asked
    lab.join(session)
    return lab, session


def test_the_answerer_of_a_re_offer_is_let_in_before_its_answer() -> None:
    lab, session = joined()
    send(lab, offer(**REFRESH))
    assert session.asked == {"b"}
    send(lab, answer(MOVED_BOB))
    assert not session.asked
    assert len(session.answers) == 2


def test_so_is_the_first_offerer_when_the_other_side_re_offers() -> None:
    lab, session = joined()
    send(lab, offer(BOB, from_tag="bob", to_tag="alice"))
    assert session.asked == {"a"}


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param(answer(), id="answered-without-a-change"),
        pytest.param(rollback(), id="rollback"),
        pytest.param(delete(), id="failure-route-delete"),
        pytest.param(None, id="timeout"),
    ],
)
def test_where_nobody_has_moved_nobody_is_let_in_afterwards(ending: Any) -> None:
    lab, session = joined()
    send(lab, offer(**REFRESH))
    if ending is None:
        lab.clock.pass_time(201.0)
    else:
        send(lab, ending)
    assert not session.asked
    assert len(session.answers) == 1


def test_a_repeated_re_offer_asks_once_and_a_refused_one_not_at_all() -> None:
    lab, session = joined()
    send(lab, offer(**REFRESH))
    send(lab, offer(**REFRESH))
    assert session.asked == {"b"}
    send(lab, rollback())
    assert refusal(lab, offer(to_tag="bob", source="sip"))
    assert not session.asked


def test_bytes_that_pass_untouched_need_new_legs_and_nobody_is_let_in() -> None:
    lab, session = joined(policy="sessmatch")
    send(lab, offer(**REFRESH))
    assert not session.asked

"""Opaque sessions whose peers move: new legs are made before the old ones are broken."""

from __future__ import annotations

from typing import Any

import pytest

from .session_fakes import FakeSession, Lab, answer, delete, listing, offer, rollback, sdp, send
from .session_replies import refusal, section

pytestmark = pytest.mark.usefixtures("lives")

MOVED_ALICE = sdp("198.51.100.8", 7000, session_id="moved")
MOVED_BOB = sdp("203.0.113.10", 9001, session_id="moved")


def joined(policy: str = "sessmatch", **rules: Any) -> tuple[Lab, FakeSession]:
    """A call whose one session is joined."""
    lab = Lab(**rules)
    send(lab, offer(policy=policy))
    send(lab, answer())
    lab.join(lab.plane.opened[0])
    return lab, lab.plane.opened[0]


def ports(session: FakeSession) -> list[int]:
    return [leg.port for leg in session.legs]


def test_a_moved_offerer_finds_new_listeners_on_the_same_ports_at_the_offer() -> None:
    lab, old = joined()
    reply = section(send(lab, offer(MOVED_ALICE, to_tag="bob")))
    _, new = lab.plane.opened
    assert ports(new) == ports(old)
    assert reply.port == old.legs[1].port
    assert new.legs[0].peer_path == [b"msrp://198.51.100.8:7000/moved;tcp"]
    # Nobody knows yet what the answerer will say.
    assert new.legs[1].peer_path == []
    assert (old.closing, new.answers) == (None, [])


def test_the_old_legs_end_when_the_new_ones_have_joined() -> None:
    lab, old = joined()
    send(lab, offer(MOVED_ALICE, to_tag="bob"))
    send(lab, answer())
    _, new = lab.plane.opened
    assert len(new.answers) == 1
    assert len(old.answers) == 1
    assert old.closing is None
    lab.join(new)
    assert old.closing == ("deleted", 5.0)
    assert new.closing is None


def test_a_moved_answerer_gets_new_listeners_at_the_answer() -> None:
    lab, _old = joined()
    send(lab, offer(sdp().replace(b"o=- 1 1", b"o=- 1 2"), to_tag="bob"))
    assert len(lab.plane.opened) == 1
    send(lab, answer(MOVED_BOB))
    assert len(lab.plane.opened[1].answers) == 1


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param(rollback(), id="rollback"),
        pytest.param(delete(), id="failure-route-delete"),
        pytest.param(None, id="timeout"),
    ],
)
def test_without_an_answer_the_new_listeners_close_and_the_old_legs_go_on(ending: Any) -> None:
    lab, old = joined()
    send(lab, offer(MOVED_ALICE, to_tag="bob"))
    if ending is None:
        lab.clock.pass_time(201.0)
    else:
        send(lab, ending)
    _, new = lab.plane.opened
    assert new.closing == ("deleted", 0.0)
    lab.settle()
    assert (old.closing, send(lab, listing())) == (None, {"calls": ["call-1"]})
    assert lab.pool.leased == 2


def test_an_answer_that_moves_nothing_closes_what_was_opened_for_one_that_might() -> None:
    lab, old = joined()
    send(lab, offer(MOVED_ALICE, to_tag="bob"))
    send(lab, offer(to_tag="bob"))
    send(lab, answer())
    assert lab.plane.opened[1].closing == ("deleted", 0.0)
    assert old.closing is None


def test_new_legs_that_do_not_come_leave_the_old_ones_in_force() -> None:
    lab, old = joined()
    send(lab, offer(MOVED_ALICE, to_tag="bob"))
    send(lab, answer())
    lab.close(lab.plane.opened[1], "join-timeout")
    assert "replacement-failed" in [event.event for event in lab.events]
    lab.clock.pass_time(100.0)
    assert (old.closing, send(lab, listing())) == (None, {"calls": ["call-1"]})
    lab.close(old, "hangup")
    lab.clock.pass_time(30.1)
    assert send(lab, listing()) == {"calls": []}
    assert lab.pool.leased == 0


def test_a_refused_answer_opens_nothing() -> None:
    cema = "a=msrp-cema\r\n"
    lab = Lab()
    send(lab, offer(sdp(extra=cema), policy="cema"))
    send(lab, answer(sdp("203.0.113.9", 9000, session_id="bobid", extra=cema)))
    lab.join(lab.plane.opened[0])
    send(lab, offer(sdp(extra=cema).replace(b"o=- 1 1", b"o=- 1 2"), to_tag="bob"))
    assert "offer again with aware" in refusal(lab, answer(MOVED_BOB))
    lab.settle()
    assert len(lab.plane.opened) == 1


def test_the_aware_policy_answers_the_same_session_again() -> None:
    lab, old = joined("aware")
    send(lab, offer(MOVED_ALICE, to_tag="bob"))
    send(lab, answer())
    assert len(lab.plane.opened) == 1
    assert len(old.answers) == 2


def test_a_session_that_is_not_joined_is_answered_again() -> None:
    lab = Lab()
    send(lab, offer(policy="sessmatch"))
    send(lab, answer())
    send(lab, offer(MOVED_ALICE, to_tag="bob"))
    send(lab, answer())
    assert len(lab.plane.opened) == 1
    assert len(lab.plane.opened[0].answers) == 2


def test_a_delete_ends_old_and_new_and_frees_the_ports_when_all_are_closed() -> None:
    lab, old = joined()
    send(lab, offer(MOVED_ALICE, to_tag="bob"))
    send(lab, answer())
    _, new = lab.plane.opened
    send(lab, delete())
    assert (old.closing, new.closing) == (("deleted", 5.0), ("deleted", 5.0))
    lab.close(new, "deleted")
    assert lab.pool.leased == 2
    lab.close(old, "deleted")
    assert lab.pool.leased == 0


def test_bytes_of_replaced_legs_count_in_the_totals() -> None:
    lab, old = joined()
    send(lab, offer(MOVED_ALICE, to_tag="bob"))
    send(lab, answer())
    lab.join(lab.plane.opened[1])
    lab.close(old, "deleted")
    totals: Any = send(lab, delete())["totals"]
    assert totals["RTP"] == {"bytes": 40, "packets": 4, "errors": 0}

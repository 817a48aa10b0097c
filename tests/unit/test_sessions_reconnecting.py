"""A session whose legs were lost waits in the engine: what the control plane makes of it."""

from __future__ import annotations

import pytest

from .session_fakes import FakeSession, Lab, answer, delete, listing, offer, sdp, send

pytestmark = pytest.mark.usefixtures("lives")


def joined() -> tuple[Lab, FakeSession]:
    lab = Lab()
    send(lab, offer())
    send(lab, answer())
    session = lab.plane.opened[0]
    lab.join(session)
    return lab, session


def test_the_call_stays_as_long_as_the_engine_waits_and_no_longer() -> None:
    lab, session = joined()
    lab.wait(session)
    assert lab.sessions.figures()["sessions-joined"] == 0
    lab.clock.pass_time(60.0)
    assert send(lab, listing()) == {"calls": ["call-1"]}
    lab.close(session, "peer-reset")
    lab.clock.pass_time(0.0)
    assert send(lab, listing()) == {"calls": []}
    assert lab.pool.leased == 0


def test_peers_that_came_back_have_the_whole_window_again() -> None:
    lab, session = joined()
    lab.wait(session)
    lab.join(session)
    assert lab.sessions.figures()["sessions-joined"] == 1
    lab.close(session, "idle")
    lab.clock.pass_time(29.0)
    assert send(lab, listing()) == {"calls": ["call-1"]}


def test_a_re_offer_while_it_waits_is_answered_to_the_same_session() -> None:
    for policy in ("aware", "sessmatch"):
        lab = Lab()
        send(lab, offer(policy=policy))
        send(lab, answer())
        session = lab.plane.opened[0]
        lab.join(session)
        lab.wait(session)
        send(lab, offer(sdp(session_id="another"), to_tag="bob"))
        send(lab, answer())
        assert [each.id for each in lab.plane.opened] == [session.id], policy
        assert len(session.answers) == 2, policy


def test_the_next_answer_reaches_the_engine_though_it_changes_nothing() -> None:
    lab, session = joined()
    lab.wait(session)
    send(lab, offer(sdp(extra="a=x-again\r\n"), to_tag="bob"))
    send(lab, answer())
    assert len(session.answers) == 2


def test_a_drain_waits_for_nobody_who_has_gone() -> None:
    lab, session = joined()
    lab.wait(session)
    lab.sessions.run_dry(lambda: None)
    assert session.closing == ("drained", 0.0)
    lab, session = joined()
    lab.sessions.run_dry(lambda: None)
    assert session.closing is None
    lab.wait(session)
    assert session.closing == ("drained", 0.0)


def test_a_delete_ends_the_wait() -> None:
    lab, session = joined()
    lab.wait(session)
    send(lab, delete())
    assert session.closing is not None
    assert send(lab, listing()) == {"calls": []}

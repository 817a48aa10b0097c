"""A session whose legs were lost waits in the engine: what the control plane makes of it."""

from __future__ import annotations

from typing import Any

from msrprelay.commands import Reply
from msrprelay.dataplane import Notice

from .session_fakes import FakeSession, Lab, answer, delete, listing, offer, sdp


def send(lab: Lab, request: Any) -> Reply:
    reply: Reply = getattr(lab.sessions, type(request).__name__.lower())(request)
    return reply


def joined() -> tuple[Lab, FakeSession]:
    lab = Lab()
    send(lab, offer())
    send(lab, answer())
    session = lab.plane.opened[0]
    lab.join(session)
    return lab, session


def wait(lab: Lab, session: FakeSession) -> None:
    lab.sessions.notice(Notice(session.id, "reconnecting", "a", "peer-reset"))


def test_the_call_stays_as_long_as_the_engine_waits_and_no_longer() -> None:
    lab, session = joined()
    wait(lab, session)
    assert lab.sessions.figures()["sessions-joined"] == 0
    lab.clock.pass_time(60.0)
    assert send(lab, listing()) == {"calls": ["call-1"]}
    lab.close(session, "peer-reset")
    lab.clock.pass_time(0.0)
    assert send(lab, listing()) == {"calls": []}
    assert lab.pool.leased == 0


def test_peers_that_came_back_have_the_whole_window_again() -> None:
    lab, session = joined()
    wait(lab, session)
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
        wait(lab, session)
        send(lab, offer(sdp(session_id="another"), to_tag="bob"))
        send(lab, answer())
        assert [each.id for each in lab.plane.opened] == [session.id], policy
        assert len(session.answers) == 2, policy


def test_the_next_answer_reaches_the_engine_though_it_changes_nothing() -> None:
    lab, session = joined()
    wait(lab, session)
    send(lab, offer(sdp(extra="a=x-again\r\n"), to_tag="bob"))
    send(lab, answer())
    assert len(session.answers) == 2


def test_a_drain_waits_for_nobody_who_has_gone() -> None:
    lab, session = joined()
    wait(lab, session)
    lab.sessions.run_dry(lambda: None)
    assert session.closing == ("drained", 0.0)
    lab, session = joined()
    lab.sessions.run_dry(lambda: None)
    assert session.closing is None
    wait(lab, session)
    assert session.closing == ("drained", 0.0)


def test_a_delete_ends_the_wait() -> None:
    lab, session = joined()
    wait(lab, session)
    send(lab, delete())
    assert session.closing is not None
    assert send(lab, listing()) == {"calls": []}

"""What a process finds of the calls of the one before it, killed or gone with the machine."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from msrprelay.commands import Origin
from msrprelay.dataplane import Notice
from msrprelay.rpc.reply_cache import key_of

from .session_fakes import (
    RELAY,
    FakeSession,
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
)
from .session_replies import PASSIVE_BOB, refusal, section

MOVED_ALICE = sdp("198.51.100.8", 7000, session_id="moved")


def ports(session: FakeSession) -> list[int]:
    return [leg.port for leg in session.legs]


def names(lab: Lab) -> list[str]:
    return [event.event for event in lab.events]


# Killed: the engine goes on.


def test_an_answer_after_the_kill_finds_its_offer() -> None:
    lab = Lab()
    offered = send(lab, offer(label="A", metadata="m"))
    lab.kill()
    assert send(lab, offer())["sdp"] == offered["sdp"]
    send(lab, answer())
    (session,) = lab.plane.opened
    assert [leg.role for leg in session.answers[0]] == ["accept", "accept"]
    assert lab.events[-1].label == "A"
    assert lab.events[-1].metadata == "m"


def test_strangers_octets_survive() -> None:
    lab = Lab()
    odd: dict[str, Any] = {"call_id": "c\udcff", "from_tag": "\udcfe", "via_branch": "\udcfd"}
    body = sdp(session_id="x", extra="a=accept-wrapped-types:*\r\n").replace(b"s=-", b"s=\xff")
    reply = send(lab, offer(body, label="\udcfc", metadata="\udcfb", **odd))
    lab.kill()
    assert send(lab, offer(body, **odd)) == reply
    assert send(lab, listing()) == {"calls": ["c\udcff"]}


def test_times_of_a_call_survive() -> None:
    lab = Lab()
    send(lab, offer())
    before = send(lab, query())
    lab.kill()
    after = send(lab, query())
    for key in ("created", "created_us", "last signal", "tags"):
        assert after[key] == before[key]


def test_timers_go_on() -> None:
    lab = Lab()
    send(lab, offer())
    lab.clock.pass_time(150.0)
    lab.kill()
    lab.clock.pass_time(49.9)
    assert send(lab, listing()) == {"calls": ["call-1"]}
    lab.clock.pass_time(0.1)
    assert send(lab, listing()) == {"calls": []}


def test_a_timer_that_was_due_meanwhile_is_due_at_once() -> None:
    lab = Lab()
    send(lab, offer())
    lab.clock.now += 500.0
    lab.kill()
    lab.clock.pass_time(0.0)
    assert send(lab, listing()) == {"calls": []}
    lab.settle()
    assert (lab.pool.leased, lab.pool.resting) == (0, 2)


def test_a_condemned_call_stays_condemned() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer())
    lab.join(lab.plane.opened[0])
    send(lab, offer(MOVED_ALICE, to_tag="bob"))
    send(lab, delete())
    lab.kill()
    assert send(lab, listing()) == {"calls": ["call-1"]}
    lab.lose(lab.plane.opened[0])
    assert send(lab, listing()) == {"calls": []}


def test_a_condemned_call_whose_leg_went_meanwhile_ends() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer())
    lab.join(lab.plane.opened[0])
    send(lab, offer(MOVED_ALICE, to_tag="bob"))
    send(lab, delete())
    lab.plane.opened[0].state = "draining"
    lab.kill()
    assert send(lab, listing()) == {"calls": []}


def test_a_session_that_joined_meanwhile_replaces_the_one_before() -> None:
    lab = Lab()
    send(lab, offer(policy="sessmatch"))
    send(lab, answer())
    lab.join(lab.plane.opened[0])
    send(lab, offer(MOVED_ALICE, to_tag="bob"))
    send(lab, answer())
    old, new = lab.plane.opened
    new.state = "joined"
    lab.kill()
    assert (old.closing, new.closing) == (("deleted", 5.0), None)
    assert lab.sessions.figures()["sessions-joined"] == 2


def test_a_session_that_ended_unseen_ends_for_a_reason_of_its_own() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer())
    lab.plane.opened[0].state = "closed"
    lab.kill()
    assert lab.events[-1].event == "session-closed"
    assert lab.events[-1].reason == "internal"
    reply = section(send(lab, offer(sdp().replace(b"o=- 1", b"o=- 2"), to_tag="bob")))
    assert reply.port == ports(lab.plane.opened[1])[1] == ports(lab.plane.opened[0])[1]
    send(lab, answer())
    lab.close(lab.plane.opened[1], "hangup")
    lab.clock.pass_time(30.0)
    assert send(lab, listing()) == {"calls": []}


def test_a_session_that_ended_unseen_while_it_waited_ends_its_call_at_once() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer())
    lab.join(lab.plane.opened[0])
    lab.wait(lab.plane.opened[0])
    lab.plane.opened[0].state = "closed"
    lab.kill()
    lab.clock.pass_time(0.0)
    assert send(lab, listing()) == {"calls": []}


def test_a_session_that_ended_after_the_adoption_ends_for_what_the_engine_says() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer())
    lab.plane.opened[0].state = "closed"
    lab.plane.untold.append(Notice(1, "closed", None, "peer-reset"))
    lab.kill()
    lab.clock.pass_time(30.0)
    assert lab.events[-1].event == "call-ended"
    assert lab.events[-1].reason == "peer-reset"


def test_the_figures_of_a_session_that_has_ended_survive() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer())
    lab.close(lab.plane.opened[0], "hangup")
    before: Any = send(lab, query())
    lab.kill()
    after: Any = send(lab, query())
    assert after["totals"] == before["totals"]
    (told,) = after["msrp"]["sessions"]
    assert (told["state"], told["reason"]) == ("closed", "hangup")


def test_the_figures_of_what_a_call_no_longer_has_survive() -> None:
    lab = Lab()
    send(lab, offer(sdp(sections=2)))
    send(lab, answer(sdp("203.0.113.9", 9000, session_id="bobid", sections=2)))
    send(lab, offer(to_tag="bob"))
    send(lab, answer())
    lab.settle()
    before: Any = send(lab, query())
    assert len(before["msrp"]["sessions"]) == 2
    lab.kill()
    after: Any = send(lab, query())
    assert after["totals"] == before["totals"]
    assert [each["section"] for each in after["msrp"]["sessions"]] == [0, 1]


def test_the_figures_of_replaced_legs_survive() -> None:
    lab = Lab()
    send(lab, offer(policy="sessmatch"))
    send(lab, answer())
    old = lab.plane.opened[0]
    lab.join(old)
    send(lab, offer(MOVED_ALICE, to_tag="bob"))
    send(lab, answer())
    lab.join(lab.plane.opened[1])
    send(lab, answer())
    lab.kill()
    lab.close(old, "deleted")
    totals: Any = send(lab, delete())["totals"]
    assert totals["RTP"] == {"bytes": 40, "packets": 4, "errors": 0}


def test_ports_of_an_ended_call_stay_leased_until_the_engine_has_closed_them() -> None:
    lab = Lab(ports=2)
    send(lab, offer())
    send(lab, delete())
    lab.kill()
    assert refusal(lab, offer(call_id="call-2")) == "Ran out of ports"
    lab.settle()
    assert (lab.pool.leased, lab.pool.resting) == (0, 2)
    lab.kill()
    lab.clock.pass_time(59.9)
    assert refusal(lab, offer(call_id="call-2")) == "Ran out of ports"
    lab.clock.pass_time(0.1)
    send(lab, offer(call_id="call-2"))


def test_ports_of_an_ended_call_that_the_engine_closed_meanwhile_rest() -> None:
    lab = Lab(ports=2)
    send(lab, offer())
    send(lab, delete())
    lab.plane.opened[0].state = "closed"
    lab.kill()
    assert (lab.pool.leased, lab.pool.resting) == (0, 2)


def test_an_ended_call_is_told_by_its_name_when_its_last_session_closes() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, delete())
    lab.kill()
    lab.settle()
    assert (lab.events[-1].event, lab.events[-1].call_id) == ("session-closed", "call-1")


def test_the_offer_whose_reply_never_left_is_undone_and_can_come_again() -> None:
    lab = Lab(ports=4)
    lab.sessions.offer(offer())
    lab.kill()
    (orphan,) = lab.plane.opened
    assert orphan.closing == ("deleted", 0.0)
    assert (lab.pool.leased, send(lab, listing())) == (2, {"calls": []})
    reply = section(send(lab, offer()))
    assert reply.port not in ports(orphan)
    lab.settle()
    assert (lab.pool.leased, lab.pool.resting) == (2, 2)


def test_the_answer_whose_reply_never_left_can_come_again() -> None:
    lab = Lab()
    send(lab, offer())
    lab.sessions.answer(answer())
    lab.kill()
    send(lab, answer())
    (session,) = lab.plane.opened
    assert session.answers[0] == session.answers[-1]
    assert session.closing is None


def test_the_delete_whose_reply_never_left_can_come_again() -> None:
    lab = Lab()
    send(lab, offer())
    lab.sessions.delete(delete())
    lab.kill()
    assert send(lab, listing()) == {"calls": ["call-1"]}
    send(lab, delete())
    lab.settle()
    assert (send(lab, listing()), lab.pool.leased) == ({"calls": []}, 0)


def test_a_re_offer_whose_reply_never_left_does_not_take_the_ports_with_it() -> None:
    lab = Lab()
    send(lab, offer(policy="sessmatch"))
    send(lab, answer())
    lab.join(lab.plane.opened[0])
    lab.sessions.offer(offer(MOVED_ALICE, to_tag="bob"))
    lab.kill()
    old, orphan = lab.plane.opened
    assert (old.closing, orphan.closing) == (None, ("deleted", 0.0))
    lab.settle()
    assert (lab.pool.leased, lab.pool.resting) == (2, 0)


def test_an_answer_that_was_written_down_and_not_told_is_told() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer(PASSIVE_BOB))
    (session,) = lab.plane.opened
    (told,) = session.answers
    session.answers.clear()
    session.state = "offered"
    lab.kill()
    assert session.answers == [told]


async def test_a_name_that_was_being_resolved_is_resolved_again() -> None:
    lab = Lab()
    lab.addresses = [ip_address("203.0.113.5")]
    send(lab, offer())
    send(lab, answer(sdp("bob.example", 9000, setup="passive")))
    lab.kill()
    (work,) = lab.clock.spawned
    await work
    assert lab.plane.opened[0].dialled == [("b", [("203.0.113.5", 9000)])]


async def test_a_name_whose_peer_has_its_connection_is_not() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer(sdp("bob.example", 9000, setup="passive")))
    lab.join(lab.plane.opened[0])
    lab.kill()
    assert lab.clock.spawned == []


def test_new_calls_are_refused_after_the_kill_if_they_were_before() -> None:
    lab = Lab()
    send(lab, drain())
    lab.kill()
    assert refusal(lab, offer()) == "Parallel session limit reached"
    send(lab, drain(off=True))
    lab.kill()
    send(lab, offer())


def test_a_reply_survives_as_long_as_it_would_have_lived() -> None:
    lab = Lab()
    key = key_of(Origin("udp", "127.0.0.1", 5000), b"cookie", b"body")
    lab.cache.store(key, b"reply", lab.clock.now)
    lab.done()
    lab.clock.now += 50.0
    lab.kill()
    assert lab.cache.find(key, lab.clock.now) == b"reply"
    assert lab.cache.find(key, lab.clock.now + 10.0) is None


def test_a_record_that_cannot_be_read_costs_its_call_alone() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, offer(call_id="call-2"))
    assert lab.state.journal is not None
    lab.state.journal.put(b"ccall-1", b"\x93\x01\x02\x03")
    lab.done()
    lab.kill()
    assert send(lab, listing()) == {"calls": ["call-2"]}
    assert [session.closing is None for session in lab.plane.opened] == [False, True]


# Gone: only the journal is left.


def test_after_power_loss_the_same_ports_and_uris_are_listened_on() -> None:
    lab = Lab()
    offered, answered = send(lab, offer()), send(lab, answer())
    old = lab.plane.opened[0]
    lab.join(old)
    lab.reboot(20.0)
    (new,) = lab.plane.opened
    assert [(leg.port, leg.own_uri) for leg in new.legs] == [
        (leg.port, leg.own_uri) for leg in old.legs
    ]
    assert new.answers == old.answers
    assert send(lab, offer())["sdp"] == offered["sdp"]
    assert send(lab, answer())["sdp"] == answered["sdp"]


def test_after_power_loss_an_answer_finds_its_offer() -> None:
    lab = Lab()
    send(lab, offer())
    lab.reboot(20.0)
    send(lab, answer())
    assert len(lab.plane.opened[0].answers) == 1


def test_a_re_invite_after_power_loss_makes_new_legs_of_the_same_session() -> None:
    lab = Lab()
    send(lab, offer(policy="sessmatch"))
    send(lab, answer())
    lab.join(lab.plane.opened[0])
    port = ports(lab.plane.opened[0])[1]
    lab.reboot(20.0)
    assert section(send(lab, offer(MOVED_ALICE, to_tag="bob"))).port == port
    send(lab, answer())
    (session,) = lab.plane.opened
    assert session.answers[-1][0].peer_path == [b"msrp://198.51.100.8:7000/moved;tcp"]


@pytest.mark.parametrize(
    ("waited", "away", "left"),
    [
        pytest.param(150.0, 20.0, 30.0, id="a-part-was-over"),
        pytest.param(0.0, 0.0, 200.0, id="nothing-was-over"),
    ],
)
def test_timers_go_on_over_a_reboot(waited: float, away: float, left: float) -> None:
    lab = Lab()
    send(lab, offer())
    lab.clock.pass_time(waited)
    lab.reboot(away)
    lab.clock.pass_time(left - 0.01)
    assert send(lab, listing()) == {"calls": ["call-1"]}
    lab.clock.pass_time(0.02)
    assert send(lab, listing()) == {"calls": []}


def test_an_offer_that_expired_meanwhile_opens_nothing() -> None:
    lab = Lab()
    send(lab, offer())
    lab.reboot(300.0)
    assert (lab.plane.opened, send(lab, listing())) == ([], {"calls": []})
    assert (lab.pool.leased, lab.pool.resting) == (0, 2)


def test_a_pending_re_offer_that_expired_meanwhile_leaves_what_was_committed() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer())
    send(lab, offer(MOVED_ALICE, to_tag="bob"))
    lab.reboot(300.0)
    assert len(lab.plane.opened) == 1
    assert "rolled-back" in names(lab)
    assert send(lab, rollback()) == {"warning": "Call-ID not found or tags didn't match"}


def test_a_port_that_another_has_taken_ends_its_section() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer())
    send(lab, offer(call_id="call-2"))
    lab.reboot(20.0, taken=set(ports(lab.plane.opened[0])))
    assert len(lab.plane.opened) == 1
    lab.clock.pass_time(30.0)
    assert send(lab, listing()) == {"calls": ["call-2"]}
    assert lab.events[-1].reason == "internal"


def test_ports_in_quarantine_rest_on_and_those_of_ended_calls_rest() -> None:
    lab = Lab(ports=4)
    send(lab, offer())
    send(lab, delete())
    lab.settle()
    lab.clock.pass_time(30.0)
    send(lab, offer(call_id="call-2"))
    send(lab, delete(call_id="call-2"))
    lab.reboot(20.0)
    assert (lab.pool.leased, lab.pool.resting) == (0, 4)
    lab.clock.pass_time(10.0)
    send(lab, offer(call_id="call-3"))
    assert refusal(lab, offer(call_id="call-4")) == "Ran out of ports"
    lab.reboot(60.0)
    send(lab, offer(call_id="call-4"))


def test_a_reply_survives_power_loss() -> None:
    lab = Lab()
    key = key_of(Origin("udp", "127.0.0.1", 5000), b"cookie", b"body")
    lab.cache.store(key, b"reply", lab.clock.now)
    lab.done()
    lab.reboot(50.0)
    assert lab.cache.find(key, lab.clock.now + 9.9) == b"reply"
    lab.reboot(0.0)
    assert lab.cache.find(key, lab.clock.now + 10.1) is None


def test_what_was_restored_can_be_restored_again() -> None:
    lab = Lab()
    offered = send(lab, offer())
    for _ in range(3):
        lab.reboot(10.0)
        lab.kill()
    assert send(lab, offer())["sdp"] == offered["sdp"]
    lab.clock.pass_time(170.0 - 0.1)
    assert send(lab, listing()) == {"calls": ["call-1"]}
    lab.clock.pass_time(0.2)
    assert send(lab, listing()) == {"calls": []}


def test_an_interface_that_is_gone_costs_its_calls_their_sessions_and_no_port() -> None:
    lab = Lab()
    send(lab, offer())
    lab.interfaces = (RELAY,)
    send(lab, offer(sdp("2001:db8::7"), call_id="call-2"))
    lab.kill()
    send(lab, delete(call_id="call-2"))
    lab.settle()
    send(lab, delete())
    lab.settle()
    assert (lab.pool.leased, lab.pool.resting) == (0, 2)

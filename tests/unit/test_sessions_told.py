"""What replies and events tell of calls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from .session_fakes import (
    Lab,
    answer,
    delete,
    offer,
    query,
    rollback,
    sdp,
    send,
)
from .session_replies import CEMA, refusal

pytestmark = pytest.mark.usefixtures("lives")


def test_a_call_tells_its_life() -> None:
    lab = Lab()
    send(lab, offer(label="caller", metadata="campaign 7"))
    send(lab, offer())
    send(lab, answer())
    lab.join(lab.plane.opened[0])
    send(lab, offer(sdp(session_id="another"), to_tag="bob"))
    send(lab, rollback())
    lab.lose(lab.plane.opened[0])
    lab.close(lab.plane.opened[0], "hangup")
    lab.clock.pass_time(30.1)
    names = "offered answered joined re-offered rolled-back leg-lost session-closed call-ended"
    assert [event.event for event in lab.events] == names.split()
    end = lab.events[-1]
    assert (end.call_id, end.reason, end.from_tag, end.to_tag) == (
        *("call-1", "hangup", "alice", "bob"),
    )
    assert (end.label, end.metadata) == ("caller", "campaign 7")


def test_an_answer_that_cannot_follow_cema_is_told() -> None:
    lab = Lab()
    send(lab, offer(sdp(extra=CEMA), policy="cema"))
    assert "aware" in refusal(lab, answer())
    assert lab.events[-1].event == "needs-aware-reoffer"


def test_an_address_that_may_not_be_dialled_is_told() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer(sdp("127.0.0.1", 9000, setup="passive")))
    assert [event.event for event in lab.events] == ["offered", "dial-denied", "answered"]


async def test_a_name_that_may_not_be_dialled_is_told() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer(sdp("bob.example", 9000, setup="passive")))
    await lab.clock.spawned[0]
    assert (lab.events[-1].event, lab.events[-1].side) == ("dial-denied", "b")


def test_query_of_a_tag_shows_the_branches_that_know_it() -> None:
    lab = Lab()
    for branch, tag in (("z1", "bob"), ("z2", "carol")):
        send(lab, offer(via_branch=branch))
        send(lab, answer(via_branch=branch, to_tag=tag))

    def tags(**asked: Any) -> set[str]:
        reply: Any = send(lab, replace(query(), **asked))
        return set(reply["tags"])

    assert tags(to_tag="carol") == {"alice", "carol"}
    assert tags(from_tag="alice") == {"alice", "bob", "carol"}
    assert tags(from_tag="nobody") == set()


def test_forks_share_the_caller_with_all_that_it_has() -> None:
    lab = Lab()
    send(lab, offer(via_branch="z1"))
    send(lab, offer(via_branch="z2"))
    send(lab, answer(via_branch="z1"))
    tags: Any = send(lab, query())["tags"]
    ports = [session.legs[0].port for session in lab.plane.opened]
    alice = tags["alice"]
    assert alice["in dialogue with"] == "bob"
    assert [media["streams"][0]["local port"] for media in alice["medias"]] == ports
    assert len(tags["bob"]["medias"]) == 1


def test_a_label_is_its_senders() -> None:
    lab = Lab()
    send(lab, offer(label="caller"))
    send(lab, answer(label="callee"))
    tags: Any = send(lab, query())["tags"]
    assert (tags["alice"]["label"], tags["bob"]["label"]) == ("caller", "callee")


def test_query_tells_a_call_in_rtpengines_layout_and_in_ours() -> None:
    lab = Lab()
    send(lab, offer(label="caller"))
    send(lab, answer())
    reply: Any = send(lab, query())
    assert set(reply["tags"]) == {"alice", "bob"}
    assert reply["tags"]["alice"]["in dialogue with"] == "bob"
    assert reply["tags"]["alice"]["label"] == "caller"
    stream = reply["tags"]["alice"]["medias"][0]["streams"][0]
    assert stream["local port"] == lab.plane.opened[0].legs[0].port
    (detail,) = reply["msrp"]["sessions"]
    assert (detail["section"], detail["branch"], detail["policy"]) == (0, "", "aware")
    accepted, refused = detail["events"]
    assert accepted == {"at": 5, "side": "a", "what": "accepted", "n": 1}
    why = {"address": "192.0.2.7", "reason": "source"}
    assert refused == {"at": 6, "side": "a", "what": "refused", "n": 1, **why}


@pytest.mark.one_life
def test_query_of_an_unknown_call_is_refused() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, delete())
    assert refusal(lab, query()) == "Unknown call-id"
    lab.settle()
    reply: Any = send(lab, query(ended=True))
    assert reply["ended"] == "deleted"
    assert [each["policy"] for each in reply["msrp"]["sessions"]] == ["aware"]


@pytest.mark.one_life
def test_ended_calls_are_forgotten_in_the_end() -> None:
    lab = Lab()
    for number in range(300):
        send(lab, offer(call_id=f"call-{number}"))
        send(lab, delete(call_id=f"call-{number}", delay=0))
        lab.settle()
        lab.clock.pass_time(61.0)
    assert send(lab, query("call-299", ended=True))["ended"] == "deleted"
    assert refusal(lab, query("call-0", ended=True)) == "Unknown call-id"

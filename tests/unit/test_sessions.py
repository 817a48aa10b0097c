"""What offers, answers and deletes do to calls, ports and the engine's sessions."""

from __future__ import annotations

import errno
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from msrprelay.commands import Reply
from msrprelay.errors import CommandError
from msrprelay.offer_answer.negotiation import UNMATCHED
from msrprelay.sdp import Connection, MsrpSection, parse

from .session_fakes import (
    BOB,
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

pytestmark = pytest.mark.usefixtures("lives")

AUDIO = b"v=0\r\no=- 1 1 IN IP4 1.1.1.1\r\ns=-\r\nt=0 0\r\nm=audio 4 RTP/AVP 0\r\n"
CEMA = "a=msrp-cema\r\n"
PASSIVE_BOB = sdp("203.0.113.9", 9000, session_id="bobid", setup="passive")


def section(reply: Reply, index: int = 0) -> MsrpSection:
    body = reply["sdp"]
    assert isinstance(body, bytes)
    return parse(body).sections[index]


def refusal(lab: Lab, *requests: Any) -> str:
    """The reason with which the last of these requests is refused."""
    for request in requests[:-1]:
        send(lab, request)
    with pytest.raises(CommandError) as refused:
        send(lab, requests[-1])
    return refused.value.reason


# The basic call.


def test_both_active_peers_are_told_to_dial_the_relay() -> None:
    lab = Lab()
    offered = section(send(lab, offer()))
    answered = section(send(lab, answer()))
    a, b = lab.plane.opened[0].legs
    assert (offered.port, offered.setup, offered.connection) == (
        b.port,
        "actpass",
        Connection("IP4", "192.0.2.10"),
    )
    assert offered.path == (b.own_uri.decode(),)
    assert (answered.port, answered.setup) == (a.port, "passive")
    assert answered.path == (a.own_uri.decode(),)
    ((leg_a, leg_b),) = lab.plane.opened[0].answers
    assert (leg_a.role, leg_b.role) == ("accept", "accept")
    assert leg_a.peer_path == [b"msrp://198.51.100.7:7654/aliceid;tcp"]
    assert leg_b.peer_path == [b"msrp://203.0.113.9:9000/bobid;tcp"]


@pytest.mark.parametrize(
    ("offered", "answered", "roles", "told"),
    [
        pytest.param("active", "active", ("accept", "accept"), "passive", id="active-active"),
        pytest.param("active", "passive", ("accept", "dial"), "passive", id="active-passive"),
        pytest.param("passive", "active", ("dial", "accept"), "active", id="passive-active"),
        pytest.param("actpass", "active", ("accept", "accept"), "passive", id="actpass-active"),
        pytest.param("passive", "passive", ("dial", "dial"), "active", id="passive-passive"),
        pytest.param(None, None, ("accept", "dial"), "passive", id="none-none"),
        pytest.param("holdconn", "holdconn", ("accept", "dial"), "passive", id="holdconn"),
    ],
)
def test_roles_follow_both_sdps(
    offered: str | None, answered: str | None, roles: tuple[str, str], told: str
) -> None:
    lab = Lab()
    send(lab, offer(sdp(setup=offered)))
    reply = send(lab, answer(sdp("203.0.113.9", 9000, session_id="bobid", setup=answered)))
    ((a, b),) = lab.plane.opened[0].answers
    assert (a.role, b.role) == roles
    assert section(reply).setup == told


def test_a_passive_peer_is_dialled_at_its_path() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer(PASSIVE_BOB))
    ((_, b),) = lab.plane.opened[0].answers
    assert b.target == [("203.0.113.9", 9000)]


def test_a_target_that_must_not_be_dialled_is_a_warning_not_an_error() -> None:
    lab = Lab()
    send(lab, offer())
    reply = send(lab, answer(sdp("127.0.0.1", 9000, setup="passive")))
    ((_, b),) = lab.plane.opened[0].answers
    assert b.target == "denied"
    assert "dial-denied" in str(reply["warning"])


@pytest.mark.parametrize(
    ("addresses", "dialled"),
    [
        pytest.param(["203.0.113.5", "127.0.0.1"], [("203.0.113.5", 9000)], id="only-allowed"),
        pytest.param(["127.0.0.1"], None, id="all-denied"),
        pytest.param([], None, id="no-such-name"),
    ],
)
async def test_a_name_is_resolved_after_the_reply(
    addresses: list[str], dialled: list[tuple[str, int]] | None
) -> None:
    lab = Lab()
    lab.addresses = [ip_address(each) for each in addresses]
    send(lab, offer())
    send(lab, answer(sdp("bob.example", 9000, setup="passive")))
    session = lab.plane.opened[0]
    assert (session.answers[0][1].target, session.dialled) == ("pending", [])
    (work,) = lab.clock.spawned
    await work
    assert session.dialled == [("b", dialled)]


def test_the_leg_speaks_its_peers_address_family() -> None:
    lab = Lab()
    reply = send(lab, offer(sdp("2001:db8::7")))
    assert section(reply).connection == Connection("IP6", "2001:db8::10")


def test_the_address_family_of_the_recipient_can_be_asked_for() -> None:
    lab = Lab()
    assert section(send(lab, offer(address_family="IP6"))).connection == Connection(
        "IP6", "2001:db8::10"
    )
    a, b = lab.plane.opened[0].legs
    assert (a.address, b.address) == ("192.0.2.10", "2001:db8::10")


def test_a_media_address_is_told_to_the_recipient() -> None:
    reply = send(Lab(), offer(media_address="203.0.113.77"))
    assert section(reply).connection == Connection("IP4", "203.0.113.77")
    assert section(reply).path[0].startswith("msrp://203.0.113.77:")


def test_an_answers_media_address_is_told_to_the_offerer_and_to_the_engine() -> None:
    lab = Lab()
    send(lab, offer())
    told = section(send(lab, answer(media_address="203.0.113.77")))
    assert told.connection == Connection("IP4", "203.0.113.77")
    (session,) = lab.plane.opened
    a, b = session.answers[0]
    assert (a.own_uri, b.own_uri) == (told.path[0].encode(), None)
    assert told.path[0].encode() != session.legs[0].own_uri
    # A later offer of the other side finds the same address.
    again = section(send(lab, offer(sdp(session_id="moved"), from_tag="bob", to_tag="alice")))
    assert again.path == told.path


def test_an_address_with_a_zone_is_none_to_the_engine() -> None:
    """It means something to its writer alone, and the engine reads none."""
    lab = Lab()
    zoned = sdp("2001:db8::7").replace(b"c=IN IP6 2001:db8::7", b"c=IN IP6 2001:db8::7%1")
    send(lab, offer(zoned, source="sdp"))
    assert lab.plane.opened[0].legs[0].sources == ["2001:db8::7"]


def test_an_answer_that_is_refused_changes_no_address() -> None:
    lab = Lab()
    send(lab, offer(sdp(setup="passive"), policy="sessmatch"))
    passive = sdp("203.0.113.9", 7656, setup="passive")
    assert "both ends" in refusal(lab, answer(passive, media_address="203.0.113.77"))
    assert section(send(lab, answer())).connection == Connection("IP4", "192.0.2.10")


# Nothing to do.


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            b"v=0\r\no=- 1 1 IN IP4 1.1.1.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n",
            id="audio-only",
        ),
        pytest.param(sdp(port=0), id="port-0"),
        pytest.param(sdp(proto="TCP/TLS/MSRP"), id="tls"),
    ],
)
def test_a_call_without_a_live_section_passes_and_leaves_no_state(body: bytes) -> None:
    lab = Lab()
    assert send(lab, offer(body))["sdp"] == body
    assert send(lab, answer(body))["sdp"] == body
    assert send(lab, listing()) == {"calls": []}


def test_a_tls_section_says_that_it_is_not_relayed() -> None:
    assert "TCP/TLS/MSRP" in str(send(Lab(), offer(sdp(proto="TCP/TLS/MSRP")))["warning"])


@pytest.mark.one_life
def test_figures_tell_the_calls_of_now_from_those_since_the_start() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, delete())
    figures = lab.sessions.figures()
    assert (figures["calls"], figures["calls-begun"]) == (0, 1)


def test_msrp_pass_leaves_the_message_alone() -> None:
    lab = Lab()
    assert send(lab, offer(relay=False))["sdp"] == sdp()
    assert lab.plane.opened == []


# Refusals.


def test_an_answer_of_an_unknown_call_is_refused() -> None:
    assert refusal(Lab(), answer()) == "Unknown call-id"


def test_what_is_no_sdp_is_refused_in_rtpengines_words() -> None:
    assert refusal(Lab(), offer(b"hello")) == "Failed to parse SDP"


def test_an_empty_pool_says_so_and_leaves_nothing_leased() -> None:
    lab = Lab(ports=3)
    assert refusal(lab, offer(), offer(call_id="call-2")) == "Ran out of ports"
    assert (lab.pool.leased, send(lab, listing())) == (2, {"calls": ["call-1"]})


def test_a_port_that_cannot_be_bound_is_replaced() -> None:
    lab = Lab(ports=4)
    lab.plane.taken = {20000, 20003}
    send(lab, offer())
    assert {leg.port for leg in lab.plane.opened[0].legs} == {20001, 20002}
    assert lab.pool.leased == 2


def test_want_of_descriptors_is_a_load_limit() -> None:
    lab = Lab()
    lab.plane.taken = set(range(20000, 20008))
    lab.plane.errno = errno.EMFILE
    assert refusal(lab, offer()) == "Parallel session limit reached"
    assert lab.pool.leased == 0


def test_the_number_of_sessions_is_bounded_but_not_for_re_offers() -> None:
    lab = Lab(max_sessions=1)
    send(lab, offer())
    send(lab, answer())
    assert refusal(lab, offer(call_id="call-2")) == "Parallel session limit reached"
    send(lab, offer(to_tag="bob"))


def test_the_sections_of_a_call_are_bounded() -> None:
    lab = Lab()
    assert "2 MSRP sections" in refusal(lab, offer(sdp(sections=3)))
    lab.settle()
    assert lab.pool.leased == 0


def test_an_unknown_interface_is_refused() -> None:
    reason = refusal(Lab(), offer(to_interface="nope"))
    assert reason.startswith("Unknown interface: ")
    assert "'nope'" in reason


@pytest.mark.parametrize("policy", ["cema", "sessmatch"])
def test_two_passive_ends_need_the_aware_policy(policy: str) -> None:
    lab = Lab()
    offered = offer(sdp(setup="passive", extra=CEMA), policy=policy)
    assert "both ends are passive" in refusal(lab, offered, answer(PASSIVE_BOB))


# Policies.


def test_cema_needs_an_offer_that_carries_it() -> None:
    lab = Lab()
    send(lab, offer(policy="cema"))
    assert lab.plane.opened[0].policy == "aware"


def test_a_second_offer_without_cema_falls_back_to_aware() -> None:
    """RFC 6714 section 4.2: the answer was refused, the offerer tries again without it."""
    lab = Lab()
    cema = offer(sdp(extra=CEMA), policy="cema")
    assert "aware" in refusal(lab, cema, answer(BOB))
    send(lab, offer(sdp(session_id="again"), policy="cema"))
    assert [each.policy for each in lab.plane.opened] == ["cema", "aware"]
    send(lab, answer(BOB))
    assert [each.closing for each in lab.plane.opened] == [("deleted", 0.0), None]


def test_cema_leaves_the_path_and_moves_c_and_m() -> None:
    lab = Lab()
    body = sdp(extra=CEMA)
    reply = section(send(lab, offer(body, policy="cema")))
    assert reply.path == parse(body).sections[0].path
    assert (reply.port, reply.cema) == (lab.plane.opened[0].legs[1].port, True)


def test_a_cema_offer_without_a_setup_is_relayed_aware() -> None:
    lab = Lab()
    reply = section(send(lab, offer(sdp(setup=None, extra=CEMA), policy="cema")))
    assert lab.plane.opened[0].policy == "aware"
    assert not reply.cema
    send(lab, answer())


def test_a_cema_answer_without_a_setup_is_refused_and_told() -> None:
    lab = Lab()
    send(lab, offer(sdp(extra=CEMA), policy="cema"))
    body = sdp("203.0.113.9", 9000, setup=None, extra=CEMA)
    assert "a=setup: missing" in refusal(lab, answer(body))
    assert lab.events[-1].event == "needs-aware-reoffer"


@pytest.mark.parametrize(
    ("setup", "works"),
    [pytest.param("passive", True, id="it-waits"), pytest.param("active", False, id="it-dials")],
)
def test_an_answer_without_cema_works_only_where_it_waits(setup: str, works: bool) -> None:
    lab = Lab()
    send(lab, offer(sdp(extra=CEMA), policy="cema"))
    request = answer(sdp("203.0.113.9", 9000, session_id="bobid", setup=setup))
    if works:
        send(lab, request)
    else:
        assert "offer again with aware" in refusal(lab, request)


def test_the_default_policy_is_the_interfaces() -> None:
    lab = Lab(policies={"pub": "sessmatch"})
    send(lab, offer())
    assert lab.plane.opened[0].policy == "sessmatch"


# Repeats, re-offers, forks.


def test_a_repeated_offer_and_answer_give_the_same_bodies() -> None:
    lab = Lab()
    assert send(lab, offer()) == send(lab, offer())
    assert send(lab, answer()) == send(lab, answer())
    assert len(lab.plane.opened) == 1
    assert len(lab.plane.opened[0].answers) == 1


def test_ports_stay_for_the_whole_call() -> None:
    lab = Lab()
    first = section(send(lab, offer()))
    send(lab, answer())
    again = send(lab, offer(sdp(session_id="another"), to_tag="bob"))
    assert section(again).port == first.port
    assert section(again).path == first.path


def test_a_re_offer_does_not_touch_the_session_before_its_answer() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer())
    send(lab, offer(sdp(session_id="another"), to_tag="bob"))
    assert len(lab.plane.opened[0].answers) == 1
    send(lab, answer())
    assert len(lab.plane.opened[0].answers) == 2


def test_a_refresh_without_a_change_never_reaches_the_engine() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer())
    refresh = sdp(setup="actpass").replace(b"o=- 1 1", b"o=- 1 2")
    send(lab, offer(refresh, to_tag="bob"))
    send(lab, answer())
    assert len(lab.plane.opened[0].answers) == 1


def test_a_re_offer_of_the_other_side_keeps_the_sides() -> None:
    lab = Lab()
    send(lab, offer())
    send(lab, answer())
    reply = send(lab, offer(BOB, from_tag="bob", to_tag="alice"))
    assert section(reply).port == lab.plane.opened[0].legs[0].port


def test_branches_with_a_via_branch_have_ports_of_their_own() -> None:
    lab = Lab()
    one = section(send(lab, offer(via_branch="z1")))
    two = section(send(lab, offer(via_branch="z2")))
    assert one.port != two.port
    send(lab, answer(via_branch="z2"))
    assert [len(session.answers) for session in lab.plane.opened] == [0, 1]


def test_the_tags_of_a_dialog_come_before_the_via_branch_of_its_re_invite() -> None:
    """A re-INVITE starts to count branches anew: its branch may have been a fork's."""
    lab = Lab()
    send(lab, offer(via_branch="z1"))
    send(lab, offer(via_branch="z2"))
    send(lab, answer(via_branch="z2"))
    moved = sdp("203.0.113.9", 9002, session_id="bobmoved")
    send(lab, offer(moved, from_tag="bob", to_tag="alice", via_branch="z1"))
    send(lab, answer(sdp(), from_tag="bob", to_tag="alice", via_branch="z1"))
    assert [len(session.answers) for session in lab.plane.opened] == [0, 2]


def test_forks_without_a_via_branch_share_their_ports() -> None:
    lab = Lab()
    assert send(lab, offer()) == send(lab, offer())
    send(lab, answer(to_tag="bob"))
    send(lab, answer(sdp("203.0.113.10", 9001, session_id="carolid"), to_tag="carol"))
    assert len(lab.plane.opened) == 1
    assert [b.peer_path for _, b in lab.plane.opened[0].answers] == [
        [b"msrp://203.0.113.9:9000/bobid;tcp"],
        [b"msrp://203.0.113.10:9001/carolid;tcp"],
    ]


def test_an_answer_with_port_0_closes_the_section_and_keeps_its_ports_for_forks() -> None:
    lab = Lab()
    send(lab, offer())
    rejected = sdp("203.0.113.9", 0, session_id="bobid")
    assert send(lab, answer(rejected))["sdp"] == rejected
    assert lab.plane.opened[0].closing is not None
    lab.settle()
    lab.clock.pass_time(199.0)
    assert lab.pool.leased == 2
    lab.clock.pass_time(1.0)
    assert lab.pool.leased == 0


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


# The session level.


def head(reply: Reply) -> list[bytes]:
    body = reply["sdp"]
    assert isinstance(body, bytes)
    return [line for line in body.split(b"m=")[0].splitlines() if line[:1] in b"oc"]


@pytest.mark.parametrize(
    ("replace", "expected"),
    [
        pytest.param((), [b"o=- 1 1 IN IP4 198.51.100.7", b"c=IN IP4 198.51.100.7"], id="nothing"),
        pytest.param(
            ("origin",), [b"o=- 1 1 IN IP4 192.0.2.10", b"c=IN IP4 198.51.100.7"], id="origin"
        ),
        pytest.param(
            ("session-connection",),
            [b"o=- 1 1 IN IP4 198.51.100.7", b"c=IN IP4 192.0.2.10"],
            id="session-connection",
        ),
        pytest.param(
            ("force-increment-sdp-ver",),
            [b"o=- 1 2 IN IP4 198.51.100.7", b"c=IN IP4 198.51.100.7"],
            id="version",
        ),
        pytest.param(
            ("username", "zero-address"),
            [b"o=- 1 1 IN IP4 198.51.100.7", b"c=IN IP4 198.51.100.7"],
            id="for-audio",
        ),
    ],
)
def test_replace_rewrites_the_session_level(
    replace: tuple[str, ...], expected: list[bytes]
) -> None:
    assert head(send(Lab(), offer(replace=frozenset(replace)))) == expected


def test_versions_grow_with_every_change_that_the_recipient_sees() -> None:
    lab = Lab()
    said = frozenset({"sdp-version"})

    def version(body: bytes) -> int:
        reply = send(lab, offer(body, to_tag="bob", replace=said))
        send(lab, answer())
        return int(head(reply)[0].split()[2])

    send(lab, offer(replace=said))
    send(lab, answer())
    changed = sdp(session_id="another")
    assert version(sdp(setup="actpass")) == 1
    assert version(sdp(extra="a=max-size:5\r\n")) == 2
    assert version(changed.replace(b"o=- 1 1", b"o=- 1 9")) == 9


def test_the_origin_stays_ours_and_grows_where_no_section_is_left() -> None:
    lab = Lab()
    said = frozenset({"origin", "force-increment-sdp-ver"})
    send(lab, offer(replace=said))
    send(lab, answer(replace=said))
    refused = sdp().replace(b"m=message 7654", b"m=message 0")
    reply: Any = send(lab, offer(refused, to_tag="bob", replace=said))
    assert b"m=message 0 " in reply["sdp"]
    assert head(reply) == [b"o=- 1 3 IN IP4 192.0.2.10", b"c=IN IP4 198.51.100.7"]


def test_an_answer_that_refuses_every_section_hides_the_answerer_too() -> None:
    lab = Lab()
    said = frozenset({"origin"})
    send(lab, offer(replace=said))
    reply = send(lab, answer(sdp("203.0.113.9", 0), replace=said))
    # The section that is not relayed keeps its own c=.
    assert head(reply) == [b"o=- 1 1 IN IP4 192.0.2.10", b"c=IN IP4 203.0.113.9"]


def test_a_message_that_this_relay_has_rewritten_passes_untouched() -> None:
    lab = Lab()
    flags = frozenset({"loop-protect"})
    marked = send(lab, offer(flags=flags))["sdp"]
    assert isinstance(marked, bytes)
    assert b"a=msrprelay:relay-1\r\n" in marked
    for again in (offer(marked, call_id="call-2", flags=flags), answer(marked, flags=flags)):
        reply = send(lab, again)
        assert (reply["sdp"], "loop" in str(reply["warning"])) == (marked, True)
    assert lab.plane.opened[0].answers == []
    elsewhere = marked.replace(b"relay-1", b"relay-2")
    assert b"relay-2\r\n" in bytes(send(lab, offer(elsewhere, call_id="c3", flags=flags))["sdp"])  # type: ignore[call-overload]
    assert send(lab, listing()) == {"calls": ["call-1", "c3"]}


def test_what_is_not_served_is_said() -> None:
    refused = send(Lab(), offer(transport_protocol="TCP/TLS/MSRP"))
    assert "transport-protocol" in str(refused["warning"])


def test_a_media_address_that_comes_too_late_is_said() -> None:
    lab = Lab()
    reply: Any = send(lab, offer(media_address="203.0.113.77"))
    assert "warning" not in reply
    assert b"c=IN IP4 203.0.113.77\r\n" in reply["sdp"]
    assert "warning" not in send(lab, answer(media_address="203.0.113.78"))
    told = "media-address: 203.0.113.78 since it was told first"
    again = send(lab, answer(to_tag="fork", media_address="203.0.113.79"))
    assert again["warning"] == told
    assert section(again).connection == Connection("IP4", "203.0.113.78")
    told = "media-address: 203.0.113.77 since it was told first"
    moved = sdp(session_id="moved")
    assert send(lab, offer(moved, media_address="203.0.113.80"))["warning"] == told


# Where connections may come from.


@pytest.mark.parametrize(
    ("said", "a", "b"),
    [
        pytest.param({}, "any", "any", id="any"),
        pytest.param({"source": "sip"}, ["192.0.2.77"], ["192.0.2.88"], id="sip"),
        pytest.param({"source": "sdp"}, ["198.51.100.7"], ["203.0.113.9"], id="sdp"),
        pytest.param(
            {"flags": frozenset({"strict-source"})}, ["198.51.100.7"], ["203.0.113.9"], id="strict"
        ),
        pytest.param(
            {"flags": frozenset({"strict-source", "SIP-source-address"})},
            ["192.0.2.77"],
            ["192.0.2.88"],
            id="strict-sip",
        ),
    ],
)
def test_the_engine_is_told_where_peers_may_come_from(said: dict[str, Any], a: Any, b: Any) -> None:
    lab = Lab()
    send(lab, offer(received_from=("IP4", "192.0.2.77"), **said))
    opened = lab.plane.opened[0]
    assert [leg.sources for leg in opened.legs] == [a, "any" if b == "any" else "pending"]
    send(lab, answer(received_from=("IP4", "192.0.2.88"), **said))
    assert [leg.sources for leg in opened.answers[0]] == [a, b]


RULES_SAID = [
    pytest.param({"source": "sip"}, ["192.0.2.77"], ["192.0.2.88"], id="sip"),
    pytest.param({"source": "sdp"}, ["198.51.100.7"], ["203.0.113.9"], id="sdp"),
    pytest.param(
        {"flags": frozenset({"strict-source"})}, ["198.51.100.7"], ["203.0.113.9"], id="strict"
    ),
    pytest.param({"source": "any"}, "any", "any", id="any"),
]


@pytest.mark.parametrize(("said", "a", "b"), RULES_SAID)
def test_a_message_that_says_no_rule_follows_what_was_said(
    said: dict[str, Any], a: Any, b: Any
) -> None:
    lab = Lab()
    alice, bob = ("IP4", "192.0.2.77"), ("IP4", "192.0.2.88")
    send(lab, offer(received_from=alice, **said))
    send(lab, answer(received_from=bob))
    again = BOB.replace(b"bobid", b"another")
    send(lab, offer(again, from_tag="bob", to_tag="alice", received_from=bob))
    send(lab, answer(sdp(session_id="x"), from_tag="bob", to_tag="alice", received_from=alice))
    told = [(a.sources, b.sources) for a, b in lab.plane.opened[0].answers]
    assert told == [(a, b), (a, b)]


def test_an_answer_may_have_a_rule_of_its_own() -> None:
    lab = Lab()
    send(lab, offer(received_from=("IP4", "192.0.2.77"), source="sip"))
    send(lab, answer(source="any"))
    a, b = lab.plane.opened[0].answers[0]
    assert (a.sources, b.sources) == (["192.0.2.77"], "any")


def test_a_re_offer_moves_the_expected_source_with_its_answer() -> None:
    lab = Lab()
    send(lab, offer(received_from=("IP4", "192.0.2.77"), source="sip"))
    send(lab, answer(received_from=("IP4", "192.0.2.88"), source="sip"))
    moved = sdp("198.51.100.8", session_id="another")
    send(lab, offer(moved, to_tag="bob", received_from=("IP4", "192.0.2.78"), source="sip"))
    send(lab, answer(received_from=("IP4", "192.0.2.88"), source="sip"))
    a, b = lab.plane.opened[0].answers[-1]
    assert (a.sources, b.sources) == (["192.0.2.78"], ["192.0.2.88"])


@pytest.mark.parametrize(
    "said",
    [
        pytest.param({"source": "sip"}, id="no-received-from"),
        pytest.param({"source": "sip", "received_from": ("IP4", "a.example")}, id="a-name"),
    ],
)
def test_a_source_that_is_not_known_is_refused(said: dict[str, Any]) -> None:
    assert "msrp-source" in refusal(Lab(), offer(**said))


# What is told.


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

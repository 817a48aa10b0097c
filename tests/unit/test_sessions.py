"""What offers and answers do to calls, ports and the engine's sessions."""

from __future__ import annotations

import errno
from ipaddress import ip_address

import pytest

from msrprelay.sdp import Connection, parse

from .session_fakes import (
    BOB,
    Lab,
    answer,
    delete,
    listing,
    offer,
    sdp,
    send,
)
from .session_replies import CEMA, PASSIVE_BOB, refusal, section

pytestmark = pytest.mark.usefixtures("lives")


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

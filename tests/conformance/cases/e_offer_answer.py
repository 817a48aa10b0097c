"""Section E: offers and answers come again, late, in other order, or not at all."""

from __future__ import annotations

from collections.abc import Mapping

from ...peers import sdp
from ...peers.msrp import bind, message, request
from ...peers.ng import Refused, fresh_cookie
from ...peers.wire import End, Failure, await_closed
from ..call import Call, Party, uri
from ..registry import EITHER, Policy, check
from ..relay import Relay
from .a_framer import goes_on

MIB = 1 << 20


def same_place(before: sdp.Told, after: sdp.Told) -> None:
    """Neither port nor session-id moved."""
    if (before.address, before.path) != (after.address, after.path):
        raise Failure(f"moved from {before.address} {before.path} to {after.address} {after.path}")


def refuses(call: Call, command: str, fields: Mapping[str, object]) -> str:
    """The command is refused; gives the reason."""
    try:
        call.control.ask(command, {**call.tags, **call.flags, **fields})
    except Refused as refused:
        return refused.reason
    raise Failure(f"{command} was taken")


def moves(party: Party) -> None:
    """The party has another path from now on."""
    party.path = (*party.path[:-1], uri(party.host, party.port))


def knows_the_loss(call: Call) -> None:
    """Wait until the relay tells that nothing is joined any more, if it tells such things."""
    for _ in range(1000):
        told = call.query().get("msrp", {}).get("sessions", [])
        if not any(session["state"] == "joined" for session in told):
            return
    raise Failure("the relay still takes the session for joined")


@check(137, control=True)
def an_offer_that_is_never_answered_leaves_nothing(relay: Relay, policy: Policy) -> None:
    """Deleted before its answer: the port is closed."""
    with relay.call(policy) as call:
        call.offer()
        call.b.dial()
        call.delete()
        await_closed(call.b.where.address, relay.patience)
        call.b.wire.end()


@check(138, policies=EITHER, control=True)
def an_identical_re_offer_touches_nothing(relay: Relay, policy: Policy) -> None:
    """Same ports, same session-ids, same connection, same answer."""
    with relay.call(policy) as call:
        a, b = call.join()
        before = a.where, b.where
        first = call.answer()["sdp"]
        call.reoffer()
        again = call.answer()["sdp"]
        if again != first:
            raise Failure("the answer differs")
        same_place(before[0], a.where)
        same_place(before[1], b.where)
        goes_on(a, b)


@check(139, policies=EITHER, control=True)
def a_new_version_with_actpass_makes_no_new_connection(relay: Relay, policy: Policy) -> None:
    """o= counts up, a=setup:actpass, path and address as before."""
    with relay.call(policy, "active", "passive") as call:
        a, b = call.join()
        a.setup = "actpass"
        call.reoffer(sdp.body(a.section()).replace("- 7 7 ", "- 7 8 "))
        call.answer()
        goes_on(a, b)
        assert b.listener is not None
        if b.listener.is_dialled():
            raise Failure("b was dialled again")


@check(140, policies=EITHER, control=True)
def a_re_offer_brings_a_lost_session_back(relay: Relay, policy: Policy) -> None:
    """a lost its connection and offers a new path: same ports, and both connect anew."""
    with relay.call(policy) as call:
        a, b = call.join()
        before = b.where
        a.wire.reset()
        b.wire.end()
        knows_the_loss(call)
        moves(a)
        call.reoffer()
        call.answer()
        if b.where.address != before.address:
            raise Failure(f"b's port moved from {before.address} to {b.where.address}")
        goes_on(*call.connect())


@check(140, control=True)
def a_live_leg_moves_to_a_new_path(relay: Relay, policy: Policy) -> None:
    """a's new connection binds, then the old one is closed; b's stays."""
    with relay.call(policy) as call:
        a, b = call.join()
        old = a.wire
        moves(a)
        call.reoffer()
        call.answer()
        again = bind()
        a.dial()
        a.send(again)
        b.expect(again)
        old.end()
        goes_on(a, b)


@check(141, policies=EITHER, control=True)
def a_rejected_re_offer_is_rolled_back(relay: Relay, policy: Policy) -> None:
    """A failure route sends `delete`: ports, ids and connection stay."""
    with relay.call(policy) as call:
        a, b = call.join()
        before, path = b.where, a.path
        moves(a)
        call.reoffer()
        call.delete()
        a.path = path
        b.told = before
        goes_on(a, b)


@check(142, policies=EITHER, control=True)
def the_callee_may_re_offer(relay: Relay, policy: Policy) -> None:
    """Legs are told by tag, not by direction."""
    with relay.call(policy) as call:
        a, b = call.join()
        before = a.where, b.where
        call.offer_back()
        call.answer_back()
        same_place(before[0], a.where)
        same_place(before[1], b.where)
        goes_on(a, b)


@check(143, policies=EITHER, control=True)
def more_lines_do_not_touch_the_first(relay: Relay, policy: Policy) -> None:
    """An audio line and a second message line come; the second gets a port of its own."""
    with relay.call(policy) as call:
        a, b = call.join()
        second = sdp.section(uri(a.host, 9), setup="active", host=a.host, port=9, extra=a.extra)
        audio = "m=audio 40000 RTP/AVP 0\nc=IN IP4 192.0.2.1\n"
        reply = call.reoffer(sdp.body(a.section(), audio, second))
        ports = [each.port for each in sdp.message_sections(str(reply["sdp"]))]
        if ports[0] != b.where.port or ports[1] in (9, ports[0]):
            raise Failure(f"ports {ports}, the first was {b.where.port}")
        second = sdp.section(uri(b.host, 9), setup="active", host=b.host, port=9, extra=b.extra)
        call.answer(sdp.body(b.section(), audio, second))
        goes_on(a, b)


@check(144, control=True)
def port_0_in_a_re_offer_closes_and_later_allocates_anew(relay: Relay, policy: Policy) -> None:
    """The legs end, the ports close; used again the line gets a session again."""
    with relay.call(policy) as call:
        a, b = call.join()
        closed = sdp.body(sdp.section(a.path[0], setup="active", host=a.host, port=0))
        before = a.where, b.where
        call.reoffer(closed)
        call.answer(closed)
        a.wire.end()
        b.wire.end()
        for told in before:
            await_closed(told.address, relay.patience)
        moves(a)
        moves(b)
        call.reoffer()
        call.answer()
        goes_on(*call.connect())


@check(145, control=True)
def an_answer_with_port_0_releases_the_offerers_leg(relay: Relay, policy: Policy) -> None:
    """And comes back unchanged."""
    with relay.call(policy) as call:
        call.offer()
        rejected = sdp.body(sdp.section(call.b.path[0], setup="active", host=call.b.host, port=0))
        told = call.b.where.address
        if call.answer(rejected)["sdp"] != rejected:
            raise Failure("the answer was changed")
        await_closed(told, relay.patience)


@check(146, policies=EITHER, control=True)
def a_callee_that_dials_before_its_answer_is_held(relay: Relay, policy: Policy) -> None:
    """Nothing is sent to it before, its SEND arrives after."""
    with relay.call(policy) as call:
        a, b = call.a, call.b
        call.offer()
        b.dial()
        early = bind()
        b.send(early)
        if b.wire.unread():
            raise Failure("b was spoken to before the answer")
        call.answer()
        a.dial()
        first = bind()
        a.send(first)
        a.expect(early)
        b.expect(first)


@check(147, policies=EITHER, control=True)
def an_answer_that_comes_twice_changes_nothing(relay: Relay, policy: Policy) -> None:
    """The 200 is retransmitted, each time with a cookie of its own."""
    with relay.call(policy) as call:
        a, b = call.join()
        first = a.where
        for _ in range(3):
            call.answer()
            same_place(first, a.where)
        goes_on(a, b)


@check(148, policies=EITHER, control=True)
def an_offer_that_comes_twice_gets_the_same_reply(relay: Relay, policy: Policy) -> None:
    """With the same cookie the same octets, with another one the same SDP."""
    with relay.call(policy) as call:
        body = sdp.body(call.a.section()).encode()
        fields = {**call.tags, **call.flags, "sdp": body}
        cookie = fresh_cookie()
        replies = {call.control.exchange(cookie, "offer", fields) for _ in range(3)}
        replies.add(call.control.exchange(fresh_cookie(), "offer", fields))
        if len(replies) != 1:
            raise Failure(f"{len(replies)} different replies")
        call.agree()
        goes_on(*call.connect())


@check(149, control=True)
def a_final_answer_replaces_the_provisional_one(relay: Relay, policy: Policy) -> None:
    """183, then 200 with another path from the same peer."""
    with relay.call(policy, "active", "passive") as call:
        assert call.b.listener is not None
        call.offer()
        call.answer(sdp.body(call.b.section().replace(f":{call.b.port}/", ":9/")))
        call.answer()
        goes_on(*call.connect())


@check(150, control=True)
def forks_with_a_branch_have_ports_of_their_own(relay: Relay, policy: Policy) -> None:
    """Each branch its own callee leg and its own ports towards the caller."""
    with relay.call(policy) as call:
        ports = set()
        for branch in ("z9hG4bK1", "z9hG4bK2"):
            call.offer(**{"via-branch": branch})
            ports.add(call.b.where.port)
        for branch in ("z9hG4bK1", "z9hG4bK2"):
            moves(call.b)
            call.answer(**{"via-branch": branch, "to-tag": branch})
            ports.add(call.a.where.port)
        if len(ports) != 4:
            raise Failure(f"two branches use the ports {sorted(ports)}")


@check(152, control=True)
def the_losing_fork_goes_and_the_winner_stays(relay: Relay, policy: Policy) -> None:
    """A delete of one via-branch."""
    with relay.call(policy) as call:
        call.offer(**{"via-branch": "loser"})
        lost = call.b.where.address
        call.offer(**{"via-branch": "winner"})
        call.answer(**{"via-branch": "winner"})
        a, b = call.connect()
        call.delete(**{"via-branch": "loser"})
        await_closed(lost, relay.patience)
        goes_on(a, b)


@check(153, control=True)
def an_offer_in_the_200_is_an_offer_of_the_callee(relay: Relay, policy: Policy) -> None:
    """Late offer: the callee is passive, the caller's answer in the ACK is active."""
    with relay.call(policy, "passive", "active") as call:
        call.offer(**{"from-tag": "callee"})
        call.answer(**{"from-tag": "callee", "to-tag": "caller"})
        goes_on(*call.connect())


@check(154, policies=EITHER, control=True)
def hold_keeps_the_connection(relay: Relay, policy: Policy) -> None:
    """c= 0.0.0.0 and a=inactive: the attribute passes, bytes go on."""
    with relay.call(policy) as call:
        a, b = call.join()
        before = b.where
        a.extra += "a=inactive\n"
        call.reoffer(sdp.body(a.section().replace(f"IP4 {a.host}", "IP4 0.0.0.0", 1)))
        if "a=inactive\r\n" not in b.where.text:
            raise Failure("a=inactive did not pass")
        same_place(before, b.where)
        call.answer()
        goes_on(a, b)


@check(155, policies=EITHER, control=True)
def a_refresh_in_mid_chunk_loses_nothing(relay: Relay, policy: Policy) -> None:
    """A session timer fires while a mebibyte is on its way."""
    with relay.call(policy) as call:
        a, b = call.join()
        template = request(b"SEND", b"Byte-Range: 1-*/*", body=bytes(range(256)) * (MIB // 256))
        head, tail = template[: MIB // 2], template[MIB // 2 :]
        a.deliver(head)
        call.reoffer()
        call.answer()
        a.deliver(tail)
        goes_on(a, b)


@check(156, control=True)
def a_delete_in_mid_chunk_is_no_clean_end(relay: Relay, policy: Policy) -> None:
    """b must not take the half for a whole; a may be ended politely."""
    with relay.call(policy) as call:
        a, b = call.join()
        half = message(b"half a message")[:-20]
        a.send(half)
        b.expect(half)
        call.delete()
        if b.wire.end() is not End.RESET:
            raise Failure("b saw a clean FIN in mid-chunk")
        a.wire.end()


@check(158, control=True)
def a_refresh_of_a_file_transfer_goes_on(relay: Relay, policy: Policy) -> None:
    """The same file-transfer-id, passed octet for octet."""
    with relay.call(policy) as call:
        call.a.extra = "a=file-transfer-id:91155aee\n"
        a, b = call.join()
        call.reoffer()
        if "a=file-transfer-id:91155aee\r\n" not in b.where.text:
            raise Failure("file-transfer-id did not pass")
        call.answer()
        goes_on(a, b)


@check(159, control=True)
def an_answer_with_another_transport_is_refused(relay: Relay, policy: Policy) -> None:
    """TCP/MSRP was offered, TCP/TLS/MSRP is no answer to it."""
    with relay.call(policy) as call:
        call.offer()
        body = sdp.body(call.b.section().replace("TCP/MSRP", "TCP/TLS/MSRP"))
        refuses(call, "answer", {"to-tag": "tag-b", "sdp": body.encode()})


@check(160, policies=("cema",), control=True)
def an_active_answer_without_cema_is_refused_with_a_reason(relay: Relay, policy: Policy) -> None:
    """It would dial the offerer's path, past the relay."""
    with relay.call(policy) as call:
        call.offer()
        call.b.extra = ""
        body = sdp.body(call.b.section()).encode()
        reason = refuses(call, "answer", {"to-tag": "tag-b", "sdp": body})
        if "aware" not in reason:
            raise Failure(f"the reason does not say what to do: {reason}")


@check(161, policies=("cema",), control=True)
def a_second_offer_without_cema_is_relayed_aware(relay: Relay, policy: Policy) -> None:
    """The fallback of RFC 6714 section 4.2, in the same call."""
    with relay.call(policy) as call:
        call.offer()
        call.a.extra = call.b.extra = ""
        body = sdp.body(call.b.section()).encode()
        refuses(call, "answer", {"to-tag": "tag-b", "sdp": body})
        call.a.policy = call.b.policy = "aware"
        moves(call.a)
        call.offer()
        call.answer()
        if len(call.b.where.path) != 1 or call.b.where.path_address != call.b.where.address:
            raise Failure(f"b was told {call.b.where.path}, c= and m= {call.b.where.address}")
        goes_on(*call.connect())

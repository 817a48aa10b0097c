"""Section J: whole conversations as services have them."""

from __future__ import annotations

import contextlib

from ...peers import sdp
from ...peers.msrp import bind, request, response
from ...peers.wire import Failure, Wire
from .. import rewriting
from ..call import uri
from ..registry import EITHER, Policy, check
from ..relay import Relay
from .a_framer import goes_on

MIB = 1 << 20
COMPOSING = (
    b'<?xml version="1.0"?><isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing">'
    b"<state>active</state></isComposing>"
)
CPIM = (
    b"From: <sip:a@example.net>\r\nTo: <sip:b@example.net>\r\nNS: imdn <urn:ietf:params:imdn>\r\n"
    b"imdn.Message-ID: 34jk324j\r\nimdn.Disposition-Notification: positive-delivery\r\n\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
)


@check(228, policies=EITHER)
def an_rcs_chat_begins(relay: Relay, policy: Policy) -> None:
    """Bind, is-composing, CPIM; the IMDN comes back."""
    with relay.call(policy) as call:
        a, b = call.join()
        typing = request(b"SEND", body=COMPOSING, content_type=b"application/im-iscomposing+xml")
        said = request(b"SEND", body=CPIM, content_type=b"message/cpim")
        a.send(typing, said)
        b.expect(typing, said)
        for question in (typing, said):
            answer = response(question.split()[1])
            b.send(answer)
            a.expect(answer)
        notice = CPIM.replace(b"hello", b"<imdn/>")
        imdn = request(b"SEND", body=notice, content_type=b"message/cpim")
        b.send(imdn)
        a.expect(imdn)


@check(229, policies=EITHER, control=True)
def a_file_waits_for_the_answer_to_the_bind(relay: Relay, policy: Policy) -> None:
    """MCData: the 200 is the first frame of its leg, and must travel."""
    with relay.call(policy, "active", "passive") as call:
        a, _ = call.join()
        kind = b"application/vnd.3gpp.mcdata-file"
        a.deliver(request(b"SEND", b"Byte-Range: 1-*/*", body=bytes(MIB), content_type=kind))


@check(230, policies=EITHER)
def a_file_of_20_mebibytes_is_pushed(relay: Relay, policy: Policy) -> None:
    """As fast as TCP takes it; then one is aborted by each end."""
    with relay.call(policy) as call:
        a, b = call.join()
        chunk = request(b"SEND", b"Byte-Range: 1-*/*", body=b"f" * MIB, flag=b"+")
        a.deliver(chunk * 20)
        aborted = request(b"SEND", b"Byte-Range: 1-*/*", body=b"never mind", flag=b"#")
        a.send(aborted)
        b.expect(aborted)
        too_much = response(aborted.split()[1], b"413 enough")
        b.send(too_much)
        a.expect(too_much)


@check(231, control=True)
def a_room_of_fifty_sessions_fails_one_by_one(relay: Relay, policy: Policy) -> None:
    """One participant's reset is nobody else's."""
    with contextlib.ExitStack() as room:
        calls = [room.enter_context(relay.call(policy)) for _ in range(50)]
        joined = [call.join() for call in calls]
        joined[7][0].wire.reset()
        joined[7][1].wire.end()
        for number, (a, b) in enumerate(joined):
            if number != 7:
                goes_on(a, b)


@check(232, control=True)
def audio_next_to_the_chat_is_not_ours(relay: Relay, policy: Policy) -> None:
    """An SDP whose audio another relay has rewritten already, or will."""
    audio = "m=audio 30002 RTP/AVP 0\nc=IN IP4 192.0.2.50\na=rtcp:30003\na=setup:actpass\n"
    with relay.call(policy) as call:
        for parts in ((audio, call.a.section()), (call.a.section(), audio)):
            text = sdp.body(*parts, session_lines="c=IN IP4 192.0.2.50\n")
            rewriting.check(text, str(call.offer(text)["sdp"]), policy)


@check(233, policies=EITHER)
def two_dialling_blinks_answer_each_others_binds(relay: Relay, policy: Policy) -> None:
    """The call of the first seed: each binds, each is answered by the other."""
    with relay.call(policy) as call:
        goes_on(*call.join())


@check(234, control=True)
def who_dials_the_path_and_who_dials_the_media_line_arrive_alike(
    relay: Relay, policy: Policy
) -> None:
    """a goes by its a=path, b by c= and m=."""
    with relay.call(policy) as call:
        call.agree()
        a, b = call.a, call.b
        a.wires.append(Wire.dial(a.where.path_address, relay.patience))
        first = bind()
        a.send(first)
        b.dial()
        b.send(bind())
        b.expect(first)


@check(235, control=True)
def one_chat_in_two_lines_with_and_without_tls(relay: Relay, policy: Policy) -> None:
    """The answer takes the plain one; the one with TLS is not the relay's business."""
    with relay.call(policy) as call:
        a, b = call.a, call.b
        secret = uri(a.host, 9).replace("msrp:", "msrps:")
        tls = sdp.section(secret, setup="active", host=a.host, port=9, proto="TCP/TLS/MSRP")
        reply = str(call.offer(sdp.body(a.section(), tls))["sdp"])
        if tls.replace("\n", "\r\n") not in reply:
            raise Failure("the TLS section was changed")
        refused = sdp.section(secret, setup="active", host=b.host, port=0, proto="TCP/TLS/MSRP")
        call.answer(sdp.body(b.section(), refused))
        goes_on(*call.connect())


@check(236, policies=EITHER, control=True)
def actpass_again_while_connected_is_answered_as_before(relay: Relay, policy: Policy) -> None:
    """No new SYN, no timer."""
    with relay.call(policy, "actpass", "active") as call:
        a, b = call.join()
        first = a.where
        call.reoffer()
        call.answer()
        if a.where.setup != first.setup or a.where.address != first.address:
            raise Failure(f"answered {a.where.setup}, before {first.setup}")
        goes_on(a, b)

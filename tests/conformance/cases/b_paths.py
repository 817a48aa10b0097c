"""Section B: To-Path and From-Path are the relay's business, every other octet is not."""

from __future__ import annotations

from ...peers.msrp import FROM, TO, bind, fill, fresh, message, request, response
from ...peers.wire import Failure
from ..call import Party
from ..registry import EITHER, OPAQUE, NotApplicable, Policy, check
from ..relay import Relay
from .a_framer import LOOK_ALIKES, NOISE, body, goes_on

RELAYS = ("msrps://r1.example.net:9001/xA1;tcp", "msrps://r2.example.net:9002/xB2;tcp")


def delivered(relay: Relay, policy: Policy, template: bytes, arrives: bytes | None = None) -> None:
    """From a to b, then the stream goes on."""
    with relay.call(policy) as call:
        a, b = call.join()
        a.deliver(template, arrives)
        goes_on(a, b)


def refused(a: Party, to_path: str, status: int, *, tid: bytes = b"") -> None:
    """A SEND with this To-Path is answered, and the answer does not tell a's real peer URI."""
    template = request(b"SEND", body=b"for whom", tid=tid or None)
    a.wire.send(fill(template, [to_path], a.path))
    answer = a.wire.frame()
    if answer.status != status:
        raise Failure(f"answered {answer.status}, not {status}")
    if answer.from_path != [to_path.split()[0].encode()]:
        raise Failure(f"From-Path of the answer is {answer.from_path}, not what was asked for")


@check(61)
def a_request_goes_to_the_peers_path_from_ours(relay: Relay, policy: Policy) -> None:
    """All else as it was: id, flag, order and blanks of headers."""
    delivered(relay, policy, request(b"SEND", b"X-Odd:   1 ", b"x-b:2", body=b"x", flag=b"+"))


@check(62)
def a_response_comes_back_with_the_same_id(relay: Relay, policy: Policy) -> None:
    """a asks, b answers."""
    with relay.call(policy) as call:
        a, b = call.join()
        question = request(b"SEND", body=b"?")
        a.send(question)
        b.expect(question)
        answer = response(question.split()[1])
        b.send(answer)
        a.expect(answer)


@check(63)
def a_binary_body_and_its_end_line_are_untouched(relay: Relay, policy: Policy) -> None:
    """Every octet value, twice over."""
    delivered(relay, policy, body(bytes(range(256)) * 16, flag=b"+"))


@check(64)
def a_report_goes_to_the_whole_path(relay: Relay, policy: Policy) -> None:
    """b reports to a, whose path has three URIs."""
    with relay.call(policy, relays_a=RELAYS) as call:
        a, b = call.join()
        report = request(b"REPORT", b"Status: 000 200 OK", b"Byte-Range: 1-1/1")
        b.send(report)
        a.expect(report)


@check(65)
def a_request_goes_to_all_uris_of_a_peer_behind_relays(relay: Relay, policy: Policy) -> None:
    """b's path has three URIs."""
    with relay.call(policy, relays_b=RELAYS) as call:
        a, b = call.join()
        a.deliver(message())
        goes_on(a, b)


@check(66)
def a_path_behind_relays_becomes_the_relays_one_uri(relay: Relay, policy: Policy) -> None:
    """a's From-Path has three URIs, b sees one."""
    with relay.call(policy, relays_a=RELAYS) as call:
        a, b = call.join()
        a.send(message())
        seen = b.wire.frame()
        if seen.from_path != [b.where.path[0].encode()]:
            raise Failure(f"From-Path is {seen.from_path}")


@check(67)
def a_response_goes_to_the_leftmost_uri_only(relay: Relay, policy: Policy) -> None:
    """Towards a, whose path has three URIs."""
    with relay.call(policy, relays_a=RELAYS) as call:
        a, b = call.join()
        answer = response(fresh())
        b.send(answer)
        a.expect(answer)


@check(68)
def a_report_goes_to_all_uris(relay: Relay, policy: Policy) -> None:
    """Towards a path of three URIs."""
    a_report_goes_to_the_whole_path(relay, policy)


@check(69)
def odd_headers_are_copied(relay: Relay, policy: Policy) -> None:
    """Unknown, oddly cased, oddly spaced, empty."""
    lines = (b"X-Empty:", b"X-Blank: ", b"x-OdD-cAsE:no blank", b"X-Tail: tail  ", b"Expires: 9")
    delivered(relay, policy, request(b"SEND", *lines, body=b"x"))


@check(70)
def path_names_in_any_case_are_known_and_written_as_the_rfc_does(
    relay: Relay, policy: Policy
) -> None:
    """TO-PATH and from-path."""
    template = message()
    odd = template.replace(b"To-Path", b"TO-PATH").replace(b"From-Path", b"from-path")
    delivered(relay, policy, odd, template)


@check(71, policies=EITHER)
def a_bind_goes_on_bodiless(relay: Relay, policy: Policy) -> None:
    """Also in mid-session, as a keepalive."""
    delivered(relay, policy, bind())


@check(72, policies=EITHER)
def other_methods_pass_and_so_does_the_501(relay: Relay, policy: Policy) -> None:
    """NICKNAME, AUTH and one that nobody knows."""
    with relay.call(policy) as call:
        a, b = call.join()
        for method in (b"NICKNAME", b"AUTH", b"DANCE"):
            asked = request(method, b'Use-Nickname: "x"')
            a.send(asked)
            b.expect(asked)
            answer = response(asked.split()[1], b"501 Unknown method")
            b.send(answer)
            a.expect(answer)


@check(73)
def a_wrong_session_id_gets_481_and_is_not_forwarded(relay: Relay, policy: Policy) -> None:
    """In mid-session."""
    with relay.call(policy) as call:
        a, b = call.join()
        refused(a, a.where.path[0].replace(a.where.session_id, "wrong0000000000000000"), 481)
        goes_on(a, b)


@check(74)
def a_481_does_not_tell_our_uri(relay: Relay, policy: Policy) -> None:
    """At the gate, where a stranger asks: From-Path is the To-Path that was asked for."""
    with relay.call(policy) as call:
        call.agree()
        call.a.dial()
        asked = call.a.where.path[0].replace(call.a.where.session_id, "guess")
        refused(call.a, asked, 481)


@check(75)
def what_may_not_be_answered_is_dropped_in_silence(relay: Relay, policy: Policy) -> None:
    """A wrong To-Path with Failure-Report: no, in a REPORT, in a response."""
    with relay.call(policy) as call:
        a, b = call.join()
        wrong = ["msrp://127.0.0.1:1/wrong;tcp"]
        for template in (
            message(b"unheard"),
            request(b"REPORT", b"Status: 000 200 OK"),
            response(fresh()),
        ):
            a.wire.send(fill(template, wrong, a.path))
        goes_on(a, b)


def spelled(uri: str) -> list[str]:
    """The same URI by RFC 4975 section 6.1, in other words."""
    rest = uri.removeprefix("msrp://")
    return [
        "MSRP://" + rest,
        uri.replace(";tcp", ";TCP"),
        "msrp://user@" + rest,
        uri + ";reason=because",
    ]


@check(76)
def an_equal_uri_spelled_otherwise_is_taken(relay: Relay, policy: Policy) -> None:
    """Case of scheme and transport, userinfo, parameters."""
    with relay.call(policy) as call:
        a, b = call.join()
        for to_path in spelled(a.where.path[0]):
            template = message()
            a.wire.send(fill(template, [to_path], a.path))
            b.expect(template)


@check(77)
def a_uri_that_only_resembles_ours_gets_481(relay: Relay, policy: Policy) -> None:
    """Case of the session-id, no port, another transport, another scheme."""
    with relay.call(policy) as call:
        a, b = call.join()
        ours = a.where.path[0]
        for other in (
            ours.replace(a.where.session_id, a.where.session_id.swapcase()),
            ours.replace(f":{a.where.port}", ""),
            ours.replace(";tcp", ";ws"),
            ours.replace("msrp:", "msrps:"),
        ):
            refused(a, other, 481)
        goes_on(a, b)


@check(78)
def a_second_uri_behind_ours_gets_481(relay: Relay, policy: Policy) -> None:
    """No open relay (RFC 4976 section 3.1)."""
    with relay.call(policy) as call:
        a, b = call.join()
        refused(a, f"{a.where.path[0]} msrp://192.0.2.99:2855/x;tcp", 481)
        goes_on(a, b)


@check(79)
def keepalives_are_not_forwarded(relay: Relay, policy: Policy) -> None:
    """CRLFs between frames."""
    one, two = message(b"one"), message(b"two")
    delivered(relay, policy, one + b"\r\n\r\n" + two, one + two)


@check(80)
def path_lines_in_a_body_are_body(relay: Relay, policy: Policy) -> None:
    """Even such as look like a whole header section."""
    text = b"To-Path: msrp://a:1/b;tcp\r\nFrom-Path: msrp://c:2/d;tcp\r\n\r\nTo-Path: x"
    delivered(relay, policy, body(text))


@check(81, control=True)
def each_leg_has_its_own_address_family(relay: Relay, policy: Policy) -> None:
    """a by IPv6, b by IPv4; a relay without an IPv6 interface cannot."""
    with relay.call(policy) as call:
        call.a.host = "::1"
        call.a.path = ("msrp://[::1]:9/" + call.a.path[0].rpartition("/")[2],)
        call.agree()
        if ":" not in call.a.where.host:
            raise NotApplicable("the relay has no IPv6 interface")
        a, b = call.connect()
        if "[" not in a.where.path[0]:
            raise Failure(f"no brackets in {a.where.path[0]}")
        goes_on(a, b)


@check(82)
def path_lines_are_replaced_where_they_stand(relay: Relay, policy: Policy) -> None:
    """Behind other headers, From-Path first."""
    head = b"MSRP pl4ces0000 SEND\r\nX-One: 1\r\nFrom-Path: " + FROM + b"\r\nX-Two: 2\r\n"
    tail = b"To-Path: " + TO + b"\r\nMessage-ID: m-1\r\n-------pl4ces0000$\r\n"
    delivered(relay, policy, head + tail)


@check(83)
def a_foreign_from_path_is_taken_and_replaced(relay: Relay, policy: Policy) -> None:
    """Nothing is routed by it."""
    with relay.call(policy) as call:
        a, b = call.join()
        template = message()
        a.wire.send(fill(template, a.where.path, ["msrp://192.0.2.77:7/else;tcp"]))
        b.expect(template)
        goes_on(a, b)


@check(85)
def a_path_of_twenty_uris_grows_and_shrinks(relay: Relay, policy: Policy) -> None:
    """2.3 KB of path on one side, one URI on the other."""
    many = tuple(f"msrp://relay{n:02}.example.net:9000/{'s' * 80}{n};tcp" for n in range(19))
    with relay.call(policy, relays_b=many) as call:
        a, b = call.join()
        goes_on(a, b)


@check(86, policies=EITHER)
def a_tiny_window_makes_partial_writes(relay: Relay, policy: Policy) -> None:
    """b's socket takes as little as the kernel allows; every octet still arrives."""
    with relay.call(policy) as call:
        call.agree()
        a, b = call.a, call.b
        a.dial()
        a.send(bind())
        b.dial(receive_buffer=1, retry=True)
        b.send(bind())
        for party in (a, b):
            party.wire.answer(party.wire.frame())
        for party in (a, b):
            party.wire.frame()
        many = b"".join(message(b"%d " % number * 40) for number in range(400))
        a.deliver(many)


@check(87, policies=OPAQUE)
def opaque_legs_carry_any_octets(relay: Relay, policy: Policy) -> None:
    """Once joined: noise, look-alikes, half frames, nothing at all, both ways."""
    noise = b"".join(NOISE.values()) + LOOK_ALIKES + bytes(range(256)) * 512 + b"MSRP half"
    with relay.call(policy) as call:
        a, b = call.join()
        for sender, receiver in ((a, b), (b, a)):
            for piece in (noise, b"\0", noise[::-1]):
                sender.deliver(piece)
                receiver.deliver(b"\r\n")

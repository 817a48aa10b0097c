"""Section G: strangers at the door, hostile peers behind it."""

from __future__ import annotations

import contextlib
import select
import time

from ...peers import sdp
from ...peers.msrp import bind, fill, request, response
from ...peers.ng import Refused
from ...peers.wire import Failure, Wire
from ..registry import EITHER, OPAQUE, Policy, add, check
from ..relay import Relay
from .a_framer import INNER, LOOK_ALIKES, NOISE, body, goes_on, passes

MIB = 1 << 20


def turned_away(relay: Relay, policy: Policy, said: bytes) -> None:
    """A stranger says something and is closed; the right peer still binds and all is well."""
    with relay.call(policy) as call:
        call.agree()
        stranger = call.a.dial()
        with contextlib.suppress(Failure):
            stranger.send(said)
        stranger.end()
        goes_on(*call.connect())


GUESS = fill(
    request(b"SEND", body=b"let me in"), ["msrp://127.0.0.1:1/guess;tcp"], ["msrp://a:1/x;tcp"]
)


@check(185, policies=EITHER)
def a_stranger_who_guesses_does_not_keep_the_peer_out(relay: Relay, policy: Policy) -> None:
    """481 or nothing, then closed."""
    turned_away(relay, policy, GUESS)


@check(186, policies=EITHER)
def a_crowd_of_silent_strangers_does_not_keep_the_peer_out(relay: Relay, policy: Policy) -> None:
    """A hundred connect to one port and say nothing."""
    with relay.call(policy) as call:
        call.agree()
        for _ in range(100):
            call.a.dial()
        goes_on(*call.connect())


@check(187, control=True)
def a_leaked_session_id_is_enough_without_a_source_rule(relay: Relay, policy: Policy) -> None:
    """The default is msrp-source=any: NATs hide where peers come from."""
    with relay.call(policy) as call:
        call.agree()
        a, b = call.a, call.b
        a.wires.append(Wire.dial(a.where.address, relay.patience))
        first = bind()
        a.send(first)
        b.dial()
        b.send(bind())
        b.expect(first)


@check(187, policies=EITHER, control=True)
def a_source_rule_keeps_others_out(relay: Relay, policy: Policy) -> None:
    """msrp-source=sip: only from where the SIP message came, and that was not here."""
    with relay.call(policy) as call:
        call.offer(**{"msrp-source": "sip", "received-from": ["IP4", "192.0.2.9"]})
        call.answer()
        call.a.dial()
        call.a.send(bind())
        call.a.wire.end()


@check(188, policies=OPAQUE)
def an_opaque_leg_is_gated_by_the_session_id(relay: Relay, policy: Policy) -> None:
    """A stranger with another session-id is never joined."""
    turned_away(relay, policy, GUESS)


@check(192, policies=EITHER)
def an_endless_chunk_goes_on_and_on(relay: Relay, policy: Policy) -> None:
    """32 MiB and no end-line: passed on, never collected."""
    with relay.call(policy) as call:
        a, b = call.join()
        head = request(b"SEND", b"Byte-Range: 1-*/*", body=b"").rpartition(b"\r\n-------")[0]
        a.deliver(head + b"x")
        for _ in range(32):
            a.deliver(b"e" * MIB)
        if not b.wire.is_open():
            raise Failure("the chunk was cut")


@check(193, policies=EITHER, timer="chunk_stall")
def a_chunk_that_trickles_is_not_stalled(relay: Relay, policy: Policy) -> None:
    """An octet well within the stall timer, for three times that long."""
    stall = relay.timers["chunk_stall"]
    with relay.call(policy) as call:
        a, _ = call.join()
        head = request(b"SEND", b"Byte-Range: 1-*/*", body=b"").rpartition(b"\r\n-------")[0]
        a.deliver(head + b"x")
        until = time.monotonic() + 3 * stall
        while time.monotonic() < until:
            a.deliver(b"o")
            if select.select([a.wire.sock], [], [], stall / 10)[0]:
                raise Failure("a was spoken to or cut off")


for size in (b"99999999999999", b"18446744073709551616"):
    passes(
        194,
        f"a range up to {size.decode()}",
        request(b"SEND", b"Byte-Range: 1-*/" + size, body=b"small"),
    )


def scanned(name: str, noise: bytes) -> None:
    """A port scanner's greeting at the gate."""

    def play(relay: Relay, policy: Policy) -> None:
        turned_away(relay, policy, noise)

    add(196, name, play, policies=EITHER)


for greeting, noise in NOISE.items():
    if b"\r\n" in noise:
        scanned(greeting, noise)
scanned("20000 octets without CRLF", b"x" * 20000)
scanned("a response", fill(response(b"r3sp0nse00"), ["msrp://a:1/x;tcp"], ["msrp://b:2/y;tcp"]))


@check(197, policies=EITHER, control=True)
def a_burst_of_connects_leaves_control_and_peer_alone(relay: Relay, policy: Policy) -> None:
    """A hundred connections to one port, as fast as they can be made, then gone."""
    with relay.call(policy) as call:
        call.agree()
        for _ in range(100):
            with contextlib.suppress(Failure):
                Wire.dial(call.a.where.address, relay.patience).reset()
        call.control.ask("ping")
        goes_on(*call.connect())


passes(200, "frame in a body", body(INNER + b"x"))
passes(200, "near misses in a body", body(b"x\r\n" + LOOK_ALIKES + b"y", b"l00kAl1ke0"))
passes(200, "end-line behind a bare LF", body(b"x\n-------smuggl3000$\nMSRP y", b"smuggl3000"))


@check(201, policies=EITHER)
def the_same_id_on_both_sides_is_no_confusion(relay: Relay, policy: Policy) -> None:
    """Both ask under one transaction id, both get their own answer."""
    with relay.call(policy) as call:
        a, b = call.join()
        question = request(b"SEND", body=b"?", tid=b"s4me0n3000")
        a.send(question)
        b.send(question)
        a.expect(question)
        b.expect(question)
        for party, other, status in ((a, b, b"200 from a"), (b, a, b"200 from b")):
            answer = response(b"s4me0n3000", status)
            party.send(answer)
            other.expect(answer)


@check(202, control=True)
def session_ids_of_the_relay_are_long_and_differ(relay: Relay, policy: Policy) -> None:
    """200 of them; 80 bits are 14 characters of base64."""
    ids = set()
    for _ in range(100):
        with relay.call(policy) as call:
            call.agree()
            ids |= {call.a.where.session_id, call.b.where.session_id}
    if len(ids) != 200 or min(map(len, ids)) < 14:
        raise Failure(f"{len(ids)} of 200 differ, the shortest has {min(map(len, ids))} characters")


@check(203, control=True)
def hostile_sdp_is_an_error_and_no_more(relay: Relay, policy: Policy) -> None:
    """Thousands of sections, no line end at all, a line end smuggled into a value."""
    many = sdp.body(*("m=x 1 y z\n" for _ in range(5000)))
    endless = "v=0" + "x" * 60000
    with relay.call(policy) as call:
        for text in (many, endless, "\r\n" * 20000, "v=0\r\nm=message", "\0" * 1000):
            with contextlib.suppress(Refused):
                call.offer(text)
            call.control.ask("ping")
        with contextlib.suppress(Refused):
            injected = call.offer(**{"media-address": "192.0.2.1\r\na=injected"})
            if "\na=injected" in str(injected["sdp"]):
                raise Failure("a line was injected into the SDP")
    with relay.call(policy) as call:
        goes_on(*call.join())


@check(203, control=True)
def control_datagrams_of_noise_change_nothing(relay: Relay, policy: Policy) -> None:
    """What is no bencode is answered with an error or not at all."""
    with relay.call(policy) as call:
        nested, endless = b"c " + b"d" * 6000, b"c d7:command9999999999:x"
        for noise in (b"", b" ", b"c d", nested, endless, bytes(999)):
            call.control.sock.send(noise)
        call.control.ask("ping")
        goes_on(*call.join())

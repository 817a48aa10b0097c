"""Section F: how connections come, compete, end, and what is lost when they do."""

from __future__ import annotations

import select
import time
from concurrent.futures import ThreadPoolExecutor

from ...peers.msrp import bind, message, request
from ...peers.wire import End, Failure, Wire, await_closed, is_closed
from ..call import Party
from ..registry import EITHER, Policy, check
from ..relay import Relay
from .a_framer import goes_on

MIB = 1 << 20


def hears_until_closed(wire: Wire, seconds: float) -> None:
    """The relay ends this connection within so many seconds."""
    wire.patience = seconds
    wire.end()


@check(162, policies=EITHER, control=True)
def a_connection_before_the_answer_is_taken(relay: Relay, policy: Policy) -> None:
    """As soon as the offer's reply has left, both ways in work."""
    with relay.call(policy) as call:
        call.offer()
        call.b.dial()
        call.answer()
        call.b.send(bind())
        call.a.dial()
        call.a.send(bind())
        call.a.wire.frame()
        call.b.wire.frame()


@check(163, policies=EITHER, timer="gate")
def silence_is_closed_and_the_port_stays(relay: Relay, policy: Policy) -> None:
    """The bind timer ends the silent connection; the peer can come again."""
    with relay.call(policy) as call:
        call.agree()
        silent = call.a.dial()
        hears_until_closed(silent, relay.timers["gate"] + relay.patience)
        goes_on(*call.connect())


@check(164, policies=EITHER, timer="gate")
def the_gate_counts_from_accept(relay: Relay, policy: Policy) -> None:
    """Octets that trickle in do not prolong it."""
    with relay.call(policy) as call:
        call.agree()
        wire = call.a.dial()
        octets = iter(call.a.written(message(b"slow" * 4000)))
        deadline = time.monotonic() + relay.timers["gate"] + relay.patience
        while not select.select([wire.sock], [], [], relay.timers["gate"] / 20)[0]:
            if time.monotonic() > deadline:
                raise Failure("octets that trickle hold the gate open")
            wire.send(bytes([next(octets)]))
        wire.end()


def rivals(relay: Relay, policy: Policy) -> None:
    """Two connections wait; the first valid bind wins, the second is told so and ended."""
    with relay.call(policy) as call:
        call.agree()
        a, b = call.a, call.b
        late = a.dial()
        a.dial()
        first = bind()
        a.send(first)
        b.dial()
        b.send(bind())
        b.expect(first)
        late.send(a.written(bind()))
        if policy == "aware":
            answer = late.frame()
            if answer.status != 506:
                raise Failure(f"answered {answer.status}, not 506")
        late.end()
        a.wire.answer(a.wire.frame())
        b.wire.frame()
        goes_on(a, b)


@check(165, policies=EITHER)
def a_second_bind_gets_506_and_the_first_is_not_touched(relay: Relay, policy: Policy) -> None:
    """The second was accepted before the first had bound."""
    rivals(relay, policy)


@check(165, policies=EITHER)
def a_bound_port_takes_no_more_connections(relay: Relay, policy: Policy) -> None:
    """The listener closes at the bind."""
    with relay.call(policy) as call:
        a, b = call.join()
        if not is_closed(a.where.address):
            raise Failure("the bound leg's port still accepts")
        goes_on(a, b)


@check(166, policies=EITHER)
def two_may_wait_and_the_first_valid_bind_wins(relay: Relay, policy: Policy) -> None:
    """Whoever connected first."""
    rivals(relay, policy)


@check(167, control=True)
def who_dials_while_being_dialled_keeps_one_connection(relay: Relay, policy: Policy) -> None:
    """b waits to be dialled and has dialled; the relay's dial wins, b's second bind does not."""
    with relay.call(policy, "active", "passive") as call:
        call.agree()
        a, b = call.a, call.b
        own = b.dial()
        a.dial()
        a.send(bind())
        b.accept()
        b.wire.answer(b.wire.frame())
        if a.wire.frame().status != 200:
            raise Failure("a's bind was not answered")
        own.send(b.written(bind()))
        own.end()
        goes_on(a, b)


@check(168, policies=EITHER)
def a_fin_is_passed_on_behind_the_data(relay: Relay, policy: Policy) -> None:
    """And what b still says arrives."""
    with relay.call(policy) as call:
        a, b = call.join()
        last, answer = message(b"last" * 1000), message(b"good bye" * 1000)
        a.send(last)
        a.wire.fin()
        b.expect(last)
        b.wire.expect_end(how=End.FIN)
        b.send(answer)
        b.wire.fin()
        a.expect(answer)
        a.wire.expect_end(how=End.FIN)


@check(169)
def a_fin_inside_a_chunk_is_a_reset(relay: Relay, policy: Policy) -> None:
    """What was forwarded stays open: no clean end."""
    with relay.call(policy) as call:
        a, b = call.join()
        half = message(b"half" * 100)[:-30]
        a.send(half)
        b.expect(half)
        a.wire.fin()
        b.wire.expect_end(how=End.RESET)


@check(170, policies=EITHER)
def a_reset_is_passed_on(relay: Relay, policy: Policy) -> None:
    """Idle, and no silent stall."""
    with relay.call(policy) as call:
        a, b = call.join()
        a.wire.reset()
        b.wire.expect_end(how=End.RESET)


@check(171, policies=EITHER)
def a_reader_that_stops_holds_its_sender(relay: Relay, policy: Policy) -> None:
    """What the relay takes in is bounded: by socket buffers, 8 MiB at the very most."""
    with relay.call(policy) as call:
        a, b = call.join()
        head = request(b"SEND", b"Byte-Range: 1-*/*", body=b"").rpartition(b"\r\n-------")[0]
        a.send(head)
        taken = a.wire.fill()
        if taken > 16 * MIB:
            raise Failure(f"{taken} octets were taken for a peer that does not read")
        if not b.wire.is_open():
            raise Failure("the slow reader was cut off")


@check(172, policies=EITHER)
def both_directions_full_do_not_block_each_other(relay: Relay, policy: Policy) -> None:
    """4 MiB each way at once in chunks of 1 MiB."""
    template = b"".join(request(b"SEND", b"Byte-Range: 1-*/*", body=b"f" * MIB) for _ in range(4))
    with relay.call(policy) as call, ThreadPoolExecutor(2) as threads:
        a, b = call.join()
        for done in [threads.submit(party.deliver, template) for party in (a, b)]:
            done.result()


@check(173, policies=EITHER)
def a_half_closed_peer_still_hears(relay: Relay, policy: Policy) -> None:
    """a ends its direction first and says nothing; b's messages arrive."""
    with relay.call(policy) as call:
        a, b = call.join()
        a.wire.fin()
        b.wire.expect_end(how=End.FIN)
        said = message(b"still here")
        b.send(said)
        a.expect(said)


def reconnected(relay: Relay, policy: Policy) -> tuple[Party, Party]:
    """Both dial in, a is lost, both dial the same ports again without a word of SDP."""
    with relay.call(policy) as call:
        a, b = call.join()
        a.wire.reset()
        b.wire.end()
        # The port opens again behind the reset, not before it.
        call.retry = True
        goes_on(*call.connect())
        return a, b


@check(176, policies=EITHER, control=True)
def two_dialling_peers_may_come_back_without_sdp(relay: Relay, policy: Policy) -> None:
    """Within the reconnect window."""
    reconnected(relay, policy)


@check(177, policies=EITHER, control=True)
def a_freed_port_is_closed(relay: Relay, policy: Policy) -> None:
    """RST to a late dial."""
    with relay.call(policy) as call:
        a, b = call.join()
        call.delete()
        for party in (a, b):
            party.wire.end()
            await_closed(party.where.address, relay.patience)


@check(183, policies=EITHER, control=True)
def another_source_port_is_a_new_bind(relay: Relay, policy: Policy) -> None:
    """A NAT forgot a; it dials from elsewhere."""
    reconnected(relay, policy)

"""No descriptor is left: the relay waits, does not spin, and goes on when there is one again."""

from __future__ import annotations

import resource
import select

from ..conformance.cases.a_framer import goes_on
from ..peers.msrp import bind
from .conftest import Start
from .process import descriptors, processor_seconds

WATCHED_SECONDS = 1.0


def test_accepting_pauses_and_recovers(start: Start) -> None:
    daemon, relay = start()
    with relay.call("aware") as call:
        call.agree()
        _, hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
        full = max(descriptors(daemon.pid)) + 1
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (full, hard))
        spare = full - len(descriptors(daemon.pid))
        crowd = [call.a.dial() for _ in range(spare + 1)]
        late = call.a.dial()
        used = processor_seconds(daemon.pid)
        late.send(call.a.written(bind()))
        # Nobody is accepted meanwhile, and nobody spins.
        assert select.select([late.sock], [], [], WATCHED_SECONDS)[0] == []
        assert processor_seconds(daemon.pid) - used < WATCHED_SECONDS / 2
        daemon.ask("ping")
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (hard, hard))
        b = call.b
        b.dial()
        b.send(bind())
        b.wire.answer(b.wire.frame())
        late.answer(late.frame())
        for wire in (late, b.wire):
            assert wire.frame().status == 200
        call.a.wires = [*crowd, late]
        goes_on(call.a, b)


def test_an_offer_without_descriptors_is_a_load_limit(start: Start) -> None:
    daemon, relay = start()
    _, hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (max(descriptors(daemon.pid)) + 1, hard))
    with relay.call("aware") as call:
        reply = call.control.exchange(
            b"load_1", "offer",
            {**call.tags, "sdp": b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n"
             + call.a.section().replace("\n", "\r\n").encode(), "supports": ["load limit"]},
        )  # fmt: skip
        assert b"load limit" in reply
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (hard, hard))
        goes_on(*call.join())

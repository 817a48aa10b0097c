"""What hostile peers cost in memory. Figures are printed; run pytest with -s to see them.

`SLOW_READERS=2000` and `SLOW_OPENERS=4000` in the environment make it the full size.
"""

from __future__ import annotations

import contextlib
import os

import pytest

from ..conformance.cases.a_framer import goes_on
from ..peers.msrp import request
from .conftest import Start
from .process import held_by_kernel, resident

KIB, MIB = 1 << 10, 1 << 20
READERS = int(os.environ.get("SLOW_READERS", "30"))
OPENERS = int(os.environ.get("SLOW_OPENERS", "400"))
PER_PORT = 4
# A read that its receiver did not take is kept: one buffer for each direction that stands still.
RELAY_EACH = 320 * KIB
# limits.leg-buffer: one receive and one send buffer of 512 KiB; opaque, a pipe of up to 1 MiB.
KERNEL_EACH = 2304 * KIB
HEAD = request(b"SEND", b"Byte-Range: 1-*/*", body=b"").rpartition(b"\r\n-------")[0]


@pytest.mark.parametrize(
    ("said", "each"),
    [
        pytest.param(b"MSRP sl0wl0ris SEND\r\nTo-Path: ", 32 * KIB, id="a start"),
        pytest.param(b"MSRP sl0wl0ris SEND\r\n" + b"X-Long: %b\r\n" % (b"x" * 8000) * 7,
                     96 * KIB, id="nearly a whole header block"),
    ],
)  # fmt: skip
def test_slow_openers_cost_a_bounded_memory_each(start: Start, said: bytes, each: int) -> None:
    daemon, relay = start(ports=OPENERS // PER_PORT + 8)
    with contextlib.ExitStack() as held:
        calls = [held.enter_context(relay.call("aware")) for _ in range(OPENERS // PER_PORT // 2)]
        for call in calls:
            call.agree()
        before = resident(daemon.pid)
        for call in calls:
            for party in (call.a, call.b):
                for _ in range(PER_PORT):
                    party.dial().send(said)
        daemon.ask("ping")
        grown = resident(daemon.pid) - before
        print(f"\n{OPENERS} slow openers: {grown / KIB:.0f} KiB, {grown / OPENERS / KIB:.1f} each")
        assert grown < OPENERS * each
        # And the right peers still get in.
        for call in calls[:5]:
            goes_on(*call.connect())


def test_an_endless_chunk_costs_no_memory(start: Start) -> None:
    daemon, relay = start()
    with relay.call("aware") as call:
        a, _ = call.join()
        a.deliver(HEAD + b"x" * MIB)
        before = resident(daemon.pid)
        for _ in range(64):
            a.deliver(b"e" * MIB)
        grown = resident(daemon.pid) - before
        print(f"\n64 MiB of one chunk: {grown / KIB:.0f} KiB")
        assert grown < 2 * MIB


@pytest.mark.parametrize("policy", ["aware", "sessmatch"])
def test_slow_readers_cost_a_bounded_memory_each(start: Start, policy: str) -> None:
    """Every session has a sender that fills all there is, and a reader that reads nothing."""
    daemon, relay = start(ports=2 * READERS + 8)
    with contextlib.ExitStack() as held:
        calls = [held.enter_context(relay.call(policy)) for _ in range(READERS)]
        joined = [call.join() for call in calls]
        before = resident(daemon.pid)
        for a, _ in joined:
            a.send(HEAD)
            a.wire.fill(quiet=0.1)
        grown, kernel = resident(daemon.pid) - before, held_by_kernel(daemon.pid)
        print(f"\n{READERS} slow readers, {policy}: {grown / KIB / READERS:.0f} KiB each in the "
              f"relay, {kernel / KIB / READERS:.0f} KiB each in its sockets and pipes, "
              f"{(grown + kernel) / MIB:.0f} MiB together")  # fmt: skip
        assert grown < READERS * RELAY_EACH
        assert kernel < READERS * KERNEL_EACH
        assert daemon.ask("ping")["result"] == "pong"

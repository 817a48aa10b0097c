"""Peers whose TCP is odd: urgent data, a window that stays shut."""

from __future__ import annotations

import select

import pytest

from ..conformance.cases.a_framer import goes_on
from ..peers.msrp import message, request
from .conftest import Start

MIB = 1 << 20


@pytest.mark.parametrize("policy", ["aware", "sessmatch"])
def test_urgent_octets_stay_in_the_stream(start: Start, policy: str) -> None:
    _, relay = start()
    with relay.call(policy) as call:
        a, b = call.join()
        template = message(b"urgent!")
        written = a.written(template)
        at = written.index(b"!")
        a.wire.send(written[:at])
        a.wire.urgent(written[at : at + 1])
        a.wire.send(written[at + 1 :])
        b.expect(template)
        goes_on(a, b)


@pytest.mark.parametrize("policy", ["aware", "sessmatch"])
def test_a_shut_window_is_no_dead_peer(start: Start, policy: str) -> None:
    """Nothing is read for longer than unacknowledged data may wait, then all of it arrives."""
    _, relay = start({"timers.unacknowledged": 1, "timers.chunk-stall": 1,
                      "timers.keepalive-idle": 1, "timers.keepalive-interval": 1,
                      "timers.keepalive-count": 1})  # fmt: skip
    with relay.call(policy) as call:
        a, b = call.join()
        template = request(b"SEND", b"Byte-Range: 1-*/*", body=b"z" * (16 * MIB))
        written = a.written(template)
        a.wire.sock.setblocking(False)
        sent = 0
        while select.select([], [a.wire.sock], [], 0.3)[1]:
            sent += a.wire.sock.send(written[sent : sent + MIB])
        assert sent < len(written)
        # Both ends stay quiet and connected for three times each of those timers.
        assert select.select([a.wire.sock], [], [], 3.0)[0] == []
        arrived = b.read(template)
        from_here, got = memoryview(written)[sent:], 0
        b.wire.sock.setblocking(False)
        while got < len(arrived):
            readable, writable, _ = select.select(
                [b.wire.sock], [a.wire.sock] if from_here else [], [], 5.0
            )
            assert readable or writable, f"{got} octets arrived"
            if writable:
                from_here = from_here[a.wire.sock.send(from_here) :]
            if readable:
                piece = b.wire.sock.recv(MIB)
                assert piece == arrived[got : got + len(piece)]
                assert piece
                got += len(piece)
        goes_on(a, b)

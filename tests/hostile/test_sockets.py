"""How the relay's sockets are set, read from the running daemon."""

from __future__ import annotations

import socket

import pytest

from ..conformance.cases.a_framer import goes_on
from .conftest import Start
from .process import sockets


def test_legs_are_probed_and_do_not_wait_to_send(start: Start) -> None:
    daemon, relay = start({"timers.keepalive-idle": 41, "timers.keepalive-interval": 7})
    # One leg is accepted, the other dialled.
    with relay.call("aware", "active", "passive") as call:
        goes_on(*call.join())
        options = [
            (
                leg.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
                leg.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                leg.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
                leg.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
                leg.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE),
            )
            for leg in sockets(daemon.pid)
            if connected(leg)
        ]
    assert options == [(1, 1, 41, 7, 1)] * 2


@pytest.mark.parametrize(
    ("given", "option", "value"),
    [
        pytest.param({}, socket.TCP_USER_TIMEOUT, 60_000, id="time"),
        pytest.param({"timers.unacknowledged": 0}, socket.TCP_USER_TIMEOUT, 0, id="no-time"),
        pytest.param(
            {"timers.unacknowledged": 0, "timers.keepalive-count": 5},
            socket.TCP_KEEPCNT,
            5,
            id="probes",
        ),
    ],
)
def test_a_dead_peer_is_told_by_time_or_by_probes(
    start: Start, given: dict[str, int], option: int, value: int
) -> None:
    daemon, relay = start(given)
    with relay.call("aware", "active", "passive") as call:
        goes_on(*call.join())
        legs = (leg for leg in sockets(daemon.pid) if connected(leg))
        assert [leg.getsockopt(socket.IPPROTO_TCP, option) for leg in legs] == [value] * 2


def connected(leg: socket.socket) -> bool:
    try:
        leg.getpeername()
    except OSError:
        return False
    return True

"""A peer whose machine is gone: no FIN, no RST, nothing."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from ..conformance.call import Call
from ..conformance.relay import NgRelay
from ..interop.conftest import _namespaces_allowed, lab
from ..interop.namespaces import Lab, Namespace
from ..peers.daemon import Daemon
from ..peers.msrp import message
from ..peers.wire import End

__all__ = ["_namespaces_allowed", "lab"]
SETTINGS = {
    "timers.keepalive-idle": 1.0,
    "timers.keepalive-interval": 1.0,
    "timers.keepalive-count": 2,
    "timers.unacknowledged": 2.0,
}
RELAY, ALICE, BOB = "10.9.1.1", "10.9.1.2", "10.9.2.2"
NOTICED_SECONDS = 20.0


class Network:
    """The relay's machine and those of two peers; the peers' sockets stay where they were made."""

    def __init__(self, lab: Lab) -> None:
        self.relay, self.a, self.b = (lab.namespace(role) for role in ("relay", "alice", "bob"))
        lab.wire(self.relay, self.a, "10.9.1.0/30")
        lab.wire(self.relay, self.b, "10.9.2.0/30")
        self.b.ip("route", "add", "default", "via", "10.9.2.1")

    def vanish(self, peer: Namespace) -> None:
        """The cable of a peer is cut."""
        peer.ip("link", "set", "relay", "down")

    @contextlib.contextmanager
    def joined(self, daemon: Daemon) -> Iterator[Call]:
        """A call between both machines."""
        ng = self.relay.socket(socket.AF_INET, socket.SOCK_DGRAM)
        ng.connect(daemon.ng_address)
        with NgRelay(daemon.ng_address, control=ng).call("aware") as call:
            call.a.host, call.b.host = ALICE, BOB
            call.agree()
            call.a.make = lambda: self.a.socket(socket.AF_INET, socket.SOCK_STREAM)
            call.b.make = lambda: self.b.socket(socket.AF_INET, socket.SOCK_STREAM)
            call.connect()
            yield call


@pytest.mark.parametrize("talks", [False, True], ids=["idle", "while it is spoken to"])
def test_a_peer_that_vanishes_is_noticed(lab: Lab, talks: bool) -> None:
    """By keepalive probes, or by what stays unacknowledged; then the other one is reset."""
    network = Network(lab)
    command = ["ip", "netns", "exec", network.relay.name]
    with (
        Daemon(SETTINGS, command=command, interfaces=(f"test/{RELAY}",), ports=8) as daemon,
        network.joined(daemon) as call,
    ):
        network.vanish(network.b)
        if talks:
            call.a.send(message(b"is anybody there"))
        call.a.wire.patience = NOTICED_SECONDS
        assert call.a.wire.end() is End.RESET
        told = call.query()["msrp"]["sessions"][0]
        assert told["reason"] == "peer-timeout"
        assert told["sentence"].startswith("Side b")

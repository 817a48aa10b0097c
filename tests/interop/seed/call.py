"""A call between the two clients, with a witness of what each of them sends."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from ..namespaces import Namespace
from .laboratory import HERE, Clients, Network, Side
from .splicer import MODULUS, SYN, Segment

ETH_P_IP = 0x0800
LARGEST_PACKET = 65535
SYN_SECONDS = 20.0
OUTCOME_SECONDS = 45.0
# Clocks closer than this (ms) prove nothing: a short call's segments would all come in order.
CLOCKS_APART = 60_000


@contextlib.contextmanager
def dialled(
    network: Network, clients: Clients, targets: Sequence[str], arguments: Sequence[str]
) -> Iterator[Call]:
    """Both clients dial `targets`, the URIs they were given; stopped at the end of the block."""
    with contextlib.ExitStack() as stack:
        witnesses = [Witness(network.middle, client) for client in network.clients]
        for witness, client in zip(witnesses, network.clients, strict=True):
            stack.callback(witness.close)
            stack.callback(client.stop_processes)
        call = Call(network, witnesses)
        call.dial(clients, targets, arguments)
        yield call


class Call:
    """One call: two peers that dial, two witnesses, and what the kernels counted meanwhile."""

    def __init__(self, network: Network, witnesses: Sequence[Witness]) -> None:
        self.witnesses = witnesses
        self._network = network
        self._drops_before = network.paws_drops()

    def dial(self, clients: Clients, targets: Sequence[str], arguments: Sequence[str]) -> None:
        script = [sys.executable, "-I", "-S", str(HERE / "peer.py"), *arguments]
        ends = zip(clients, clients.uris(), targets, strict=True)
        self._peers = [
            client.spawn([*script, "--local", local, "--own", own, "--other", other])
            for client, (local, own, other) in zip(self._network.clients, ends, strict=True)
        ]

    def higher_clock(self) -> Side | None:
        """Who dials with the higher timestamp clock; None if they are too close to tell."""
        first, second = (timestamp(witness.syn()) for witness in self.witnesses)
        ahead = (first - second + MODULUS // 2) % MODULUS - MODULUS // 2
        if abs(ahead) < CLOCKS_APART:
            return None
        return 0 if ahead > 0 else 1

    def outcome(self, side: int) -> dict[str, Any]:
        """What a peer reports (`peer.Outcome`), once it has ended."""
        report = self._peers[side].communicate(timeout=OUTCOME_SECONDS)[0]
        return dict(json.loads(report))

    def hang_up(self, side: int) -> None:
        """Ends a peer's session from outside, as a BYE does."""
        self._peers[side].terminate()

    def paws_drops(self) -> list[int]:
        """Segments each client rejected for their old timestamp since the call began."""
        pairs = zip(self._network.paws_drops(), self._drops_before, strict=True)
        return [now - before for now, before in pairs]


class Witness:
    """Sees what one client sends, on the middle's end of the wire."""

    def __init__(self, middle: Namespace, client: Namespace) -> None:
        self._tap = middle.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
        self._tap.bind((client.role, ETH_P_IP))
        self.segments: list[Segment] = []

    def syn(self) -> Segment:
        """The client's first SYN, waited for."""
        self._tap.settimeout(SYN_SECONDS)
        while not (found := [seen for seen in self.segments if seen.flags & SYN]):
            self._take(self._tap.recv(LARGEST_PACKET))
        return found[0]

    def after_syn(self) -> list[Segment]:
        """What the client has sent on this connection since its SYN, repeated SYNs left out."""
        self._tap.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._take(self._tap.recv(LARGEST_PACKET))
        caller = self.syn().source
        return [
            segment
            for segment in self.segments
            if segment.source == caller and not segment.flags & SYN
        ]

    def close(self) -> None:
        self._tap.close()

    def _take(self, packet: bytes) -> None:
        if segment := Segment.read(packet):
            self.segments.append(segment)


def timestamp(segment: Segment) -> int:
    """TSval; a segment without one means that this is not the seed's network."""
    assert segment.timestamps, "the client sent no TCP timestamp"
    return segment.timestamps[0]

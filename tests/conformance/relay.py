"""The relay under test: one that is driven by ng, or one of two ports without control."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from ..peers import sdp
from ..peers.ng import Ng
from ..peers.wire import Address, Failure, Listener, Wire
from .call import Call, Party, uri

# Seconds: the defaults of a relay that was not told otherwise.
TIMERS = {
    "offer": 200.0,
    "gate": 10.0,
    "join": 30.0,
    "own_bind": 10.0,
    "grace": 5.0,
    "chunk_stall": 60.0,
    "delete_delay": 5.0,
    "idle": 3.0,
}
_serial = itertools.count(1)
HERE = "127.0.0.1"


class Relay(Protocol):
    """What checks need of a relay."""

    @property
    def patience(self) -> float:
        """Seconds that anything may take."""

    @property
    def timers(self) -> Mapping[str, float]:
        """What its timers are set to, in seconds."""

    def call(
        self,
        policy: str,
        offered: str | None = "active",
        answered: str | None = "active",
        *,
        relays_a: Sequence[str] = (),
        relays_b: Sequence[str] = (),
        flags: Mapping[str, object] | None = None,
        receive_buffer: int | None = None,
        listens: str | None = None,
    ) -> contextlib.AbstractContextManager[Call]:
        """A call of two parties, ended with the block; see :class:`Call`."""


class NgRelay:
    """A relay that a SIP server drives by ng; `peer_host` is where its peers are.

    `control` is a socket that is connected to its control port already.
    """

    def __init__(
        self,
        address: Address,
        *,
        patience: float = 5.0,
        timers: Mapping[str, float] = TIMERS,
        peer_host: str = "127.0.0.1",
        control: socket.socket | None = None,
    ) -> None:
        self.address = address
        self.control = control
        self.patience = patience
        self.timers = {**TIMERS, **timers}
        self.peer_host = peer_host

    @contextlib.contextmanager
    def call(
        self,
        policy: str,
        offered: str | None = "active",
        answered: str | None = "active",
        *,
        relays_a: Sequence[str] = (),
        relays_b: Sequence[str] = (),
        flags: Mapping[str, object] | None = None,
        receive_buffer: int | None = None,
        listens: str | None = None,
    ) -> Iterator[Call]:
        """`relays_a` are URIs in front of a's own in its path (RFC 4976).

        `listens` names the sides that wait to be dialled where a=setup does not say it.
        """
        if listens is None:
            listens = "a" * (offered == "passive") + "b" * (answered != "active")
        a = self._party("a", policy, offered, "a" in listens, relays_a, receive_buffer)
        b = self._party("b", policy, answered, "b" in listens, relays_b, receive_buffer)
        ng = Ng(*self.address, self.patience, sock=self.control)
        call_id = f"conformance-{os.getpid()}-{next(_serial)}"
        call = Call(a, b, ng, call_id, {"msrp-path": policy, "direction": [], **(flags or {})})
        try:
            yield call
        finally:
            call.close()
            ng.close()

    def _party(
        self,
        side: str,
        policy: str,
        setup: str | None,
        waits: bool,
        relays: Sequence[str],
        receive_buffer: int | None,
    ) -> Party:
        host, listener = self.peer_host, None
        if waits:
            listener = Listener(host, self.patience, receive_buffer=receive_buffer)
        port = listener.port if listener else 9
        path = (*relays, uri(host, port))
        extra = "a=msrp-cema\n" if policy == "cema" else ""
        return Party(side, host, policy, setup, path, listener, self.patience, extra=extra)


class TwoPortRelay:
    """A relay that joins whoever comes to its two ports; nobody tells it anything.

    Its peers were told, by whoever writes their SDP, that the other one is behind it.
    """

    def __init__(
        self,
        addresses: tuple[Address, Address],
        *,
        patience: float = 5.0,
        timers: Mapping[str, float] = TIMERS,
    ) -> None:
        self.addresses = addresses
        self.patience = patience
        self.timers = {**TIMERS, **timers}

    @contextlib.contextmanager
    def call(
        self,
        policy: str,
        offered: str | None = "active",
        answered: str | None = "active",
        *,
        relays_a: Sequence[str] = (),
        relays_b: Sequence[str] = (),
        flags: Mapping[str, object] | None = None,
        receive_buffer: int | None = None,
        listens: str | None = None,
    ) -> Iterator[Call]:
        """Both dial whatever a=setup says: nobody else can."""
        a, b = (
            Party(side, HERE, policy, "active", (*relays, uri(HERE, 9)), None, self.patience)
            for side, relays in (("a", relays_a), ("b", relays_b))
        )
        call = Call(a, b, None, "", {}, retry=True)
        for party, other, (host, port) in zip((a, b), (b, a), self.addresses, strict=True):
            session_id = other.path[0].partition(";")[0].rpartition("/")[2]
            path = (f"msrp://{host}:{port}/{session_id};tcp",)
            party.told = sdp.Told("", port, host, path, "passive")
        try:
            yield call
        finally:
            call.close()
            self._flush(call)

    def _flush(self, call: Call) -> None:
        """Such a relay still waits for the seconds of pairs: they must not join the next call."""
        for _ in range(len(call.a.wires) - len(call.b.wires)):
            with contextlib.suppress(Failure):
                Wire.dial(self.addresses[1], self.patience, retry=True).close()

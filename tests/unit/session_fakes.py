"""An engine, a clock and SDPs for the tests of the table of calls."""

from __future__ import annotations

import errno
import heapq
import itertools
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from msrprelay.commands import (
    Answer,
    Delete,
    Drain,
    List,
    Offer,
    Origin,
    Query,
    Reply,
    Rollback,
    Terminate,
)
from msrprelay.dataplane import Filled, LegAnswer, LegOpen, Notice, OpenError
from msrprelay.events import Event, Feed
from msrprelay.journal import Moment
from msrprelay.net.dial import Address, DialPolicy
from msrprelay.net.interfaces import Interface, Interfaces
from msrprelay.net.ports import PortPool
from msrprelay.process.state import State
from msrprelay.rpc.reply_cache import ReplyCache
from msrprelay.sessions import Admission, Ledger, Ports, Room, Rules, Sessions
from msrprelay.strain import Strained

ORIGIN = Origin("test", "", 0)
RELAY = Interface.parse("pub/192.0.2.10")
RELAY6 = Interface.parse("pub/2001:db8::10")


class Clock:
    """A scheduler whose time passes when it is told to."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._cancelled: set[int] = set()
        self.spawned: list[Awaitable[None]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        number = next(self._order)
        heapq.heappush(self._queue, (when, number, callback))
        return lambda: self._cancelled.add(number)

    def spawn(self, work: Awaitable[None]) -> None:
        self.spawned.append(work)

    def pass_time(self, seconds: float) -> None:
        until = self.now + seconds
        while self._queue and self._queue[0][0] <= until:
            when, number, callback = heapq.heappop(self._queue)
            self.now = max(self.now, when)
            if number not in self._cancelled:
                callback()
        self.now = until


class FakeSession:
    """What the control plane did to one session of the engine."""

    def __init__(self, plane: FakePlane, number: int, policy: str, legs: list[LegOpen]) -> None:
        self.id = number
        self.policy = policy
        self.legs = legs
        self.answers: list[tuple[LegAnswer, LegAnswer]] = []
        self.dialled: list[tuple[str, list[tuple[str, int]] | None]] = []
        self.closing: tuple[str, float] | None = None
        self.paused = False
        # Sides that are let in before the answer to a re-offer.
        self.asked: set[str] = set()
        self.state = "offered"
        self.reason = ""
        self._plane = plane

    def answer(self, a: LegAnswer, b: LegAnswer) -> None:
        if self._plane.adopted and self.answers and self.answers[-1] == (a, b):
            # It has heard that before.
            return
        self.answers.append((a, b))
        self.asked.clear()
        if self.state == "offered":
            self.state = "answered"

    def dial(self, side: str, addresses: list[tuple[str, int]] | None) -> None:
        self.dialled.append((side, addresses))

    def reoffer(self, side: str) -> None:
        self.asked.add(side)

    def settle(self, side: str) -> None:
        self.asked.discard(side)

    def pause(self, paused: bool) -> None:
        self.paused = paused

    def close(self, reason: str, linger_seconds: float) -> None:
        if self.closing is None:
            self.closing = (reason, linger_seconds)
            self._plane.closing.append(self)

    def report(self) -> dict[str, Any]:
        connected = self.state in ("joined", "draining")
        leg = {
            "role": "",
            "state": "joined" if connected else "listening",
            "peer-address": "198.51.100.7" if connected else "",
            "peer-port": 0,
            "bytes-in": 10,
            "bytes-out": 20,
            "chunks": 1,
            "reason": "",
        }
        legs = [
            {**leg, "side": side, "local-address": each.address, "local-port": each.port}
            for side, each in zip("ab", self.legs, strict=True)
        ]
        return {"state": self.state, "reason": self.reason, "sentence": "", "legs": legs}

    def events(self) -> list[dict[str, Any]]:
        refused = {"address": "192.0.2.7", "reason": "source"}
        return [
            {"at": 5, "side": "a", "what": "accepted", "n": 1},
            {"at": 6, "side": "a", "what": "refused", "n": 1, **refused},
        ]


class FakePlane:
    """An engine that listens nowhere. ``taken`` ports cannot be bound."""

    def __init__(self) -> None:
        self.opened: list[FakeSession] = []
        self.closing: list[FakeSession] = []
        # A new process goes on with it, and may tell it again what it has heard.
        self.adopted = False
        # Nobody has heard of these yet.
        self.untold: list[Notice] = []
        self.taken: set[int] = set()
        self.errno: int | None = errno.EADDRINUSE
        self.strerror = "taken"

    def open(
        self, policy: str, a: LegOpen, b: LegOpen, *, tos: int | None, idle_seconds: float | None
    ) -> FakeSession:
        for side, leg in (("a", a), ("b", b)):
            if leg.port in self.taken:
                error = OpenError(self.errno, self.strerror)
                error.side = side
                raise error
        self.opened.append(FakeSession(self, len(self.opened) + 1, policy, [a, b]))
        return self.opened[-1]

    def sessions(self) -> list[int]:
        return [session.id for session in self.opened if session.state != "closed"]

    def session(self, number: int) -> FakeSession | None:
        return self.opened[number - 1] if number in self.sessions() else None

    def notices(self) -> list[Notice]:
        told, self.untold = self.untold, []
        return told


class LowestFirst(PortPool):
    """Leases the lowest free port."""

    def lease(self, now: float) -> int:
        self._wake(now)
        self._free.sort(reverse=True)
        return super().lease(now)


def last(stop: int) -> int:
    """No chance: always the last one."""
    return stop - 1


class Lab:
    """A table of calls with a fake engine and a virtual clock, and what it leaves when killed."""

    # Whether the process is killed after whatever it does.
    mortal = False

    def __init__(
        self,
        *,
        ports: int = 8,
        max_sessions: int = 100,
        descriptors: int = 1000,
        offers_per_second: int = 0,
        interfaces: tuple[Interface, ...] = (RELAY, RELAY6),
        **rules: Any,
    ) -> None:
        self.clock = Clock()
        self.strained: Strained | None = None
        self.events: list[Event] = []
        self.plane = FakePlane()
        self.addresses: list[Address] = []
        self.boot = "first"
        self.wall = 1e9
        # Those of the next process.
        self.interfaces = interfaces
        self._ports = ports
        self._room = Room(max_sessions, descriptors, offers_per_second)
        self._rules = rules
        self.inherited: dict[str, int] = {}
        self._held: dict[str, int] = {}
        self._begin(State(link=self, moment=self.moment))

    def moment(self) -> Moment:
        return Moment(self.boot, self.wall + self.clock.now, self.clock.now)

    def kill(self) -> None:
        """Only the engine and what the keeper holds go on, in another process."""
        self._end()
        self.plane.adopted = True
        self._begin(self._successor(adopted=True))
        self.plane.adopted = False

    def reboot(self, away: float = 0.0, taken: set[int] | None = None) -> None:
        """Only the journal is left, after so many seconds; ``taken`` ports are others'."""
        self._end()
        self.wall += self.clock.now + away
        self.boot += "+"
        self.clock.now = 5.0
        self.wall -= self.clock.now
        self.plane = FakePlane()
        self.plane.taken = taken or set()
        self._begin(self._successor(adopted=False))

    def _successor(self, *, adopted: bool) -> State:
        self.inherited = {name: os.dup(fd) for name, fd in self._held.items()}
        return State(link=self, adopted=adopted, moment=self.moment)

    def done(self) -> None:
        """A reply leaves, or a notice has been taken."""
        self.state.flush()
        if self.mortal:
            self.kill()

    def _end(self) -> None:
        for work in self.clock.spawned:
            work.close()  # type: ignore[attr-defined]
        if self.state.journal is not None:
            self.state.journal.close()
        self.clock = Clock(self.clock.now)

    def hold(self, name: str, descriptor: int) -> None:
        if name in self._held:
            os.close(self._held[name])
        self._held[name] = os.dup(descriptor)

    def __del__(self) -> None:
        self._end()
        for fd in self._held.values():
            os.close(fd)

    def _begin(self, state: State) -> None:
        self.state = state
        self.ledger = Ledger(state.journal)
        pools: list[PortPool] = []

        def new_pool() -> PortPool:
            pools.append(LowestFirst(range(20000, 20000 + self._ports), quarantine=60.0))
            pools[-1]._below = last
            return pools[-1]

        ports = Ports(self.plane, self.interfaces, new_pool, self.clock.time, self.ledger)  # type: ignore[arg-type]
        # That of the first interface.
        self.pool = pools[0]
        self.admission = Admission(self._room, self.clock.time, lambda: self.strained)
        feed = Feed()
        feed.listen(self.events.append)
        self.cache = ReplyCache(journal=state.journal)
        self.sessions = Sessions(
            replace(RULES, interfaces=Interfaces(self.interfaces), **self._rules),
            ports,
            self.clock,
            self.resolve,
            self.admission,
            feed,
            self.ledger,
        )
        state.restore(self.sessions, self.cache, self.plane, {})  # type: ignore[arg-type]

    async def resolve(self, host: str, port: int) -> list[Address]:
        return self.addresses

    def settle(self, reason: str = "deleted") -> None:
        """The engine closes what it was told to close."""
        for session in self.plane.closing:
            self.close(session, reason)
        self.plane.closing.clear()

    def close(self, session: FakeSession, reason: str) -> None:
        session.state, session.reason = "closed", reason
        self.notice(session, "closed", None, reason)

    def join(self, session: FakeSession) -> None:
        session.state = "joined"
        self.notice(session, "joined")

    def lose(self, session: FakeSession, side: str = "a") -> None:
        session.state = "draining"
        self.notice(session, "leg-lost", side, "fin")

    def wait(self, session: FakeSession) -> None:
        session.state = "reconnecting"
        self.notice(session, "reconnecting", "a", "peer-reset")

    def notice(
        self, session: FakeSession, what: str, side: str | None = None, reason: str | None = None
    ) -> None:
        self.sessions.notice(Notice(session.id, what, side, reason))
        self.done()


RULES = Rules(
    interfaces=Interfaces([RELAY, RELAY6]),
    dialling=DialPolicy(own=frozenset({ip_address("192.0.2.10")})),
    policies={},
    offer_timeout=200.0,
    delete_delay=5.0,
    reconnect_window=30.0,
    idle=None,
    final=None,
    delete_pending="rollback",
    mark="relay-1",
    sections_per_call=2,
    sdp_size=65536,
    sdp_sections=64,
)

SAID: dict[str, Any] = {"origin": ORIGIN, "call_id": "call-1", "from_tag": "alice"}


def sdp(
    host: str = "198.51.100.7",
    port: int = 7654,
    *,
    setup: str | None = "active",
    session_id: str = "aliceid",
    extra: str = "",
    proto: str = "TCP/MSRP",
    sections: int = 1,
) -> bytes:
    """An SDP with MSRP sections of one endpoint."""
    family = "IP6" if ":" in host else "IP4"
    inside = f"[{host}]" if ":" in host else host
    scheme = "msrps" if "TLS" in proto else "msrp"
    section = (
        f"m=message {port} {proto} *\r\n"
        "a=accept-types:text/plain\r\n"
        f"a=path:{scheme}://{inside}:{port or 9}/{session_id};tcp\r\n"
        + (f"a=setup:{setup}\r\n" if setup else "")
        + extra
    )
    head = f"v=0\r\no=- 1 1 IN {family} {host}\r\ns=-\r\nc=IN {family} {host}\r\nt=0 0\r\n"
    return (head + section * sections).encode()


BOB = sdp("203.0.113.9", 9000, session_id="bobid")


def offer(body: bytes = sdp(), **said: Any) -> Offer:
    return Offer(**{**SAID, "sdp": body, **said})


def answer(body: bytes = BOB, **said: Any) -> Answer:
    return Answer(**{**SAID, "sdp": body, "to_tag": "bob", **said})


def delete(**said: Any) -> Delete:
    return Delete(**{**SAID, **said})


def rollback(**said: Any) -> Rollback:
    return Rollback(**{**SAID, **said})


def drain(*, off: bool = False) -> Drain:
    return Drain(ORIGIN, off)


def query(call_id: str = "call-1", *, ended: bool = False) -> Query:
    return Query(ORIGIN, call_id, None, None, ended)


def listing(limit: int = 32) -> List:
    return List(ORIGIN, limit)


def plain(value: Any) -> Any:
    """A reply as it reads when it has been written."""
    if isinstance(value, Filled):
        value = value.plain()
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


def send(lab: Lab, request: Any) -> Reply:
    """Have a command carried out, as a transport does."""
    command = type(request).__name__.lower()
    try:
        reply: Reply = plain(getattr(lab.sessions, command)(request))
        return reply
    finally:
        lab.done()


def terminate(call_id: str | None) -> Terminate:
    return Terminate(ORIGIN, call_id)

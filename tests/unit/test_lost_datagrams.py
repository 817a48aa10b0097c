"""Datagrams are lost, doubled and reordered, and the relay is killed: in the end nobody can tell.

SIP workers repeat a request with the same cookie until a reply comes, and after some tries give
up, as stock Kamailio does (rtpengine_retr, rtpengine_tout_ms). The clock is virtual.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msrprelay.commands import Origin
from msrprelay.process.surface import Surface
from msrprelay.rpc import bencode
from msrprelay.rpc.dispatcher import Dispatcher
from msrprelay.rpc.ng import NgResponder

from .session_fakes import FakeSession, Lab, listing, sdp

TIMEOUT, TRIES = 1.0, 5
LOST, DOUBLED, LATEST = 0.3, 0.3, 0.4
# A worker may have got a retransmitted INVITE before the transaction existed: it offers too.
TWINS = 0.3
# How often a datagram finds a relay that is killed: before it is read, at its work, or behind it.
KILLED = 0.1
TALK, JOIN = 20.0, 30.0
# Longer than all stories, retries and timers together.
SETTLED = 1000.0

Line = tuple[str, dict[str, object]]


def story(kind: str, call: int) -> list[Line]:
    """What the SIP server asks about one call, one request after the other."""
    tags: dict[str, object] = {"call-id": f"call-{call}", "from-tag": f"a{call}"}
    both = {**tags, "to-tag": f"b{call}"}
    offer: Line = ("offer", {**tags, "sdp": sdp(session_id=f"first-{call}")})
    answer: Line = ("answer", {**both, "sdp": sdp("203.0.113.9", 9000, session_id=f"bob-{call}")})
    again: Line = ("offer", {**both, "sdp": sdp(session_id=f"second-{call}")})
    delete: Line = ("delete", {**tags, "delete delay": 0})
    talk: Line = ("talk", {})
    stories: dict[str, list[Line]] = {
        "never-answered": [offer],
        "cancelled": [offer, delete],
        "talking": [offer, answer, talk],
        "over": [offer, answer, talk, delete],
        "re-offered": [offer, answer, talk, again, answer, talk],
        "re-offered-and-over": [offer, answer, again, answer, talk, delete],
        "re-offer-forgotten": [offer, answer, talk, again],
        "re-offer-rejected": [offer, answer, talk, again, delete, talk],
        "re-offer-rejected-and-over": [offer, answer, again, delete, talk, delete],
    }
    return stories[kind]


KINDS = [
    "never-answered",
    "cancelled",
    "talking",
    "over",
    "re-offered",
    "re-offered-and-over",
    "re-offer-forgotten",
    "re-offer-rejected",
    "re-offer-rejected-and-over",
]


class Net:
    """A network with its own time: what is sent arrives late, twice, or never."""

    def __init__(
        self, lab: Lab, chance: random.Random, *, faulty: bool, deadly: bool = False
    ) -> None:
        self.lab = lab
        self.chance = chance
        self.faulty = faulty
        self.deadly = deadly
        self._responder = self._begin()
        # Sessions of the engine, by id: timed for the join, joined, and gone by themselves.
        self.timed: set[int] = set()
        self.joined: set[int] = set()
        self.gone: set[int] = set()
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order: Iterator[int] = itertools.count()

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self.lab.clock.now + seconds, next(self._order), what))

    def carry(self, what: Callable[[], None]) -> None:
        """Deliver something soon, if it is not lost."""
        copies = 1 + (self.faulty and self.chance.random() < DOUBLED)
        for _ in range(copies):
            if not self.faulty:
                self.after(0.001, what)
            elif self.chance.random() >= LOST:
                self.after(self.chance.uniform(0.001, LATEST), what)

    def ask(self, datagram: bytes, origin: Origin) -> bytes | None:
        """The relay's reply; None: it was killed before it could give one."""
        end = self.chance.choice(ENDS) if self.deadly and self.chance.random() < KILLED else ""
        if end == "before":
            self._kill()
            return None
        try:
            if end == "amid":
                self._responder._flush = killed
            reply = self._responder.answer(datagram, origin, self.lab.clock.now)
        except Killed:
            self._kill()
            return None
        if end == "behind":
            self._kill()
        assert reply is not None
        return reply

    def _kill(self) -> None:
        self.lab.kill()
        self._responder = self._begin()

    def _begin(self) -> NgResponder:
        lab = self.lab
        return NgResponder(
            Dispatcher(Surface(lab.sessions, dict, dict, dict), clock=lab.clock.time),
            lab.cache,
            clock=lab.clock.time,
            flush=lab.state.flush,
        )

    def run(self, until: float) -> None:
        while self._queue and self._queue[0][0] <= until:
            when, _, what = heapq.heappop(self._queue)
            self.lab.clock.pass_time(max(0.0, when - self.lab.clock.now))
            self.lab.settle()
            what()
            self.lab.settle()
        self.lab.clock.pass_time(until - self.lab.clock.now)
        self.lab.settle()


ENDS = ("before", "amid", "behind")


class Killed(BaseException):
    """The relay is no more."""


def killed() -> None:
    raise Killed


class Worker:
    """A SIP worker with a socket of its own, and the two endpoints of its call."""

    def __init__(self, net: Net, call: int, kind: str) -> None:
        self.net = net
        self.call = call
        self.kind = kind
        self.gave_up = False
        self._origin = Origin("udp", "127.0.0.1", 5000 + call)
        self._lines = iter(story(kind, call))
        self._cookies = itertools.count()
        self._waiting: set[bytes] = set()

    @property
    def lives(self) -> bool:
        """Whether the call is meant to live on."""
        return self.kind in LIVING and not self.gave_up

    def go_on(self) -> None:
        command, fields = next(self._lines, ("end", {}))
        if command == "talk":
            self._join()
            self.net.after(TALK, self.go_on)
        elif command != "end":
            self._ask(command, fields, self.go_on)
            if command == "offer" and self.net.faulty and self.net.chance.random() < TWINS:
                self._ask(command, fields, lambda: None)
        elif not self.lives:
            # After a BYE the endpoints close their connections, whatever the relay knows.
            self.net.after(TALK, self._hang_up)

    def _ask(self, command: str, fields: dict[str, object], then: Callable[[], None]) -> None:
        body = bencode.encode({**fields, "command": command})
        cookie = b"%d_%d" % (self._origin.port, next(self._cookies))
        self._waiting.add(cookie)
        self._send(cookie, body, TRIES, then)

    def _send(self, cookie: bytes, body: bytes, tries: int, then: Callable[[], None]) -> None:
        if cookie not in self._waiting:
            return
        if not tries:
            # The SIP server goes another way, and endpoints that cannot talk hang up.
            self.gave_up = True
            self.net.after(TALK, self._hang_up)
            return
        self.net.carry(lambda: self._arrive(cookie, body, then))
        self.net.after(TIMEOUT, lambda: self._send(cookie, body, tries - 1, then))

    def _arrive(self, cookie: bytes, body: bytes, then: Callable[[], None]) -> None:
        reply = self.net.ask(cookie + b" " + body, self._origin)
        if reply is None:
            return
        for session in self._sessions():
            if session.answers and session.id not in self.net.timed:
                # The engine waits for both legs no longer than this.
                self.net.timed.add(session.id)
                self.net.after(JOIN, lambda late=session: self._miss(late))  # type: ignore[misc]
        self.net.carry(lambda: self._hear(cookie, reply, then))

    def _hear(self, cookie: bytes, reply: bytes, then: Callable[[], None]) -> None:
        if cookie not in self._waiting or self.gave_up:
            return
        self._waiting.discard(cookie)
        fields, _ = bencode.decode(reply, len(cookie) + 1)
        assert isinstance(fields, dict)
        assert fields["result"] == b"ok", fields
        then()

    def _sessions(self) -> list[FakeSession]:
        mark = b"first-%d;" % self.call
        opened = self.net.lab.plane.opened
        return [session for session in opened if mark in b" ".join(session.legs[0].peer_path)]

    def _join(self) -> None:
        for session in self._sessions():
            if session.answers and session.id not in self.net.joined | self.net.gone:
                self.net.joined.add(session.id)
                self.net.lab.join(session)

    def _miss(self, session: FakeSession) -> None:
        if session.id not in self.net.joined:
            self._lose(session, "join-timeout")

    def _hang_up(self) -> None:
        for session in self._sessions():
            self._lose(session, "hangup")

    def _lose(self, session: FakeSession, reason: str) -> None:
        if session.id not in self.net.gone and session.closing is None:
            self.net.gone.add(session.id)
            self.net.lab.close(session, reason)


def played(
    kinds: list[str], seed: int, *, faulty: bool, deadly: bool = False
) -> tuple[Lab, list[Worker]]:
    """The relay after all stories have been told and all timers have passed."""
    lab = Lab(ports=16 * len(kinds))
    net = Net(lab, random.Random(seed), faulty=faulty, deadly=deadly)
    workers = [Worker(net, call, kind) for call, kind in enumerate(kinds)]
    for worker in workers:
        worker.go_on()
    net.run(SETTLED)
    return lab, workers


def state(lab: Lab, worker: Worker) -> object:
    """What the relay knows about a call: nothing, or who talks to whom."""
    if f"call-{worker.call}" not in lab.sessions.list(LISTING)["calls"]:  # type: ignore[operator]
        return None
    (session,) = [session for session in worker._sessions() if session.closing is None]
    return [leg.peer_path for leg in session.answers[-1]]


LISTING = listing(1000)
LIVING = frozenset({"talking", "re-offered", "re-offer-forgotten", "re-offer-rejected"})


@pytest.mark.parametrize("kind", KINDS)
def test_without_loss_each_story_ends_as_it_should(kind: str) -> None:
    lab, (worker,) = played([kind], 0, faulty=False)
    assert (state(lab, worker) is not None) == worker.lives
    assert lab.pool.leased == 2 * worker.lives


@settings(deadline=None, max_examples=150)
@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=8),
    seed=st.integers(0, 2**32),
)
def test_with_loss_the_end_is_the_same_and_no_port_is_leaked(kinds: list[str], seed: int) -> None:
    compare(kinds, seed, deadly=False)


@settings(deadline=None, max_examples=150)
@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=8),
    seed=st.integers(0, 2**32),
)
def test_with_loss_and_kills_the_end_is_the_same_too(kinds: list[str], seed: int) -> None:
    compare(kinds, seed, deadly=True)


def compare(kinds: list[str], seed: int, *, deadly: bool) -> None:
    """Play the stories with and without faults."""
    calm, calm_workers = played(kinds, seed, faulty=False)
    rough, workers = played(kinds, seed, faulty=True, deadly=deadly)
    for before, after in zip(calm_workers, workers, strict=True):
        expected = None if after.gave_up else state(calm, before)
        assert state(rough, after) == expected, (after.kind, after.gave_up)
    assert rough.pool.leased == 2 * sum(worker.lives for worker in workers)

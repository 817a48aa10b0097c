"""Whatever happens to calls, a process that is killed in between makes no difference.

Two relays are told the same. One lives; the other one is killed now and then, also while its engine
goes on by itself, and another process takes over.
"""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from msrprelay.commands import Reply
from msrprelay.errors import CommandError

from .session_fakes import (
    FakeSession,
    Lab,
    answer,
    delete,
    listing,
    offer,
    query,
    rollback,
    sdp,
    send,
    terminate,
)

Step = tuple[Any, ...]

PATHS = st.sampled_from(["x", "y"])
CALLS = st.sampled_from(["call-1", "call-2"])
POLICIES = st.sampled_from(["aware", "sessmatch"])
SESSIONS = st.integers(0, 5)
BRANCHES = st.sampled_from([None, None, "z1"])

COMMANDS = st.one_of(
    st.tuples(st.just("offer"), CALLS, PATHS, POLICIES, st.integers(0, 2), BRANCHES),
    st.tuples(st.just("re-offer"), CALLS, PATHS, POLICIES, st.integers(0, 2), st.booleans()),
    st.tuples(st.just("answer"), CALLS, PATHS, st.sampled_from(["active", "passive"]), BRANCHES),
    st.tuples(st.just("re-answer"), CALLS, PATHS, st.booleans()),
    st.tuples(st.just("delete"), CALLS, st.booleans()),
    st.tuples(st.just("rollback"), CALLS),
    st.tuples(st.just("terminate"), CALLS),
    st.tuples(st.just("query"), CALLS),
)
ENGINE = st.one_of(
    st.tuples(st.just("join"), SESSIONS),
    st.tuples(st.just("join"), SESSIONS),
    st.tuples(st.just("lose"), SESSIONS),
    st.tuples(st.just("wait"), SESSIONS),
    st.tuples(st.just("close"), SESSIONS),
    st.tuples(st.just("settle")),
)
TIME = st.tuples(st.just("time"), st.sampled_from([1.0, 5.0, 31.0, 61.0, 140.0]))
STEPS = st.lists(
    st.one_of(COMMANDS, COMMANDS, ENGINE, TIME, st.just(("kill",))), min_size=1, max_size=40
)


def body(who: str, path: str, sections: int = 1, setup: str = "active") -> bytes:
    """An SDP of one side; without a section that is wanted it has one with port 0."""
    host = {"alice": "198.51.100.7", "bob": "203.0.113.9"}[who]
    port = 7000 + ord(path) if sections else 0
    return sdp(host, port, setup=setup, session_id=f"{who}-{path}", sections=max(1, sections))


def request(step: Step) -> Any:
    """The command of a step."""
    what, call, *said = step
    ids = {"call_id": call}
    in_dialog = {**ids, "to_tag": "bob"}
    swapped = {**ids, "from_tag": "bob", "to_tag": "alice"}
    if what == "offer":
        path, policy, sections, branch = said
        return offer(body("alice", path, sections), policy=policy, via_branch=branch, **ids)
    if what == "re-offer":
        path, policy, sections, by_bob = said
        who, tags = ("bob", swapped) if by_bob else ("alice", in_dialog)
        replaced = frozenset({"origin", "sdp-version"})
        return offer(body(who, path, sections), policy=policy, replace=replaced, **tags)
    if what == "answer":
        path, setup, branch = said
        return answer(body("bob", path, setup=setup), via_branch=branch, **ids)
    if what == "re-answer":
        path, by_bob = said
        who, tags = ("alice", swapped) if by_bob else ("bob", in_dialog)
        return answer(body(who, path), **tags)
    if what == "delete":
        tags = {"from_tag": "bob", "to_tag": "alice"} if said[0] else {}
        return delete(**ids, **tags)
    if what == "terminate":
        return terminate(call)
    return rollback(**ids) if what == "rollback" else query(call)


# Chance, the time of day, and the event ring, which ends with a session that nobody has any more.
VARIES = re.compile(r"[0-9a-f]{24}|'created': [0-9]+|'events': \[[^]]*\]")


class Told:
    """What a relay says, without what it makes up by chance."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def plain(self, reply: Reply) -> object:
        kept = {k: v for k, v in reply.items() if k not in ("created", "created_us", "last signal")}
        return VARIES.sub(self._name, repr(kept))

    def _name(self, found: re.Match[str]) -> str:
        if found[0].startswith("'"):
            return ""
        return self._ids.setdefault(found[0], f"id-{len(self._ids)}")


class Relay:
    """A relay that is told things, and what it makes of them."""

    def __init__(self) -> None:
        self.lab = Lab(ports=40, final=400.0)
        self.told = Told()

    def take(self, step: Step) -> object:
        """Its answer to a step, if it has one."""
        what, *said = step
        if what == "time":
            self.lab.clock.pass_time(said[0])
            self.lab.done()
        elif what == "settle":
            self.lab.settle()
        elif what in ("join", "lose", "wait", "close"):
            self.engine(what, said[0])
        elif what == "kill":
            self.lab.kill()
        else:
            try:
                return self.told.plain(send(self.lab, request(step)))
            except CommandError as refused:
                return refused.reason
        return None

    def engine(self, what: str, number: int) -> None:
        session = self.session(number)
        if session is None or not possible(what, session):
            return
        if what == "close":
            self.lab.close(session, "hangup")
        else:
            getattr(self.lab, what)(session)

    def session(self, number: int) -> FakeSession | None:
        opened = self.lab.plane.opened
        return opened[number] if number < len(opened) else None

    def look(self) -> object:
        """What can be seen of it from outside."""
        lab = self.lab
        figures = lab.sessions.figures()
        return (
            send(lab, listing()),
            (lab.pool.leased, lab.pool.resting),
            (figures["sessions"], figures["sessions-joined"]),
            [
                (
                    session.policy,
                    [leg.port for leg in session.legs],
                    session.answers[-1:],
                    session.closing and session.closing[0],
                )
                for session in lab.plane.opened
            ],
            [
                (event.event, event.call_id, event.section, event.side, event.reason)
                for event in lab.events
            ],
        )


def possible(what: str, session: FakeSession) -> bool:
    """Whether the engine could have this to tell."""
    return (
        session.state
        in {
            "join": ("answered", "reconnecting"),
            "lose": ("joined",),
            "wait": ("joined", "draining"),
            "close": ("offered", "answered", "joined", "draining", "reconnecting"),
        }[what]
    )


@settings(deadline=None, max_examples=300)
@given(steps=STEPS)
def test_a_relay_that_is_killed_does_what_one_that_lives_does(steps: list[Step]) -> None:
    living, killed = Relay(), Relay()
    for step in steps:
        if step[0] == "kill":
            killed.take(step)
            continue
        assert killed.take(step) == living.take(step), step
        assert killed.look() == living.look(), step

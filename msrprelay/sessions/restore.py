"""From the journal of a dead process to the calls it had.

Warm: the engine has been adopted, and its sessions go on; what the dead process was told and had
not written down, or wrote down and had not told the engine, is made up for. Cold: nothing but the
journal is left, so the same ports are listened on again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from ..dataplane import Notice, Session
from ..errors import CommandError, ConfigError
from ..journal import Entry
from ..log import Log
from ..net.interfaces import Interface
from ..offer_answer.saved import text
from .branch import Branch
from .call import Call
from .calls import Calls
from .closed import LOST
from .ledger import CALL, PORTS
from .legs import SIDES, Leg, Legs, Ports, new_session_id
from .plan import Unresolved
from .saved import SavedCall, SavedLeaving, SavedPorts, interface_of
from .section import Section

log = Log()

Rest = tuple[float, Interface, int]
Lookup = tuple[Call, Unresolved]


class Engine(Protocol):
    """What a dead process has left of its engine."""

    def sessions(self) -> list[int]:
        """The numbers of its sessions; some may have ended since."""

    def session(self, number: int) -> Session | None:
        """One of them."""


class NoEngine:
    """Nothing has survived."""

    def sessions(self) -> list[int]:
        """None."""
        return []

    def session(self, number: int) -> None:
        """It has ended."""


@dataclass(slots=True)
class Remains:
    """What a journal tells of calls: those that live, those that are over, and ports at rest."""

    live: list[Call] = field(default_factory=list)
    over: list[Call] = field(default_factory=list)
    resting: list[Rest] = field(default_factory=list)

    def sections(self) -> Iterator[Section]:
        """Every section that has its ports."""
        for call in (*self.live, *self.over):
            yield from (*call.sections(), *call.leaving)


def read(
    entries: Mapping[bytes, Entry],
    ports: Ports,
    branch: Callable[[Call], Branch],
    engine: Engine,
    shift: float,
) -> Remains:
    """Make calls of what was written; ``shift`` is added to every time.

    A call that cannot be read is logged and left out.
    """
    remains = Remains()
    for key, (value, until) in entries.items():
        try:
            if key.startswith(CALL):
                saved = msgspec.msgpack.decode(value or b"", type=SavedCall)
                remains.live.append(_call(saved, ports, branch, engine, shift))
            elif key.startswith(PORTS):
                held = msgspec.msgpack.decode(value or b"", type=SavedPorts)
                if held.leaving is not None:
                    remains.over.append(_ended(held.leaving, ports, engine))
                else:
                    remains.resting += (
                        (until + shift, interface_of(interface), port)
                        for interface, port in held.ports
                    )
        except (msgspec.MsgspecError, ConfigError) as error:
            log.error("record not restored", key=key, reason=str(error))
        except Exception:
            # A mistake of ours that one record brings out must not cost all the others.
            log.exception("record not restored", key=key)
    remains.live.sort(key=lambda call: call.created)
    return remains


def warm(
    remains: Remains,
    calls: Calls,
    ports: Ports,
    engine: Engine,
    notices: Callable[[], Iterable[Notice]],
) -> list[Lookup]:
    """Go on with an engine that was adopted; gives the names that are still to be looked up.

    ``notices`` gives those that the engine has had to tell since.
    """
    alive = set(engine.sessions())
    _end_orphans(alive, remains, ports, engine)
    _lease(remains, ports)
    linger = calls.rules.delete_delay
    names: list[Lookup] = []
    for call in (*remains.live, *remains.over):
        calls.take_over(call)
        for section in call.leaving:
            section.close("deleted", linger)
        for section in call.sections():
            names += ((call, name) for name in section.tell_again(linger) if _waits(name))
    for number in alive:
        session = engine.session(number)
        if session is not None and calls.owns(number):
            calls.make_up(number, session.report())
    for notice in notices():
        calls.notice(notice)
    for section in list(remains.sections()):
        for number in section.alive - alive:
            calls.notice(Notice(number, "closed", None, LOST))
    for call in remains.live:
        for branch in call.branches.values():
            branch.ask_again()
        calls.arm(call)
    return names


def cold(remains: Remains, calls: Calls, ports: Ports, now: float) -> list[Lookup]:
    """Open every session that is not over again; gives the names that are to be looked up."""
    remains.resting = [each for each in remains.resting if each[0] > now]
    _lease(remains, ports)
    for call in (*remains.live, *remains.over):
        for section in (*call.sections(), *call.leaving):
            section.uproot()
        for section in call.leaving:
            section.release()
        call.leaving.clear()
    names: list[Lookup] = []
    for call in remains.live:
        calls.take_over(call)
        deadline = call.deadline()
        if deadline is not None and deadline <= now:
            calls.due(call)
        for section in list(call.sections()):
            if not section.over:
                names += ((call, name) for name in _listen_again(call, section, calls))
        calls.arm(call)
        calls.record(call)
    return names


def _call(
    saved: SavedCall,
    ports: Ports,
    branch: Callable[[Call], Branch],
    engine: Engine,
    shift: float,
) -> Call:
    call = Call.restored(saved, shift)
    for each in saved.branches:
        made = branch(call)
        made.restore(each, engine.session, shift)
        call.enter(None if each.key is None else text(each.key), made)
    gone = [Section.restored(each, ports, engine.session) for each in saved.gone]
    call.past = [gone[place] for place in saved.past]
    call.leaving = [gone[place] for place in saved.leaving]
    return call


def _ended(left: SavedLeaving, ports: Ports, engine: Engine) -> Call:
    call = Call(text(left.call_id), time.time(), over=left.over)
    call.leaving.append(Section.restored(left.section, ports, engine.session))
    return call


def _lease(remains: Remains, ports: Ports) -> None:
    legs = (leg for section in remains.sections() for leg in section.legs.values())
    ports.restore(legs, remains.resting)


def _waits(name: Unresolved) -> bool:
    """Whether nobody has a connection on the leg whose peer has that name."""
    leg = name.session.report()["legs"][SIDES.index(name.side)]
    return bool(leg["state"] == "listening")


def _end_orphans(alive: set[int], remains: Remains, ports: Ports, engine: Engine) -> None:
    """Sessions of offers whose reply has never left are as good as deleted."""
    known = {number for section in remains.sections() for number in section.alive}
    held = {place for section in remains.sections() for place in _places(section.legs)}
    for number in alive - known:
        session = engine.session(number)
        if session is None:
            continue
        legs = _legs(session)
        session.close("deleted", 0.0)
        # Opened for another offer of a section that is still there, it has that one's ports.
        if held.isdisjoint(_places(legs)):
            call = Call("", time.time(), over="deleted")
            call.leaving.append(Section(0, "aware", session, legs, ports))
            remains.over.append(call)


def _places(legs: Legs) -> Iterator[tuple[str, int]]:
    return ((leg.interface.host, leg.port) for leg in legs.values())


def _legs(session: Session) -> Legs:
    return {
        side: Leg(
            interface_of(leg["local-address"]),
            leg["local-address"],
            leg["local-port"],
            new_session_id(),
            (),
            "any",
        )
        for side, leg in zip(SIDES, session.report()["legs"], strict=True)
    }


def _listen_again(call: Call, section: Section, calls: Calls) -> tuple[Unresolved, ...]:
    try:
        section.listen_again()
    except CommandError as refused:
        log.warning("not listening again", call_id=call.call_id, reason=refused.reason)
        calls.review(call)
        return ()
    calls.watch(call, section, section.session)
    return section.tell_again(0.0)

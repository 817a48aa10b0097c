"""One measurement: one system does one work once."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

import msgspec

from . import readings
from .control import Daemon
from .ends import Policy
from .load import Generator, generating
from .place import Place
from .search import Search
from .systems import Measured, System
from .works import Work

__all__ = ["Sample", "measure"]

# Of the work, before anything is measured: windows open, buffers and caches fill.
WARM_UP = 10
WARM_SESSIONS = 50
# So many calls wait for their ends at a time, of those that are counted as idle.
WAITING_SESSIONS = 100
# What a system does after the last byte has arrived: closing, above all.
SETTLE_SECONDS = 0.05
MEGA, GIGA = 1e6, 1e9
KILO = 1e3


class Sample(msgspec.Struct):
    """What was read in one measurement. Times in seconds unless they say otherwise."""

    work: str
    system: str
    policy: Policy
    round: int
    # In the unit of the work.
    cost: float
    cpu_seconds: float = 0.0
    generator_seconds: float = 0.0
    # The keeper, where there is one: it is no part of what is compared.
    keeper_seconds: float = 0.0
    # The kernel's own threads, machine-wide.
    kernel_seconds: float = 0.0
    seconds: float = 0.0
    bytes: int = 0
    messages: int = 0
    sessions: int = 0
    p50_us: float | None = None
    p99_us: float | None = None
    resident_bytes: int = 0
    descriptors: int = 0
    socket_pages: int = 0


def measure(work: Work, system: Measured, place: Place, policy: Policy) -> dict[str, Any]:
    """The fields of a :class:`Sample`. Raises RuntimeError where the system did not do the work."""
    if isinstance(system, Daemon):
        return calls(work, system)
    if isinstance(system, Search):
        return {"cost": system.slowest(work.load["cases"], work.amount) * GIGA}
    if work.measure == "memory":
        return idle_memory(work, system, place, policy)
    if work.measure == "held":
        return held(work, system, place, policy)
    if work.load["kind"] == "setup":
        return set_up(work, system, place, policy)
    return traffic(work, system, place, policy)


def calls(work: Work, daemon: Daemon) -> dict[str, Any]:
    """Calls on a control plane; then more of them with pings beside, whose times are given."""
    daemon.run(max(1, work.amount // WARM_UP), work.sessions)
    before = daemon.cpu_seconds()
    outcome = daemon.run(work.amount, work.sessions)
    used = daemon.cpu_seconds() - before
    pinged = daemon.ping(work.amount, work.sessions)
    return {
        "cost": used / work.amount * MEGA,
        "cpu_seconds": used,
        "seconds": outcome["seconds"],
        "sessions": work.amount,
        "p50_us": pinged["p50_us"],
        "p99_us": pinged["p99_us"],
        "resident_bytes": readings.resident_bytes(daemon.pids()),
    }


class Meter:
    """CPU time of everybody, from its making on."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._before = self._now()
        self._generator = 0.0

    def _now(self) -> tuple[float, float, float]:
        own = self._system.pids()
        beside = [pid for root in own for pid in readings.family(root) if pid not in own]
        return self._system.cpu_seconds(), readings.cpu_seconds(beside), readings.kernel_seconds()

    def watch(self, generator: Generator) -> None:
        """Count the generator's time from now on."""
        self._generator = readings.cpu_seconds([generator.pid])

    def read(self, generator: Generator | None = None) -> dict[str, float]:
        """What has been used since."""
        spans = zip(self._now(), self._before, strict=True)
        system, keeper, kernel = (now - then for now, then in spans)
        used = {"cpu_seconds": system, "keeper_seconds": keeper, "kernel_seconds": kernel}
        if generator is not None:
            spent = readings.cpu_seconds([generator.pid]) - self._generator
            used["generator_seconds"] = spent
        return used


def traffic(work: Work, system: System, place: Place, policy: Policy) -> dict[str, Any]:
    """Sessions that stay, with bytes or messages through them."""
    with joined(work, system, place, policy, work.sessions) as generator:
        generator.run(max(1, work.amount // WARM_UP))
        meter = Meter(system)
        meter.watch(generator)
        outcome = generator.run(work.amount)
        used = meter.read(generator)
        state = held_resources(system, generator)
    system.release()
    cost = used["cpu_seconds"] / units(work, outcome)
    return {"cost": cost, **used, **outcome, **state}


def set_up(work: Work, system: System, place: Place, policy: Policy) -> dict[str, Any]:
    """Sessions made and ended; their opening on the system and their end there are counted."""
    meter = Meter(system)
    with joined(work, system, place, policy, work.sessions) as generator:
        meter.watch(generator)
        outcome = generator.run(work.amount)
        state = held_resources(system, generator)
        system.release()
        time.sleep(SETTLE_SECONDS)
        used = meter.read(generator)
    cost = used["cpu_seconds"] / units(work, outcome)
    return {"cost": cost, **used, **outcome, **state}


def idle_memory(work: Work, system: System, place: Place, policy: Policy) -> dict[str, Any]:
    """Growth of a fresh system's memory by sessions that have exchanged one message."""
    with joined(work, system, place, policy, WARM_SESSIONS) as generator:
        generator.run(1)
    system.release()
    time.sleep(SETTLE_SECONDS)
    before = readings.resident_bytes(system.pids())
    relayed = 0.0
    with ExitStack() as standing:
        for count in groups(work.sessions, system):
            sessions = joined(work, system, place, policy, count)
            generator = standing.enter_context(sessions)
            relayed += generator.run(1)["bytes"]
        state = held_resources(system, generator)
    system.release()
    cost = (state["resident_bytes"] - before) / work.sessions / KILO
    return {"cost": cost, "sessions": work.sessions, "bytes": int(relayed), **state}


def groups(count: int, system: System) -> list[int]:
    """How many sessions begin at a time. Where the ends dial one address, there is one group.

    What a session holds until it is joined is free for the next one, as where calls come one after
    the other; were all of them opened before the first is joined, it would stay beside them.
    """
    if system.sink is not None:
        return [count]
    whole, rest = divmod(count, WAITING_SESSIONS)
    return [WAITING_SESSIONS] * whole + [rest] * bool(rest)


def held(work: Work, system: System, place: Place, policy: Policy) -> dict[str, Any]:
    """Bytes that left the sender's socket and have not reached the socket of its peer."""
    with joined(work, system, place, policy, work.sessions) as generator:
        outcome = generator.run(work.amount)
        state = held_resources(system, generator)
        queued = readings.queued_bytes(generator.pid)
    system.release()
    return {"cost": (outcome["bytes"] - queued) / MEGA, **outcome, **state}


def joined(work: Work, system: System, place: Place, policy: Policy, count: int) -> Any:
    """A generator with so many sessions through the system."""
    return generating(
        place,
        system.sessions(count, policy),
        work.load,
        sink=system.sink,
        answers_itself=system.answers_itself,
    )


def held_resources(system: System, generator: Generator) -> dict[str, int]:
    """Memory and descriptors while the sessions stand."""
    pids = system.pids()
    return {
        "resident_bytes": readings.resident_bytes(pids),
        "descriptors": readings.descriptors(pids),
        "socket_pages": readings.socket_pages(generator.pid),
    }


def units(work: Work, outcome: dict[str, float]) -> float:
    """How much of what its unit counts was done."""
    match work.unit:
        case "CPU s/GB":
            return outcome["bytes"] / GIGA
        case "CPU us/message":
            return outcome["messages"] / MEGA
        case "CPU us/session":
            return outcome["sessions"] / MEGA
        case other:
            raise ValueError(f"{work.name}: {other} is not CPU time per work")

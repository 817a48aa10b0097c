"""The systems that are compared: the engine, the peers, and no system at all."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, TypeAlias

from . import readings
from .control import DAEMONS, Daemon
from .ends import End, Policy, dialled, ends_of
from .peers import RECIPES, SINK_PORT, Peer
from .place import Place
from .processes import Lines
from .search import Search

__all__ = ["SYSTEMS", "Measured", "System", "is_ours"]

# Longer than a session of the set-up work lives.
LINGER_SECONDS = 10.0
# The bound of the kernel's own tuning.
WIDE_BYTES = 4 * 1024 * 1024


class System(Protocol):
    """One running system."""

    def sessions(self, count: int, policy: Policy) -> list[tuple[End, End]]:
        """Make ready for so many sessions."""

    def release(self) -> None:
        """End what is left of them."""

    def cpu_seconds(self) -> float:
        """Run time until now."""

    def pids(self) -> list[int]:
        """Its processes."""

    def stop(self) -> None:
        """End it."""

    @property
    def sink(self) -> str | None:
        """Where it dials the second end, if it does."""

    @property
    def answers_itself(self) -> bool:
        """Whether it answers SENDs itself."""


class Direct:
    """No system at all: both ends in each other's hands."""

    answers_itself = False

    def __init__(self, place: Place) -> None:
        self.sink: str | None = f"{place.generator.address}:{SINK_PORT}"

    def sessions(self, count: int, policy: Policy) -> list[tuple[End, End]]:
        assert self.sink is not None
        return dialled(count, self.sink)

    def release(self) -> None:
        pass

    def cpu_seconds(self) -> float:
        return 0.0

    def pids(self) -> list[int]:
        return []

    def stop(self) -> None:
        pass


class Engine:
    """The engine of this project, without its control plane.

    ``settings`` are those of :class:`bench.engine_host.Settings`.
    """

    sink = None
    answers_itself = False

    def __init__(self, place: Place, *, pinned: bool = True, **settings: Any) -> None:
        argv = [sys.executable, "-m", "bench.engine_host", json.dumps(settings)]
        side = place.systems
        if not pinned:
            side = replace(side, cores=tuple(sorted(os.sched_getaffinity(0))))
        self._place = place
        self._host = Lines(side.command(argv))
        self._calling = 0.0

    def sessions(self, count: int, policy: Policy) -> list[tuple[End, End]]:
        address = self._place.systems.address
        engine_policy = "aware" if policy == "aware" else "sessmatch"
        request = {"policy": engine_policy, "address": address, "count": count}
        reply = self._host.ask(json.dumps({"open": request}))
        self._calling += reply["cpu_seconds"]
        return [self._ends(policy, *numbers) for numbers in reply["numbers"]]

    def _ends(self, policy: Policy, number: int, left: int, right: int) -> tuple[End, End]:
        one, other = ends_of(number, aware=policy == "aware")
        address = self._place.systems.address
        return (
            replace(one, connect=f"{address}:{left}"),
            replace(other, connect=f"{address}:{right}"),
        )

    def release(self) -> None:
        self._calling += self._host.ask('{"close": {}}')["cpu_seconds"]

    def cpu_seconds(self) -> float:
        """Its threads, and what was done for it on the caller's thread."""
        return self._calling + readings.cpu_seconds(self.pids(), is_engine_thread)

    def pids(self) -> list[int]:
        return [self._host.process.pid]

    def stop(self) -> None:
        self._host.stop()


def is_engine_thread(name: str) -> bool:
    """Whether a thread of our process is one of the engine's."""
    return re.fullmatch(r"msrp-\d+", name) is not None


def peer(name: str) -> Callable[[Place], System]:
    """What starts the peer of that name."""
    return lambda place: Peer(place, RECIPES[name])


def daemon(name: str) -> Callable[[Place], Daemon]:
    """What starts the control plane of that name."""
    return lambda place: Daemon(place, name)


# Relays, control planes, and the framer alone.
Measured: TypeAlias = System | Daemon | Search

# By name; those of this project begin with its name.
SYSTEMS: dict[str, Callable[[Place], Measured]] = {
    "msrprelay": Engine,
    # As shipped: with the event ring.
    "msrprelay-defaults": lambda place: Engine(place, ring=True),
    # Ended by the control plane, as after a BYE: nobody is waited for again.
    "msrprelay-deleted": lambda place: Engine(place, linger_seconds=LINGER_SECONDS),
    # Large bodies with an explicit range go through pipes unseen: an option that is off as shipped.
    "msrprelay-spliced-bodies": lambda place: Engine(place, engine={"splice_bodies": True}),
    # With a keeper: whatever a successor would need is held there.
    "msrprelay-kept": lambda place: Engine(place, kept=True),
    # No pipes: what bulk costs if it is copied, as aware traffic has to be.
    "msrprelay-copying": lambda place: Engine(place, engine={"pipe_bytes": 0}),
    # Windows as wide as the peers', with as much held for a peer that does not read.
    "msrprelay-wide-windows": lambda place: Engine(place, engine={"leg_buffer_bytes": WIDE_BYTES}),
    "msrprelay-2-threads": lambda place: Engine(place, threads=2, pinned=False),
    # What two threads are compared with.
    "one-thread": lambda place: Engine(place, pinned=False),
    "msrprelay-search": Search,
    "direct": Direct,
    **{name: peer(name) for name in RECIPES},
    **{name: daemon(name) for name in DAEMONS},
}


def is_ours(name: str) -> bool:
    """Whether a system is a variant of this project's relay."""
    return name.startswith("msrprelay")

# cython: annotation_typing=False
"""The engine as the control plane sees it: plain data in, notices out, never a byte of a message.

The only importer of the engine. Commands go to the engine's threads by queue and wait for
none of them; notices come back in batches, announced by an eventfd that the event loop watches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from msgspec import Struct

from ._native import Filled, Layout, OpenError, Session, Told
from ._native import Relay as Engine
from ._native import __version__ as VERSION
from .log import Log
from .words import Policy, Side

__all__ = [
    "VERSION",
    "DataPlane",
    "Engine",
    "EngineConfig",
    "Filled",
    "Kept",
    "Layout",
    "LegAnswer",
    "LegOpen",
    "Notice",
    "OpenError",
    "Session",
    "Side",
    "Sources",
    "Target",
    "Told",
]

log = Log()

# Who may come: everybody, nobody before the answer says it, or connections from these addresses.
Sources = Literal["any", "pending"] | list[str]
# Whom to dial: nobody, a name being resolved, nobody allowed, or these addresses in turn.
Target = Literal["none", "pending", "denied"] | list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """What the engine's threads need to know; durations in seconds, sizes in bytes."""

    threads: int
    gate_seconds: float
    join_seconds: float
    own_bind_seconds: float
    half_closed_seconds: float
    reconnect_seconds: float
    stalled_chunk_seconds: float
    keepalive_idle_seconds: float
    keepalive_interval_seconds: float
    keepalive_count: int
    unacknowledged_seconds: float
    closed_window_seconds: float
    leg_buffer_bytes: int
    # Of all stalled directions together.
    buffer_budget_bytes: int
    unbound_per_port: int
    half_open: int
    # Of one session, both directions, in all and per second; 0: no limit.
    session_bytes: int
    session_rate: int
    header_line_bytes: int
    header_block_bytes: int
    header_count: int
    # Of the pipes that bulk goes through; below 64 KiB it is copied.
    pipe_bytes: int
    # Aware: large bodies whose range has an explicit end go through a pipe, unseen.
    splice_bodies: bool
    event_ring: bool


class LegOpen(Struct, frozen=True):
    """One leg at the offer: where to listen, and the two URIs that meet there.

    ``own_uri`` is the URI this peer is given as its peer's; ``peer_path`` is what the peer wrote
    into its a=path, empty while it has not spoken. What the answer says of ``sources`` replaces
    this.
    """

    address: str
    port: int
    own_uri: bytes
    peer_path: list[bytes]
    sources: Sources = "any"


class LegAnswer(Struct, frozen=True):
    """One leg at the answer: ``role`` is ``accept`` or ``dial``.

    ``own_uri`` replaces the one of :class:`LegOpen` for a peer that learns it by this answer.
    """

    role: Literal["accept", "dial"]
    peer_path: list[bytes]
    target: Target
    sources: Sources = "any"
    own_uri: bytes | None = None


class Notice(Struct, frozen=True):
    """Something happened in the engine: ``what`` is ``bound``, ``joined``, ``closed`` ..."""

    session: int
    what: str
    side: str | None
    reason: str | None


class Kept(NamedTuple):
    """The socket to a keeper, and the engine that goes on with what it held, if it held any."""

    keeper: int
    engine: Engine | None


class DataPlane:
    """The engine behind the event loop."""

    def __init__(self, config: EngineConfig, kept: Kept | None = None) -> None:
        """Start the engine's threads, if they do not run yet. Raises OSError."""
        if kept is None:
            self._relay = Engine(config)
        else:
            self._relay = kept.engine or Engine(config, kept.keeper)
        self._handle: Callable[[Notice], None] | None = None

    def start(self, handle: Callable[[Notice], None]) -> None:
        """Call ``handle`` in the running loop for every notice from now on."""
        self._handle = handle
        asyncio.get_running_loop().add_reader(self._relay.fileno(), self.catch_up)

    def stop(self) -> None:
        """End every session and the threads. No notice comes after it."""
        if self._handle is not None:
            asyncio.get_running_loop().remove_reader(self._relay.fileno())
            self._handle = None
        self._relay.stop()

    def open(
        self,
        policy: Policy,
        a: LegOpen,
        b: LegOpen,
        *,
        tos: int | None = None,
        idle_seconds: float | None = None,
    ) -> Session:
        """Listen on both legs' ports at once, and create the session.

        Raises OpenError whose ``side`` names the leg and whose ``errno`` says why.
        """
        return self._relay.open(policy, a, b, tos, idle_seconds)

    def register(self, keeper: int) -> None:
        """Have another keeper hold everything. Raises OSError."""
        self._relay.register(keeper)

    def sessions(self) -> list[int]:
        """The numbers of the sessions that a dead process has left; some may have ended since."""
        return self._relay.sessions()

    def session(self, number: int) -> Session | None:
        """One of those."""
        return self._relay.session(number)

    def notices(self) -> list[Notice]:
        """Take what waits to be delivered."""
        return [Notice(*notice) for notice in self._relay.take_notices()]

    def counters(self) -> dict[str, int]:
        """Totals of all threads since the start; ``stalled-bytes`` is as of now."""
        return self._relay.counters()

    def catch_up(self) -> None:
        """Deliver what waits now: a re-offer may come on the heels of the loss it is to cure."""
        for notice in self.notices():
            self._deliver(notice)

    def _deliver(self, notice: Notice) -> None:
        if self._handle is None:
            return
        try:
            self._handle(notice)
        except Exception:
            # A bug in one call's bookkeeping must not stop the notices of the others.
            log.exception("notice failed", notice=notice)

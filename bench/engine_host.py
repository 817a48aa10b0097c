"""The engine alone, to be driven over pipes: ``python -m bench.engine_host SETTINGS``.

No control plane: sessions are opened and closed as the table of calls would do it, so that what
is measured is the engine and its listeners. The settings are one JSON object, see
:class:`Settings`. One line of JSON each:

    {"open": {"policy": "aware", "address": "127.0.0.1", "count": 8}}
        -> {"numbers": [[session, left port, right port], ...], "cpu_seconds": ...}
    {"close": {}} -> {"closed": 8, "cpu_seconds": ...}
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import json
import os
import resource
import sys
import time
from dataclasses import replace
from typing import Any, Literal

import msgspec

from msrprelay.config import Config
from msrprelay.dataplane import DataPlane, Kept, LegAnswer, LegOpen, Notice, OpenError, Session
from msrprelay.process.settings import engine_config

from . import holder
from .ends import End, ends_of

# Below the kernel's ephemeral range, which the load generator uses up.
PORTS = range(10_000, 32_000)
READ = 65_536

Policy = Literal["aware", "sessmatch"]


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How the engine is started."""

    threads: int = 1
    # The event ring of every session, as shipped.
    ring: bool = False
    # Sessions are deleted as soon as they are joined, as a BYE does it; they go on for so long.
    linger_seconds: float | None = None
    # With a keeper, which holds a duplicate of everything.
    kept: bool = False
    # Fields of EngineConfig that are not as shipped.
    engine: dict[str, Any] = {}


class Host:
    """The engine and the sessions opened since the last close."""

    def __init__(self, settings: Settings) -> None:
        shipped = replace(engine_config(Config()), threads=settings.threads)
        kept = Kept(holder.start(), None) if settings.kept else None
        self._plane = DataPlane(replace(shipped, event_ring=settings.ring, **settings.engine), kept)
        self._linger = settings.linger_seconds
        self._plane.start(self._notice)
        self._sessions: dict[int, Session] = {}
        self._ended = asyncio.Event()
        self._ports = itertools.cycle(PORTS)
        self._numbers = itertools.count()
        self._spent = Spent()

    def _notice(self, notice: Notice) -> None:
        if notice.what == "joined" and self._linger is not None:
            with self._spent:
                self._sessions[notice.session].close("deleted", self._linger)
        if notice.what == "closed":
            self._sessions.pop(notice.session, None)
            if not self._sessions:
                self._ended.set()

    async def serve(self) -> None:
        """Answer requests until the input ends."""
        requests: asyncio.Queue[bytes] = asyncio.Queue()
        source = sys.stdin.fileno()
        asyncio.get_running_loop().add_reader(
            source, lambda: requests.put_nowait(os.read(source, READ))
        )
        while line := await requests.get():
            request = json.loads(line)
            reply = self.open(**request["open"]) if "open" in request else await self.close()
            print(json.dumps(reply), flush=True)

    def open(self, policy: Policy, address: str, count: int) -> dict[str, Any]:
        """Sessions with both legs to be accepted."""
        self._ended.clear()
        numbers = [self._open(policy, address) for _ in range(count)]
        return {"numbers": numbers, "cpu_seconds": self._spent.seconds()}

    def _open(self, policy: Policy, address: str) -> tuple[int, int, int]:
        """As the table of calls does it: another pair of ports where one is taken."""
        number = next(self._numbers) % 100_000
        left, right = ends_of(number, aware=policy == "aware")
        while True:
            ports = next(self._ports), next(self._ports)
            legs = leg(address, ports[0], left), leg(address, ports[1], right)
            answers = accept(left), accept(right)
            try:
                with self._spent:
                    session = self._plane.open(policy, *legs)
                    session.answer(*answers)
            except OpenError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                self._sessions[session.id] = session
                return number, *ports

    async def close(self) -> dict[str, Any]:
        """End what has not ended by itself, and wait until the engine says so."""
        left = list(self._sessions.values())
        with self._spent:
            for session in left:
                session.close("deleted", 0.0)
        if left:
            await self._ended.wait()
        return {"closed": len(left), "cpu_seconds": self._spent.seconds()}


class Spent:
    """Processor time of this thread: it is the engine that works, on the caller's thread."""

    def __init__(self) -> None:
        self._nanoseconds = self._before = 0

    def __enter__(self) -> None:
        self._before = time.thread_time_ns()

    def __exit__(self, *_: object) -> None:
        self._nanoseconds += time.thread_time_ns() - self._before

    def seconds(self) -> float:
        """What has been spent since it was asked for last."""
        spent, self._nanoseconds = self._nanoseconds, 0
        return spent / 1e9


def leg(address: str, port: int, end: End) -> LegOpen:
    """A leg as the offer leaves."""
    return LegOpen(address, port, end.to_path.encode(), [end.from_path.encode()])


def accept(end: End) -> LegAnswer:
    """A leg whose peer connects to us."""
    return LegAnswer("accept", [end.from_path.encode()], "none")


async def main() -> None:
    """Run until the input ends."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    await Host(msgspec.json.decode(sys.argv[1], type=Settings)).serve()


if __name__ == "__main__":
    asyncio.run(main())

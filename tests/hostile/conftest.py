"""A relay for each test, with the timers and limits that it wants."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from ..conformance.relay import NgRelay
from ..peers.daemon import Daemon

Start = Callable[..., tuple[Daemon, NgRelay]]


@pytest.fixture
def start() -> Iterator[Start]:
    """`start(settings, options=...)`: a daemon, and the same as checks use it."""
    with contextlib.ExitStack() as daemons:

        def begin(
            settings: dict[str, float] | None = None,
            *,
            options: tuple[str, ...] = ("--dial-allow=127.0.0.0/8",),
            ports: int = 64,
            first_port: int | None = None,
            command: tuple[str, ...] = (),
        ) -> tuple[Daemon, NgRelay]:
            daemon = Daemon(
                settings, options=options, ports=ports, first_port=first_port, command=command
            )
            daemons.enter_context(daemon)
            timers = {
                key.removeprefix("timers.").replace("-", "_"): value
                for key, value in (settings or {}).items()
                if key.startswith("timers.")
            }
            return daemon, NgRelay(daemon.ng_address, timers=timers)

        yield begin

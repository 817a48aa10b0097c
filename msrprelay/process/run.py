"""A relay process from its start to its end, in an event loop of its own."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterable

import uvloop

from ..config import Config
from ..dataplane import Engine
from ..keeping.link import Link
from ..log import Log
from ..net.interfaces import Interface
from .faults import log_faults
from .server import RelayProcess, Reread, named

log = Log()


def run(
    config: Config, reread: Reread, link: Link | None = None, engine: Engine | None = None
) -> int:
    """Serve until a signal ends it; gives the exit status.

    SIGTERM and SIGINT drain and then stop, a second one stops at once; SIGHUP calls ``reread`` and
    applies what can be changed while running; SIGUSR2 is an upgrade. ``link``: to the keeper, if
    there is one; ``engine``: goes on with what it held.
    """
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(serve(config, reread, link, engine))
    except OSError as error:
        log.error("cannot start", reason=str(error))
        if link is not None:
            # At once: what is kept is for another process, and must not be ended in order here.
            os._exit(1)
        return 1


async def serve(
    config: Config, reread: Reread, link: Link | None = None, engine: Engine | None = None
) -> int:
    """Start, wait for the end, stop."""
    log_faults(asyncio.get_running_loop())
    try_interfaces(config.interface, refuse=link is None or link.cold)
    relay = RelayProcess(config, reread, link, engine)
    await relay.start()
    try:
        await relay.ended.wait()
    finally:
        await relay.stop()
    return 0


def try_interfaces(interfaces: Iterable[Interface], *, refuse: bool) -> None:
    """Bind once to each address on which legs are to listen, at a port that the kernel chooses.

    Raises OSError naming the first one at which that fails; without ``refuse`` each is logged:
    a process that goes on with another one's calls serves what it can.
    """
    for interface in interfaces:
        family = socket.AF_INET if interface.family == "IP4" else socket.AF_INET6
        try:
            with named(f"interface {interface}"), socket.socket(family) as sock:
                sock.bind((interface.host, 0))
        except OSError as error:
            if refuse:
                raise
            log.warning("no such interface", reason=str(error))

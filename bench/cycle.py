"""Instructions of a call in the control plane, by callgrind: ``python -m bench.cycle``.

Offer, answer and delete as ``ng_client`` sends them, handed to a relay in the same process: what
the kernel does is not in it, nor the event loop's sockets. Counts hardly depend on how busy the
machine is. With compiled modules and without.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import re
import subprocess
import sys
import time
from pathlib import Path

import uvloop

from msrprelay import config as configuration
from msrprelay import log
from msrprelay.commands import Origin
from msrprelay.process.server import RelayProcess

from .ng_client import CALL, recorded
from .processes import find

ROOT = Path(__file__).parents[1]
# What the start costs is the same in both, and drops out of the difference.
FEW, MANY = 100, 400
SETTINGS = {
    "interface": ("bench/127.0.0.1",),
    "listen-ng": ("127.0.0.1:0",),
    "control": "",
    "keeper": False,
    "threads": 1,
    "timers.delete-delay": 0,
    "timers.port-quarantine": 0,
}
# So many calls, then time for the engine to close them.
BATCH = 50
PAUSE_SECONDS = 0.01


async def play(count: int) -> None:
    """Make and end so many calls."""
    config = configuration.load_file(None, SETTINGS)
    relay = RelayProcess(config, lambda: config)
    await relay.start()
    origin, cookies = Origin("udp", "127.0.0.1", 5060), itertools.count()
    bodies = recorded()
    for number in range(count):
        call_id = f"{number:0{len(CALL)}x}".encode()
        for body in bodies:
            datagram = b"%x %b" % (next(cookies), body.replace(CALL.encode(), call_id))
            reply = relay.responder.answer(datagram, origin, time.monotonic())
            assert reply is not None
            assert b"6:result2:ok" in reply, reply
        if number % BATCH == 0:
            await asyncio.sleep(PAUSE_SECONDS)
    await relay.stop()


def counted(module: list[str], calls: int) -> int:
    """Instructions of a whole process that plays so many calls."""
    valgrind = [find("valgrind"), "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    command = [*valgrind, sys.executable, "-m", *module, str(calls)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    found = re.search(r"Collected : (\d+)", ran.stderr)
    assert found is not None, ran.stderr
    return int(found.group(1))


def main() -> None:
    """Play, or count both ways."""
    parser = argparse.ArgumentParser(prog="bench.cycle", description=__doc__)
    parser.add_argument("calls", nargs="?", type=int, help="make so many, and count nothing")
    calls = parser.parse_args().calls
    if calls is not None:
        log.configure("warning")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(play(calls))
        return
    for way, module in (
        ("compiled", ["bench.cycle"]),
        ("uncompiled", ["bench.uncompiled", "bench.cycle"]),
    ):
        spent = (counted(module, MANY) - counted(module, FEW)) / (MANY - FEW)
        print(f"{way:12} {spent:12,.0f} instructions/call")


if __name__ == "__main__":
    main()

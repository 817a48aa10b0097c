"""A relay of the demo's own: defaults, free ports, gone with the demo."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from .failure import DemoFailed
from .ng import NgClient, ng_client

HOST = "127.0.0.1"
PORTS = 16
START_SECONDS = 15.0
STOP_SECONDS = 5.0


@asynccontextmanager
async def own_relay(ports: int = PORTS) -> AsyncIterator[NgClient]:
    """Start ``msrprelayd``, wait until it answers, stop it in the end. Raises DemoFailed.

    Each call takes two of its ``ports``, which then rest for a minute.
    """
    with tempfile.TemporaryDirectory(prefix="msrprelay-demo-") as folder:
        log = Path(folder, "log")
        ng_port = _free_port(socket.SOCK_DGRAM)
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "msrprelay.cli.daemon",
                *_options(ng_port, ports, Path(folder, "ctl.sock")),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                # Ctrl-C on the terminal is for the demo; it then stops the relay itself.
                start_new_session=True,
            )
        try:
            async with ng_client(HOST, ng_port) as client:
                await _answers(client, process, log)
                yield client
        finally:
            await stop(process)


async def stop(process: asyncio.subprocess.Process, patience: float = STOP_SECONDS) -> None:
    """SIGTERM, then SIGKILL after ``patience`` seconds. Safe on a process that has ended."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), patience)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _answers(client: NgClient, process: asyncio.subprocess.Process, log: Path) -> None:
    """Wait for the first pong, or tell why the process has ended."""
    pong = asyncio.create_task(client.ask("ping", patience=START_SECONDS, every=0.05))
    ended = asyncio.create_task(process.wait())
    try:
        await asyncio.wait({pong, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not pong.done():
            said = log.read_text(errors="replace").strip() or "nothing"
            raise DemoFailed(f"msrprelayd ended with status {ended.result()} and said: {said}")
        pong.result()
    finally:
        pong.cancel()
        ended.cancel()


def _options(ng_port: int, ports: int, control: Path) -> list[str]:
    first = _free_range(ports)
    return [
        # No configuration of this machine's own relay.
        "--config=/dev/null",
        f"--interface=demo/{HOST}",
        f"--port-min={first}",
        f"--port-max={first + ports - 1}",
        f"--listen-ng={HOST}:{ng_port}",
        f"--control={control}",
        "--dial-allow=127.0.0.0/8",
        "--no-keeper",
        "--log-level=warning",
    ]


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _free_range(count: int) -> int:
    """The first of ``count`` TCP ports in a row that nobody listens on, below the kernel's own."""
    for first in random.sample(range(20000, 30000 - count), 100):
        if all(_free(port) for port in range(first, first + count)):
            return first
    raise DemoFailed(f"no {count} free TCP ports in a row from 20000 to 29999")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True

"""The programs of these tests: started on free ports of the loopback, stopped by their pid."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

HOST = "127.0.0.1"
START_SECONDS = 20.0
STOP_SECONDS = 8.0
LOG_TAIL = 6000
# Both below the kernel's ephemeral range (from 32768), and apart from each other.
TCP_RANGE = range(20000, 29000)
RTP_RANGE = range(30000, 32700)


class Program:
    """One running program with its log."""

    def __init__(self, name: str, command: Sequence[str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                # Its children are in its group: nothing outlives it.
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """An end without warning."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """SIGTERM, and force where that takes too long; the log's end explains a failed test."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            print(f"{self.name} did not end within {STOP_SECONDS:g} s")
        self.kill()
        print(f"--- {self.name}\n{self.log.read_text(errors='replace')[-LOG_TAIL:]}")


@contextlib.contextmanager
def program(name: str, command: Sequence[str], folder: Path) -> Iterator[Program]:
    """Runs a program for the block."""
    running = Program(name, command, folder)
    try:
        yield running
    finally:
        running.stop()


@dataclass(frozen=True)
class Ready:
    """How a program is asked over UDP whether it is up: the question, sent until answered."""

    port: int
    question: bytes

    async def wait(self, program: Program) -> None:
        """Until the answer has come. Raises RuntimeError if the program ends instead."""
        loop = asyncio.get_running_loop()
        answered = asyncio.Event()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Answered(answered), remote_addr=(HOST, self.port)
        )
        try:
            async with asyncio.timeout(START_SECONDS):
                while not answered.is_set():
                    if not program.running:
                        log = program.log.read_text(errors="replace")
                        raise RuntimeError(f"{program.name} ended: {log[-LOG_TAIL:]}")
                    transport.sendto(self.question)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(answered.wait(), 0.05)
        finally:
            transport.close()


class _Answered(asyncio.DatagramProtocol):
    def __init__(self, answered: asyncio.Event) -> None:
        self._answered = answered

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._answered.set()


@contextlib.asynccontextmanager
async def relay(
    folder: Path, name: str = "relay", *, ports: int = 64, settings: Sequence[str] = ()
) -> AsyncIterator[tuple[Program, int]]:
    """``msrprelayd`` and its ng port. A call takes two of its ``ports``."""
    ng = free_udp_port()
    first = free_range(TCP_RANGE, ports)
    command = [
        sys.executable, "-m", "msrprelay.cli.daemon", "--config=/dev/null",
        f"--interface=test/{HOST}", f"--listen-ng={HOST}:{ng}",
        f"--port-min={first}", f"--port-max={first + ports - 1}",
        f"--control={folder / name}.sock", "--dial-allow=127.0.0.0/8", "--no-keeper",
        "--set", "timers.drain=0.2", "--set", "timers.delete-delay=0.2", *settings,
    ]  # fmt: skip
    with program(name, command, folder) as running:
        await Ready(ng, b"ready d7:command4:pinge").wait(running)
        yield running, ng


@contextlib.asynccontextmanager
async def rtpengine(folder: Path) -> AsyncIterator[int]:
    """The real rtpengine, forwarding in user space; gives its ng port."""
    ng = free_udp_port()
    first = free_range(RTP_RANGE, 64, kind=socket.SOCK_DGRAM)
    command = [
        "rtpengine", "--foreground", "--log-stderr", "--log-level=5", "--table=-1",
        f"--interface={HOST}", f"--listen-ng={HOST}:{ng}", "--config-file=none",
        f"--port-min={first}", f"--port-max={first + 63}", "--num-threads=2",
        f"--pidfile={folder / 'rtpengine.pid'}",
    ]  # fmt: skip
    with program("rtpengine", command, folder) as running:
        await Ready(ng, b"ready d7:command4:pinge").wait(running)
        yield ng


@contextlib.asynccontextmanager
async def kamailio(folder: Path, script: Path, defines: Sequence[str]) -> AsyncIterator[int]:
    """Kamailio with a script; ``defines`` as for its option -A. Gives its SIP port (UDP)."""
    sip = free_udp_port()
    run = folder / "kamailio-run"
    run.mkdir()
    command = [
        "kamailio", "-f", str(script), "-DD", "-E", "-l", f"udp:{HOST}:{sip}", "-n", "4",
        "-m", "64", "-M", "8", "-Y", str(run), "-P", str(run / "pid"),
    ]  # fmt: skip
    command += [word for define in defines for word in ("-A", define)]
    with program("kamailio", command, folder) as running:
        await Ready(sip, _options(sip)).wait(running)
        yield sip


def _options(port: int) -> bytes:
    """A request that every script answers at once: its Max-Forwards is used up."""
    return (
        f"OPTIONS sip:{HOST}:{port} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {HOST}:9;rport;branch=z9hG4bKready\r\n"
        f"From: <sip:ready@{HOST}>;tag=ready\r\nTo: <sip:{HOST}>\r\nCall-ID: ready@{HOST}\r\n"
        "CSeq: 1 OPTIONS\r\nMax-Forwards: 0\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def require(installed: Sequence[tuple[str, object]]) -> None:
    """Skips where something is not installed (given as name and what was found of it).

    Under CI that is a failure, or nobody would notice.
    """
    absent = ", ".join(name for name, found in installed if not found)
    if absent and os.environ.get("CI"):
        pytest.fail(f"not installed: {absent} (see .ci/run)")
    if absent:
        pytest.skip(f"not installed: {absent} (see .ci/run)")


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def free_range(within: range, count: int, kind: int = socket.SOCK_STREAM) -> int:
    """The first of ``count`` ports in a row that nobody has."""
    for first in random.sample(range(within.start, within.stop - count, 2), 200):
        if all(_free(port, kind) for port in range(first, first + count)):
            return first
    raise RuntimeError(f"no {count} free ports in a row in {within}")


def _free(port: int, kind: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
